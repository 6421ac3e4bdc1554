//! `POST /interactions`.

use axum::Extension;
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use interactions_types::{CreateInteraction, Interaction};

use super::keys::Tenant;
use super::{Face, body, stream};
use crate::engine::Finished;
use crate::error::Refusal;
use crate::model::Transient;

/// Creates an interaction: waits for its end, streams its events, or answers at once.
pub(super) async fn create(
    State(face): State<Face>,
    Extension(Tenant(tenant)): Extension<Tenant>,
    request: Request,
) -> Result<Response, Refusal> {
    let request: CreateInteraction = body::read(request, &face.engine.config.limits).await?;
    let (streams, background) = (request.stream == Some(true), request.background == Some(true));
    let started = face.engine.create(&tenant, request, streams).await?;
    if streams {
        let reader = face.engine.metrics().reader();
        return Ok(match started.live {
            Some(live) => stream::live(live, started.guard, reader),
            None => stream::follow(face.engine.follow(&tenant, &started.id, 0), reader),
        });
    }
    if background {
        return Ok(Json(started.beginning).into_response());
    }
    // Held while waiting: if the caller goes, a run that is not stored ends with this future.
    let _guard = started.guard;
    match started.end.await {
        Ok(finished) => answer(finished),
        Err(_) => Err(Refusal::unavailable(match (started.stored, face.engine.is_closing()) {
            (true, true) => {
                let id = &started.id;
                format!("the server is stopping; interaction {id} goes on and can be read later")
            }
            (true, false) => {
                let id = &started.id;
                format!("the end of interaction {id} was lost here; read it to see how it stands")
            }
            (false, true) => "the server is stopping".to_owned(),
            (false, false) => "the run broke off here; try it again".to_owned(),
        })),
    }
}

/// A plain create answers with the interaction, unless what failed may soon work:
/// then an HTTP error tells clients that it is worth another try.
fn answer(finished: Finished) -> Result<Response, Refusal> {
    let Finished { interaction, transient } = finished;
    let Some(transient) = transient else {
        return Ok(Json(interaction).into_response());
    };
    let message = reason(&interaction);
    Err(match transient {
        Transient::Unavailable => Refusal::unavailable(message),
        Transient::Timeout => {
            Refusal::new(StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded", message)
        }
        Transient::RateLimited(patience) => Refusal {
            retry_after: patience,
            ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message)
        },
    })
}

fn reason(interaction: &Interaction) -> String {
    let last = interaction.errors.iter().flatten().last().and_then(|error| error.message.clone());
    last.unwrap_or_else(|| "the model failed".to_owned())
}
