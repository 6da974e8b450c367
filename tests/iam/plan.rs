//! The plan, read by those who read such plans.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::python;
use crate::{ACCOUNT, CONFIG, rolegate, text, told, world};

const PLAN: [&str; 4] = ["aws", "plan", "--config", "rolegate.toml"];

fn plan(folder: &std::path::Path, more: &[&str]) -> Value {
    serde_json::from_str(&told(folder, &[&PLAN, more, &["--format", "json"]].concat())).unwrap()
}

#[test]
fn each_account_gets_what_its_rules_need_and_what_is_not_known_is_said() {
    let folder = world(CONFIG);
    let first = rolegate(folder.path(), &[&PLAN[..], &["--format", "json"]].concat(), "");
    let notes = text(&first.stderr).to_owned();
    assert!(notes.contains("the rule teams makes its roles from names of groups") && notes.contains("--people FILE"), "{notes}");
    let again = rolegate(folder.path(), &[&PLAN[..], &["--format", "json"]].concat(), "");
    assert_eq!(first.stdout, again.stdout, "the same file has the same plan");
    let plan: Value = serde_json::from_slice(&first.stdout).unwrap();
    assert!(plan["notes"].to_string().contains("the rule teams"), "in the output too");
    let accounts: Vec<_> = plan["accounts"].as_array().unwrap().iter().map(|account| account["account"].as_str().unwrap()).collect();
    assert_eq!(accounts, [ACCOUNT, "444455556666", "777788889999"]);
    let names = |account: &Value| -> Vec<String> {
        account["roles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|role| format!("{}{}", role["path"].as_str().unwrap(), role["name"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(names(&plan["accounts"][0]), ["/Analyst", "/Hub", "/Own", "/PlatformAdmin", "/Support", "/team/Developer+1"]);
    assert_eq!(names(&plan["accounts"][1]), ["/PlatformAdmin", "/team/Developer+1"]);
    for (index, partition, audiences) in
        [(1, "aws-cn", json!("https://signin.amazonaws.cn/saml")), (2, "aws-us-gov", json!("https://signin.amazonaws-us-gov.com/saml"))]
    {
        let account = &plan["accounts"][index];
        let saml = &account["roles"][1]["trust_policy"]["Statement"][0];
        assert_eq!(saml["Condition"]["StringEquals"]["saml:aud"], audiences, "{partition}");
        let principal = saml["Principal"]["Federated"].as_str().unwrap();
        assert!(principal.starts_with(&format!("arn:{partition}:iam::")), "{principal}");
        assert!(account["oidc_providers"][0]["arn"].as_str().unwrap().ends_with(":oidc-provider/roles.example.org"));
    }
    let forwarded = plan["accounts"][0]["roles"][0]["trust_policy"]["Statement"].to_string();
    assert!(forwarded.contains("login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0:aud"), "{forwarded}");
    assert!(plan["accounts"][0]["users"][0]["policy"].to_string().contains("sts:GetFederationToken"));
}

#[test]
fn people_and_an_identity_fill_in_what_the_rules_leave_open() {
    let folder = world(CONFIG);
    let people = r#"{"sub": "1", "groups": ["aws-blue-admin", "aws-red-admin", "aws-BAD-admin"]}
{"provider": "entra", "claims": {"sub": "2", "groups": ["aws-blue-admin"]}}
"#;
    folder.write("people.jsonl", people);
    let gate = "arn:aws:iam::111122223333:role/Rolegate";
    let plan = plan(folder.path(), &["--people", "people.jsonl", "--identity", gate]);
    assert_eq!(plan["notes"], json!([]));
    let roles = plan["accounts"][0]["roles"].as_array().unwrap();
    let names: BTreeSet<_> = roles.iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert!(names.contains("blue-admin") && names.contains("red-admin") && !names.contains("BAD-admin"), "{names:?}");
    let own = roles.iter().find(|role| role["name"] == "Own").unwrap();
    assert_eq!(own["trust_policy"]["Statement"][0]["Principal"], json!({ "AWS": gate }));
    assert_eq!(plan["identity_policy"]["Statement"][0]["Resource"], "arn:aws:iam::123456789012:role/Own");
    for wrong in ["*", "arn:aws:sts::111122223333:assumed-role/Rolegate/i-1", "arn:aws:iam::111122223333:role/*"] {
        let refused = rolegate(folder.path(), &[&PLAN[..], &["--identity", wrong]].concat(), "");
        assert_eq!(refused.status.code(), Some(2), "{wrong}");
    }
}

#[tokio::test]
async fn terraform_is_what_a_foreign_parser_reads_and_no_name_breaks_out_of_its_quotes() {
    let folder = world(CONFIG);
    let plan = told(folder.path(), &PLAN);
    let file = folder.write("rolegate.tf", &plan);
    let read = python("tests/counterparts/read_hcl.py", &[file.to_str().unwrap()]).await.or_fail();
    let mut read: Value = serde_json::from_str(&read).unwrap();
    let comments = read.as_object_mut().unwrap().remove("__comments__").unwrap();
    let unquoted = |text: &str| text.trim_matches('"').to_owned();
    let mut resources = BTreeSet::new();
    for resource in read["resource"].as_array().unwrap() {
        for (kind, named) in resource.as_object().unwrap().iter().filter(|(kind, _)| !kind.starts_with("__")) {
            resources.extend(
                named
                    .as_object()
                    .unwrap()
                    .keys()
                    .filter(|key| !key.starts_with("__"))
                    .map(|name| format!("{} {}", unquoted(kind), unquoted(name))),
            );
        }
    }
    let count = |kind: &str| resources.iter().filter(|resource| resource.starts_with(kind)).count();
    assert_eq!(count("aws_iam_role "), 10, "{resources:?}");
    assert_eq!((count("aws_iam_openid_connect_provider "), count("aws_iam_saml_provider ")), (5, 3), "{resources:?}");
    assert_eq!((count("aws_iam_role_policy "), count("aws_iam_policy ")), (1, 1), "{resources:?}");
    assert!(resources.contains("aws_iam_role account_123456789012_PlatformAdmin"), "{resources:?}");
    // The account's name stands in a comment alone; nothing of it is evaluated.
    assert!(comments.to_string().contains("var.secret") && !read.to_string().contains("var.secret"), "{read}");
    assert!(read["variable"].to_string().contains("rolegate_identity"));
    for needed in ["# NOTE: the rule teams", "configuration_aliases", "self.account_id == \"123456789012\"", "jsonencode({"] {
        assert!(plan.contains(needed), "{needed}");
    }
}

#[tokio::test]
async fn a_template_is_what_cfn_lint_accepts() {
    let folder = world(CONFIG);
    let several = rolegate(folder.path(), &[&PLAN[..], &["--format", "cloudformation"]].concat(), "");
    assert_eq!(several.status.code(), Some(2));
    assert!(text(&several.stderr).contains("choose one by --account"), "{several:?}");
    let mut files = Vec::new();
    for account in [ACCOUNT, "China", "777788889999"] {
        let template = told(folder.path(), &[&PLAN[..], &["--format", "cloudformation", "--account", account]].concat());
        files.push(folder.write(&format!("{account}.json"), template));
    }
    let files: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
    python("tests/counterparts/lint_template.py", &files).await.or_fail();
    let broken = folder.write("broken.json", r#"{"Resources": {"A": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "x"}}}}"#);
    assert!(!python("tests/counterparts/lint_template.py", &[broken.to_str().unwrap()]).await.success, "the linter tells bad from good");
}

#[test]
fn an_account_that_is_not_there_is_a_mistake_of_usage() {
    let folder = world(CONFIG);
    let refused = rolegate(folder.path(), &[&PLAN[..], &["--account", "Elsewhere"]].concat(), "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("no account `Elsewhere`"), "{refused:?}");
}
