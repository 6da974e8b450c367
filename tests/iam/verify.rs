//! The trust policies of the documentation, judged.

use serde_json::{Value, json};

use crate::{ACCOUNT, rolegate, text, world};

const GUIDE: &str = include_str!("../../docs/getting-started-aws.md");

/// What the documentation's trust policies are for.
const DOCUMENTED: &str = r#"
public_url = "https://roles.example.org"

[trust.saml]
regions = ["eu-central-1", "eu-west-1"]

[[provider]]
id = "okta"
name = "Okta"
issuer = "https://example.okta.com"
client_id = "0oa1example"
client_auth = "none"

[[account]]
id = "111122223333"
name = "Production"

[[rule]]
id = "token"
groups = ["a"]
accounts = ["Production"]
roles = ["ByToken"]
tags = { Team = "blue" }

[[rule]]
id = "saml"
groups = ["b"]
accounts = ["Production"]
roles = ["BySaml"]
operation = "saml"
tags = { Team = "blue" }
"#;

fn trust_policies() -> Vec<Value> {
    let blocks = GUIDE.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| serde_json::from_str(block).unwrap()).collect()
}

#[test]
fn the_trust_policies_of_the_documentation_are_good_and_each_missing_part_is_found() {
    let folder = world(DOCUMENTED);
    let policies = trust_policies();
    assert_eq!(policies.len(), 2, "one by token, one by SAML");
    let write = |token: &Value, saml: &Value| {
        let role = |name: &str, trust: &Value| json!({ "RoleName": name, "Arn": format!("arn:aws:iam::111122223333:role/{name}"), "MaxSessionDuration": 3600, "AssumeRolePolicyDocument": trust });
        let documents = [
            json!({ "Roles": [role("ByToken", token), role("BySaml", saml)] }),
            json!({ "OpenIDConnectProviderList": [{ "Arn": "arn:aws:iam::111122223333:oidc-provider/roles.example.org" }] }),
            json!({ "Url": "roles.example.org", "ClientIDList": ["sts.amazonaws.com"] }),
            json!({ "SAMLProviderList": [{ "Arn": "arn:aws:iam::111122223333:saml-provider/Rolegate", "ValidUntil": "2126-01-14T12:00:00+00:00" }] }),
        ];
        folder.write("iam.json", documents.map(|document| document.to_string()).join("\n"));
    };
    let kinds = || {
        let output = rolegate(folder.path(), &["aws", "verify", "--config", "rolegate.toml", "--from", "iam.json", "--json"], "");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        let kinds: Vec<_> =
            report["findings"].as_array().unwrap().iter().map(|finding| finding["kind"].as_str().unwrap().to_owned()).collect();
        assert_eq!(output.status.code(), Some(i32::from(!kinds.is_empty())), "{report}");
        kinds
    };
    write(&policies[0], &policies[1]);
    assert_eq!(kinds(), [""; 0]);
    for (which, pointer, value, found) in [
        (0, "/Statement/0/Condition/Bool", json!({}), "not-pinned"),
        (0, "/Statement/0/Condition/StringEquals", json!({}), "audience-open"),
        (0, "/Statement/0/Condition/StringLike", json!({ "roles.example.org:sub": "entra+*" }), "not-trusted"),
        (0, "/Statement/1/Action", json!("sts:TagSession"), "no-source-identity"),
        (1, "/Statement/0/Condition/StringEquals/saml:aud", json!("https://eu-west-1.signin.aws.amazon.com/saml"), "audience"),
        (1, "/Statement/0/Condition/StringEquals", json!({ "saml:iss": "https://roles.example.org/saml/idp" }), "audience-open"),
        (1, "/Statement/1/Action", json!(["sts:SetSourceIdentity"]), "no-tag-session"),
    ] {
        let mut bent = policies.clone();
        *bent[which].pointer_mut(pointer).unwrap() = value;
        write(&bent[0], &bent[1]);
        assert_eq!(kinds(), [found], "{pointer}");
    }
}

#[test]
fn what_no_file_tells_is_never_good() {
    let folder = world(DOCUMENTED);
    folder.write("empty.json", "{\"Roles\": []}");
    let verify = |more: &[&str]| rolegate(folder.path(), &[&["aws", "verify", "--config", "rolegate.toml"], more].concat(), "");
    let output = verify(&["--from", "empty.json"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    for line in [
        "role/ByToken: missing:",
        "role/BySaml: missing:",
        "oidc-provider/roles.example.org: not-read:",
        "saml-provider/Rolegate: not-read:",
    ] {
        assert!(told.lines().any(|told| told.starts_with("error: ") && told.contains(line)), "{line}: {told}");
    }
    folder.write("other.json", format!("{{\"Role\": {{\"Arn\": \"arn:aws:iam::{ACCOUNT}:role/x\"}}}}"));
    let told = verify(&["--from", "other.json"]);
    assert!(text(&told.stdout).contains("no file tells of this account"), "{told:?}");
    for (usage, word) in
        [(&["--from", "nowhere.json"][..], "cannot be read"), (&[], "--from"), (&["--from", "empty.json", "--account", "x"], "no account")]
    {
        let output = verify(usage);
        assert_eq!(output.status.code(), Some(2), "{usage:?}");
        assert!(text(&output.stderr).contains(word), "{output:?}");
    }
}

/// A way in that no rule needs, and what is found of it.
fn ways_in() -> Vec<(Value, &'static str, &'static str)> {
    let own = "arn:aws:iam::111122223333:oidc-provider/roles.example.org";
    let web = |provider: &str, condition: Value| json!({ "Sid": "More", "Effect": "Allow", "Principal": { "Federated": provider }, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition });
    let signed = |principal: Value, condition: Value| json!({ "Sid": "More", "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition });
    let aud = |value: &str| json!({ "roles.example.org:aud": value });
    let pin = json!({ "sts:RoleAuthorizedByIdp": "true" });
    vec![
        (web("arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com", json!({})), "other-ways", "githubusercontent"),
        (
            web(
                "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com",
                json!({ "StringLike": { "token.actions.githubusercontent.com:sub": "repo:somebody/*" } }),
            ),
            "other-ways",
            "githubusercontent",
        ),
        (web("cognito-identity.amazonaws.com", json!({})), "other-ways", "cognito"),
        (web("accounts.google.com", json!({})), "other-ways", "google"),
        (signed(json!({ "AWS": "arn:aws:iam::999988887777:root" }), json!({})), "other-ways", "999988887777"),
        (signed(json!({ "AWS": ["999988887777"] }), json!({ "StringEquals": { "sts:ExternalId": "x" } })), "other-ways", "999988887777"),
        (signed(json!({ "Service": "ec2.amazonaws.com" }), json!({})), "other-ways", "ec2"),
        (signed(json!({ "AWS": "999988887777" }), json!({ "DateLessThan": { "aws:CurrentTime": "2000-01-01" } })), "other-ways", "may let"),
        (
            json!({ "Effect": "Allow", "Principal": { "Federated": "arn:aws:iam::111122223333:saml-provider/Rolegate" }, "Action": "sts:AssumeRoleWithSAML" }),
            "other-ways",
            "saml-provider/Rolegate",
        ),
        (web(own, json!({ "StringEquals": { "roles.example.org:sub": "okta+ana" }, "Bool": pin })), "audience-open", "More"),
        (
            web(own, json!({ "StringLike": { "roles.example.org:sub": "okta+a*", "roles.example.org:aud": "sts.*" }, "Bool": pin })),
            "audience-open",
            "More",
        ),
        (web(own, json!({ "StringNotEquals": aud("https://elsewhere.invalid/saml"), "Bool": pin })), "audience-open", "another"),
        (
            web(own, json!({ "StringEquals": aud("sts.amazonaws.com"), "StringLike": { "roles.example.org:sub": "okta+a*" } })),
            "not-pinned",
            "More",
        ),
        (
            web(own, json!({ "StringEquals": aud("sts.amazonaws.com"), "Bool": { "sts:RoleAuthorizedByIdp": "false" } })),
            "not-pinned",
            "does not name this role",
        ),
    ]
}

/// Statements of which one lets somebody in, and the others only seem to shut them out; and what must be found.
fn hidden() -> Vec<(Vec<Value>, &'static str)> {
    let stranger = json!({ "AWS": "arn:aws:iam::999988887777:root" });
    let allow = |condition: Value| json!({ "Sid": "More", "Effect": "Allow", "Principal": stranger, "Action": "sts:AssumeRole", "Condition": condition });
    let deny = |condition: Value| json!({ "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": condition });
    let own = json!({ "Federated": "arn:aws:iam::111122223333:oidc-provider/roles.example.org" });
    let web = |condition: Value| json!({ "Sid": "More", "Effect": "Allow", "Principal": own, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition });
    let sub = |operator: &str, value: &str| (operator.to_owned(), json!({ "roles.example.org:sub": value }));
    let both = Value::Object([sub("StringLike", "okta+*a"), sub("StringEquals", "okta+bba")].into_iter().collect());
    let mut any_audience = both.clone();
    any_audience["Bool"] = json!({ "sts:RoleAuthorizedByIdp": "true" });
    let mut unpinned = both;
    unpinned["StringEquals"]["roles.example.org:aud"] = json!("sts.amazonaws.com");
    vec![
        (
            vec![allow(json!({})), deny(json!({ "StringNotEquals": { "aws:PrincipalArn": "arn:aws:iam::999988887777:role/evil" } }))],
            "other-ways",
        ),
        (vec![allow(json!({})), deny(json!({ "ArnNotLike": { "aws:PrincipalArn": "arn:aws:iam::999988887777:role/e*" } }))], "other-ways"),
        (vec![allow(json!({})), deny(json!({ "StringNotEquals": { "sts:ExternalId": "x" } }))], "other-ways"),
        (vec![allow(json!({})), deny(json!({ "BoolIfExists": { "aws:MultiFactorAuthPresent": "false" } }))], "other-ways"),
        (vec![allow(json!({ "StringEquals": { "sts:ExternalId": "e" }, "StringLikeIfExists": { "sts:ExternalId": "e*" } }))], "other-ways"),
        (
            vec![allow(json!({ "StringLike": { "sts:SourceIdentity": "*a" }, "StringEquals": { "sts:SourceIdentity": "bba" } }))],
            "other-ways",
        ),
        (
            vec![allow(json!({ "StringEquals": { "sts:ExternalId": ["a", "b"] }, "StringNotEquals": { "sts:ExternalId": "a" } }))],
            "other-ways",
        ),
        (vec![web(any_audience)], "audience-open"),
        (vec![web(unpinned.clone())], "not-pinned"),
        // A token that does not say it is let through by a denial of those that say no.
        (
            vec![web(unpinned), {
                let mut no = deny(json!({ "Bool": { "sts:RoleAuthorizedByIdp": "false" } }));
                no["Action"] = json!("sts:AssumeRoleWithWebIdentity");
                no
            }],
            "not-pinned",
        ),
    ]
}

#[test]
fn whoever_else_gets_in_is_found_whatever_the_statement_demands_of_them() {
    let folder = world(DOCUMENTED);
    let policies = trust_policies();
    let verify = |token: &Value, more: &[&str]| {
        let role = |name: &str, trust: &Value| json!({ "RoleName": name, "Arn": format!("arn:aws:iam::111122223333:role/{name}"), "MaxSessionDuration": 3600, "AssumeRolePolicyDocument": trust });
        let documents = [
            json!({ "Roles": [role("ByToken", token), role("BySaml", &policies[1])] }),
            json!({ "OpenIDConnectProviderList": [{ "Arn": "arn:aws:iam::111122223333:oidc-provider/roles.example.org" }] }),
            json!({ "Url": "roles.example.org", "ClientIDList": ["sts.amazonaws.com"] }),
            json!({ "SAMLProviderList": [{ "Arn": "arn:aws:iam::111122223333:saml-provider/Rolegate", "ValidUntil": "2126-01-14T12:00:00+00:00" }] }),
        ];
        folder.write("iam.json", documents.map(|document| document.to_string()).join("\n"));
        let arguments = [&["aws", "verify", "--config", "rolegate.toml", "--from", "iam.json"], more].concat();
        let output = rolegate(folder.path(), &arguments, "");
        (output.status.code(), text(&output.stdout).to_owned())
    };
    assert_eq!(verify(&policies[0], &[]).0, Some(0), "what the documentation has");
    for (statement, kind, word) in ways_in() {
        let mut wider = policies[0].clone();
        wider["Statement"].as_array_mut().unwrap().push(statement.clone());
        let (code, told) = verify(&wider, &[]);
        assert_eq!((code, told.lines().count()), (Some(1), 1), "{statement}: {told}");
        assert!(told.contains(&format!("role/ByToken: {kind}: ")) && told.contains(word), "{statement}: {told}");
        // A deny over it closes it again.
        let mut denied = statement.clone();
        denied["Effect"] = json!("Deny");
        wider["Statement"].as_array_mut().unwrap().push(denied);
        // What hangs on something may be brought in one way for the one and in another for the other.
        let is_closed =
            statement.get("Condition").is_none_or(|condition| *condition == json!({})) && statement["Principal"]["Service"].is_null();
        if is_closed {
            assert_eq!(verify(&wider, &[]).0, Some(0), "{statement}");
        }
    }
    for (statements, kind) in hidden() {
        let mut wider = policies[0].clone();
        wider["Statement"].as_array_mut().unwrap().extend(statements.clone());
        let (code, told) = verify(&wider, &[]);
        assert_eq!(code, Some(1), "{statements:?}: {told}");
        assert!(told.contains(&format!("role/ByToken: {kind}: ")), "{statements:?}: {told}");
    }
    let mut shared = policies[0].clone();
    let (statement, ..) = ways_in().swap_remove(0);
    shared["Statement"].as_array_mut().unwrap().push(statement);
    let github = ["--also", "arn:aws:iam::*:oidc-provider/token.actions.githubusercontent.com"];
    let (code, told) = verify(&shared, &github);
    assert_eq!(code, Some(1), "every repository in the world: {told}");
    assert!(told.contains("everybody in whom") && told.contains("subject"), "{told}");
    shared["Statement"].as_array_mut().unwrap().last_mut().unwrap()["Condition"] =
        json!({ "StringLike": { "token.actions.githubusercontent.com:sub": "repo:example/*" } });
    assert_eq!(verify(&shared, &github).0, Some(0));
    assert_eq!(verify(&shared, &["--also", "arn:aws:iam::*:oidc-provider/gitlab.com"]).0, Some(1));
}

#[test]
fn an_external_id_that_no_rule_sends_is_not_taken() {
    let config = format!(
        "{DOCUMENTED}\n[[rule]]\nid = \"partner\"\ngroups = [\"c\"]\nroles = [\"arn:aws:iam::111122223333:role/Partner\"]\noperation = \"assume_role\"\n\
         external_id = \"rolegate-4711\"\n"
    );
    let folder = world(&config);
    let gate = "arn:aws:iam::444455556666:role/Rolegate";
    let found = |condition: Value| {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": { "AWS": gate },
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"], "Condition": condition }] });
        let role = json!({ "Role": { "RoleName": "Partner", "Arn": "arn:aws:iam::111122223333:role/Partner", "MaxSessionDuration": 3600,
            "AssumeRolePolicyDocument": trust } });
        folder.write("iam.json", role.to_string());
        let output = rolegate(
            folder.path(),
            &["aws", "verify", "--config", "rolegate.toml", "--from", "iam.json", "--identity", gate, "--json"],
            "",
        );
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        let about = |finding: &&Value| finding["subject"].as_str().unwrap().ends_with("role/Partner");
        let kinds = report["findings"].as_array().unwrap().iter().filter(about).map(|finding| finding["kind"].as_str().unwrap().to_owned());
        kinds.collect::<Vec<_>>()
    };
    assert_eq!(found(json!({ "StringEquals": { "sts:ExternalId": "rolegate-4711" } })), [""; 0]);
    for condition in [
        json!({}),
        json!({ "StringLike": { "sts:ExternalId": "*" } }),
        json!({ "Null": { "sts:ExternalId": "false" } }),
        json!({ "StringEquals": { "sts:ExternalId": ["rolegate-4711", "", "attacker"] } }),
        json!({ "StringLike": { "sts:ExternalId": "rolegate-*" } }),
    ] {
        assert_eq!(found(condition.clone()), ["no-external-id"], "{condition}");
    }
}
