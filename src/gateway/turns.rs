//! Whose turn it is to do what takes long: so many people at a time, and each person one thing at a time.
//!
//! Who asks for twelve charts at once waits for their own, and takes no more places from others than who asks for one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use crate::request_id::RequestId;

type Lines = Arc<Mutex<HashMap<String, Arc<Semaphore>>>>;

/// Places for something that takes long.
pub(super) struct Turns {
    places: Arc<Semaphore>,
    lines: Lines,
}

/// A place, until it is dropped. The fields are dropped in their order: the line is looked at when nothing else holds on to it.
pub(super) struct Turn {
    _place: Option<OwnedSemaphorePermit>,
    _own: Option<OwnedSemaphorePermit>,
    _line: Line,
}

/// One person's line, in which they wait behind themselves.
struct Line {
    person: String,
    own: Arc<Semaphore>,
    lines: Lines,
}

/// Why there is no turn just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engaged {
    /// The person has one already.
    Yourself,
    /// Others have all that there are.
    Others,
}

impl Turns {
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), lines: Lines::default() }
    }

    /// Waits until the person's own things are done, then for a place. Who stops waiting has left the line.
    pub(super) async fn take(&self, person: &str) -> Turn {
        let line = self.line(person);
        // The semaphores are never closed.
        let own = Arc::clone(&line.own).acquire_owned().await.ok();
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        Turn { _place: place, _own: own, _line: line }
    }

    /// A turn at once, for what may last as long as somebody likes.
    pub(super) fn take_now(&self, person: &str) -> Result<Turn, Engaged> {
        let line = self.line(person);
        let own = Arc::clone(&line.own).try_acquire_owned().map_err(|_| Engaged::Yourself)?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Engaged::Others)?;
        Ok(Turn { _place: Some(place), _own: Some(own), _line: line })
    }

    fn line(&self, person: &str) -> Line {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let own = lines.entry(person.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(1)));
        Line { person: person.to_owned(), own: Arc::clone(own), lines: Arc::clone(&self.lines) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and ours. Who comes into the line does so under the lock.
        if Arc::strong_count(&self.own) <= 2 {
            lines.remove(&self.person);
        }
    }
}

/// Tells a thread that nobody waits for it any more, when it is dropped.
struct Waits(Arc<AtomicBool>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Does something on a thread that may wait for a disk or take its time, while it has its turn. It is told whether somebody still waits for it.
///
/// # Errors
/// It panicked, or the runtime ends.
pub(super) async fn aside<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
) -> Result<T, JoinError> {
    let is_wanted = Arc::new(AtomicBool::new(true));
    let waits = Waits(Arc::clone(&is_wanted));
    let done = tokio::task::spawn_blocking(RequestId::aside(move || {
        let _turn = turn;
        work(&|| is_wanted.load(Ordering::Relaxed))
    }))
    .await;
    drop(waits);
    done
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn comes(turns: &Turns, person: &str) -> Option<Turn> {
        tokio::time::timeout(Duration::from_millis(50), turns.take(person)).await.ok()
    }

    #[tokio::test]
    async fn w20_who_asks_often_takes_one_place_and_others_come_in_between() {
        let turns = Turns::new(2);
        let first = comes(&turns, "ana").await.unwrap();
        assert!(comes(&turns, "ana").await.is_none(), "each has one thing at a time");
        let others = comes(&turns, "ben").await.unwrap();
        assert!(comes(&turns, "cory").await.is_none(), "there are two places");
        assert_eq!(turns.take_now("ana").err(), Some(Engaged::Yourself));
        assert_eq!(turns.take_now("cory").err(), Some(Engaged::Others));
        drop(others);
        let others = turns.take_now("cory").unwrap();
        drop(first);
        drop(comes(&turns, "ana").await.unwrap());
        drop(others);
        assert!(turns.lines.lock().unwrap().is_empty(), "who has gone is forgotten");
    }

    #[tokio::test]
    async fn w20_work_is_told_when_nobody_waits_for_it() {
        let turns = Turns::new(1);
        let (told, tells) = std::sync::mpsc::channel();
        let work = move |is_wanted: &dyn Fn() -> bool| {
            while is_wanted() {
                std::thread::sleep(Duration::from_millis(1));
            }
            told.send(()).unwrap();
        };
        let waiting = tokio::time::timeout(Duration::from_millis(20), aside(turns.take("ana").await, work));
        assert!(waiting.await.is_err());
        tokio::task::spawn_blocking(move || tells.recv_timeout(Duration::from_secs(5)).unwrap()).await.unwrap();
        comes(&turns, "ben").await.unwrap();
    }
}
