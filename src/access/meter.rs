//! What a decision may cost where nobody vetted the rules, or the person, that it is about.
//!
//! Rules in force were vetted by who runs the gateway, and people by their providers: deciding for those is bounded by what they made. Three
//! thousand patterns that somebody pastes, and as many groups, come to millions of roles.

use std::cell::Cell;

/// How many steps are taken between two looks at the clock.
const BETWEEN: usize = 256;

/// Counts what a decision goes through, and stops it when it goes through too much or nobody waits for it.
pub struct Meter<'a> {
    left: Cell<usize>,
    until_asked: Cell<usize>,
    goes_on: &'a dyn Fn() -> bool,
    stopped: Cell<Option<Stopped>>,
}

/// Why a decision was not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It would go through too much: rules that match, and roles that they give.
    TooMuch,
    /// Its time is over.
    Late,
}

impl<'a> Meter<'a> {
    /// A meter for so many matches of rules and roles that they give, counted together. `goes_on` says whether there is time left; it is asked
    /// again and again.
    #[must_use]
    pub const fn new(most: usize, goes_on: &'a dyn Fn() -> bool) -> Self {
        Self { left: Cell::new(most), until_asked: Cell::new(0), goes_on, stopped: Cell::new(None) }
    }

    /// Whether it may go on, after something that takes time and adds nothing.
    pub(super) fn goes_on(&self) -> bool {
        if self.stopped.get().is_some() {
            return false;
        }
        match self.until_asked.get().checked_sub(1) {
            Some(left) => self.until_asked.set(left),
            None if (self.goes_on)() => self.until_asked.set(BETWEEN),
            None => self.stopped.set(Some(Stopped::Late)),
        }
        self.stopped.get().is_none()
    }

    /// Whether something may be added.
    pub(super) fn adds(&self) -> bool {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => self.stopped.set(self.stopped.get().or(Some(Stopped::TooMuch))),
        }
        self.goes_on()
    }

    /// Why it was stopped, if it was.
    ///
    /// # Errors
    /// [`Stopped`]: what was decided so far is not all.
    pub(super) fn finished(&self) -> Result<(), Stopped> {
        self.stopped.get().map_or(Ok(()), Err)
    }
}
