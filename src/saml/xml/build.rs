//! From events to the tree, one look at each byte.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::{Attribute, Document, Element, Limits, Name, Node, XML_NS, XmlRefused, lexis};
use crate::saml::DS_NS;

struct Binding<'x> {
    prefix: &'x str,
    ns: &'x str,
}

pub(super) struct Builder<'x> {
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
    pub(super) fn new(text: &'x str, limits: Limits) -> Self {
        Self { text, limits, bindings: Vec::new(), open: Vec::new(), root: None, elements: 0, ids: HashSet::new() }
    }

    pub(super) fn run(mut self) -> Result<Document<'x>, XmlRefused> {
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

    pub(super) fn root_tag(mut self) -> Result<Element<'x>, XmlRefused> {
        const BROKEN: XmlRefused = XmlRefused::Malformed("its markup is broken");
        let mut reader = Reader::from_str(self.text);
        let event = reader.read_event().map_err(|_| BROKEN)?;
        let end = usize::try_from(reader.buffer_position()).map_err(|_| XmlRefused::TooLong)?;
        let raw = self.text.get(..end).ok_or(BROKEN)?;
        match event {
            Event::Start(_) => self.start(tag(raw, "<", ">")?, 0..end)?,
            Event::Empty(_) => self.start(tag(raw, "<", "/>")?, 0..end)?,
            _ => return Err(BROKEN),
        }
        self.open.pop().map(|(element, _)| element).ok_or(BROKEN)
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
