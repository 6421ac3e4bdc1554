//! The files in a sandbox: listed, read and written, large ones piece by piece.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};
use interactions_transport::Body;
use interactions_types::{EnvironmentId, GetEnvironmentFilesResponse, decode_value};
use serde_json::{Value, json};
use url::Url;

use crate::call::decoded;
use crate::exchange::{Deadline, Draft, Payload};
use crate::options::{Options, call_options};
use crate::reply::Reply;
use crate::telemetry::Span;
use crate::{Client, Error, Listing};

/// The files in one sandbox.
#[derive(Clone, Debug)]
pub struct EnvironmentFiles {
    client: Client,
    id: EnvironmentId,
}

impl EnvironmentFiles {
    pub(crate) fn new(client: Client, id: &EnvironmentId) -> Self {
        Self { client, id: bare(id) }
    }

    /// Lists a folder; an empty path is the uppermost one. The path of a file lists that file.
    pub fn list(&self, path: &str) -> Listing<GetEnvironmentFilesResponse> {
        let mut segments = vec!["environments", self.id.as_str(), "files"];
        segments.extend(parts(path));
        Listing::of(&self.client, "list_environment_files", &segments)
    }

    /// Reads a file.
    pub fn download(&self, path: &str) -> Download {
        Download { files: self.clone(), path: path.to_owned(), options: self.client.options() }
    }

    /// Writes a file.
    pub fn upload(&self, path: &str, content: impl Into<Bytes>) -> Upload {
        let content = content.into();
        let length = content.len() as u64;
        Upload::new(self.clone(), path, length, Payload::Bytes(content))
    }

    /// Writes a file that is too large to hold: `make` gives its content anew for every try.
    ///
    /// `length` is the number of bytes, which the service wants to know before; content that turns
    /// out longer or shorter is an error and is not stored.
    pub fn upload_stream(
        &self,
        path: &str,
        length: u64,
        make: impl Fn() -> Body + Send + Sync + 'static,
    ) -> Upload {
        Upload::new(
            self.clone(),
            path,
            length,
            Payload::Made(Arc::new(move || make().with_length(length))),
        )
    }
}

/// The id itself: `environments/x` and `x` stand for the same sandbox.
pub(super) fn bare(id: &EnvironmentId) -> EnvironmentId {
    id.as_str().strip_prefix("environments/").map_or_else(|| id.clone(), Into::into)
}

impl Listing<GetEnvironmentFilesResponse> {
    /// Also lists what is in folders within the folder.
    pub fn recursive(self) -> Self {
        self.query("recursive", "true")
    }
}

/// The parts of a path. Empty ones say nothing.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// Reads a file: await it for its bytes, 256 MiB at the most, or take the [`body`](Self::body)
/// piece by piece.
///
/// The time limit of the call holds until the last byte.
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is awaited"]
pub struct Download {
    files: EnvironmentFiles,
    path: String,
    options: Options,
}

call_options!(Download);

impl Download {
    /// Gives the bytes as they arrive, for a file that is too large to hold.
    ///
    /// # Errors
    /// As awaiting the call itself; what breaks later is the body's error.
    pub async fn body(self) -> Result<Body, Error> {
        let span = Span::new("download_environment_file", &self.files.client);
        span.watch(async {
            let draft = self.draft()?;
            let deadline = Deadline::after(self.options.limit);
            let response = self.files.client.exchange(draft, &self.options, deadline).await?;
            Ok(deadline.limit_body(response.into_body()))
        })
        .await
    }

    async fn whole(self) -> Result<Bytes, Error> {
        let draft = self.draft()?;
        let deadline = Deadline::after(self.options.limit);
        let client = &self.files.client;
        Ok(client.exchange_whole(draft, &self.options, deadline).await?.into_body())
    }

    fn draft(&self) -> Result<Draft, Error> {
        let EnvironmentFiles { client, id } = &self.files;
        let mut segments = vec!["environments", id.as_str(), "files"];
        segments.extend(parts(&self.path));
        let mut url = client.url(&segments)?;
        url.query_pairs_mut().append_pair("alt", "media");
        let mut draft = Draft::new(Method::GET, url);
        draft.accept = "*/*";
        Ok(draft)
    }
}

impl IntoFuture for Download {
    type Output = Result<Bytes, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let span = Span::new("download_environment_file", &self.files.client);
        async move { span.watch(self.whole()).await }.boxed()
    }
}

/// Writes a file into a sandbox, in two requests: one that asks where to, and the bytes.
#[derive(Clone)]
#[must_use = "a call does nothing until it is awaited"]
pub struct Upload {
    files: EnvironmentFiles,
    path: String,
    length: u64,
    content: Payload,
    content_type: String,
    overwrite: bool,
    extract: bool,
    options: Options,
}

call_options!(Upload);

impl Upload {
    fn new(files: EnvironmentFiles, path: &str, length: u64, content: Payload) -> Self {
        Self {
            options: files.client.options(),
            files,
            path: path.to_owned(),
            length,
            content,
            content_type: "application/octet-stream".to_owned(),
            overwrite: false,
            extract: false,
        }
    }

    /// What the bytes are, as a MIME type.
    pub fn content_type(mut self, mime_type: impl Into<String>) -> Self {
        self.content_type = mime_type.into();
        self
    }

    /// Replaces a file that is there; without it, that is an error.
    pub fn overwrite(mut self) -> Self {
        self.overwrite = true;
        self
    }

    /// Unpacks the bytes, a tar archive, plain or gzipped, into the folder that the path names.
    pub fn extract(mut self) -> Self {
        self.extract = true;
        self
    }

    async fn send(self) -> Result<GetEnvironmentFilesResponse, Error> {
        let client = &self.files.client;
        let deadline = Deadline::after(self.options.limit);
        let begin = self.begin()?;
        let response = client.exchange(begin, &self.options, deadline).await?;
        let place = response.headers().get("x-goog-upload-url").and_then(|url| url.to_str().ok());
        let place = place.ok_or_else(|| {
            Error::decode_text("the service did not say where to send the file (x-goog-upload-url)")
        })?;
        let place = Url::parse(place).map_err(|_| {
            Error::decode_text("the service named an address for the file that cannot be used")
        })?;
        // Whatever server it names: keys and file go to ours only, through a proxy if there is one.
        let mut url = client.url(&[])?;
        url.set_path(place.path());
        url.set_query(place.query());
        let mut draft = Draft::new(Method::POST, url);
        draft.payload = self.content;
        draft.content_type = None;
        draft.headers = vec![
            header("x-goog-upload-command", "upload, finalize")?,
            header("x-goog-upload-offset", "0")?,
            header(CONTENT_TYPE.as_str(), &self.content_type)?,
        ];
        let response = client.exchange_whole(draft, &self.options, deadline).await?;
        let status = response.headers().get("x-goog-upload-status");
        // Where it is not final, the service waits for more, and there is no file yet.
        if let Some(status) = status.filter(|status| status.as_bytes() != b"final") {
            let status = String::from_utf8_lossy(status.as_bytes()).into_owned();
            return Err(Error::decode_text(format!(
                "the service has not stored the file: the upload is `{status}` instead of `final`"
            )));
        }
        Ok(Reply::read(response, uploaded)?.into_value())
    }

    /// The request that asks where to send the bytes.
    fn begin(&self) -> Result<Draft, Error> {
        let mut segments = vec!["environments", self.files.id.as_str(), "files"];
        segments.extend(parts(&self.path));
        let mut url = self.files.client.upload_url(&segments)?;
        for (name, wanted) in [("overwrite", self.overwrite), ("extract", self.extract)] {
            if wanted {
                url.query_pairs_mut().append_pair(name, "true");
            }
        }
        let mut draft = Draft::new(Method::PUT, url);
        draft.headers = vec![
            header("x-goog-upload-protocol", "resumable")?,
            header("x-goog-upload-command", "start")?,
            header("x-goog-upload-header-content-length", &self.length.to_string())?,
            header("x-goog-upload-header-content-type", &self.content_type)?,
        ];
        Ok(draft)
    }
}

/// What was stored: a list of files, or the one file, in a field of its own or not.
fn uploaded(body: &Bytes) -> Result<GetEnvironmentFilesResponse, Error> {
    let whole: Value = decoded(body)?;
    let one = match &whole {
        Value::Object(object) if object.contains_key("files") => return decoded(body),
        Value::Object(object) if object.contains_key("file") => &whole["file"],
        Value::Object(object) if object.contains_key("name") || object.contains_key("path") => {
            &whole
        }
        _ => {
            return Err(Error::decode_text(
                "the service did not say which files it has stored (`files`)",
            ));
        }
    };
    let files = json!({"files": [one]});
    decode_value(&files).map_err(|error| Error::decode(&error, body))
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let bad = || Error::request(format!("`{value}` cannot be sent as {name}"));
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
    Ok((name, HeaderValue::from_str(value).map_err(|_| bad())?))
}

impl IntoFuture for Upload {
    type Output = Result<GetEnvironmentFilesResponse, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let span = Span::new("upload_environment_file", &self.files.client);
        async move { span.watch(self.send()).await }.boxed()
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("files", &self.files)
            .field("path", &self.path)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
