//! From an offset in JSON text to a path.

use std::fmt::Write;

/// What is open around the offset.
enum Open {
    Object { key: Option<String> },
    Array { index: usize },
}

/// The path of the value at which a reader stopped after `offset` bytes of valid JSON text.
pub(crate) fn place(text: &str, offset: usize) -> String {
    let bytes = text.as_bytes();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < offset.min(bytes.len()) {
        match bytes[at] {
            b'{' => open.push(Open::Object { key: None }),
            b'[' => open.push(Open::Array { index: 0 }),
            b'}' | b']' => {
                open.pop();
            }
            b',' => match open.last_mut() {
                Some(Open::Object { key }) => *key = None,
                Some(Open::Array { index }) => *index += 1,
                None => {}
            },
            b'"' => {
                let end = string_end(bytes, at);
                if let Some(Open::Object { key: key @ None }) = open.last_mut() {
                    *key = serde_json::from_str(&text[at..end]).ok();
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for step in open {
        let _ = match step {
            Open::Object { key: Some(key) } if path.is_empty() => write!(path, "{key}"),
            Open::Object { key: Some(key) } => write!(path, ".{key}"),
            Open::Object { key: None } => Ok(()),
            Open::Array { index } => write!(path, "[{index}]"),
        };
    }
    path
}

/// The end of the string that begins at `start`, its quotes included.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_the_value_read_last() {
        let text = r#"{"a":[{"b":"x\"]}","c":[1,{}]},2],"d":{"e":7}}"#;
        for (upto, path) in [
            ("", ""),
            (r#"{"a""#, "a"),
            (r#"{"a":["#, "a[0]"),
            (r#"{"a":[{"b":"x\"]}""#, "a[0].b"),
            (r#"{"a":[{"b":"x\"]}","c":[1"#, "a[0].c[0]"),
            (r#"{"a":[{"b":"x\"]}","c":[1,{}"#, "a[0].c[1]"),
            (r#"{"a":[{"b":"x\"]}","c":[1,{}]}"#, "a[0]"),
            (r#"{"a":[{"b":"x\"]}","c":[1,{}]},2],"d":{"e":7"#, "d.e"),
        ] {
            assert!(text.starts_with(upto), "{upto}");
            assert_eq!(place(text, upto.len()), path, "{upto}");
        }
        assert_eq!(place(text, 1000), "");
    }
}
