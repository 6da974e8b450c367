//! A way to moto's AWS on which credentials lose most of their life: AWS gives none for less than fifteen minutes, longer than a test waits.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use chrono::{SecondsFormat, TimeDelta};
use reqwest::blocking::Client;
use rolegate::clock::{Clock, SystemClock};

use super::double;

/// Where AWS is reached this way. Every answer is moto's own but for the moment at which credentials end.
pub(crate) struct HurriedAws {
    pub(crate) url: String,
}

impl HurriedAws {
    pub(crate) fn start(aws: &str, life: TimeDelta) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let aws = aws.to_owned();
        std::thread::spawn(move || {
            let client = Client::builder().no_proxy().build().unwrap();
            for stream in listener.incoming().flatten() {
                pass_on(&client, &aws, life, stream);
            }
        });
        Self { url }
    }
}

fn pass_on(client: &Client, aws: &str, life: TimeDelta, mut stream: TcpStream) {
    let Some(request) = double::read(&stream) else { return };
    assert_eq!(request.what, "POST /");
    let answer = client.post(aws).header("Content-Type", &request.headers["content-type"]).body(request.body).send().unwrap();
    let (status, body) = (answer.status().as_u16(), answer.text().unwrap());
    let kept = body.split_once("<Expiration>").and_then(|(before, rest)| Some((before, rest.split_once("</Expiration>")?.1)));
    let body = kept.map_or_else(
        || body.clone(),
        |(before, after)| {
            let end = (SystemClock.now() + life).to_rfc3339_opts(SecondsFormat::Secs, true);
            format!("{before}<Expiration>{end}</Expiration>{after}")
        },
    );
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    drop(stream.write_all(format!("{head}{body}").as_bytes()));
}
