//! Media by address: fetched through the guard for models whose servers cannot be trusted to.
//!
//! A model's server often stands in the same private network as this one. If it fetched what
//! callers name, they could reach that network through it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION};
use interactions_transport::{
    Body, SharedTransport, Timeouts, Transport, TransportErrorKind, redact_url,
};
use interactions_types::{Content, Step, ToolOutput};
use url::Url;

use crate::model::ModelError;

/// How long one piece may take, from name look-up to its last byte.
const TOTAL: Duration = Duration::from_secs(60);
/// Each hop is judged by the guard like the first.
const REDIRECTS: usize = 5;

/// What one run has fetched so far.
#[derive(Debug, Default)]
pub(super) struct Media(HashMap<String, Arc<Fetched>>);

#[derive(Debug)]
struct Fetched {
    data: String,
    mime_type: Option<String>,
}

impl Media {
    /// Puts the bytes in place of every address in these steps.
    pub(super) async fn fetch(
        &mut self,
        steps: &mut [Step],
        egress: &SharedTransport,
        limit: usize,
    ) -> Result<(), ModelError> {
        for content in steps.iter_mut().flat_map(contents) {
            let Some(uri) = address(content) else { continue };
            let fetched = match self.0.get(&uri) {
                Some(fetched) => Arc::clone(fetched),
                None => {
                    let fetched = Arc::new(fetch(&uri, egress, limit).await.map_err(|why| {
                        let (kind, uri) = (content.kind(), redact_url(&uri));
                        let message = format!("the {kind} at {uri} cannot be fetched: {why}");
                        ModelError::permanent("invalid_request", message)
                    })?);
                    self.0.insert(uri, Arc::clone(&fetched));
                    fetched
                }
            };
            put(content, &fetched);
        }
        Ok(())
    }
}

fn contents(step: &mut Step) -> Vec<&mut Content> {
    match step {
        Step::UserInput(input) => input.content.iter_mut().collect(),
        Step::ModelOutput(output) => output.content.iter_mut().collect(),
        Step::FunctionResult(result) => match &mut result.result {
            ToolOutput::Contents(contents) => contents.iter_mut().collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The address of a content that has nothing else.
fn address(content: &Content) -> Option<String> {
    let (data, uri) = match content {
        Content::Image(image) => (&image.data, &image.uri),
        Content::Audio(audio) => (&audio.data, &audio.uri),
        Content::Document(document) => (&document.data, &document.uri),
        _ => return None,
    };
    uri.clone().filter(|_| data.is_none())
}

fn put(content: &mut Content, fetched: &Fetched) {
    macro_rules! put {
        ($media:ident) => {{
            $media.data = Some(fetched.data.clone());
            $media.uri = None;
            if $media.mime_type.is_none() {
                $media.mime_type = fetched.mime_type.as_deref().map(Into::into);
            }
        }};
    }
    match content {
        Content::Image(image) => put!(image),
        Content::Audio(audio) => put!(audio),
        Content::Document(document) => put!(document),
        _ => {}
    }
}

async fn fetch(uri: &str, egress: &SharedTransport, limit: usize) -> Result<Fetched, String> {
    let mut url = Url::parse(uri).map_err(|error| error.to_string())?;
    for _ in 0..=REDIRECTS {
        if !matches!(url.scheme(), "http" | "https") {
            let scheme = url.scheme();
            return Err(format!(
                "this server reads http and https, not {scheme}; send its bytes as `data`"
            ));
        }
        let mut request = http::Request::get(url.as_str())
            .body(Body::empty())
            .map_err(|error| error.to_string())?;
        request.extensions_mut().insert(Timeouts::default().with_total(TOTAL));
        let response = egress.send(request).await.map_err(|error| match error.kind() {
            TransportErrorKind::Refused => {
                "this server may not reach that address; see [egress] in its configuration"
                    .to_owned()
            }
            TransportErrorKind::Timeout => "it took too long".to_owned(),
            _ => "it cannot be reached".to_owned(),
        })?;
        let (parts, body) = response.into_parts();
        if parts.status.is_redirection() {
            let next = parts.headers.get(LOCATION).and_then(|to| to.to_str().ok());
            let next = next.ok_or("it redirects to nowhere")?;
            url = url.join(next).map_err(|_| "it redirects to what is no address".to_owned())?;
            continue;
        }
        if parts.status != StatusCode::OK {
            return Err(format!("it answers with status {}", parts.status.as_u16()));
        }
        let mime_type = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let mime_type = mime_type.map(|kind| kind.split(';').next().unwrap_or(kind).trim());
        let mime_type = mime_type.filter(|kind| !kind.is_empty()).map(str::to_lowercase);
        let bytes = body.collect(limit).await.map_err(|error| match error.kind() {
            TransportErrorKind::TooLarge => format!("it is larger than {limit} bytes"),
            TransportErrorKind::Timeout => "it took too long".to_owned(),
            _ => "it broke off".to_owned(),
        })?;
        return Ok(Fetched { data: STANDARD.encode(bytes), mime_type });
    }
    Err(format!("it redirects more than {REDIRECTS} times"))
}
