//! Voices for spoken answers.

use http::Method;
use interactions_types::{CreateVoiceRequest, ListVoicesResponse, VoiceId, VoiceOutput};

use crate::{Call, Client, Listing};

/// The calls on voices.
#[derive(Clone, Debug)]
pub struct Voices(pub(crate) Client);

impl Voices {
    /// Makes a voice from a recording or from words.
    pub fn create(&self, request: &CreateVoiceRequest) -> Call<VoiceOutput> {
        Call::new(&self.0, "create_voice", Method::POST, &["voices"]).json(request)
    }

    /// Reads a voice.
    pub fn get(&self, id: impl Into<VoiceId>) -> Call<VoiceOutput> {
        Call::new(&self.0, "get_voice", Method::GET, &["voices", id.into().as_str()])
    }

    /// Lists voices.
    pub fn list(&self) -> Listing<ListVoicesResponse> {
        Listing::of(&self.0, "list_voices", &["voices"])
    }

    /// Removes a voice.
    pub fn delete(&self, id: impl Into<VoiceId>) -> Call<()> {
        Call::silent(&self.0, "delete_voice", Method::DELETE, &["voices", id.into().as_str()])
    }
}
