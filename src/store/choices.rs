//! What a person chose on the pages, remembered from one session to the next: no right follows from any of it.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{BookRef, Key, Purpose, Session, SessionId, StoreUnavailable, Vault};
use crate::clock::Moment;

/// How long choices are remembered after the last one.
const REMEMBERED: Duration = Duration::from_hours(180 * 24);
/// How many roles somebody may mark.
const MOST_FAVOURITES: usize = 50;
/// How many of the roles that were taken last are remembered.
const MOST_RECENT: usize = 5;
/// The longest text that is remembered as a role or a region, in bytes.
const LONGEST: usize = 640;
/// The session lengths that there are, in seconds: AWS's least is `AssumeRole`'s, its most what an administrator may allow a role.
const LENGTHS: RangeInclusive<u64> = 900..=43_200;

/// How somebody wants roles to be grouped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// By account, ordered by name.
    #[default]
    Account,
    /// By account, ordered by organizational unit.
    Unit,
    /// By the role's name.
    Role,
}

/// A role that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// The role: an ARN, or the text of what else rules grant.
    pub role: String,
    /// Until when what was issued is good, if that is known.
    pub until: Option<Moment>,
}

/// What a person chose. Roles in it may be ones that they do not have any more: nothing is shown or issued because it stands here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choices {
    favourites: Vec<String>,
    recents: Vec<Recent>,
    length: Option<u64>,
    /// The region that was chosen last.
    pub region: Option<String>,
    /// How roles are grouped.
    pub grouping: Grouping,
}

impl Choices {
    /// The roles that the person marked, in the order in which they did.
    #[must_use]
    pub fn favourites(&self) -> &[String] {
        &self.favourites
    }

    /// The roles that the person took, the last one first.
    #[must_use]
    pub fn recents(&self) -> &[Recent] {
        &self.recents
    }

    /// Whether the person marked a role.
    #[must_use]
    pub fn is_favourite(&self, role: &str) -> bool {
        self.favourites.iter().any(|favourite| favourite == role)
    }

    /// Marks a role, or takes the mark away. When there are too many, the oldest goes.
    pub fn mark(&mut self, role: &str, marked: bool) {
        self.favourites.retain(|favourite| favourite != role);
        if marked && role.len() <= LONGEST {
            self.favourites.push(role.to_owned());
            let surplus = self.favourites.len().saturating_sub(MOST_FAVOURITES);
            self.favourites.drain(..surplus);
        }
    }

    /// Remembers that a role was taken.
    pub fn took(&mut self, role: &str, until: Option<Moment>) {
        self.recents.retain(|recent| recent.role != role);
        if role.len() <= LONGEST {
            self.recents.insert(0, Recent { role: role.to_owned(), until });
            self.recents.truncate(MOST_RECENT);
        }
    }

    /// The session length that was chosen last, in seconds: one that AWS knows.
    #[must_use]
    pub const fn length(&self) -> Option<u64> {
        self.length
    }

    /// Remembers a session length, in seconds. One that AWS has for no role is no choice.
    pub fn choose_length(&mut self, seconds: u64) {
        if LENGTHS.contains(&seconds) {
            self.length = Some(seconds);
        }
    }

    /// Forgets which roles were taken.
    pub fn forget_recents(&mut self) {
        self.recents.clear();
    }
}

/// Names the record of a person's choices: a hash, which a browser may keep, and which nothing is believed for. It only saves a round trip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoicesRef(Key);

impl ChoicesRef {
    fn of(person: &str) -> Self {
        Self(Key::of(Purpose::Choices, person.as_bytes()))
    }

    /// One that a browser brought, if it has the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hash = text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        is_hash.then(|| Self(Key::named(Purpose::Choices, text)))
    }

    /// Where the same person's requests are: they are named by the same hash.
    fn book(&self) -> Option<BookRef> {
        BookRef::parse(self.as_str())
    }

    /// As a browser keeps it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().rsplit_once(':').map_or("", |(_, hash)| hash)
    }
}

/// A session with what its person chose.
#[derive(Debug)]
pub struct Known {
    /// The session.
    pub session: Session,
    /// The person's choices.
    pub choices: Choices,
    /// What names them.
    pub reference: ChoicesRef,
}

impl Vault {
    /// [`Vault::session`], with what the person chose, and, if `requests` says so, what they asked to be granted. One round trip where `hint` names
    /// the person's choices, two where it does not.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: nobody is signed in.
    pub async fn session_with_choices(
        &self,
        id: &SessionId,
        hint: Option<&ChoicesRef>,
        requests: bool,
        (now, idle): (Moment, Duration),
    ) -> Result<Option<Known>, StoreUnavailable> {
        let keys = |reference: &ChoicesRef| {
            let book = reference.book().filter(|_| requests);
            std::iter::once(reference.0.clone()).chain(book.map(|book| book.key().clone())).collect::<Vec<_>>()
        };
        let (session, beside) = match hint {
            Some(hint) => {
                let key = id.key();
                let (sealed, beside) = self.store.get_and_touch_with(&key, idle, &keys(hint)).await?;
                (self.alive(key, sealed, now).await?, beside)
            }
            None => (self.session(id, now, idle).await?, Vec::new()),
        };
        let Some(mut session) = session else { return Ok(None) };
        // What the browser named counts only if it is the person's own.
        let person = session.identity.person();
        let reference = ChoicesRef::of(&person);
        let beside = if hint == Some(&reference) { beside } else { self.read_all(&keys(&reference)).await? };
        let mut beside = beside.into_iter();
        let open = |sealed| self.choices.open(&reference.0, sealed, |sealed| self.reveal(&reference.0, sealed));
        let choices = beside.next().flatten().and_then(open).unwrap_or_default();
        session.requests = self.requests_in(&BookRef::of(&person), beside.next().flatten());
        Ok(Some(Known { session, choices, reference }))
    }

    /// Values in the order of their keys, in one round trip.
    async fn read_all(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreUnavailable> {
        let mut kept = self.store.get_all(keys).await?;
        let take = |key: &Key| kept.iter().position(|kept| kept.key == *key).map(|at| kept.swap_remove(at).value);
        Ok(keys.iter().map(take).collect())
    }

    /// Remembers what a person chose. Of two changes at once the later one stays.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it may not be remembered.
    pub async fn keep_choices(&self, person: &str, choices: &Choices) -> Result<(), StoreUnavailable> {
        self.put(&ChoicesRef::of(person).0, choices, REMEMBERED).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_what_was_taken_are_few_and_in_order() {
        let mut choices = Choices::default();
        for n in 0..60 {
            choices.mark(&format!("role-{n}"), true);
            choices.took(&format!("role-{n}"), None);
        }
        choices.took("role-57", None);
        choices.mark("role-57", false);
        choices.mark(&"x".repeat(LONGEST + 1), true);
        choices.took(&"x".repeat(LONGEST + 1), None);
        assert_eq!(choices.favourites().len(), 49);
        assert!(!choices.is_favourite("role-9") && choices.is_favourite("role-10") && !choices.is_favourite("role-57"));
        let recents: Vec<_> = choices.recents().iter().map(|recent| recent.role.as_str()).collect();
        assert_eq!(recents, ["role-57", "role-59", "role-58", "role-56", "role-55"]);
        choices.forget_recents();
        assert!(choices.recents().is_empty());
    }

    #[test]
    fn a_length_that_no_role_has_is_no_choice() {
        let mut choices = Choices::default();
        for (said, kept) in [(0, None), (899, None), (900, Some(900)), (43_201, Some(900)), (u64::MAX, Some(900)), (43_200, Some(43_200))] {
            choices.choose_length(said);
            assert_eq!(choices.length(), kept, "{said}");
        }
    }

    #[test]
    fn a_reference_is_read_as_it_is_written_and_nothing_else_is() {
        let reference = ChoicesRef::of("okta+ana");
        assert_eq!(ChoicesRef::parse(reference.as_str()), Some(reference.clone()));
        for bad in ["", "x", "../session:abc", &format!("{}:", &reference.as_str()[..42]), &format!("{}A", reference.as_str())] {
            assert_eq!(ChoicesRef::parse(bad), None, "{bad}");
        }
    }
}
