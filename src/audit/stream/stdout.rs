//! Lines on standard output, as they are in the files. The log goes to standard error.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::Medium;

/// Standard output, without the buffer that the process's own has: a line is handed to the system before it counts.
pub(super) struct Stdout {
    file: File,
    /// Whether half a line may be out.
    is_broken: bool,
}

impl Stdout {
    /// # Errors
    /// It is closed, or leads nowhere.
    pub(super) fn new() -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        if leads_nowhere(&file)? {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "standard output is closed, or is /dev/null: what is written there is lost",
            ));
        }
        Ok(Self { file, is_broken: false })
    }
}

impl Medium for Stdout {
    fn send(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.is_broken {
            // The half line must not swallow the whole one.
            self.file.write_all(b"\n")?;
        }
        self.is_broken = true;
        self.file.write_all(lines)?;
        self.is_broken = false;
        Ok(())
    }
}

/// What is closed when a process begins is opened as /dev/null.
fn leads_nowhere(file: &File) -> io::Result<bool> {
    let null = std::fs::metadata("/dev/null")?;
    let own = file.metadata()?;
    Ok(own.file_type().is_char_device() && own.rdev() == null.rdev())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_to_dev_null_is_lost_and_what_is_written_elsewhere_is_not() {
        assert!(leads_nowhere(&File::create("/dev/null").unwrap()).unwrap());
        assert!(!leads_nowhere(&tempfile::tempfile().unwrap()).unwrap());
        assert!(!leads_nowhere(&File::open("/dev/zero").unwrap()).unwrap());
    }

    #[test]
    fn behind_half_a_line_a_new_one_begins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut stdout = Stdout { file: File::create(&path).unwrap(), is_broken: false };
        stdout.send(b"one\n").unwrap();
        stdout.file.write_all(b"tw").unwrap();
        stdout.is_broken = true;
        stdout.send(b"two\n").unwrap();
        stdout.send(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "one\ntw\ntwo\nthree\n");
        let mut full = Stdout { file: File::create("/dev/full").unwrap(), is_broken: false };
        assert_eq!(full.send(b"one\n").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
