//! A child process that speaks MCP over its standard input and output.

use std::collections::VecDeque;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap};
use rmcp::RoleClient;
use rmcp::model::{ClientJsonRpcMessage, ClientNotification, RequestId, ServerJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::error::excerpt;
use crate::rpc::{Failure, replied_id, same_id, too_large};
use crate::{McpCommand, McpError, McpErrorKind};

/// How long a child gets to exit by itself, and again after it was asked by a signal.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest line of a child's log that is kept.
const LOG_LINE: usize = 8 * 1024;

/// The two pipes to a child, and the child.
///
/// Dropping it kills the child and all it has started.
pub(crate) struct StdioTransport {
    child: Child,
    to_child: Option<mpsc::Sender<Vec<u8>>>,
    lines: Lines<ChildStdout>,
    reply_limit: usize,
    /// Requests that await their reply, so that a failure can be told to those it concerns.
    awaited: Vec<RequestId>,
    /// Replies that we give in the child's place.
    failures: VecDeque<ServerJsonRpcMessage>,
    tasks: Vec<AbortHandle>,
    last_words: LastWords,
}

impl StdioTransport {
    /// Starts the child.
    pub(crate) fn spawn(command: &McpCommand, last_words: LastWords) -> Result<Self, McpError> {
        let label = command.label();
        let failed = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => "; is it installed and in PATH?",
                _ => "",
            };
            let message = format!("the command could not be started: {error}{hint}");
            McpError::new(McpErrorKind::Connect, &label, message)
        };
        let mut wrapped = CommandWrap::from(command.to_command());
        let pipes = wrapped.command_mut();
        pipes.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        pipes.kill_on_drop(true);
        // Launchers such as npx start the server as their own child, which must go with them.
        #[cfg(unix)]
        wrapped.wrap(process_wrap::tokio::ProcessGroup::leader());
        #[cfg(windows)]
        wrapped.wrap(process_wrap::tokio::JobObject);
        let mut child = Child { inner: wrapped.spawn().map_err(failed)?, exited: None };

        let pipes =
            (child.inner.stdin().take(), child.inner.stdout().take(), child.inner.stderr().take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(failed(io::Error::other("its pipes are missing")));
        };
        // A task writes, since a future of rmcp that is dropped must not leave half a line behind.
        let (to_child, from_us) = mpsc::channel(16);
        let writer = tokio::spawn(write_lines(stdin, from_us));
        let logger = tokio::spawn(log_lines(stderr, label, last_words.clone()));
        Ok(Self {
            child,
            to_child: Some(to_child),
            lines: Lines::new(stdout, command.reply_limit),
            reply_limit: command.reply_limit,
            awaited: Vec::new(),
            failures: VecDeque::new(),
            tasks: vec![writer.abort_handle(), logger.abort_handle()],
            last_words,
        })
    }

    fn forget(&mut self, id: &RequestId) {
        self.awaited.retain(|awaited| !same_id(awaited, id));
    }

    /// What a line of the child means, if anything.
    fn read_line(&mut self, line: &str) -> Option<ServerJsonRpcMessage> {
        match serde_json::from_str(line) {
            Ok(message) => {
                if let ServerJsonRpcMessage::Response(reply) = &message {
                    self.forget(&reply.id);
                }
                if let ServerJsonRpcMessage::Error(reply) = &message
                    && let Some(id) = &reply.id
                {
                    self.forget(id);
                }
                Some(message)
            }
            Err(error) => {
                tracing::debug!(%error, line = excerpt(line), "a line that is not MCP");
                // Log lines on the wrong pipe are passed over; a spoilt reply must not be
                // waited for.
                let id = replied_id(line)?;
                self.forget(&id);
                let why = format!("the server's reply is not MCP ({error}): {}", excerpt(line));
                Some(Failure::NotMcp.reply(id, why))
            }
        }
    }
}

impl Transport<RoleClient> for StdioTransport {
    type Error = io::Error;

    fn send(
        &mut self,
        message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        match &message {
            ClientJsonRpcMessage::Request(request) => self.awaited.push(request.id.clone()),
            ClientJsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &notification.notification
                    && let Some(id) = cancelled.params.request_id.clone()
                {
                    self.forget(&id);
                }
            }
            _ => {}
        }
        let to_child = self.to_child.clone();
        async move {
            let mut line = serde_json::to_vec(&message)?;
            line.push(b'\n');
            let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
            to_child.ok_or_else(gone)?.send(line).await.map_err(|_| gone())
        }
    }

    // rmcp drops this future at will, so all that must survive lives in `self`.
    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            if let Some(failure) = self.failures.pop_front() {
                return Some(failure);
            }
            match self.lines.next().await {
                Line::Whole(line) => {
                    if let Some(message) = self.read_line(&line) {
                        return Some(message);
                    }
                }
                Line::TooLong => {
                    // Its id was lost with it, so it stands for every reply that is awaited.
                    let why = too_large(self.reply_limit);
                    let lost = self.awaited.drain(..);
                    self.failures.extend(lost.map(|id| Failure::TooLarge.reply(id, why.clone())));
                }
                Line::End => {
                    if let Ok(Some(status)) = timeout(PATIENCE, self.child.wait()).await {
                        self.last_words.exited(status);
                    }
                    return None;
                }
            }
        }
    }

    /// Closes the child's input, which tells it to exit; then asks by a signal; then kills.
    async fn close(&mut self) -> Result<(), io::Error> {
        self.to_child = None;
        if self.child.exited.is_some() {
            return Ok(());
        }
        let mut exits = timeout(PATIENCE, self.child.wait()).await.is_ok();
        #[cfg(unix)]
        if !exits {
            const SIGTERM: i32 = 15;
            let _ = self.child.inner.signal(SIGTERM);
            exits = timeout(PATIENCE, self.child.wait()).await.is_ok();
        }
        // Even if it has just exited: what it started and left behind goes with it.
        let killed = self.child.inner.start_kill();
        if exits {
            return Ok(());
        }
        killed?;
        let _ = timeout(PATIENCE, self.child.wait()).await;
        Ok(())
    }
}

impl Drop for StdioTransport {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A child that does not outlive its owner.
struct Child {
    inner: Box<dyn ChildWrapper>,
    exited: Option<ExitStatus>,
}

impl Child {
    async fn wait(&mut self) -> Option<ExitStatus> {
        if self.exited.is_none() {
            self.exited = self.inner.wait().await.ok();
        }
        self.exited
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The number of a process that has exited may belong to another one by now.
        if self.exited.is_none() {
            let _ = self.inner.start_kill();
        }
    }
}

/// How a child ended, for the error of whoever was waiting for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastWords(Arc<Mutex<(Option<ExitStatus>, String)>>);

impl LastWords {
    fn exited(&self, status: ExitStatus) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(status);
    }

    fn logged(&self, line: &str) {
        excerpt(line).clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).1);
    }

    /// One sentence on the child's end.
    pub(crate) fn describe(&self) -> String {
        let (status, line) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = match status {
            Some(status) => format!("the process has exited ({status})"),
            None => "the process has closed its output".to_owned(),
        };
        match line.as_str() {
            "" => end,
            line => format!("{end}; the last line of its log: {line}"),
        }
    }
}

async fn write_lines(mut stdin: ChildStdin, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        if stdin.write_all(&line).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn log_lines(stderr: ChildStderr, server: Arc<str>, last_words: LastWords) {
    let mut lines = Lines::new(stderr, LOG_LINE);
    loop {
        match lines.next().await {
            Line::Whole(line) if line.is_empty() => {}
            Line::Whole(line) => {
                tracing::debug!(%server, "{line}");
                last_words.logged(&line);
            }
            Line::TooLong => tracing::debug!(%server, "a line of more than {LOG_LINE} bytes"),
            Line::End => return,
        }
    }
}

/// Lines of at most so many bytes. Longer ones are passed over without being kept.
struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    limit: usize,
    skipping: bool,
}

enum Line {
    /// A line without its end. What is not UTF-8 in it is replaced.
    Whole(String),
    /// A line that is longer than the limit begins here.
    TooLong,
    /// The pipe is closed, or broken.
    End,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(reader: R, limit: usize) -> Self {
        Self { reader: BufReader::new(reader), line: Vec::new(), limit, skipping: false }
    }

    /// Reads on where a dropped future stopped.
    async fn next(&mut self) -> Line {
        loop {
            let Ok(available) = self.reader.fill_buf().await else {
                return Line::End;
            };
            if available.is_empty() {
                return Line::End;
            }
            let end = available.iter().position(|&byte| byte == b'\n');
            let piece = &available[..end.unwrap_or(available.len())];
            let too_long = !self.skipping && self.line.len() + piece.len() > self.limit;
            if !self.skipping && !too_long {
                self.line.extend_from_slice(piece);
            }
            let consumed = piece.len() + usize::from(end.is_some());
            self.reader.consume(consumed);

            let was_skipping = self.skipping;
            self.skipping = (was_skipping || too_long) && end.is_none();
            if too_long {
                self.line = Vec::new();
                return Line::TooLong;
            }
            if end.is_some() && !was_skipping {
                let line = std::mem::take(&mut self.line);
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                return Line::Whole(String::from_utf8_lossy(line).into_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_bounded_and_never_fail() {
        let text: &[u8] =
            b"one\r\n\n0123456789\nover the limit, by far\ntwo \xff\n0123456789x\nlast";
        let mut lines = Lines::new(text, 10);
        let mut seen = Vec::new();
        loop {
            match lines.next().await {
                Line::Whole(line) => seen.push(line),
                Line::TooLong => seen.push("<too long>".to_owned()),
                Line::End => break,
            }
        }
        assert_eq!(seen, ["one", "", "0123456789", "<too long>", "two \u{fffd}", "<too long>"]);
    }
}
