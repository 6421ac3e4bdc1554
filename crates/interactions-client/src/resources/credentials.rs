//! Secrets that the service keeps for sandboxes.

use http::Method;
use interactions_types::{
    Credential, CredentialConfig, CredentialId, CredentialListResponse, CredentialUpdateConfig,
};

use crate::{Call, Client, Listing};

/// The calls on stored secrets. They go in and never come out.
#[derive(Clone, Debug)]
pub struct Credentials(pub(crate) Client);

impl Credentials {
    /// Stores a secret under its id.
    pub fn create(&self, credential: impl Into<CredentialConfig>) -> Call<Credential> {
        Call::new(&self.0, "create_credential", Method::POST, &["credentials"])
            .json(&credential.into())
    }

    /// Reads what is known of a secret, which is not the secret.
    pub fn get(&self, id: impl Into<CredentialId>) -> Call<Credential> {
        Call::new(&self.0, "get_credential", Method::GET, &["credentials", id.into().as_str()])
    }

    /// Changes the fields that the update sets.
    pub fn update(
        &self,
        id: impl Into<CredentialId>,
        update: impl Into<CredentialUpdateConfig>,
    ) -> Call<Credential> {
        let (id, update) = (id.into(), update.into());
        let path = ["credentials", id.as_str()];
        Call::new(&self.0, "update_credential", Method::PATCH, &path).json(&update).masked()
    }

    /// Lists secrets, without their secrets.
    pub fn list(&self) -> Listing<CredentialListResponse> {
        Listing::of(&self.0, "list_credentials", &["credentials"])
    }

    /// Forgets a secret. One that an active trigger uses cannot be forgotten.
    pub fn delete(&self, id: impl Into<CredentialId>) -> Call<()> {
        let path = ["credentials", &String::from(id.into())];
        Call::silent(&self.0, "delete_credential", Method::DELETE, &path)
    }
}
