//! IAM as moto plays it, made from the plan, read by the AWS CLI.

use serde_json::{Value, json};

use crate::support::{Moto, Scratch, aws_cli, python};
use crate::{ACCOUNT, CONFIG, rolegate, rolegate_with, text, told, world};

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")];
const GATE: &str = "arn:aws:iam::111122223333:role/Rolegate";

/// What the AWS CLI prints.
pub(crate) async fn iam(moto: &Moto, home: &Scratch, words: &[&str]) -> Value {
    let common = ["--output", "json", "--region", "us-east-1", "--endpoint-url", moto.url()];
    let answer = aws_cli(home.path(), &[&["iam"], words, &common].concat(), &KEYS).await.or_fail();
    if answer.trim().is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_from_the_plan_is_good_until_something_is_broken() {
    let folder = world(CONFIG);
    let plan = ["aws", "plan", "--config", "rolegate.toml", "--account", ACCOUNT, "--identity", GATE, "--format", "cloudformation"];
    let template = folder.write("template.json", told(folder.path(), &plan));
    let moto = Moto::start().await;
    python("tests/counterparts/make_stack.py", &[template.to_str().unwrap(), moto.url()]).await.or_fail();

    std::fs::create_dir_all(folder.path().join(format!("iam/{ACCOUNT}"))).unwrap();
    let write = |name: &str, document: &Value| folder.write(&format!("iam/{ACCOUNT}/{name}.json"), document.to_string());
    let roles = iam(&moto, &folder, &["list-roles"]).await;
    write("roles", &roles);
    write("saml", &iam(&moto, &folder, &["list-saml-providers"]).await);
    let providers = iam(&moto, &folder, &["list-open-id-connect-providers"]).await;
    write("oidc", &providers);
    let arns: Vec<_> =
        providers["OpenIDConnectProviderList"].as_array().unwrap().iter().map(|provider| provider["Arn"].as_str().unwrap()).collect();
    assert_eq!(arns.len(), 3, "Rolegate's, and two that are forwarded");
    let mut clients = Value::Null;
    for (index, arn) in arns.iter().enumerate() {
        let provider = iam(&moto, &folder, &["get-open-id-connect-provider", "--open-id-connect-provider-arn", arn]).await;
        write(&format!("oidc-{index}"), &provider);
        if arn.ends_with("/roles.example.org") {
            clients = json!([index, provider]);
        }
    }
    let verify = || {
        let arguments = ["aws", "verify", "--config", "rolegate.toml", "--account", ACCOUNT, "--identity", GATE, "--from", "iam"];
        let output = rolegate(folder.path(), &arguments, "");
        assert!(text(&output.stderr).contains("the rule teams makes its roles"), "{output:?}");
        (output.status.code(), text(&output.stdout).to_owned())
    };
    let (code, told) = verify();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.starts_with("good: IAM has what the rules need, 6 role(s)"), "{told}");

    // The same account by the other document: it does not tell how long sessions may be.
    write("roles", &iam(&moto, &folder, &["get-account-authorization-details", "--filter", "Role"]).await);
    let (code, told) = verify();
    assert_eq!((code, told.lines().count()), (Some(1), 1), "{told}");
    assert!(told.contains("role/PlatformAdmin: not-read: no file tells its longest session"), "{told}");

    let admin = role_at(&roles, "PlatformAdmin");
    let sign_in = format!("{admin}/AssumeRolePolicyDocument/Statement/0");
    let breaks = [
        (format!("{sign_in}/Condition/Bool"), json!({}), "role/PlatformAdmin: not-pinned"),
        (format!("{sign_in}/Condition/StringEquals"), json!({}), "role/PlatformAdmin: audience-open"),
        (format!("{sign_in}/Condition/StringEquals/roles.example.org:aud"), json!("other"), "role/PlatformAdmin: audience:"),
        (format!("{sign_in}/Principal"), json!("*"), "role/PlatformAdmin: open-to-all"),
        (format!("{admin}/AssumeRolePolicyDocument/Statement/1/Effect"), json!("Deny"), "role/PlatformAdmin: no-tag-session"),
        (format!("{admin}/MaxSessionDuration"), json!(3600), "role/PlatformAdmin: session-too-short"),
        (format!("{admin}/Arn"), json!(format!("arn:aws:iam::{ACCOUNT}:role/x/PlatformAdmin")), "role/PlatformAdmin: missing"),
        (format!("{admin}/RoleName"), json!("PlatformAdmin"), ""),
        (
            format!("{}/AssumeRolePolicyDocument/Statement/0/Condition", role_at(&roles, "Support")),
            json!({}),
            "role/Support: no-external-id",
        ),
        (
            format!("{}/AssumeRolePolicyDocument/Statement/2/Action", role_at(&roles, "Support")),
            json!("sts:X"),
            "role/Support: no-source-identity",
        ),
        (format!("{}/Arn", role_at(&roles, "Hub")), json!(format!("arn:aws:iam::{ACCOUNT}:role/Old")), "role/Old: unused"),
        (
            format!("{}/AssumeRolePolicyDocument/Statement/0/Principal", role_at(&roles, "Own")),
            json!({ "AWS": "arn:aws:iam::111122223333:role/X" }),
            "role/Own: not-trusted",
        ),
    ];
    for (pointer, value, found) in breaks {
        let mut broken = roles.clone();
        *broken.pointer_mut(&pointer).unwrap_or_else(|| panic!("{pointer}: {roles}")) = value;
        write("roles", &broken);
        let (code, told) = verify();
        assert_eq!(code, Some(i32::from(!found.is_empty())), "{pointer}: {told}");
        assert!(found.is_empty() || told.contains(found), "{pointer}: {told}");
    }
    // A role whose name a group could make, and that trusts Rolegate, is judged as if somebody had it.
    let mut more = roles.clone();
    let mut team = roles.pointer(&admin).unwrap().clone();
    team["Arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:role/blue-admin"));
    more["Roles"].as_array_mut().unwrap().push(team.clone());
    write("roles", &more);
    let (code, told) = verify();
    // Its trust is that of the people of one provider; the rule is about those of all.
    assert!(code == Some(1) && told.contains("role/blue-admin: some-shut-out") && !told.contains("unused"), "{told}");

    write("roles", &roles);
    let mut provider = clients[1].clone();
    provider["ClientIDList"] = json!(["other"]);
    write(&format!("oidc-{}", clients[0]), &provider);
    let (code, told) = verify();
    assert_eq!((code, told.lines().count()), (Some(1), 2), "{told}");
    assert!(told.contains("audience: it does not list the client id sts.amazonaws.com"), "{told}");
    assert!(told.contains("other-clients: it lists the client id other"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn iam_itself_is_asked_in_the_account_of_the_credentials() {
    let folder = world(CONFIG);
    let moto = Moto::start().await;
    let verify = |more: &[&str]| {
        let arguments = [&["aws", "verify", "--config", "rolegate.toml", "--live", "--identity", GATE], more].concat();
        let output = rolegate_with(&moto, folder.path(), &arguments);
        (output.status.code(), text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
    };
    let (code, told, _) = verify(&[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("role/PlatformAdmin: missing") && told.contains("oidc-provider/roles.example.org: missing"), "{told}");
    assert!(!told.contains("444455556666"), "of the account of the credentials alone: {told}");

    let plan = ["aws", "plan", "--config", "rolegate.toml", "--account", ACCOUNT, "--identity", GATE, "--format", "cloudformation"];
    let template = folder.write("template.json", self::told(folder.path(), &plan));
    python("tests/counterparts/make_stack.py", &[template.to_str().unwrap(), moto.url()]).await.or_fail();
    let (code, told, _) = verify(&[]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.starts_with("good: IAM has what the rules need, 6 role(s)"), "{told}");

    iam(&moto, &folder, &["update-role", "--role-name", "PlatformAdmin", "--max-session-duration", "3600"]).await;
    let (code, told, _) = verify(&["--account", ACCOUNT]);
    assert_eq!((code, told.lines().count()), (Some(1), 1), "{told}");
    assert!(told.contains("role/PlatformAdmin: session-too-short"), "{told}");

    let (code, _, wrong) = verify(&["--account", "China"]);
    assert_eq!(code, Some(2));
    assert!(wrong.contains(&format!("are of the account {ACCOUNT}, not the one that --account chose")), "{wrong}");
    drop(moto);
    let nobody = rolegate(folder.path(), &["aws", "verify", "--config", "rolegate.toml", "--live", "--from", "iam"], "");
    assert_eq!(nobody.status.code(), Some(2), "files and IAM are not mixed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aws_that_does_not_answer_is_never_taken_for_good() {
    let folder = world(CONFIG);
    let moto = Moto::start().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let arguments = ["aws", "verify", "--config", "rolegate.toml", "--live", "--account", ACCOUNT];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_rolegate"))
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .envs([("AWS_ENDPOINT_URL_STS", moto.url()), ("AWS_ENDPOINT_URL_IAM", &format!("http://{closed}"))])
        .envs([("AWS_REGION", "us-east-1"), ("AWS_EC2_METADATA_DISABLED", "true")])
        .envs(KEYS)
        .env("HOME", folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("AWS did not answer ListRoles"), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

fn role_at(roles: &Value, name: &str) -> String {
    let index = roles["Roles"].as_array().unwrap().iter().position(|role| role["RoleName"] == name).unwrap();
    format!("/Roles/{index}")
}
