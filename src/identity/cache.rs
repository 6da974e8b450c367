//! A document of a provider, kept, renewed by one request at a time, and used past its time while the provider is down.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;

use crate::clock::Moment;

/// How long a document serves, and how often it may be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Younger than this it is used without a question, if it says nothing of its own.
    pub(super) fresh: TimeDelta,
    /// Up to this age it is used when it cannot be renewed.
    pub(super) keep: TimeDelta,
    /// After an attempt that failed, none is made for this long.
    pub(super) after_failure: TimeDelta,
    /// Between two renewals that tokens asked for (an unknown key id), at least this long passes.
    pub(super) between_renewals: TimeDelta,
}

/// The pace for OpenID Connect's documents: an hour fresh, a day kept.
pub(super) const PACE: Pace = Pace {
    fresh: TimeDelta::hours(1),
    keep: TimeDelta::hours(24),
    after_failure: TimeDelta::seconds(5),
    between_renewals: TimeDelta::seconds(30),
};

/// The document and the right to renew it.
#[derive(Debug)]
pub(super) struct Cache<T> {
    pace: Pace,
    /// How long a document itself wants to be used without a question, at a moment.
    own_span: fn(&T, Moment) -> Option<TimeDelta>,
    held: Mutex<Option<Held<T>>>,
    renewing: tokio::sync::Mutex<Attempt>,
}

#[derive(Debug)]
struct Held<T> {
    document: Arc<T>,
    fetched: Moment,
    fresh: TimeDelta,
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self { document: Arc::clone(&self.document), fetched: self.fetched, fresh: self.fresh }
    }
}

/// The last attempt to fetch. It is written down before the request, so that a caller who goes away does not give the next one a free try.
#[derive(Debug, Default)]
struct Attempt {
    at: Option<Moment>,
    failure: Option<String>,
    /// The last one that a token asked for. Counted apart: a key that is new since the hourly fetch must not wait.
    demanded: Option<Moment>,
}

impl Attempt {
    fn failed_within(&self, span: TimeDelta, now: Moment) -> bool {
        self.failure.is_some() && within(self.at, span, now)
    }
}

fn within(moment: Option<Moment>, span: TimeDelta, now: Moment) -> bool {
    moment.is_some_and(|moment| (now - moment).abs() < span)
}

impl<T> Cache<T> {
    pub(super) fn new(pace: Pace) -> Self {
        Self::with_own_spans(pace, |_, _| None)
    }

    /// A cache of documents that may say how long they are good.
    pub(super) fn with_own_spans(pace: Pace, own_span: fn(&T, Moment) -> Option<TimeDelta>) -> Self {
        Self { pace, own_span, held: Mutex::new(None), renewing: tokio::sync::Mutex::default() }
    }

    /// The document as it is held, however old.
    pub(super) fn peek(&self) -> Option<Arc<T>> {
        self.held().map(|held| held.document)
    }

    /// When the document was fetched that is held.
    pub(super) fn fetched(&self) -> Option<Moment> {
        self.held().map(|held| held.fetched)
    }

    /// The document, fetched if there is none that is young enough.
    ///
    /// # Errors
    /// The last attempt's failure, when there is no document that may still be used.
    pub(super) async fn get(&self, now: Moment, fetch: impl Future<Output = Result<T, String>>) -> Result<Arc<T>, String> {
        if let Some(document) = self.fresh(now) {
            return Ok(document);
        }
        let old = self.younger_than(self.pace.keep, now);
        let mut attempt = match (self.renewing.try_lock(), old) {
            (Ok(attempt), _) => attempt,
            // Somebody is at it: an old document serves meanwhile.
            (Err(_), Some(old)) => return Ok(old),
            (Err(_), None) => self.renewing.lock().await,
        };
        if let Some(document) = self.fresh(now) {
            return Ok(document);
        }
        if !attempt.failed_within(self.pace.after_failure, now) {
            self.fetch(&mut attempt, now, fetch).await;
        }
        let failure = attempt.failure.clone().unwrap_or_default();
        self.younger_than(self.pace.keep, now).ok_or(failure)
    }

    /// A newer document than the one seen, for a caller whom that one did not serve: fetched at most once per pause, by one at a time.
    /// None when there is nothing newer to be had now.
    pub(super) async fn newer(&self, seen: &Arc<T>, now: Moment, fetch: impl Future<Output = Result<T, String>>) -> Option<Arc<T>> {
        let mut attempt = self.renewing.lock().await;
        let newest = self.peek().is_some_and(|held| Arc::ptr_eq(&held, seen));
        let too_soon = within(attempt.demanded, self.pace.between_renewals, now) || attempt.failed_within(self.pace.after_failure, now);
        if newest && !too_soon {
            attempt.demanded = Some(now);
            self.fetch(&mut attempt, now, fetch).await;
        }
        self.peek().filter(|held| !Arc::ptr_eq(held, seen))
    }

    async fn fetch(&self, attempt: &mut Attempt, now: Moment, fetch: impl Future<Output = Result<T, String>>) {
        attempt.at = Some(now);
        attempt.failure = Some("the last request was broken off".into());
        match fetch.await {
            Ok(document) => {
                attempt.failure = None;
                let fresh = (self.own_span)(&document, now).unwrap_or(self.pace.fresh);
                let held = Held { document: Arc::new(document), fetched: now, fresh };
                *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
            }
            Err(failure) => attempt.failure = Some(failure),
        }
    }

    fn held(&self) -> Option<Held<T>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fresh(&self, now: Moment) -> Option<Arc<T>> {
        self.held().filter(|held| now - held.fetched < held.fresh).map(|held| held.document)
    }

    fn younger_than(&self, age: TimeDelta, now: Moment) -> Option<Arc<T>> {
        self.held().filter(|held| now - held.fetched < age).map(|held| held.document)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use chrono::DateTime;

    use super::*;

    fn at(seconds: i64) -> Moment {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    async fn ok(count: &AtomicUsize) -> Result<usize, String> {
        tokio::task::yield_now().await;
        Ok(count.fetch_add(1, Ordering::SeqCst))
    }

    async fn down(count: &AtomicUsize) -> Result<usize, String> {
        tokio::task::yield_now().await;
        count.fetch_add(1, Ordering::SeqCst);
        Err("down".into())
    }

    #[tokio::test]
    async fn a_fresh_document_is_not_asked_for_again_and_an_old_one_is() {
        let (cache, count) = (Cache::new(PACE), AtomicUsize::new(0));
        assert_eq!(cache.get(at(0), ok(&count)).await.as_deref(), Ok(&0));
        assert_eq!(cache.get(at(3599), ok(&count)).await.as_deref(), Ok(&0));
        assert_eq!(cache.get(at(3600), ok(&count)).await.as_deref(), Ok(&1));
    }

    #[tokio::test]
    async fn an_old_document_serves_for_a_day_while_the_provider_is_down() {
        let (cache, count) = (Cache::new(PACE), AtomicUsize::new(0));
        cache.get(at(0), ok(&count)).await.unwrap();
        assert_eq!(cache.get(at(86_399), down(&count)).await.as_deref(), Ok(&0));
        assert_eq!(cache.get(at(86_405), down(&count)).await, Err("down".into()));
    }

    #[tokio::test]
    async fn a_failure_is_remembered_for_a_moment() {
        let (cache, count) = (Cache::<usize>::new(PACE), AtomicUsize::new(0));
        for second in [0, 1, 4] {
            assert_eq!(cache.get(at(second), down(&count)).await, Err("down".into()));
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert_eq!(cache.get(at(5), ok(&count)).await.as_deref(), Ok(&1));
    }

    #[tokio::test]
    async fn a_request_that_is_broken_off_leaves_no_free_try() {
        let (cache, count) = (Cache::<usize>::new(PACE), AtomicUsize::new(0));
        let never = std::future::pending::<Result<usize, String>>();
        tokio::select! { biased; _ = cache.get(at(0), never) => unreachable!(), () = tokio::task::yield_now() => () }
        assert!(cache.get(at(1), ok(&count)).await.unwrap_err().contains("broken off"));
        assert_eq!(cache.get(at(6), ok(&count)).await.as_deref(), Ok(&0));
    }

    #[tokio::test]
    async fn a_renewal_on_demand_keeps_its_distance() {
        let (cache, count) = (Cache::new(PACE), AtomicUsize::new(0));
        let first = cache.get(at(0), ok(&count)).await.unwrap();
        let second = cache.newer(&first, at(1), ok(&count)).await.unwrap();
        assert_eq!(*second, 1);
        assert_eq!(cache.newer(&first, at(2), ok(&count)).await.as_deref(), Some(&1), "somebody else fetched it meanwhile");
        assert!(cache.newer(&second, at(30), ok(&count)).await.is_none());
        assert_eq!(count.load(Ordering::SeqCst), 2);
        assert_eq!(cache.newer(&second, at(31), ok(&count)).await.as_deref(), Some(&2));
    }
}
