//! A place within the gateway to come back to.

use std::fmt;

use url::Url;

/// The longest path that is kept over a sign-in, in bytes: up to four sealed ones travel in a browser's cookies.
const LONGEST: usize = 512;

/// A path and query of the gateway itself, parsed and rebuilt: no text that a browser could read as another site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPath(String);

impl LocalPath {
    /// The start page.
    #[must_use]
    pub fn home() -> Self {
        Self("/".into())
    }

    /// Reads a path; none if it is not plainly a path of ours. Backslashes, control characters, `//` and anything with a host are not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        const BASE: &str = "https://rolegate.invalid";
        let plain = text.len() <= LONGEST
            && text.starts_with('/')
            && !text.starts_with("//")
            && text.chars().all(|c| !c.is_control() && !c.is_whitespace() && c != '\\');
        if !plain {
            return None;
        }
        let base = Url::parse(BASE).ok()?;
        let url = base.join(text).ok()?;
        let path = url.path();
        if url.origin() != base.origin() || path.starts_with("//") {
            return None;
        }
        // Where a login starts or comes back is no place to return to.
        if ["/login", "/callback", "/logout", "/saml"]
            .iter()
            .any(|own| path == *own || path.strip_prefix(own).is_some_and(|rest| rest.starts_with('/')))
        {
            return Some(Self::home());
        }
        let local = url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        // What had to be percent-encoded has grown.
        (local.len() <= LONGEST).then_some(Self(local))
    }

    /// The path, or the start page where it is none of ours.
    #[must_use]
    pub fn parse_or_home(text: Option<&str>) -> Self {
        text.and_then(Self::parse).unwrap_or_else(Self::home)
    }

    /// The path and query.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_ours_is_kept_with_its_query() {
        for (text, kept) in [
            ("/", "/"),
            ("/go?account=Production&role=Dev", "/go?account=Production&role=Dev"),
            ("/a/../go?x=%2F%2Fevil", "/go?x=%2F%2Fevil"),
            ("/go#fragment", "/go"),
            ("/login/okta?next=/x", "/"),
            ("/callback/okta?code=1", "/"),
            ("/saml/okta/slo?SAMLRequest=x", "/"),
            ("/logins", "/logins"),
        ] {
            assert_eq!(LocalPath::parse(text).unwrap().as_str(), kept, "{text}");
        }
    }

    #[test]
    fn w04_nothing_leads_away() {
        assert!(LocalPath::parse("/evil.example").is_some());
        for text in [
            "",
            "evil",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil",
            "https://evil.example",
            "javascript:alert(1)",
            "/x\r\nSet-Cookie: a=b",
            "/\t/evil.example",
            "/..//evil.example",
            "/.//evil.example",
            " /x",
            "/\u{a0}/evil",
            "/%0d\n",
        ] {
            assert_eq!(LocalPath::parse(text), None, "{text:?}");
        }
        assert_eq!(LocalPath::parse(&format!("/{}", "a".repeat(3000))), None);
    }

    #[test]
    fn w09_what_is_too_long_to_be_carried_leads_home() {
        for (text, kept) in [("x".repeat(LONGEST - 1), true), ("x".repeat(LONGEST), false), ("ä".repeat(LONGEST / 3), false)] {
            assert_eq!(LocalPath::parse_or_home(Some(&format!("/{text}"))).as_str() != "/", kept, "{}", text.len());
        }
    }
}
