//! Everything but interactions: agents, sandboxes and their files, triggers, secrets, voices,
//! decisions and webhooks.
//!
//! Each kind has a handle that [`Client`](crate::Client) gives out, with a method per call.

mod agents;
mod credentials;
mod decisions;
mod environments;
mod files;
mod triggers;
mod voices;
mod webhooks;

pub use agents::Agents;
pub use credentials::Credentials;
pub use environments::Environments;
pub use files::{Download, EnvironmentFiles, Upload};
pub use triggers::Triggers;
pub use voices::Voices;
pub use webhooks::Webhooks;

impl crate::Page for interactions_types::AgentListResponse {
    type Item = interactions_types::Agent;

    fn into_parts(mut self) -> (Vec<Self::Item>, Option<String>) {
        // The service's own examples differ in where the agents are.
        self.agents.append(&mut self.data);
        (self.agents, self.next_page_token.map(String::from))
    }
}

/// Lists whose pages have their items in one field and the next page's token in another.
macro_rules! pages {
    ($($page:ty: $items:ident of $item:ty;)*) => { $(
        impl crate::Page for $page {
            type Item = $item;

            fn into_parts(self) -> (Vec<$item>, Option<String>) {
                (self.$items, self.next_page_token.map(String::from))
            }
        }
    )* };
}

pages! {
    interactions_types::CredentialListResponse: credentials of interactions_types::Credential;
    interactions_types::ListEnvironmentsResponse: environments of interactions_types::Environment;
    interactions_types::GetEnvironmentFilesResponse: files of interactions_types::EnvironmentFile;
    interactions_types::ListTriggersResponse: triggers of interactions_types::Trigger;
    interactions_types::ListTriggerExecutionsResponse:
        trigger_executions of interactions_types::TriggerExecution;
    interactions_types::ListVoicesResponse: voices of interactions_types::VoiceOutput;
    interactions_types::WebhookListResponse: webhooks of interactions_types::Webhook;
}
