//! What people usually want of an interaction, computed as Google's own clients do.

use crate::{Annotation, Audio, Content, FunctionCall, Image, Interaction, Step, Text, Video};

impl Interaction {
    /// The last run of text that the model put out, joined without separators; empty if none.
    ///
    /// Steps are walked backwards to the last user input. Thoughts are passed over;
    /// any other step, and any part that is not text, ends the run once it has begun.
    #[must_use]
    pub fn output_text(&self) -> String {
        let mut pieces: Vec<&str> = Vec::new();
        'steps: for step in self.steps.iter().rev() {
            match step {
                Step::UserInput(_) => break,
                Step::Thought(_) => {}
                Step::ModelOutput(output) => {
                    for content in output.content.iter().rev() {
                        match content.as_text() {
                            Some(text) => pieces.push(text),
                            None if !pieces.is_empty() => break 'steps,
                            None => {}
                        }
                    }
                }
                _ if !pieces.is_empty() => break,
                _ => {}
            }
        }
        pieces.into_iter().rev().collect()
    }

    /// The function calls that wait for a result of the client, in order.
    #[must_use]
    pub fn pending_calls(&self) -> Vec<&FunctionCall> {
        let mut pending: Vec<&FunctionCall> = Vec::new();
        for step in &self.steps {
            match step {
                Step::FunctionCall(call) => pending.push(call),
                Step::FunctionResult(result) => pending.retain(|call| call.id != result.call_id),
                _ => {}
            }
        }
        pending
    }

    /// The last image that the model put out since the last user input.
    #[must_use]
    pub fn output_image(&self) -> Option<&Image> {
        self.last_output(|content| match content {
            Content::Image(image) => Some(image),
            _ => None,
        })
    }

    /// The last sound that the model put out since the last user input.
    #[must_use]
    pub fn output_audio(&self) -> Option<&Audio> {
        self.last_output(|content| match content {
            Content::Audio(audio) => Some(audio),
            _ => None,
        })
    }

    /// The last video that the model put out since the last user input.
    #[must_use]
    pub fn output_video(&self) -> Option<&Video> {
        self.last_output(|content| match content {
            Content::Video(video) => Some(video),
            _ => None,
        })
    }

    /// What the answer refers to: the annotations of all texts that the model put out
    /// since the last user input, in order.
    ///
    /// Their indices count in the text that carries them; see [`Text::annotations`].
    #[must_use]
    pub fn citations(&self) -> Vec<&Annotation> {
        let texts = self.answer().filter_map(|content| match content {
            Content::Text(text) => Some(text),
            _ => None,
        });
        texts.flat_map(|text: &Text| &text.annotations).collect()
    }

    fn last_output<'a, T>(&'a self, pick: impl Fn(&'a Content) -> Option<&'a T>) -> Option<&'a T> {
        self.answer().rev().find_map(pick)
    }

    /// What the model put out since the last user input, in order.
    fn answer(&self) -> impl DoubleEndedIterator<Item = &Content> {
        let asked = self.steps.iter().rposition(|step| matches!(step, Step::UserInput(_)));
        let since = asked.map_or(0, |index| index + 1);
        self.steps[since..]
            .iter()
            .filter_map(|step| match step {
                Step::ModelOutput(output) => Some(output),
                _ => None,
            })
            .flat_map(|output| &output.content)
    }
}
