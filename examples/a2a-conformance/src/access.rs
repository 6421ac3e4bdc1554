//! The tokens that kits call with.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use interactions_a2a::HostError;
use interactions_a2a::auth::{
    Authenticator, BearerKeys, Principal, Unauthenticated, UnauthenticatedKind,
};
use interactions_a2a::wire::SecurityScheme;

/// One token is good, one is of somebody who may not call.
#[derive(Debug)]
pub(crate) struct KitTokens(BearerKeys);

impl KitTokens {
    pub(crate) fn new() -> Result<Self, HostError> {
        BearerKeys::new([("itk-valid-token", "kit")]).map(Self)
    }
}

#[async_trait]
impl Authenticator for KitTokens {
    async fn authenticate(
        &self,
        request: &http::request::Parts,
    ) -> Result<Principal, Unauthenticated> {
        let shown = request.headers.get(AUTHORIZATION);
        if shown.is_some_and(|shown| shown == "Bearer itk-insufficient-token") {
            let message = "this token may not call the agent";
            let refusal = Unauthenticated::new(UnauthenticatedKind::Forbidden, message);
            return Err(refusal.with_challenge(r#"Bearer error="insufficient_scope""#));
        }
        self.0.authenticate(request).await
    }

    fn schemes(&self) -> BTreeMap<String, SecurityScheme> {
        self.0.schemes()
    }

    fn requirements(&self) -> Vec<HashMap<String, Vec<String>>> {
        self.0.requirements()
    }
}
