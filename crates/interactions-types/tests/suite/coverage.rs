//! Every property and every enum value that the schema has is modelled.

use std::collections::{BTreeMap, BTreeSet};

use interactions_types::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::support::{normal, schema};

/// Schemas that stand for nothing on the wire: what Google's clients give where a reply
/// has no body, and their wrapper around a stream's events.
const NOT_ON_THE_WIRE: &[&str] = &["Empty", "InteractionSSEStreamEvent"];

/// Schemas of further resources that have the name of another one in `interactions`.
const SAME_NAME: &[(&str, &str, Check)] = &[("environments", "Environment", check::<Environment>)];

/// Fields that Google's clients compute; they are methods here.
const COMPUTED: &[&str] =
    &["continuation_ids", "output_audio", "output_image", "output_text", "output_video"];

/// Fields that the schema lists the values of, but whose values are names, each as good as another.
const NAMES: &[&str] = &["agent", "model"];

type Check = fn(&str, &Value);

macro_rules! checks {
    ($($same:ident),* $(,)? ; $($schema:ident => $type:ty),* $(,)?) => {
        &[
            $( (stringify!($same), check::<$same> as Check), )*
            $( (stringify!($schema), check::<$type> as Check), )*
        ]
    };
}

/// The type that models each schema.
const MODELLED: &[(&str, Check)] = checks! {
    Agent,
    AgentConfig,
    AgentListResponse,
    AllowedTools,
    Allowlist,
    AllowlistEntry,
    AntigravityAgentConfig,
    ArgumentsDelta,
    AudioData,
    AudioDelta,
    AudioResponseFormat,
    ChoiceAnswer,
    ChoiceQuestion,
    CodeExecution,
    CodeExecutionCallDelta,
    CodeExecutionResultDelta,
    CodeMenderAgentConfig,
    ComputerUse,
    CreateDecisionRequest,
    CreateDecisionResponse,
    CreateEnvironmentRequest,
    CreateVoiceRequest,
    Credential,
    CredentialListResponse,
    DeepResearchAgentConfig,
    DocumentDelta,
    DynamicAgentConfig,
    EnvVar,
    EnvironmentFile,
    EnvironmentVariableConfig,
    EnvironmentVariableUpdateConfig,
    ErrorEvent,
    FileCitation,
    FileContent,
    FileSearch,
    FileSearchCallDelta,
    FileSearchResultDelta,
    FindRequest,
    FixRequest,
    Function,
    FunctionResultDelta,
    GenerationConfig,
    GetEnvironmentFilesResponse,
    GoogleMaps,
    GoogleMapsCallDelta,
    GoogleMapsResultDelta,
    GoogleSearch,
    GoogleSearchCallDelta,
    GoogleSearchResultDelta,
    GroundingToolCount,
    HybridSearch,
    ImageConfig,
    ImageDelta,
    ImageResponseFormat,
    Input,
    Interaction,
    ListEnvironmentsResponse,
    ListTriggerExecutionsResponse,
    ListTriggersResponse,
    ListVoicesResponse,
    MediaProcessing,
    ModalityTokens,
    NoulAnswer,
    NoulCriteria,
    NoulQuestion,
    OAuth2Config,
    OAuth2UpdateConfig,
    PlaceCitation,
    ProcessingCallDelta,
    ProcessingResultDelta,
    PromptFeedback,
    PromptedVoice,
    RagResource,
    RagRetrievalConfig,
    RagStoreConfig,
    RankService,
    Ranking,
    ReplicatedVoice,
    ResponseFormat,
    Retrieval,
    RetrievalCallDelta,
    RetrievalResultDelta,
    ReviewSnippet,
    RotateSigningSecretRequest,
    SafetySetting,
    ScoreAnswer,
    ScoreQuestion,
    SessionConfig,
    SigningSecret,
    Source,
    SpeakerConfig,
    SpeechConfig,
    StepDelta,
    StepDeltaMetadata,
    StepStart,
    StepStop,
    TextAnnotationDelta,
    TextDelta,
    TextResponseFormat,
    ThoughtSignatureDelta,
    ThoughtSummaryDelta,
    ToolChoice,
    ToolChoiceConfig,
    ToolSearch,
    ToolSearchCallDelta,
    ToolSearchResultDelta,
    TranscriptionConfig,
    Trigger,
    TriggerCreateParams,
    TriggerExecution,
    TriggerUpdate,
    Usage,
    VideoConfig,
    VideoDelta,
    VideoResponseFormat,
    VoiceInput,
    VoiceOutput,
    Webhook,
    WebhookConfig,
    WebhookInput,
    WebhookListResponse,
    WebhookRotateSigningSecretResponse,
    WebhookUpdate,
    WordInfo,
    ;
    AudioContent => Audio,
    AudioMediaProcessing => MediaProcessing,
    AudioProcessing => MediaProcessing,
    AudioStaticMediaProcessing => StaticProcessing,
    BaseEnvironment => EnvironmentChoice,
    ChoiceQuestionInstructions => Instructions,
    CodeExecutionCallArguments => CodeExecutionArguments,
    CodeExecutionCallStep => CodeExecutionCall,
    CodeExecutionResultStep => CodeExecutionResult,
    CodeExecutionResultStepResult => ToolOutput,
    CreateAgentInteraction => CreateInteraction,
    CreateAgentInteractionEnvironment => EnvironmentChoice,
    CreateAgentInteractionResponseFormat => OneOrMany<ResponseFormat>,
    CreateEnvironmentRequestNetworkUnion => NetworkChoice,
    CreateModelInteraction => CreateInteraction,
    CreateModelInteractionEnvironment => EnvironmentChoice,
    CreateModelInteractionResponseFormat => OneOrMany<ResponseFormat>,
    DecisionInstructionContent => Text,
    DeleteVoiceResponse => Empty,
    DocumentContent => Document,
    DocumentMediaProcessing => MediaProcessing,
    DocumentProcessing => MediaProcessing,
    DocumentStaticMediaProcessing => StaticProcessing,
    Env => NameOr<String, EnvVar>,
    Environment => EnvironmentConfig,
    EnvironmentNetworkEgressAllowlist => EgressAllowlist,
    EnvironmentNetworkUnion => NetworkChoice,
    EnvironmentVariableConfigInjectionLocation => InjectionLocations,
    EnvironmentVariableUpdateConfigInjectionLocation => InjectionLocations,
    Error => ApiError,
    ExaAISearchConfig => ExaAiSearchConfig,
    FileSearchCallStep => FileSearchCall,
    FileSearchResult => JsonObject,
    FileSearchResultStep => FileSearchResult,
    Filter => RagFilter,
    FunctionCallStep => FunctionCall,
    FunctionResultDeltaResult => ToolOutput,
    FunctionResultDeltaResultUnion => ToolOutput,
    FunctionResultStep => FunctionResult,
    FunctionResultStepResult => ToolOutput,
    FunctionResultStepResultUnion => ToolOutput,
    GoogleMapsCallArguments => GoogleMapsArguments,
    GoogleMapsCallStep => GoogleMapsCall,
    GoogleMapsResult => GoogleMapsEntry,
    GoogleMapsResultPlaces => Place,
    GoogleMapsResultStep => GoogleMapsResult,
    GoogleSearchCallArguments => GoogleSearchArguments,
    GoogleSearchCallStep => GoogleSearchCall,
    GoogleSearchResult => GoogleSearchEntry,
    GoogleSearchResultStep => GoogleSearchResult,
    HTTPBearerConfig => HttpBearerConfig,
    HTTPBearerUpdateConfig => HttpBearerUpdateConfig,
    ImageContent => Image,
    InteractionCompletedEvent => InteractionCompleted,
    InteractionCreatedEvent => InteractionCreated,
    InteractionEnvironment => EnvironmentChoice,
    InteractionResponseFormat => OneOrMany<ResponseFormat>,
    InteractionSseEventInteraction => Interaction,
    InteractionStatusUpdate => StatusUpdate,
    InteractionsInput => Input,
    MCPServer => McpServer,
    MCPServerToolCallDelta => McpServerToolCallDelta,
    MCPServerToolCallStep => McpServerToolCall,
    MCPServerToolResultDelta => McpServerToolResultDelta,
    MCPServerToolResultDeltaResult => ToolOutput,
    MCPServerToolResultDeltaResultUnion => ToolOutput,
    MCPServerToolResultStep => McpServerToolResult,
    MCPServerToolResultStepResult => ToolOutput,
    MCPServerToolResultStepResultUnion => ToolOutput,
    ModelOutputStep => ModelOutput,
    Network => NetworkChoice,
    NoulQuestionInstructions => Instructions,
    PageProcessingOptions => PageProcessing,
    ParallelAISearchConfig => ParallelAiSearchConfig,
    PingWebhookRequest => Empty,
    Processing => MediaProcessing,
    ProcessingCallStep => ProcessingCall,
    ProcessingResultStep => ProcessingResult,
    RetrievalCallArguments => RetrievalArguments,
    RetrievalCallStep => RetrievalCall,
    RetrievalResultStep => RetrievalResult,
    ScoreQuestionInstructions => Instructions,
    SmartTranscriptionMode => SmartTranscription,
    SpeechAnnotation => SpeechMetadata,
    SpeechConfigUnion => SpeechConfigs,
    SpreadsheetProcessingOptions => SpreadsheetProcessing,
    StaticMediaProcessing => StaticProcessing,
    Status => RpcStatus,
    TextContent => Text,
    ThoughtStep => Thought,
    ToolSearchCallStep => ToolSearchCall,
    ToolSearchCallStepArguments => ToolSearchArguments,
    ToolSearchResultStep => ToolSearchResult,
    TranscriptionConfigMode => TranscriptionModes,
    Transform => OneOrMany<BTreeMap<String, String>>,
    URLCitation => UrlCitation,
    URLContext => UrlContext,
    URLContextCallArguments => UrlContextArguments,
    URLContextCallDelta => UrlContextCallDelta,
    URLContextCallStep => UrlContextCall,
    URLContextResult => UrlContextEntry,
    URLContextResultDelta => UrlContextResultDelta,
    URLContextResultStep => UrlContextResult,
    UserInputStep => UserInput,
    VerbatimTranscriptionMode => VerbatimTranscription,
    VertexAISearchConfig => VertexAiSearchConfig,
    VideoContent => Video,
    WebhookPingResponse => Empty,
};

/// A value that no enum has yet. Every enum keeps it, and says that it does not know it.
const NOVEL: &str = "novel";

/// Decodes, encodes to the same, and finds nothing beyond the model but novel values.
fn check<T: DeserializeOwned + Serialize + Inspect>(schema: &str, sample: &Value) {
    let value: T = decode(sample.to_string().as_bytes())
        .unwrap_or_else(|error| panic!("{schema}: {error}: {sample}"));
    assert_eq!(normal(&serde_json::to_value(&value).unwrap()), normal(sample), "{schema}");
    let found = value.unmodelled();
    let novel = found.iter().filter(|found| match found {
        Unmodelled::Value { value, .. } => value == NOVEL,
        _ => false,
    });
    assert_eq!(novel.count(), found.len(), "{schema}: {found:?}");
    let text = sample.to_string();
    assert_eq!(text.matches(&format!("\"{NOVEL}\"")).count(), found.len(), "{schema}: {text}");
}

#[test]
fn every_schema_is_modelled() {
    let schemas: Value = serde_json::from_str(&schema()).unwrap();
    let resources = schemas.as_object().unwrap();
    let checks: BTreeMap<&str, Check> = MODELLED.iter().copied().collect();
    let shared = resources["interactions"].as_object().unwrap();
    let mut used = BTreeSet::new();
    for (resource, schemas) in resources.iter().filter(|(name, _)| *name != "$comment") {
        let samples = Samples { schemas: schemas.as_object().unwrap(), shared };
        for (name, schema) in samples.schemas {
            if NOT_ON_THE_WIRE.contains(&name.as_str()) {
                continue;
            }
            let same_name = SAME_NAME.iter().find(|same| (same.0, same.1) == (resource, name));
            let check = match same_name {
                Some((_, _, check)) => check,
                None => {
                    used.insert(name.as_str());
                    let check = checks.get(name.as_str());
                    check.unwrap_or_else(|| panic!("{resource}: {name} is not modelled"))
                }
            };
            for sample in samples.thorough(schema) {
                check(name, &sample);
            }
        }
    }
    // Every line above stands for a schema.
    assert_eq!(used, checks.keys().copied().collect());
}

/// Makes values that fit a schema.
struct Samples<'a> {
    /// The schemas of the resource.
    schemas: &'a Map<String, Value>,
    /// Those that every resource may name.
    shared: &'a Map<String, Value>,
}

impl Samples<'_> {
    /// Values among which each property of the schema has each of its forms.
    fn thorough(&self, schema: &Value) -> Vec<Value> {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return self.forms(schema);
        };
        let whole = self.whole(properties);
        let mut samples = vec![whole.clone()];
        for (name, property) in properties.iter().filter(|(name, _)| wanted(name)) {
            for form in self.forms(property) {
                if NAMES.contains(&name.as_str()) && form == NOVEL {
                    continue;
                }
                let mut sample = whole.clone();
                sample[name] = form;
                samples.push(sample);
            }
        }
        samples
    }

    /// An object with every property in its first form.
    fn whole(&self, properties: &Map<String, Value>) -> Value {
        let first = |property| self.forms(property).swap_remove(0);
        properties
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, property)| (name.clone(), first(property)))
            .collect::<Map<_, _>>()
            .into()
    }

    /// One value for each form that the schema allows: for each enum value, for each alternative.
    fn forms(&self, schema: &Value) -> Vec<Value> {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            return match self.schemas.get(name) {
                Some(schema) => self.forms(schema),
                // What a shared schema names is shared too.
                None => Samples { schemas: self.shared, ..*self }.forms(&self.shared[name]),
            };
        }
        if let Some(alternatives) = schema.get("anyOf").and_then(Value::as_array) {
            return alternatives.iter().flat_map(|schema| self.forms(schema)).collect();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return values.iter().cloned().chain([json!(NOVEL)]).collect();
        }
        if let Some(value) = schema.get("const") {
            return vec![value.clone()];
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => vec![json!("s")],
            Some("integer") => vec![json!(7)],
            Some("number") => vec![json!(0.5), json!(2)],
            Some("boolean") => vec![json!(true), json!(false)],
            // The forms of the elements share one list.
            Some("array") => vec![json!(self.forms(&schema["items"])), json!([])],
            Some("object") => match (&schema["properties"], &schema["additionalProperties"]) {
                (Value::Object(properties), _) if !properties.is_empty() => {
                    vec![self.whole(properties)]
                }
                (_, Value::Object(values)) => self
                    .forms(&Value::Object(values.clone()))
                    .into_iter()
                    .map(|value| json!({"k": value}))
                    .collect(),
                _ => vec![json!({"k": [1, {"x": null}]})],
            },
            None => vec![json!({"any": [1, "x"]})],
            Some(other) => panic!("a schema of type {other}"),
        }
    }
}

fn wanted(property: &str) -> bool {
    !COMPUTED.contains(&property)
}
