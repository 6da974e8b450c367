//! The id of a request: it stands in every line of the log that is written while the request is answered, and in the answer's `X-Request-Id`.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

tokio::task_local! {
    static CURRENT: RequestId;
}

/// An id that no other request of this process has, and hardly one of another process. It tells nothing and opens nothing: anybody may guess it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId {
    process: u32,
    number: u32,
}

impl RequestId {
    /// The next request's.
    #[must_use]
    pub fn next() -> Self {
        static PROCESS: LazyLock<u32> = LazyLock::new(|| {
            let mut random = [0; 4];
            // Two processes that are called alike have two lines where there should be one: no reason to fail.
            let _ = aws_lc_rs::rand::fill(&mut random);
            u32::from_ne_bytes(random)
        });
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        Self { process: *PROCESS, number: NUMBER.fetch_add(1, Ordering::Relaxed) }
    }

    /// The request's that is being answered here, if one is.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|id| *id).ok()
    }

    /// Does what belongs to the request.
    pub async fn within<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Does work that another task takes over for the request that is being answered here.
    pub async fn carried<F: Future>(of: Option<Self>, work: F) -> F::Output {
        match of {
            Some(id) => id.within(work).await,
            None => work.await,
        }
    }

    /// Work that another thread takes over for the request that is being answered here.
    pub fn aside<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
        let of = Self::current();
        move || match of {
            Some(id) => CURRENT.sync_scope(id, work),
            None => work(),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}{:08x}", self.process, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_has_its_own_id_wherever_it_is_answered() {
        let (one, other) = (RequestId::next(), RequestId::next());
        assert_ne!(one, other);
        assert_eq!(one.to_string().len(), 16);
        assert_eq!(RequestId::current(), None);
        let seen = one.within(async { (RequestId::current(), other.within(async { RequestId::current() }).await) }).await;
        assert_eq!(seen, (Some(one), Some(other)));
        // Another task knows of none, unless it is told.
        let told = one.within(async { tokio::spawn(RequestId::carried(RequestId::current(), async { RequestId::current() })).await });
        let untold = one.within(async { tokio::spawn(async { RequestId::current() }).await });
        assert_eq!((told.await.unwrap(), untold.await.unwrap()), (Some(one), None));
        let aside = one.within(async { tokio::task::spawn_blocking(RequestId::aside(RequestId::current)).await });
        assert_eq!(aside.await.unwrap(), Some(one));
    }
}
