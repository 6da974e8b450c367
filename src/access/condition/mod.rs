//! Conditions in CEL (the Common Expression Language): checked when the policy is compiled, evaluated for those alone whose groups matched.
//!
//! The vocabulary is closed and typed ([`types`]), so that a misspelt word or a comparison of unlike things is found before anybody signs
//! in. What fails nevertheless, as a claim that one person lacks, counts against the person: an allow does not hold, a deny does. The cost
//! is bounded by the length of the text, by one loop at a time, and by patterns that run in linear time.

mod facts;
mod functions;
mod insight;
mod types;

use std::fmt;
use std::sync::Arc;

use cel::{Env, ExecutionError, Program, Value};

pub(super) use facts::Facts;
use functions::environment;
pub use insight::Concern;
pub(super) use insight::Known;
use types::Needs;

use super::{Account, Purpose, Target};

/// The longest condition, in bytes: more is a program, not a condition.
const LONGEST: usize = 1024;
/// How deep brackets may nest, and how many choices (`? :`) there may be: the parser recurses for each.
const DEEPEST: usize = 12;
/// The parser's own stack: it takes some 160 KiB for each bracket in an unoptimised build.
const STACK: usize = 32 * 1024 * 1024;

/// A condition, parsed and checked.
pub(super) struct Condition {
    text: Arc<str>,
    program: Program,
    /// Whether it must be asked for each role anew.
    pub(super) about_role: bool,
    /// Whether it must be asked for each purpose anew.
    pub(super) about_purpose: bool,
    needs: Needs,
}

/// What is wrong with a condition, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) column: usize,
    pub(super) message: String,
}

/// Why a condition could not be evaluated, without any claim's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(String);

impl Condition {
    /// Parses and checks a condition.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn parse(text: &str) -> Result<Self, Refused> {
        if text.len() > LONGEST {
            return Err(Refused { column: 1, message: format!("the condition is longer than {LONGEST} bytes") });
        }
        if nesting(text) > DEEPEST {
            return Err(Refused { column: 1, message: format!("brackets and choices nest deeper than {DEEPEST}") });
        }
        let compiled = std::thread::scope(|scope| {
            let parser = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || environment().compile(text));
            parser.ok().and_then(|parser| parser.join().ok())
        });
        let compiled = compiled.ok_or_else(|| Refused { column: 1, message: "it cannot be parsed".into() })?;
        let program = compiled.map_err(|errors| {
            let first = errors.errors.first();
            let column = first.and_then(|error| usize::try_from(error.pos.1).ok()).unwrap_or(1);
            let message = first.map(|error| error.msg.lines().next().unwrap_or_default().to_owned()).unwrap_or_default();
            Refused { column, message: format!("it is not CEL: {message}") }
        })?;
        let checked = types::check(program.expression()).map_err(|fault| {
            let column = program.source_info().offset_for(fault.id).map_or(1, |(start, _)| start as usize + 1);
            Refused { column, message: fault.message }
        })?;
        Ok(Self { text: text.into(), program, about_role: checked.about_role, about_purpose: checked.about_purpose, needs: checked.needs })
    }

    /// The condition as its author wrote it.
    pub(super) const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The claims that it looks at, by their first name, and whether it looks at them all.
    pub(super) fn claims_read(&self) -> (&[String], bool) {
        (&self.needs.claims, self.needs.all_claims)
    }

    /// Whether it holds for a purpose and, where it is [`about_role`](Self::about_role), a role.
    ///
    /// # Errors
    /// [`Failed`]: it can neither be said that it holds nor that it does not.
    pub(super) fn holds(&self, facts: &Facts<'_>, purpose: Purpose, role: Option<(&Target, &Account)>) -> Result<bool, Failed> {
        match facts.evaluate(self, purpose, role) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err(Failed("it is neither true nor false".into())),
            Err(error) => Err(failed(&error)),
        }
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.text).finish()
    }
}

/// How deep a text nests at most, counted without parsing it: brackets outside of quotation marks, and every choice. Signs in a row count too.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut choices, mut signs, mut quote) = (0_usize, 0, 0, 0_usize, None);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(open), _) if character == open => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, '?') => choices += 1,
            _ => {}
        }
        signs = if quote.is_none() && matches!(character, '!' | '-') { signs + 1 } else { 0 };
        deepest = deepest.max(depth + choices).max(signs);
    }
    deepest
}

/// The library's own words may repeat values.
fn failed(error: &ExecutionError) -> Failed {
    Failed(match error {
        ExecutionError::NoSuchKey(key) => format!("there is no `{key}`"),
        ExecutionError::UndeclaredReference(name) => format!("`{name}` is not known"),
        ExecutionError::FunctionError { function, .. } => format!("`{function}` cannot be computed"),
        ExecutionError::NoSuchOverload(overload) => format!("`{}` does not fit the claim's type", overload.function()),
        ExecutionError::IndexOutOfBounds(_) => "a list is too short".into(),
        _ => "a claim has another type than the condition expects".into(),
    })
}

/// The environment that all conditions share.
pub(super) fn shared() -> Arc<Env> {
    Arc::clone(environment())
}

#[cfg(test)]
mod tests;
