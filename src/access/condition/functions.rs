//! The standard functions, and our own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelString, STRING_TYPE};
use cel::common::value::CowVal;
use cel::{Env, ExecutionError, Program, Value};
use ipnet::IpNet;
use regex::Regex;

/// How many patterns a thread keeps compiled.
const MOST_PATTERNS: usize = 256;

/// The environment: CEL's standard library, `ip.within("10.0.0.0/8")`, and `text.matches("pattern")`.
pub(super) fn environment() -> &'static Arc<Env> {
    static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        // It can only fail if the name was taken; then the tests of this module do too.
        let _ = env.add_member_overload("within", "ip_within", STRING_TYPE, vec![STRING_TYPE], within);
        let _ = env.add_member_overload("matches", "matches_kept", STRING_TYPE, vec![STRING_TYPE], matches);
        Arc::new(env)
    });
    &ENVIRONMENT
}

#[expect(clippy::needless_pass_by_value, reason = "the library's signature")]
fn within<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let is_in = texts(&arguments)?.and_then(|(ip, network)| contains(network, ip));
    let is_in = is_in.ok_or_else(|| ExecutionError::function_error("within", "not an address and a network"))?;
    Ok(CowVal::Owned(Box::new(CelBool::from(is_in))))
}

/// The library's own reads its pattern anew for each text: for thousands of groups that is seconds.
#[expect(clippy::needless_pass_by_value, reason = "the library's signature")]
fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    thread_local!(static KEPT: RefCell<HashMap<String, Regex>> = RefCell::default());
    let matches = |(text, pattern): (&str, &str)| {
        KEPT.with_borrow_mut(|kept| {
            if !kept.contains_key(pattern) {
                if kept.len() >= MOST_PATTERNS {
                    kept.clear();
                }
                kept.insert(pattern.to_owned(), Regex::new(pattern).ok()?);
            }
            kept.get(pattern).map(|regex| regex.is_match(text))
        })
    };
    let matches = texts(&arguments)?.and_then(matches);
    let matches = matches.ok_or_else(|| ExecutionError::function_error("matches", "not a text and a pattern"))?;
    Ok(CowVal::Owned(Box::new(CelBool::from(matches))))
}

/// Two arguments, if both are texts.
fn texts<'a>(arguments: &'a [CowVal<'_, '_>]) -> Result<Option<(&'a str, &'a str)>, ExecutionError> {
    let [one, other] = arguments else { return Err(ExecutionError::invalid_argument_count(2, arguments.len())) };
    let text = |value: &'a CowVal<'_, '_>| value.downcast_ref::<CelString<'_>>().map(CelString::inner);
    Ok(text(one).zip(text(other)))
}

fn contains(network: &str, ip: &str) -> Option<bool> {
    let network: IpNet = network.parse().ok()?;
    let ip: IpAddr = ip.parse().ok()?;
    // An IPv4 address in IPv6 clothes is the IPv4 address.
    Some(network.contains(&ip.to_canonical()))
}

/// Whether a text is a network as `within` reads it.
pub(super) fn is_network(text: &str) -> bool {
    text.parse::<IpNet>().is_ok()
}

/// Whether a call with constant arguments alone has a value: `duration("8 hours")` has none.
pub(super) fn has_value(call: &str) -> bool {
    let context = cel::Context::with_env(Arc::clone(environment()));
    Program::compile(call).is_ok_and(|program| !matches!(program.execute(&context), Err(_) | Ok(Value::Null)))
}
