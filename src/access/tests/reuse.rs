//! Credentials that may be handed out again: by all of the rules, and to the same request alone.

use super::*;

fn rule(id: &str, group: &str, keys: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\ngroups = [\"{group}\"]\naccounts = [\"Production\"]\nroles = [\"Dev\"]\n{keys}\n")
}

const DEV: &str = "arn:aws:iam::111122223333:role/Dev";
const REUSE: &str = "reuse_credentials = true";

#[test]
fn credentials_are_reused_only_where_every_rule_that_grants_them_says_so() {
    let rules = [rule("one", "a", REUSE), rule("two", "b", REUSE), rule("three", "c", "")].concat();
    let reuse = |groups: &[&str]| entitled(&rules, groups).roles()[0].reuse;
    assert!(reuse(&["a"]) && reuse(&["a", "b"]));
    assert!(!reuse(&["c"]) && !reuse(&["a", "c"]) && !reuse(&["c", "b", "a"]));
}

#[test]
fn what_is_good_once_is_never_reused() {
    for operation in ["forwarded_web_identity", "forwarded_saml"] {
        refused(&rule("r", "g", &format!("{REUSE}\noperation = \"{operation}\"")), "rule[0].reuse_credentials", "good for one call");
        // Said by one rule, while another one says how AWS is asked.
        let rules = [rule("one", "g", REUSE), rule("two", "g", &format!("operation = \"{operation}\""))].concat();
        assert!(!entitled(&rules, &["g"]).roles()[0].reuse, "{operation}");
    }
    refused(&rule("r", "g", &format!("{REUSE}\npurposes = [\"console\"]")), "rule[0].reuse_credentials", "no credentials to people");
    refused(&rule("r", "g", &format!("{REUSE}\npurposes = [\"workload\"]")), "rule[0].reuse_credentials", "no credentials to people");
    refused("[[rule]]\nid = \"r\"\neffect = \"deny\"\neveryone = true\nreuse_credentials = true", "rule[0]", "grants no session");
    assert!(entitled(&rule("r", "g", &format!("{REUSE}\npurposes = [\"credentials\"]")), &["g"]).roles()[0].reuse);
}

#[test]
fn only_credentials_for_people_have_a_fingerprint() {
    let entitled = entitled(&rule("r", "g", &format!("{REUSE}\npurposes = [\"console\", \"credentials\", \"workload\"]")), &["g"]);
    let fingerprint = |purpose| entitled.choose(&Wish { purpose, ..wish(DEV) }).map(|request| request.fingerprint().is_some());
    assert_eq!((fingerprint(Purpose::Credentials), fingerprint(Purpose::Console)), (Ok(true), Ok(false)));
    let workload = AssumeRequest { purpose: Purpose::Workload, ..full() };
    assert!(full().fingerprint().is_some() && workload.fingerprint().is_none());
}

/// A request with something in every field.
fn full() -> AssumeRequest {
    let mut request = AssumeRequest::for_tests(DEV, Duration::from_hours(2));
    let account = Arc::clone(&request.account);
    request.reuse = true;
    request.operation = Operation::AssumeRole;
    request.hub = Some(Arc::new(Hub { role: DEV.replace("Dev", "Hub").parse().unwrap(), account, operation: Operation::Saml }));
    request.external_id = ExternalId::new("tenant-1");
    request.session_policy = Some(Arc::new(SessionPolicy {
        document: Some("{}".into()),
        arns: vec!["arn:aws:iam::aws:policy/ReadOnlyAccess".parse().unwrap()],
    }));
    request.iam_user = Some(Arc::new(user("broker", "arn:aws:iam::111122223333:mfa/broker")));
    request.reason = Some("OPS-1".into());
    request
}

fn user(id: &str, serial: &str) -> IamUser {
    let account = "111122223333".parse().unwrap();
    IamUser { id: id.into(), account, partition: Partition::Aws, mfa_serial: Some(serial.into()) }
}

type Change = fn(&mut AssumeRequest);

/// Each changes one thing that AWS, or who decides, would see: of what, how.
const CHANGES: [(&str, &str, Change); 35] = [
    ("target", "role", |r| r.target = Target::Role(DEV.replace("Dev", "Ops").parse().unwrap())),
    ("target", "target", |r| r.target = Target::federated(Partition::Aws, r.account.id, "Dev").unwrap()),
    ("account", "account", |r| r.set_account_for_tests(|account| account.name.push('x'))),
    ("account", "saml provider", |r| {
        r.set_account_for_tests(|a| a.saml_provider = Some("arn:aws:iam::111122223333:saml-provider/X".parse().unwrap()));
    }),
    ("session policy", "no policy", |r| r.session_policy = None),
    ("session policy", "policy document", |r| change_policy(r, |policy| policy.document = Some("{ }".into()))),
    ("session policy", "no policy document", |r| change_policy(r, |policy| policy.document = None)),
    ("session policy", "policy arns", |r| change_policy(r, |policy| policy.arns.clear())),
    ("operation", "operation", |r| r.operation = Operation::WebIdentity),
    ("hub", "no hub", |r| r.hub = None),
    ("hub", "hub", |r| change_hub(r, |hub| hub.role = DEV.replace("Dev", "Hub2").parse().unwrap())),
    ("hub", "hub operation", |r| change_hub(r, |hub| hub.operation = Operation::WebIdentity)),
    ("hub", "hub account", |r| change_hub(r, |hub| Arc::make_mut(&mut hub.account).tags.push(("a".into(), "b".into())))),
    ("hub", "hub saml provider", |r| {
        change_hub(r, |hub| {
            Arc::make_mut(&mut hub.account).saml_provider = Some("arn:aws:iam::111122223333:saml-provider/X".parse().unwrap());
        });
    }),
    ("external id", "no external id", |r| r.external_id = None),
    ("external id", "external id", |r| r.external_id = ExternalId::new("tenant-2")),
    ("user", "no user", |r| r.iam_user = None),
    ("user", "user", |r| r.iam_user = Some(Arc::new(user("other", "arn:aws:iam::111122223333:mfa/broker")))),
    ("user", "user's device", |r| r.iam_user = Some(Arc::new(user("broker", "arn:aws:iam::111122223333:mfa/other")))),
    ("chained", "chained", |r| r.chained = true),
    ("console", "console", |r| r.console = ConsoleWay::Post),
    ("duration", "duration", |r| r.duration += Duration::from_secs(1)),
    ("reason", "no reason", |r| r.reason = None),
    ("reason", "reason", |r| r.reason = Some("OPS-2".into())),
    ("name", "session name", |r| r.session_name.push('x')),
    ("subject", "subject", |r| r.subject.push('x')),
    ("source", "no source identity", |r| r.source_identity = None),
    ("source", "source identity", |r| r.source_identity = Some(("okta+ben".into(), Carry::IfAllowed))),
    ("source", "carried source identity", |r| r.source_identity = Some(("okta+ana".into(), Carry::Required))),
    ("tags", "no tags", |r| r.tags.clear()),
    ("tags", "tag key", |r| r.tags[0].key.push('x')),
    ("tags", "tag value", |r| r.tags[0].value.push('x')),
    ("tags", "transitive tag", |r| r.tags[0].transitive = true),
    ("tags", "carried tags", |r| r.carry_tags = Carry::Required),
    ("digest", "policy digest", |r| r.policy = "another".into()),
];

fn change_policy(request: &mut AssumeRequest, change: impl FnOnce(&mut SessionPolicy)) {
    change(Arc::make_mut(request.session_policy.as_mut().unwrap()));
}

fn change_hub(request: &mut AssumeRequest, change: impl FnOnce(&mut Hub)) {
    let mut hub = Hub::clone(request.hub.as_deref().unwrap());
    change(&mut hub);
    request.hub = Some(Arc::new(hub));
}

#[test]
fn c4_requests_that_differ_in_anything_never_share_credentials() {
    let mut seen = std::collections::HashMap::from([(full().fingerprint().unwrap(), "the request itself".to_owned())]);
    assert_eq!(full().fingerprint(), full().fingerprint());
    let mut add = |request: AssumeRequest, name: String| {
        if let Some(other) = seen.insert(request.fingerprint().unwrap(), name.clone()) {
            panic!("{name} is taken for {other}");
        }
    };
    // Every change alone, and every two of different things together.
    for (at, (topic, one, change)) in CHANGES.iter().enumerate() {
        let mut request = full();
        change(&mut request);
        for (other, two, also) in CHANGES[at + 1..].iter().filter(|(other, ..)| other != topic) {
            let mut both = request.clone();
            also(&mut both);
            add(both, format!("{one} and {two} of {other}"));
        }
        add(request, (*one).to_owned());
    }
    assert!(seen.len() > 500, "{}", seen.len());
}

#[test]
fn texts_that_lean_on_each_other_are_told_apart() {
    let tags = |tags: &[(&str, &str)]| {
        let mut request = full();
        request.tags = tags.iter().map(|(k, v)| SessionTag { key: (*k).into(), value: (*v).into(), transitive: false }).collect();
        request.fingerprint().unwrap()
    };
    let all = [tags(&[("a", "bc")]), tags(&[("ab", "c")]), tags(&[("a", "b"), ("c", "")]), tags(&[("a", "b\",\"value\":\"c")])];
    for (at, one) in all.iter().enumerate() {
        assert!(!all[at + 1..].contains(one));
    }
}

#[test]
fn a_code_of_an_mfa_device_is_never_spared() {
    let mut request = full();
    request.mfa_code = MfaCode::parse("123456");
    assert_eq!(request.fingerprint(), None);
    request.mfa_code = None;
    request.operation = Operation::SessionToken;
    assert_eq!(request.fingerprint(), None);
    let silent = AssumeRequest { reuse: false, ..full() };
    assert_eq!(silent.fingerprint(), None);
}

#[test]
fn why_it_is_granted_is_nothing_that_aws_sees() {
    let mut request = full();
    request.evidence.clear();
    assert_eq!(request.fingerprint(), full().fingerprint());
}
