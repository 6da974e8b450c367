//! `configure`: what it writes, what it leaves, and what the AWS CLI makes of it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::double::{ADMIN, DoubleGateway, READ_ONLY};
use super::person::Person;
use super::support::{AwsCli, Moto, Running};

fn signed_in() -> (DoubleGateway, Person) {
    let gateway = DoubleGateway::start();
    let ana = Person::new(&gateway.url);
    ana.keep_session(&gateway.session());
    (gateway, ana)
}

const MINE: &str = "[default]\nregion = eu-west-1\n# mine, and it stays\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_written_after_its_difference_was_shown_and_only_when_that_is_wanted() {
    let (gateway, ana) = signed_in();
    let config = ana.write(".aws/config", MINE);
    std::fs::set_permissions(&config, PermissionsExt::from_mode(0o644)).unwrap();
    let (code, shown) = ana.ended(&["configure"]).await;
    assert!(
        code == 5 && shown.stdout.contains("+[profile Production-ReadOnly]") && shown.stderr.contains("Nothing was written"),
        "{shown:?}"
    );
    assert_eq!(ana.read(".aws/config"), MINE);

    let shown = ana.run(&["configure", "--yes", "--region", "eu-central-1"]).await.or_fail();
    let written = ana.read(".aws/config");
    assert!(written.starts_with(MINE) && shown.contains("+region = eu-central-1"), "{written}\n{shown}");
    let program = std::fs::canonicalize(env!("CARGO_BIN_EXE_rolegate")).unwrap().display().to_string();
    for part in [
        format!("credential_process = {program} credentials {READ_ONLY} --gateway {}\nregion = eu-central-1\n", gateway.url),
        format!("[profile Staging-EU-444455556666-Admin]\n# first: rolegate credentials {ADMIN} --reason TEXT\n"),
    ] {
        assert!(written.contains(&part), "{part} in\n{written}");
    }
    assert_eq!(ana.read(".aws/config.rolegate-backup"), MINE);
    assert_eq!(std::fs::metadata(&config).unwrap().mode() & 0o777, 0o644, "who may read it does not change");

    let again = ana.run(&["configure", "--yes", "--region", "eu-central-1"]).await;
    assert!(again.stderr.contains("is as it should be") && again.stdout.is_empty(), "{again:?}");
    assert_eq!(ana.read(".aws/config"), written);
    // What follows the block stays as well, when the block changes.
    std::fs::write(&config, format!("{written}\n[profile mine]\nrole_arn = x\n")).unwrap();
    ana.run(&["configure", "--yes", "--filter", "readonlyplus", "--name", "aws.{account_id}.{role}"]).await.or_fail();
    let changed = ana.read(".aws/config");
    assert!(
        changed.contains("[profile aws.111122223333.ReadOnlyPlus]")
            && !changed.contains("Staging")
            && changed.ends_with("\n[profile mine]\nrole_arn = x\n"),
        "{changed}"
    );
    ana.run(&["configure", "--yes", "--remove"]).await.or_fail();
    assert_eq!(ana.read(".aws/config"), format!("{MINE}\n[profile mine]\nrole_arn = x\n"));
    assert_eq!(ana.read(".aws/config.rolegate-backup"), MINE, "what was there before us, however often it was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_the_persons_own_is_never_shadowed_nor_shadows_ours() {
    let (_gateway, ana) = signed_in();
    for (file, text) in
        [("config", "[profile Production-ReadOnly]\nregion = x\n"), ("credentials", "[Production-ReadOnly]\naws_access_key_id = x\n")]
    {
        let path = ana.write(&format!(".aws/{file}"), text);
        let (code, told) = ana.ended(&["configure", "--yes"]).await;
        assert!(
            code == 2 && told.stderr.contains("`Production-ReadOnly`") && told.stderr.contains(&path.display().to_string()),
            "{told:?}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        std::fs::remove_file(path).unwrap();
    }
    assert!(ana.run(&["configure", "--yes"]).await.success);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_where_a_variable_says_and_a_link_stays_a_link() {
    let (gateway, ana) = signed_in();
    ana.write("dotfiles/aws", MINE);
    std::os::unix::fs::symlink(ana.home().join("dotfiles/aws"), ana.home().join("linked")).unwrap();
    let configure = || ana.command(&["configure", "--yes", "--quiet"]).env("AWS_CONFIG_FILE", ana.home().join("linked")).output().unwrap();
    assert!(configure().status.success());
    assert!(std::fs::symlink_metadata(ana.home().join("linked")).unwrap().is_symlink());
    assert!(ana.read("dotfiles/aws").contains("credential_process") && !ana.home().join(".aws").exists());
    // Marks that somebody has damaged are not guessed at.
    let damaged = ana.read("dotfiles/aws").replace("# <<< rolegate", "# <<<");
    ana.write("dotfiles/aws", &damaged);
    let told = configure();
    assert!(told.status.code() == Some(1) && String::from_utf8(told.stderr).unwrap().contains("by hand"));
    assert_eq!(ana.read("dotfiles/aws"), damaged);
    assert!(damaged.contains(&gateway.url));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_and_boto3_use_the_written_profiles() {
    let (_gateway, ana) = signed_in();
    let moto = Moto::start().await;
    ana.run(&["configure", "--yes", "--region", "eu-central-1"]).await.or_fail();
    let env = ana.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for cli in AwsCli::BOTH {
        let shown = cli.run(ana.home(), &["configure", "list", "--profile", "Production-ReadOnly"], &env).await.or_fail();
        assert!(shown.contains("custom-process") && shown.contains("eu-central-1"), "{cli:?}: {shown}");
    }
    let found = ana.boto3(moto.url(), Some("Production-ReadOnly"), &[]).await;
    assert_eq!((found["method"].as_str(), found["key"].as_str()), (Some("custom-process"), Some("ASIADOUBLE1")));
    // A role that wants a reason tells so to who reads the AWS CLI's error.
    let arguments = ["sts", "get-caller-identity", "--profile", "Staging-EU-444455556666-Admin", "--endpoint-url", moto.url()];
    for cli in AwsCli::BOTH {
        let refused = cli.run(ana.home(), &arguments, &env).await;
        assert!(!refused.success && refused.stderr.contains("number of a ticket") && refused.stderr.contains("--reason"), "{refused:?}");
    }
    ana.run(&["credentials", ADMIN, "--reason", "OPS-1"]).await.or_fail();
    for cli in AwsCli::BOTH {
        cli.run(ana.home(), &arguments, &env).await.or_fail();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_whose_path_has_commands_for_a_shell_is_left_out_and_named() {
    let (gateway, ana) = signed_in();
    let evil = "arn:aws:iam::111122223333:role/;{touch,pwned};true/Dev";
    let role = serde_json::json!({ "arn": evil, "account": { "id": "111122223333", "name": "Production" } });
    gateway.with(|state| state.more_roles.push(role));
    let told = ana.run(&["configure", "--yes"]).await;
    assert!(told.stderr.contains(evil) && told.stderr.contains("Left out"), "{told:?}");
    let written = ana.read(".aws/config");
    assert!(written.contains("[profile Production-ReadOnly]") && !written.contains(';'), "{written}");
    for arguments in [&["roles"][..], &["roles", "--json"]] {
        let told = ana.run(arguments).await;
        assert!(told.stderr.contains(evil) && !told.stdout.contains("touch") && told.stdout.contains("ReadOnly"), "{told:?}");
    }
    assert_eq!(ana.ended(&["credentials", evil]).await.0, 2);
    assert_eq!(ana.ended(&["configure", "--yes", "--gateway", "https://a;id"]).await.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_the_second_reads_what_the_first_wrote() {
    let (_gateway, ana) = signed_in();
    ana.write(".aws/config", MINE);
    let lock = std::fs::File::create(ana.write(".local/state/rolegate/configure.lock", "")).unwrap();
    lock.lock().unwrap();
    let mut waiting = Running::spawn("configure", &mut ana.command(&["configure", "--yes"]));
    waiting.until_line("Another command is writing profiles").await;
    let by_first = format!("{MINE}\n[profile first]\nregion = x\n");
    ana.write(".aws/config", &by_first);
    drop(lock);
    assert!(waiting.finish().await.success(), "{}", waiting.output());
    let written = ana.read(".aws/config");
    assert!(written.starts_with(&by_first) && written.contains("credential_process"), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_file_that_is_not_there_yet_stays_a_link() {
    let (_gateway, ana) = signed_in();
    ana.write(".aws/other", "");
    std::fs::create_dir(ana.home().join("dotfiles")).unwrap();
    std::os::unix::fs::symlink("../dotfiles/aws", ana.home().join(".aws/config")).unwrap();
    ana.run(&["configure", "--yes"]).await.or_fail();
    assert!(std::fs::symlink_metadata(ana.home().join(".aws/config")).unwrap().is_symlink());
    assert!(ana.read("dotfiles/aws").contains("credential_process"));
}
