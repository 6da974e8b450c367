//! Lines as messages to a syslog collector, or to the machine's own daemon.
//!
//! Syslog knows no answer: a line counts when the socket took it. What a collector had not read when it ended is lost to it, without anybody telling.
//! So a connection is looked at before anything is written to it, and what was written shortly before one ended is written again to the next.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Medium;
use super::format::Speaker;
use super::net::{Link, Place};

/// How long before the last message that a connection took others are sent again on the next, beside the time after which a connection counts as dead.
const RECENT: Duration = Duration::from_secs(5);
/// And no more than so many bytes of them: what the buffers of both sides may hold that nobody has read.
const MOST_RECENT: usize = 16 << 20;

/// Where messages go.
#[derive(Clone)]
pub(super) enum Collector {
    /// Over a connection.
    Net(Place),
    /// To a daemon of this machine, by the path of its socket.
    Local(PathBuf),
}

pub(super) struct Syslog {
    speaker: Speaker,
    patience: Duration,
    way: Way,
}

enum Way {
    Net(Net),
    Local { path: PathBuf, socket: Option<UnixDatagram> },
}

/// A connection, and what it took last.
struct Net {
    place: Place,
    link: Option<Link>,
    recent: VecDeque<(Instant, Vec<u8>)>,
}

impl Syslog {
    pub(super) fn new(collector: Collector, patience: Duration) -> Self {
        let way = match collector {
            Collector::Net(place) => Way::Net(Net { place, link: None, recent: VecDeque::new() }),
            Collector::Local(path) => Way::Local { path, socket: None },
        };
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self { speaker: Speaker { host, process: std::process::id() }, patience, way }
    }
}

impl Medium for Syslog {
    fn send(&mut self, lines: &[u8]) -> io::Result<()> {
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        match &mut self.way {
            Way::Net(net) => net.send(lines.flat_map(|line| self.speaker.counted(line)).collect(), self.patience),
            Way::Local { path, socket } => {
                for line in lines {
                    hand_over(socket, path, &self.speaker.local(line), self.patience)?;
                }
                Ok(())
            }
        }
    }
}

impl Net {
    fn send(&mut self, messages: Vec<u8>, patience: Duration) -> io::Result<()> {
        let sent = self.try_send(&messages, patience);
        if sent.is_err() {
            // Half a message may be out on it.
            self.link = None;
        } else {
            self.remember(messages, RECENT.saturating_add(patience));
        }
        sent
    }

    fn try_send(&mut self, messages: &[u8], patience: Duration) -> io::Result<()> {
        if self.link.as_mut().is_some_and(Link::is_closed) {
            self.link = None;
        }
        let link = match &mut self.link {
            Some(link) => link,
            none => {
                let link = none.insert(self.place.connect(patience)?);
                for (_, messages) in &self.recent {
                    link.write(messages)?;
                }
                link
            }
        };
        link.write(messages)
    }

    fn remember(&mut self, messages: Vec<u8>, how_long: Duration) {
        let now = Instant::now();
        self.recent.push_back((now, messages));
        let mut bytes: usize = self.recent.iter().map(|(_, messages)| messages.len()).sum();
        // The last one stays, however long it is.
        while self.recent.len() > 1
            && let Some((at, messages)) = self.recent.front()
            && (bytes > MOST_RECENT || now.duration_since(*at) > how_long)
        {
            bytes -= messages.len();
            self.recent.pop_front();
        }
    }
}

/// Hands a message to the daemon. One that was started anew has another socket of the same name.
fn hand_over(socket: &mut Option<UnixDatagram>, path: &Path, message: &[u8], patience: Duration) -> io::Result<()> {
    if let Some(known) = socket
        && known.send(message).is_ok()
    {
        return Ok(());
    }
    *socket = None;
    let fresh = reach(path)?;
    fresh.set_write_timeout(Some(patience))?;
    fresh.send(message).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "it does not take messages in time"),
        // EMSGSIZE has no kind of its own.
        _ => io::Error::new(error.kind(), format!("a message of {} bytes: {error}", message.len())),
    })?;
    *socket = Some(fresh);
    Ok(())
}

/// A socket that is connected to the daemon's.
fn reach(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(socket)
}

impl Collector {
    /// Whether it can be connected to. Nothing is sent.
    pub(super) fn probe(&self, patience: Duration) -> io::Result<()> {
        match self {
            Self::Net(place) => place.connect(patience).map(drop),
            Self::Local(path) => reach(path).map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    /// A collector that takes a connection, reads nothing, and ends: none of those that others wrote does so on demand.
    #[test]
    fn what_a_collector_did_not_read_is_sent_to_the_next_however_much_it_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Place { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port(), tls: None };
        let mut syslog = Syslog::new(Collector::Net(place), Duration::from_secs(5));
        let line = |number: usize| format!("{{\"seq\":{number},\"text\":\"{}\"}}\n", "x".repeat(1000));
        let piece = |from: usize| (from..from + 700).map(line).collect::<String>();
        syslog.send(piece(0).as_bytes()).unwrap();
        let (deaf, _) = listener.accept().unwrap();
        syslog.send(piece(700).as_bytes()).unwrap();
        drop(deaf);
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
            text
        });
        syslog.send(line(1400).as_bytes()).unwrap();
        drop(syslog);
        let text = reader.join().unwrap();
        let missing: Vec<usize> = (0..=1400).filter(|number| !text.contains(&format!("{{\"seq\":{number},"))).collect();
        assert_eq!(missing, [0_usize; 0]);
    }
}
