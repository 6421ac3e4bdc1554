//! Rules from a file.

use interactions_types::JsonObject;
use serde::Deserialize;

use super::Scene;
use super::script::Action;

/// Rules in the order in which they are tried.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    #[serde(default)]
    rules: Vec<Rule>,
}

/// When something applies, and what is then done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Part of the newest text of the user, in any case. Absent fits any text.
    prompt: Option<String>,
    /// The tool whose result is to be answered, or `*`. Absent: the user is to be answered.
    after: Option<String>,
    /// The requested model. Absent fits any.
    model: Option<String>,
    steps: Vec<Line>,
}

/// One step of a rule, as it is written in the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Line {
    thought: Option<String>,
    text: Option<String>,
    chunk: Option<usize>,
    delay_ms: Option<u64>,
    call: Option<String>,
    arguments: Option<JsonObject>,
    sleep_ms: Option<u64>,
    fail: Option<String>,
    code: Option<String>,
    stop: Option<String>,
}

impl Rules {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let source = toml::Deserializer::parse(text).map_err(|error| error.to_string())?;
        let rules: Self = serde_path_to_error::deserialize(source)
            .map_err(|error| format!("`{}`: {}", error.path(), error.inner().message()))?;
        for (number, rule) in rules.rules.iter().enumerate() {
            for (step, line) in rule.steps.iter().enumerate() {
                line.action()
                    .map_err(|error| format!("`rules[{number}].steps[{step}]`: {error}"))?;
            }
        }
        Ok(rules)
    }

    /// What the first fitting rule says; `None` when none fits.
    pub(super) fn actions(&self, scene: &Scene<'_>) -> Option<Vec<Action>> {
        let rule = self.rules.iter().find(|rule| rule.fits(scene))?;
        // Parsing made sure that every line is an action.
        Some(
            rule.steps
                .iter()
                .filter_map(|line| line.action().ok())
                .map(|action| action.fill_in(scene))
                .collect(),
        )
    }
}

impl Rule {
    fn fits(&self, scene: &Scene<'_>) -> bool {
        let by_prompt = self
            .prompt
            .as_ref()
            .is_none_or(|part| scene.prompt.to_lowercase().contains(&part.to_lowercase()));
        let by_result = match (&self.after, scene.newest_result()) {
            (None, None) => true,
            (Some(tool), Some((name, _))) => tool == "*" || tool == name,
            _ => false,
        };
        let by_model = self.model.as_ref().is_none_or(|model| *model == scene.turn.model);
        by_prompt && by_result && by_model
    }
}

impl Line {
    fn action(&self) -> Result<Action, &'static str> {
        let line = self.clone();
        let delay_ms = line.delay_ms.unwrap_or(0);
        match (line.thought, line.text, line.call, line.sleep_ms, line.fail, line.stop) {
            (Some(text), None, None, None, None, None) => Ok(Action::Think(text)),
            (None, Some(text), None, None, None, None) => {
                Ok(Action::Say { text, chunk: line.chunk.unwrap_or(usize::MAX).max(1), delay_ms })
            }
            (None, None, Some(name), None, None, None) => {
                Ok(Action::Call { name, arguments: line.arguments.unwrap_or_default() })
            }
            (None, None, None, Some(millis), None, None) => Ok(Action::Sleep(millis)),
            (None, None, None, None, Some(message), None) => Ok(Action::Fail {
                message,
                code: line.code.unwrap_or_else(|| "api_error".to_owned()),
            }),
            (None, None, None, None, None, Some(reason)) if reason == "max_tokens" => {
                Ok(Action::CutShort)
            }
            (None, None, None, None, None, Some(_)) => Err("`stop` knows only \"max_tokens\""),
            _ => Err("a step is exactly one of thought, text, call, sleep_ms, fail and stop"),
        }
    }
}

#[cfg(test)]
mod tests {
    use interactions_types::Step;

    use super::super::super::Turn;
    use super::*;

    const RULES: &str = r#"
        [[rules]]
        prompt = "Weather"
        steps = [{ thought = "hm" }, { call = "get_weather", arguments = { city = "Paris" } }]
        [[rules]]
        after = "get_weather"
        steps = [{ text = "{prompt}: {result}" }]
    "#;

    fn actions(steps: Vec<Step>) -> Option<Vec<Action>> {
        let turn = Turn { steps, ..Turn::default() };
        Rules::parse(RULES).unwrap().actions(&Scene::of(&turn))
    }

    #[test]
    fn the_first_fitting_rule_speaks() {
        let asked = vec![Step::user_text("the weather?")];
        let call = interactions_types::FunctionCall::new("c1", "get_weather", JsonObject::new());
        assert_eq!(actions(asked.clone()).unwrap().len(), 2);

        let mut answered = asked;
        let result = call.result("sunny");
        answered.extend([Step::from(call), result.into()]);
        let say =
            Action::Say { text: "the weather?: sunny".to_owned(), chunk: usize::MAX, delay_ms: 0 };
        assert_eq!(actions(answered), Some(vec![say]));
        assert_eq!(actions(vec![Step::user_text("hello")]), None);
    }

    #[test]
    fn says_where_a_file_is_wrong() {
        for (text, place) in [
            ("[[rules]]\nsteps = [{ txt = 'x' }]", "txt"),
            (
                "[[rules]]\nsteps = [{ text = 'x' }, { text = 'x', call = 'y' }]",
                "rules[0].steps[1]",
            ),
            ("[[rules]]\nsteps = [{ stop = 'soon' }]", "max_tokens"),
            ("[[rule]]", "rule"),
        ] {
            let error = Rules::parse(text).unwrap_err();
            assert!(error.contains(place), "{error}");
        }
    }
}
