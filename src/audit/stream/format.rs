//! Lines of the trail as messages of syslog. Text in, bytes out.

use chrono::{DateTime, Local, SecondsFormat, Utc};
use serde::Deserialize;

/// Facility `authpriv` (10), severity `info` (6): who signed in is nothing for everybody's eyes, and most systems keep that facility from them.
const PRIORITY: u8 = 10 * 8 + 6;
/// What the messages say they are from.
const APP: &str = "rolegate";
/// How long the name of a machine may be (RFC 5424 section 6).
const LONGEST_HOST: usize = 255;
/// How long the kind of a message may be.
const LONGEST_KIND: usize = 32;

/// Who speaks.
pub(super) struct Speaker {
    /// The name of this machine.
    pub(super) host: String,
    /// The number of this process.
    pub(super) process: u32,
}

/// What a line says of itself, as far as it can be read.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Said {
    time: Option<DateTime<Utc>>,
    kind: String,
}

impl Said {
    fn of(line: &[u8]) -> Self {
        serde_json::from_slice(line).unwrap_or_default()
    }
}

impl Speaker {
    /// A line, without its end, as RFC 5424 has it: its time, and its kind as the id of the message.
    pub(super) fn message(&self, line: &[u8]) -> Vec<u8> {
        let said = Said::of(line);
        let time = said.time.map_or_else(|| "-".to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::Micros, true));
        let (host, kind) = (word(&self.host, LONGEST_HOST), word(&said.kind, LONGEST_KIND));
        let mut message = format!("<{PRIORITY}>1 {time} {host} {APP} {} {kind} - ", self.process).into_bytes();
        message.extend_from_slice(line);
        message
    }

    /// The same behind its length, which is how messages are told apart on a connection (RFC 6587 section 3.4.1, RFC 5425 section 4.3).
    pub(super) fn counted(&self, line: &[u8]) -> Vec<u8> {
        let message = self.message(line);
        let mut counted = format!("{} ", message.len()).into_bytes();
        counted.extend_from_slice(&message);
        counted
    }

    /// A line, without its end, as the C library's `syslog` hands it to the machine's own daemon, by the machine's own time: few of them read RFC 5424
    /// from that socket.
    pub(super) fn local(&self, line: &[u8]) -> Vec<u8> {
        let time = Said::of(line).time.map(|time| time.with_timezone(&Local).format("%b %e %H:%M:%S ").to_string()).unwrap_or_default();
        let mut message = format!("<{PRIORITY}>{time}{APP}[{}]: ", self.process).into_bytes();
        message.extend_from_slice(line);
        message
    }
}

/// A text as one printable word; a hyphen where there is none.
fn word(text: &str, longest: usize) -> String {
    let word: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = br#"{"seq":1,"prev":"00","time":"2026-01-14T12:00:00.123456789Z","incident":"I","kind":"audit.degraded"}"#;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_line_is_a_message_of_rfc_5424_behind_its_length() {
        let speaker = Speaker { host: "gate 1\u{e9}.example\n".to_owned(), process: 42 };
        let head = "<86>1 2026-01-14T12:00:00.123456Z gate1.example rolegate 42 audit.degraded - ";
        let message = speaker.message(LINE);
        assert_eq!(text(&message), format!("{head}{}", text(LINE)));
        assert_eq!(text(&speaker.counted(LINE)), format!("{} {}", head.len() + LINE.len(), text(&message)));
    }

    #[test]
    fn what_says_nothing_of_itself_is_sent_as_it_is() {
        let speaker = Speaker { host: String::new(), process: 1 };
        assert_eq!(text(&speaker.message(b"{}")), "<86>1 - - rolegate 1 - - {}");
        assert_eq!(text(&speaker.message(b"half")), "<86>1 - - rolegate 1 - - half");
        assert_eq!(text(&speaker.local(b"half")), "<86>rolegate[1]: half");
        let long = format!(r#"{{"kind":"{}"}}"#, "k".repeat(40));
        assert!(text(&speaker.message(long.as_bytes())).contains(&format!(" {} - {{", "k".repeat(32))));
        // Its length is counted in bytes.
        assert_eq!(text(&speaker.counted("\u{e9}".as_bytes())), "27 <86>1 - - rolegate 1 - - \u{e9}");
    }

    #[test]
    fn the_machines_own_daemon_gets_what_the_c_library_would_send() {
        let speaker = Speaker { host: "h".to_owned(), process: 7 };
        let message = text(&speaker.local(LINE));
        let (head, line) = message.split_at(message.len() - LINE.len());
        assert_eq!(line.as_bytes(), LINE);
        assert!(
            head.starts_with("<86>Jan 1") && head.ends_with(" rolegate[7]: ") && head.len() == "<86>Jan 14 12:00:00 rolegate[7]: ".len(),
            "{head}"
        );
    }
}
