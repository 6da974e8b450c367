//! What can be said of a condition before anybody signs in: that it can never hold, and which claims it goes by.

use std::collections::BTreeSet;
use std::fmt;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators as op};
use serde::Serialize;

use super::Condition;
use crate::clock::Moment;

/// What is known of the words of a condition.
pub(in crate::access) struct Known<'a> {
    /// The values that a word can have, such as those of `provider`; none for a word that can have any.
    pub(in crate::access) values: &'a dyn Fn(&str) -> Option<Vec<String>>,
    /// The moment; it never goes back.
    pub(in crate::access) now: Moment,
}

/// What a condition looks at, in kinds that tell nothing of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Concern {
    /// What the provider says about the person: claims, and the name that is made from one.
    Claims,
    /// The person's groups.
    Groups,
    /// The provider that vouches.
    Provider,
    /// How and when the person signed in.
    SignIn,
    /// The address of the request.
    Address,
    /// The moment.
    Time,
    /// What the role is taken for.
    Purpose,
    /// The role and its account, which are the same for everybody.
    Role,
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Claims => "what your identity provider says about you",
            Self::Groups => "your groups",
            Self::Provider => "the provider that you sign in with",
            Self::SignIn => "how and when you signed in",
            Self::Address => "the address that you come from",
            Self::Time => "the time",
            Self::Purpose => "what you take the role for",
            Self::Role => "the role and its account",
        })
    }
}

impl Condition {
    /// What it looks at.
    pub(in crate::access) fn concerns(&self) -> BTreeSet<Concern> {
        let mut found = BTreeSet::new();
        visit(self.program.expression(), &mut |expression| {
            let Some(path) = path(expression) else { return };
            let concern = match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["claims" | "username", ..] => Concern::Claims,
                ["groups", ..] => Concern::Groups,
                ["provider"] => Concern::Provider,
                ["auth", ..] => Concern::SignIn,
                ["request", "ip"] => Concern::Address,
                ["request", "purpose"] => Concern::Purpose,
                ["now"] => Concern::Time,
                ["role" | "account", ..] => Concern::Role,
                _ => return,
            };
            found.insert(concern);
        });
        found
    }

    /// Whether the condition can hold for nobody, ever, as far as that can be seen.
    pub(in crate::access) fn can_never_hold(&self, known: &Known<'_>) -> bool {
        fold(self.program.expression(), known) == Some(false)
    }

    /// The claims that it names, by their first name; `username` stands for the name that the provider's claim gives.
    pub(in crate::access) fn claims(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        visit(self.program.expression(), &mut |expression| {
            if let Some(path) = path(expression) {
                match path.split_first() {
                    Some((root, [claim, ..])) if root == "claims" => found.insert(claim.clone()),
                    Some((root, [])) if root == "username" => found.insert(root.clone()),
                    _ => false,
                };
            }
        });
        found
    }

    /// Whether it holds for those alone whose claim of this name is true.
    pub(in crate::access) fn demands(&self, claim: &str) -> bool {
        let is_claim = |at: &IdedExpr| path(at).is_some_and(|path| path.iter().map(String::as_str).eq(["claims", claim]));
        let is_true = |at: &IdedExpr| matches!(&at.expr, Expr::Literal(LiteralValue::Boolean(value)) if *value.inner());
        parts(self.program.expression(), op::LOGICAL_AND).iter().any(|part| match &part.expr {
            Expr::Call(CallExpr { func_name, args, .. }) if func_name == op::EQUALS => match args.as_slice() {
                [one, other] => (is_claim(one) && is_true(other)) || (is_true(one) && is_claim(other)),
                _ => false,
            },
            _ => is_claim(part),
        })
    }
}

/// The value of an expression, where it is the same for everybody from now on.
fn fold(at: &IdedExpr, known: &Known<'_>) -> Option<bool> {
    let call = match &at.expr {
        Expr::Literal(LiteralValue::Boolean(value)) => return Some(*value.inner()),
        Expr::Call(call) if call.target.is_none() => call,
        _ => return None,
    };
    match (call.func_name.as_str(), call.args.as_slice()) {
        (op::LOGICAL_NOT, [of]) => fold(of, known).map(|value| !value),
        (op::LOGICAL_AND, _) => {
            let parts = parts(at, op::LOGICAL_AND);
            let values: Vec<_> = parts.iter().map(|part| fold(part, known)).collect();
            if values.contains(&Some(false)) || contradict(&parts) {
                return Some(false);
            }
            values.iter().all(|value| *value == Some(true)).then_some(true)
        }
        (op::LOGICAL_OR, [one, other]) => match (fold(one, known), fold(other, known)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        (op::EQUALS, [one, other]) => {
            if let (Expr::Literal(one), Expr::Literal(other)) = (&one.expr, &other.expr) {
                return Some(one == other);
            }
            let (word, text) = equality(at)?;
            is_possible(known, &word, &[text])
        }
        (op::IN, [word, list]) => {
            let Expr::List(list) = &list.expr else { return None };
            let texts = list.elements.iter().map(text).collect::<Option<Vec<_>>>()?;
            is_possible(known, &path(word)?.join("."), &texts)
        }
        (op::LESS | op::LESS_EQUALS, [now, end]) | (op::GREATER | op::GREATER_EQUALS, [end, now]) => {
            let is_now = path(now).is_some_and(|path| path == ["now"]);
            (is_now && moment(end)? <= known.now).then_some(false)
        }
        _ => None,
    }
}

/// `Some(false)` if the word can have none of these values.
fn is_possible(known: &Known<'_>, word: &str, texts: &[&str]) -> Option<bool> {
    let values = (known.values)(word)?;
    (!values.iter().any(|value| texts.contains(&value.as_str()))).then_some(false)
}

/// Whether one word would have to have two values.
fn contradict(parts: &[&IdedExpr]) -> bool {
    let equalities: Vec<_> = parts.iter().filter_map(|part| equality(part)).collect();
    equalities.iter().any(|(word, text)| equalities.iter().any(|(other, value)| word == other && text != value))
}

/// `word == "text"`, either way round.
fn equality(at: &IdedExpr) -> Option<(String, &str)> {
    let Expr::Call(call) = &at.expr else { return None };
    let ([one, other], true) = (call.args.as_slice(), call.func_name == op::EQUALS) else { return None };
    let (word, text) = text(other).map(|text| (one, text)).or_else(|| text(one).map(|text| (other, text)))?;
    Some((path(word)?.join("."), text))
}

fn text(at: &IdedExpr) -> Option<&str> {
    match &at.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn moment(at: &IdedExpr) -> Option<Moment> {
    match &at.expr {
        Expr::Call(call) if call.func_name == "timestamp" => text(call.args.first()?)?.parse().ok(),
        _ => None,
    }
}

/// The operands of an operator, however they are bracketed.
fn parts<'e>(at: &'e IdedExpr, operator: &str) -> Vec<&'e IdedExpr> {
    match &at.expr {
        Expr::Call(call) if call.func_name == operator => call.args.iter().flat_map(|argument| parts(argument, operator)).collect(),
        _ => vec![at],
    }
}

/// The words of `a.b`, and of `a["b"]`.
fn path(at: &IdedExpr) -> Option<Vec<String>> {
    let (of, field) = match &at.expr {
        Expr::Ident(name) => return Some(vec![name.clone()]),
        Expr::Select(select) => (&*select.operand, select.field.as_str()),
        Expr::Call(call) if call.func_name == op::INDEX => (call.args.first()?, text(call.args.get(1)?)?),
        _ => return None,
    };
    let mut path = path(of)?;
    path.push(field.to_owned());
    Some(path)
}

fn visit(at: &IdedExpr, see: &mut impl FnMut(&IdedExpr)) {
    see(at);
    match &at.expr {
        Expr::Select(select) => visit(&select.operand, see),
        Expr::List(list) => list.elements.iter().for_each(|element| visit(element, see)),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).for_each(|part| visit(part, see)),
        Expr::Comprehension(parts) => {
            for part in [&parts.iter_range, &parts.accu_init, &parts.loop_cond, &parts.loop_step, &parts.result] {
                visit(part, see);
            }
        }
        Expr::Ident(_) | Expr::Literal(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_hold_is_seen_and_what_may_is_let_be() {
        let values = |word: &str| match word {
            "provider" => Some(vec!["okta".to_owned()]),
            "request.purpose" => Some(vec!["console".to_owned()]),
            "account.tags.env" => Some(vec!["prod".to_owned(), "dev".to_owned()]),
            _ => None,
        };
        let known = Known { values: &values, now: "2026-06-01T00:00:00Z".parse().unwrap() };
        let never = |text: &str| Condition::parse(text).unwrap().can_never_hold(&known);
        for text in [
            "false",
            "auth.mfa && false",
            "!true || 'a' == 'b'",
            "provider == 'okat'",
            "'okat' == provider && auth.mfa",
            "provider in ['a', 'b']",
            "request.purpose == 'credentials'",
            "account.tags.env == 'staging' || account.tags['env'] == 'stage'",
            "auth.mfa && (claims.a == 'x' && (auth.mfa && claims['a'] == 'y'))",
            "now < timestamp('2026-01-01T00:00:00Z')",
            "timestamp('2026-01-01T00:00:00Z') >= now",
        ] {
            assert!(never(text), "{text}");
        }
        for text in [
            "true",
            "auth.mfa",
            "provider == 'okta'",
            "provider != 'okat'",
            "!(provider == 'okat')",
            "provider in ['okat', 'okta']",
            "claims.a == 'x' || claims.a == 'y'",
            "claims.a == 'x' && claims.b == 'y'",
            "account.tags.env == 'dev' && account.name == 'Any'",
            "now < timestamp('2027-01-01T00:00:00Z')",
            "now > timestamp('2026-01-01T00:00:00Z')",
            "false || auth.mfa",
        ] {
            assert!(!never(text), "{text}");
        }
    }

    #[test]
    fn what_a_condition_looks_at_is_told_in_kinds() {
        let concerns = |text: &str| Condition::parse(text).unwrap().concerns().into_iter().collect::<Vec<_>>();
        assert_eq!(concerns("claims['a'] == 'x' && request.ip.within('10.0.0.0/8')"), [Concern::Claims, Concern::Address]);
        assert_eq!(concerns("username != 'x' || groups.exists(g, g == 'a')"), [Concern::Claims, Concern::Groups]);
        assert_eq!(concerns("auth.mfa && auth.age < duration('1h')"), [Concern::SignIn]);
        assert_eq!(
            concerns("provider == 'a' && request.purpose == 'console' && now.getHours() < 18 && account.tags.env == 'dev'"),
            [Concern::Provider, Concern::Time, Concern::Purpose, Concern::Role]
        );
        assert_eq!(concerns("true"), []);
    }

    #[test]
    fn the_claims_that_a_condition_goes_by_are_found() {
        let condition = Condition::parse(
            "claims.email.endsWith('@x') && has(claims.locale) && claims['nick'] in ['a'] && groups.exists(g, g == 'a') && username != 'x' \
             && claims.address.country == 'de' && claims.email_verified",
        )
        .unwrap();
        let claims: Vec<_> = condition.claims().into_iter().collect();
        assert_eq!(claims, ["address", "email", "email_verified", "locale", "nick", "username"]);
        assert!(condition.demands("email_verified"));
        let demands = |text: &str| Condition::parse(text).unwrap().demands("email_verified");
        assert!(demands("auth.mfa && claims.email_verified == true"));
        assert!(!demands("auth.mfa || claims.email_verified") && !demands("!claims.email_verified"));
        assert!(!demands("claims.email_verified == false") && !demands("has(claims.email)"));
    }
}
