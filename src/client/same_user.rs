//! Whether whoever came over loopback is the person who runs this program.
//!
//! A browser is started with an address, and every user of the machine can read what programs are started with. The address alone must
//! therefore be of no use to another user who is quicker than the browser.

use super::loopback::Connection;

/// Whether the other end belongs to the same user, or to root, who can read everything in any case (and who carries the connections of a
/// Windows browser into its Linux subsystem). What the system does not tell counts as no.
#[cfg(target_os = "linux")]
pub(super) fn is_same_user(connection: &Connection) -> bool {
    use procfs::net::{TcpNetEntry, TcpState};

    // Sockets that the kernel only remembers have no owner: it shows root for them.
    let is_theirs = |entry: &TcpNetEntry| {
        (plain(entry.local_address), plain(entry.remote_address)) == (connection.theirs, connection.ours)
            && !matches!(entry.state, TcpState::TimeWait | TcpState::NewSynRecv)
            && entry.inode != 0
    };
    let tables = [procfs::net::tcp(), procfs::net::tcp6()];
    let owner = tables.into_iter().flatten().flatten().find(is_theirs).map(|entry| entry.uid);
    owner.is_some_and(|uid| uid == rustix::process::getuid().as_raw() || uid == 0)
}

/// An IPv4 address that a socket of IPv6 reached, as itself.
#[cfg(target_os = "linux")]
fn plain(address: std::net::SocketAddr) -> std::net::SocketAddr {
    (address.ip().to_canonical(), address.port()).into()
}

/// Other systems do not tell: there the address is all there is, and it leads on once.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_same_user(_: &Connection) -> bool {
    true
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn whoever_runs_this_is_told_from_who_is_not_there() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let ours = listener.local_addr().unwrap();
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let four = TcpStream::connect(ours).unwrap();
        assert!(is_same_user(&Connection { theirs: four.local_addr().unwrap(), ours }));
        assert!(!is_same_user(&Connection { theirs: nobody, ours }));
        assert!(!is_same_user(&Connection { theirs: four.local_addr().unwrap(), ours: nobody }), "a connection to something else");
        // A browser may come by a socket of IPv6.
        let mapped: SocketAddr = format!("[::ffff:127.0.0.1]:{}", ours.port()).parse().unwrap();
        let six = TcpStream::connect(mapped).unwrap();
        assert!(is_same_user(&Connection { theirs: plain(six.local_addr().unwrap()), ours }));
    }
}
