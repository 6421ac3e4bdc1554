//! Schedules on which agents work.

use crate::wire::{object, open_enum};
use crate::{
    CreateInteraction, EnvironmentId, InteractionId, PageToken, TriggerExecutionId, TriggerId,
};

object! {
    /// The body of `POST /triggers`.
    ///
    /// ```
    /// use interactions_types::{CreateInteraction, Target, TriggerCreateParams};
    ///
    /// let task = CreateInteraction::new(Target::agent("antigravity-preview-09-2026"), "Sum up the news.");
    /// let trigger = TriggerCreateParams::new(task, "0 9 * * *", "Europe/Paris").display_name("News");
    /// assert_eq!(serde_json::to_value(&trigger)?["schedule"], "0 9 * * *");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct TriggerCreateParams {
        required {
            /// What to ask of an agent each time.
            interaction: Box<CreateInteraction>,
            /// When, as a cron expression.
            schedule: String,
            /// The IANA time zone of the schedule.
            time_zone: String,
        }
        optional {
            /// A name for people.
            display_name: String,
            /// The sandbox that every run works in.
            environment_id: EnvironmentId,
            /// After how many seconds a run is given up.
            execution_timeout_seconds: i64,
            /// How many failures in a row end the trigger as `error`.
            max_consecutive_failures: i64,
        }
    }
}

object! {
    /// A schedule on which an agent works.
    pub struct Trigger {
        required {
            /// Its id.
            id: TriggerId,
            /// What is asked of the agent each time.
            interaction: Box<CreateInteraction>,
            /// When, as a cron expression.
            schedule: String,
            /// The IANA time zone of the schedule.
            time_zone: String,
        }
        optional {
            /// Whether it runs.
            status: TriggerStatus,
            /// A name for people.
            display_name: String,
            /// The sandbox that every run works in.
            environment_id: EnvironmentId,
            /// After how many seconds a run is given up.
            execution_timeout_seconds: i64,
            /// How many failures in a row end the trigger as `error`.
            max_consecutive_failures: i64,
            /// How many failures in a row there were.
            consecutive_failure_count: i64,
            /// The interaction of the last run.
            previous_interaction_id: InteractionId,
            /// When it runs next, RFC 3339.
            next_run_time: String,
            /// When it last ran, RFC 3339.
            last_run_time: String,
            /// When it was last paused, RFC 3339.
            last_pause_time: String,
            /// When it last went on after a pause, RFC 3339.
            last_resume_time: String,
            /// When it was made, RFC 3339.
            create_time: String,
            /// When it last changed, RFC 3339.
            update_time: String,
        }
    }
}

open_enum! {
    /// Whether a trigger runs.
    pub enum TriggerStatus {
        /// It runs on its schedule.
        Active = "active",
        /// It waits for someone to set it going again.
        Paused = "paused",
        /// It failed too often in a row.
        Error = "error",
    }
}

object! {
    /// The body of `PATCH /triggers/{id}`.
    pub struct TriggerUpdate {
        required {}
        optional {
            /// A name for people.
            display_name: String,
            /// Whether it runs.
            status: TriggerStatus,
        }
    }
}

object! {
    /// The query of `GET /triggers`.
    pub struct ListTriggersQuery {
        required {}
        optional {
            /// How many triggers at most.
            page_size: i64,
            /// Where the page begins: the `next_page_token` of the page before.
            page_token: PageToken,
            /// Which triggers to list.
            filter: String,
        }
    }
}

object! {
    /// The reply of `GET /triggers`.
    pub struct ListTriggersResponse {
        required {}
        default {
            /// The triggers of this page.
            triggers: Vec<Trigger>,
        }
        optional {
            /// Where the next page begins; absent on the last.
            next_page_token: PageToken,
        }
    }
}

object! {
    /// One run of a trigger; `POST /triggers/{id}/executions` starts one at once.
    pub struct TriggerExecution {
        required {
            /// Its id.
            id: TriggerExecutionId,
            /// The trigger.
            trigger_id: TriggerId,
        }
        optional {
            /// How it went.
            status: ExecutionStatus,
            /// The interaction that it made.
            interaction_id: InteractionId,
            /// The sandbox that it worked in.
            environment_id: EnvironmentId,
            /// What went wrong, for people.
            error: String,
            /// When it was due, RFC 3339.
            scheduled_time: String,
            /// When it began, RFC 3339.
            start_time: String,
            /// When it ended, RFC 3339.
            end_time: String,
        }
    }
}

open_enum! {
    /// How a run of a trigger went.
    pub enum ExecutionStatus {
        /// It is running.
        InProgress = "in_progress",
        /// It ended well.
        Completed = "completed",
        /// It ended by an error.
        Failed = "failed",
        /// It never began, because the one before was still running.
        Skipped = "skipped",
        /// It took too long.
        TimedOut = "timed_out",
    }
}

object! {
    /// The reply of `GET /triggers/{id}/executions`.
    pub struct ListTriggerExecutionsResponse {
        required {}
        default {
            /// The runs of this page.
            trigger_executions: Vec<TriggerExecution>,
        }
        optional {
            /// Where the next page begins; absent on the last.
            next_page_token: PageToken,
        }
    }
}
