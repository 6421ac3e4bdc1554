//! Schedules on which agents work.

use http::Method;
use interactions_types::{
    ListTriggerExecutionsResponse, ListTriggersResponse, Trigger, TriggerCreateParams,
    TriggerExecution, TriggerId, TriggerUpdate,
};

use crate::{Call, Client, Listing};

/// The calls on triggers and their runs.
#[derive(Clone, Debug)]
pub struct Triggers(pub(crate) Client);

impl Triggers {
    /// Sets an interaction on a schedule.
    pub fn create(&self, trigger: &TriggerCreateParams) -> Call<Trigger> {
        Call::new(&self.0, "create_trigger", Method::POST, &["triggers"]).json(trigger)
    }

    /// Reads a trigger.
    pub fn get(&self, id: impl Into<TriggerId>) -> Call<Trigger> {
        Call::new(&self.0, "get_trigger", Method::GET, &["triggers", id.into().as_str()])
    }

    /// Changes the fields that the update sets; pausing and going on are such changes.
    pub fn update(&self, id: impl Into<TriggerId>, update: &TriggerUpdate) -> Call<Trigger> {
        let path = ["triggers", &String::from(id.into())];
        Call::new(&self.0, "update_trigger", Method::PATCH, &path).json(update).masked()
    }

    /// Lists triggers.
    pub fn list(&self) -> Listing<ListTriggersResponse> {
        Listing::of(&self.0, "list_triggers", &["triggers"])
    }

    /// Removes a trigger. Runs that have begun go on.
    pub fn delete(&self, id: impl Into<TriggerId>) -> Call<()> {
        Call::silent(&self.0, "delete_trigger", Method::DELETE, &["triggers", id.into().as_str()])
    }

    /// Runs a trigger now, beside its schedule.
    pub fn run(&self, id: impl Into<TriggerId>) -> Call<TriggerExecution> {
        let path = ["triggers", &String::from(id.into()), "executions"];
        Call::new(&self.0, "run_trigger", Method::POST, &path)
    }

    /// Lists the runs of a trigger.
    pub fn executions(&self, id: impl Into<TriggerId>) -> Listing<ListTriggerExecutionsResponse> {
        let path = ["triggers", &String::from(id.into()), "executions"];
        Listing::of(&self.0, "list_trigger_executions", &path)
    }
}

impl Listing<ListTriggersResponse> {
    /// Only the triggers that the service's filter expression selects.
    pub fn filter(self, expression: impl Into<String>) -> Self {
        self.query("filter", expression)
    }
}
