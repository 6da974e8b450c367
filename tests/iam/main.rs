//! `rolegate aws`, as an administrator types it: the plan against those who read such plans, IAM as moto plays it against the plan.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers stand outside of test functions")]

#[path = "../support/mod.rs"]
mod support;

mod moto;
mod plan;
mod revoke;
mod verify;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::Scratch;

/// The account that moto plays.
pub(crate) const ACCOUNT: &str = "123456789012";

/// Every way into a role, in three partitions.
pub(crate) const CONFIG: &str = r#"
public_url = "https://roles.example.org"

[trust]
signing_key = { file = "key.pem" }

[trust.saml]
regions = ["eu-central-1", "eu-west-1"]
signing_key = { file = "saml.key" }
certificate = { file = "saml.crt" }

[[provider]]
id = "okta"
name = "Okta"
issuer = "https://example.okta.com"
client_id = "0oa1example"
client_auth = "none"

[[provider]]
id = "entra"
name = "Entra"
issuer = "https://login.microsoftonline.com/{tenantid}/v2.0"
tenants = ["11111111-1111-1111-1111-111111111111"]
client_id = "0oa2example"
client_auth = "none"

[[account]]
id = "123456789012"
name = "Production ${var.secret} %{ if true }"

[[account]]
id = "444455556666"
name = "China"
partition = "aws-cn"

[[account]]
id = "777788889999"
name = "Gov"
partition = "aws-us-gov"

[[iam_user]]
id = "billing"
account = "123456789012"
access_key_id = "AKIAIOSFODNN7EXAMPLE"
secret_access_key = { file = "user-secret" }

[[rule]]
id = "admins"
groups = ["admins"]
accounts = ["*"]
roles = ["PlatformAdmin"]
max_session = "4h"
tags = { Team = "platform", CostCenter = "${claims.cost}" }
providers = ["okta"]

[[rule]]
id = "by-saml"
groups = ["saml"]
accounts = ["*"]
roles = ["team/Developer+1"]
operation = "saml"
carry_source_identity = "if-allowed"

[[rule]]
id = "forwarded"
groups = ["data"]
accounts = ["123456789012"]
roles = ["Analyst"]
operation = "forwarded_web_identity"

[[rule]]
id = "partner"
groups = ["support"]
roles = ["arn:aws:iam::123456789012:role/Support"]
operation = "assume_role"
external_id = "rolegate-4711"
via = "arn:aws:iam::123456789012:role/Hub"
tags = { Team = "platform" }

[[rule]]
id = "own"
groups = ["support"]
roles = ["arn:aws:iam::123456789012:role/Own"]
operation = "assume_role"
external_id = "acme-${subject}"

[[rule]]
id = "teams"
group_pattern = "aws-(?<team>[a-z]+)-admin"
accounts = ["123456789012"]
roles = ["${team}-admin"]

[[rule]]
id = "bills"
groups = ["finance"]
operation = "federation_token"
iam_user = "billing"
federated = "billing-reader"
policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
"#;

/// A folder with the configuration and its keys.
pub(crate) fn world(config: &str) -> Scratch {
    let folder = Scratch::new();
    folder.write("rolegate.toml", config);
    let key = rolegate(folder.path(), &["keys", "new"], "");
    folder.write("key.pem", key.stdout);
    folder.write("user-secret", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    support::make_key(&folder.path().join("saml"), "Rolegate");
    folder
}

pub(crate) fn rolegate(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_rolegate"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("ROLEGATE_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its configuration reads nothing.
    let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
    process.wait_with_output().unwrap()
}

/// The same, with credentials of the account that moto plays, and no other AWS within reach.
pub(crate) fn rolegate_with(moto: &support::Moto, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rolegate"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs([("AWS_ENDPOINT_URL", moto.url()), ("AWS_REGION", "us-east-1"), ("AWS_EC2_METADATA_DISABLED", "true")])
        .envs([("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")])
        .env("HOME", folder)
        .output()
        .unwrap()
}

/// The output of a command that succeeds.
pub(crate) fn told(folder: &Path, arguments: &[&str]) -> String {
    let output = rolegate(folder, arguments, "");
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
