//! Decisions: questions about an input, each answered with its odds.

use std::collections::BTreeMap;

use crate::untagged::{NameOr, OneOrMany};
use crate::wire::{object, open_enum, union};
use crate::{Input, ModelId, Text, Usage};

object! {
    /// The body of `POST /decisions`.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use interactions_types::{CreateDecisionRequest, NoulQuestion, Question};
    ///
    /// let spam: Question = NoulQuestion::new("Is this spam?").into();
    /// let request = CreateDecisionRequest::new(
    ///     "gemini-3.8-flash",
    ///     "Win a car!",
    ///     BTreeMap::from([("spam".to_owned(), spam)]),
    /// );
    /// assert_eq!(serde_json::to_value(&request)?["questions"]["spam"]["type"], "noul");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct CreateDecisionRequest {
        required {
            /// The model that decides.
            model: ModelId,
            /// What to decide about; steps are not allowed here.
            input: Input,
            /// The questions, by names that the answers repeat.
            questions: BTreeMap<String, Question>,
        }
    }
}

union! {
    /// A question (`type` tells what kind of answer it has).
    pub enum Question by "type" {
        /// Which one of several.
        Choice(ChoiceQuestion) = "choice",
        /// Whether it is so.
        Noul(NoulQuestion) = "noul",
        /// How much.
        Score(ScoreQuestion) = "score",
    }
}

/// What is asked: a text, or parts of text.
pub type Instructions = NameOr<String, OneOrMany<Text>>;

impl Default for Instructions {
    fn default() -> Self {
        Self::Name(String::new())
    }
}

impl From<&str> for Instructions {
    fn from(text: &str) -> Self {
        Self::Name(text.to_owned())
    }
}

impl From<String> for Instructions {
    fn from(text: String) -> Self {
        Self::Name(text)
    }
}

impl From<Text> for Instructions {
    fn from(text: Text) -> Self {
        Self::Object(OneOrMany::One(text))
    }
}

impl From<Vec<Text>> for Instructions {
    fn from(texts: Vec<Text>) -> Self {
        Self::Object(OneOrMany::Many(texts))
    }
}

object! {
    /// Asks which one of several it is.
    pub struct ChoiceQuestion as "type" = "choice" {
        required {
            /// What is asked.
            instructions: Instructions,
            /// What each choice means, by its name.
            criteria: BTreeMap<String, String>,
        }
    }
}

object! {
    /// Asks whether it is so.
    pub struct NoulQuestion as "type" = "noul" {
        required {
            /// What is asked.
            instructions: Instructions,
        }
        optional {
            /// What yes and no mean.
            criteria: NoulCriteria,
        }
    }
}

object! {
    /// What yes and no mean.
    pub struct NoulCriteria {
        required {}
        optional {
            /// What yes means.
            true_description: String,
            /// What no means.
            false_description: String,
        }
    }
}

object! {
    /// Asks how much it is.
    pub struct ScoreQuestion as "type" = "score" {
        required {
            /// What is asked.
            instructions: Instructions,
            /// What each score means, in order.
            criteria: Vec<String>,
        }
    }
}

object! {
    /// The reply of `POST /decisions`.
    pub struct CreateDecisionResponse {
        required {}
        default {
            /// The answers, by the names of the questions.
            answers: BTreeMap<String, Answer>,
        }
        optional {
            /// Why there are no answers, when the input was refused.
            prompt_feedback: PromptFeedback,
            /// What it cost.
            usage: Usage,
        }
    }
}

union! {
    /// An answer (`type` tells the kind, which is that of the question).
    pub enum Answer by "type" {
        /// Which one of several.
        Choice(ChoiceAnswer) = "choice",
        /// Whether it is so.
        Noul(NoulAnswer) = "noul",
        /// How much.
        Score(ScoreAnswer) = "score",
    }
}

object! {
    /// Says which one of several it is.
    pub struct ChoiceAnswer as "type" = "choice" {
        required {
            /// The name of the choice.
            choice: String,
            /// How sure the model is, from 0 to 1.
            confidence: f64,
            /// How likely each choice is, by its name.
            probabilities: BTreeMap<String, f64>,
        }
    }
}

object! {
    /// Says whether it is so.
    pub struct NoulAnswer as "type" = "noul" {
        required {
            /// From no to yes, as a number.
            noul: f64,
            /// How sure the model is, from 0 to 1.
            confidence: f64,
        }
    }
}

object! {
    /// Says how much it is.
    pub struct ScoreAnswer as "type" = "score" {
        required {
            /// The score.
            score: f64,
            /// How sure the model is, from 0 to 1.
            confidence: f64,
            /// How likely each score is.
            probabilities: BTreeMap<String, f64>,
            /// What each score means.
            legend: BTreeMap<String, String>,
        }
    }
}

object! {
    /// Why an input was refused.
    pub struct PromptFeedback {
        required {}
        optional {
            /// The reason.
            block_reason: BlockReason,
            /// The reason, for people.
            block_reason_message: String,
        }
    }
}

open_enum! {
    /// A reason to refuse an input.
    pub enum BlockReason {
        /// It is not safe.
        Safety = "safety",
        /// None of the others.
        Other = "other",
        /// It has words that are not allowed.
        Blocklist = "blocklist",
        /// It has content that is never allowed.
        ProhibitedContent = "prohibited_content",
        /// It has an image that is not safe.
        ImageSafety = "image_safety",
    }
}
