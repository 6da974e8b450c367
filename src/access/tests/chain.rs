//! Roles by `AssumeRole`: external ids, and roles on the way.

use super::*;

const HUB: &str = "arn:aws:iam::444455556666:role/Hub";
const DEV: &str = "arn:aws:iam::111122223333:role/Dev";

fn rule(id: &str, group: &str, keys: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\ngroups = [\"{group}\"]\naccounts = [\"Production\"]\nroles = [\"Dev\"]\n{keys}\n")
}

fn by_assume_role(keys: &str) -> String {
    rule("r", "g", &format!("operation = \"assume_role\"\n{keys}"))
}

fn chosen(rules: &str, groups: &[&str]) -> Result<AssumeRequest, Denied> {
    entitled(rules, groups).choose(&wish(DEV))
}

#[test]
fn a_role_by_the_gateways_own_identity_carries_what_the_rule_says() {
    let keys = "external_id = \"tenant:4711/x\"\ntags = { Team = \"blue\" }\ntransitive_tags = [\"Team\"]\nmax_session = \"12h\"";
    let request = chosen(&by_assume_role(keys), &["g"]).unwrap();
    assert_eq!((request.operation(), request.operation().sts_name()), (Operation::AssumeRole, "AssumeRole"));
    assert_eq!(request.external_id().map(ExternalId::expose), Some("tenant:4711/x"));
    assert_eq!(request.source_identity(), Some("okta+u1"));
    assert!(request.tags()[0].transitive && !request.is_chained() && request.first_hop().is_none());
    assert!(!format!("{request:?}").contains("4711"), "an external id prints nothing");
    let chained = request.chained_by_own_identity();
    assert_eq!((chained.is_chained(), chained.duration()), (true, CHAINED_SESSION));
}

#[test]
fn a_gateway_that_is_itself_a_session_offers_an_hour() {
    let rules =
        by_assume_role("max_session = \"12h\"") + &rule("own", "g", "").replace("Dev", "Own").replace("\n\n", "\nmax_session = \"12h\"\n");
    let entitlements = entitled(&rules, &["g"]);
    assert!(entitlements.roles().iter().all(|entitlement| entitlement.max_session == LONGEST_SESSION));
    let longest: Vec<_> =
        entitlements.clone().chained_by_own_identity().roles().iter().map(|role| (role.max_session, role.chained)).collect();
    assert_eq!(longest, [(CHAINED_SESSION, true), (LONGEST_SESSION, false)], "a token of our own needs no identity of ours");
    let long = Wish { duration: Some(Duration::from_hours(2)), ..wish(DEV) };
    assert!(entitlements.choose(&long).is_ok());
    assert_eq!(entitlements.chained_by_own_identity().choose(&long).unwrap_err(), Denied::Duration(CHAINED_SESSION));
}

#[test]
fn by_way_of_another_role_there_are_two_requests() {
    for operation in [Operation::WebIdentity, Operation::Saml, Operation::AssumeRole] {
        let name = serde_json::to_string(&operation).unwrap();
        let keys = format!(
            "via = \"{HUB}\"\nvia_operation = {name}\nexternal_id = \"x-1\"\ntags = {{ Team = \"blue\" }}\npolicy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]"
        );
        let entitlements = entitled(&by_assume_role(&keys), &["g"]);
        let entitlement = &entitlements.roles()[0];
        assert!(entitlement.chained && entitlement.max_session == CHAINED_SESSION);
        let last = entitlements.choose(&Wish { duration: Some(Duration::from_mins(30)), ..wish(DEV) }).unwrap();
        assert!(last.is_chained());
        assert_eq!((last.target().as_str(), last.operation(), last.tags().len()), (DEV, Operation::AssumeRole, 1));
        let first = last.first_hop().unwrap();
        assert_eq!((first.target().as_str(), first.operation(), first.account().name.as_str()), (HUB, operation, "Staging"));
        assert_eq!(
            (first.duration(), first.session_name(), first.source_identity()),
            (SHORTEST_SESSION, last.session_name(), Some("okta+u1"))
        );
        assert!(
            first.tags().is_empty() && first.session_policy().is_none() && first.external_id().is_none() && first.first_hop().is_none()
        );
    }
    let usual = chosen(&by_assume_role(&format!("via = \"{HUB}\"")), &["g"]).unwrap();
    assert_eq!(usual.first_hop().unwrap().operation(), Operation::WebIdentity);
}

#[test]
fn a01_external_ids_come_from_the_rules_and_never_from_two_of_them() {
    let claims = "operation = \"assume_role\"\nexternal_id = \"t-${claims.tenant}\"";
    let ask = |tenant: serde_json::Value| {
        let mut who = Identity::for_tests("u1", &["g"]);
        who.claims.add("tenant".into(), tenant);
        let context = Context { now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), ip: None };
        let request = compile(&rule("r", "g", claims)).unwrap().entitlements(&who, &context).choose(&wish(DEV));
        request.map(|request| request.external_id().unwrap().expose().to_owned())
    };
    assert_eq!(ask("a".into()).as_deref(), Ok("t-a"));
    for bad in ["a b", "ä", "a\n", &"x".repeat(1223)] {
        assert_eq!(ask(bad.into()), Err(Denied::ExternalId), "{bad}");
    }
    assert_eq!(chosen(&rule("r", "g", claims), &["g"]).unwrap_err(), Denied::MissingClaim("tenant".into()));

    let rules = [
        rule("free", "free", ""),
        rule("one", "one", "operation = \"assume_role\"\nexternal_id = \"one\""),
        rule("other", "other", "operation = \"assume_role\"\nexternal_id = \"other\""),
        rule("hub", "hub", &format!("operation = \"assume_role\"\nvia = \"{HUB}\"")),
        rule("hub2", "hub2", &format!("operation = \"assume_role\"\nvia = \"{HUB}2\"")),
    ]
    .concat();
    let external = |groups: &[&str]| chosen(&rules, groups).map(|request| request.external_id().map(|id| id.expose().to_owned()));
    assert_eq!(external(&["free", "one"]), Ok(Some("one".into())));
    assert_eq!(external(&["one", "other"]), Err(Denied::Contradiction("external_id".into())));
    let hub = |groups: &[&str]| chosen(&rules, groups).map(|request| request.hub().map(|hub| hub.role.to_string()));
    assert_eq!(hub(&["hub", "one"]), Ok(Some(HUB.into())));
    assert_eq!(hub(&["hub", "hub2"]), Err(Denied::Contradiction("via".into())));
    // What pages show of a contradiction does not depend on the order of the rules.
    let shown = |groups: &[&str]| entitled(&rules, groups).roles()[0].hub.clone().unwrap().role.to_string();
    assert_eq!(shown(&["hub", "hub2"]), shown(&["hub2", "hub"]));
}

#[test]
fn what_aws_would_refuse_is_refused_when_the_rules_are_checked() {
    let refused_by = |keys: &str, key: &str, words: &str| refused(&rule("r", "g", keys), &format!("rule[0].{key}"), words);
    for operation in ["", "operation = \"saml\"\n", "operation = \"web_identity\"\n", "operation = \"forwarded_saml\"\n"] {
        refused_by(&format!("{operation}external_id = \"abc\""), "external_id", "only AssumeRole");
        refused_by(&format!("{operation}via = \"{HUB}\""), "via", "by AssumeRole alone");
    }
    let refused_by = |keys: &str, key: &str, words: &str| refused(&by_assume_role(keys), &format!("rule[0].{key}"), words);
    for bad in ["", "a", "a b", "ä${username}", &"x".repeat(1225), "${claims.}"] {
        let words = if bad == "${claims.}" { "names no claim" } else { "does not take" };
        refused_by(&format!("external_id = \"{bad}\""), "external_id", words);
    }
    refused_by("external_id = \"${tenant}\"", "external_id", "no capture `tenant`");
    refused_by("via = \"Hub\"", "via", "not a role's ARN");
    refused_by("via = \"arn:aws:iam::999999999999:role/Hub\"", "via", "in no known account");
    refused_by("via = \"arn:aws-cn:iam::111122223333:role/Hub\"", "via", "in no known account");
    refused_by("via_operation = \"saml\"", "via_operation", "no role on the way");
    refused_by(&format!("via = \"{HUB}\"\nvia_operation = \"forwarded_saml\""), "via_operation", "cannot be reached so");
    refused_by(&format!("via = \"{HUB},x\"\nvia_operation = \"saml\""), "via", "comma");
    refused_by(&format!("via = \"{HUB}\"\nmax_session = \"2h\""), "max_session", "an hour at most");
    assert!(compile(&by_assume_role(&format!("via = \"{HUB}\"\nmax_session = \"1h\""))).is_ok());
    let everywhere = by_assume_role(&format!("via = \"{HUB}\"")).replace("[\"Production\"]", "[\"*\"]");
    refused(&everywhere, "rule[0].via", "another partition");
    let deny = rule("r", "g", "effect = \"deny\"\nexternal_id = \"abc\"");
    refused(&deny, "rule[0]", "a deny rule grants no session");
}
