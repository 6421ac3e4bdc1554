//! Agent cards: what an agent says of itself, and who vouches for it.

mod canonical;
#[cfg(feature = "host")]
mod description;
mod fields;
mod signature;

#[cfg(feature = "host")]
pub(crate) use description::Offer;
#[cfg(feature = "host")]
pub use description::{Card, Skill};
pub use signature::{CardSigner, CardVerifier, SignatureError, SignatureErrorKind, VerifiedCard};
