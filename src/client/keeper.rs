//! Keeps the session with a gateway: in the system's keyring, or where there is none in a file that says so by its place and mode.
//!
//! AWS credentials are never kept here; the cache of them is sealed under a key that is derived from the session (`cache`).

use std::fmt;
use std::path::PathBuf;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use keyring::{Entry, Error};
use secrecy::{ExposeSecret, SecretString};

use super::gateway_url::GatewayUrl;
use super::places::{self, Places};
use super::trouble::{Kind, Trouble};

/// The name under which the keyring knows us.
const SERVICE: &str = "rolegate";

/// A session with a gateway: `rgs_` and 32 bytes in base64url. A secret; prints nothing.
#[derive(Clone)]
pub(super) struct Token(SecretString);

impl Token {
    /// Reads a token; none if it has not the shape of one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.strip_prefix("rgs_")?.as_bytes()).ok()?;
        (bytes.len() == 32).then(|| Self(SecretString::from(text.to_owned())))
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.expose().as_bytes(), other.expose().as_bytes()).is_ok()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Where the session with one gateway is kept.
#[derive(Debug)]
pub(super) struct Keeper {
    gateway: GatewayUrl,
    file: PathBuf,
    use_keyring: bool,
}

/// Where a session was put.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    InKeyring,
    /// In a file, and why.
    InFile {
        path: PathBuf,
        why: String,
    },
}

impl Keeper {
    pub(super) fn new(places: &Places, gateway: &GatewayUrl, use_keyring: bool) -> Self {
        let file = places.state.join(format!("session-{}", short_hash(gateway.as_str())));
        Self { gateway: gateway.clone(), file, use_keyring }
    }

    /// The session, if there is one. The file is looked at first: if it is there, there was no keyring at the last sign-in.
    pub(super) fn read(&self) -> Result<Option<Token>, Trouble> {
        if let Some(bytes) = places::read_secret(&self.file)? {
            return Ok(Token::parse(String::from_utf8_lossy(&bytes).trim()));
        }
        if !self.use_keyring {
            return Ok(None);
        }
        match self.entry().and_then(|entry| entry.get_password()) {
            Ok(text) => Ok(Token::parse(&text)),
            // Without a keyring nothing was ever put there.
            Err(Error::NoEntry | Error::NoDefaultStore) => Ok(None),
            Err(error) => {
                let advice = "unlock the keyring, or set `keyring = false` in client.toml and sign in again: the session is then in a file";
                Err(Trouble::yours(Kind::SignIn, format!("The keyring does not give the session: {error}."), advice))
            }
        }
    }

    /// Keeps a session in place of what was kept before.
    pub(super) fn write(&self, token: &Token) -> Result<Kept, Trouble> {
        let why = if self.use_keyring {
            match self.entry().and_then(|entry| entry.set_password(token.expose())) {
                Ok(()) => {
                    places::remove(&self.file)?;
                    return Ok(Kept::InKeyring);
                }
                Err(Error::NoDefaultStore) => "there is no keyring here".to_owned(),
                Err(error) => format!("the keyring does not take it: {error}"),
            }
        } else {
            "client.toml says `keyring = false`".to_owned()
        };
        places::write(&self.file, token.expose().as_bytes())?;
        Ok(Kept::InFile { path: self.file.clone(), why })
    }

    /// Forgets the session, wherever it is.
    pub(super) fn forget(&self) -> Result<(), Trouble> {
        places::remove(&self.file)?;
        if !self.use_keyring {
            return Ok(());
        }
        match self.entry().and_then(|entry| entry.delete_credential()) {
            Ok(()) | Err(Error::NoEntry | Error::NoDefaultStore) => Ok(()),
            Err(error) => Err(Trouble::yours(
                Kind::Other,
                format!("The keyring still has the session, which has ended: {error}."),
                "remove the entry `rolegate` from the keyring",
            )),
        }
    }

    fn entry(&self) -> Result<Entry, Error> {
        Entry::new(SERVICE, self.gateway.as_str())
    }
}

/// A short name that stands for a longer one in file names.
pub(super) fn short_hash(text: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    HEXLOWER.encode(hash.as_ref().get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn token(filling: u8) -> Token {
        Token::parse(&format!("rgs_{}", BASE64URL_NOPAD.encode(&[filling; 32]))).unwrap()
    }

    #[test]
    fn a_token_has_its_shape_and_prints_nothing() {
        let good = token(7);
        assert!(good == token(7) && good != token(8));
        assert_eq!(format!("{good:?}"), "Token(…)");
        for bad in [
            "",
            "rgs_",
            "rgs_abc",
            good.expose().strip_prefix("rgs_").unwrap(),
            &format!("{}\r\nX-Evil: 1", good.expose()),
            &format!("{}=", good.expose()),
        ] {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn without_a_keyring_the_session_is_in_a_file_of_its_gateway() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let places = Places { settings: at("client.toml"), state: at("state"), cache: at("cache"), home: folder.path().into() };
        let keeper = |url: &str| Keeper::new(&places, &url.parse().unwrap(), false);
        let (one, other) = (keeper("https://one.example"), keeper("https://other.example"));
        assert_eq!(one.read().unwrap(), None);
        let Kept::InFile { path, why } = one.write(&token(1)).unwrap() else { panic!("there is no keyring") };
        assert!(path.starts_with(at("state")) && why.contains("keyring = false"), "{path:?} {why}");
        assert_eq!((one.read().unwrap(), other.read().unwrap()), (Some(token(1)), None));
        std::fs::write(&path, "something else").unwrap();
        assert_eq!(one.read().unwrap(), None);
        one.forget().unwrap();
        assert!(!path.exists());
    }
}
