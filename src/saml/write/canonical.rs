//! The tree of elements, and its canonical bytes.

use std::borrow::Cow;

use thiserror::Error;

/// Why something cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unwritable {
    /// XML 1.0 has no way to write this character, not even escaped (section 2.2).
    #[error("`{place}` holds the character U+{code:04X}, which XML cannot carry")]
    Character {
        /// The element or attribute that would hold it.
        place: &'static str,
        /// The code point.
        code: u32,
    },
    /// A value that the receiver would refuse or misread.
    #[error("{field}: {why}")]
    Value {
        /// The field, as its receiver calls it.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The machine's cryptography failed.
    #[error("the key cannot be used")]
    Key,
}

/// The namespaces that are written, each with one prefix everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ns {
    /// SAML assertions.
    Saml,
    /// SAML protocol messages.
    Samlp,
    /// SAML metadata.
    Md,
    /// XML signature.
    Ds,
    /// XML encryption.
    Xenc,
}

impl Ns {
    const COUNT: usize = 5;

    /// The prefix.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Saml => "saml",
            Self::Samlp => "samlp",
            Self::Md => "md",
            Self::Ds => "ds",
            Self::Xenc => "xenc",
        }
    }

    /// The namespace's name.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Saml => "urn:oasis:names:tc:SAML:2.0:assertion",
            Self::Samlp => "urn:oasis:names:tc:SAML:2.0:protocol",
            Self::Md => "urn:oasis:names:tc:SAML:2.0:metadata",
            Self::Ds => "http://www.w3.org/2000/09/xmldsig#",
            Self::Xenc => "http://www.w3.org/2001/04/xmlenc#",
        }
    }
}

/// An element to be written. Its name and the names of its attributes are constants; only values come from outside.
#[derive(Debug, Clone)]
pub struct Element<'a> {
    ns: Ns,
    local: &'static str,
    attributes: Vec<(&'static str, Cow<'a, str>)>,
    nodes: Vec<Node<'a>>,
}

#[derive(Debug, Clone)]
enum Node<'a> {
    Element(Element<'a>),
    Text(Cow<'a, str>),
    /// Bytes that an `Element` was written as earlier.
    Written(String),
}

impl<'a> Element<'a> {
    /// An empty element.
    #[must_use]
    pub const fn new(ns: Ns, local: &'static str) -> Self {
        Self { ns, local, attributes: Vec::new(), nodes: Vec::new() }
    }

    /// Adds an attribute, which stands in no namespace. No element may get the same one twice.
    #[must_use]
    pub fn attribute(mut self, local: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        debug_assert!(self.attributes.iter().all(|(other, _)| *other != local), "the attribute {local} is written twice");
        self.attributes.push((local, value.into()));
        self
    }

    /// Adds an attribute if there is a value for it.
    #[must_use]
    pub fn optional(self, local: &'static str, value: Option<impl Into<Cow<'a, str>>>) -> Self {
        match value {
            Some(value) => self.attribute(local, value),
            None => self,
        }
    }

    /// Adds a child after those that are there.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.nodes.push(Node::Element(child));
        self
    }

    /// Adds children after those that are there.
    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.nodes.extend(children.into_iter().map(Node::Element));
        self
    }

    /// Adds text.
    #[must_use]
    pub fn text(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.nodes.push(Node::Text(text.into()));
        self
    }

    /// Adds what another element was written as, byte for byte: for what is signed already. It carries its own namespace declarations.
    #[must_use]
    pub(crate) fn written(mut self, bytes: String) -> Self {
        self.nodes.push(Node::Written(bytes));
        self
    }

    /// Puts a child before the one that stands at `index` now, or at the end.
    pub(in crate::saml) fn insert(&mut self, index: usize, child: Self) {
        self.nodes.insert(self.nodes.len().min(index), Node::Element(child));
    }

    /// The element as a document of its own, in canonical form.
    ///
    /// # Errors
    /// [`Unwritable::Character`].
    pub fn to_canonical(&self) -> Result<String, Unwritable> {
        let mut out = String::with_capacity(4096);
        self.render(&mut out, &mut Vec::with_capacity(Ns::COUNT))?;
        Ok(out)
    }

    /// `declared` are the namespaces whose prefixes the elements around this one have declared.
    fn render(&self, out: &mut String, declared: &mut Vec<Ns>) -> Result<(), Unwritable> {
        let tag = |out: &mut String| {
            out.push_str(self.ns.prefix());
            out.push(':');
            out.push_str(self.local);
        };
        out.push('<');
        tag(out);
        let depth = declared.len();
        // Exclusive canonicalisation declares a prefix where it is first used; unqualified attributes use none (section 3).
        if !declared.contains(&self.ns) {
            declared.push(self.ns);
            for part in [" xmlns:", self.ns.prefix(), "=\"", self.ns.uri(), "\""] {
                out.push_str(part);
            }
        }
        let mut attributes: Vec<_> = self.attributes.iter().collect();
        attributes.sort_unstable_by_key(|(local, _)| *local);
        for (local, value) in attributes {
            out.push(' ');
            out.push_str(local);
            out.push_str("=\"");
            escape(out, local, value, attribute_escape)?;
            out.push('"');
        }
        out.push('>');
        for node in &self.nodes {
            match node {
                Node::Element(child) => child.render(out, declared)?,
                Node::Text(text) => escape(out, self.local, text, text_escape)?,
                Node::Written(bytes) => out.push_str(bytes),
            }
        }
        declared.truncate(depth);
        out.push_str("</");
        tag(out);
        out.push('>');
        Ok(())
    }
}

/// Canonical XML 1.0 section 2.3, text nodes.
const fn text_escape(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\r' => Some("&#xD;"),
        _ => None,
    }
}

/// Canonical XML 1.0 section 2.3, attribute nodes.
const fn attribute_escape(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '"' => Some("&quot;"),
        '\t' => Some("&#x9;"),
        '\n' => Some("&#xA;"),
        '\r' => Some("&#xD;"),
        _ => None,
    }
}

fn escape(out: &mut String, place: &'static str, value: &str, escaped: fn(char) -> Option<&'static str>) -> Result<(), Unwritable> {
    for character in value.chars() {
        // XML 1.0 section 2.2, `Char`; a Rust `char` is never a surrogate.
        if matches!(character, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}') {
            return Err(Unwritable::Character { place, code: character.into() });
        }
        match escaped(character) {
            Some(text) => out.push_str(text),
            None => out.push(character),
        }
    }
    Ok(())
}
