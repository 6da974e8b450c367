//! What a trust policy answers to a request, as far as that can be told from outside.
//!
//! Three answers instead of two: what hangs on something that is not known here is neither a yes nor a no (IAM User Guide, "Policy
//! evaluation logic" and "Condition operators").

use std::collections::{BTreeMap, BTreeSet};

use super::policy::{Condition, Listed, Principals, Statement, TrustPolicy};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// Somebody whom an identity provider vouches for: the provider's name in IAM.
    Federated(String),
    /// A role or a user by its ARN.
    Aws(String),
    /// The AWS identity that Rolegate runs under, which is not told.
    OwnIdentity,
}

/// What a request says under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// These values.
    Values(Vec<String>),
    /// Nothing.
    Nothing,
    /// One value that is not known but for its shape, with `*` for each gap.
    Shaped(String),
    /// One value by which the role's owner may choose among those who are let in: whatever is demanded of it only narrows.
    ForTheOwner,
}

/// A request that STS would ask the policy about.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) action: &'static str,
    pub(super) caller: Caller,
    /// By key in lower case. A key that is not here is not known.
    pub(super) says: BTreeMap<String, Said>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is let in.
    Yes,
    /// It is not, and why.
    No(Vec<Why>),
    /// It hangs on this.
    Unknown(BTreeSet<String>),
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// No statement allows this caller this action.
    NoStatement,
    /// A statement would, and this condition of it does not hold.
    Condition { statement: String, condition: Condition },
    /// A statement denies it.
    Denied { statement: String },
}

/// Yes, no, or what it hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Truth {
    True,
    False,
    Unknown(BTreeSet<String>),
}

impl Truth {
    fn of(is_true: bool) -> Self {
        if is_true { Self::True } else { Self::False }
    }

    fn hangs_on(what: impl Into<String>) -> Self {
        Self::Unknown(BTreeSet::from([what.into()]))
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, other) | (other, Self::True) => other,
            (Self::Unknown(mut one), Self::Unknown(other)) => {
                one.extend(other);
                Self::Unknown(one)
            }
        }
    }
}

impl Request {
    fn said(&self, key: &str) -> Option<&Said> {
        let key = key.to_ascii_lowercase();
        if let Some(said) = self.says.get(&key) {
            return Some(said);
        }
        // What other issuers would say of their people, this one does not.
        let host = [":aud", ":sub", ":amr"].iter().find_map(|end| key.strip_suffix(end)).filter(|host| *host != "saml")?;
        (!self.says.contains_key(&format!("{host}:aud"))).then_some(&Said::Nothing)
    }

    /// The same request, which says something else under one key.
    pub(super) fn saying(&self, key: &str, said: Said) -> Self {
        let mut other = self.clone();
        other.says.insert(key.to_ascii_lowercase(), said);
        other
    }

    /// The same for another action.
    pub(super) fn for_action(&self, action: &'static str) -> Self {
        Self { action, ..self.clone() }
    }
}

impl Said {
    pub(super) fn one(value: impl Into<String>) -> Self {
        Self::Values(vec![value.into()])
    }
}

impl TrustPolicy {
    /// What the policy answers.
    pub(super) fn answer(&self, request: &Request) -> Answer {
        let (mut unknown, mut whys, mut allowed) = (BTreeSet::new(), Vec::new(), false);
        for statement in &self.statements {
            match (statement.applies(request, self.has_variables, &mut whys), statement.allows) {
                (Truth::False, _) => {}
                (Truth::True, false) => return Answer::No(vec![Why::Denied { statement: statement.name.clone() }]),
                (Truth::True, true) => allowed = true,
                // A deny that may hold makes every yes uncertain, an allow that may hold every no.
                (Truth::Unknown(what), allows) => unknown.extend(what.into_iter().map(|what| (allows, what))),
            }
        }
        let hangs_on =
            |of: bool| unknown.iter().filter(move |(allows, _)| *allows == of).map(|(_, what)| what.clone()).collect::<BTreeSet<_>>();
        let (denies, allows) = (hangs_on(false), hangs_on(true));
        match (allowed, denies.is_empty(), allows.is_empty()) {
            (true, true, _) => Answer::Yes,
            (true, false, _) => Answer::Unknown(denies),
            (false, _, false) => Answer::Unknown(allows),
            (false, _, true) if whys.is_empty() => Answer::No(vec![Why::NoStatement]),
            (false, _, true) => Answer::No(whys),
        }
    }

    /// Whether a statement allows something to this principal of federation, whatever else it demands.
    pub(super) fn names_federated(&self, principal: &str) -> bool {
        self.names("Federated", principal)
    }

    /// The same for a role or a user.
    pub(super) fn names_aws(&self, arn: &str) -> bool {
        self.names("AWS", arn)
    }

    /// Whether a statement allows something to everybody, whatever else it demands.
    pub(super) fn names_everybody(&self) -> bool {
        let is_everybody = |statement: &Statement| match &statement.principals {
            Principals::Everybody => true,
            Principals::These(these) => these.iter().any(|(_, name)| name == "*"),
        };
        self.statements.iter().any(|statement| statement.allows && is_everybody(statement))
    }

    fn names(&self, kind: &str, principal: &str) -> bool {
        let names = |statement: &Statement| match &statement.principals {
            Principals::Everybody => false,
            Principals::These(these) => these.iter().any(|(of, name)| of == kind && name == principal),
        };
        self.statements.iter().any(|statement| statement.allows && names(statement))
    }
}

impl Statement {
    /// Whether the statement is about the request. Why an allow is not goes to `whys`, if caller and action are the right ones.
    fn applies(&self, request: &Request, variables: bool, whys: &mut Vec<Why>) -> Truth {
        let about = self.actions.holds(request.action).and(self.principals.hold(&request.caller));
        if about == Truth::False && self.unknown.is_empty() {
            return Truth::False;
        }
        if self.actions.holds(request.action) == Truth::False {
            return Truth::False;
        }
        if let Some(element) = self.unknown.first() {
            return Truth::hangs_on(format!("the element {element} of {}", self.name));
        }
        let mut truth = about;
        let mut failed = Vec::new();
        for condition in &self.conditions {
            let holds = condition.holds(request, variables);
            if holds == Truth::False {
                failed.push(Why::Condition { statement: self.name.clone(), condition: condition.clone() });
            }
            truth = truth.and(holds);
        }
        if self.allows {
            whys.append(&mut failed);
        }
        truth
    }
}

impl Listed {
    /// Whether an action is meant.
    pub(super) fn covers(&self, action: &str) -> bool {
        self.holds(action) == Truth::True
    }

    fn holds(&self, action: &str) -> Truth {
        let matches = self.patterns.iter().any(|pattern| like(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase()));
        Truth::of(matches != self.inverted)
    }
}

impl Principals {
    fn hold(&self, caller: &Caller) -> Truth {
        let these = match self {
            Self::Everybody => return Truth::True,
            Self::These(these) => these,
        };
        let mut best = Truth::False;
        for (kind, name) in these {
            match principal_holds(kind, name, caller) {
                Truth::True => return Truth::True,
                Truth::False => {}
                unknown @ Truth::Unknown(_) => best = unknown,
            }
        }
        best
    }
}

fn principal_holds(kind: &str, name: &str, caller: &Caller) -> Truth {
    match (kind, caller) {
        ("AWS" | "Federated", _) if name == "*" => Truth::of((kind == "Federated") == matches!(caller, Caller::Federated(_))),
        ("Federated", Caller::Federated(provider)) => Truth::of(name == provider),
        ("AWS", Caller::Aws(arn)) => {
            let fields: Vec<&str> = arn.split(':').collect();
            let (Some(partition), Some(account)) = (fields.get(1), fields.get(4)) else { return Truth::of(name == arn) };
            let whole_account = name == *account || *name == format!("arn:{partition}:iam::{account}:root");
            Truth::of(name == arn || whole_account)
        }
        ("AWS", Caller::OwnIdentity) => {
            Truth::hangs_on(format!("whether {name} is the AWS identity that Rolegate runs under (--identity ARN)"))
        }
        _ => Truth::False,
    }
}

/// How an operator compares.
#[derive(Clone, Copy)]
enum Comparison {
    Equals,
    EqualsIgnoreCase,
    Like,
    Bool,
}

/// An operator taken apart.
struct Operator {
    comparison: Comparison,
    inverted: bool,
    if_exists: bool,
    set: Option<Set>,
}

#[derive(Clone, Copy, PartialEq)]
enum Set {
    ForAll,
    ForAny,
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        let (set, rest) = match lower.split_once(':') {
            Some(("forallvalues", rest)) => (Some(Set::ForAll), rest),
            Some(("foranyvalue", rest)) => (Some(Set::ForAny), rest),
            Some(_) => return None,
            None => (None, lower.as_str()),
        };
        let (if_exists, rest) = rest.strip_suffix("ifexists").map_or((false, rest), |rest| (true, rest));
        let (comparison, inverted) = match rest {
            "stringequals" => (Comparison::Equals, false),
            "stringnotequals" => (Comparison::Equals, true),
            "stringequalsignorecase" => (Comparison::EqualsIgnoreCase, false),
            "stringnotequalsignorecase" => (Comparison::EqualsIgnoreCase, true),
            // The two pairs for ARNs mean the same, and both take wildcards.
            "stringlike" | "arnlike" | "arnequals" => (Comparison::Like, false),
            "stringnotlike" | "arnnotlike" | "arnnotequals" => (Comparison::Like, true),
            "bool" => (Comparison::Bool, false),
            _ => return None,
        };
        Some(Self { comparison, inverted, if_exists, set })
    }
}

impl Condition {
    fn holds(&self, request: &Request, variables: bool) -> Truth {
        let unknown_key = || Truth::hangs_on(format!("the key {} under {}", self.key, self.operator));
        let said = request.said(&self.key);
        if self.operator.eq_ignore_ascii_case("null") {
            let wants_nothing = match self.values.as_slice() {
                [flag] if flag.eq_ignore_ascii_case("true") => true,
                [flag] if flag.eq_ignore_ascii_case("false") => false,
                _ => return Truth::hangs_on("the operator Null with several values"),
            };
            return said.map_or_else(unknown_key, |said| Truth::of((*said == Said::Nothing) == wants_nothing));
        }
        let Some(operator) = Operator::parse(&self.operator) else { return Truth::hangs_on(format!("the operator {}", self.operator)) };
        let Some(said) = said else { return unknown_key() };
        let shaped;
        let values = match said {
            Said::Nothing => {
                let holds = operator.if_exists || operator.set.map_or(operator.inverted, |set| set == Set::ForAll);
                return Truth::of(holds);
            }
            Said::ForTheOwner => return Truth::True,
            Said::Values(values) => values,
            Said::Shaped(shape) => {
                // No pattern names these characters, so that only a wildcard takes them.
                shaped = vec![shape.replace('*', GAP)];
                &shaped
            }
        };
        if operator.set.is_none() && values.len() > 1 {
            return Truth::hangs_on(format!("{} without ForAllValues or ForAnyValue, for a key with several values", self.key));
        }
        let mut patterns = Vec::with_capacity(self.values.len());
        for value in &self.values {
            match Pattern::of(value, operator.comparison, variables) {
                Some(pattern) => patterns.push(pattern),
                None => return Truth::hangs_on(format!("the policy variable in {value}")),
            }
        }
        let fits = |value: &String| patterns.iter().any(|pattern| pattern.fits(value)) != operator.inverted;
        if matches!(said, Said::Shaped(_)) && values.iter().any(|value| !patterns.iter().any(|pattern| pattern.fits(value))) {
            return unknown_key();
        }
        Truth::of(match operator.set {
            Some(Set::ForAny) => values.iter().any(fits),
            Some(Set::ForAll) | None => values.iter().all(fits),
        })
    }
}

/// What stands for an unknown part of a value.
const GAP: &str = "\u{e000}\u{e001}\u{e002}\u{e003}\u{e004}\u{e005}\u{e006}\u{e007}";

/// A value that a condition compares with: characters, and wildcards that stand for others.
struct Pattern {
    parts: Vec<Part>,
    ignores_case: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    This(char),
    One,
    Any,
}

impl Pattern {
    /// None for a value with a policy variable, but for the three that escape `*`, `?` and `$`.
    fn of(value: &str, comparison: Comparison, variables: bool) -> Option<Self> {
        let wild = matches!(comparison, Comparison::Like);
        let mut parts = Vec::with_capacity(value.len());
        let mut rest = value;
        while let Some(character) = rest.chars().next() {
            if variables && rest.starts_with("${") {
                let escaped = ["*", "?", "$"]
                    .into_iter()
                    .find(|escaped| rest.get(2..).is_some_and(|rest| rest.starts_with(&format!("{escaped}}}"))))?;
                parts.extend(escaped.chars().map(Part::This));
                rest = rest.get(4..).unwrap_or_default();
                continue;
            }
            parts.push(match character {
                '*' if wild => Part::Any,
                '?' if wild => Part::One,
                other => Part::This(other),
            });
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
        Some(Self { parts, ignores_case: matches!(comparison, Comparison::EqualsIgnoreCase | Comparison::Bool) })
    }

    fn fits(&self, value: &str) -> bool {
        let same = |one: char, other: char| one == other || (self.ignores_case && one.to_lowercase().eq(other.to_lowercase()));
        let text: Vec<char> = value.chars().collect();
        let (mut at, mut of) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while let Some(character) = text.get(at) {
            match self.parts.get(of) {
                Some(Part::Any) => {
                    star = Some((of, at));
                    of += 1;
                }
                Some(Part::One) => (at, of) = (at + 1, of + 1),
                Some(Part::This(wanted)) if same(*wanted, *character) => (at, of) = (at + 1, of + 1),
                _ => match star {
                    Some((back, from)) => {
                        star = Some((back, from + 1));
                        (at, of) = (from + 1, back + 1);
                    }
                    None => return false,
                },
            }
        }
        self.parts.get(of..).unwrap_or_default().iter().all(|part| *part == Part::Any)
    }
}

/// Whether a text fits a pattern with `*` and `?`.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    Pattern::of(pattern, Comparison::Like, false).is_some_and(|pattern| pattern.fits(text))
}
