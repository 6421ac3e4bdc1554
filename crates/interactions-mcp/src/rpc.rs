//! What both transports need to know of JSON-RPC.

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::model::{ErrorCode, ErrorData, RequestId, ServerJsonRpcMessage};
use serde::Deserialize;

use crate::error::excerpt;
use crate::{McpError, McpErrorKind};

/// A failure that a transport reports to whoever waits for the reply to one request.
///
/// rmcp hands replies to their callers by id, and transport failures to nobody, so a failure that
/// concerns one request travels as a reply of ours with a code that lies outside of the range
/// that JSON-RPC reserves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    TooLarge,
    Interrupted,
    NotMcp,
}

impl Failure {
    const ALL: [Self; 3] = [Self::TooLarge, Self::Interrupted, Self::NotMcp];

    fn code(self) -> ErrorCode {
        ErrorCode(match self {
            Self::TooLarge => 0x1A7E_0001,
            Self::Interrupted => 0x1A7E_0002,
            Self::NotMcp => 0x1A7E_0003,
        })
    }

    fn kind(self) -> McpErrorKind {
        match self {
            Self::TooLarge => McpErrorKind::TooLarge,
            Self::Interrupted => McpErrorKind::Closed,
            Self::NotMcp => McpErrorKind::Protocol,
        }
    }

    /// The failure as the reply to a request.
    pub(crate) fn reply(
        self,
        id: RequestId,
        message: impl Into<Cow<'static, str>>,
    ) -> ServerJsonRpcMessage {
        ServerJsonRpcMessage::error(ErrorData::new(self.code(), message, None), Some(id))
    }
}

/// Turns an error reply, ours or the server's, into the error that callers see.
pub(crate) fn error_reply(server: &Arc<str>, error: &ErrorData) -> McpError {
    if let Some(failure) = Failure::ALL.into_iter().find(|ours| ours.code() == error.code) {
        return McpError::new(failure.kind(), server, error.message.as_ref());
    }
    let said = excerpt(&error.message);
    let message = format!("the server refused: {said} (JSON-RPC error {})", error.code.0);
    McpError::new(McpErrorKind::Rejected, server, message)
}

/// How a server says that a reply is larger than we allow.
pub(crate) fn too_large(limit: usize) -> String {
    format!(
        "a reply is larger than the limit of {limit} bytes; ask the tool for less, or raise the \
         server's reply limit"
    )
}

/// Whether a message is a reply, and to what, without reading what it says.
pub(crate) fn replied_id(message: &str) -> Option<RequestId> {
    #[derive(Deserialize)]
    struct Envelope {
        id: Option<RequestId>,
        method: Option<serde::de::IgnoredAny>,
    }
    let envelope: Envelope = serde_json::from_str(message).ok()?;
    if envelope.method.is_some() {
        return None;
    }
    envelope.id
}

/// Whether a reply with `answered` is for our request `asked`; some servers turn numbers to text.
pub(crate) fn same_id(asked: &RequestId, answered: &RequestId) -> bool {
    asked == answered || asked.to_string() == answered.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_replies_from_requests_and_notifications() {
        let id = |text| replied_id(text).map(|id| id.to_string());
        assert_eq!(id(r#"{"jsonrpc":"2.0","result":{"content":[]},"id":7}"#), Some("7".into()));
        assert_eq!(id(r#"{"jsonrpc":"2.0","id":"7","error":{}}"#), Some("7".into()));
        assert_eq!(id(r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#), None);
        assert_eq!(id(r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#), None);
        assert_eq!(id("Server listening on port 3000"), None);
        assert_eq!(id("[]"), None);
        assert!(same_id(&RequestId::Number(7), &RequestId::String("7".into())));
    }

    #[test]
    fn failures_come_back_with_their_kind() {
        let server = Arc::from("`x`");
        for failure in Failure::ALL {
            let ServerJsonRpcMessage::Error(reply) = failure.reply(RequestId::Number(1), "why")
            else {
                panic!("a failure is an error reply");
            };
            let error = error_reply(&server, &reply.error);
            assert_eq!((error.kind(), error.message()), (failure.kind(), "why"));
            assert!(error.may_have_run());
        }
        let theirs = ErrorData::new(ErrorCode(-32602), "no\nsuch tool", None);
        let error = error_reply(&server, &theirs);
        assert_eq!(error.kind(), McpErrorKind::Rejected);
        assert!(!error.may_have_run());
        assert_eq!(
            error.to_string(),
            "MCP server `x`: the server refused: no such tool (JSON-RPC error -32602)"
        );
    }
}
