//! Addresses for people.

/// A URL without user information, query and fragment, where keys may stand.
///
/// It takes text, since an address that is not a valid URL is shown too.
///
/// ```
/// use interactions_transport::redact_url;
///
/// assert_eq!(redact_url("https://joe:secret@host:1/mcp?key=secret"), "https://host:1/mcp");
/// ```
#[must_use]
pub fn redact_url(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = bare.split_once("://").map_or(("", bare), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{host}{path}").escape_debug().collect()
}

#[cfg(test)]
mod tests {
    use super::redact_url;

    #[test]
    fn urls_are_shown_without_their_secrets() {
        for (url, expected) in [
            ("http://u:hush@h:1/p/?key=hush#hush", "http://h:1/p/"),
            ("http://u:hush@[bad", "http://[bad"),
            ("u:hush@h?key=hush", "h"),
            ("https://h/p@q", "https://h/p@q"),
        ] {
            assert_eq!(redact_url(url), expected);
        }
    }
}
