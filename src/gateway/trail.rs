//! Auditors look into the trail. Each look is recorded before its outcome leaves, and reads a bounded number of bytes on a thread of its own.

use std::io;
use std::ops::ControlFlow;

use tokio::sync::mpsc;

use super::rooms::Auditor;
use super::{Failure, Gateway, Trouble};
use crate::audit::{self, Event, ExportFormat, Found, Kind, Looked, Outcome, Place, Query, Step, Tally};

/// How many bytes one search reads.
const SEARCHED: u64 = 32 * 1024 * 1024;
/// How many bytes one chart reads.
const CHARTED: u64 = 128 * 1024 * 1024;
/// How many events a page of a search has.
const PAGE: usize = 50;
/// How much of an export is handed on at a time, in bytes.
const PIECE: usize = 64 * 1024;
/// How many such pieces wait for a slow reader.
const WAITING: usize = 4;

/// What a search found.
#[derive(Debug)]
pub struct Search {
    /// The events, the newest first.
    pub found: Vec<Found>,
    /// How far was looked.
    pub looked: Looked,
}

/// One event, and what led to it.
#[derive(Debug)]
pub struct OneEvent {
    /// The event.
    pub found: Found,
    /// The last sign-in of its person before it, if it is not one itself and was found near enough.
    pub signed_in: Option<Found>,
}

/// A chart's numbers.
#[derive(Debug)]
pub struct Counted {
    /// The numbers.
    pub tally: Tally,
    /// How far was looked.
    pub looked: Looked,
}

impl Gateway {
    /// One page of the events that are looked for, the newest first, from a place on.
    ///
    /// # Errors
    /// [`Trouble::Audit`], [`Trouble::TrailUnreadable`]; [`Trouble::TrailMoved`] if the file of the place is gone.
    pub async fn search_trail(&self, auditor: Auditor<'_>, query: Query, from: Option<Place>) -> Result<Search, Failure> {
        self.note_look(auditor, &query.in_words()).await?;
        self.read_trail(move |path| {
            let mut found = Vec::new();
            let looked = audit::look(path, from, &query, SEARCHED, |event| {
                found.push(event);
                if found.len() == PAGE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            Ok(Search { found, looked })
        })
        .await
    }

    /// One event by its incident: at a place, or as far as a search looks. Of several with one incident, the newest.
    ///
    /// # Errors
    /// As [`Self::search_trail`].
    pub async fn event_of_trail(&self, auditor: Auditor<'_>, incident: String, place: Option<Place>) -> Result<Option<OneEvent>, Failure> {
        self.note_look(auditor, &format!("the event {incident}")).await?;
        self.read_trail(move |path| {
            let at_place = place.map(|place| audit::event_at(path, place)).transpose()?.flatten();
            let mut found = at_place.filter(|found| found.text("incident") == incident);
            if found.is_none() {
                let query = Query { id: Some(incident.clone()), ..Query::default() };
                audit::look(path, None, &query, SEARCHED, |event| {
                    // The id may be another event's session name.
                    if event.text("incident") != incident {
                        return ControlFlow::Continue(());
                    }
                    found = Some(event);
                    ControlFlow::Break(())
                })?;
            }
            let Some(found) = found else { return Ok(None) };
            let signed_in = if found.text("kind") == "sign_in" { None } else { sign_in_before(path, &found)? };
            Ok(Some(OneEvent { found, signed_in }))
        })
        .await
    }

    /// Counts issuances for a chart.
    ///
    /// # Errors
    /// As [`Self::search_trail`].
    pub async fn count_trail(&self, auditor: Auditor<'_>, query: Query, step: Step) -> Result<Counted, Failure> {
        let query = Query { kind: Some("issue".to_owned()), ..query };
        self.note_look(auditor, &format!("numbers of {}", query.in_words())).await?;
        self.read_trail(move |path| {
            let mut tally = Tally::default();
            let looked = audit::look(path, None, &query, CHARTED, |event| {
                tally.add(step, &event);
                ControlFlow::Continue(())
            })?;
            Ok(Counted { tally, looked })
        })
        .await
    }

    /// Everything that is looked for, piece by piece, as it is read: an error at its end says that it is not all. Nothing is read ahead of who
    /// takes the pieces.
    ///
    /// # Errors
    /// [`Trouble::Audit`].
    pub async fn export_trail(
        &self,
        auditor: Auditor<'_>,
        query: Query,
        format: ExportFormat,
    ) -> Result<mpsc::Receiver<io::Result<Vec<u8>>>, Failure> {
        self.note_look(auditor, &format!("an export ({}) of {}", format.extension(), query.in_words())).await?;
        let (pieces, taken) = mpsc::channel(WAITING);
        let (turn, path) = (self.rooms.turn_to_export().await, self.audit.path().to_owned());
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut piece = format.head().into_bytes();
            let mut gone = false;
            let looked = audit::look(&path, None, &query, u64::MAX, |event| {
                piece.extend_from_slice(format.line(&event).as_bytes());
                if piece.len() >= PIECE {
                    gone = pieces.blocking_send(Ok(std::mem::take(&mut piece))).is_err();
                }
                if gone { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            // Whoever has gone away need not be told.
            drop(match looked {
                Ok(_) => pieces.blocking_send(Ok(piece)),
                Err(error) => {
                    tracing::error!(reason = %error, "an export of the audit trail broke off");
                    pieces.blocking_send(Err(error))
                }
            });
        });
        Ok(taken)
    }

    async fn note_look(&self, auditor: Auditor<'_>, what: &str) -> Result<(), Failure> {
        let event: Event = self.event(Kind::AuditRead, Outcome::Ok, auditor.caller).about(&auditor.session.identity).looking_for(what);
        self.record(&event).await
    }

    /// Reads the trail's file on a thread that may wait for a disk, when it is its turn.
    pub(super) async fn read_trail<T: Send + 'static>(
        &self,
        read: impl FnOnce(&std::path::Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let (turn, path) = (self.rooms.turn_to_look().await, self.audit.path().to_owned());
        let reading = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            read(&path)
        });
        let read = reading.await.map_err(|error| Failure::logged(Trouble::TrailUnreadable, &error))?;
        read.map_err(|error| {
            let trouble = if error.kind() == io::ErrorKind::NotFound { Trouble::TrailMoved } else { Trouble::TrailUnreadable };
            Failure::logged(trouble, &error)
        })
    }
}

/// The last sign-in of the event's person before it: what the rules went by. A command line's is by one that has a line of its own.
fn sign_in_before(path: &std::path::Path, found: &Found) -> io::Result<Option<Found>> {
    let person = found.person();
    if person.is_empty() {
        return Ok(None);
    }
    let query = Query { person: Some(person), kind: Some("sign_in".into()), outcome: Some("ok".into()), ..Query::default() };
    let mut signed_in = None;
    audit::look(path, Some(found.place), &query, SEARCHED, |event| {
        if event.event.contains_key("command_line") {
            return ControlFlow::Continue(());
        }
        signed_in = Some(event);
        ControlFlow::Break(())
    })?;
    Ok(signed_in)
}
