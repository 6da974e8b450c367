//! Reads a TOML file into a type, and reports everything that is wrong with it instead of the first thing only.
//!
//! Serde stops at its first error. So each error is written down, its cause is taken out of a working copy, and the copy is read again,
//! until nothing is left to complain about. What follows from taking something out is not reported: the author has been told.

use std::ops::Range;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, ValueDeserializer};

use super::findings::Finding;
use super::places::{ITEM, Inner, Place};
use super::schema::{Guide, Kind};
use super::wording::{self, Complaint, Culprit, Wrong};

/// A step on the way into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a table, by key.
    Key(String),
    /// Into a list, by index.
    Index(usize),
}

impl Step {
    /// The key, if it is one.
    pub(super) fn key(&self) -> Option<&str> {
        if let Self::Key(key) = self { Some(key) } else { None }
    }
}

/// What came of reading a file.
pub(super) struct Reading<T> {
    /// The value; with findings beside it, parts of it are missing or made up. None if it is beyond repair.
    pub(super) value: Option<T>,
    /// Where everything in the value stands.
    pub(super) places: Place,
    /// What is wrong.
    pub(super) findings: Vec<Finding>,
}

/// More errors than anybody wants to read at once; keeps a file of nonsense from taking for ever.
pub(super) const MOST: usize = 200;

/// Reads `text`; `file` is its name in findings.
pub(super) fn read<T: DeserializeOwned + JsonSchema>(text: &str, file: &str) -> Reading<T> {
    let (table, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(|error| error.span().map_or(usize::MAX, |span| span.start));
    let syntax = syntax_error(&errors);
    // After a syntax error everything else is guesswork.
    let told = if let Some(error) = syntax { std::slice::from_ref(error) } else { &errors };
    let lines = Lines::of(text);
    let findings = told.iter().map(|error| syntax_finding(error, text, &lines, file)).collect();
    let root = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
    let mut draft = Draft { text, lines, file, root, guide: Guide::to::<T>(), lost: Vec::new(), made: 0, findings };
    let value = if syntax.is_some() { None } else { draft.settle() };
    if value.is_none() && draft.findings.is_empty() {
        draft.findings.push(Finding::of_file(file, "the file cannot be read as a configuration", "start again from the example file"));
    }
    let places = draft.places();
    Reading { value, places, findings: draft.findings }
}

/// What makes a text no TOML; a key that is there twice leaves the rest readable.
pub(super) fn syntax_error(errors: &[toml::de::Error]) -> Option<&toml::de::Error> {
    errors.iter().find(|error| !error.message().starts_with("duplicate key"))
}

fn syntax_finding(error: &toml::de::Error, text: &str, lines: &Lines, file: &str) -> Finding {
    let (message, hint) = wording::syntax(error.message());
    let offset = error.span().map_or(text.len(), |span| span.start);
    Finding { column: Some(column(text, offset)), ..Finding::at(file, lines.line(offset), message, hint) }
}

/// Where the lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter_map(|(at, byte)| (byte == b'\n').then_some(at + 1)).collect())
    }

    /// The line that a byte stands in, from 1.
    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset) + 1
    }
}

fn column(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.rsplit('\n').next().unwrap_or_default().chars().count() + 1
}

/// The working copy.
struct Draft<'t> {
    text: &'t str,
    lines: Lines,
    file: &'t str,
    root: Spanned<DeValue<'t>>,
    guide: Guide,
    /// Keys that were taken out, by the span of their table: spans stay when indexes move.
    lost: Vec<(Range<usize>, String)>,
    /// How many values were made up. They carry spans beyond the end of every text.
    made: usize,
    findings: Vec<Finding>,
}

/// The place that an error's span means.
struct Spot {
    steps: Vec<Step>,
    /// Whether the span is that of the key, not of its value.
    on_key: bool,
}

impl<'t> Draft<'t> {
    /// Reads and mends until it can be read whole.
    fn settle<T: DeserializeOwned>(&mut self) -> Option<T> {
        self.refuse_lists_for_sections();
        for _ in 0..MOST {
            match T::deserialize(ValueDeserializer::from(self.root.clone())) {
                Ok(value) => return Some(value),
                Err(error) => self.mend(&error)?,
            }
        }
        None
    }

    /// Writes an error down and takes its cause out. None if its cause cannot be found.
    fn mend(&mut self, error: &toml::de::Error) -> Option<()> {
        let span = error.span().unwrap_or_default();
        let complaint = Complaint::of(error.message());
        let spot = self.find(&span, matches!(complaint, Complaint::Missing(_)))?;
        match complaint {
            Complaint::UnknownKey { key, known } => self.unknown_key(key, &known, &spot.steps),
            Complaint::Missing(key) => self.missing(key, &spot.steps),
            Complaint::Value(_) if is_made(&span) => self.make_up_again(&spot.steps),
            Complaint::Value(wrong) => {
                // The key of a table that stands for one choice: the whole choice is wrong.
                let steps = if spot.on_key { parent(&spot.steps) } else { &spot.steps };
                self.wrong(self.secret_around(steps).unwrap_or(steps), &wrong, &span)
            }
        }
    }

    fn unknown_key(&mut self, key: &str, known: &[&str], steps: &[Step]) -> Option<()> {
        let DeValue::Table(table) = self.at(parent(steps))?.get_ref() else { return None };
        let free: Vec<_> = known.iter().copied().filter(|known| !table.contains_key(*known)).collect();
        let meant = wording::closest(key, &free).map(str::to_owned);
        let hint = meant.as_ref().map_or_else(|| wording::choices(key, known), |meant| format!("did you mean `{meant}`?"));
        let (name, _) = table.get_key_value(key)?;
        let span = name.span();
        self.report(&span, format!("unknown key `{key}` {}", wording::section(parent(steps))), hint);
        let DeValue::Table(table) = self.at_mut(parent(steps))?.get_mut() else { return None };
        let value = table.remove(key)?;
        // What was probably meant is read on under its right name: it is not missing, and may be wrong itself.
        if let Some(meant) = meant {
            table.insert(Spanned::new(span, meant.into()), value);
        }
        Some(())
    }

    fn missing(&mut self, key: &str, steps: &[Step]) -> Option<()> {
        let table = self.at(steps)?.span();
        if !is_made(&table) && !self.lost.iter().any(|(span, lost)| *span == table && lost == key) {
            let mut full = steps.to_vec();
            full.push(Step::Key(key.to_owned()));
            let hint = self.guide.look_up(&full).and_then(|entry| entry.about).unwrap_or_default();
            self.report(&table, format!("`{key}` is missing {}", wording::section(steps)), hint);
        }
        self.made += 1;
        let span = made(self.made);
        let DeValue::Table(table) = self.at_mut(steps)?.get_mut() else { return None };
        table.insert(Spanned::new(span.clone(), key.to_owned().into()), Spanned::new(span, DeValue::String("".into())));
        Some(())
    }

    /// A made-up text was no good. If an empty section is no better, what it was made up for cannot be kept.
    fn make_up_again(&mut self, steps: &[Step]) -> Option<()> {
        let value = self.at_mut(steps)?.get_mut();
        if matches!(value, DeValue::String(_)) {
            *value = DeValue::Table(DeTable::new());
            return Some(());
        }
        self.take_out(parent(steps))
    }

    fn wrong(&mut self, steps: &[Step], wrong: &Wrong<'_>, span: &Range<usize>) -> Option<()> {
        let entry = self.guide.look_up(steps);
        let value = self.at(steps)?;
        let raw = self.text.get(value.span()).unwrap_or_default();
        let culprit = Culprit { steps, entry: entry.as_ref(), found: value.get_ref().type_str(), raw };
        let (message, hint) = culprit.explain(wrong);
        self.report(span, message, hint);
        self.take_out(steps)
    }

    /// The reference to a secret that the steps lead into. What is wrong in one is told of the whole, without its contents.
    fn secret_around<'s>(&self, steps: &'s [Step]) -> Option<&'s [Step]> {
        (1..=steps.len())
            .filter_map(|end| steps.get(..end))
            .find(|way| self.guide.look_up(way).is_some_and(|entry| entry.kind == Kind::Secret))
    }

    /// Serde would read a list as a section, value by value in the order of the keys. Nobody means that.
    fn refuse_lists_for_sections(&mut self) {
        let mut lists = Vec::new();
        self.lists_for_sections(&self.root, &mut Vec::new(), &mut lists);
        for (steps, span) in lists.into_iter().rev() {
            // The list is there: it was found a moment ago.
            let _ = self.wrong(&steps, &Wrong::Type("a map"), &span);
        }
    }

    fn lists_for_sections(&self, value: &Spanned<DeValue<'t>>, steps: &mut Vec<Step>, lists: &mut Vec<(Vec<Step>, Range<usize>)>) {
        if matches!(value.get_ref(), DeValue::Array(_)) && self.guide.look_up(steps).is_some_and(|entry| entry.kind == Kind::Table) {
            lists.push((steps.clone(), value.span()));
            return;
        }
        for (step, inner) in parts(value.get_ref()) {
            steps.push(step);
            self.lists_for_sections(inner, steps, lists);
            steps.pop();
        }
    }

    fn report(&mut self, span: &Range<usize>, message: String, hint: String) {
        self.findings.push(Finding::at(self.file, self.lines.line(span.start), message, hint));
    }

    fn take_out(&mut self, steps: &[Step]) -> Option<()> {
        let (last, way) = steps.split_last()?;
        let container = self.at_mut(way)?;
        let span = container.span();
        let name = match (last, container.get_mut()) {
            (Step::Key(key), DeValue::Table(table)) => {
                table.remove(key.as_str())?;
                key.clone()
            }
            (Step::Index(index), DeValue::Array(items)) => {
                let kept = std::mem::replace(items, DeArray::new()).into_iter().enumerate().filter(|(at, _)| at != index);
                *items = kept.map(|(_, item)| item).collect();
                ITEM.to_owned()
            }
            _ => return None,
        };
        self.lost.push((span, name));
        Some(())
    }

    fn at(&self, steps: &[Step]) -> Option<&Spanned<DeValue<'t>>> {
        steps.iter().try_fold(&self.root, |value, step| match step {
            Step::Key(key) => value.get_ref().get(key.as_str()),
            Step::Index(index) => value.get_ref().get(*index),
        })
    }

    fn at_mut(&mut self, steps: &[Step]) -> Option<&mut Spanned<DeValue<'t>>> {
        steps.iter().try_fold(&mut self.root, |value, step| match (step, value.get_mut()) {
            (Step::Key(key), DeValue::Table(table)) => table.get_mut(key.as_str()),
            (Step::Index(index), DeValue::Array(list)) => list.get_mut(*index),
            _ => None,
        })
    }

    /// The deepest place with exactly this span: a list of sections shares its span with its first section.
    fn find(&self, span: &Range<usize>, table: bool) -> Option<Spot> {
        let mut found = None;
        search(&self.root, span, table, &mut Vec::new(), &mut found);
        found
    }

    /// The places of the working copy, made up values included.
    fn places(&self) -> Place {
        Survey { lines: &self.lines, lost: &self.lost }.of(&self.root, 0..0, 1)
    }
}

/// The places of a text that is TOML: line 1 is its first. What is none has no places.
pub(super) fn places(text: &str) -> Place {
    let Ok(table) = DeTable::parse(text) else { return Place::default() };
    let root = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
    Survey { lines: &Lines::of(text), lost: &[] }.of(&root, 0..0, 1)
}

/// What turns values into places.
struct Survey<'a> {
    lines: &'a Lines,
    lost: &'a [(Range<usize>, String)],
}

impl Survey<'_> {
    fn of(&self, value: &Spanned<DeValue<'_>>, key: Range<usize>, around: usize) -> Place {
        let assumed = is_made(&value.span());
        let start = if key.is_empty() { value.span().start } else { key.start };
        let line = if assumed { around } else { self.lines.line(start) };
        let lost = self.lost.iter().filter(|(span, _)| *span == value.span()).map(|(_, key)| key.clone()).collect();
        let inner = match value.get_ref() {
            DeValue::Table(table) => {
                Inner::Keys(table.iter().map(|(key, value)| (key.get_ref().to_string(), self.of(value, key.span(), line))).collect())
            }
            DeValue::Array(items) => Inner::Items(items.iter().map(|item| self.of(item, 0..0, line)).collect()),
            _ => Inner::Value,
        };
        Place { line, assumed, lost, inner }
    }
}

fn search(value: &Spanned<DeValue<'_>>, span: &Range<usize>, table: bool, steps: &mut Vec<Step>, found: &mut Option<Spot>) {
    if value.span() == *span && (!table || value.get_ref().is_table()) {
        *found = Some(Spot { steps: steps.clone(), on_key: false });
    }
    if let DeValue::Table(keys) = value.get_ref() {
        for (key, inner) in keys {
            if key.span() == *span && inner.span() != *span && !table {
                *found = Some(Spot { steps: [steps.as_slice(), &[Step::Key(key.get_ref().to_string())]].concat(), on_key: true });
            }
        }
    }
    for (step, inner) in parts(value.get_ref()) {
        steps.push(step);
        search(inner, span, table, steps, found);
        steps.pop();
    }
}

/// What is in a value, with the step that leads there.
fn parts<'v, 't>(value: &'v DeValue<'t>) -> Vec<(Step, &'v Spanned<DeValue<'t>>)> {
    match value {
        DeValue::Table(table) => table.iter().map(|(key, inner)| (Step::Key(key.get_ref().to_string()), inner)).collect(),
        DeValue::Array(list) => list.iter().enumerate().map(|(index, inner)| (Step::Index(index), inner)).collect(),
        _ => Vec::new(),
    }
}

fn parent(steps: &[Step]) -> &[Step] {
    steps.split_last().map_or(steps, |(_, way)| way)
}

/// The span of the `number`th made-up value.
const fn made(number: usize) -> Range<usize> {
    let at = usize::MAX - number;
    at..at
}

const fn is_made(span: &Range<usize>) -> bool {
    span.start > isize::MAX.unsigned_abs()
}

#[cfg(test)]
mod tests;
