//! How a command fails: one line for a person, and an exit code for a script.

use std::fmt::Display;
use std::process::ExitCode;

use interactions_client::ErrorKind;

use crate::paint;

/// A command that did not do what it was asked to.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// Something went wrong.
    pub(crate) fn new(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 1 }
    }

    /// The person pressed Ctrl-C.
    pub(crate) fn interrupted(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 130 }
    }

    /// A person has to decide before it can go on.
    pub(crate) fn waiting(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 3 }
    }

    /// Tells the person and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let label = paint::ERROR;
        anstream::eprintln!("{label}error{label:#}: {}", self.message);
        ExitCode::from(self.code)
    }
}

impl From<interactions_client::Error> for Failure {
    fn from(error: interactions_client::Error) -> Self {
        if error.kind() == ErrorKind::Transport && !error.is_timeout() {
            return Self::new(format!(
                "{error}; is the server running? `interactions serve` starts one"
            ));
        }
        Self::new(error)
    }
}

impl From<interactions_server::StartError> for Failure {
    fn from(error: interactions_server::StartError) -> Self {
        Self::new(error)
    }
}
