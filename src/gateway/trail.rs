//! Auditors look into the trail. Each look is recorded before its outcome leaves, and reads a bounded number of bytes on a thread of its own.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::rooms::Auditor;
use super::turns::aside;
use super::{Failure, Gateway, Trouble};
use crate::audit::{self, Event, ExportFormat, Found, Kind, Looked, Outcome, Place, Query, Reach, Step, Tally, Verdict};
use crate::request_id::RequestId;
use crate::store::Session;

/// How many bytes one search reads.
const SEARCHED: u64 = 32 * 1024 * 1024;
/// How many bytes of the chain are followed around one event, half of them before it.
const FOLLOWED: u64 = 32 * 1024 * 1024;
/// How many bytes one chart reads.
const CHARTED: u64 = 128 * 1024 * 1024;
/// How many events a page of a search has.
const PAGE: usize = 50;
/// How much of an export is handed on at a time, in bytes.
const PIECE: usize = 64 * 1024;
/// How many such pieces wait for a slow reader.
const WAITING: usize = 4;
/// How long a reader may take none of them before the export is broken off: its place is others' too.
const STALLED: Duration = Duration::from_mins(1);

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
    /// What the chain around it is like, as far as it was followed; none if its file was taken away meanwhile.
    pub chain: Option<Verdict>,
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
        self.read_trail(auditor.session, move |path, is_wanted| {
            let mut found = Vec::new();
            let looked = audit::look(path, from, &query, Reach { bytes: SEARCHED, is_wanted }, |event| {
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
        self.read_trail(auditor.session, move |path, is_wanted| {
            let at_place = place.map(|place| audit::event_at(path, place, Reach { bytes: SEARCHED, is_wanted })).transpose()?.flatten();
            let mut found = at_place.filter(|found| found.text("incident") == incident);
            if found.is_none() {
                let query = Query { id: Some(incident.clone()), ..Query::default() };
                audit::look(path, None, &query, Reach { bytes: SEARCHED, is_wanted }, |event| {
                    // The id may be another event's session name.
                    if event.text("incident") != incident {
                        return ControlFlow::Continue(());
                    }
                    found = Some(event);
                    ControlFlow::Break(())
                })?;
            }
            let Some(found) = found else { return Ok(None) };
            let signed_in = if found.text("kind") == "sign_in" { None } else { sign_in_before(path, &found, is_wanted)? };
            let chain = audit::verify_around(path, found.place, (FOLLOWED / 2, FOLLOWED), is_wanted)?;
            Ok(Some(OneEvent { found, signed_in, chain }))
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
        self.read_trail(auditor.session, move |path, is_wanted| {
            let mut tally = Tally::default();
            let looked = audit::look(path, None, &query, Reach { bytes: CHARTED, is_wanted }, |event| {
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
    /// [`Trouble::Busy`], [`Trouble::Audit`].
    pub async fn export_trail(&self, auditor: Auditor<'_>, query: Query, format: ExportFormat) -> Result<Export, Failure> {
        let turn = self.rooms.exports.take_now(&auditor.session.identity.person());
        let turn = turn.map_err(|engaged| Failure::logged(Trouble::Busy(engaged), &"all exports that there may be at a time go on"))?;
        self.note_look(auditor, &format!("an export ({}) of {}", format.extension(), query.in_words())).await?;
        let (pieces, taken) = mpsc::channel(WAITING);
        let path = self.audit.path().to_owned();
        tokio::task::spawn_blocking(RequestId::aside(move || {
            let read = read_out(&path, &query, format, &pieces, STALLED);
            // Whoever has got the last piece may ask for the next export.
            drop(turn);
            let last = match read {
                Ok(piece) => Piece::Last(piece),
                Err(error) => {
                    tracing::warn!(reason = %error, "an export of the audit trail broke off");
                    Piece::Broken(error)
                }
            };
            // Whoever has gone away need not be told.
            drop(pieces.blocking_send(last));
        }));
        Ok(Export { pieces: taken, is_over: false })
    }

    async fn note_look(&self, auditor: Auditor<'_>, what: &str) -> Result<(), Failure> {
        let event: Event = self.event(Kind::AuditRead, Outcome::Ok, auditor.caller).about(&auditor.session.identity).looking_for(what);
        self.record(&event).await
    }

    /// Reads the trail's file on a thread that may wait for a disk, when it is the person's turn. What reads is told whether somebody waits for it.
    pub(super) async fn read_trail<T: Send + 'static>(
        &self,
        session: &Session,
        read: impl FnOnce(&Path, &dyn Fn() -> bool) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = self.rooms.looks.take(&session.identity.person()).await;
        let path = self.audit.path().to_owned();
        let read = aside(turn, move |is_wanted| read(&path, is_wanted)).await;
        let read = read.map_err(|error| Failure::logged(Trouble::Broken, &error))?;
        read.map_err(|error| {
            let trouble = if error.kind() == io::ErrorKind::NotFound { Trouble::TrailMoved } else { Trouble::TrailUnreadable };
            Failure::logged(trouble, &error)
        })
    }
}

/// An export on its way from the thread that reads.
pub struct Export {
    pieces: mpsc::Receiver<Piece>,
    is_over: bool,
}

/// The end is said: a thread that is gone without it has not read all.
enum Piece {
    More(Vec<u8>),
    Last(Vec<u8>),
    Broken(io::Error),
}

impl Export {
    /// The next piece; none behind the last. An error says that what came is not all.
    pub fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Vec<u8>>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let piece = ready!(self.pieces.poll_recv(context));
        self.is_over = !matches!(piece, Some(Piece::More(_)));
        Poll::Ready(match piece {
            Some(Piece::More(piece)) => Some(Ok(piece)),
            Some(Piece::Last(piece)) => Some(Ok(piece)).filter(|piece| piece.as_ref().is_ok_and(|piece| !piece.is_empty())),
            Some(Piece::Broken(error)) => Some(Err(error)),
            None => Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "what read the trail is gone before its end"))),
        })
    }
}

/// Reads all that is looked for and hands it on in pieces, but for the last. Whoever takes none for so long is not waited for.
fn read_out(path: &Path, query: &Query, format: ExportFormat, pieces: &mpsc::Sender<Piece>, patience: Duration) -> io::Result<Vec<u8>> {
    let mut piece = format.head().into_bytes();
    let mut stopped = None;
    let is_wanted = || !pieces.is_closed();
    audit::look(path, None, query, Reach { bytes: u64::MAX, is_wanted: &is_wanted }, |event| {
        piece.extend_from_slice(format.line(&event).as_bytes());
        if piece.len() >= PIECE {
            let full = Piece::More(std::mem::take(&mut piece));
            stopped = match Handle::current().block_on(async { timeout(patience, pieces.send(full)).await }) {
                Ok(Ok(())) => None,
                Ok(Err(_)) => Some(io::Error::new(io::ErrorKind::Interrupted, "its reader has gone")),
                Err(_) => Some(io::Error::new(io::ErrorKind::TimedOut, "its reader takes nothing")),
            };
        }
        if stopped.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    stopped.map_or(Ok(piece), Err)
}

/// The last sign-in of the event's person before it: what the rules went by. A command line's is by one that has a line of its own.
fn sign_in_before(path: &Path, found: &Found, is_wanted: &dyn Fn() -> bool) -> io::Result<Option<Found>> {
    let person = found.person();
    if person.is_empty() {
        return Ok(None);
    }
    let query = Query { person: Some(person), kind: Some("sign_in".into()), outcome: Some("ok".into()), ..Query::default() };
    let mut signed_in = None;
    audit::look(path, Some(found.place), &query, Reach { bytes: SEARCHED, is_wanted }, |event| {
        if event.event.contains_key("command_line") {
            return ControlFlow::Continue(());
        }
        signed_in = Some(event);
        ControlFlow::Break(())
    })?;
    Ok(signed_in)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn export() -> (mpsc::Sender<Piece>, Export) {
        let (pieces, taken) = mpsc::channel(WAITING);
        (pieces, Export { pieces: taken, is_over: false })
    }

    #[tokio::test]
    async fn w20_an_export_whose_reader_died_is_not_taken_for_a_whole_one() {
        let (pieces, mut export) = export();
        pieces.send(Piece::More(b"head".to_vec())).await.unwrap();
        drop(pieces);
        assert_eq!(poll_fn(|context| export.poll_piece(context)).await.unwrap().unwrap(), b"head");
        let broken = poll_fn(|context| export.poll_piece(context)).await.unwrap().unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::UnexpectedEof);
        assert!(poll_fn(|context| export.poll_piece(context)).await.is_none());
    }

    #[tokio::test]
    async fn an_export_ends_where_its_end_is_said() {
        for last in [b"".as_slice(), b"end"] {
            let (pieces, mut export) = export();
            pieces.send(Piece::Last(last.to_vec())).await.unwrap();
            let piece = poll_fn(|context| export.poll_piece(context)).await;
            assert_eq!(piece.map(Result::unwrap).unwrap_or_default(), last);
            assert!(poll_fn(|context| export.poll_piece(context)).await.is_none());
        }
    }

    #[tokio::test]
    async fn w20_an_export_that_nobody_reads_any_more_stops_although_nothing_is_found() {
        let trail = tempfile::NamedTempFile::new().unwrap();
        let line = r#"{"time":"2026-01-14T12:00:00Z","incident":"i","kind":"issue","outcome":"ok"}"#;
        std::fs::write(trail.path(), format!("{line}\n").repeat(20_000)).unwrap();
        let query = Query { kind: Some("nothing".into()), ..Query::default() };
        let (pieces, export) = export();
        let read = |pieces: &mpsc::Sender<Piece>| read_out(trail.path(), &query, ExportFormat::JsonLines, pieces, STALLED);
        assert_eq!(read(&pieces).unwrap(), b"");
        drop(export);
        assert_eq!(read(&pieces).unwrap_err().kind(), io::ErrorKind::Interrupted);
    }

    #[tokio::test]
    async fn w20_an_export_whose_reader_takes_nothing_gives_its_place_up() {
        let trail = tempfile::NamedTempFile::new().unwrap();
        let line = r#"{"time":"2026-01-14T12:00:00Z","incident":"i","kind":"issue","outcome":"ok"}"#;
        std::fs::write(trail.path(), format!("{line}\n").repeat(6 * PIECE / line.len())).unwrap();
        let (pieces, mut export) = export();
        let path = trail.path().to_owned();
        let read = move || read_out(&path, &Query::default(), ExportFormat::JsonLines, &pieces, Duration::from_millis(50));
        let stopped = tokio::task::spawn_blocking(read).await.unwrap().unwrap_err();
        assert_eq!(stopped.kind(), io::ErrorKind::TimedOut);
        for _ in 0..WAITING {
            assert!(poll_fn(|context| export.poll_piece(context)).await.unwrap().unwrap().len() >= PIECE);
        }
        assert!(poll_fn(|context| export.poll_piece(context)).await.unwrap().is_err(), "it is not all");
    }
}
