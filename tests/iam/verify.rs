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
