//! C1: what the running gateway writes to its log about requests.

use std::io::Write;
use std::sync::{Mutex, Once};

use reqwest::Method;

use crate::world::{ADMIN, Browser, World};

/// All that this process logs from the moment on at which the first test listens.
static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        WRITTEN.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Listens to what this process logs, as `main` writes it, and louder. Other tests of it write here too.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::fmt().json().with_env_filter("rolegate=trace").with_writer(|| Writer).init());
}

/// What was logged since.
pub(crate) fn heard() -> String {
    String::from_utf8(WRITTEN.lock().unwrap().clone()).unwrap()
}

#[actix_web::test]
async fn c1_no_line_of_the_log_holds_a_hand_overs_id_in_whatever_spelling() {
    listen();
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    let place = ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf)]).await.location().to_owned();
    let id = place.strip_prefix("/credentials/").unwrap();
    let marker = format!("marker-{}", &world.base[world.base.len() - 4..]);
    let spelled: String = id.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
    let base = world.base.clone();
    for path in [
        format!("{base}//credentials/{id}"),
        format!("/credentials%2F{id}"),
        format!("/Credentials/{id}"),
        format!("/credentials/{id}/"),
        format!("/credentials/x/{id}"),
        format!("/x;{id}/y"),
        format!("/{id}"),
        format!("/credentials/{spelled}/"),
        format!("/{}", spelled.replace('%', "%25")),
        format!("/{marker}/{}", "é/".repeat(1_000)),
        format!("/{marker}?{id}"),
        format!("/go?account={id}"),
        format!("/login?next=/credentials/{id}"),
        place.clone(),
    ] {
        ana.get(&path).await;
    }
    let odd = Method::from_bytes(format!("{}X{}", marker.to_uppercase(), "M".repeat(5_000)).as_bytes()).unwrap();
    ana.send(ana.request(odd, "/")).await;
    ana.send(ana.request(Method::DELETE, &place)).await;
    let log = heard();
    for (name, needle) in [("the id", id), ("a half of it", &id[..21]), ("the other half", &id[22..]), ("its escapes", &spelled)] {
        let line = log.lines().find(|line| line.to_lowercase().contains(&needle.to_lowercase()));
        assert!(line.is_none(), "{name} stands in the log: {line:?}");
    }
    // The log was heard, and says what an administrator needs: the address as it is known, or the beginning of an unknown one.
    for needle in
        [format!("\"path\":\"/{marker}\""), format!("\"path\":\"/{marker}/%C3%A9/%C3%A9"), "\"path\":\"/credentials/{handover}\"".into()]
    {
        assert!(log.contains(&needle), "no {needle} in\n{log}");
    }
    let longest = log.lines().filter(|line| line.contains("\"answered\"")).map(str::len).max().unwrap();
    assert!(longest < 500, "a line of {longest} bytes");
}
