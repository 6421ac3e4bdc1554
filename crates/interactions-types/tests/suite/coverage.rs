//! Every property and every enum value that the schema has is modelled.

use std::collections::BTreeMap;

use interactions_types::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::support::{fixture, normal};

/// Resources that this crate does not model yet.
const NOT_MODELLED: &[&str] =
    &["agents", "credentials", "decisions", "environments", "triggers", "voices", "webhooks"];

/// Schemas that stand for nothing on the wire.
const NOT_ON_THE_WIRE: &[&str] = &["Empty", "InteractionSSEStreamEvent"];

/// Fields that Google's clients compute; they are methods here.
const COMPUTED: &[&str] =
    &["continuation_ids", "output_audio", "output_image", "output_text", "output_video"];

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
    AllowedTools,
    Allowlist,
    AllowlistEntry,
    AntigravityAgentConfig,
    ArgumentsDelta,
    AudioDelta,
    AudioResponseFormat,
    CodeExecution,
    CodeExecutionCallDelta,
    CodeExecutionResultDelta,
    CodeMenderAgentConfig,
    ComputerUse,
    DeepResearchAgentConfig,
    DocumentDelta,
    DynamicAgentConfig,
    EnvVar,
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
    Interaction,
    MediaProcessing,
    ModalityTokens,
    PlaceCitation,
    ProcessingCallDelta,
    ProcessingResultDelta,
    RagResource,
    RagRetrievalConfig,
    RagStoreConfig,
    RankService,
    Ranking,
    ResponseFormat,
    Retrieval,
    RetrievalCallDelta,
    RetrievalResultDelta,
    ReviewSnippet,
    SafetySetting,
    SessionConfig,
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
    Usage,
    VideoConfig,
    VideoDelta,
    VideoResponseFormat,
    WebhookConfig,
    WordInfo,
    ;
    AudioContent => Audio,
    AudioMediaProcessing => MediaProcessing,
    AudioProcessing => MediaProcessing,
    AudioStaticMediaProcessing => StaticProcessing,
    CodeExecutionCallArguments => CodeExecutionArguments,
    CodeExecutionCallStep => CodeExecutionCall,
    CodeExecutionResultStep => CodeExecutionResult,
    CodeExecutionResultStepResult => ToolOutput,
    CreateAgentInteraction => CreateInteraction,
    CreateAgentInteractionEnvironment => EnvironmentChoice,
    CreateAgentInteractionResponseFormat => OneOrMany<ResponseFormat>,
    CreateModelInteraction => CreateInteraction,
    CreateModelInteractionEnvironment => EnvironmentChoice,
    CreateModelInteractionResponseFormat => OneOrMany<ResponseFormat>,
    DocumentContent => Document,
    DocumentMediaProcessing => MediaProcessing,
    DocumentProcessing => MediaProcessing,
    DocumentStaticMediaProcessing => StaticProcessing,
    Env => NameOr<String, EnvVar>,
    Environment => EnvironmentConfig,
    EnvironmentNetworkEgressAllowlist => EgressAllowlist,
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
    PageProcessingOptions => PageProcessing,
    ParallelAISearchConfig => ParallelAiSearchConfig,
    Processing => MediaProcessing,
    ProcessingCallStep => ProcessingCall,
    ProcessingResultStep => ProcessingResult,
    RetrievalCallArguments => RetrievalArguments,
    RetrievalCallStep => RetrievalCall,
    RetrievalResultStep => RetrievalResult,
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
};

/// Decodes, encodes to the same, and finds nothing beyond the model.
fn check<T: DeserializeOwned + Serialize + Inspect>(schema: &str, sample: &Value) {
    let value: T = decode(sample.to_string().as_bytes())
        .unwrap_or_else(|error| panic!("{schema}: {error}: {sample}"));
    assert_eq!(normal(&serde_json::to_value(&value).unwrap()), normal(sample), "{schema}");
    let found = value.unmodelled();
    assert!(found.is_empty(), "{schema}: {found:?}");
}

#[test]
fn every_schema_is_modelled() {
    let schemas: Value = serde_json::from_str(&fixture("schema.json")).unwrap();
    let schemas = schemas.as_object().unwrap();
    let checks: BTreeMap<&str, Check> = MODELLED.iter().copied().collect();
    for resource in schemas.keys().filter(|name| *name != "$comment") {
        assert!(
            resource == "interactions" || NOT_MODELLED.contains(&resource.as_str()),
            "{resource}"
        );
    }
    let samples = Samples { schemas: schemas["interactions"].as_object().unwrap() };
    for (name, schema) in samples.schemas {
        if NOT_ON_THE_WIRE.contains(&name.as_str()) {
            continue;
        }
        let check = checks.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not modelled"));
        for sample in samples.thorough(schema) {
            check(name, &sample);
        }
    }
}

/// Makes values that fit a schema.
struct Samples<'a> {
    schemas: &'a Map<String, Value>,
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
            return self.forms(&self.schemas[name]);
        }
        if let Some(alternatives) = schema.get("anyOf").and_then(Value::as_array) {
            return alternatives.iter().flat_map(|schema| self.forms(schema)).collect();
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return values.clone();
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
