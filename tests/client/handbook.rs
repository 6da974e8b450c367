//! Completions and manual pages, read by the programs that they are made for.

use std::process::Command;

use super::double::DoubleGateway;
use super::person::Person;
use super::support::{Scratch, run};

/// The commands that have a page of their own.
const COMMANDS: [&str; 11] =
    ["login", "logout", "whoami", "roles", "credentials", "env", "exec", "console", "configure", "agent", "completions"];

fn ana() -> Person {
    Person::new(&DoubleGateway::start().url)
}

async fn finished(program: &str, arguments: &[&str]) -> super::support::Finished {
    run(program, Command::new(program).args(arguments), std::time::Duration::from_mins(1)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn bash_reads_its_completions_and_completes_by_them() {
    let folder = Scratch::new();
    let script = folder.write("rolegate.bash", ana().run(&["completions", "bash"]).await.or_fail());
    let script = script.to_str().unwrap();
    finished("bash", &["-n", script]).await.or_fail();
    // As a shell does when somebody types these words and presses the tab key.
    let complete = async |words: &[&str]| {
        let (last, line) = (words.len() - 1, words.join(" "));
        let typed = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let asked = format!(
            "set -eu; . '{script}'; complete -p rolegate; COMP_WORDS=({typed}); COMP_CWORD={last}; COMP_LINE='{line}'; COMP_POINT={}; \
             _rolegate rolegate '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            line.len(),
            words[last],
            words[last - 1],
        );
        finished("bash", &["--norc", "-c", &asked]).await.or_fail()
    };
    let commands = complete(&["rolegate", ""]).await;
    for command in COMMANDS {
        assert!(commands.lines().any(|line| line == command), "{command} in\n{commands}");
    }
    let some = complete(&["rolegate", "cred"]).await;
    assert!(some.ends_with("\ncredentials\n"), "{some}");
    let options = complete(&["rolegate", "credentials", "--re"]).await;
    assert!(options.ends_with("\n--reason\n"), "{options}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_has_completions_that_name_every_command() {
    let ana = ana();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = ana.run(&["completions", shell]).await.or_fail();
        for command in COMMANDS {
            assert!(script.contains(command), "{command} for {shell}");
        }
    }
    let (code, told) = ana.ended(&["completions", "sh"]).await;
    assert!(code == 2 && told.stdout.is_empty(), "{told:?}");
}

/// groff says what is wrong with a page, and shows it as people read it.
#[tokio::test(flavor = "multi_thread")]
async fn the_manual_pages_are_read_by_groff_without_a_complaint() {
    let (ana, folder) = (ana(), Scratch::new());
    let place = folder.path().to_str().unwrap();
    ana.run(&["man", "--folder", place]).await.or_fail();
    let alone = folder.write("alone.1", ana.run(&["man"]).await.or_fail());
    let page = |command: &str| folder.path().join(format!("rolegate-{command}.1"));
    let mut pages: Vec<_> = COMMANDS.iter().map(|command| (*command, page(command))).collect();
    pages.extend([("rolegate", folder.path().join("rolegate.1")), ("rolegate", alone)]);
    for (name, path) in pages {
        let shown = finished("groff", &["-man", "-Tutf8", "-ww", "-z", path.to_str().unwrap()]).await;
        assert!(shown.success && shown.stderr.is_empty(), "{name}: {}", shown.stderr);
        let shown = finished("groff", &["-man", "-Tascii", "-P-c", path.to_str().unwrap()]).await.or_fail();
        // Bold letters are struck twice there.
        let mut plain = String::new();
        for letter in shown.chars() {
            if letter == '\u{8}' {
                plain.pop();
            } else {
                plain.push(letter);
            }
        }
        for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
            assert!(plain.lines().any(|line| line == heading), "{heading} of {name} in\n{plain}");
        }
        assert!(plain.contains(name), "{plain}");
    }
}
