//! A text of a page, which is escaped however it is written.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use askama::filters::{Escaper, Html, HtmlSafe};
use askama::{FastWritable, Values};

use super::quick::Bytes;

/// A text of a page: borrowed where it can be, for the portal is rendered often. As text it is what [`Deref`] gives; whatever writes it,
/// a template or `Display`, writes it as HTML.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    /// The text itself, which is not HTML.
    #[must_use]
    pub fn into_plain(self) -> String {
        self.0.into_owned()
    }

    /// Nearly all that is written has nothing to escape. To see that costs a fraction of looking for what to write instead.
    fn write(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        if is_plain(&self.0) { to.write_str(&self.0) } else { Html.write_escaped_str(to, &self.0) }
    }
}

/// Whether a text is the same in HTML.
fn is_plain(text: &str) -> bool {
    static MARKUP: Bytes = Bytes::of(b"\"&'<>");
    MARKUP.has_none_of(text)
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl FastWritable for Text<'_> {
    fn write_into(&self, to: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        Ok(self.write(to)?)
    }
}

/// Because it is escaped when it is written.
impl HtmlSafe for Text<'_> {}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.into())
    }
}

impl<'a> From<&'a String> for Text<'a> {
    fn from(text: &'a String) -> Self {
        Self(text.into())
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl<'a> From<Cow<'a, str>> for Text<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::*;

    #[derive(Template)]
    #[template(source = "{{ text }}", ext = "html")]
    struct Plain<'a> {
        text: &'a str,
    }

    #[derive(Template)]
    #[template(source = "{{ text }}", ext = "html")]
    struct Ours<'a> {
        text: Text<'a>,
    }

    #[test]
    fn w08_a_text_is_escaped_as_a_template_escapes_and_however_it_is_written() {
        let everything: String = ('\0'..='\u{2ff}').collect();
        for text in ["", "nothing to escape", "<", "a&", "'b", "\"", ">c<", everything.as_str()] {
            let expected = Plain { text }.render().unwrap();
            assert_eq!(Ours { text: text.into() }.render().unwrap(), expected);
            assert_eq!(Text::from(text).to_string(), expected);
            assert_eq!(&*Text::from(text), text);
        }
    }
}
