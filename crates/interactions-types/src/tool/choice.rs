//! How the model may choose among tools.

use crate::untagged::NameOr;
use crate::wire::{object, open_enum};

/// How the model may choose tools: a mode, or a mode limited to some tools.
pub type ToolChoice = NameOr<ToolChoiceMode, ToolChoiceConfig>;

impl From<ToolChoiceMode> for ToolChoice {
    fn from(mode: ToolChoiceMode) -> Self {
        Self::Name(mode)
    }
}

impl From<ToolChoiceConfig> for ToolChoice {
    fn from(config: ToolChoiceConfig) -> Self {
        Self::Object(config)
    }
}

open_enum! {
    /// Whether the model may, must or must not call tools.
    pub enum ToolChoiceMode {
        /// The model decides.
        Auto = "auto",
        /// The model must call a tool.
        Any = "any",
        /// The model must not call a tool.
        None = "none",
        /// The model decides, and arguments are held to their schema.
        Validated = "validated",
    }
}

object! {
    /// A choice limited to some tools.
    pub struct ToolChoiceConfig {
        required {}
        optional {
            /// The tools and the mode.
            allowed_tools: AllowedTools,
        }
    }
}

object! {
    /// Names of tools that may be called.
    pub struct AllowedTools {
        required {}
        optional {
            /// Whether one of them must be called.
            mode: ToolChoiceMode,
            /// The tools' names.
            tools: Vec<String>,
        }
    }
}
