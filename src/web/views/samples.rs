//! Realistic and hostile fillings of every page, for the tests and for looking at the pages.

mod access;
mod command_line;
mod credentials;
mod entry;
mod requests;
mod rooms;

use std::time::Duration;

use super::*;

/// What somebody who writes claims, tags or URLs may try to break out of a page with.
pub(super) const HOSTILE: &str = "\"><script>alert(1)</script>'{{ 7*7 }}{% if %}\n\u{202e}&amp;<img src=x onerror=alert(2)> style=x";

const HOUR: Duration = Duration::from_hours(1);

pub(super) fn at(seconds: i64) -> At {
    // 2 March 2026, 14:30 UTC, and some seconds.
    At(DateTime::from_timestamp(1_772_461_800 + seconds, 0).unwrap())
}

pub(super) fn shell(signed_in: bool) -> Shell<'static> {
    let who = Who { username: "ana.duarte@example.org".into(), provider: "Okta".into(), provider_logout: true, ends: at(15_000) };
    Shell {
        brand: "Rolegate".into(),
        logo: crate::web::assets::logo().into(),
        colours: None,
        help_link: Some("https://help.example.org/aws".into()),
        banner: None,
        contact: Some("#aws-access on chat, or cloud-team@example.org".into()),
        csrf: "q4Yx0vC2mB8sJ1nLr7Tz5Kd9Wf3HgPaEuViOyXcMbNk".into(),
        explains: true,
        requests: true,
        who: signed_in.then_some(who),
        room: None,
        offices: Offices::default(),
    }
}

pub(super) fn hostile_shell() -> Shell<'static> {
    let who = Who { username: HOSTILE.into(), provider: HOSTILE.into(), provider_logout: true, ends: at(15_000) };
    let contact = Some(HOSTILE.into());
    let offices = Offices { administrator: true, auditor: true };
    Shell {
        brand: HOSTILE.into(),
        logo: format!("/{HOSTILE}").into(),
        colours: Some(format!("/{HOSTILE}").into()),
        help_link: Some(HOSTILE.into()),
        banner: Some(HOSTILE.into()),
        contact,
        csrf: HOSTILE.into(),
        explains: true,
        requests: true,
        who: Some(who),
        room: None,
        offices,
    }
}

/// One of the three values: made up, and as long as real ones are.
fn sample_secrets(which: usize) -> String {
    let token = format!("SAMPLE-TOKEN-{}", "Fwo0ZXIvYXdzEJr2hT9kQ1x".repeat(28));
    ["ASIASAMPLESAMPLE0001", "SAMPLE/secret/0000000000000000000000000", &token][which].to_owned()
}
