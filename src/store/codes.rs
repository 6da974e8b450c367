//! The codes by which command lines are let in: authorization codes (RFC 6749) and device codes (RFC 8628) that their holders keep sealed,
//! and user codes that people type.
//!
//! A sealed code is worth nothing in another place: it opens as what it was sealed for. So codes that nobody made cost the store nothing.

use std::fmt;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::ids::{GrantId, random};
use super::seal::Unsealed;
use super::vault::Vault;
use super::{Key, Placed, Purpose, StoreUnavailable};

/// The longest code that is looked at, in characters.
const LONGEST: usize = 2048;

macro_rules! sealed_code {
    ($(#[$doc:meta])* $name:ident, $purpose:expr) => {
        $(#[$doc])*
        ///
        /// Sealed, with a nonce of its own, so that no two are the same. Prints nothing in `Debug`.
        #[derive(Clone)]
        pub struct $name(Vec<u8>);

        impl $name {
            /// Reads a code as a client sends it; none if it has not the form of one.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                (text.len() <= LONGEST).then(|| BASE64URL_NOPAD.decode(text.as_bytes()).ok()).flatten().map(Self)
            }

            /// The code as text, for the one answer that carries it.
            #[must_use]
            pub fn expose(&self) -> String {
                BASE64URL_NOPAD.encode(&self.0)
            }

            /// What all codes of this kind are sealed for.
            fn kind() -> Key {
                Key::of($purpose, b"")
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

sealed_code! {
    /// An authorization code (RFC 6749 section 4.1.2) with what it was given for.
    AuthorizationCode, Purpose::Code
}
sealed_code! {
    /// A device code (RFC 8628 section 3.2) with what it was given for.
    DeviceCode, Purpose::Device
}

impl AuthorizationCode {
    /// The mark that it was used.
    fn used_key(&self) -> Key {
        Key::of(Purpose::Code, &self.0)
    }

    /// The index of the sessions that it opened.
    pub(super) fn opened_key(&self) -> Key {
        Key::of(Purpose::Opened, &self.0)
    }
}

/// A code that a person types (RFC 8628 section 6.1): eight letters, shown as `BCDF-GHJK`. Prints nothing in `Debug`.
///
/// Its key in the store is a plain hash of 34.5 bits: who reads the store could find it by trying, and would have a code that only somebody
/// who is signed in can answer, for ten minutes, under their own name.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode([u8; UserCode::LETTERS]);

impl UserCode {
    const LETTERS: usize = 8;
    /// No vowels, so that no words come out, and no Y; letters only, so that none is taken for a digit. That is RFC 8628's own example.
    const ALPHABET: [u8; 20] = *b"BCDFGHJKLMNPQRSTVWXZ";

    /// A new code.
    #[must_use]
    pub fn random() -> Self {
        let mut letters = [0; Self::LETTERS];
        for letter in &mut letters {
            *letter = loop {
                let [byte] = random::<1>();
                // 240 is twelve alphabets: what lies above would prefer the first letters.
                if let Some(letter) = Self::ALPHABET.get(usize::from(byte % 20)).filter(|_| byte < 240) {
                    break *letter;
                }
            };
        }
        Self(letters)
    }

    /// Reads a code as people type it: in either case, with or without a dash or spaces. None if it is no code.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let typed = text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')).map(|byte| byte.to_ascii_uppercase());
        let letters: Vec<u8> = typed.take(Self::LETTERS + 1).collect();
        let letters: [u8; Self::LETTERS] = letters.try_into().ok()?;
        letters.iter().all(|letter| Self::ALPHABET.contains(letter)).then_some(Self(letters))
    }

    fn key(&self) -> Key {
        Key::of(Purpose::UserCode, &self.0)
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, letter) in self.0.iter().enumerate() {
            let dash = if index == Self::LETTERS / 2 { "-" } else { "" };
            write!(f, "{dash}{}", char::from(*letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(…)")
    }
}

/// What a device hears when it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled<T> {
    /// The verdict, once.
    Verdict(T),
    /// Nothing yet.
    Pending,
    /// Nothing yet, and it asks too often.
    TooSoon,
}

impl Vault {
    /// Seals what an authorization code stands for. The store is not asked.
    ///
    /// # Errors
    /// [`Unsealed`]: there is no code.
    pub fn authorization_code<T: Serialize>(&self, grant: &T) -> Result<AuthorizationCode, Unsealed> {
        self.sealed(&AuthorizationCode::kind(), grant).map(AuthorizationCode)
    }

    /// What an authorization code stands for, if it is one of ours.
    #[must_use]
    pub fn authorized<T: DeserializeOwned>(&self, code: &AuthorizationCode) -> Option<T> {
        self.unsealed(&AuthorizationCode::kind(), &code.0)
    }

    /// Uses an authorization code up: true for exactly one.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it must count as used.
    pub async fn claim_code(&self, code: &AuthorizationCode, life: Duration) -> Result<bool, StoreUnavailable> {
        self.store.claim(&code.used_key(), life).await
    }

    /// Whether an authorization code was used up: no means nothing, somebody may be about to.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it must count as used.
    pub async fn is_code_used(&self, code: &AuthorizationCode) -> Result<bool, StoreUnavailable> {
        self.store.is_claimed(&code.used_key()).await
    }

    /// Ends every session that an authorization code opened; says how many were alive.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: they may still be alive.
    pub async fn close_opened(&self, code: &AuthorizationCode) -> Result<usize, StoreUnavailable> {
        let sessions = self.store.index_members(&code.opened_key()).await?;
        self.end(&sessions).await
    }

    /// Seals what a device code stands for. The store is not asked.
    ///
    /// # Errors
    /// [`Unsealed`]: there is no code.
    pub fn device_code<T: Serialize>(&self, ticket: &T) -> Result<DeviceCode, Unsealed> {
        self.sealed(&DeviceCode::kind(), ticket).map(DeviceCode)
    }

    /// What a device code stands for, if it is one of ours.
    #[must_use]
    pub fn of_device<T: DeserializeOwned>(&self, code: &DeviceCode) -> Option<T> {
        self.unsealed(&DeviceCode::kind(), &code.0)
    }

    /// Lets a device grant wait for a person under a user code, if so few were asked for lately: `budgets` names whose, and how many at most.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it does not wait.
    pub async fn let_wait<T>(
        &self,
        code: &UserCode,
        grant: &T,
        life: Duration,
        budgets: &[(&str, usize)],
    ) -> Result<Placed, StoreUnavailable>
    where
        T: Serialize + Sync,
    {
        let key = code.key();
        let budgets: Vec<_> = budgets.iter().map(|(name, most)| (Key::of(Purpose::Asked, name.as_bytes()), *most)).collect();
        self.store.put_within(&key, self.conceal(&key, grant)?, life, &budgets).await
    }

    /// The device grant that waits under a user code.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it cannot be told.
    pub async fn waiting<T: DeserializeOwned>(&self, code: &UserCode) -> Result<Option<T>, StoreUnavailable> {
        let key = code.key();
        Ok(self.store.get(&key).await?.and_then(|sealed| self.reveal(&key, sealed)))
    }

    /// Takes the device grant that waits under a user code: of any number of answers, one counts.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it is not answered.
    pub async fn take_waiting<T: DeserializeOwned>(&self, code: &UserCode) -> Result<Option<T>, StoreUnavailable> {
        self.take(&code.key()).await
    }

    /// Lays the verdict about a device grant down, for its device to take.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: the device does not hear of it.
    pub async fn judge<T: Serialize + Sync>(&self, grant: &GrantId, verdict: &T, life: Duration) -> Result<(), StoreUnavailable> {
        self.put(&grant.verdict_key(), verdict, life).await
    }

    /// Takes the verdict about a device grant. A device that asks again within `pause` is told so. One round trip.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: nothing is told.
    pub async fn poll<T: DeserializeOwned>(&self, grant: &GrantId, pause: Duration) -> Result<Polled<T>, StoreUnavailable> {
        let key = grant.verdict_key();
        let (taken, in_time) = self.store.take_and_claim(&key, &grant.asked_key(), pause).await?;
        Ok(match taken.and_then(|sealed| self.reveal(&key, sealed)) {
            Some(verdict) => Polled::Verdict(verdict),
            None if in_time => Polled::Pending,
            None => Polled::TooSoon,
        })
    }

    fn sealed<T: Serialize>(&self, kind: &Key, value: &T) -> Result<Vec<u8>, Unsealed> {
        let plain = serde_json::to_vec(value).map(Zeroizing::new).map_err(|_| Unsealed)?;
        self.keys.seal(kind, &plain)
    }

    /// No word in the log: anybody may send what does not open.
    fn unsealed<T: DeserializeOwned>(&self, kind: &Key, sealed: &[u8]) -> Option<T> {
        serde_json::from_slice(&self.keys.open(kind, sealed.to_vec()).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::seal::SealKeys;
    use super::super::{MemoryStore, SessionId};
    use super::*;

    fn vault() -> Vault {
        Vault::new(Arc::new(MemoryStore::new(1 << 20)), SealKeys::random())
    }

    const LIFE: Duration = Duration::from_mins(1);

    #[test]
    fn w10_a_sealed_code_opens_as_what_it_is_and_nowhere_else() {
        let (vault, other) = (vault(), vault());
        let code = vault.authorization_code(&"mine").unwrap();
        let text = code.expose();
        let again = AuthorizationCode::parse(&text).unwrap();
        assert_eq!(vault.authorized::<String>(&again).as_deref(), Some("mine"));
        assert_ne!(text, vault.authorization_code(&"mine").unwrap().expose());
        assert!(other.authorized::<String>(&again).is_none(), "another gateway's key");
        assert!(vault.of_device::<String>(&DeviceCode::parse(&text).unwrap()).is_none(), "a code of one kind is none of the other");
        for at in 0..text.len() {
            let mut tampered = text.clone().into_bytes();
            tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
            let tampered = AuthorizationCode::parse(std::str::from_utf8(&tampered).unwrap());
            assert!(tampered.is_none_or(|code| vault.authorized::<String>(&code).is_none()), "{at}");
        }
        for bad in ["", "A", "A=", "é", &"A".repeat(LONGEST + 4)] {
            assert!(AuthorizationCode::parse(bad).is_none_or(|code| vault.authorized::<String>(&code).is_none()), "{bad}");
        }
        assert_eq!(format!("{code:?}"), "AuthorizationCode(…)");
    }

    #[test]
    fn a_user_code_is_read_as_people_type_it() {
        let code = UserCode::random();
        let shown = code.to_string();
        assert_eq!((shown.len(), shown.chars().nth(4)), (9, Some('-')));
        for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', ""), format!(" {} ", shown.replace('-', " - "))] {
            assert!(UserCode::parse(&typed) == Some(code.clone()), "{typed}");
        }
        for bad in ["", "BCDF", "BCDF-GHJ", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJ1", "BCDF\nGHJK", "BCDF-GHJÄ", &"B".repeat(10_000)] {
            assert!(UserCode::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{code:?}"), "UserCode(…)");
    }

    #[test]
    fn w10_user_codes_use_the_whole_alphabet_evenly() {
        let mut counts = [0_u32; 26];
        for _ in 0..5000 {
            UserCode::random().0.iter().for_each(|letter| counts[usize::from(letter - b'A')] += 1);
        }
        let used: Vec<_> = counts.iter().filter(|count| **count > 0).collect();
        assert_eq!(used.len(), 20);
        // 2000 of each; seven standard deviations.
        assert!(used.iter().all(|count| (1690..2310).contains(*count)), "{counts:?}");
    }

    #[tokio::test]
    async fn w10_a_device_grant_waits_is_answered_once_and_heard_once() {
        let vault = vault();
        let (code, id) = (UserCode::random(), GrantId::random());
        let pause = Duration::from_millis(300);
        assert_eq!(vault.let_wait(&code, &"grant", LIFE, &[("all", 9)]).await, Ok(Placed::Stored));
        assert_eq!(vault.let_wait(&code, &"other", LIFE, &[("all", 9)]).await, Ok(Placed::Taken));
        assert_eq!(vault.waiting::<String>(&code).await.unwrap().as_deref(), Some("grant"));
        assert_eq!(vault.poll::<String>(&id, pause).await, Ok(Polled::Pending));
        assert_eq!(vault.poll::<String>(&id, pause).await, Ok(Polled::TooSoon));
        assert_eq!(vault.take_waiting::<String>(&code).await.unwrap().as_deref(), Some("grant"));
        assert_eq!(vault.take_waiting::<String>(&code).await.unwrap(), None);
        tokio::time::sleep(pause).await;
        assert_eq!(vault.poll::<String>(&id, pause).await, Ok(Polled::Pending));
        vault.judge(&id, &"yes", LIFE).await.unwrap();
        assert_eq!(vault.poll::<String>(&GrantId::random(), pause).await, Ok(Polled::Pending), "another device hears nothing");
        // The verdict is not lost by asking too soon.
        assert_eq!(vault.poll::<String>(&id, pause).await, Ok(Polled::Verdict("yes".to_owned())));
        assert_eq!(vault.poll::<String>(&id, pause).await, Ok(Polled::TooSoon));
    }

    #[tokio::test]
    async fn w10_a_code_is_used_up_once_and_leads_to_what_it_opened() {
        let vault = vault();
        let (code, other) = (vault.authorization_code(&1).unwrap(), vault.authorization_code(&1).unwrap());
        assert_eq!(vault.claim_code(&code, LIFE).await, Ok(true));
        assert_eq!(vault.claim_code(&code, LIFE).await, Ok(false));
        assert_eq!(vault.claim_code(&other, LIFE).await, Ok(true));
        let session = super::super::vault::tests::session("ana");
        let mut ids = Vec::new();
        for code in [Some(&code), Some(&other), None] {
            ids.push(vault.open_session_by(&session, LIFE, code).await.unwrap());
        }
        let alive = async |id: &SessionId| vault.session_behind(&id.reference(), session.created).await.unwrap().is_some();
        assert_eq!(vault.close_opened(&code).await, Ok(1));
        assert!(!alive(&ids[0]).await && alive(&ids[1]).await && alive(&ids[2]).await);
        assert_eq!(vault.close_opened(&code).await, Ok(0));
        assert!(vault.session_behind(&ids[1].reference(), session.expires).await.unwrap().is_none(), "what is over does not count");
    }
}
