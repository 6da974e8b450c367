//! What was fetched before and is still good: credentials and the list of roles, sealed.
//!
//! Each file is sealed with AES-256-GCM under a key that is derived (HKDF-SHA-256, RFC 5869) from the session's token for that file alone. So the
//! cache needs no secret of its own, opens for nobody who has not the session, and is worth nothing once another session has begun.

use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::gateway_url::GatewayUrl;
use super::keeper::{Token, short_hash};
use super::places::{self, Places};
use super::trouble::Trouble;

const SALT: &[u8] = b"rolegate client cache 1";
const NONCE: usize = aws_lc_rs::aead::NONCE_LEN;

/// Files of one gateway and one session.
#[derive(Debug)]
pub(super) struct Cache<'a> {
    folder: PathBuf,
    gateway: &'a GatewayUrl,
    token: &'a Token,
}

#[derive(Serialize, Deserialize)]
struct Record<T> {
    /// What it is: a hash of a name could be that of another.
    name: String,
    value: T,
}

impl<'a> Cache<'a> {
    pub(super) fn new(places: &Places, gateway: &'a GatewayUrl, token: &'a Token) -> Self {
        Self { folder: places.cache.join(short_hash(gateway.as_str())), gateway, token }
    }

    /// What was put under a name by this session; nothing if that is not there or does not open.
    pub(super) fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let mut bytes = places::read(&self.path(name)).ok()??;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE)?;
        let nonce = aws_lc_rs::aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.key(name)?.open_in_place(nonce, Aad::empty(), sealed).ok()?;
        let record: Record<T> = serde_json::from_slice(opened).ok()?;
        (record.name == name).then_some(record.value)
    }

    /// Keeps a value. Without a cache everything works, only slower: who cannot write is told and goes on.
    pub(super) fn put<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Trouble> {
        let record = Record { name: name.to_owned(), value };
        let Ok(mut sealed) = serde_json::to_vec(&record) else { return Ok(()) };
        let Some(nonce) = self.key(name).and_then(|key| key.seal_in_place_append_tag(Aad::empty(), &mut sealed).ok()) else {
            return Ok(());
        };
        places::write(&self.path(name), &[nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// A lock that belongs to a name.
    pub(super) fn lock(&self, name: &str) -> Result<std::fs::File, Trouble> {
        places::lock(&self.path(name).with_extension("lock"), || ())
    }

    /// Removes all that is kept for the gateway. Locks stay: another process may hold one.
    pub(super) fn clear(places: &Places, gateway: &GatewayUrl) {
        let files = std::fs::read_dir(places.cache.join(short_hash(gateway.as_str())));
        let is_lock = |path: &Path| path.extension().is_some_and(|extension| extension == "lock");
        for file in files.into_iter().flatten().flatten().filter(|file| !is_lock(&file.path())) {
            // What stays behind is sealed and of no use.
            let _ = std::fs::remove_file(file.path());
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(short_hash(name))
    }

    fn key(&self, name: &str) -> Option<RandomizedNonceKey> {
        let prk = Salt::new(HKDF_SHA256, SALT).extract(self.token.expose().as_bytes());
        let info = [self.gateway.as_str().as_bytes(), b"\0", name.as_bytes()];
        let mut key = secrecy::SecretBox::new(Box::new([0_u8; 32]));
        prk.expand(&info, HKDF_SHA256).ok()?.fill(secrecy::ExposeSecretMut::expose_secret_mut(&mut key)).ok()?;
        RandomizedNonceKey::new(&AES_256_GCM, secrecy::ExposeSecret::expose_secret(&key)).ok()
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    #[test]
    fn what_is_kept_opens_for_its_session_its_gateway_and_its_name_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let places = Places { settings: at("client.toml"), state: at("state"), cache: at("cache"), home: folder.path().into() };
        let token = |filling| Token::parse(&format!("rgs_{}", BASE64URL_NOPAD.encode(&[filling; 32]))).unwrap();
        let (one, another) = (token(1), token(2));
        let gateway: GatewayUrl = "https://one.example".parse().unwrap();
        let cache = Cache::new(&places, &gateway, &one);
        assert_eq!(cache.get::<String>("credentials"), None);
        cache.put("credentials", &"canary-secret").unwrap();
        assert_eq!(cache.get::<String>("credentials").unwrap(), "canary-secret");
        assert_eq!(Cache::new(&places, &gateway, &another).get::<String>("credentials"), None);
        // Moved to another name.
        std::fs::copy(cache.path("credentials"), cache.path("roles")).unwrap();
        assert_eq!(cache.get::<String>("roles"), None);
        let bytes = std::fs::read(cache.path("credentials")).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("canary"));
        for at in [0, NONCE, bytes.len() - 1] {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            std::fs::write(cache.path("credentials"), altered).unwrap();
            assert_eq!(cache.get::<String>("credentials"), None, "altered at {at}");
        }
        for length in [0, NONCE - 1, NONCE, bytes.len() - 1] {
            std::fs::write(cache.path("credentials"), &bytes[..length]).unwrap();
            assert_eq!(cache.get::<String>("credentials"), None, "cut to {length}");
        }
        cache.put("credentials", &"again").unwrap();
        let other: GatewayUrl = "https://other.example".parse().unwrap();
        Cache::clear(&places, &other);
        assert!(cache.get::<String>("credentials").is_some());
        Cache::clear(&places, &gateway);
        assert!(cache.get::<String>("credentials").is_none());
    }
}
