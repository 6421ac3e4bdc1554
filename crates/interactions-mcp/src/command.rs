//! How a local MCP server is started.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::endpoint::REPLY_LIMIT;

/// Variables that a child gets from our environment.
///
/// An MCP server is often somebody else's program; the keys in our environment are not its
/// business.
const INHERITED: &[&str] = if cfg!(windows) {
    &[
        "APPDATA",
        "HOMEDRIVE",
        "HOMEPATH",
        "LOCALAPPDATA",
        "PATH",
        "PATHEXT",
        "PROCESSOR_ARCHITECTURE",
        "PROGRAMFILES",
        "SYSTEMDRIVE",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
        "USERNAME",
        "USERPROFILE",
    ]
} else {
    &["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"]
};

/// A local MCP server: a program that speaks MCP over its standard input and output.
///
/// Of our environment it inherits only what programs need to run (`PATH`, `HOME`, the locale and
/// the like); everything else, keys above all, is given by [`env`](Self::env).
/// Its `Debug` shows neither arguments nor values of variables.
///
/// ```
/// use interactions_mcp::McpCommand;
///
/// let command = McpCommand::new("npx", ["-y", "@modelcontextprotocol/server-everything"])
///     .name("everything")
///     .env("API_KEY", "secret");
/// assert!(!format!("{command:?}").contains("secret"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct McpCommand {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) variables: Vec<(OsString, OsString)>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) name: String,
    pub(crate) reply_limit: usize,
    pub(crate) asks_people: bool,
}

impl McpCommand {
    /// A program, looked up in `PATH`, with its arguments; by default named after its file.
    pub fn new<A: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let program = program.as_ref().to_owned();
        let path = PathBuf::from(&program);
        let name = path.file_stem().unwrap_or(&program).to_string_lossy().into_owned();
        Self {
            program,
            arguments: arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect(),
            variables: Vec::new(),
            directory: None,
            name,
            reply_limit: REPLY_LIMIT,
            asks_people: false,
        }
    }

    /// Sets a variable in the child's environment.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs the child in this directory instead of ours.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Labels the server in errors and logs.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Limits the bytes of one reply; 16 MiB if not set.
    pub fn reply_limit(mut self, bytes: usize) -> Self {
        self.reply_limit = bytes;
        self
    }

    /// Lets the server ask people in the middle of a call (elicitation, forms only). Its calls wait
    /// for each other then; see [`McpServer::call_asking`](crate::McpServer::call_asking).
    pub fn asks_people(mut self) -> Self {
        self.asks_people = true;
        self
    }

    /// How errors name the server. Arguments may hold keys, so they are left out.
    pub(crate) fn label(&self) -> Arc<str> {
        format!("`{}` ({})", self.name, self.program.display()).into()
    }

    pub(crate) fn to_command(&self) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.arguments).env_clear();
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }
}

impl fmt::Debug for McpCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpCommand")
            .field("name", &self.name)
            .field("program", &self.program)
            .field("variables", &self.variables.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
