//! Our server sits the exam that any server can sit.

mod harness;

use harness::Harness;
use interactions_testing::{Reply, conformance, replay};

#[tokio::test]
async fn our_server_passes() {
    let server = Harness::new().await;
    for version in ["v1", "v1beta", "v1beta1/projects/p/locations/global"] {
        let base = format!("http://in-process/{version}");
        let report = conformance::server(server.transport.clone(), &base, "scripted").await;
        assert!(report.is_clean(), "{version}: {report}");
    }
    assert!(server.client.list().await.unwrap().interactions.is_empty(), "the exam cleans up");
}

#[tokio::test]
async fn a_server_that_always_agrees_fails() {
    let yes = r#"{"id":"v1_x","status":"completed"}"#;
    let transport = replay(vec![Reply::json(yes); 100]);
    let report = conformance::server(transport, "http://in-process/v1", "m").await;
    // Nobody can tell work that was done at once from work that was not done.
    assert_eq!(report.passed, ["background work answers at once and ends by itself"], "{report}");
}
