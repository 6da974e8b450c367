//! A small XML tree for documents that strangers send: namespace-aware, strict, and bounded before it allocates much.
//!
//! It takes less than XML 1.0 allows, on purpose: no DOCTYPE, processing instruction or CDATA section, comments in metadata alone, names in
//! ASCII, no namespace name that is relative. Nothing honest in SAML needs them, and parsers disagree about them.

mod lexis;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

pub(crate) use lexis::is_ncname;
use quick_xml::Reader;
use quick_xml::events::Event;
use thiserror::Error;

use super::DS_NS;

/// The namespace of `xml:lang` and `xml:id`.
pub const XML_NS: &str = "http://www.w3.org/XML/1998/namespace";

/// How large a document may be in each respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in all.
    pub bytes: usize,
    /// Elements inside each other.
    pub depth: usize,
    /// Elements in all.
    pub elements: usize,
    /// Attributes on one element, namespace declarations included.
    pub attributes: usize,
    /// Bytes of one attribute's value.
    pub attribute_length: usize,
    /// Namespace declarations in force at one place.
    pub namespaces: usize,
    /// Whether comments are passed over instead of refused; never inside a signature. Text on both sides of one is one text.
    pub comments: bool,
}

impl Limits {
    /// For responses and requests: 256 KiB.
    pub const RESPONSE: Self = Self {
        bytes: 256 * 1024,
        depth: 32,
        elements: 16_384,
        attributes: 64,
        attribute_length: 16 * 1024,
        namespaces: 128,
        comments: false,
    };
    /// For metadata: 4 MiB, and comments, which honest metadata has.
    pub const METADATA: Self = Self { bytes: 4 * 1024 * 1024, elements: 65_536, comments: true, ..Self::RESPONSE };

    /// For what a verifier gives back of a document within these limits: canonical form spells namespaces out again and again, and has
    /// no comments.
    #[must_use]
    pub const fn verified(self) -> Self {
        Self { bytes: self.bytes * 16, comments: false, ..self }
    }
}

/// Why a document is not read, or has not the shape that its reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum XmlRefused {
    /// More bytes than allowed.
    #[error("the document is too long")]
    TooLong,
    /// Elements nested deeper than allowed.
    #[error("the document is nested too deeply")]
    TooDeep,
    /// More elements than allowed.
    #[error("the document has too many elements")]
    TooManyElements,
    /// More attributes on an element than allowed.
    #[error("an element has too many attributes")]
    TooManyAttributes,
    /// An attribute's value is longer than allowed.
    #[error("an attribute is too long")]
    AttributeTooLong,
    /// More namespace declarations in force than allowed.
    #[error("too many namespaces are declared")]
    TooManyNamespaces,
    /// Not UTF-8, starts with a byte order mark, or declares another encoding.
    #[error("the document is not plain UTF-8")]
    Encoding,
    /// Has a document type declaration.
    #[error("the document has a DOCTYPE")]
    Doctype,
    /// Has a processing instruction.
    #[error("the document has a processing instruction")]
    ProcessingInstruction,
    /// Has a comment.
    #[error("the document has a comment")]
    Comment,
    /// Has a CDATA section.
    #[error("the document has a CDATA section")]
    CData,
    /// Refers to an entity that XML does not predefine, or to a character that XML forbids.
    #[error("the document refers to an unknown entity or a forbidden character")]
    Entity,
    /// Not well-formed, as far as we take XML.
    #[error("the document is not well-formed: {0}")]
    Malformed(&'static str),
    /// A namespace is undeclared, relative, or bound where it may not be.
    #[error("the document misuses namespaces: {0}")]
    Namespace(&'static str),
    /// An element has the same attribute twice, by name or by expanded name.
    #[error("an element has an attribute twice")]
    DuplicateAttribute,
    /// Two attributes that could be taken for an ID have the same value.
    #[error("an ID occurs twice")]
    DuplicateId,
    /// An element that must be there is not.
    #[error("<{0}> is missing")]
    Missing(&'static str),
    /// An element that may be there once is there more often.
    #[error("<{0}> is there more than once")]
    Repeated(&'static str),
    /// An element that holds text holds elements.
    #[error("an element that should hold text holds elements")]
    NotText,
}

/// A name with its namespace spelled out; the namespace is empty where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name<'x> {
    /// The namespace name.
    pub ns: &'x str,
    /// The local part.
    pub local: &'x str,
}

/// An attribute that is not a namespace declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute<'x> {
    /// Its name. Without a prefix it is in no namespace.
    pub name: Name<'x>,
    /// Its value, normalised and with references resolved.
    pub value: Cow<'x, str>,
}

/// What stands inside an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node<'x> {
    /// An element.
    Element(Element<'x>),
    /// Text between tags, never empty, never two in a row.
    Text(Cow<'x, str>),
}

/// An element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element<'x> {
    /// Its name.
    pub name: Name<'x>,
    /// Its attributes as written, without namespace declarations.
    pub attributes: Vec<Attribute<'x>>,
    /// Its content in order.
    pub children: Vec<Node<'x>>,
    /// Where it stands in the document's bytes, from `<` to `>`.
    pub span: Range<usize>,
}

impl Element<'_> {
    /// Whether the element has this name.
    #[must_use]
    pub fn is(&self, ns: &str, local: &str) -> bool {
        self.name.ns == ns && self.name.local == local
    }

    /// The value of an attribute in no namespace.
    #[must_use]
    pub fn attribute(&self, local: &str) -> Option<&str> {
        self.attributes.iter().find(|attribute| attribute.name == Name { ns: "", local }).map(|attribute| &*attribute.value)
    }

    /// The child elements.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The child elements of one name.
    pub fn children<'a>(&'a self, ns: &'a str, local: &'a str) -> impl Iterator<Item = &'a Self> {
        self.elements().filter(move |element| element.is(ns, local))
    }

    /// The one child element of a name.
    ///
    /// # Errors
    /// [`XmlRefused::Missing`] or [`XmlRefused::Repeated`].
    pub fn only_child(&self, ns: &str, local: &'static str) -> Result<&Self, XmlRefused> {
        self.optional_child(ns, local)?.ok_or(XmlRefused::Missing(local))
    }

    /// The one child element of a name, or none.
    ///
    /// # Errors
    /// [`XmlRefused::Repeated`].
    pub fn optional_child(&self, ns: &str, local: &'static str) -> Result<Option<&Self>, XmlRefused> {
        let mut found = self.elements().filter(|element| element.is(ns, local));
        let first = found.next();
        if found.next().is_some() { Err(XmlRefused::Repeated(local)) } else { Ok(first) }
    }

    /// The element's whole text.
    ///
    /// # Errors
    /// [`XmlRefused::NotText`] if it has child elements.
    pub fn text(&self) -> Result<&str, XmlRefused> {
        match self.children.as_slice() {
            [] => Ok(""),
            [Node::Text(text)] => Ok(text),
            _ => Err(XmlRefused::NotText),
        }
    }

    /// The element and all elements inside it, in document order.
    pub fn descendants(&self) -> impl Iterator<Item = &Self> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            let next = waiting.pop()?;
            let before = waiting.len();
            waiting.extend(next.elements());
            if let Some(new) = waiting.get_mut(before..) {
                new.reverse();
            }
            Some(next)
        })
    }
}

/// A document that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<'x> {
    /// Its one outermost element.
    pub root: Element<'x>,
}

impl<'x> Document<'x> {
    /// Reads a document, in time linear in its length.
    ///
    /// # Errors
    /// The first [`XmlRefused`] met.
    pub fn parse(bytes: &'x [u8], limits: &Limits) -> Result<Self, XmlRefused> {
        if bytes.len() > limits.bytes {
            return Err(XmlRefused::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| XmlRefused::Encoding)?;
        lexis::check_characters(text)?;
        Builder::new(text, *limits).run()
    }
}

struct Binding<'x> {
    prefix: &'x str,
    ns: &'x str,
}

struct Builder<'x> {
    text: &'x str,
    limits: Limits,
    bindings: Vec<Binding<'x>>,
    /// The elements that are open, and how many bindings were in force outside each.
    open: Vec<(Element<'x>, usize)>,
    root: Option<Element<'x>>,
    elements: usize,
    ids: HashSet<Cow<'x, str>>,
}

impl<'x> Builder<'x> {
    fn new(text: &'x str, limits: Limits) -> Self {
        Self { text, limits, bindings: Vec::new(), open: Vec::new(), root: None, elements: 0, ids: HashSet::new() }
    }

    fn run(mut self) -> Result<Document<'x>, XmlRefused> {
        let mut reader = Reader::from_str(self.text);
        let mut start = 0;
        loop {
            let event = reader.read_event().map_err(|_| XmlRefused::Malformed("its markup is broken"))?;
            let end = usize::try_from(reader.buffer_position()).map_err(|_| XmlRefused::TooLong)?;
            let raw = self.text.get(start..end).ok_or(XmlRefused::Malformed("its markup is broken"))?;
            match event {
                Event::Start(_) => self.start(tag(raw, "<", ">")?, start..end)?,
                Event::Empty(_) => {
                    self.start(tag(raw, "<", "/>")?, start..end)?;
                    self.end(end)?;
                }
                Event::End(_) => {
                    let name = tag(raw, "</", ">")?;
                    lexis::check_end_name(name)?;
                    self.end(end)?;
                }
                Event::Text(_) => self.push_text(lexis::plain(raw)?)?,
                Event::GeneralRef(_) => self.push_text(Cow::Owned(lexis::reference(tag(raw, "&", ";")?)?.to_string()))?,
                Event::Decl(_) if start == 0 => lexis::check_declaration(tag(raw, "<?xml", "?>")?)?,
                Event::Decl(_) | Event::PI(_) => return Err(XmlRefused::ProcessingInstruction),
                Event::DocType(_) => return Err(XmlRefused::Doctype),
                Event::Comment(_) if self.limits.comments && !self.in_signature() => lexis::check_comment(tag(raw, "<!--", "-->")?)?,
                Event::Comment(_) => return Err(XmlRefused::Comment),
                Event::CData(_) => return Err(XmlRefused::CData),
                Event::Eof => break,
            }
            start = end;
        }
        if !self.open.is_empty() || start != self.text.len() {
            return Err(XmlRefused::Malformed("it ends too early"));
        }
        Ok(Document { root: self.root.ok_or(XmlRefused::Malformed("it has no element"))? })
    }

    /// Verifiers have been fooled by a comment in a digest.
    fn in_signature(&self) -> bool {
        self.open.iter().any(|(element, _)| element.is(DS_NS, "Signature"))
    }

    fn start(&mut self, tag: &'x str, span: Range<usize>) -> Result<(), XmlRefused> {
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(XmlRefused::TooManyElements);
        }
        if self.open.len() >= self.limits.depth {
            return Err(XmlRefused::TooDeep);
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(XmlRefused::Malformed("it has a second root"));
        }
        let (name, written) = lexis::start_tag(tag, &self.limits)?;
        let outside = self.bindings.len();
        for (prefix, ns) in written.iter().filter_map(lexis::Written::declaration) {
            let ns = lexis::check_binding(prefix, ns)?;
            if self.bindings.iter().skip(outside).any(|binding| binding.prefix == prefix) {
                return Err(XmlRefused::DuplicateAttribute);
            }
            self.bindings.push(Binding { prefix, ns });
        }
        if self.bindings.len() > self.limits.namespaces {
            return Err(XmlRefused::TooManyNamespaces);
        }
        let (prefix, local) = lexis::split(name)?;
        let name = Name { ns: self.resolve(prefix)?, local };
        let mut attributes: Vec<Attribute<'x>> = Vec::with_capacity(written.len());
        for attribute in written.into_iter().filter(|written| written.declaration().is_none()) {
            let (prefix, local) = lexis::split(attribute.name)?;
            let ns = if prefix.is_empty() { "" } else { self.resolve(prefix)? };
            let name = Name { ns, local };
            if attributes.iter().any(|other| other.name == name) {
                return Err(XmlRefused::DuplicateAttribute);
            }
            let value = lexis::attribute_value(attribute.value)?;
            if local.eq_ignore_ascii_case("id") && !self.ids.insert(value.clone()) {
                return Err(XmlRefused::DuplicateId);
            }
            attributes.push(Attribute { name, value });
        }
        self.open.push((Element { name, attributes, children: Vec::new(), span }, outside));
        Ok(())
    }

    fn end(&mut self, end: usize) -> Result<(), XmlRefused> {
        let (mut element, outside) = self.open.pop().ok_or(XmlRefused::Malformed("an end tag has no start"))?;
        element.span.end = end;
        self.bindings.truncate(outside);
        match self.open.last_mut() {
            Some((parent, _)) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn push_text(&mut self, text: Cow<'x, str>) -> Result<(), XmlRefused> {
        let Some((parent, _)) = self.open.last_mut() else {
            let blank = text.bytes().all(lexis::is_space);
            return if blank { Ok(()) } else { Err(XmlRefused::Malformed("text stands outside the root")) };
        };
        match parent.children.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(before)) => before.to_mut().push_str(&text),
            _ => parent.children.push(Node::Text(text)),
        }
        Ok(())
    }

    fn resolve(&self, prefix: &str) -> Result<&'x str, XmlRefused> {
        if prefix == "xml" {
            return Ok(XML_NS);
        }
        match self.bindings.iter().rev().find(|binding| binding.prefix == prefix) {
            Some(binding) => Ok(binding.ns),
            None if prefix.is_empty() => Ok(""),
            None => Err(XmlRefused::Namespace("a prefix is not declared")),
        }
    }
}

/// What stands between the marks of a tag or a reference.
fn tag<'x>(raw: &'x str, before: &str, after: &str) -> Result<&'x str, XmlRefused> {
    raw.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).ok_or(XmlRefused::Malformed("its markup is broken"))
}
