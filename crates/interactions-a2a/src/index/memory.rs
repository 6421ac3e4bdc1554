//! The index in memory: as long as the process lives.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::rules::{at_work, beginning, first_millis, status_millis, taken};
use super::{Claim, Index, IndexError, Inserted, Page, Position, PushRecord, Query};
use crate::task::{Scope, TaskRecord};
use crate::wire::TaskState;

/// Tasks as long as the process lives: for tests, and for hosts whose tasks may be lost.
///
/// It keeps every task until it is dropped.
#[derive(Default)]
pub struct MemoryIndex(Mutex<HashMap<Scope, Shelf>>);

/// What belongs to one scope.
#[derive(Default)]
struct Shelf {
    tasks: BTreeMap<String, Kept>,
    /// Which task a message has begun.
    begun: HashMap<String, String>,
    /// By task and id.
    pushes: BTreeMap<(String, String), PushRecord>,
    /// How often a task has come into another state.
    changes: u64,
}

struct Kept {
    task: TaskRecord,
    /// Which of the changes brought it into its state. Clocks may stand still or go back.
    place: u64,
}

impl MemoryIndex {
    /// Without tasks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Scope, Shelf>> {
        // Nothing below panics between two changes that belong together.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a scope; what was never written is empty.
    fn read<T: Default>(&self, scope: &Scope, look: impl FnOnce(&Shelf) -> T) -> T {
        self.lock().get(scope).map(look).unwrap_or_default()
    }
}

impl fmt::Debug for MemoryIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryIndex").finish_non_exhaustive()
    }
}

impl Shelf {
    fn keep(&mut self, task: TaskRecord) {
        let before = self.tasks.get(&task.id).filter(|before| {
            before.task.status.state == task.status.state
                && before.task.context_id == task.context_id
        });
        let place = before.map_or(self.changes + 1, |before| before.place);
        self.changes = self.changes.max(place);
        self.tasks.insert(task.id.clone(), Kept { task, place });
    }

    /// The tasks of a conversation that are in this state, in the order in which they came into it.
    fn within(&self, context_id: &str, state: &TaskState) -> Vec<&TaskRecord> {
        let mut found: Vec<&Kept> = self
            .tasks
            .values()
            .filter(|kept| kept.task.context_id == context_id && kept.task.status.state == *state)
            .collect();
        found.sort_by_key(|kept| kept.place);
        found.into_iter().map(|kept| &kept.task).collect()
    }

    fn claim(&mut self, id: &str) -> Claim {
        let Some(Kept { task, .. }) = self.tasks.get(id) else { return Claim::No };
        let mut task = task.clone();
        match task.status.state {
            TaskState::Working => {}
            TaskState::Submitted => {
                let working = self.within(&task.context_id, &TaskState::Working);
                let waiting = self.within(&task.context_id, &TaskState::Submitted);
                if !working.is_empty() || waiting.first().is_none_or(|first| first.id != id) {
                    return Claim::Wait;
                }
                task = at_work(task);
                self.keep(task.clone());
            }
            _ => return Claim::No,
        }
        let completed = self.within(&task.context_id, &TaskState::Completed);
        let head = completed.last().and_then(|last| last.last_handle()).map(str::to_owned);
        Claim::Yes { task: Box::new(task), head }
    }

    fn list(&self, query: &Query) -> Page {
        let since = query.changed_since.map_or(i64::MIN, first_millis);
        let mut found: Vec<_> = self
            .tasks
            .values()
            .map(|kept| &kept.task)
            .filter(|task| query.context_id.as_ref().is_none_or(|id| *id == task.context_id))
            .filter(|task| query.state.as_ref().is_none_or(|state| *state == task.status.state))
            .map(|task| ((status_millis(task), &task.id), task))
            .filter(|((millis, _), _)| *millis >= since)
            .collect();
        let total = found.len();
        if let Some((moment, id)) = &query.after {
            found.retain(|(place, _)| *place < (moment.timestamp_millis(), id));
        }
        found.sort_by(|(one, _), (other, _)| other.cmp(one));
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        Page { tasks: found.into_iter().map(|(_, task)| task.clone()).collect(), total, more }
    }

    fn unserved(&self) -> impl Iterator<Item = &PushRecord> {
        self.pushes.values().filter(|push| {
            self.tasks.get(&push.task_id).is_some_and(|Kept { task, .. }| {
                let Position { turn, ended, .. } = push.position;
                !(task.is_terminal() && ended && turn + 1 >= task.places())
            })
        })
    }
}

#[async_trait]
impl Index for MemoryIndex {
    async fn insert(&self, task: &TaskRecord) -> Result<Inserted, IndexError> {
        let message = beginning(task)?;
        let mut shelves = self.lock();
        let shelf = shelves.entry(task.scope.clone()).or_default();
        if let Some(known) = shelf.begun.get(&*message).and_then(|id| shelf.tasks.get(id)) {
            return Ok(Inserted::Known(Box::new(known.task.clone())));
        }
        if shelf.tasks.contains_key(&task.id) {
            return Err(taken(&task.id));
        }
        shelf.begun.insert(message.into_owned(), task.id.clone());
        shelf.keep(task.clone());
        Ok(Inserted::New)
    }

    async fn task(&self, scope: &Scope, id: &str) -> Result<Option<TaskRecord>, IndexError> {
        Ok(self.read(scope, |shelf| shelf.tasks.get(id).map(|kept| kept.task.clone())))
    }

    async fn update(&self, task: &TaskRecord) -> Result<bool, IndexError> {
        beginning(task)?;
        let mut shelves = self.lock();
        let Some(shelf) = shelves.get_mut(&task.scope) else { return Ok(false) };
        let stored = shelf.tasks.get(&task.id);
        if stored.is_none_or(|stored| stored.task.version != task.version) {
            return Ok(false);
        }
        shelf.keep(TaskRecord { version: task.version + 1, ..task.clone() });
        Ok(true)
    }

    async fn claim(&self, scope: &Scope, id: &str) -> Result<Claim, IndexError> {
        Ok(self.lock().get_mut(scope).map_or(Claim::No, |shelf| shelf.claim(id)))
    }

    async fn waiting(&self, scope: &Scope, context_id: &str) -> Result<Vec<String>, IndexError> {
        Ok(self.read(scope, |shelf| {
            let waiting = shelf.within(context_id, &TaskState::Submitted);
            waiting.into_iter().map(|task| task.id.clone()).collect()
        }))
    }

    async fn unfinished(&self) -> Result<Vec<TaskRecord>, IndexError> {
        let shelves = self.lock();
        let tasks = shelves.values().flat_map(|shelf| shelf.tasks.values()).map(|kept| &kept.task);
        let mut found: Vec<_> = tasks.filter(|task| task.is_unfinished()).cloned().collect();
        found.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        Ok(found)
    }

    async fn knows_context(&self, scope: &Scope, context_id: &str) -> Result<bool, IndexError> {
        Ok(self.read(scope, |shelf| {
            shelf.tasks.values().any(|kept| kept.task.context_id == context_id)
        }))
    }

    async fn list(&self, scope: &Scope, query: &Query) -> Result<Page, IndexError> {
        Ok(self.read(scope, |shelf| shelf.list(query)))
    }

    async fn put_push(&self, push: &PushRecord) -> Result<(), IndexError> {
        let key = (push.task_id.clone(), push.id.clone());
        self.lock().entry(push.scope.clone()).or_default().pushes.insert(key, push.clone());
        Ok(())
    }

    async fn pushes(&self, scope: &Scope, task_id: &str) -> Result<Vec<PushRecord>, IndexError> {
        Ok(self.read(scope, |shelf| {
            let pushes = shelf.pushes.values();
            pushes.filter(|push| push.task_id == task_id).cloned().collect()
        }))
    }

    async fn push_served(
        &self,
        scope: &Scope,
        task_id: &str,
        id: &str,
        position: Position,
    ) -> Result<(), IndexError> {
        let key = (task_id.to_owned(), id.to_owned());
        let mut shelves = self.lock();
        if let Some(push) = shelves.get_mut(scope).and_then(|shelf| shelf.pushes.get_mut(&key)) {
            push.position = position;
        }
        Ok(())
    }

    async fn delete_push(
        &self,
        scope: &Scope,
        task_id: &str,
        id: &str,
    ) -> Result<bool, IndexError> {
        let key = (task_id.to_owned(), id.to_owned());
        let mut shelves = self.lock();
        Ok(shelves.get_mut(scope).is_some_and(|shelf| shelf.pushes.remove(&key).is_some()))
    }

    async fn unserved_pushes(&self) -> Result<Vec<PushRecord>, IndexError> {
        let shelves = self.lock();
        let mut found: Vec<_> = shelves.values().flat_map(Shelf::unserved).cloned().collect();
        found.sort_by(|one, other| (&one.task_id, &one.id).cmp(&(&other.task_id, &other.id)));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    super::super::exam::sit!(async { ((), Arc::new(MemoryIndex::new()) as Arc<dyn Index>) });

    #[test]
    fn debug_shows_no_task() {
        assert_eq!(format!("{:?}", MemoryIndex::new()), "MemoryIndex { .. }");
    }
}
