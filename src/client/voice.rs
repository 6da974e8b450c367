//! What a command says: results to standard output, everything else to standard error.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;
use serde::Serialize;

use super::trouble::{Kind, Trouble};
use crate::terminal::{harmless, harmless_json};

/// How much a command says, and to whom.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct Voice {
    /// Say nothing but results and errors
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Print results and errors as JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
    /// Whether the terminal is another program's, which is not to be asked in the middle of.
    #[arg(skip)]
    pub(super) asks_nobody: bool,
}

impl Voice {
    /// Something that people may want to know while they wait.
    pub(super) fn notice(self, text: &str) {
        if !self.quiet {
            say(&harmless(text));
        }
    }

    /// An error.
    pub(super) fn error(self, trouble: &Trouble) {
        if self.json {
            say(&harmless_json(&trouble.json().to_string()));
        } else {
            say(&harmless(&trouble.to_string()));
        }
    }

    /// A result for people.
    #[expect(clippy::unused_self, reason = "what is said is said by a voice, however loud that one is")]
    pub(super) fn result(self, text: &str) -> Result<(), Trouble> {
        print(&harmless(text.trim_end()))
    }

    /// A result for programs.
    #[expect(clippy::unused_self, reason = "what is said is said by a voice, however loud that one is")]
    pub(super) fn result_json(self, value: &impl Serialize) -> Result<(), Trouble> {
        let text = serde_json::to_string_pretty(value).map_err(|error| unwritable(&error.to_string()))?;
        print(&harmless_json(&text))
    }

    /// Asks the person at the terminal; nothing where there is none.
    pub(super) fn ask(self, question: &str) -> Option<String> {
        if self.asks_nobody || !self.is_attended() || !std::io::stdin().is_terminal() {
            return None;
        }
        let mut errors = std::io::stderr();
        let asked = write!(errors, "{} ", harmless(question)).and_then(|()| errors.flush());
        let mut answer = String::new();
        asked.and_then(|()| std::io::stdin().lock().read_line(&mut answer)).ok()?;
        let answer = answer.trim();
        (!answer.is_empty()).then(|| answer.to_owned())
    }

    /// Whether somebody reads what is said: tools that run a `credential_process` catch its standard error.
    #[expect(clippy::unused_self, reason = "what is said is said by a voice, however loud that one is")]
    pub(super) fn is_attended(self) -> bool {
        std::io::stderr().is_terminal()
    }
}

/// Writes a result as it is, for the program that reads it: what is written here is made of our own words and printable ASCII.
pub(super) fn print(text: &str) -> Result<(), Trouble> {
    match writeln!(std::io::stdout(), "{text}") {
        // Who reads no further, as `head` does, has what it wanted.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(unwritable(&error.to_string())),
        _ => Ok(()),
    }
}

fn unwritable(error: &str) -> Trouble {
    Trouble::yours(Kind::Other, format!("The result cannot be written: {error}."), "check where standard output leads")
}

fn say(text: &str) {
    // With no standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}
