//! The standard functions, and our own.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelString, STRING_TYPE};
use cel::common::value::CowVal;
use cel::{Env, ExecutionError, Program, Value};
use ipnet::IpNet;

/// The environment: CEL's standard library, and `ip.within("10.0.0.0/8")`.
pub(super) fn environment() -> &'static Arc<Env> {
    static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        // It can only fail if the name was taken; then the tests of this module do too.
        let _ = env.add_member_overload("within", "ip_within", STRING_TYPE, vec![STRING_TYPE], within);
        Arc::new(env)
    });
    &ENVIRONMENT
}

#[expect(clippy::needless_pass_by_value, reason = "the library's signature")]
fn within<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [ip, network] = arguments.as_slice() else { return Err(ExecutionError::invalid_argument_count(2, arguments.len())) };
    let text = |value: &CowVal<'_, '_>| value.downcast_ref::<CelString<'_>>().map(|text| text.inner().to_owned());
    let is_in = match (text(ip), text(network)) {
        (Some(ip), Some(network)) => contains(&network, &ip),
        _ => None,
    };
    let is_in = is_in.ok_or_else(|| ExecutionError::function_error("within", "not an address and a network"))?;
    Ok(CowVal::Owned(Box::new(CelBool::from(is_in))))
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
