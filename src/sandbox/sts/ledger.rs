//! What the make-believe STS has issued, so that others can hold their own record against it: real STS has CloudTrail for that.

use std::collections::VecDeque;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::Sts;
use super::session::Issued;

/// How many issuances are remembered.
const REMEMBERED: usize = 10_000;

/// The latest issuances, and how many there were in all.
#[derive(Default)]
pub(super) struct Ledger {
    issued: u64,
    lines: VecDeque<Issued>,
}

impl Ledger {
    pub(super) fn note(&mut self, line: Issued) {
        if self.lines.len() >= REMEMBERED {
            self.lines.pop_front();
        }
        self.issued += 1;
        self.lines.push_back(line);
    }

    /// The oldest first.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Issued> {
        self.lines.iter()
    }

    /// The number of the first one that is remembered, from 1.
    fn first(&self) -> u64 {
        self.issued - self.lines.len() as u64 + 1
    }
}

/// Where somebody goes on who has read so many.
#[derive(Deserialize)]
pub(in crate::sandbox) struct After {
    #[serde(default)]
    after: u64,
}

/// `GET /sandbox/ledger`: access key ids by the order in which they were issued, and the number of the first of them. No AWS has this address.
pub(in crate::sandbox) async fn show(sts: web::Data<Sts>, after: web::Query<After>) -> HttpResponse {
    let ledger = sts.lock_ledger();
    let first = ledger.first().max(after.after.saturating_add(1));
    let skipped = usize::try_from(first - ledger.first()).unwrap_or(usize::MAX);
    let ids: Vec<_> = ledger.lines().skip(skipped).map(|line| line.access_key_id.as_str()).collect();
    HttpResponse::Ok().json(json!({ "simulated": true, "issued": ledger.issued, "first": first, "access_key_ids": ids }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_all_are_counted() {
        let mut ledger = Ledger::default();
        assert_eq!((ledger.issued, ledger.first()), (0, 1));
        let line = |n: usize| Issued {
            at: crate::clock::Moment::default(),
            operation: "AssumeRole",
            role: None,
            arn: String::new(),
            session_name: String::new(),
            source_identity: None,
            tags: Vec::new(),
            issuer: String::new(),
            subject: String::new(),
            jti: None,
            access_key_id: n.to_string(),
            expires: crate::clock::Moment::default(),
        };
        (1..=REMEMBERED + 5).for_each(|n| ledger.note(line(n)));
        assert_eq!((ledger.issued, ledger.first()), (REMEMBERED as u64 + 5, 6));
        assert_eq!(ledger.lines().next().map(|line| line.access_key_id.as_str()), Some("6"));
    }
}
