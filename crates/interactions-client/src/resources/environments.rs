//! Sandboxes.

use http::Method;
use interactions_types::{
    CreateEnvironmentRequest, Environment, EnvironmentId, ListEnvironmentsResponse,
};

use super::EnvironmentFiles;
use super::files::bare;
use crate::{Call, Client, Listing};

/// The calls on sandboxes. The service removes one that nobody has used for about a week.
#[derive(Clone, Debug)]
pub struct Environments(pub(crate) Client);

impl Environments {
    /// Makes a sandbox, empty, with files, or as a copy of another one.
    pub fn create(&self, request: &CreateEnvironmentRequest) -> Call<Environment> {
        Call::new(&self.0, "create_environment", Method::POST, &["environments"]).json(request)
    }

    /// Reads the state of a sandbox.
    pub fn get(&self, id: impl Into<EnvironmentId>) -> Call<Environment> {
        let id = bare(&id.into());
        Call::new(&self.0, "get_environment", Method::GET, &["environments", id.as_str()])
    }

    /// Lists sandboxes.
    pub fn list(&self) -> Listing<ListEnvironmentsResponse> {
        Listing::of(&self.0, "list_environments", &["environments"])
    }

    /// Removes a sandbox and its files.
    pub fn delete(&self, id: impl Into<EnvironmentId>) -> Call<()> {
        let id = bare(&id.into());
        Call::silent(&self.0, "delete_environment", Method::DELETE, &["environments", id.as_str()])
    }

    /// The files in a sandbox.
    pub fn files(&self, id: impl Into<EnvironmentId>) -> EnvironmentFiles {
        EnvironmentFiles::new(self.0.clone(), &id.into())
    }
}
