//! What Linux says of the process; nothing where it does not.

/// Memory of the process that is in RAM, in bytes.
pub(super) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    size.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// How many files and sockets it has open.
pub(super) fn open_descriptors() -> Option<u64> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // The folder itself is one of them while it is read.
    u64::try_from(open).ok()?.checked_sub(1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_both() {
        assert!(resident_bytes().unwrap() > 1024 * 1024);
        let before = open_descriptors().unwrap();
        assert!(before >= 3);
    }
}
