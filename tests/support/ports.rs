//! Ports that a test may give to somebody who starts later.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// A port on loopback that was free a moment ago and that nobody takes by chance: it lies below the range from which
/// the kernel gives ports to whoever connects or asks for any (32768 and up on Linux), and each call starts elsewhere.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 10_240;
    const PORTS: u32 = 32_768 - FIRST;
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // Test binaries that run at once have neighbouring process ids: they begin far from each other.
    let own = std::process::id().wrapping_mul(211);
    (0..PORTS)
        .map(|_| FIRST + own.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed)) % PORTS)
        .map(|port| u16::try_from(port).expect("below 32768"))
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .expect("loopback has a free port")
}
