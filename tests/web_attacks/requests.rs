//! Requests that no page takes: odd methods, sizes, types, fields that stand twice, and clients that take their time.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::Method;

use crate::world::{ADMIN, Answer, Browser, READER, World, form};

const FORM: &str = "application/x-www-form-urlencoded";
const UNREADABLE: &str = "The request cannot be read";

/// A page for an error says what happened, whose it is to mend, and what to do.
fn assert_error_page(answer: &Answer, status: u16, title: &str) {
    answer.assert_page(status, &format!("<h1>{title}</h1>"));
    for part in ["What happened", "Who can mend it", "What to do now", "Back to your roles"] {
        assert!(answer.body.contains(part), "no `{part}` in\n{}", answer.body);
    }
    assert!(!answer.header("content-security-policy").is_empty());
}

#[actix_web::test]
async fn w02_a_method_that_an_address_does_not_answer_to_is_refused_and_reflects_nothing() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let (issued, events) = (world.issued(), world.audit().len());
    for (path, allowed) in [
        ("/", "GET, HEAD"),
        ("/explain", "GET, HEAD"),
        ("/go", "GET, HEAD"),
        ("/login", "GET, HEAD, POST"),
        ("/login/sandbox", "GET"),
        ("/callback/sandbox", "GET"),
        ("/console", "POST"),
        ("/credentials", "POST"),
        ("/credentials/download", "POST"),
        ("/credentials/nonsense", "GET"),
        ("/logout", "POST"),
        ("/signed-out", "GET, HEAD"),
        ("/healthz", "GET, HEAD"),
        ("/static/app.css", "GET, HEAD"),
        ("/.well-known/jwks.json", "GET, HEAD"),
    ] {
        for method in ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"] {
            let name = format!("{method} {path}");
            // With nothing that says where it comes from: no browser's form, and not one that has expired.
            let mut request = ana.request(method.parse().unwrap(), path).header("x-marker", "reflected");
            if method == "POST" {
                request = request.header("sec-fetch-site", "same-origin");
            }
            let answer = ana.send(request).await;
            let listed = allowed.split(", ").any(|one| one == method);
            assert_eq!(answer.status != 405, listed, "{name}: {}", answer.status);
            assert!(!answer.body.contains("reflected"), "{name}");
            if !listed {
                assert_eq!(answer.header("allow"), allowed, "{name}");
                if method != "HEAD" {
                    assert_error_page(&answer, 405, "This address does not work that way");
                }
            }
        }
    }
    assert_eq!((world.issued(), world.audit().len() - events), (issued, 0), "nothing was decided");
}

#[actix_web::test]
async fn head_tells_what_get_would() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    for mut browser in [ana.clone(), Browser::new(&world)] {
        for path in ["/", "/go?account=Production", "/login", "/signed-out", "/healthz"] {
            let get = browser.get(path).await;
            let head = browser.send(browser.request(Method::HEAD, path)).await;
            assert_eq!((head.status, head.location(), head.body.as_str()), (get.status, get.location(), ""), "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
            assert_eq!(head.header("cache-control"), get.header("cache-control"), "{path}");
        }
    }
    let callback = Browser::new(&world).up_to_callback("/login/sandbox?next=/", "ana").await;
    assert_eq!(ana.send(ana.request(Method::HEAD, &callback)).await.status, 405, "a preview must not use the answer up");
}

#[actix_web::test]
async fn w09_a_body_over_the_limit_is_refused_before_it_is_read_to_its_end() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    let padded = |padding: usize| form(&[("role", ADMIN), ("csrf", &csrf), ("padding", &"x".repeat(padding))]);
    let post = |ana: &Browser| ana.request(Method::POST, "/credentials").header("sec-fetch-site", "same-origin");
    assert_eq!(ana.send(post(&ana).header("content-type", FORM).body(padded(60_000))).await.status, 303, "one below the limit is read");
    let issued = world.issued();
    let answer = ana.send(post(&ana).header("content-type", FORM).body(padded(70_000))).await;
    assert_error_page(&answer, 413, "The request is too large");
    // Without a length up front, in chunks that never end.
    let address = world.base.trim_start_matches("http://").to_owned();
    let session = ana.session().to_owned();
    let chunked = spawn(move || {
        let head = format!(
            "POST /credentials HTTP/1.1\r\nhost: x\r\nsec-fetch-site: same-origin\r\ncookie: rolegate-session={session}\r\n\
             content-type: {FORM}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        talk(&address, &head, &chunk, Duration::ZERO)
    });
    let (answer, took) = chunked.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("The request is too large"), "{answer}");
    assert!(took < Duration::from_secs(9), "it was read for {took:?}");
    assert_eq!(world.issued(), issued);
}

#[actix_web::test]
async fn a_form_in_another_format_is_refused_with_a_page_of_its_own() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    let fields = form(&[("role", ADMIN), ("csrf", &csrf)]);
    for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x", ""] {
        let request = ana.request(Method::POST, "/credentials").header("sec-fetch-site", "same-origin").header("content-type", kind);
        let answer = ana.send(request.body(fields.clone())).await;
        assert_error_page(&answer, 415, "The form came in a format that is not read here");
    }
    assert_eq!(world.issued(), 0);
    assert_eq!(ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf)]).await.status, 303);
}

#[actix_web::test]
async fn a_length_that_cannot_be_had_is_refused_with_a_page_of_its_own() {
    let world = World::new().await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let csrf = dev.csrf().await;
    for path in ["/credentials", "/console"] {
        let answer = dev.post(path, &[("role", READER), ("csrf", &csrf), ("duration", "3601")]).await;
        assert_error_page(&answer, 400, "This session length cannot be had");
        assert!(answer.body.contains("may last from 15 minutes to 1h"), "{}", answer.body);
    }
    let nobodys = dev.post("/credentials", &[("role", ADMIN), ("csrf", &csrf), ("duration", "3601")]).await;
    nobodys.assert_page(403, "This role is not yours to take");
}

#[actix_web::test]
async fn w02_a_token_in_the_address_is_none() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    for path in ["/credentials", "/console", "/logout"] {
        let fields = [("role", ADMIN), ("scope", "here")];
        ana.post(&format!("{path}?csrf={csrf}"), &fields).await.assert_page(400, UNREADABLE);
        let empty = [fields[0], fields[1], ("csrf", "")];
        ana.post(&format!("{path}?csrf={csrf}"), &empty).await.assert_page(403, "This form has expired");
    }
    assert_eq!(world.issued(), 0);
    assert_eq!(ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf)]).await.status, 303);
}

#[actix_web::test]
async fn a05_of_two_roles_in_one_form_none_is_handed_out() {
    let world = World::new().await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let csrf = dev.csrf().await;
    let events = world.audit().len();
    for path in ["/credentials", "/console", "/credentials/download"] {
        for roles in [[READER, ADMIN], [ADMIN, READER], [READER, READER]] {
            let fields = [("role", roles[0]), ("csrf", csrf.as_str()), ("format", "bash"), ("role", roles[1])];
            dev.post(path, &fields).await.assert_page(400, UNREADABLE);
        }
    }
    assert_eq!((world.issued(), world.audit().len()), (0, events));
    assert_eq!(dev.post("/credentials", &[("role", READER), ("csrf", &csrf)]).await.status, 303);
}

#[actix_web::test]
async fn o04_of_two_states_in_one_answer_none_counts() {
    let world = World::new().await;
    let mut ana = Browser::new(&world);
    let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    let state = callback.split_once("state=").unwrap().1.split('&').next().unwrap().to_owned();
    for twice in [format!("{callback}&state={state}"), format!("{callback}&state=x"), callback.replace("state=", "state=x&state=")] {
        ana.get(&twice).await.assert_page(400, UNREADABLE);
        assert_eq!(ana.session(), "");
    }
    assert_eq!(ana.get(&callback).await.status, 303, "the honest answer still works: nothing was used up");
}

#[actix_web::test]
async fn w07_a_hand_over_ends_with_its_session() {
    let world = World::new().await;
    for scope in ["here", "everywhere"] {
        let mut ana = Browser::signed_in(&world, "ana").await;
        let csrf = ana.csrf().await;
        let fields = [("role", ADMIN), ("csrf", csrf.as_str()), ("scope", scope)];
        let honest = ana.post("/credentials", &fields).await.location().to_owned();
        ana.get(&honest).await.assert_page(200, "ASIA");
        let place = ana.post("/credentials", &fields).await.location().to_owned();
        let mut kept = ana.clone();
        assert_eq!(ana.post("/logout", &fields).await.status, 303);
        let late = kept.get(&place).await;
        assert!(late.status == 303 && late.location().starts_with("/login?"), "{}: {}", late.status, late.body);
        let again = Browser::signed_in(&world, "ana").await.get(&place).await;
        again.assert_page(410, "These credentials were shown once");
        assert!(!again.body.contains("ASIA"));
    }
}

/// Runs beside the server, which has this test's own thread for its futures.
fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> actix_web::rt::task::JoinHandle<T> {
    actix_web::rt::task::spawn_blocking(work)
}

/// Says something, then goes on and on with more, a piece every `pause`, until it is cut off: what came back, and after how long it ended.
fn talk(address: &str, start: &str, more: &str, pause: Duration) -> (String, Duration) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(1).max(pause))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let begun = Instant::now();
    stream.write_all(start.as_bytes()).unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while begun.elapsed() < Duration::from_secs(20) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend(buffer.iter().take(length)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if stream.write_all(more.as_bytes()).is_err() {
                    // What it said before it closed may still be there.
                    let _ = stream.read_to_end(&mut answer);
                    break;
                }
            }
            Err(_) => break,
        }
    }
    (String::from_utf8_lossy(&answer).into_owned(), begun.elapsed())
}

#[actix_web::test]
async fn w09_a_request_that_does_not_come_to_its_end_is_cut_off_wherever_it_stops() {
    let world = World::with(|config| config.replace("workers = 1", "workers = 1\nrequest_timeout = \"1s\"")).await;
    let address = world.base.trim_start_matches("http://").to_owned();
    let health = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let post = format!("POST /login HTTP/1.1\r\nhost: x\r\nsec-fetch-site: same-origin\r\ncontent-type: {FORM}\r\n");
    // What is said at once, what follows drop by drop, what it is answered, and in how many seconds it is over.
    let slow = [
        ("the first head", "GET / HTTP/1.1\r\nx-slow: ".to_owned(), "x", "HTTP/1.1 408", 4),
        ("the second head", format!("{health}GET / HTTP/1.1\r\nx-slow: "), "x", "HTTP/1.1 200", 9),
        ("the first line of the third", format!("{health}{health}G"), "E", "HTTP/1.1 200", 9),
        ("empty lines", health.to_owned(), "\r\n", "HTTP/1.1 200", 9),
        ("a body", format!("{post}content-length: 5000\r\n\r\n"), "x", "HTTP/1.1 408", 9),
        ("a body in chunks", format!("{post}transfer-encoding: chunked\r\n\r\n"), "1\r\nx\r\n", "HTTP/1.1 408", 9),
        ("a body that nobody waits for", "PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n".into(), "x", "HTTP/1.1 405", 9),
        ("the same in chunks", "PUT / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".into(), "1\r\nx\r\n", "HTTP/1.1 405", 9),
    ];
    let pause = Duration::from_millis(200);
    let attacks = slow.map(|(name, start, more, answered, most)| {
        let address = address.clone();
        (name, answered, most, spawn(move || talk(&address, &start, more, pause)))
    });
    // Meanwhile an honest client keeps its one connection for longer than all that, and each of its heads comes in two parts.
    let honest = spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        for _ in 0..6 {
            stream.write_all(&health.as_bytes()[..10]).unwrap();
            std::thread::sleep(Duration::from_millis(300));
            stream.write_all(&health.as_bytes()[10..]).unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"ok\n") {
                let mut buffer = [0; 1024];
                let length = stream.read(&mut buffer).unwrap();
                assert_ne!(length, 0, "the honest client was cut off");
                answer.extend_from_slice(&buffer[..length]);
            }
            std::thread::sleep(Duration::from_millis(1500));
        }
    });
    for (name, answered, most, attack) in attacks {
        let (answer, took) = attack.await.unwrap();
        assert!(answer.starts_with(answered), "{name}: {answer}");
        assert!(took < Duration::from_secs(most), "{name}: it took {took:?}");
    }
    honest.await.unwrap();
}

#[actix_web::test]
async fn w03_who_sends_no_request_is_told_nothing() {
    let world = World::with(|config| config.replace("workers = 1", "workers = 1\nrequest_timeout = \"1s\"")).await;
    let address = world.base.trim_start_matches("http://").to_owned();
    let marker = "<script>marker</script>";
    let large = format!("GET / HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", marker.repeat(10_000));
    for (start, status) in [
        (format!("GET /{marker} HTTP/9.9\r\n\r\n"), "400"),
        (format!("GET / HTTP/1.1\r\n{marker}\0: x\r\n\r\n"), "400"),
        (format!("{marker}\r\n\r\n"), "400"),
        (format!("GET / HTTP/1.1\r\nhost: x\r\ncontent-length: {marker}\r\n\r\n"), "400"),
        ("POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".into(), "400"),
        (large, "431"),
        (format!("GET /{marker}"), "408"),
    ] {
        let address = address.clone();
        let (answer, _) = spawn(move || talk(&address, &start, "", Duration::from_millis(50))).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(body.is_empty() && !head.contains("marker"), "{answer}");
        // No document and no cookie: nothing that a policy could be about.
        let names: Vec<_> = head.lines().skip(1).map(|line| line.split(':').next().unwrap().to_lowercase()).collect();
        assert!(names.iter().all(|name| ["content-length", "connection", "date"].contains(&name.as_str())), "{head}");
    }
    assert_eq!(Browser::new(&world).get("/healthz").await.status, 200);
}
