//! What becomes of a message: a request for an interaction.

use interactions_types::{
    AudioResponseFormat, CreateInteraction, EnvironmentChoice, FunctionCall, ImageResponseFormat,
    Input, Interaction, JsonObject, OneOrMany, ResponseFormat, Status, Target, TextResponseFormat,
    VideoResponseFormat,
};
use serde_json::Value;

use super::InteractionsTransport;
use super::context::{LABEL, label};
use super::error::refusal;
use super::snapshot;
use crate::check::check;
use crate::executor::interactions::input::{Answers, answers, ask, has_response, ids, user_input};
use crate::fault::{Fault, FaultKind};
use crate::wire::{
    A2AError, Message, Role, SendMessageConfiguration, SendMessageRequest, Task,
    TaskPushNotificationConfig, TaskState,
};

/// What becomes of a message.
pub(super) enum Turn {
    /// An interaction.
    Begin(Box<Begin>),
    /// Nothing: the task asks again for what the message does not say.
    Asks(Box<Task>),
}

/// An interaction that is to begin.
pub(super) struct Begin {
    pub(super) request: CreateInteraction,
    /// The context that it is in, unless it begins one.
    pub(super) context: Option<String>,
    pub(super) message: Message,
}

/// Where a message belongs.
#[derive(Default)]
struct Place {
    context: Option<String>,
    /// What it follows.
    before: Option<Interaction>,
    /// Whether it answers what came before.
    answers: bool,
}

impl InteractionsTransport {
    /// What becomes of a message. Nothing is begun yet.
    pub(super) async fn turn(
        &self,
        request: &SendMessageRequest,
        immediately: bool,
    ) -> Result<Turn, A2AError> {
        let refused = |fault: Fault| refusal(&fault);
        let message = &request.message;
        check(message).map_err(refused)?;
        let mut create = CreateInteraction::clone(&self.request);
        if let Some(configuration) = &request.configuration {
            configure(&mut create, configuration).map_err(refused)?;
        }
        // What cannot be read is refused before anything is asked for.
        let input = user_input(std::slice::from_ref(message)).map_err(refused)?;
        let Place { context, before, answers } = self.place(message).await?;
        create.input = Some(match &before {
            Some(before) if answers => match answer(before, message, input).map_err(refused)? {
                Ok(input) => input,
                Err(missing) => {
                    let task = self.asking(before.clone(), context.as_deref(), &missing);
                    return Ok(Turn::Asks(Box::new(task)));
                }
            },
            _ => input,
        });
        if let Some(before) = before {
            if let Some(environment) = &before.environment_id {
                create.environment = Some(EnvironmentChoice::from(environment.as_str()));
            }
            create.previous_interaction_id = Some(before.id);
        }
        if let Some(context) = &context {
            create.labels.get_or_insert_default().insert(LABEL.to_owned(), label(context));
        }
        // Agents work in the background only, and only such work is reported to webhooks.
        let is_agent = matches!(create.named_target(), Some(Target::Agent(_)));
        let background = immediately
            || create.webhook_config.is_some()
            || self.request.background.unwrap_or(is_agent);
        create.background = background.then_some(true);
        let request = create.store(true);
        Ok(Turn::Begin(Box::new(Begin { request, context, message: message.clone() })))
    }

    async fn place(&self, message: &Message) -> Result<Place, A2AError> {
        // A field that is not set comes as an empty text from some callers.
        let set = |id: &Option<String>| id.clone().filter(|id| !id.is_empty());
        let references = message.reference_task_ids.as_deref().unwrap_or_default();
        if let Some(task) = set(&message.task_id) {
            return self.place_in_task(&task, set(&message.context_id).as_deref()).await;
        }
        if let Some(context) = set(&message.context_id) {
            let head = self.head(&context, references).await?;
            if head.status == Status::RequiresAction && has_response(message) {
                return Ok(Place { context: Some(context), before: Some(head), answers: true });
            }
            let Some(before) = self.usable(head).await? else {
                let message = "nothing in this context has ended well, so that it could be gone \
                               on from; leave `contextId` out to begin anew";
                return Err(refusal(&Fault::unsupported(message)));
            };
            return Ok(Place { context: Some(context), before: Some(before), answers: false });
        }
        if let Some(reference) = references.first() {
            let referred = self.read(reference).await?;
            let context = self.context_of(&referred).await?;
            if let Some(before) = self.usable(referred).await? {
                return Ok(Place { context: Some(context), before: Some(before), answers: false });
            }
        }
        Ok(Place { context: self.context_of_request().await?, ..Place::default() })
    }

    async fn place_in_task(&self, task: &str, context: Option<&str>) -> Result<Place, A2AError> {
        let before = self.read(task).await?;
        let own = self.context_of(&before).await?;
        if context.is_some_and(|context| context != own) {
            let description = format!("the task is in the context `{own}`");
            return Err(refusal(&Fault::invalid("message.contextId", description)));
        }
        let (before, answers) = match &before.status {
            Status::RequiresAction => (Some(before), true),
            status if status.is_running() => {
                let message = "the task is at work and takes no messages; wait for its end, or \
                               send the message with its `contextId` alone";
                return Err(refusal(&Fault::unsupported(message)));
            }
            _ if self.waits_for_credentials(&before) => (self.usable(before).await?, false),
            _ if self.options.chain_terminal_tasks => (Some(before), false),
            status => {
                let message = format!(
                    "the task has ended (`{status}`); send the message with its `contextId` alone"
                );
                return Err(refusal(&Fault::unsupported(message)));
            }
        };
        if before.is_none() {
            // The first message of a conversation is tried again.
            return Ok(Place { context: self.context_of_request().await?, ..Place::default() });
        }
        Ok(Place { context: Some(own), before, answers })
    }

    /// Whether a failed interaction is a task that waits, so that it is tried again.
    fn waits_for_credentials(&self, interaction: &Interaction) -> bool {
        let task = snapshot::task(interaction.clone(), "", self.telling);
        task.status.state == TaskState::AuthRequired
    }

    /// The task as it is, with what is missing.
    fn asking(
        &self,
        interaction: Interaction,
        context: Option<&str>,
        missing: &[FunctionCall],
    ) -> Task {
        let context = context.unwrap_or_default();
        let mut task = snapshot::task(interaction, context, self.telling);
        task.status.message = Some(Message {
            context_id: Some(context.to_owned()),
            task_id: Some(task.id.clone()),
            ..Message::new(Role::Agent, ask(missing))
        });
        task
    }
}

/// What a message answers, or the calls that it says nothing about.
///
/// Nothing is kept of a message that answers some of the calls, so it is refused.
fn answer(
    before: &Interaction,
    message: &Message,
    input: Input,
) -> Result<Result<Input, Vec<FunctionCall>>, Fault> {
    let calls: Vec<FunctionCall> = before.pending_calls().into_iter().cloned().collect();
    if calls.is_empty() {
        return Ok(Ok(input));
    }
    match answers(&calls, std::slice::from_ref(message)) {
        Answers::Whole(results) => Ok(Ok(results.into())),
        Answers::Missing(missing) if has_response(message) => {
            let open: Vec<String> = ids(&missing).iter().map(|id| format!("`{id}`")).collect();
            let open = open.join(", ");
            let description = if missing.len() == calls.len() {
                format!("it answers none of the calls that wait: {open}")
            } else {
                format!("all calls are answered in one message, and these are missing: {open}")
            };
            Err(Fault::invalid("message.parts", description))
        }
        Answers::Missing(missing) => Ok(Err(missing)),
    }
}

fn configure(
    create: &mut CreateInteraction,
    configuration: &SendMessageConfiguration,
) -> Result<(), Fault> {
    if let Some(push) = &configuration.task_push_notification_config {
        report_to(create, push)?;
    }
    let modes = configuration.accepted_output_modes.as_deref().unwrap_or_default();
    #[expect(deprecated, reason = "older cards have it")]
    let is_open = create.response_format.is_none() && create.response_modalities.is_none();
    if is_open && !modes.is_empty() {
        create.response_format = formats(modes)?;
    }
    Ok(())
}

/// Has the end of the work reported to the address.
fn report_to(
    create: &mut CreateInteraction,
    push: &TaskPushNotificationConfig,
) -> Result<(), Fault> {
    let place = "configuration.taskPushNotificationConfig";
    if push.url.is_empty() {
        return Err(Fault::invalid(format!("{place}.url"), "it is required"));
    }
    // Leaving it out would send reports that the receiver has to refuse.
    if push.authentication.is_some() {
        let description = "the service cannot show credentials to the receiver; use `token`";
        return Err(Fault::invalid(format!("{place}.authentication"), description));
    }
    let webhook = create.webhook_config.get_or_insert_default();
    webhook.uris.get_or_insert_default().push(push.url.clone());
    let known = webhook.user_metadata.get_or_insert_with(JsonObject::new);
    for (name, value) in [("a2a_id", &push.id), ("a2a_token", &push.token)] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            known.insert(name.to_owned(), Value::from(value.as_str()));
        }
    }
    Ok(())
}

/// What to ask for so that the caller can read it.
///
/// Callers list all that they can read, which is no wish to get all of it. So nothing is asked for
/// where they read texts.
fn formats(modes: &[String]) -> Result<Option<OneOrMany<ResponseFormat>>, Fault> {
    let mut formats: Vec<ResponseFormat> = Vec::new();
    for mode in modes {
        let mode = mode.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let format = match mode.split('/').next().unwrap_or_default() {
            "*" | "text" | "" => return Ok(None),
            "image" => ImageResponseFormat::new().into(),
            "audio" => AudioResponseFormat::new().into(),
            "video" => VideoResponseFormat::new().into(),
            _ if mode == "application/json" => {
                let mut text = TextResponseFormat::new();
                text.mime_type = Some(mode.as_str().into());
                text.into()
            }
            _ => continue,
        };
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    match formats.len() {
        0 => Err(Fault::new(
            FaultKind::ContentTypeNotSupported,
            "`configuration.acceptedOutputModes`: the service writes texts, JSON, images, audio \
             and videos",
        )),
        1 => Ok(formats.pop().map(OneOrMany::One)),
        _ => Ok(Some(OneOrMany::Many(formats))),
    }
}
