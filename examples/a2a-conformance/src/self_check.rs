//! A short conversation with the host over loopback, to see that it does what it says.

use std::error::Error;
use std::time::Duration;

use interactions_a2a::A2aHost;
use interactions_transport::{Body, ReqwestTransport, Transport};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest answer to be read.
const LONGEST: usize = 1024 * 1024;

/// Starts the host on a free port, talks to it over both bindings, and stops it.
pub(crate) async fn run(host: A2aHost) -> Result<(), Box<dyn Error>> {
    let (host, listener) = host.bind("127.0.0.1:0").await?;
    let base_url = host.base_url().to_owned();
    println!("listening on {base_url}");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        host.serve(listener, stopped).await
    });
    let checked = tokio::time::timeout(PATIENCE, check(&base_url)).await;
    let _ = stop.send(());
    serving.await??;
    checked??;
    println!("both bindings do what was asked");
    Ok(())
}

async fn check(base_url: &str) -> Result<(), Box<dyn Error>> {
    for (id, state) in [
        ("tck-complete-task-1", "TASK_STATE_COMPLETED"),
        ("tck-input-required-1", "TASK_STATE_INPUT_REQUIRED"),
        ("tck-reject-task-1", "TASK_STATE_REJECTED"),
        ("tck-artifact-data-1", "TASK_STATE_COMPLETED"),
    ] {
        let message = json!({"messageId": id, "role": "ROLE_USER", "parts": [{"text": "Please."}]});
        let params = json!({"message": message});
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params});
        let answers = [
            post(base_url, &call).await?["result"].clone(),
            post(&format!("{base_url}/message:send"), &params).await?,
        ];
        for answer in answers {
            println!("{id}: {}", answer["task"]["status"]["state"]);
            if answer["task"]["status"]["state"] != state {
                return Err(format!("{id} should be {state}: {answer}").into());
            }
        }
    }
    Ok(())
}

async fn post(url: &str, body: &Value) -> Result<Value, Box<dyn Error>> {
    let request = http::Request::post(url)
        .header("Content-Type", "application/json")
        .header("A2A-Version", "1.0")
        .header("Authorization", "Bearer itk-valid-token")
        .body(Body::from(body.to_string()))?;
    let response = ReqwestTransport::new()?.send(request).await?;
    let body = response.into_body().collect(LONGEST).await?;
    Ok(serde_json::from_slice(&body)?)
}
