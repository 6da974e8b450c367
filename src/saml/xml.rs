//! A small XML tree for documents that strangers send: namespace-aware, strict, and bounded before it allocates much.
//!
//! It takes less than XML 1.0 allows, on purpose: no DOCTYPE, processing instruction or CDATA section, comments in metadata alone, names in
//! ASCII, no namespace name that is relative. Nothing honest in SAML needs them, and parsers disagree about them.

mod build;
mod lexis;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

pub(crate) use lexis::is_ncname;
use thiserror::Error;

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
        build::Builder::new(text, *limits).run()
    }
}

/// The root's tag alone, of a document that starts with it and is read as a whole later.
pub(super) fn root_tag<'x>(text: &'x str, limits: &Limits) -> Result<Element<'x>, XmlRefused> {
    build::Builder::new(text, *limits).root_tag()
}
