//! Settings of agents.

use crate::wire::{object, open_enum, union};
use crate::{Int64, ThinkingSummaries};

union! {
    /// Settings of an agent (`type` tells the kind of agent).
    pub enum AgentConfig by "type" {
        /// Any agent, with settings of its own.
        Dynamic(DynamicAgentConfig) = "dynamic",
        /// A Deep Research agent.
        DeepResearch(DeepResearchAgentConfig) = "deep-research",
        /// An Antigravity agent.
        Antigravity(AntigravityAgentConfig) = "antigravity",
        /// A CodeMender agent.
        CodeMender(CodeMenderAgentConfig) = "code-mender",
    }
}

object! {
    /// Settings that an agent defines itself; `extra` holds them.
    pub struct DynamicAgentConfig as "type" = "dynamic" {
        required {}
        free { true }
    }
}

object! {
    /// Settings of a Deep Research agent.
    pub struct DeepResearchAgentConfig as "type" = "deep-research" {
        required {}
        optional {
            /// Whether thoughts come with summaries.
            thinking_summaries: ThinkingSummaries,
            /// Whether the report has charts.
            visualization: Visualization,
            /// Whether the agent first answers with a plan, and goes on when the next turn confirms it.
            collaborative_planning: bool,
            /// Whether it may query BigQuery.
            enable_bigquery_tool: bool,
        }
    }
}

open_enum! {
    /// Whether a report has charts.
    pub enum Visualization {
        /// Never.
        Off = "off",
        /// Where they help.
        Auto = "auto",
    }
}

object! {
    /// Settings of an Antigravity agent.
    pub struct AntigravityAgentConfig as "type" = "antigravity" {
        required {}
        optional {
            /// The model that it works with.
            model: String,
            /// The most tokens to spend; reaching it ends as `incomplete`.
            max_total_tokens: Int64,
        }
    }
}

object! {
    /// Settings of a CodeMender agent.
    pub struct CodeMenderAgentConfig as "type" = "code-mender" {
        required {}
        optional {
            /// The model that it works with; the same for a whole session.
            model: String,
            /// The session, which groups interactions.
            session_id: String,
            /// Settings of the session.
            session_config: SessionConfig,
            /// A flaw to look for.
            find_request: FindRequest,
            /// A flaw to mend.
            fix_request: FixRequest,
        }
    }
}

object! {
    /// Settings of a session.
    pub struct SessionConfig {
        required {}
        optional {
            /// The most rounds.
            max_rounds: i64,
        }
    }
}

object! {
    /// A flaw to look for.
    pub struct FindRequest {
        required {}
        optional {
            /// Whether to look for flaws or to check one.
            mode: FindMode,
            /// The flaw to check.
            finding_id: String,
            /// What to look for.
            description: String,
            /// The files to look in.
            source_files: Vec<FileContent>,
        }
    }
}

open_enum! {
    /// Whether to look for flaws or to check one.
    pub enum FindMode {
        /// Look for flaws.
        Scan = "scan",
        /// Check a flaw.
        Verify = "verify",
    }
}

object! {
    /// A flaw to mend.
    pub struct FixRequest {
        required {}
        optional {
            /// The flaw.
            finding_id: String,
            /// What is wrong.
            description: String,
            /// The files to mend.
            source_files: Vec<FileContent>,
        }
    }
}

object! {
    /// A file.
    pub struct FileContent {
        required {}
        optional {
            /// Its path.
            path: String,
            /// Its text.
            content: String,
        }
    }
}
