//! An A2A host that does what conformance test kits ask of an agent.
//!
//! Run it for a kit with
//!
//! ```text
//! cargo run -p example-a2a-conformance -- --listen 127.0.0.1:9999
//! ```
//!
//! Without an argument it starts on a free port, checks itself and ends.
//! `ITK_ACTS_REDUCED_CAPABILITIES=1` takes the optional capabilities away, and `ITK_ACTS_AUTH=1` asks
//! callers for a token.
#![expect(clippy::print_stdout, reason = "an example talks to its reader")]

mod access;
mod actor;
mod script;
mod self_check;

use std::error::Error;

use interactions_a2a::{A2aHost, Card, HostedAgent, Skill};
use interactions_transport::guard::Guard;

use access::KitTokens;
use actor::Actor;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => self_check::run(host()?).await,
        (Some("--listen"), Some(address)) => {
            let (host, listener) = host()?.bind(&address).await?;
            println!("listening on {}", host.base_url());
            let stop = async {
                let _ = tokio::signal::ctrl_c().await;
            };
            Ok(host.serve(listener, stop).await?)
        }
        _ => {
            Err("say `--listen 127.0.0.1:9999` to serve a kit, or nothing for a self-check".into())
        }
    }
}

/// The host as the environment wants it.
fn host() -> Result<A2aHost, Box<dyn Error>> {
    let is_set = |name| std::env::var(name).is_ok_and(|value| value == "1");
    let card = Card::new("Conformance", "Does what test kits ask for.")
        .skill(Skill::new("act", "Act as the id or the text of a message says").tag("conformance"))
        .input_modes(["text/plain"])
        .output_modes(["text/plain", "application/json"]);
    let mut agent = HostedAgent::new(card, Actor::default());
    let (reduced, closed) = (is_set("ITK_ACTS_REDUCED_CAPABILITIES"), is_set("ITK_ACTS_AUTH"));
    if closed && !reduced {
        agent = agent.extended_card(|_, card| {
            card.skill(Skill::new("more", "Do more for callers who are known").tag("extended"))
        });
    }
    let host = A2aHost::with_agent("conformance", agent)
        // The receivers of notifications are on this machine, and kits use message ids again.
        .guard(Guard::new(["127.0.0.1", "[::1]", "localhost"])?)
        .repeated_messages(true)
        .push_notifications(!reduced)
        .streaming(!reduced);
    Ok(match closed {
        true => host.authenticator(KitTokens::new()?),
        false => host,
    })
}
