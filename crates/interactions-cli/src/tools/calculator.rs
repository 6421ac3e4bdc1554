//! `calculator`: arithmetic, exactly as far as floating point goes.

use interactions_agent::{Tool, schemars, tool_fn};
use schemars::JsonSchema;
use serde::Deserialize;

/// Deeper nesting than this is refused rather than computed.
const DEEPEST: u32 = 200;

#[derive(Deserialize, JsonSchema)]
struct Problem {
    /// An expression of numbers, + - * / % ^ and parentheses, such as 17 * (23 + 4).
    expression: String,
}

pub(super) fn tool() -> impl Tool {
    tool_fn("calculator", "Computes an arithmetic expression.", |problem: Problem| async move {
        compute(&problem.expression).map(|number| number.to_string())
    })
}

fn compute(expression: &str) -> Result<f64, String> {
    let mut parser = Parser { text: expression.chars().collect(), at: 0, depth: 0 };
    let value = parser.sum()?;
    match parser.peek() {
        Some(extra) => Err(parser.wrong(&format!("`{extra}` does not belong here"))),
        None if value.is_finite() => Ok(value),
        None => Err("the result is not a number (a division by zero?) or too large".to_owned()),
    }
}

/// sum = product (+- product)*, product = power (*/% power)*, power = unary (^ power)?
struct Parser {
    text: Vec<char>,
    at: usize,
    depth: u32,
}

impl Parser {
    fn sum(&mut self) -> Result<f64, String> {
        let mut value = self.product()?;
        loop {
            match self.peek() {
                Some('+') => value += self.next_with(Self::product)?,
                Some('-' | '−') => value -= self.next_with(Self::product)?,
                _ => return Ok(value),
            }
        }
    }

    fn product(&mut self) -> Result<f64, String> {
        let mut value = self.power()?;
        loop {
            match self.peek() {
                Some('*' | '×' | '·') => value *= self.next_with(Self::power)?,
                Some('/' | '÷') => value /= self.next_with(Self::power)?,
                Some('%') => value %= self.next_with(Self::power)?,
                _ => return Ok(value),
            }
        }
    }

    fn power(&mut self) -> Result<f64, String> {
        let base = self.unary()?;
        match self.peek() {
            Some('^') => Ok(base.powf(self.next_with(Self::power)?)),
            _ => Ok(base),
        }
    }

    fn unary(&mut self) -> Result<f64, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("the expression is nested too deeply".to_owned());
        }
        let value = match self.peek() {
            Some('-' | '−') => Ok(-self.next_with(Self::power)?),
            Some('+') => self.next_with(Self::unary),
            Some('(') => {
                let value = self.next_with(Self::sum)?;
                match self.peek() {
                    Some(')') => {
                        self.at += 1;
                        Ok(value)
                    }
                    _ => Err(self.wrong("a `)` is missing")),
                }
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(other) => Err(self.wrong(&format!("`{other}` is not a number"))),
            None => Err(self.wrong("a number is missing")),
        };
        self.depth -= 1;
        value
    }

    fn number(&mut self) -> Result<f64, String> {
        let start = self.at;
        while let Some(c) = self.text.get(self.at) {
            let exponent_sign =
                matches!(c, '+' | '-') && matches!(self.text[self.at - 1], 'e' | 'E');
            if !(c.is_ascii_digit()
                || matches!(c, '.' | '_' | 'e' | 'E')
                || (exponent_sign && self.at > start))
            {
                break;
            }
            self.at += 1;
        }
        let digits: String = self.text[start..self.at].iter().filter(|c| **c != '_').collect();
        digits.parse().map_err(|_| {
            self.at = start;
            self.wrong(&format!("`{digits}` is not a number"))
        })
    }

    /// Steps over the operator and reads what follows it.
    fn next_with(&mut self, read: fn(&mut Self) -> Result<f64, String>) -> Result<f64, String> {
        self.at += 1;
        read(self)
    }

    fn peek(&mut self) -> Option<char> {
        while self.text.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn wrong(&self, what: &str) -> String {
        format!(
            "{what} (at character {} of `{}`)",
            self.at + 1,
            self.text.iter().collect::<String>()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::compute;

    #[test]
    fn computes() {
        for (expression, value) in [
            ("17 * (23 + 4)", 459.0),
            ("2+3*4-1", 13.0),
            ("2^3^2", 512.0),
            ("-2^2", -4.0),
            ("10 % 4 / 2", 1.0),
            ("1_000 × 1.5e-1", 150.0),
            ("--3", 3.0),
        ] {
            assert_eq!(compute(expression), Ok(value), "{expression}");
        }
    }

    #[test]
    fn says_where_it_is_wrong() {
        for (expression, words) in [
            ("2 +", "a number is missing (at character 4"),
            ("2 + x", "`x` is not a number (at character 5"),
            ("(1", "`)` is missing"),
            ("1 2", "`2` does not belong here"),
            ("1.2.3", "`1.2.3` is not a number"),
            ("1/0", "division by zero"),
            ("", "a number is missing"),
        ] {
            let error = compute(expression).unwrap_err();
            assert!(error.contains(words), "{expression}: {error}");
        }
        assert!(compute(&"(".repeat(100_000)).unwrap_err().contains("too deeply"));
    }
}
