//! Fillings of the pages of requests.

use super::*;

fn row(state: &'static str, tone: &'static str, verb: Option<&'static str>) -> RequestRow<'static> {
    RequestRow {
        of: "q4Yx0vC2mB8sJ1nLr7Tz5Kd9Wf3HgPaEuViOyXcMbNk".into(),
        id: "h3T0cYk2Vb9QmZ1r".into(),
        who: "ben.okafor@example.org".into(),
        provider: "Okta".into(),
        role: "DatabaseAdmin".into(),
        account: "Production".into(),
        rule: "database-on-request".into(),
        purpose: None,
        idle: false,
        lacks: None,
        reason: "OPS-4711: rebuild the index that the nightly job waits for".into(),
        length: "4 h".into(),
        at: at(-600),
        state,
        tone,
        by: (!tone.is_empty()).then(|| "lea.moreau@example.org".into()),
        until: (state == "granted").then(|| at(9000)),
        link: (state == "granted").then(|| "/go?account=111122223333&role=DatabaseAdmin".into()),
        verb,
    }
}

fn hostile_row() -> RequestRow<'static> {
    let text = || Text::from(HOSTILE);
    RequestRow {
        of: text(),
        id: text(),
        who: text(),
        provider: text(),
        role: text(),
        account: text(),
        rule: text(),
        lacks: Some(text()),
        reason: text(),
        length: text(),
        by: Some(text()),
        link: Some(text()),
        ..row("granted", "ok", Some("Give back"))
    }
}

impl Requests<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |waiting, own| Self { shell: shell(true).of(Room::Requests), done: None, waiting, own };
        let lacks = Some("a sign-in with a second factor, at most 15m old".into());
        let demanding = RequestRow { lacks, purpose: Some("for the console"), ..row("waits", "", None) };
        let own = vec![
            row("waits", "", Some("Take back")),
            row("granted", "ok", Some("Give back")),
            row("refused", "refused", None),
            row("taken back", "", None),
        ];
        vec![
            ("requests", Self { done: Some("Your request was made. It waits for somebody to decide.".into()), ..page(None, own.clone()) }),
            ("requests-none", page(None, Vec::new())),
            ("requests-approver", page(Some(vec![row("waits", "", None), demanding]), own)),
            ("requests-approver-none", page(Some(Vec::new()), Vec::new())),
            (
                "requests-hostile",
                Self { shell: hostile_shell(), done: Some(HOSTILE.into()), waiting: Some(vec![hostile_row()]), own: vec![hostile_row()] },
            ),
        ]
    }
}

impl AllRequests<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let offices = Offices { administrator: true, auditor: false };
        let page = |granted, waiting| Self { shell: Shell { offices, ..shell(true) }.of(Room::Gateway), done: None, granted, waiting };
        let granted = || row("granted", "ok", None);
        vec![
            ("all-requests", page(vec![granted(), RequestRow { idle: true, link: None, ..granted() }], vec![row("waits", "", None)])),
            ("all-requests-none", Self { done: Some("The grant was revoked.".into()), ..page(Vec::new(), Vec::new()) }),
            (
                "all-requests-hostile",
                Self { shell: hostile_shell(), done: Some(HOSTILE.into()), granted: vec![hostile_row()], waiting: vec![hostile_row()] },
            ),
        ]
    }
}
