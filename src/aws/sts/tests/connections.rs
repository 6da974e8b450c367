//! Connections are shared by the workers of the server, and outlive the one that opened them.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::*;

fn answer_after(pause: Duration) -> Step {
    let Step::Answer(_, _, body) = success() else { unreachable!() };
    Step::Keep(pause, body)
}

async fn assume(sts: &Sts) -> Result<Issued, StsError> {
    let request = AssumeRequest::for_tests("arn:aws:iam::111122223333:role/Dev", USUAL_SESSION);
    sts.assume(&request, &Proof::new(TOKEN.into(), "jti".into()), sts.deadline()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ends_takes_no_connection_from_the_others() {
    let double = ScriptedHttp::start(vec![answer_after(Duration::ZERO), answer_after(Duration::from_millis(300))]).await;
    let settings = AwsSettings { sts_endpoint: Some(double.url.clone()), ..AwsSettings::default() };
    let sts = Arc::new(Sts::new(&settings).unwrap());
    // One worker opens the connection, and is idle then.
    let (idle, is_idle) = oneshot::channel();
    let (end, may_end) = oneshot::channel();
    let of_worker = Arc::clone(&sts);
    let worker = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            assume(&of_worker).await.unwrap();
            idle.send(()).unwrap();
            may_end.await.unwrap();
        });
    });
    is_idle.await.unwrap();
    // Another one waits for an answer on it when the first one ends.
    let waiting = tokio::spawn(async move { assume(&sts).await });
    while double.requests().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    end.send(()).unwrap();
    worker.join().unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!((double.connections(), double.requests().len()), (1, 2), "on one connection, and not asked again");
}
