//! What rules need, and how trust policies are judged. Whole commands are tried in `tests/iam`.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::DateTime;
use serde_json::{Value, json};

use super::plan::{assuming, trust_policy};
use super::*;
use crate::access::{AccountSettings, Policy, RuleSettings};
use crate::clock::Moment;
use crate::trust::keys::KeyRing;
use crate::trust::{Issuer, TrustSettings};

const PROD: &str = "111122223333";
const ROLE: &str = "arn:aws:iam::111122223333:role/Dev";

#[derive(serde::Deserialize)]
struct File {
    rule: Vec<RuleSettings>,
}

fn now() -> Moment {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn issuer() -> Issuer {
    Issuer::new(
        "https://roles.example.org",
        "sts.amazonaws.com",
        KeyRing::load(&TrustSettings::default(), Path::new("."), "trust").unwrap(),
    )
}

fn federation(issuer: &Issuer) -> Federation<'_> {
    let oidc = |id: &str| Upstream {
        id: id.parse().unwrap(),
        kind: UpstreamKind::Oidc { issuers: vec![format!("https://{id}.example.com")], client_id: format!("client-{id}") },
    };
    let ci = Upstream { id: "ci".parse().unwrap(), kind: UpstreamKind::Workload };
    let adfs = UpstreamKind::Saml {
        recipient: Some("https://signin.aws.amazon.com/saml".into()),
        entity_id: Some("urn:adfs".into()),
        metadata: "https://adfs.example.com/metadata".into(),
    };
    let adfs = Upstream { id: "adfs".parse().unwrap(), kind: adfs };
    Federation {
        issuer,
        upstreams: vec![oidc("okta"), oidc("entra"), ci, adfs],
        identities: Vec::new(),
        also: Vec::new(),
        access_keys: BTreeMap::new(),
    }
}

fn policy(rules: &str) -> Policy {
    let file: File = toml::from_str(rules).unwrap();
    let account = |id: &str, name: &str| AccountSettings { id: id.into(), name: name.into(), ..AccountSettings::default() };
    let accounts = [account(PROD, "Production"), account("888899990000", "Hub")];
    let providers = ["okta", "entra", "ci", "adfs"].map(|id| id.parse().unwrap());
    Policy::compile(&accounts, &file.rule, &crate::access::NamingSettings::default(), &providers).unwrap()
}

/// The needs of rules that all have a group, and the trust policy of the role `Dev`.
fn planned(rules: &str) -> (Needs, Value) {
    let (issuer, policy) = (issuer(), policy(rules));
    let federation = federation(&issuer);
    let needs = Needs::of(&policy, &federation, &[], now());
    let account = needs.in_account(PROD.parse().unwrap()).unwrap();
    let trust = trust_policy(&account.account, &account.roles[&ROLE.parse().unwrap()], &federation);
    let trust = serde_json::from_str(&trust.compact()).unwrap();
    (needs, trust)
}

fn rule(id: &str, more: &str) -> String {
    format!("[[rule]]\nid = '{id}'\ngroups = ['g-{id}']\nroles = ['{ROLE}']\n{more}\n")
}

/// What a trust policy lacks for these rules, as words.
fn judged(rules: &str, trust: &Value, max_session: u64) -> Vec<String> {
    let (issuer, policy) = (issuer(), policy(rules));
    let federation = federation(&issuer);
    let needs = Needs::of(&policy, &federation, &[], now());
    let mut snapshot = Snapshot::default();
    let role = json!({ "Arn": ROLE, "RoleName": "Dev", "MaxSessionDuration": max_session, "AssumeRolePolicyDocument": trust });
    // Where no token is minted a provider would be one too many.
    let provider = json!({ "Arn": format!("arn:aws:iam::{PROD}:oidc-provider/roles.example.org") });
    let mints = !needs.accounts[0].oidc.is_empty();
    let providers = if mints { json!([provider]) } else { json!([]) };
    let place = Place { name: "file", account: Some((PROD.parse().unwrap(), crate::arn::Partition::Aws)) };
    let saml = json!([{ "Arn": format!("arn:aws:iam::{PROD}:saml-provider/CorpADFS") }]);
    for document in [json!({ "Roles": [role] }), json!({ "OpenIDConnectProviderList": providers }), json!({ "SAMLProviderList": saml })] {
        snapshot.add(&document.to_string(), place);
    }
    if mints {
        snapshot.add(&json!({ "Url": "roles.example.org", "ClientIDList": ["sts.amazonaws.com"] }).to_string(), place);
    }
    let needs = Needs::of(&policy, &federation, &snapshot.built(&policy, &federation), now());
    let found = verify(&needs.only(&[PROD.parse().unwrap()]), &snapshot, &federation, now());
    found.iter().map(|finding| finding.kind.as_str().to_owned()).collect()
}

#[test]
fn a_minted_token_needs_audience_pin_and_what_the_rule_carries() {
    let (needs, trust) = planned(&rule("one", "providers = ['okta']\nmax_session = '4h'\ntags = { Team = 'blue' }"));
    let principal = json!({ "Federated": "arn:aws:iam::111122223333:oidc-provider/roles.example.org" });
    let audience = json!({ "roles.example.org:aud": "sts.amazonaws.com" });
    assert_eq!(
        trust,
        json!({ "Version": "2012-10-17", "Statement": [
            { "Sid": "RolegateSignIn", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {
                "StringEquals": audience, "StringLike": { "roles.example.org:sub": "okta+*" }, "Bool": { "sts:RoleAuthorizedByIdp": "true" } } },
            { "Sid": "RolegateTags", "Effect": "Allow", "Principal": principal, "Action": "sts:TagSession",
              "Condition": { "StringEquals": audience, "ForAllValues:StringEquals": { "aws:TagKeys": ["Team"] } } },
            { "Sid": "RolegateSourceIdentity", "Effect": "Allow", "Principal": principal, "Action": "sts:SetSourceIdentity",
              "Condition": { "StringEquals": audience } },
        ] })
    );
    let account = &needs.accounts[0];
    assert_eq!(account.roles[&ROLE.parse().unwrap()].max_session, 14400);
    assert_eq!(account.oidc.keys().collect::<Vec<_>>(), ["https://roles.example.org"]);
    let (_, bare) = planned(&rule("one", "carry_source_identity = 'off'\ntags = { Team = 'blue' }\ncarry_tags = 'off'"));
    assert_eq!(bare["Statement"].as_array().unwrap().len(), 1);
    assert!(bare["Statement"][0]["Condition"].get("StringLike").is_none(), "people of every provider");
}

#[test]
fn rules_that_can_meet_in_one_person_are_added_up() {
    let rules = [
        rule("quiet", "tags = { Team = 'blue' }\ncarry_tags = 'off'\ncarry_source_identity = 'off'\nproviders = ['okta']"),
        rule("loud", "carry_tags = 'if-allowed'\ncarry_source_identity = 'off'\nproviders = ['okta', 'entra']"),
        rule("signed", "operation = 'assume_role'\nexternal_id = 'acme-${subject}'\ntags = { Cost = '7' }"),
    ];
    let (needs, trust) = planned(&rules.concat());
    let need = &needs.accounts[0].roles[&ROLE.parse().unwrap()];
    let minted = &need.doors[&Door::Minted];
    assert_eq!(minted.carries.tag_keys.iter().collect::<Vec<_>>(), ["Team"], "the one's tags, by the other's opinion");
    assert_eq!((minted.carries.tags, minted.carries.source_identity), (Some(Need::Wanted), None));
    let signed = &need.doors[&Door::OwnIdentity];
    assert_eq!(signed.carries.tag_keys.iter().collect::<Vec<_>>(), ["Cost", "Team"], "a rule without an operation meets any");
    assert_eq!((signed.carries.tags, signed.carries.source_identity), (Some(Need::Required), Some(Need::Required)));
    let sids: Vec<_> = trust["Statement"].as_array().unwrap().iter().map(|statement| statement["Sid"].as_str().unwrap()).collect();
    assert_eq!(sids, ["RolegateSignInToken", "RolegateTagsToken", "RolegateSignInOwn", "RolegateTagsOwn", "RolegateSourceIdentityOwn"]);
    assert_eq!(trust["Statement"][2]["Condition"], json!({ "StringLike": { "sts:ExternalId": "acme-*" } }));
    assert_eq!(trust["Statement"][0]["Condition"]["StringLike"]["roles.example.org:sub"], json!(["entra+*", "okta+*"]));
}

#[test]
fn workloads_come_only_where_rules_say_so() {
    let subjects = |rules: &str| planned(rules).1["Statement"][0]["Condition"]["StringLike"]["roles.example.org:sub"].clone();
    assert_eq!(subjects(&rule("both", "purposes = ['workload']")), json!("ci+*"), "all platforms, and no people");
    assert_eq!(subjects(&rule("named", "providers = ['okta', 'ci']")), json!("okta+*"), "for people unless it is said");
    let rules = rule("people", "") + &rule("deploy", "purposes = ['workload']\nproviders = ['ci']");
    let (_, trust) = planned(&rules);
    assert_eq!(judged(&rules, &trust, 3600), [""; 0]);
    let people = json!({ "roles.example.org:sub": ["okta+*", "entra+*", "adfs+*"] });
    let mut narrowed = trust.clone();
    narrowed["Statement"][0]["Condition"]["StringLike"] = people.clone();
    assert_eq!(judged(&rules, &narrowed, 3600), ["some-shut-out"]);
    let mut narrowed = planned(&rule("people", "")).1;
    narrowed["Statement"][0]["Condition"]["StringLike"] = people;
    assert_eq!(judged(&rule("people", ""), &narrowed, 3600), [""; 0], "no rule lets workloads in");
}

#[test]
fn a_role_on_the_way_is_planned_too() {
    let hub = "arn:aws:iam::888899990000:role/Hub";
    let (needs, trust) =
        planned(&rule("far", &format!("operation = 'assume_role'\nvia = '{hub}'\nexternal_id = 'x-1'\ntags = {{ Team = 'blue' }}")));
    let statement = &trust["Statement"][0];
    assert_eq!(statement["Principal"], json!({ "AWS": hub }));
    assert_eq!(statement["Condition"], json!({ "StringEquals": { "sts:ExternalId": "x-1" } }));
    let need = &needs.accounts[1].roles[&hub.parse().unwrap()];
    let way = &need.doors[&Door::Minted];
    assert_eq!((way.carries.tags, way.carries.source_identity), (None, Some(Need::Required)), "tags go with the last role");
    assert!(way.external.sent.is_empty());
    let policy: Value = serde_json::from_str(&assuming(&need.leads_to).compact()).unwrap();
    let actions: Vec<_> = policy["Statement"].as_array().unwrap().iter().map(|statement| statement["Action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]);
    assert!(needs.own.is_empty());
}

#[test]
fn rules_that_ran_out_or_build_their_roles_are_told() {
    let rules = [
        rule("gone", "until = '2020-01-01T00:00:00Z'"),
        rule("stays", ""),
        "[[rule]]\nid = 'teams'\ngroup_pattern = 'aws-(?<team>[a-z]+)'\naccounts = ['*']\nroles = ['${team}-admin']\n".into(),
    ];
    let (needs, _) = planned(&rules.concat());
    assert_eq!(needs.accounts[0].roles[&ROLE.parse().unwrap()].rules.len(), 1);
    let notes = needs.notes(false).join("\n");
    assert!(notes.contains("the rule gone has run out") && notes.contains("the rule teams makes its roles"), "{notes}");
    assert!(notes.contains("arn:aws:iam::111122223333:role/*-admin"), "{notes}");
    assert!(!needs.notes(true).join("\n").contains("teams"));
}

/// The plan, with one statement's part replaced.
fn bent(trust: &Value, pointer: &str, value: Value) -> Value {
    let mut trust = trust.clone();
    *trust.pointer_mut(pointer).unwrap_or_else(|| panic!("there is no {pointer}")) = value;
    trust
}

#[test]
fn what_a_groups_name_can_make_is_planned_where_another_rule_names_the_role() {
    let by_name = "[[rule]]\nid = 'by-name'\ngroup_pattern = 'aws-(?<account>[0-9]{12})-(?<role>[A-Za-z]{1,64})'\n\
                   roles = ['arn:aws:iam::${account}:role/${role}']\nmax_session = '8h'\ntags = { By = 'name' }";
    let rules = format!("{}{by_name}", rule("one", "max_session = '2h'"));
    let (needs, trust) = planned(&rules);
    assert_eq!(needs.accounts[0].roles[&ROLE.parse().unwrap()].max_session, 8 * 3600);
    assert_eq!(judged(&rules, &trust, 8 * 3600), [""; 0]);
    let (_, alone) = planned(&rule("one", "max_session = '2h'"));
    assert!(judged(&rules, &alone, 8 * 3600).contains(&"no-tag-session".to_owned()));
}

#[test]
fn what_is_planned_is_good_and_whatever_is_bent_is_found() {
    let rules = rule("one", "max_session = '2h'\ntags = { Team = 'blue' }");
    let (_, trust) = planned(&rules);
    assert_eq!(judged(&rules, &trust, 7200), [""; 0]);
    assert_eq!(judged(&rules, &trust, 3600), ["session-too-short"]);
    let condition = "/Statement/0/Condition";
    let web = "/Statement/0/Action";
    for (pointer, value, found) in [
        ("/Statement/0/Condition/StringEquals", json!({ "roles.example.org:aud": "other" }), "audience"),
        ("/Statement/0/Condition/StringEquals", json!({ "roles.example.org:aud": "STS.amazonaws.com" }), "audience"),
        ("/Statement/0/Condition/StringEquals", json!({}), "audience-open"),
        ("/Statement/0/Condition/Bool", json!({}), "not-pinned"),
        ("/Statement/0/Condition/Bool", json!({ "sts:RoleAuthorizedByIdp": ["true", "false"] }), "not-pinned"),
        (
            condition,
            json!({ "StringEquals": { "roles.example.org:aud": "sts.amazonaws.com" }, "BoolIfExists": { "sts:RoleAuthorizedByIdp": "true" } }),
            "not-pinned",
        ),
        (
            condition,
            json!({ "StringLike": { "roles.example.org:aud": "*" }, "Bool": { "sts:RoleAuthorizedByIdp": "true" } }),
            "audience-open",
        ),
        ("/Statement/0/Condition/Bool", json!({ "sts:RoleAuthorizedByIdp": "true", "aws:SecureTransport": "true" }), "not-understood"),
        ("/Statement/0/Condition/Bool", json!({ "sts:RoleAuthorizedByIdp": "false" }), "not-trusted"),
        ("/Statement/0/Principal", json!({ "Federated": "arn:aws:iam::111122223333:oidc-provider/roles.example.com" }), "not-trusted"),
        (web, json!("sts:AssumeRoleWithSAML"), "not-trusted"),
        ("/Statement/0/Effect", json!("Deny"), "not-trusted"),
        ("/Statement/1/Action", json!("sts:Nothing"), "no-tag-session"),
        ("/Statement/1/Condition/ForAllValues:StringEquals", json!({ "aws:TagKeys": ["Other"] }), "no-tag-session"),
        ("/Statement/2/Action", json!("sts:TagSession"), "no-source-identity"),
        ("/Statement/2/Condition", json!({ "DateLessThan": { "aws:CurrentTime": "2030-01-01T00:00:00Z" } }), "not-understood"),
        ("/Statement/1/Condition", json!({ "StringEquals": { "aws:RequestTag/Team": "${aws:username}" } }), "not-understood"),
        ("/Statement/0", json!({ "Effect": "Allow", "NotPrincipal": { "AWS": "*" }, "Action": "*" }), "not-understood"),
    ] {
        let kinds = judged(&rules, &bent(&trust, pointer, value.clone()), 7200);
        assert!(kinds.iter().any(|kind| kind == found), "{pointer} {value}: {kinds:?}");
    }
    let with_sub = |value: Value| {
        let conditions = json!({ "StringEquals": { "roles.example.org:aud": "sts.amazonaws.com" }, "StringLike": { "roles.example.org:sub": value },
            "Bool": { "sts:RoleAuthorizedByIdp": "true" } });
        judged(&rules, &bent(&trust, condition, conditions), 7200)
    };
    assert_eq!(with_sub(json!(["okta+*", "e*+*", "adfs+*"])), [""; 0]);
    assert_eq!(with_sub(json!("okta+*")), ["some-shut-out", "some-shut-out"]);
    assert_eq!(with_sub(json!("okta+ana")), ["not-trusted"]);
}

#[test]
fn forms_that_mean_the_same_are_as_good() {
    let rules = rule("one", "tags = { Team = 'blue' }");
    let provider = "arn:aws:iam::111122223333:oidc-provider/roles.example.org";
    let same = json!({ "Version": "2008-10-17", "Id": "x", "Statement": [
        { "Effect": "Allow", "Principal": { "Federated": [provider], "Service": "ec2.amazonaws.com" }, "Action": ["sts:AssumeRoleWith*", "STS:tagsession", "sts:SetSourceIdentity"],
          "Condition": { "ForAnyValue:StringEqualsIgnoreCase": { "Roles.Example.org:AUD": ["other", "sts.amazonaws.com"] },
            "Bool": { "STS:roleauthorizedbyidp": true }, "Null": { "sts:SourceIdentity": "false", "sts:ExternalId": ["true"] } } },
    ] });
    // A foreign audience is among those that are let in, but no other than the two.
    assert_eq!(judged(&rules, &same, 3600), [""; 0]);
    let (_, trust) = planned(&rules);
    let mut denied = trust.clone();
    denied["Statement"].as_array_mut().unwrap().push(json!({ "Effect": "Deny", "Principal": "*", "Action": "sts:*", "Condition": {
        "StringNotEquals": { "roles.example.org:aud": "sts.amazonaws.com" } } }));
    assert_eq!(judged(&rules, &denied, 3600), [""; 0]);
    denied["Statement"][3]["Condition"] = json!({ "NotIpAddress": { "aws:SourceIp": "192.0.2.0/24" } });
    assert!(judged(&rules, &denied, 3600).iter().all(|kind| kind == "not-understood"), "a deny that may hold");
}

#[test]
fn everybody_is_nobody_in_particular() {
    let rules = rule("one", "");
    let (_, trust) = planned(&rules);
    for (principal, action, condition, found) in [
        (json!("*"), "sts:AssumeRole", json!({}), "open-to-all"),
        (json!({ "AWS": "*" }), "sts:*", json!({}), "open-to-all"),
        (json!({ "Federated": "*" }), "sts:AssumeRoleWithSAML", json!({}), "open-to-all"),
        (json!({ "AWS": "*" }), "sts:AssumeRole", json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" } }), "not-understood"),
    ] {
        let mut open = trust.clone();
        open["Statement"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition }));
        assert_eq!(judged(&rules, &open, 3600), [found], "{principal}");
    }
    let mut narrowed = trust;
    narrowed["Statement"].as_array_mut().unwrap().push(
        json!({ "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "sts:AssumeRole", "Condition": { "StringEquals": { "sts:ExternalId": "x" } } }),
    );
    assert_eq!(judged(&rules, &narrowed, 3600), ["open-to-all"], "a warning: who knows the external id gets in");
}

#[test]
fn a_role_that_aws_credentials_take_is_judged_by_principal_and_external_id() {
    let hub = "arn:aws:iam::888899990000:role/Hub";
    let rules = rule("far", &format!("operation = 'assume_role'\nvia = '{hub}'\nexternal_id = 'x-1'"));
    let (_, trust) = planned(&rules);
    assert_eq!(judged(&rules, &trust, 3600), [""; 0]);
    for (principal, found) in [
        // The hub gets in, and with it everybody of its account whom that account's IAM lets.
        (json!({ "AWS": "888899990000" }), &["other-ways"][..]),
        (json!({ "AWS": "arn:aws:iam::888899990000:root" }), &["other-ways"]),
        (json!({ "AWS": "arn:aws:iam::888899990000:role/Other" }), &["not-trusted", "other-ways"]),
        (json!({ "AWS": "AROAEXAMPLEID" }), &["not-trusted"]),
    ] {
        let mut other = trust.clone();
        other["Statement"][0]["Principal"] = principal.clone();
        other["Statement"][1]["Principal"] = principal.clone();
        assert_eq!(judged(&rules, &other, 3600), found, "{principal}");
    }
    assert_eq!(judged(&rules, &bent(&trust, "/Statement/0/Condition", json!({})), 3600), ["no-external-id"]);
    let own = rule("own", "operation = 'assume_role'\nexternal_id = 'acme-${subject}'");
    let (_, trust) = planned(&own);
    let named = serde_json::from_str(&trust.to_string().replace("ROLEGATE_IDENTITY_ARN", "arn:aws:iam::888899990000:role/Gate")).unwrap();
    let found = judged(&own, &named, 3600);
    assert!(found.iter().all(|kind| kind == "not-understood"), "which one it is was not said: {found:?}");
}

#[test]
fn anothers_saml_provider_may_have_any_name_in_iam() {
    let rules = rule("passed-on", "operation = 'forwarded_saml'");
    let (needs, trust) = planned(&rules);
    assert_eq!(needs.accounts[0].saml.keys().collect::<Vec<_>>(), ["adfs"]);
    let condition = &trust["Statement"][0]["Condition"];
    assert_eq!(*condition, json!({ "StringEquals": { "saml:aud": "https://signin.aws.amazon.com/saml", "saml:iss": "urn:adfs" } }));
    let named =
        |name: &str| bent(&trust, "/Statement/0/Principal", json!({ "Federated": format!("arn:aws:iam::{PROD}:saml-provider/{name}") }));
    assert_eq!(judged(&rules, &named("CorpADFS"), 3600), [""; 0]);
    assert_eq!(judged(&rules, &named("Other"), 3600), ["not-trusted"]);
    let wide = bent(&named("CorpADFS"), "/Statement/0/Condition", json!({ "StringEquals": { "saml:iss": "urn:adfs" } }));
    assert_eq!(judged(&rules, &wide, 3600), ["audience-open"]);
}

#[test]
fn files_are_told_apart_and_none_is_passed_over() {
    let mut snapshot = Snapshot::default();
    let nowhere = Place { name: "x.json", account: None };
    for text in
        ["", "{", "[]", "{\"Users\":[]}", "{\"Roles\":[{}]}", "{\"Url\":\"a\",\"ClientIDList\":[]}", "{\"Roles\":[],\"IsTruncated\":true}"]
    {
        let before = snapshot.unread.len();
        snapshot.add(text, nowhere);
        assert_eq!(snapshot.unread.len(), before + 1, "{text}");
    }
    for (path, account) in
        [("iam/111122223333/roles.json", Some(PROD)), ("111122223333-oidc.json", Some(PROD)), ("iam/1111222233334.json", None)]
    {
        assert_eq!(account_in(path).map(|id| id.to_string()).as_deref(), account, "{path}");
    }
}
