//! Roles of the gateway itself.

use super::*;

fn rule(id: &str, more: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\n{more}\n")
}

fn held(rules: &str, groups: &[&str]) -> Vec<GatewayRole> {
    entitled(rules, groups).gateway_roles().iter().map(|grant| grant.role).collect()
}

#[test]
fn rules_give_roles_of_the_gateway_by_the_same_matchers_and_a_deny_takes_them() {
    use GatewayRole::{Administrator, Auditor};
    let rules = [
        rule("admins", "groups = [\"ops\"]\ngateway = [\"administrator\"]"),
        rule("auditors", "group_pattern = 'audit-.*'\ngateway = [\"auditor\", \"auditor\"]"),
        rule("both", "everyone = true\nwhen = 'has(claims.boss)'\ngateway = [\"administrator\", \"auditor\"]"),
        rule("ended", "groups = [\"ended\"]\nuntil = \"2026-01-01T00:00:00Z\"\ngateway = [\"auditor\"]"),
        rule("never", "effect = \"deny\"\ngroups = [\"contractors\"]\ngateway = [\"administrator\"]"),
    ]
    .concat();
    assert_eq!(held(&rules, &["ops"]), [Administrator]);
    assert_eq!(held(&rules, &["audit-eu", "ops"]), [Administrator, Auditor]);
    assert_eq!(held(&rules, &["audit-eu", "ops", "contractors"]), [Auditor]);
    assert!(held(&rules, &["ended"]).is_empty() && held(&rules, &[]).is_empty());
    let both = entitled(&rules, &["ops", "audit-eu"]);
    assert!(both.roles().is_empty(), "they give nothing in AWS");
    assert!(both.has_gateway_role(Auditor));
    let why: Vec<_> = both.gateway_roles()[1].evidence.iter().map(|why| (&*why.rule, why.group.as_deref())).collect();
    assert_eq!(why, [("auditors", Some("audit-eu"))]);
    // The condition that cannot be evaluated gives nothing.
    assert!(entitled(&rules, &["x"]).gateway_roles().is_empty());
}

#[test]
fn a_deny_of_roles_in_aws_leaves_those_of_the_gateway_and_a_broken_condition_of_a_deny_takes_them() {
    let admins = rule("admins", "groups = [\"ops\"]\ngateway = [\"administrator\"]");
    let all = rule("all", "effect = \"deny\"\neveryone = true");
    assert_eq!(held(&(admins.clone() + &all), &["ops"]), [GatewayRole::Administrator]);
    let broken = rule("broken", "effect = \"deny\"\neveryone = true\nwhen = 'claims.absent == \"x\"'\ngateway = [\"administrator\"]");
    assert!(held(&(admins + &broken), &["ops"]).is_empty());
}

#[test]
fn what_only_a_role_in_aws_can_have_is_refused_beside_them() {
    let of = |more: &str| rule("r", &format!("everyone = true\ngateway = [\"auditor\"]\n{more}"));
    refused(&of("roles = [\"Dev\"]"), "rule[0].roles", "roles of the gateway itself");
    refused(&of("accounts = [\"*\"]"), "rule[0].accounts", "roles of the gateway itself");
    refused(&of("purposes = [\"console\"]"), "rule[0].purposes", "roles of the gateway itself");
    refused(&of("require_mfa = true"), "rule[0].gateway", "no session in AWS");
    refused(&of("when = 'account.tags.env == \"prod\"'"), "rule[0].when", "has none");
    refused(&of("when = 'request.purpose == \"console\"'"), "rule[0].when", "has none");
    refused(&of("effect = \"deny\"\nuntil = \"2030-01-01T00:00:00Z\""), "rule[0].until", "does not run out");
    assert!(compile(&of("when = 'auth.mfa'")).is_ok());
}
