//! `rolegate test`: runs the rules' own tests, once or at every change of the file.

use std::path::Path;
use std::time::Duration;

use rolegate::config::{Stamp, Watch};

use super::{Stopped, load, print};

/// How often a watched file is looked at.
const PACE: Duration = Duration::from_millis(300);

pub(crate) fn run(path: &Path, watch: bool) -> Result<(), Stopped> {
    if !watch {
        return once(path);
    }
    let mut watch = Watch::new(vec![path.to_owned()], Stamp::of([path]));
    loop {
        let outcome = match once(path) {
            Ok(()) => String::new(),
            Err(Stopped::Unusable(text) | Stopped::No(text)) => text,
        };
        print(&format!("{outcome}\nwaiting for a change, Ctrl-C ends"))?;
        while !watch.has_changed() {
            std::thread::sleep(PACE);
        }
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
