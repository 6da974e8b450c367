//! Work that goes on whatever becomes of the thread that asks for it.
//!
//! When the gateway stops, each worker of the server ends once it has nothing left to do, and its runtime with it. A connection outwards that
//! was opened there would end under the hands of the other workers, who share the clients. So what opens connections runs on the runtime that
//! lives as long as the process.

use std::panic::resume_unwind;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tracing::instrument::WithSubscriber;

use crate::request_id::RequestId;

/// A runtime that lasts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lasting(Option<Handle>);

impl Lasting {
    /// The runtime that is running now: to be asked for at the start, before there are workers. Where none is running, work is done where it is
    /// asked for.
    #[must_use]
    pub fn here() -> Self {
        Self(Handle::try_current().ok())
    }

    /// Does the work there, with the subscriber of who asks (it may be one that hears nothing, where secrets would be told) and for the same request. Who does
    /// not wait any more stops it.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let Some(runtime) = &self.0 else { return work.await };
        // A set of one, because it takes its work with it when it is dropped.
        let mut task = JoinSet::new();
        task.spawn_on(RequestId::carried(RequestId::current(), work).with_current_subscriber(), runtime);
        match task.join_next().await {
            Some(Ok(done)) => done,
            Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            // The process is at its end. Whoever asked has a time limit of their own.
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    /// What a worker of the server does before it ends.
    fn in_a_worker(work: impl Future<Output = ()> + Send + 'static) {
        let worker = std::thread::spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work));
        worker.join().unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_begun_for_a_worker_outlives_it() {
        let lasting = Lasting::here();
        let (answer, answered) = oneshot::channel();
        in_a_worker(async move {
            lasting
                .run(async {
                    tokio::spawn(async {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        answer.send(()).unwrap();
                    });
                })
                .await;
        });
        answered.await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_no_more_stops_the_work() {
        struct Dropped(Arc<AtomicBool>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
            }
        }
        let stopped = Arc::new(AtomicBool::new(false));
        let work = Dropped(Arc::clone(&stopped));
        let never = async move {
            let _work = work;
            std::future::pending::<()>().await;
        };
        assert!(tokio::time::timeout(Duration::from_millis(20), Lasting::here().run(never)).await.is_err());
        while !stopped.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn without_a_runtime_it_is_done_on_the_spot() {
        let lasting = Lasting::here();
        in_a_worker(async move { assert_eq!(lasting.run(async { 7 }).await, 7) });
    }
}
