//! A gateway that runs, with its trail in further sinks.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::collectors::Receiver;
use super::support::{Gateway, OidcOptions, OidcProvider, Plan, Running, Scratch, Visitor, run};

#[tokio::test(flavor = "multi_thread")]
async fn on_standard_output_are_the_lines_of_the_file_and_nothing_else() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let config = format!("{}\n[[audit.sink]]\nstdout = true\n", plan.config(&provider, "http://127.0.0.1:9"));
    let folder = Scratch::new();
    let config = folder.write("rolegate.toml", &config);
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" serve --config \"$1\" >told", env!("CARGO_BIN_EXE_rolegate")]).arg(&config);
    command.current_dir(folder.path()).env_clear().envs(Plan::env());
    let mut running = Running::spawn("rolegate", &mut command);
    let url = running.until_line("ready ").await;
    for _ in 0..3 {
        Visitor::new().open(&format!("{}/login/main?next=%2F", url.trim_end_matches('/'))).await.or_fail();
    }
    assert!(running.stop().await.success(), "{}", running.output());
    let [told, trail] = ["told", "audit.jsonl"].map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap());
    assert!(trail.lines().count() >= 3);
    assert_eq!(told, trail);
}

/// Nobody listens at the port of discard.
#[tokio::test(flavor = "multi_thread")]
async fn a25_a_monitor_that_asks_fills_no_trail_while_a_sink_is_missing() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let config = format!("{}\n[[audit.sink]]\nsyslog = \"tcp://127.0.0.1:9\"\n", plan.config(&provider, "http://127.0.0.1:9"));
    let gateway = Gateway::start(&config, &Plan::env()).await;
    let mut ana = Visitor::new();
    assert_eq!(ana.open(&format!("{}/login/main?next=%2F", gateway.url())).await.status, 503, "every sink must have it");
    let lines = || std::fs::read_to_string(gateway.folder().join("audit.jsonl")).unwrap().lines().count();
    let before = lines();
    for _ in 0..10 {
        let ready = ana.open(&format!("{}/readyz", gateway.url())).await;
        assert!(ready.status == 503 && ready.body.contains("audit: unavailable"), "{}", ready.body);
    }
    assert_eq!(lines(), before);
}

#[tokio::test]
async fn what_keeps_the_trail_from_beginning_is_said_whatever_sinks_there_are() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let folder = Scratch::new();
    let sinks = "[[audit.sink]]\nwebhook = \"http://127.0.0.1:9/\"\n[[audit.sink]]\nstdout = true\n";
    let config = folder.write("rolegate.toml", format!("{}\n{sinks}", plan.config(&provider, "http://127.0.0.1:9")));
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolegate"));
    command.args(["serve", "--config"]).arg(&config).current_dir(folder.path()).env_clear().envs(Plan::env()).stdout(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("is /dev/null") && !said.contains("panicked"), "{}: {said}", output.status);
}

/// A reader of the log who went away, and a disk that is full under it.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_stops_nobody() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let folder = Scratch::new();
    let config = folder.write("rolegate.toml", plan.config(&provider, "http://127.0.0.1:9"));
    assert!(Command::new("mkfifo").arg(folder.path().join("closed")).status().unwrap().success());
    // The last one is a pipe whose reader ends at once.
    for (before, errors) in [("", "2>/dev/full"), ("", "2>&-"), ("true < closed &", "2>closed")] {
        let script = format!("{before} exec \"$0\" serve --config \"$1\" {errors}");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_rolegate")]).arg(&config).current_dir(folder.path()).env_clear().envs(Plan::env());
        let mut running = Running::spawn("rolegate", &mut command);
        let url = running.until_line("ready ").await;
        let page = Visitor::new().open(&format!("{}/login/main?next=%2F", url.trim_end_matches('/'))).await;
        page.or_fail();
        assert!(running.stop().await.success(), "{errors}: {}", running.output());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_and_doctor_say_how_the_sinks_do() {
    let mut receiver = Receiver::start("the-token").await;
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let folder = receiver.folder_with_token("the-token");
    let sinks = receiver.settings("any").replace("[[sink]]", "[[audit.sink]]").replacen("require = \"any\"", "", 1);
    let config = format!("{}\n{sinks}\n[[audit.sink]]\nstdout = true\n", plan.config(&provider, "http://127.0.0.1:9"));
    let file = folder.write("rolegate.toml", &config);
    let asked = async |command: &str, file: &Path| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_rolegate"));
        program.args([command, "--config"]).arg(file).env_clear().envs(Plan::env());
        let done = run("rolegate", &mut program, Duration::from_mins(1)).await;
        format!("{}{}", done.stdout, done.stderr)
    };
    let checked = asked("check", &file).await;
    assert!(!checked.contains("audit.sink"), "{checked}");
    let told = asked("doctor", &file).await;
    let name = format!("webhook {}", receiver.origin());
    assert!(told.contains(&format!("{name} can be reached")) && told.contains("stdout can be reached"), "{told}");
    assert!(!told.contains("hush") && receiver.text().is_empty(), "{told}");
    receiver.kill().await;
    let told = asked("doctor", &file).await;
    assert!(told.contains(&format!("{name} cannot be reached")), "{told}");
    let wrong = folder.write("wrong.toml", config.replace("webhook = \"http://", "webhook = \"http://user:hush@"));
    let told = asked("check", &wrong).await;
    assert!(told.contains("a user name or password stands in the address") && !told.contains("user:hush"), "{told}");
}
