//! Long messages are verified aside, so that nobody else waits for them.
//!
//! An honest message takes about 60 us for each KiB, one that is made to be slow 2 ms (release build, one core): a forged one of 256 KiB
//! would hold up everybody whom its thread serves for some tenths of a second, and the limit for each address lets twenty in a second
//! through. The way to another thread and back costs 10 to 20 us. An ordinary response does without it, so that it stays as
//! quick as it is; beside the rest of a long one it does not count. So the length decides. At most half of the cores verify aside: what
//! is left serves short messages and pages, however many long ones wait.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use crate::identity::Rejected;
use crate::request_id::RequestId;

/// Messages up to this length, in bytes, are verified at once: a response with two hundred groups has 13 KiB.
const SHORT: usize = 16 * 1024;

/// The places for long messages, in this process.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new((available_parallelism().map_or(1, usize::from) / 2).max(1)));

/// Does the work on a message of this length, here or aside. Who waits for a place waits in line, and no longer than the request may take.
///
/// # Errors
/// [`Rejected::Unavailable`] when the process is about to end.
pub(super) async fn by_length<T: Send + 'static>(length: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Rejected> {
    if length <= SHORT {
        return Ok(work());
    }
    let ending = || Rejected::Unavailable("the verification was broken off".into());
    let place = PLACES.acquire().await.map_err(|_| ending())?;
    // The place is taken until the work is done, even if nobody waits for it any more.
    let work = move || {
        let _place = place;
        work()
    };
    tokio::task::spawn_blocking(RequestId::aside(work)).await.map_err(|_| ending())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::{current, sleep};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_short_message_stays_on_its_thread_and_a_long_one_does_not() {
        let here = current().id();
        assert_eq!(by_length(SHORT, || current().id()).await.unwrap(), here);
        assert_ne!(by_length(SHORT + 1, || current().id()).await.unwrap(), here);
    }

    #[tokio::test]
    async fn w09_long_messages_never_take_more_than_half_of_the_cores() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let works: Vec<_> = (0..20)
            .map(|_| {
                let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                let work = move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    sleep(Duration::from_millis(10));
                    now.fetch_sub(1, Ordering::SeqCst);
                };
                tokio::spawn(by_length(SHORT + 1, work))
            })
            .collect();
        // Who gives up waiting leaves a place taken for as long as the work goes on.
        works.iter().step_by(2).for_each(tokio::task::JoinHandle::abort);
        for work in works {
            assert!(work.await.is_err_and(|error| error.is_cancelled()) || most.load(Ordering::SeqCst) > 0);
        }
        let allowed = (available_parallelism().unwrap().get() / 2).max(1);
        assert!((1..=allowed).contains(&most.load(Ordering::SeqCst)), "{most:?} of {allowed}");
    }
}
