//! Lines that a stream took and no file has yet: they are kept in memory until one has them, so that it has no gap afterwards.

use std::io;
use std::sync::Arc;

use super::chain::Head;

/// How many bytes of lines are kept at most. Where there would be more, nothing is recorded any more.
const MOST: usize = 64 << 20;

/// Lines that are to be written everywhere, and the chain's head before and after them.
pub(super) struct Batch {
    pub(super) before: Head,
    pub(super) lines: Vec<u8>,
    pub(super) after: Head,
}

impl Batch {
    /// The lines behind a number.
    pub(super) fn behind(&self, seq: u64) -> &[u8] {
        let had = usize::try_from(seq.saturating_sub(self.before.seq)).unwrap_or(usize::MAX);
        let rest = self.lines.split_inclusive(|byte| *byte == b'\n').skip(had).map(<[u8]>::len).sum::<usize>();
        self.lines.get(self.lines.len() - rest..).unwrap_or_default()
    }
}

/// The lines, in order, up to the end of the chain.
pub(super) struct Kept {
    batches: Vec<Arc<Batch>>,
    bytes: usize,
    most: usize,
}

impl Kept {
    pub(super) const fn new() -> Self {
        Self { batches: Vec::new(), bytes: 0, most: MOST }
    }

    /// The same with another bound: tests have no use for so much.
    #[cfg(test)]
    pub(super) const fn at_most(bytes: usize) -> Self {
        Self { batches: Vec::new(), bytes: 0, most: bytes }
    }

    /// Whether so many bytes more have no place.
    pub(super) const fn is_full_with(&self, bytes: usize) -> bool {
        !self.batches.is_empty() && self.bytes.saturating_add(bytes) > self.most
    }

    /// Keeps lines at the end of the chain, unless a file has them. What the file that is furthest has is kept no longer.
    pub(super) fn keep(&mut self, batch: Option<&Arc<Batch>>, furthest_file: u64) {
        if let Some(batch) = batch.filter(|batch| !batch.lines.is_empty()) {
            self.bytes += batch.lines.len();
            self.batches.push(Arc::clone(batch));
        }
        let had = self.batches.iter().take_while(|batch| batch.after.seq <= furthest_file).count();
        self.bytes -= self.batches.drain(..had).map(|batch| batch.lines.len()).sum::<usize>();
    }

    /// Those that somebody lacks who has all up to a number, and those before which everything is in a file.
    pub(super) fn behind(&self, seq: u64) -> Vec<Arc<Batch>> {
        self.batches.iter().filter(|batch| batch.after.seq > seq).map(Arc::clone).collect()
    }

    pub(super) fn full(&self) -> io::Error {
        let message = format!("no file takes events, and {} bytes of them are kept in memory: there is no room for more", self.bytes);
        io::Error::new(io::ErrorKind::OutOfMemory, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(head: &mut Head, events: &[&str]) -> Arc<Batch> {
        let (before, mut lines) = (*head, Vec::new());
        for event in events {
            head.chain(event.as_bytes(), &mut lines);
        }
        Arc::new(Batch { before, lines, after: *head })
    }

    #[test]
    fn what_a_file_has_is_kept_no_longer_and_there_is_a_bound() {
        let (mut head, mut kept) = (Head::default(), Kept::at_most(1000));
        assert!(!kept.is_full_with(5000), "what is kept may be one batch larger than that: a file may take it");
        let (one, two) = (batch(&mut head, &["{\"a\":1}", "{\"a\":2}"]), batch(&mut head, &["{\"a\":3}"]));
        kept.keep(Some(&one), 0);
        kept.keep(Some(&two), 1);
        assert_eq!(kept.bytes, one.lines.len() + two.lines.len());
        assert!(kept.is_full_with(1000) && !kept.is_full_with(100));
        assert_eq!((kept.behind(0).len(), kept.behind(1).len(), kept.behind(2).len(), kept.behind(3).len()), (2, 2, 1, 0));
        kept.keep(None, 2);
        assert_eq!((kept.behind(0).len(), kept.bytes), (1, two.lines.len()));
        kept.keep(None, 3);
        assert!(kept.bytes == 0 && !kept.is_full_with(5000));
    }

    #[test]
    fn of_a_batch_there_is_what_stands_behind_a_number() {
        let mut head = Head { seq: 4, ..Head::default() };
        let batch = batch(&mut head, &["{\"a\":5}", "{\"a\":6}", "{\"a\":7}"]);
        let numbers = |seq| String::from_utf8_lossy(batch.behind(seq)).lines().map(|line| line[7..8].to_owned()).collect::<String>();
        assert_eq!([0, 4, 5, 6, 7, 9].map(numbers), ["567", "567", "67", "7", "", ""]);
    }
}
