//! Admission: from a request to a plan, or to a refusal that says what is wrong and where.

use std::collections::HashSet;
use std::sync::Arc;

use interactions_types::{
    AllowedTools, Content, CreateInteraction, GenerationConfig, Input, NameOr, OneOrMany, Status,
    Step, Target, Tool, ToolChoiceMode, UserInput, decode_value,
};
use serde_json::{Value, json};

use super::history::{self, Past};
use super::structured::Schema;
use super::{Engine, cast, turns_to_steps};
use crate::coverage;
use crate::error::Refusal;
use crate::model::{AgentTask, Model};
use crate::store::Progress;

/// Everything that a run needs to know.
#[derive(Debug)]
pub(super) struct Plan {
    /// Whose it is.
    pub(super) tenant: String,
    /// The request as it was sent; its input stands beside it.
    pub(super) request: CreateInteraction,
    pub(super) model: Arc<dyn Model>,
    /// The model's id at its own server.
    pub(super) upstream_model: String,
    /// Set when that is the id of an agent there.
    pub(super) agent: Option<AgentTask>,
    pub(super) system: Option<String>,
    pub(super) tools: Vec<Tool>,
    pub(super) tool_choice: Option<ToolChoiceMode>,
    /// The only tools that may be called, where the request limits them.
    pub(super) allowed: Option<Vec<String>>,
    pub(super) generation: GenerationConfig,
    pub(super) response_format: Option<Value>,
    /// What the answer has to fit, unless the model's own server sees to that.
    pub(super) schema: Option<Schema>,
    /// The conversation before this request.
    pub(super) history: Vec<Step>,
    pub(super) input: Vec<Step>,
    /// What an earlier attempt at this run has left.
    pub(super) resumed: Option<Resumed>,
}

/// What an earlier attempt has already emitted.
#[derive(Debug, Default)]
pub(super) struct Resumed {
    pub(super) steps: Vec<Step>,
    pub(super) cancel_requested: bool,
    pub(super) progress: Progress,
}

impl Engine {
    pub(super) async fn admit(
        &self,
        tenant: &str,
        mut request: CreateInteraction,
    ) -> Result<Plan, Refusal> {
        let input = normalised(&mut request);
        check_length(&input, self.config.limits.input_steps)?;
        coverage::check(&request, in_input)?;
        check_rules(&request, &input)?;
        self.check_webhook_config(&request)?;
        let mut plan = self.plan(tenant, request, input).await?;
        let past = self.history(tenant, &plan.request).await?;
        history::check_results(&past, &plan.input)?;
        plan.history = past.steps;
        Ok(plan)
    }

    /// Looks up who answers and gathers what they are told.
    pub(super) async fn plan(
        &self,
        tenant: &str,
        request: CreateInteraction,
        input: Vec<Step>,
    ) -> Result<Plan, Refusal> {
        let cast = self.cast(tenant, &request).await?;
        let system = cast::joined(cast.system, request.system_instruction.as_ref());
        let mut tools = cast.tools;
        tools.extend(request.tools.iter().flatten().cloned());
        if cast.model.carries_out_calls() && (!tools.is_empty() || system.is_some()) {
            return Err(Refusal::invalid(
                "this agent has its own instructions and tools; leave out `system_instruction` and `tools`",
            ));
        }
        check_tools(&tools, cast.model.as_ref())?;
        check_output(&request, cast.model.as_ref())?;
        let generation = request.generation_config.clone().unwrap_or_default();
        let (tool_choice, allowed) = choice(&generation, &tools)?;
        let response_format = response_format(&request);
        let schema = if cast.model.checks_output() { None } else { Schema::of(&request).await? };
        Ok(Plan {
            tenant: tenant.to_owned(),
            request,
            model: cast.model,
            upstream_model: cast.upstream_model,
            agent: cast.agent,
            system,
            tools,
            tool_choice,
            allowed,
            generation,
            response_format,
            schema,
            history: Vec::new(),
            input,
            resumed: None,
        })
    }

    /// The conversation that a request continues.
    pub(super) async fn history(
        &self,
        tenant: &str,
        request: &CreateInteraction,
    ) -> Result<Past, Refusal> {
        let Some(previous) = &request.previous_interaction_id else {
            return Ok(Past::default());
        };
        let depth = self.config.limits.chain_depth;
        let chain = self.store.chain(tenant, previous, depth).await?;
        let Some(head) = chain.turns.last().filter(|head| !head.erased) else {
            return Err(Refusal::not_found(format!(
                "there is no interaction {previous} to continue"
            )));
        };
        if head.status.is_running() {
            return Err(Refusal::invalid(format!(
                "interaction {previous} is still running; wait for it to end before continuing it"
            )));
        }
        if head.status == Status::Failed {
            return Err(Refusal::precondition(format!(
                "interaction {previous} has failed and cannot be continued; continue the one before it"
            )));
        }
        if let Some(erased) = chain.turns.iter().find(|turn| turn.erased) {
            return Err(Refusal::invalid(format!(
                "the conversation cannot be continued: its interaction {} has been deleted",
                erased.id
            )));
        }
        if let Some(missing) = chain.missing {
            let reached = u32::try_from(chain.turns.len()).unwrap_or(u32::MAX);
            return Err(Refusal::invalid(if reached >= depth {
                format!("the conversation is longer than the {depth} turns that this server allows")
            } else {
                format!(
                    "the conversation cannot be continued: its interaction {missing} is no longer stored"
                )
            }));
        }
        let awaits_results = head.status == Status::RequiresAction;
        Ok(Past { steps: turns_to_steps(chain.turns), awaits_results })
    }
}

/// Takes the input as steps, and lifts steps that some clients put into a user turn.
fn normalised(request: &mut CreateInteraction) -> Vec<Step> {
    let Some(input) = request.input.take() else {
        return Vec::new();
    };
    let steps: Vec<Step> = input.into_steps().into_iter().flat_map(lifted).collect();
    // Validation walks the request, so it has to see what was lifted.
    request.input = Some(Input::Steps(steps.clone()));
    steps
}

fn lifted(step: Step) -> Vec<Step> {
    let Step::UserInput(input) = step else {
        return vec![step];
    };
    let is_step = |content: &Content| matches!(content, Content::Unknown(unknown) if Step::KNOWN.contains(&unknown.tag()));
    if !input.content.iter().any(is_step) {
        return vec![input.into()];
    }
    let mut lifted: Vec<Step> = Vec::new();
    for content in input.content {
        if is_step(&content) {
            let step = serde_json::to_value(content).ok();
            lifted.extend(step.and_then(|step| decode_value(&step).ok()));
        } else if let Some(Step::UserInput(open)) = lifted.last_mut() {
            open.content.push(content);
        } else {
            lifted.push(UserInput::new(vec![content]).into());
        }
    }
    lifted
}

fn check_length(input: &[Step], limit: usize) -> Result<(), Refusal> {
    match input.len() {
        steps if steps > limit => Err(Refusal::invalid(format!(
            "`input` has {steps} steps, more than the {limit} that this server allows"
        ))),
        _ => Ok(()),
    }
}

/// Whether a path lies inside the input, where steps of other servers come back with fields of
/// their own.
fn in_input(path: &str) -> bool {
    path == "input" || path.starts_with("input.") || path.starts_with("input[")
}

#[expect(deprecated, reason = "callers may still send the former fields")]
fn check_rules(request: &CreateInteraction, input: &[Step]) -> Result<(), Refusal> {
    let refuse = |message: &str| Err(Refusal::invalid(message));
    if request.names_both() {
        return refuse("`model` and `agent` exclude each other; name one of them");
    }
    let Some(target) = request.named_target() else {
        return refuse("one of `model` and `agent` is required");
    };
    if request.continuation_token.is_some() {
        return refuse(
            "`continuation_token` is not one of this server's, which never asks for a continuation",
        );
    }
    if input.is_empty() {
        return refuse("`input` is required and must not be empty");
    }
    for (at, step) in input.iter().enumerate() {
        if let Step::UserInput(user) = step {
            check_content(at, &user.content)?;
        }
    }
    let background = request.background == Some(true);
    if !request.stores() && background {
        return refuse(
            "`background: true` needs `store: true`: nobody could read the result otherwise",
        );
    }
    if request.environment.is_some() {
        return refuse("`environment` is not supported by this server, which has no sandboxes");
    }
    match target {
        Target::Agent(_) if request.generation_config.is_some() => {
            return refuse("`generation_config` goes with `model`, not with `agent`");
        }
        Target::Model(_) if request.agent_config.is_some() => {
            return refuse("`agent_config` goes with `agent`, not with `model`");
        }
        _ => {}
    }
    if request.cached_content.is_some() {
        return refuse("`cached_content` is not supported by this server, which keeps no caches");
    }
    if let Some(generation) = &request.generation_config {
        if generation.max_output_tokens.is_some_and(|limit| limit < 1) {
            return refuse("`generation_config.max_output_tokens` must be at least 1");
        }
        for (field, value) in
            [("max_output_tokens", generation.max_output_tokens), ("seed", generation.seed)]
        {
            if value.is_some_and(|value| i32::try_from(value).is_err()) {
                return Err(Refusal::invalid(format!(
                    "`generation_config.{field}` must fit into 32 bits"
                )));
            }
        }
    }
    for (key, value) in request.labels.iter().flatten() {
        check_label("labels", key, value)?;
    }
    Ok(())
}

fn check_content(at: usize, contents: &[Content]) -> Result<(), Refusal> {
    let says_nothing =
        |content: &Content| matches!(content, Content::Text(text) if text.text.is_empty());
    if contents.iter().all(says_nothing) {
        return Err(Refusal::invalid(format!(
            "`input` must not be empty: `input[{at}].content` has neither text nor anything else"
        )));
    }
    for (part, content) in contents.iter().enumerate() {
        let (data, uri) = match content {
            Content::Image(image) => (&image.data, &image.uri),
            Content::Audio(audio) => (&audio.data, &audio.uri),
            Content::Video(video) => (&video.data, &video.uri),
            Content::Document(document) => (&document.data, &document.uri),
            _ => continue,
        };
        if data.is_none() && uri.is_none() {
            let kind = content.kind();
            return Err(Refusal::invalid(format!(
                "`input[{at}].content[{part}]`: this {kind} needs `data` or `uri`"
            )));
        }
    }
    Ok(())
}

/// Refuses what the model behind this server cannot put out, instead of leaving it out silently.
#[expect(deprecated, reason = "callers may still send the former fields")]
fn check_output(request: &CreateInteraction, model: &dyn Model) -> Result<(), Refusal> {
    let refuse = |field: &str, kind: &str| {
        Err(Refusal::invalid(format!(
            "`{field}`: {} puts out text only, not {kind}",
            model.label()
        )))
    };
    for modality in request.response_modalities.iter().flatten() {
        if !model.makes(modality.as_str()) {
            return refuse("response_modalities", modality.as_str());
        }
    }
    let formats = request.response_format.iter().flat_map(OneOrMany::as_slice);
    for format in formats.filter_map(|format| serde_json::to_value(format).ok()) {
        let kind = format["type"].as_str().unwrap_or("text");
        if matches!(kind, "image" | "audio" | "video") && !model.makes(kind) {
            return refuse("response_format", kind);
        }
    }
    let Some(generation) = &request.generation_config else { return Ok(()) };
    for (field, kind, is_set) in [
        ("generation_config.image_config", "image", generation.image_config.is_some()),
        ("generation_config.speech_config", "audio", generation.speech_config.is_some()),
        ("generation_config.video_config", "video", generation.video_config.is_some()),
    ] {
        if is_set && !model.makes(kind) {
            return refuse(field, kind);
        }
    }
    Ok(())
}

/// Refuses a label that nothing can have; `field` is where it stands.
pub(crate) fn check_label(field: &str, key: &str, value: &str) -> Result<(), Refusal> {
    const LONGEST: usize = 63;
    let plain = |c: char| {
        c == '_' || c == '-' || c.is_numeric() || (c.is_alphabetic() && !c.is_uppercase())
    };
    let begins_well = key.chars().next().is_some_and(|c| c.is_alphabetic() && !c.is_uppercase());
    if !begins_well || !key.chars().all(plain) || key.chars().count() > LONGEST {
        return Err(Refusal::invalid(format!(
            "`{field}`: the key '{key}' must begin with a lower-case letter and have at most {LONGEST} lower-case letters, digits, `_` and `-`"
        )));
    }
    if !value.chars().all(plain) || value.chars().count() > LONGEST {
        return Err(Refusal::invalid(format!(
            "`{field}.{key}`: the value must have at most {LONGEST} lower-case letters, digits, `_` and `-`"
        )));
    }
    Ok(())
}

pub(super) fn check_tools(tools: &[Tool], model: &dyn Model) -> Result<(), Refusal> {
    let mut names = HashSet::new();
    for (index, tool) in tools.iter().enumerate() {
        let taken = |name: &str| {
            Refusal::invalid(format!("`tools[{index}].name`: '{name}' is declared twice"))
        };
        match tool {
            Tool::Function(function) => {
                if function.name.is_empty() {
                    return Err(Refusal::invalid(format!("`tools[{index}].name` is required")));
                }
                if function.parameters.as_ref().is_some_and(|schema| !schema.is_object()) {
                    return Err(Refusal::invalid(format!(
                        "`tools[{index}].parameters` must be a JSON Schema object"
                    )));
                }
                if !names.insert(("function", function.name.as_str())) {
                    return Err(taken(&function.name));
                }
            }
            Tool::McpServer(server) => {
                let name = server.name.as_deref().filter(|name| !name.is_empty());
                let name = name.ok_or_else(|| {
                    Refusal::invalid(format!("`tools[{index}].name` is required"))
                })?;
                if server.url.as_deref().is_none_or(str::is_empty) {
                    return Err(Refusal::invalid(format!("`tools[{index}].url` is required")));
                }
                if !names.insert(("mcp_server", name)) {
                    return Err(taken(name));
                }
            }
            native if model.runs_tool(native) => {}
            other => {
                return Err(Refusal::invalid(format!(
                    "The value '{}' is not supported for 'type' at 'tools[{index}].type'. Supported values: function, mcp_server.",
                    other.kind()
                )));
            }
        }
    }
    Ok(())
}

/// What the output should be; the former fields for it are read as the newer one.
#[expect(deprecated, reason = "callers may still send the former fields")]
fn response_format(request: &CreateInteraction) -> Option<Value> {
    if let Some(format) = &request.response_format {
        return serde_json::to_value(format).ok();
    }
    let mut formats: Vec<Value> = request
        .response_modalities
        .iter()
        .flatten()
        .filter(|modality| modality.as_str() != "text")
        .map(|modality| json!({"type": modality}))
        .collect();
    if let Some(mime_type) = &request.response_mime_type {
        formats.insert(0, json!({"type": "text", "mime_type": mime_type}));
    }
    (!formats.is_empty()).then(|| formats.into())
}

/// How tools may be chosen, and among which.
fn choice(
    generation: &GenerationConfig,
    tools: &[Tool],
) -> Result<(Option<ToolChoiceMode>, Option<Vec<String>>), Refusal> {
    match &generation.tool_choice {
        None => Ok((None, None)),
        Some(NameOr::Name(mode)) => Ok((Some(mode.clone()), None)),
        Some(NameOr::Object(config)) => {
            let Some(AllowedTools { mode, tools: names, .. }) = &config.allowed_tools else {
                return Ok((None, None));
            };
            // Which tools an MCP server has is not known before the run.
            let all_known = tools.iter().all(|tool| matches!(tool, Tool::Function(_)));
            let declared = |name: &String| {
                tools
                    .iter()
                    .any(|tool| matches!(tool, Tool::Function(function) if function.name == *name))
            };
            for (at, name) in names.iter().flatten().enumerate() {
                if all_known && !declared(name) {
                    return Err(Refusal::invalid(format!(
                        "`generation_config.tool_choice.allowed_tools.tools[{at}]`: '{name}' is not among the declared tools"
                    )));
                }
            }
            Ok((mode.clone(), names.clone()))
        }
        Some(_) => Ok((None, None)),
    }
}
