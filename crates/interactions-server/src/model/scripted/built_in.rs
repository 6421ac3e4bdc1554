//! The rules that come with the server.
//!
//! | the user says | the model |
//! |---|---|
//! | `count to N` | streams the numbers, 50 ms each |
//! | `wait N`, `sleep N` | waits N seconds, then answers |
//! | `think …` | thinks aloud first |
//! | `fail …` | fails |
//! | `cut …` | ends as `incomplete` |
//! | anything that shares a word with a tool | calls the tool with made-up arguments |
//! | anything else | is told what was said |
//!
//! When tools have answered, it reports what they said.
//! Where a JSON Schema is asked for, it answers with an example of it instead.

use interactions_types::{JsonObject, ToolChoiceMode};
use regex_lite::Regex;
use serde_json::{Value, json};

use super::Scene;
use super::script::Action;
use crate::model::FunctionSpec;

const LONGEST_WAIT_SECONDS: u64 = 600;
const LONGEST_COUNT: u64 = 10_000;

pub(super) fn actions(scene: &Scene<'_>) -> Vec<Action> {
    if scene.newest_result().is_some() {
        return report(scene);
    }
    let prompt = scene.prompt.to_lowercase();
    let number_after = |words: &str| -> Option<u64> {
        let pattern = Regex::new(&format!(r"\b(?:{words})\s+(\d{{1,9}})")).ok()?;
        pattern.captures(&prompt)?.get(1)?.as_str().parse().ok()
    };
    let said = |word: &str| prompt.split(|c: char| !c.is_alphanumeric()).any(|part| part == word);
    let forced = scene.turn.tool_choice == Some(ToolChoiceMode::Any);

    if let Some(end) = number_after("count to") {
        let text =
            (1..=end.min(LONGEST_COUNT)).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        return vec![Action::Say { text, chunk: 2, delay_ms: 50 }];
    }
    if let Some(seconds) = number_after("wait|sleep") {
        let seconds = seconds.min(LONGEST_WAIT_SECONDS);
        return vec![Action::Sleep(seconds * 1000), answer(scene, format!("Waited {seconds} s."))];
    }
    if said("fail") {
        return vec![Action::Fail {
            message: "the script was asked to fail".to_owned(),
            code: "api_error".to_owned(),
        }];
    }
    if said("cut") {
        return vec![say("This answer is cut sh".to_owned()), Action::CutShort];
    }
    let mut actions = Vec::new();
    if said("think") {
        actions
            .push(Action::Think("The rules say to think aloud before answering this.".to_owned()));
    }
    match chosen_tool(scene, &prompt, forced) {
        Some(tool) => {
            actions
                .push(Action::Think(format!("`{}` looks useful here, so I call it.", tool.name)));
            actions.push(Action::Call {
                name: tool.name.clone(),
                arguments: made_up(tool, &scene.prompt),
            });
        }
        None => actions.push(answer(scene, format!("You said: {}", scene.prompt))),
    }
    actions
}

fn say(text: String) -> Action {
    Action::Say { text, chunk: 12, delay_ms: 0 }
}

/// Says it, or what the schema of the request makes of the prompt.
fn answer(scene: &Scene<'_>, text: String) -> Action {
    say(match scene.turn.schema() {
        Some(schema) => {
            let mut numbers = numbers(&scene.prompt);
            example("", &schema, &scene.prompt, &mut numbers, 0).to_string()
        }
        None => text,
    })
}

fn report(scene: &Scene<'_>) -> Vec<Action> {
    let answers: Vec<String> = scene
        .results
        .iter()
        .map(
            |(name, text)| {
                if name.is_empty() { text.clone() } else { format!("`{name}` answered: {text}") }
            },
        )
        .collect();
    vec![answer(scene, answers.join("\n"))]
}

/// The tool that shares the most words with the prompt; failing that, one that needs no arguments.
fn chosen_tool<'a>(scene: &Scene<'a>, prompt: &str, forced: bool) -> Option<&'a FunctionSpec> {
    let functions = &scene.turn.functions;
    let heard: Vec<&str> = words(prompt).collect();
    let score = |tool: &FunctionSpec| {
        let name = tool.name.to_lowercase();
        let description = tool.description.as_deref().unwrap_or_default().to_lowercase();
        let by_name = words(&name).filter(|word| heard.contains(word)).count();
        let by_description = words(&description).filter(|word| heard.contains(word)).count();
        let arithmetic = prompt.contains(|c: char| c.is_ascii_digit())
            && prompt.contains(['+', '*', '/', '×', '^'])
            && tool
                .parameters
                .get("properties")
                .is_some_and(|properties| properties.get("expression").is_some());
        10 * usize::from(arithmetic) + 4 * by_name + by_description
    };
    let best = functions.iter().rev().max_by_key(|tool| score(tool)).filter(|tool| score(tool) > 0);
    let easy = || functions.iter().find(|tool| required(tool).next().is_none());
    best.or_else(easy).or_else(|| functions.first().filter(|_| forced))
}

/// Words that can tell one tool from another.
fn words(text: &str) -> impl Iterator<Item = &str> {
    const COMMON: &[&str] = &[
        "and", "are", "for", "from", "get", "how", "into", "that", "the", "this", "tool", "what",
        "when", "with", "you", "your",
    ];
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 2 && !COMMON.contains(word))
}

fn required(tool: &FunctionSpec) -> impl Iterator<Item = &str> {
    tool.parameters
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// Arguments for the required properties, from the schema where it says, else from the prompt.
fn made_up(tool: &FunctionSpec, prompt: &str) -> JsonObject {
    let mut numbers = numbers(prompt);
    required(tool)
        .map(|name| {
            let schema =
                tool.parameters.get("properties").and_then(|properties| properties.get(name));
            (
                name.to_owned(),
                example(name, schema.unwrap_or(&Value::Null), prompt, &mut numbers, 0),
            )
        })
        .collect()
}

/// The numbers in a text, one after the other.
fn numbers(text: &str) -> impl Iterator<Item = String> + use<> {
    let found: Vec<String> = Regex::new(r"-?\d+(?:\.\d+)?")
        .map(|pattern| pattern.find_iter(text).map(|found| found.as_str().to_owned()).collect())
        .unwrap_or_default();
    found.into_iter()
}

fn example(
    name: &str,
    schema: &Value,
    prompt: &str,
    numbers: &mut dyn Iterator<Item = String>,
    depth: u32,
) -> Value {
    for given in ["const", "default"] {
        if let Some(value) = schema.get(given) {
            return value.clone();
        }
    }
    for list in ["enum", "examples"] {
        if let Some(first) =
            schema.get(list).and_then(Value::as_array).and_then(|values| values.first())
        {
            return first.clone();
        }
    }
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.to_lowercase(),
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or("string")
            .to_owned(),
        _ => "string".to_owned(),
    };
    match kind.as_str() {
        "integer" => json!(
            numbers
                .next()
                .and_then(|text| text.parse::<f64>().ok())
                .map_or(1, |number| number as i64)
        ),
        "number" => json!(numbers.next().and_then(|text| text.parse::<f64>().ok()).unwrap_or(1.0)),
        "boolean" => json!(true),
        "null" => Value::Null,
        // A recursive schema must not recurse here.
        "array" if depth > 3 => json!([]),
        "object" if depth > 3 => json!({}),
        "array" => json!([example(
            name,
            schema.get("items").unwrap_or(&Value::Null),
            prompt,
            numbers,
            depth + 1
        )]),
        "object" => {
            let names =
                schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            names
                .iter()
                .filter_map(Value::as_str)
                .map(|name| {
                    let inner = schema
                        .get("properties")
                        .and_then(|properties| properties.get(name))
                        .unwrap_or(&Value::Null);
                    (name.to_owned(), example(name, inner, prompt, numbers, depth + 1))
                })
                .collect::<JsonObject>()
                .into()
        }
        _ => json!(text_for(name, prompt)),
    }
}

/// The part of the prompt that a text argument probably means.
fn text_for(name: &str, prompt: &str) -> String {
    let find = |pattern: &str| {
        let pattern = Regex::new(pattern).ok()?;
        let captures = pattern.captures(prompt)?;
        Some(captures.get(1).or_else(|| captures.get(0))?.as_str().trim().to_owned())
    };
    let quoted = || find(r#"["“']([^"”']+)["”']"#);
    let expression =
        || find(r"([\d.(\-][\d\s.+\-*/×^()%]*[\d)])").filter(|_| name.contains("expr"));
    let place = || find(r"\b(?:in|for|of|at|to)\s+([A-Z][\w\-]*(?:\s+[A-Z][\w\-]*)*)");
    quoted().or_else(expression).or_else(place).unwrap_or_else(|| prompt.to_owned())
}

#[cfg(test)]
mod tests {
    use interactions_types::Step;

    use super::*;
    use crate::model::Turn;

    fn turn(prompt: &str, functions: Vec<FunctionSpec>) -> Turn {
        Turn { steps: vec![Step::user_text(prompt)], functions, ..Turn::default() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "literals read better by value")]
    fn function(name: &str, parameters: Value) -> FunctionSpec {
        FunctionSpec {
            name: name.to_owned(),
            description: None,
            parameters: parameters.as_object().cloned().unwrap_or_default(),
        }
    }

    fn called(prompt: &str, functions: Vec<FunctionSpec>) -> Option<(String, Value)> {
        let turn = turn(prompt, functions);
        actions(&Scene::of(&turn)).into_iter().find_map(|action| match action {
            Action::Call { name, arguments } => Some((name, arguments.into())),
            _ => None,
        })
    }

    #[test]
    fn calls_the_tool_that_the_prompt_is_about() {
        let weather = function(
            "get_weather",
            json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
        );
        let sum = function(
            "add",
            json!({"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}, "required": ["a", "b"]}),
        );
        let tools = vec![weather, sum];
        assert_eq!(
            called("What is the weather in Paris?", tools.clone()),
            Some(("get_weather".to_owned(), json!({"city": "Paris"})))
        );
        assert_eq!(
            called("please add 2 and 3.5", tools.clone()),
            Some(("add".to_owned(), json!({"a": 2.0, "b": 3.5})))
        );
        assert_eq!(called("hello", tools), None);
    }

    #[test]
    fn finds_arithmetic_for_a_calculator() {
        let calculator = function(
            "calculator",
            json!({"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]}),
        );
        assert_eq!(
            called("What is 17 * (23 + 4)?", vec![calculator]),
            Some(("calculator".to_owned(), json!({"expression": "17 * (23 + 4)"})))
        );
    }

    #[test]
    fn falls_back_to_a_tool_without_arguments_and_then_to_an_echo() {
        let clock = function("clock", json!({"type": "object"}));
        assert_eq!(called("hello", vec![clock]), Some(("clock".to_owned(), json!({}))));
        let turn = turn("hello", Vec::new());
        assert_eq!(actions(&Scene::of(&turn)), [say("You said: hello".to_owned())]);
    }

    #[test]
    fn survives_recursive_and_odd_schemas() {
        let odd = function(
            "odd_thing",
            json!({"required": ["a", "b", 7], "properties": {"a": {"type": ["null", "integer"]}, "b": {"type": "array", "items": {"type": "array"}}}}),
        );
        assert_eq!(
            called("an odd thing 5", vec![odd]),
            Some(("odd_thing".to_owned(), json!({"a": 5, "b": [["an odd thing 5"]]})))
        );
    }
}
