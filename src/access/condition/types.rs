//! The vocabulary, and a check of types: every word must be one of it, and every operator must fit what it stands between.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators as op};
use regex::RegexBuilder;

use super::functions::{has_value, is_network};

/// The most nodes of an expression.
const MOST_NODES: usize = 256;
/// How many loops may stand in each other. A claim can be a list of thousands.
const DEEPEST_LOOP: usize = 1;
/// How deep the parts of an expression may stand in each other: evaluating recurses on the stack of a worker.
const DEEPEST: usize = 48;
/// How large a compiled pattern may be.
const LARGEST_PATTERN: usize = 64 * 1024;

/// A type, as far as it is known before anybody signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Type {
    /// Known only when the claim is there.
    Any,
    Bool,
    Number,
    Text,
    Bytes,
    Null,
    Time,
    Span,
    List(Box<Type>),
    Map(Box<Type>),
    Fields(&'static Fields),
}

type Fields = [(&'static str, Word)];

/// The type of a word of the vocabulary, in a form that a constant can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Bool,
    Text,
    Time,
    Span,
    Texts,
    TextMap,
    Claims,
    Fields(&'static Fields),
}

/// Every word that a condition may use, and what it is. docs/rules.md says what each means.
const VOCABULARY: &Fields = &[
    ("claims", Word::Claims),
    ("groups", Word::Texts),
    ("provider", Word::Text),
    ("username", Word::Text),
    ("auth", Word::Fields(&[("time", Word::Time), ("age", Word::Span), ("mfa", Word::Bool), ("acr", Word::Text), ("amr", Word::Texts)])),
    ("request", Word::Fields(&[("ip", Word::Text), ("purpose", Word::Text)])),
    ("now", Word::Time),
    ("role", Word::Fields(&[("name", Word::Text), ("arn", Word::Text)])),
    (
        "account",
        Word::Fields(&[("id", Word::Text), ("name", Word::Text), ("partition", Word::Text), ("ou", Word::Text), ("tags", Word::TextMap)]),
    ),
];

impl From<Word> for Type {
    fn from(word: Word) -> Self {
        match word {
            Word::Bool => Self::Bool,
            Word::Text => Self::Text,
            Word::Time => Self::Time,
            Word::Span => Self::Span,
            Word::Texts => Self::List(Box::new(Self::Text)),
            Word::TextMap => Self::Map(Box::new(Self::Text)),
            Word::Claims => Self::Map(Box::new(Self::Any)),
            Word::Fields(fields) => Self::Fields(fields),
        }
    }
}

impl Type {
    /// The word for messages.
    const fn name(&self) -> &'static str {
        match self {
            Self::Any => "a claim's value",
            Self::Bool => "a truth value",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Bytes => "bytes",
            Self::Null => "null",
            Self::Time => "a moment",
            Self::Span => "a span of time",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Fields(_) => "a group of words",
        }
    }

    /// Whether values of the two can be equal.
    fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any | Self::Null, _) | (_, Self::Any | Self::Null) => true,
            (Self::List(one), Self::List(other)) | (Self::Map(one), Self::Map(other)) => one.fits(other),
            (one, other) => one == other,
        }
    }

    const fn is_ordered(&self) -> bool {
        matches!(self, Self::Any | Self::Number | Self::Text | Self::Time | Self::Span | Self::Bool | Self::Bytes)
    }

    /// What a loop over it sees.
    fn element(&self) -> Option<Self> {
        match self {
            Self::Any => Some(Self::Any),
            Self::List(element) => Some(element.as_ref().clone()),
            Self::Map(_) => Some(Self::Text),
            _ => None,
        }
    }
}

/// What is wrong, and with which part.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) id: u64,
    pub(super) message: String,
}

/// What is known of a sound condition.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) about_role: bool,
    pub(super) about_purpose: bool,
    pub(super) needs: Needs,
}

/// Which of a person's lists a condition looks at: hundreds of groups are not made ready for one that asks for a second factor.
#[derive(Debug, Default)]
pub(super) struct Needs {
    pub(super) groups: bool,
    pub(super) all_claims: bool,
    /// The claims that it names.
    pub(super) claims: Vec<String>,
}

/// Checks an expression.
///
/// # Errors
/// The first [`Fault`] met.
pub(super) fn check(expression: &IdedExpr) -> Result<Checked, Fault> {
    let mut checker = Checker { scope: Vec::new(), nodes: 0, depth: 0, loops: 0, found: Checked::default() };
    match checker.infer(expression)? {
        Type::Bool | Type::Any => Ok(checker.found),
        other => Err(fault(expression, format!("a condition is true or false, and this is {}", other.name()))),
    }
}

fn fault(at: &IdedExpr, message: impl Into<String>) -> Fault {
    Fault { id: at.id, message: message.into() }
}

struct Checker {
    /// Loop variables, the innermost last.
    scope: Vec<(String, Type)>,
    nodes: usize,
    depth: usize,
    loops: usize,
    found: Checked,
}

impl Checker {
    fn infer(&mut self, at: &IdedExpr) -> Result<Type, Fault> {
        self.nodes += 1;
        self.depth += 1;
        if self.nodes > MOST_NODES {
            return Err(fault(at, format!("the condition has more than {MOST_NODES} parts")));
        }
        if self.depth > DEEPEST {
            return Err(fault(at, format!("the parts of the condition stand more than {DEEPEST} deep in each other")));
        }
        let inferred = self.infer_inside(at);
        self.depth -= 1;
        inferred
    }

    fn infer_inside(&mut self, at: &IdedExpr) -> Result<Type, Fault> {
        match &at.expr {
            Expr::Literal(literal) => Ok(literal_type(literal)),
            // A group of words by itself could hide which of its words is meant.
            Expr::Ident(name) => match self.variable(at, name)? {
                Type::Fields(fields) => {
                    let words = fields.iter().map(|(word, _)| format!("{name}.{word}")).collect::<Vec<_>>().join(", ");
                    Err(fault(at, format!("`{name}` does not stand alone: write {words}")))
                }
                known => {
                    self.needs(name, None);
                    Ok(known)
                }
            },
            Expr::Select(select) => {
                let of = match &select.operand.expr {
                    Expr::Ident(name) => {
                        self.needs(name, Some(&select.field));
                        self.variable(&select.operand, name)?
                    }
                    _ => self.infer(&select.operand)?,
                };
                let field = self.field(at, &of, &select.field)?;
                Ok(if select.test { Type::Bool } else { field })
            }
            Expr::List(list) => {
                let mut element = None;
                for item in &list.elements {
                    let found = self.infer(item)?;
                    element = match element {
                        None => Some(found),
                        Some(known) if found.fits(&known) => Some(known),
                        Some(_) => Some(Type::Any),
                    };
                }
                Ok(Type::List(Box::new(element.unwrap_or(Type::Any))))
            }
            Expr::Comprehension(comprehension) => self.comprehension(at, comprehension),
            Expr::Call(call) => self.call(at, call),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => Err(fault(at, "maps and structures have no place in a condition")),
        }
    }

    /// Whether a name means a word of the vocabulary, and no loop's variable.
    fn is_word(&self, name: &str) -> bool {
        !self.scope.iter().any(|(variable, _)| variable == name)
    }

    /// Notes that a word is looked at: one part of it, or all.
    fn needs(&mut self, name: &str, part: Option<&str>) {
        let is_word = self.is_word(name);
        let needs = &mut self.found.needs;
        match (name, part) {
            _ if !is_word => {}
            ("groups", _) => needs.groups = true,
            ("claims", None) => needs.all_claims = true,
            ("claims", Some(part)) => needs.claims.push(part.to_owned()),
            _ => {}
        }
    }

    fn variable(&mut self, at: &IdedExpr, name: &str) -> Result<Type, Fault> {
        if let Some((_, known)) = self.scope.iter().rev().find(|(variable, _)| variable == name) {
            return Ok(known.clone());
        }
        // A list of thousands inside a loop over thousands is a second loop.
        if self.loops > 0 && matches!(name, "claims" | "groups") {
            return Err(fault(
                at,
                format!("`{name}` has no place inside a loop: ask it outside, or compare with a list that is written out"),
            ));
        }
        self.found.about_role |= matches!(name, "role" | "account");
        let known = VOCABULARY.iter().find(|(word, _)| *word == name);
        known.map(|(_, word)| (*word).into()).ok_or_else(|| fault(at, format!("there is no word `{name}`{}", meant(name, VOCABULARY))))
    }

    fn field(&mut self, at: &IdedExpr, of: &Type, name: &str) -> Result<Type, Fault> {
        match of {
            Type::Any => Ok(Type::Any),
            Type::Map(value) => Ok(value.as_ref().clone()),
            Type::Fields(fields) => {
                self.found.about_purpose |= name == "purpose";
                let known = fields.iter().find(|(word, _)| *word == name);
                known
                    .map(|(_, word)| (*word).into())
                    .ok_or_else(|| fault(at, format!("there is no word `{name}` here{}", meant(name, fields))))
            }
            other => Err(fault(at, format!("{} has no parts, so no `{name}`", other.name()))),
        }
    }

    fn comprehension(&mut self, at: &IdedExpr, loop_: &ComprehensionExpr) -> Result<Type, Fault> {
        let range = self.infer(&loop_.iter_range)?;
        let element = range.element().ok_or_else(|| fault(&loop_.iter_range, format!("{} is nothing to go through", range.name())))?;
        let accumulated = self.infer(&loop_.accu_init)?;
        // What a loop makes could grow with each round: it may only choose (`filter`), count, and say yes or no.
        if matches!(accumulated, Type::List(_)) && !matches!(&loop_.loop_step.expr, Expr::Call(step) if step.func_name == op::CONDITIONAL) {
            return Err(fault(at, "`map` has no place in a condition: use `exists`, `all` or `filter`"));
        }
        if self.loops == DEEPEST_LOOP {
            return Err(fault(at, "one loop may not stand in another: with long lists it would take too long"));
        }
        self.loops += 1;
        let depth = self.scope.len();
        self.scope.push((loop_.iter_var.clone(), element));
        if let Some(second) = &loop_.iter_var2 {
            self.scope.push((second.clone(), Type::Any));
        }
        self.scope.push((loop_.accu_var.clone(), accumulated));
        self.infer(&loop_.loop_cond)?;
        self.infer(&loop_.loop_step)?;
        let result = self.infer(&loop_.result)?;
        self.scope.truncate(depth);
        self.loops -= 1;
        Ok(result)
    }

    fn call(&mut self, at: &IdedExpr, call: &CallExpr) -> Result<Type, Fault> {
        let target = call.target.as_deref().map(|target| self.infer(target)).transpose()?;
        // `claims["name"]` is one claim, as `claims.name` is.
        if let (op::INDEX, [of, IdedExpr { expr: Expr::Literal(LiteralValue::String(part)), .. }]) = (call.func_name.as_str(), &*call.args)
            && matches!(&of.expr, Expr::Ident(name) if name == "claims" && self.is_word(name))
        {
            self.needs("claims", Some(part.inner()));
            self.variable(of, "claims")?;
            return Ok(Type::Any);
        }
        let arguments = call.args.iter().map(|argument| self.infer(argument)).collect::<Result<Vec<_>, _>>()?;
        let grows = self.loops > 0 && call.func_name == op::ADD && !matches!(arguments.as_slice(), [Type::Number, Type::Number]);
        let own_step = matches!(call.args.first().map(|first| &first.expr), Some(Expr::Ident(name)) if name.starts_with('@') || name.starts_with("__"));
        if grows && !own_step {
            return Err(fault(at, "nothing can be put together inside a loop"));
        }
        match (&target, arguments.as_slice()) {
            (None, [one, other]) if call.func_name.starts_with('_') || call.func_name == op::IN => binary(at, &call.func_name, one, other),
            (None, [one]) => unary(at, call, one),
            (None, [condition, one, other]) if call.func_name == op::CONDITIONAL => {
                if !Type::Bool.fits(condition) {
                    return Err(fault(at, format!("`?` needs a truth value before it, not {}", condition.name())));
                }
                Ok(if one.fits(other) { one.clone() } else { Type::Any })
            }
            (Some(target), arguments) => method(at, call, target, arguments),
            _ => Err(unknown(at, &call.func_name)),
        }
    }
}

fn literal_type(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_) => Type::Number,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::Text,
    }
}

/// `_&&_` is written `&&`.
fn spelled(name: &str) -> String {
    name.trim_matches(['_', '@']).replace('_', " … ")
}

fn binary(at: &IdedExpr, name: &str, one: &Type, other: &Type) -> Result<Type, Fault> {
    let unlike = || fault(at, format!("`{}` stands between {} and {}", spelled(name), one.name(), other.name()));
    let both = |wanted: &Type| wanted.fits(one) && wanted.fits(other) && *one != Type::Null && *other != Type::Null;
    match name {
        op::LOGICAL_AND | op::LOGICAL_OR if both(&Type::Bool) => Ok(Type::Bool),
        op::EQUALS | op::NOT_EQUALS if one.fits(other) => Ok(Type::Bool),
        op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS if one.fits(other) && one.is_ordered() && other.is_ordered() => {
            Ok(Type::Bool)
        }
        op::IN => match other {
            Type::Any => Ok(Type::Bool),
            Type::List(element) if one.fits(element) => Ok(Type::Bool),
            Type::Map(_) if Type::Text.fits(one) => Ok(Type::Bool),
            _ => Err(unlike()),
        },
        op::INDEX => match one {
            Type::Any => Ok(Type::Any),
            Type::List(element) if Type::Number.fits(other) => Ok(element.as_ref().clone()),
            Type::Map(value) if Type::Text.fits(other) => Ok(value.as_ref().clone()),
            _ => Err(unlike()),
        },
        op::ADD | op::SUBSTRACT => arithmetic(name, one, other).ok_or_else(unlike),
        op::MULTIPLY | op::DIVIDE | op::MODULO if both(&Type::Number) => Ok(Type::Number),
        _ => Err(unlike()),
    }
}

fn arithmetic(name: &str, one: &Type, other: &Type) -> Option<Type> {
    Some(match (one, other) {
        (Type::Any, _) | (_, Type::Any) => Type::Any,
        (Type::Number, Type::Number) => Type::Number,
        (Type::Span, Type::Span) => Type::Span,
        (Type::Time, Type::Span) => Type::Time,
        (Type::Time, Type::Time) if name == op::SUBSTRACT => Type::Span,
        (Type::Span, Type::Time) if name == op::ADD => Type::Time,
        (Type::Text, Type::Text) if name == op::ADD => Type::Text,
        (Type::List(one), Type::List(other)) if name == op::ADD => {
            Type::List(if one.fits(other) { other.clone() } else { Box::new(Type::Any) })
        }
        _ => return None,
    })
}

fn unary(at: &IdedExpr, call: &CallExpr, of: &Type) -> Result<Type, Fault> {
    let name = call.func_name.as_str();
    let unfit = || fault(at, format!("`{}` does not take {}", spelled(name), of.name()));
    match name {
        op::LOGICAL_NOT if Type::Bool.fits(of) => Ok(Type::Bool),
        op::NOT_STRICTLY_FALSE => Ok(Type::Bool),
        op::NEGATE if Type::Number.fits(of) => Ok(Type::Number),
        "size" if matches!(of, Type::Any | Type::Text | Type::List(_) | Type::Map(_)) => Ok(Type::Number),
        "string" if !matches!(of, Type::Fields(_) | Type::List(_) | Type::Map(_)) => Ok(Type::Text),
        "int" | "double" if matches!(of, Type::Any | Type::Number | Type::Text) => Ok(Type::Number),
        "duration" | "timestamp" => {
            let text = constant(call, 0).ok_or_else(|| fault(at, format!("`{name}` takes a text in quotation marks")))?;
            if !has_value(&format!("{name}({})", quoted(text))) {
                return Err(fault(
                    at,
                    format!(
                        "`{text}` is no {}",
                        if name == "duration" { "span of time: write 8h, 30m or 90s" } else { "moment: write 2026-01-14T12:00:00Z" }
                    ),
                ));
            }
            Ok(if name == "duration" { Type::Span } else { Type::Time })
        }
        op::LOGICAL_NOT | op::NEGATE | "size" | "string" | "int" | "double" => Err(unfit()),
        _ => Err(unknown(at, name)),
    }
}

fn method(at: &IdedExpr, call: &CallExpr, target: &Type, arguments: &[Type]) -> Result<Type, Fault> {
    let name = call.func_name.as_str();
    let unfit = |words: &str| Err(fault(at, format!("`.{name}` {words}")));
    let on_text = Type::Text.fits(target) && *target != Type::Null;
    match (name, arguments) {
        ("size", []) if matches!(target, Type::Any | Type::Text | Type::List(_) | Type::Map(_)) => Ok(Type::Number),
        ("startsWith" | "endsWith" | "contains", [text]) if on_text && Type::Text.fits(text) => Ok(Type::Bool),
        ("matches", [_]) if on_text => match constant(call, 0) {
            None => unfit("takes a pattern in quotation marks: it is checked now, not at a sign-in"),
            Some(pattern) => match RegexBuilder::new(pattern).size_limit(LARGEST_PATTERN).build() {
                Ok(_) => Ok(Type::Bool),
                Err(_) => unfit("has a pattern that cannot be read, or that is too large"),
            },
        },
        ("within", [_]) if on_text => match constant(call, 0) {
            Some(network) if is_network(network) => Ok(Type::Bool),
            _ => unfit("takes a network in quotation marks, such as \"10.0.0.0/8\""),
        },
        (
            "getFullYear" | "getMonth" | "getDate" | "getDayOfMonth" | "getDayOfWeek" | "getDayOfYear" | "getHours" | "getMinutes"
            | "getSeconds",
            [] | [_],
        ) => {
            if !Type::Time.fits(target) {
                return unfit("is asked of a moment, such as `now`");
            }
            let zone = if arguments.is_empty() { Some("") } else { constant(call, 0) };
            let known = |zone: &str| zone.is_empty() || has_value(&format!("timestamp('2026-01-14T12:00:00Z').{name}({})", quoted(zone)));
            match zone {
                Some(zone) if known(zone) => Ok(Type::Number),
                _ => unfit("takes a time zone in quotation marks, such as \"Europe/Berlin\""),
            }
        }
        ("startsWith" | "endsWith" | "contains" | "matches" | "within" | "size", _) => {
            Err(fault(at, format!("`.{name}` cannot be asked of {} so", target.name())))
        }
        _ => Err(unknown(at, name)),
    }
}

/// A constant text among the arguments.
fn constant(call: &CallExpr, index: usize) -> Option<&str> {
    match &call.args.get(index)?.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// A text as a CEL literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace(['\n', '\r'], " "))
}

fn unknown(at: &IdedExpr, name: &str) -> Fault {
    fault(at, format!("there is no function `{}` with these arguments", spelled(name)))
}

fn meant(name: &str, fields: &Fields) -> String {
    let near = fields.iter().map(|(word, _)| (*word, strsim::damerau_levenshtein(word, name))).min_by_key(|(_, distance)| *distance);
    match near {
        Some((word, distance)) if distance <= 2 => format!(": did you mean `{word}`?"),
        _ => format!(": use {}", fields.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")),
    }
}
