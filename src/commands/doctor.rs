//! `rolegate doctor`: looks from inside at everything that a gateway depends on.

use std::path::Path;
use std::sync::Arc;

use rolegate::clock::SystemClock;
use rolegate::startup::{self, Examined, Verdict, examine};
use rolegate::terminal::harmless;
use serde_json::json;

use super::{Stopped, print, print_json};

pub(crate) fn run(path: &Path, as_json: bool) -> Result<(), Stopped> {
    let config = startup::load(path).map_err(|findings| Stopped::Unusable(findings.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stopped::No(format!("nothing can be looked at: {error}")))?;
    let mut all: Vec<Examined> = Vec::new();
    let mut printed = Ok(());
    let looked = runtime.block_on(examine(&config, Arc::new(SystemClock), |examined| {
        // Each as it is known: an address that does not answer takes its time.
        if !as_json && printed.is_ok() {
            printed = print(&line(&examined));
        }
        all.push(examined);
    }));
    looked.map_err(|findings| Stopped::Unusable(findings.to_string()))?;
    printed?;
    let bad = all.iter().filter(|examined| examined.verdict == Verdict::Bad).count();
    if as_json {
        print_json(&json!({ "good": bad == 0, "examined": all }))?;
    } else {
        print("IAM's half is not looked at here: `rolegate aws verify` does that.")?;
    }
    if bad == 0 { Ok(()) } else { Err(Stopped::No(if as_json { String::new() } else { format!("{bad} to mend") })) }
}

fn line(examined: &Examined) -> String {
    let word = match examined.verdict {
        Verdict::Good => "good",
        Verdict::Unsure => "unsure",
        Verdict::Bad => "BAD",
    };
    let mend = examined.mend.as_deref().map(|mend| format!("\n        {}", harmless(mend))).unwrap_or_default();
    format!("{word:<7} {}: {}{mend}", examined.part, harmless(&examined.seen))
}
