//! What a condition sees of one person and one moment. Made when the first condition asks: most decisions have none.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use cel::{Context, ExecutionError, Value, to_value};
use chrono::FixedOffset;

use super::types::Needs;
use super::{Condition, shared};
use crate::access::{self, Account, Person, Purpose, Purposes};
use crate::clock::Moment;

/// A person in a context, ready to be asked about.
pub(in crate::access) struct Facts<'a> {
    who: &'a Person<'a>,
    context: &'a access::Context,
    base: OnceCell<Context<'static, 'static>>,
    groups: OnceCell<Value>,
    claims: OnceCell<Value>,
}

impl<'a> Facts<'a> {
    pub(in crate::access) const fn of(who: &'a Person<'a>, context: &'a access::Context) -> Self {
        Self { who, context, base: OnceCell::new(), groups: OnceCell::new(), claims: OnceCell::new() }
    }

    /// What the person may take roles for at all.
    pub(in crate::access) const fn purposes(&self) -> Purposes {
        self.who.purposes()
    }

    pub(super) fn evaluate(
        &self,
        condition: &Condition,
        purpose: Purpose,
        role: Option<(&access::Target, &Account)>,
    ) -> Result<Value, ExecutionError> {
        let base = self.base.get_or_init(|| self.base());
        let mut scope = base.new_inner_scope();
        scope.add_variable_from_value("request", self.request(purpose));
        let Condition { program, needs, .. } = condition;
        if needs.groups {
            scope.add_variable_from_value("groups", self.groups.get_or_init(|| texts(self.who.groups)).clone());
        }
        scope.add_variable_from_value("claims", self.claims(needs));
        if let Some((role, account)) = role {
            scope.add_variable_from_value("role", map([("name", text(role.path_and_name())), ("arn", text(role.as_str()))]));
            scope.add_variable_from_value("account", self::account(account));
        }
        program.execute(&scope)
    }

    fn base(&self) -> Context<'static, 'static> {
        let mut base = Context::with_env(shared());
        let who = self.who;
        base.add_variable_from_value("provider", text(who.provider.as_str()));
        base.add_variable_from_value("username", text(who.username));
        base.add_variable_from_value("auth", self.auth());
        base.add_variable_from_value("now", time(self.context.now));
        base
    }

    /// The claims that a condition names, or all of them.
    fn claims(&self, needs: &Needs) -> Value {
        let all = self.who.claims;
        if needs.all_claims {
            return self.claims.get_or_init(|| to_value(all).unwrap_or(Value::Null)).clone();
        }
        let named = needs.claims.iter().filter_map(|name| Some((name.as_str(), all.get(name)?)));
        map(named.map(|(name, value)| (name, to_value(value).unwrap_or(Value::Null))))
    }

    /// What the provider did not tell is not there: a condition that needs it cannot hold.
    fn auth(&self) -> Value {
        let auth = self.who.authentication;
        let mut fields = vec![("mfa", Value::Bool(auth.mfa)), ("amr", texts(&auth.amr))];
        if let Some(since) = auth.time {
            fields.push(("time", time(since)));
            fields.push(("age", Value::Duration(self.context.now - since)));
        }
        if let Some(acr) = &auth.acr {
            fields.push(("acr", text(acr)));
        }
        map(fields)
    }

    fn request(&self, purpose: Purpose) -> Value {
        let ip = self.context.ip.map(|ip| ("ip", text(&ip.to_canonical().to_string())));
        map(ip.into_iter().chain([("purpose", text(purpose.as_str()))]))
    }
}

fn account(account: &Account) -> Value {
    let tags: HashMap<String, Value> = account.tags.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    let ou = account.ou.as_ref().map(|ou| ("ou", text(ou)));
    let known = [
        ("id", text(account.id.as_str())),
        ("name", text(&account.name)),
        ("partition", text(&account.partition.to_string())),
        ("tags", tags.into()),
    ];
    map(known.into_iter().chain(ou))
}

fn map<'k>(fields: impl IntoIterator<Item = (&'k str, Value)>) -> Value {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<HashMap<String, Value>>().into()
}

fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

fn texts(texts: &[String]) -> Value {
    Value::List(Arc::new(texts.iter().map(|item| text(item)).collect()))
}

fn time(moment: Moment) -> Value {
    Value::Timestamp(moment.with_timezone(&FixedOffset::east_opt(0).unwrap_or_else(|| unreachable!("UTC is an offset"))))
}
