//! A skill of a remote agent as a tool.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use interactions_agent::{CallerLabels, Tool, ToolContext, ToolError, ToolRules};
use interactions_types::{Function, JsonObject, ToolOutput};
use serde_json::{Value, json};
use url::Url;

use super::error::{RemoteError, RemoteErrorKind, bounded};
use super::follow::{Ended, Follow};
use super::output;
use super::peer::Peer;
use crate::executor::interactions::DEPTH_LABEL;
use crate::wire::{
    AgentSkill, Message, Metadata, Part, Role, SendMessageConfiguration, SendMessageRequest, Task,
    TaskState, is_interrupted, metadata,
};

/// Where a question keeps what the answer needs: a field of its schema.
const KEPT: &str = "x-a2a";
/// The name under which many agents look for the skill that is meant.
const SKILL: &str = "skillId";
const NAME_LENGTH: usize = 64;

/// How deep in a chain of agents that call agents a program is.
///
/// Give it to an [agent](interactions_agent::AgentBuilder::dependency) that works for another agent,
/// from the message's metadata `interactions/depth`. Agents in a server behind an
/// [`A2aHost`](crate::A2aHost) know it without; otherwise a chain begins here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallDepth(pub u32);

impl CallDepth {
    /// So deep.
    #[must_use]
    pub fn new(depth: u32) -> Self {
        Self(depth)
    }

    /// As the program was told, or as the host's labels say.
    fn of(context: &ToolContext) -> u32 {
        if let Ok(depth) = context.dependency::<Self>() {
            return depth.0;
        }
        let labels = context.dependency::<CallerLabels>().ok();
        let label = labels.as_ref().and_then(|labels| labels.0.get(DEPTH_LABEL));
        label.and_then(|depth| depth.parse().ok()).unwrap_or_default()
    }
}

/// How calls are made, for all skills of an agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) streaming: bool,
    pub(super) time_limit: Duration,
    pub(super) depth_limit: u32,
    pub(super) model_answers: bool,
    pub(super) conversations: bool,
}

/// A skill of a remote agent as a [`Tool`]; made by [`A2aTool`](super::A2aTool).
#[derive(Clone)]
pub struct RemoteSkill {
    pub(super) peer: Peer,
    pub(super) agent: Arc<str>,
    pub(super) name: String,
    description: String,
    skill: Option<String>,
    manner: Manner,
}

/// The tools for the skills of an agent.
pub(super) fn tools(
    peer: &Peer,
    (agent, about): (&str, &str),
    skills: &[AgentSkill],
    prefix: &str,
    manner: Manner,
) -> Vec<RemoteSkill> {
    let shown: Arc<str> = bounded(agent, 80).into();
    let tool = |name: &str, description: String, skill: Option<&AgentSkill>| RemoteSkill {
        peer: peer.clone(),
        agent: Arc::clone(&shown),
        name: slug(prefix, name),
        description,
        skill: skill.map(|skill| skill.id.clone()),
        manner,
    };
    let mut tools = match skills {
        [] => vec![tool(agent, bounded(about, 1500), None)],
        // The agent is its one skill.
        [skill] => {
            let about = format!("{}\n{}", bounded(about, 1000), describe(skill));
            vec![tool(agent, about.trim().to_owned(), Some(skill))]
        }
        skills => {
            let one = |skill| {
                tool(&skill_name(skill), format!("{} (by {shown})", describe(skill)), Some(skill))
            };
            skills.iter().map(one).collect()
        }
    };
    let mut taken = HashSet::new();
    for tool in &mut tools {
        let plain = tool.name.clone();
        let mut number = 2;
        while !taken.insert(tool.name.clone()) {
            let room = plain.len().min(NAME_LENGTH - 4);
            tool.name = format!("{}_{number}", &plain[..room]);
            number += 1;
        }
    }
    tools
}

fn skill_name(skill: &AgentSkill) -> String {
    let named = |text: &str| text.chars().any(|c| c.is_ascii_alphanumeric());
    if named(&skill.id) { skill.id.clone() } else { skill.name.clone() }
}

fn describe(skill: &AgentSkill) -> String {
    let mut text = bounded(&format!("{}: {}", skill.name, skill.description), 1000);
    for example in skill.examples.iter().flatten().take(5) {
        text.push_str(&format!("\nExample: {}", bounded(example, 200)));
    }
    text
}

/// A name that functions may have.
fn slug(prefix: &str, name: &str) -> String {
    let mut slug = prefix.to_owned();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    slug.truncate(NAME_LENGTH);
    let slug = slug.trim_end_matches('_');
    if slug.is_empty() || slug == prefix.trim_end_matches('_') {
        return format!("{prefix}agent");
    }
    // The first character has to be a letter.
    if slug.starts_with(|c: char| c.is_ascii_digit()) {
        format!("a_{slug}")
    } else {
        slug.to_owned()
    }
}

#[async_trait]
impl Tool for RemoteSkill {
    fn declaration(&self) -> Function {
        let file = json!({"type": "object", "properties": {
            "url": {"type": "string", "description": "Where the file is, http or https."},
            "media_type": {"type": "string"},
            "name": {"type": "string"},
        }, "required": ["url"]});
        let mut schema = json!({"type": "object", "properties": {
            "message": {"type": "string", "description":
                "What is asked of the agent, with all that it needs to know: it sees nothing else."},
            "files": {"type": "array", "items": file, "description": "Files that the agent should read."},
        }, "required": ["message"]});
        if self.manner.conversations {
            schema["properties"]["context"] = json!({"type": "string", "description":
                "To go on with an earlier conversation: the id that an earlier result has named."});
        }
        if self.manner.model_answers {
            schema["properties"]["task"] = json!({"type": "string", "description":
                "To answer a question of the agent: the id of the task that has asked."});
        }
        Function::new(&self.name).description(&self.description).parameters(schema)
    }

    fn rules(&self) -> ToolRules {
        // It has a limit of its own, after which the task is called off.
        let mut rules = ToolRules::default();
        rules.timeout = Some(Duration::MAX);
        rules
    }

    async fn call(
        &self,
        context: ToolContext,
        arguments: JsonObject,
    ) -> Result<ToolOutput, ToolError> {
        let limit = self.manner.time_limit;
        let ended = match tokio::time::timeout(limit, self.ask(&context, &arguments)).await {
            Ok(ended) => ended?,
            Err(_) => {
                let seconds = limit.as_secs();
                let why = format!(
                    "`{}` was not done after {seconds} seconds; it was told to stop",
                    self.agent
                );
                return Err(ToolError::new(RemoteError::new(RemoteErrorKind::Timeout, why)));
            }
        };
        self.result(ended)
    }
}

impl RemoteSkill {
    async fn ask(&self, context: &ToolContext, arguments: &JsonObject) -> Result<Ended, ToolError> {
        let follow = Follow::new(&self.peer, &self.agent, context);
        let asked = context.question().and_then(|(_, schema)| schema?.get(KEPT)).cloned();
        let (Some(kept), Some(said)) = (asked, &context.answer) else {
            let message = self.message(context, arguments)?;
            let request = self.request(message);
            return follow.send(request, self.manner.streaming).await.map_err(ToolError::new);
        };
        let text = |name: &str| kept.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = text("taskId").unwrap_or_default();
        // An answer goes to whom it was meant for, even if the card names another place by now.
        if text("agent").as_deref() != Some(&origin(self.peer.url())) {
            return Err(ToolError::new(
                "the agent that asked has moved; its task cannot be gone on with",
            ));
        }
        let task = self.peer.task(&id).await.map_err(ToolError::new)?;
        if !is_interrupted(&task.status.state) {
            // It has got what it needed in another way.
            return follow.resume(task).await.map_err(ToolError::new);
        }
        let mut message = self.addressed(context, vec![output::answer(said, kept.get("call"))])?;
        message.task_id = Some(id);
        message.context_id = Some(task.context_id).filter(|id| !id.is_empty());
        let (follow, request) = (follow.answering(task.status), self.request(message));
        follow.send(request, self.manner.streaming).await.map_err(ToolError::new)
    }

    /// What the model wants to say.
    fn message(&self, context: &ToolContext, arguments: &JsonObject) -> Result<Message, ToolError> {
        let text = |name: &str| {
            let given = arguments.get(name).and_then(Value::as_str).map(str::trim);
            given.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let Some(said) = text("message") else {
            return Err(ToolError::retry(
                "the arguments do not fit at `message`: a text is wanted",
            ));
        };
        let mut parts = vec![Part::text(said)];
        for file in arguments.get("files").and_then(Value::as_array).into_iter().flatten() {
            parts.push(attached(file)?);
        }
        let mut message = self.addressed(context, parts)?;
        message.context_id = text("context").filter(|_| self.manner.conversations);
        message.task_id = text("task").filter(|_| self.manner.model_answers);
        Ok(message)
    }

    fn addressed(&self, context: &ToolContext, parts: Vec<Part>) -> Result<Message, ToolError> {
        let depth = CallDepth::of(context);
        if depth >= self.manner.depth_limit {
            let why = format!(
                "agents have called agents {depth} times on the way here; `{}` is not called",
                self.agent
            );
            return Err(ToolError::new(RemoteError::new(RemoteErrorKind::Depth, why)));
        }
        let mut message = Message::new(Role::User, parts);
        let mut about = Metadata::from([(metadata::DEPTH.to_owned(), json!(depth + 1))]);
        if let Some(skill) = &self.skill {
            about.insert(SKILL.to_owned(), json!(skill));
        }
        message.metadata = Some(about);
        Ok(message)
    }

    fn request(&self, message: Message) -> SendMessageRequest {
        let configuration = SendMessageConfiguration {
            accepted_output_modes: None,
            task_push_notification_config: None,
            history_length: Some(1),
            return_immediately: None,
        };
        SendMessageRequest {
            message,
            configuration: Some(configuration),
            metadata: None,
            tenant: None,
        }
    }

    fn result(&self, ended: Ended) -> Result<ToolOutput, ToolError> {
        let task = match ended {
            Ended::Message(message) => {
                let context = message.context_id.clone().unwrap_or_default();
                return Ok(self.noted(output::of_message(&message), &context));
            }
            Ended::Task(task) => task,
        };
        let failed = |kind, what: &str| {
            let why = task.status.message.as_ref().map(|message| output::plain(&message.parts));
            let why =
                why.filter(|why| !why.is_empty()).map(|why| format!(": {}", bounded(&why, 2000)));
            let message = format!("`{}` {what}{}", self.agent, why.unwrap_or_default());
            Err(ToolError::new(RemoteError::new(kind, message)))
        };
        match task.status.state {
            TaskState::Completed => Ok(self.noted(output::of_task(&task), &task.context_id)),
            TaskState::InputRequired | TaskState::AuthRequired => self.pause(&task),
            TaskState::Rejected => failed(RemoteErrorKind::Rejected, "does not do that"),
            TaskState::Canceled => failed(RemoteErrorKind::Canceled, "was told to stop"),
            _ => failed(RemoteErrorKind::Failed, "has failed"),
        }
    }

    fn pause(&self, task: &Task) -> Result<ToolOutput, ToolError> {
        let is_login = task.status.state == TaskState::AuthRequired;
        let question = output::question(task);
        let question =
            if question.is_empty() { "it does not say what".to_owned() } else { question };
        if self.manner.model_answers && !is_login {
            let note = format!(
                "[The agent waits for an answer: call `{}` again with `task` = `{}`.]",
                self.name,
                bounded(&task.id, 512)
            );
            return Ok(output::with_note(ToolOutput::Text(question), note));
        }
        let verb = if is_login { "wants somebody to log in" } else { "asks" };
        let mut kept = json!({
            "agent": origin(self.peer.url()),
            "taskId": task.id,
            "contextId": task.context_id,
            "state": task.status.state,
        });
        if let Some(call) = output::waiting_call(task) {
            kept["call"] = call;
        }
        let schema = json!({"type": "string", KEPT: kept});
        Err(ToolError::input(format!("{} {verb}: {question}", self.agent), Some(schema)))
    }

    fn noted(&self, output: ToolOutput, context: &str) -> ToolOutput {
        if !self.manner.conversations || context.is_empty() || context.len() > 512 {
            return output;
        }
        output::with_note(output, format!("[conversation: {context}]"))
    }
}

fn attached(file: &Value) -> Result<Part, ToolError> {
    let text = |name: &str| file.get(name).and_then(Value::as_str);
    let url = text("url")
        .filter(|url| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")));
    let Some(url) = url else {
        return Err(ToolError::retry(
            "the arguments do not fit at `files`: each needs a `url`, http or https",
        ));
    };
    let mut part = Part::url(url);
    part.media_type = text("media_type").map(str::to_owned);
    part.filename = text("name").map(str::to_owned);
    Ok(part)
}

fn origin(url: &str) -> String {
    Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

impl fmt::Debug for RemoteSkill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSkill")
            .field("name", &self.name)
            .field("agent", &self.agent)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_functions_may_have() {
        assert_eq!(slug("", "Find books & read!"), "find_books_read");
        assert_eq!(slug("lib_", "Read"), "lib_read");
        assert_eq!(slug("", "書籍"), "agent");
        assert_eq!(slug("lib_", ""), "lib_agent");
        assert_eq!(slug("", "3d print"), "a_3d_print");
        assert!(slug("", &"x".repeat(99)).len() <= NAME_LENGTH);
    }

    #[test]
    fn files_are_addresses() {
        let part = attached(&json!({"url": "https://a.example/x.pdf", "name": "x.pdf"})).unwrap();
        assert_eq!(part.filename.as_deref(), Some("x.pdf"));
        for wrong in [json!({}), json!("x"), json!({"url": "file:///etc/passwd"})] {
            assert!(attached(&wrong).unwrap_err().is_retry());
        }
    }
}
