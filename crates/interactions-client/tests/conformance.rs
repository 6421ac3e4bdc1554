//! Our client sits the exam that any client can sit.

use async_trait::async_trait;
use interactions_client::{Client, SharedTransport};
use interactions_testing::conformance::{self, ClientUnderTest};
use interactions_types::{CreateInteraction, Interaction, InteractionId};

struct Ours;

fn client(transport: SharedTransport) -> Client {
    Client::builder().transport(transport).build().expect("a client")
}

fn text<T>(result: Result<T, interactions_client::Error>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

#[async_trait]
impl ClientUnderTest for Ours {
    async fn create(
        &self,
        transport: SharedTransport,
        request: CreateInteraction,
    ) -> Result<Interaction, String> {
        text(client(transport).create(request).await)
    }

    async fn stream(
        &self,
        transport: SharedTransport,
        request: CreateInteraction,
    ) -> Result<Interaction, String> {
        let events = text(client(transport).create(request).stream().await)?;
        text(events.finish().await)
    }

    async fn get(
        &self,
        transport: SharedTransport,
        id: InteractionId,
    ) -> Result<Interaction, String> {
        text(client(transport).get(id).await)
    }
}

/// Believes everything and tries nothing twice: the exam has to notice.
struct Gullible;

#[async_trait]
impl ClientUnderTest for Gullible {
    async fn create(
        &self,
        _: SharedTransport,
        _: CreateInteraction,
    ) -> Result<Interaction, String> {
        Ok(Interaction::default())
    }

    async fn stream(
        &self,
        _: SharedTransport,
        _: CreateInteraction,
    ) -> Result<Interaction, String> {
        Ok(Interaction::default())
    }

    async fn get(&self, _: SharedTransport, _: InteractionId) -> Result<Interaction, String> {
        Ok(Interaction::default())
    }
}

#[tokio::test(start_paused = true)]
async fn our_client_passes() {
    let report = conformance::client(&Ours).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_nothing_fails_everything() {
    let report = conformance::client(&Gullible).await;
    assert!(report.passed.is_empty(), "{report}");
}

/// Never comes back.
struct Asleep;

#[async_trait]
impl ClientUnderTest for Asleep {
    async fn create(
        &self,
        _: SharedTransport,
        _: CreateInteraction,
    ) -> Result<Interaction, String> {
        std::future::pending().await
    }

    async fn stream(
        &self,
        _: SharedTransport,
        _: CreateInteraction,
    ) -> Result<Interaction, String> {
        std::future::pending().await
    }

    async fn get(&self, _: SharedTransport, _: InteractionId) -> Result<Interaction, String> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_comes_back_fails_in_time() {
    let report = conformance::client(&Asleep).await;
    assert!(report.failed.iter().any(|(_, seen)| seen.contains("within 60s")), "{report}");
}
