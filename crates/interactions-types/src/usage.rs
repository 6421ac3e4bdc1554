//! What an interaction cost.

use crate::wire::{object, open_enum};

object! {
    /// Token counts of an interaction.
    ///
    /// The counters follow no fixed sum: read `total_tokens` instead of adding the others.
    pub struct Usage {
        required {}
        optional {
            /// Everything: input, output and internal tokens.
            total_tokens: i64,
            /// Tokens of the input, cached ones included.
            total_input_tokens: i64,
            /// Tokens of the answer.
            total_output_tokens: i64,
            /// Tokens of thoughts.
            total_thought_tokens: i64,
            /// Tokens of the input that were read from a cache.
            total_cached_tokens: i64,
            /// Tokens spent on tools that the service ran.
            total_tool_use_tokens: i64,
            /// Input tokens of the first hop, when one answer took several.
            initial_input_tokens: i64,
            /// Input tokens by modality.
            input_tokens_by_modality: Vec<ModalityTokens>,
            /// Output tokens by modality.
            output_tokens_by_modality: Vec<ModalityTokens>,
            /// Cached tokens by modality.
            cached_tokens_by_modality: Vec<ModalityTokens>,
            /// Tool-use tokens by modality.
            tool_use_tokens_by_modality: Vec<ModalityTokens>,
            /// How often tools of the service were used to ground the answer.
            grounding_tool_count: Vec<GroundingToolCount>,
        }
    }
}

impl std::ops::AddAssign<&Usage> for Usage {
    /// Adds each counter of `other`; a counter that neither has stays absent.
    ///
    /// `initial_input_tokens` keeps the first value, and the lists are joined by their keys.
    fn add_assign(&mut self, other: &Usage) {
        fn add(sum: &mut Option<i64>, more: Option<i64>) {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or(0).saturating_add(more));
            }
        }
        fn join(sum: &mut Option<Vec<ModalityTokens>>, more: Option<&Vec<ModalityTokens>>) {
            for entry in more.into_iter().flatten() {
                let list = sum.get_or_insert_default();
                match list.iter_mut().find(|known| known.modality == entry.modality) {
                    Some(known) => add(&mut known.tokens, entry.tokens),
                    None => list.push(entry.clone()),
                }
            }
        }
        add(&mut self.total_tokens, other.total_tokens);
        add(&mut self.total_input_tokens, other.total_input_tokens);
        add(&mut self.total_output_tokens, other.total_output_tokens);
        add(&mut self.total_thought_tokens, other.total_thought_tokens);
        add(&mut self.total_cached_tokens, other.total_cached_tokens);
        add(&mut self.total_tool_use_tokens, other.total_tool_use_tokens);
        self.initial_input_tokens = self.initial_input_tokens.or(other.initial_input_tokens);
        join(&mut self.input_tokens_by_modality, other.input_tokens_by_modality.as_ref());
        join(&mut self.output_tokens_by_modality, other.output_tokens_by_modality.as_ref());
        join(&mut self.cached_tokens_by_modality, other.cached_tokens_by_modality.as_ref());
        join(&mut self.tool_use_tokens_by_modality, other.tool_use_tokens_by_modality.as_ref());
        for entry in other.grounding_tool_count.iter().flatten() {
            let list = self.grounding_tool_count.get_or_insert_default();
            match list.iter_mut().find(|known| known.kind == entry.kind) {
                Some(known) => add(&mut known.count, entry.count),
                None => list.push(entry.clone()),
            }
        }
    }
}

impl std::ops::Add<&Usage> for Usage {
    type Output = Usage;

    /// The sum, as `+=` makes it.
    fn add(mut self, other: &Usage) -> Usage {
        self += other;
        self
    }
}

impl<'a> std::iter::Sum<&'a Usage> for Usage {
    /// What several interactions cost together.
    fn sum<I: Iterator<Item = &'a Usage>>(usages: I) -> Usage {
        usages.fold(Usage::default(), std::ops::Add::add)
    }
}

object! {
    /// Tokens of one modality.
    pub struct ModalityTokens {
        required {}
        optional {
            /// The modality.
            modality: Modality,
            /// The number of tokens.
            tokens: i64,
        }
    }
}

object! {
    /// How often one tool grounded the answer.
    pub struct GroundingToolCount {
        required {}
        optional {
            /// The tool (`type` on the wire).
            kind = "type": GroundingTool,
            /// How often it was used.
            count: i64,
        }
    }
}

open_enum! {
    /// A kind of content that tokens are counted by.
    pub enum Modality {
        /// Text.
        Text = "text",
        /// Images.
        Image = "image",
        /// Sound.
        Audio = "audio",
        /// Video.
        Video = "video",
        /// Documents.
        Document = "document",
    }
}

open_enum! {
    /// A tool of the service that grounds answers.
    pub enum GroundingTool {
        /// Google Search.
        GoogleSearch = "google_search",
        /// Google Maps.
        GoogleMaps = "google_maps",
        /// Retrieval from the caller's own stores.
        Retrieval = "retrieval",
    }
}
