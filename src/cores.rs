//! Work on all cores, for what is large: files of a hundred thousand rules, and as many people.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

/// How many pieces of work can go on at a time.
#[must_use]
pub fn count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// What `work` makes of each item, in the items' order. Who is done with one takes the next, so items may differ in size.
///
/// The calling thread works too: where no other can be had, it does everything.
///
/// # Panics
/// If `work` does.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(item)));
        }
    };
    let mut done = thread::scope(|scope| {
        let others = (1..count().min(items.len())).filter_map(|_| Builder::new().spawn_scoped(scope, take).ok());
        let others: Vec<_> = others.collect();
        let mut done = take();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items_and_each_once() {
        for length in [0, 1, 2, 3, 1000] {
            let items: Vec<usize> = (0..length).collect();
            let doubled = map(&items, |item| {
                if item % 7 == 0 {
                    thread::yield_now();
                }
                item * 2
            });
            assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    #[should_panic(expected = "seven")]
    fn a_panic_is_passed_on() {
        map(&[1, 7, 9, 11], |item| assert!(*item < 7, "seven"));
    }
}
