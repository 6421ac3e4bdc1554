//! What the data model does not know: refused in requests, with the place where it stands.

use http::StatusCode;
use interactions_types::{Inspect, Unmodelled};

use crate::error::Refusal;

/// Refuses fields, values and kinds that this server does not know.
///
/// Where `lenient` says so of a path, fields and values pass, but not unknown kinds of things:
/// no model could read them.
pub(crate) fn check(request: &impl Inspect, lenient: fn(&str) -> bool) -> Result<(), Refusal> {
    for unmodelled in request.unmodelled() {
        match unmodelled {
            Unmodelled::Field { path, .. } if !lenient(&path) => {
                return Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "parameter_unknown",
                    format!("Unknown parameter: '{path}'."),
                ));
            }
            Unmodelled::Value { path, value, supported, .. } => {
                if lenient(&path) && !path.ends_with(".type") {
                    continue;
                }
                let field = path.rsplit('.').next().unwrap_or(&path);
                return Err(Refusal::invalid(format!(
                    "The value '{value}' is not supported for '{field}' at '{path}'. Supported values: {}.",
                    supported.join(", ")
                )));
            }
            _ => {}
        }
    }
    Ok(())
}
