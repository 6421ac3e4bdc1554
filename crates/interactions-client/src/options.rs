//! How a call is made, beside what it says on the wire.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use interactions_transport::Timeouts;
use interactions_types::{CreateInteraction, decode_value};
use serde_json::{Map, Value};

use crate::exchange::Deadline;
use crate::{Error, RetryPolicy};

/// What every call can be told.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// For the whole call, retries included.
    pub(crate) limit: Option<Duration>,
    /// For each request; `total` is not used.
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: Option<Arc<dyn RetryPolicy>>,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    body: Map<String, Value>,
}

impl fmt::Debug for Options {
    /// Names the extra headers and parameters; their values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |pairs: &[(String, String)]| -> Vec<String> {
            pairs.iter().map(|(name, _)| name.clone()).collect()
        };
        f.debug_struct("Options")
            .field("limit", &self.limit)
            .field("timeouts", &self.timeouts)
            .field("retry", &self.retry)
            .field("headers", &names(&self.headers))
            .field("query", &names(&self.query))
            .field("body", &self.body.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Options {
    /// The same, with what is left until a deadline as the limit.
    pub(crate) fn until(&self, deadline: Deadline) -> Self {
        Self { limit: deadline.left(), ..self.clone() }
    }

    /// The same, without extra fields that say what a continuation decides.
    pub(crate) fn for_next_hop(&self) -> Self {
        let mut options = self.clone();
        for field in ["input", "previous_interaction_id", "continuation_token"] {
            options.body.shift_remove(field);
        }
        options
    }

    /// Makes extra fields part of the request itself, so that all of it is seen by whoever
    /// decides how to go on. Fields that the request cannot hold stay extra.
    pub(crate) fn fold_into(&mut self, request: &mut CreateInteraction) {
        if self.body.is_empty() {
            return;
        }
        if let Ok(Value::Object(mut whole)) = serde_json::to_value(&*request) {
            whole.extend(self.body.clone());
            if let Ok(folded) = decode_value(&Value::Object(whole)) {
                *request = folded;
                self.body.clear();
            }
        }
    }

    pub(crate) fn header(&mut self, name: String, value: String) {
        self.headers.push((name, value));
    }

    pub(crate) fn query(&mut self, name: String, value: String) {
        self.query.push((name, value));
    }

    pub(crate) fn body(&mut self, name: String, value: Value) {
        self.body.insert(name, value);
    }

    pub(crate) fn body_fields(&self) -> impl Iterator<Item = &str> {
        self.body.keys().map(String::as_str)
    }

    pub(crate) fn extends_body(&self) -> bool {
        !self.body.is_empty()
    }

    pub(crate) fn queries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The extra headers, which replace the client's own of the same name.
    pub(crate) fn parsed_headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
        let parse = |(name, value): &(String, String)| {
            let bad = || Error::request(format!("`{name}` is not a header that can be sent"));
            let header = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            Ok((header, value))
        };
        self.headers.iter().map(parse).collect()
    }

    /// Encodes a body, the extra fields in place of its own of the same name.
    pub(crate) fn encode(&self, body: &impl serde::Serialize) -> Result<Vec<u8>, Error> {
        let failed = |error: serde_json::Error| Error::request(error.to_string());
        if self.body.is_empty() {
            return serde_json::to_vec(body).map_err(failed);
        }
        let mut value = serde_json::to_value(body).map_err(failed)?;
        let Value::Object(object) = &mut value else {
            return Err(Error::request("extra fields need a body that is an object"));
        };
        object.extend(self.body.clone());
        serde_json::to_vec(&value).map_err(failed)
    }
}

/// The methods by which a call is told its options, for a type with a field `options`.
macro_rules! call_options {
    ($call:ident $(<$generic:ident>)?) => {
        impl $(<$generic>)? $call $(<$generic>)? {
            /// Gives up after this time, retries and waits between them included.
            ///
            /// The service may go on with what it has begun.
            pub fn with_timeout(mut self, limit: ::std::time::Duration) -> Self {
                self.options.limit = Some(limit);
                self
            }

            /// Limits the parts of every request; its `total` is [`with_timeout`](Self::with_timeout).
            ///
            /// What it leaves open stays as it was. The client keeps `total` and, in streams,
            /// `idle` itself; `connect` and `first_byte` are the transport's to keep.
            pub fn with_timeouts(mut self, timeouts: ::interactions_transport::Timeouts) -> Self {
                self.options.limit = timeouts.total.or(self.options.limit);
                self.options.timeouts = timeouts.or(self.options.timeouts);
                self
            }

            #[allow(dead_code, reason = "calls that are made for other calls take over their options")]
            pub(crate) fn with_options(mut self, options: $crate::options::Options) -> Self {
                self.options = options;
                self
            }

            /// Gives up when no bytes arrive for this time.
            pub fn with_idle_timeout(mut self, limit: ::std::time::Duration) -> Self {
                self.options.timeouts = self.options.timeouts.with_idle(limit);
                self
            }

            /// Tries again by another policy than the client's.
            pub fn with_retry(mut self, policy: impl $crate::RetryPolicy) -> Self {
                self.options.retry = Some(::std::sync::Arc::new(policy));
                self
            }

            /// Sends a header, in place of the client's own of this name.
            pub fn extra_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.options.header(name.into(), value.into());
                self
            }

            /// Adds a parameter to the URL's query.
            pub fn extra_query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.options.query(name.into(), value.into());
                self
            }
        }
    };
}

/// The method by which a call with a body is told further fields of it.
macro_rules! body_options {
    ($call:ident $(<$generic:ident>)?) => {
        impl $(<$generic>)? $call $(<$generic>)? {
            /// Adds a field to the JSON body, in place of the call's own of this name.
            ///
            /// For what the service knows and this version of the crate does not.
            pub fn extra_body(mut self, name: impl Into<String>, value: impl Into<::serde_json::Value>) -> Self {
                self.options.body(name.into(), value.into());
                self
            }
        }
    };
}

pub(crate) use {body_options, call_options};
