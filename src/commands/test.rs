//! `rolegate test`: runs the rules' own tests, once or at every change of the file.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{Stopped, load, print};

/// How often a watched file is looked at.
const PACE: Duration = Duration::from_millis(300);

pub(crate) fn run(path: &Path, watch: bool) -> Result<(), Stopped> {
    if !watch {
        return once(path);
    }
    let mut seen = None;
    loop {
        let changed = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        if seen != Some(changed) {
            seen = Some(changed);
            let outcome = match once(path) {
                Ok(()) => String::new(),
                Err(Stopped::Unusable(text) | Stopped::No(text)) => text,
            };
            print(&format!("{outcome}\n{}: waiting for a change, Ctrl-C ends", stamp(changed)))?;
        }
        std::thread::sleep(PACE);
    }
}

fn once(path: &Path) -> Result<(), Stopped> {
    // The tests are part of every check: a file that loads has passed them.
    let (config, _) = load(path)?;
    match config.file.test.len() {
        0 => Err(Stopped::No(format!("{}: there is no [[test]]", path.display()))),
        count => print(&format!("{}: {count} test(s) of the rules passed", path.display())),
    }
}

fn stamp(changed: Option<SystemTime>) -> String {
    changed.map_or_else(|| "the file is gone".to_owned(), |time| humantime::format_rfc3339_seconds(time).to_string())
}
