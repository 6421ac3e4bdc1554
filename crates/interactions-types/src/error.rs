//! The service's own errors, as data.

use serde_json::Value;

use crate::wire::object;

object! {
    /// An error as the service reports it: in HTTP bodies, `error` events and `errors` of an interaction.
    pub struct ApiError {
        required {}
        optional {
            /// A snake_case word such as `not_found` or `rate_limit_exceeded`.
            ///
            /// Front ends of the service may send a number instead; it is then in `extra`.
            code: String as lenient,
            /// What went wrong, for people.
            message: String,
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.code, &self.message) {
            (Some(code), Some(message)) => write!(f, "{code}: {message}"),
            (Some(text), None) | (None, Some(text)) => f.write_str(text),
            (None, None) => f.write_str("an error without code or message"),
        }
    }
}

impl std::error::Error for ApiError {}

object! {
    /// A `google.rpc.Status`, on a model output that broke off.
    pub struct RpcStatus {
        required {}
        optional {
            /// The number of a `google.rpc.Code`.
            code: i64,
            /// What went wrong, for people.
            message: String,
            /// Further details, free-form.
            details: Vec<Value>,
        }
    }
}
