//! The one remainder of the API's first form: music models that answer with `outputs`.

use bytes::Bytes;
use interactions_types::{Content, Interaction, ModelOutput, decode_value};

use crate::Error;
use crate::call::decoded;

/// The models that never learned to answer in steps, as Google's SDKs list them.
const MODELS: [&str; 2] = ["lyria-3-pro-preview", "lyria-3-clip-preview"];

/// Reads an interaction; the `outputs` of the old music models become a step.
pub(crate) fn interaction(body: &Bytes) -> Result<Interaction, Error> {
    let mut interaction: Interaction = decoded(body)?;
    let is_old = interaction.model.as_ref().is_some_and(|model| MODELS.contains(&model.as_str()));
    if is_old
        && interaction.steps.is_empty()
        && let Some(outputs) = interaction.extra.field("outputs")
        && let Ok(content) = decode_value::<Vec<Content>>(outputs)
    {
        interaction.extra.remove("outputs");
        interaction.steps.push(ModelOutput::new().content(content).into());
    }
    Ok(interaction)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(model: &str, outputs: &serde_json::Value) -> Interaction {
        let body = json!({"id": "v1_x", "status": "completed", "model": model, "outputs": outputs});
        interaction(&Bytes::from(body.to_string())).unwrap()
    }

    #[test]
    fn outputs_of_old_music_models_become_a_step() {
        let song = json!([{"type": "text", "text": "la"}, {"type": "audio", "data": "AAAA"}]);
        for model in MODELS {
            let interaction = read(model, &song);
            assert_eq!(interaction.output_text(), "la");
            assert!(interaction.output_audio().is_some());
            assert!(interaction.extra.is_empty());
        }
        // To other models it is a field like any other; so is what is no list of contents.
        let other = read("lyria-3.5", &song);
        assert_eq!((other.steps.len(), other.extra.field("outputs")), (0, Some(&song)));
        let odd = read(MODELS[0], &json!("la"));
        assert_eq!((odd.steps.len(), odd.extra.field("outputs")), (0, Some(&json!("la"))));
    }
}
