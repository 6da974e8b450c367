//! What the gateway hands over, in the hands of the AWS CLI: the profile file and the `credential_process` JSON, against moto's AWS.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step is a failed test")]

mod support;

use support::{AwsCli, Finished, Gateway, Moto, OidcOptions, OidcProvider, PRODUCTION, Plan, Scratch, Visitor};

/// A gateway in front of moto's AWS, and credential files that `ana` downloaded from it for the role `PlatformAdmin` in Production.
struct Downloaded {
    moto: Moto,
    profile: String,
    process_json: String,
}

async fn download() -> Downloaded {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let moto = Moto::start().await;
    let gateway = Gateway::start(&plan.config(&provider, moto.url()), &Plan::env()).await;
    let mut ana = Visitor::new();
    let portal = ana.open(&format!("{}/login/main?next=%2F", gateway.url())).await.or_fail();
    assert!(portal.body.contains("PlatformAdmin"), "no portal with the role:\n{}", portal.body);
    let role = format!("arn:aws:iam::{PRODUCTION}:role/PlatformAdmin");
    let mut files = Vec::new();
    for format in ["profile", "json"] {
        let fields = [("role", role.as_str()), ("duration", "3600"), ("format", format)];
        files.push(ana.post(&portal, "/credentials/download", &fields).await.or_fail().body);
    }
    let [profile, process_json] = files.try_into().unwrap();
    Downloaded { moto, profile, process_json }
}

impl Downloaded {
    async fn get_caller_identity(&self, cli: AwsCli, home: &Scratch, env: &[(&str, &str)]) -> Finished {
        let args = ["sts", "get-caller-identity", "--output", "json", "--region", "us-east-1", "--endpoint-url", self.moto.url()];
        cli.run(home.path(), &args, env).await
    }
}

#[track_caller]
fn assert_is_ana(answer: Finished) {
    let answer = answer.or_fail();
    let identity: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let arn = identity["Arn"].as_str().unwrap();
    assert!(arn.starts_with(&format!("arn:aws:sts::{PRODUCTION}:assumed-role/PlatformAdmin/")), "{arn}");
    assert!(arn.contains("ana"), "the session's name leads back to the person: {arn}");
    assert_eq!(identity["Account"], PRODUCTION);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_works_with_what_was_downloaded() {
    let downloaded = download().await;

    for cli in AwsCli::BOTH {
        let home = Scratch::new();
        let file = home.write("credentials", &downloaded.profile);
        let name = downloaded.profile.lines().find_map(|line| line.strip_prefix('[')?.strip_suffix(']')).unwrap();
        let env = [("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()), ("AWS_PROFILE", name)];
        assert_is_ana(downloaded.get_caller_identity(cli, &home, &env).await);

        let home = Scratch::new();
        let json = home.write("credentials.json", &downloaded.process_json);
        let config = home.write("config", format!("[profile work]\ncredential_process = cat {}\n", json.display()));
        let env = [("AWS_CONFIG_FILE", config.to_str().unwrap()), ("AWS_PROFILE", "work")];
        assert_is_ana(downloaded.get_caller_identity(cli, &home, &env).await);

        // The same without either file: the scrubbed environment really has no other credentials.
        let nothing = downloaded.get_caller_identity(cli, &Scratch::new(), &[]).await;
        assert!(!nothing.success && nothing.stderr.contains("Unable to locate credentials"), "{cli:?}: {nothing:?}");
    }
}

#[tokio::test]
async fn the_two_lines_of_the_aws_cli_are_two() {
    for (cli, version) in [(AwsCli::V1, "aws-cli/1."), (AwsCli::V2, "aws-cli/2.")] {
        let told = cli.run(Scratch::new().path(), &["--version"], &[]).await.or_fail();
        assert!(told.starts_with(version), "{told}");
    }
}
