//! The words of XML: names, attributes, references, characters.

use std::borrow::Cow;

use super::{Limits, XML_NS, XmlRefused};

const XMLNS_NS: &str = "http://www.w3.org/2000/xmlns/";
const MAX_NAMESPACE: usize = 512;

/// An attribute as it is written.
pub(super) struct Written<'x> {
    pub(super) name: &'x str,
    pub(super) value: &'x str,
}

impl<'x> Written<'x> {
    /// The prefix and namespace that it declares, if it does.
    pub(super) fn declaration(&self) -> Option<(&'x str, &'x str)> {
        match self.name.strip_prefix("xmlns")? {
            "" => Some(("", self.value)),
            rest => Some((rest.strip_prefix(':')?, self.value)),
        }
    }
}

pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

const fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Whether the text is a name without a colon (an `NCName`), in ASCII.
#[must_use]
pub(crate) fn is_ncname(text: &str) -> bool {
    text.bytes().next().is_some_and(is_name_start) && text.bytes().all(is_name_byte)
}

const fn is_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Refuses a byte order mark and characters that XML forbids.
pub(super) fn check_characters(text: &str) -> Result<(), XmlRefused> {
    if text.starts_with('\u{FEFF}') {
        return Err(XmlRefused::Encoding);
    }
    let ascii = |byte: u8| byte >= 0x20 || is_space(byte);
    let allowed = if text.is_ascii() { text.bytes().all(ascii) } else { text.chars().all(is_char) };
    if allowed { Ok(()) } else { Err(XmlRefused::Malformed("it holds a forbidden character")) }
}

/// Splits a qualified name into prefix and local part.
pub(super) fn split(name: &str) -> Result<(&str, &str), XmlRefused> {
    let (prefix, local) = match name.split_once(':') {
        Some((prefix, local)) if is_ncname(prefix) => (prefix, local),
        Some(_) => return Err(XmlRefused::Malformed("a name is not plain")),
        None => ("", name),
    };
    if prefix == "xmlns" {
        return Err(XmlRefused::Namespace("the prefix xmlns is not for names"));
    }
    if is_ncname(local) { Ok((prefix, local)) } else { Err(XmlRefused::Malformed("a name is not plain")) }
}

/// Takes a start tag apart.
pub(super) fn start_tag<'x>(tag: &'x str, limits: &Limits) -> Result<(&'x str, Vec<Written<'x>>), XmlRefused> {
    let end = tag.bytes().position(is_space).unwrap_or(tag.len());
    let (name, rest) = tag.split_at(end);
    Ok((name, attributes(rest, limits)?))
}

fn attributes<'x>(mut rest: &'x str, limits: &Limits) -> Result<Vec<Written<'x>>, XmlRefused> {
    const BROKEN: XmlRefused = XmlRefused::Malformed("an attribute is broken");
    let mut found = Vec::new();
    loop {
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if trimmed.is_empty() {
            return Ok(found);
        }
        if trimmed.len() == rest.len() {
            return Err(BROKEN); // no space in front of it
        }
        let (name, after) = trimmed.split_once('=').ok_or(BROKEN)?;
        let after = after.trim_start_matches([' ', '\t', '\r', '\n']);
        let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\'')).ok_or(BROKEN)?;
        let (value, after) = after.get(1..).and_then(|inner| inner.split_once(quote)).ok_or(BROKEN)?;
        if value.contains('<') {
            return Err(BROKEN);
        }
        if value.len() > limits.attribute_length {
            return Err(XmlRefused::AttributeTooLong);
        }
        if found.len() >= limits.attributes {
            return Err(XmlRefused::TooManyAttributes);
        }
        found.push(Written { name: name.trim_end_matches([' ', '\t', '\r', '\n']), value });
        rest = after;
    }
}

/// Checks an end tag's name; that it matches its start tag, the reader has checked.
pub(super) fn check_end_name(name: &str) -> Result<(), XmlRefused> {
    split(name.trim_end_matches([' ', '\t', '\r', '\n'])).map(|_| ())
}

/// Checks a namespace declaration.
pub(super) fn check_binding<'x>(prefix: &str, ns: &'x str) -> Result<&'x str, XmlRefused> {
    if !prefix.is_empty() && !is_ncname(prefix) {
        return Err(XmlRefused::Malformed("a name is not plain"));
    }
    if prefix.eq_ignore_ascii_case("xml") || prefix.eq_ignore_ascii_case("xmlns") || ns == XML_NS || ns == XMLNS_NS {
        return Err(XmlRefused::Namespace("xml and xmlns cannot be bound anew"));
    }
    if ns.is_empty() {
        return if prefix.is_empty() { Ok(ns) } else { Err(XmlRefused::Namespace("a prefix is bound to nothing")) };
    }
    // Canonicalisation repeats a declaration at every use of it: a long one would make a short document huge.
    if ns.len() > MAX_NAMESPACE {
        return Err(XmlRefused::Namespace("a namespace name is too long"));
    }
    // Canonicalisation fails on a relative name in some libraries and passes in others; and a name that needs references is a trick.
    if is_absolute_uri(ns) { Ok(ns) } else { Err(XmlRefused::Namespace("a namespace name is not an absolute URI")) }
}

/// RFC 3986, without what only tricks have: references of XML, user information, addresses in brackets.
fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let named = scheme.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    let (path, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let host = path.strip_prefix("//").map(|path| path.split(['/', '?']).next().unwrap_or_default());
    let located = host.is_none_or(|host| {
        let (name, port) = host.split_once(':').unwrap_or((host, ""));
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        plain && !name.is_empty() && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    named && located && is_uri_text(path) && is_uri_text(fragment)
}

fn is_uri_text(text: &str) -> bool {
    let mut pieces = text.split('%');
    let plain = |piece: &str| piece.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?@!$'()*+,;=".contains(&byte));
    let escaped = |piece: &str| piece.len() >= 2 && piece.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()) && plain(piece);
    pieces.next().is_some_and(plain) && pieces.all(escaped)
}

/// What stands inside a comment: parsers that stop at different hyphens see different documents (XML 1.0 section 2.5).
pub(super) fn check_comment(inner: &str) -> Result<(), XmlRefused> {
    if inner.contains("--") || inner.ends_with('-') { Err(XmlRefused::Malformed("a comment holds two hyphens")) } else { Ok(()) }
}

/// The character that a reference stands for; `name` is what stands between `&` and `;`.
pub(super) fn reference(name: &str) -> Result<char, XmlRefused> {
    let number = |digits: &str, radix| {
        let plain = (1..=8).contains(&digits.len()) && digits.chars().all(|digit| digit.is_digit(radix));
        plain.then(|| u32::from_str_radix(digits, radix).ok()).flatten().and_then(char::from_u32).filter(|&found| is_char(found))
    };
    let found = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix("#x") {
            Some(digits) => number(digits, 16),
            None => name.strip_prefix('#').and_then(|digits| number(digits, 10)),
        },
    };
    found.ok_or(XmlRefused::Entity)
}

/// Text between tags, with line ends as XML wants them. References in it come as events of their own.
pub(super) fn plain(raw: &str) -> Result<Cow<'_, str>, XmlRefused> {
    if raw.contains("]]>") {
        return Err(XmlRefused::Malformed("]]> stands in text"));
    }
    if raw.contains(['&', '<']) {
        return Err(XmlRefused::Malformed("markup stands in text"));
    }
    Ok(if raw.contains('\r') { Cow::Owned(raw.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(raw) })
}

/// An attribute's value: blanks become spaces, references are resolved (XML 1.0 section 3.3.3).
pub(super) fn attribute_value(raw: &str) -> Result<Cow<'_, str>, XmlRefused> {
    if !raw.contains(['&', '\t', '\r', '\n']) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut value = String::with_capacity(raw.len());
    let mut parts = raw.split('&');
    let blank = |text: &str| text.replace("\r\n", " ").replace(['\t', '\r', '\n'], " ");
    value.push_str(&blank(parts.next().unwrap_or_default()));
    for part in parts {
        let (name, rest) = part.split_once(';').ok_or(XmlRefused::Entity)?;
        value.push(reference(name)?);
        value.push_str(&blank(rest));
    }
    Ok(Cow::Owned(value))
}

/// Checks what stands in the XML declaration: version 1.0, and no encoding but UTF-8.
pub(super) fn check_declaration(inner: &str) -> Result<(), XmlRefused> {
    let written = attributes(inner, &Limits::RESPONSE)?;
    let mut words = written.iter().map(|written| (written.name, written.value)).peekable();
    if words.next() != Some(("version", "1.0")) {
        return Err(XmlRefused::Malformed("it is not XML 1.0"));
    }
    if let Some((_, encoding)) = words.next_if(|word| word.0 == "encoding")
        && !encoding.eq_ignore_ascii_case("utf-8")
    {
        return Err(XmlRefused::Encoding);
    }
    let _ = words.next_if(|word| *word == ("standalone", "yes") || *word == ("standalone", "no"));
    if words.next().is_none() { Ok(()) } else { Err(XmlRefused::Malformed("its declaration is broken")) }
}
