//! All keys, in memory as they are on the disk, and who a credential belongs to.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderName};
use partitur_model::Timestamp;
use partitur_model::catalogue::{Entry, EntryKind};
use partitur_model::value::RawJson;

use super::key::{ID_PREFIX, Key, NewKey, Secret};
use super::right::Role;
use super::signature::{Signature, Token};

/// So many keys there may be.
const KEYS_MAX: usize = 10_000;

/// A name has at most so many characters.
const NAME_MAX: usize = 200;

/// All keys.
pub struct Keys {
    by_id: RwLock<BTreeMap<Arc<str>, Arc<Key>>>,
    signature: Signature,
}

/// Why a credential is none. The order is that of the reasons in the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is none.
    Missing,
    /// It is not what a credential looks like, or there are several.
    Malformed,
    /// There is no such key, or this is not its secret.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

/// Why a key is not made or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// There is none.
    #[error("there is no key `{0}`")]
    Unknown(String),
    /// It was revoked.
    #[error("the key `{0}` was revoked")]
    Revoked(String),
    /// No more.
    #[error("there are {KEYS_MAX} keys already")]
    TooMany,
    /// A wish that makes no sense.
    #[error("{0}")]
    Wish(String),
}

/// Where a credential may stand.
static HEADERS: [HeaderName; 3] =
    [HeaderName::from_static("x-authorization"), AUTHORIZATION, HeaderName::from_static("x-api-key")];

impl Keys {
    /// None yet.
    pub fn new(signature: Signature) -> Keys {
        Keys { by_id: RwLock::default(), signature }
    }

    /// Takes over what is durable. A key that cannot be read is none.
    pub fn learn(&self, entries: &[Entry]) {
        let keys = entries.iter().filter(|entry| entry.kind == EntryKind::Key);
        for entry in keys {
            let key = entry.body.as_ref().and_then(|body| serde_json::from_str::<Key>(body.as_str()).ok());
            let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
            let old = match key {
                Some(key) => by_id.insert(entry.name.clone(), Arc::new(key)),
                None => by_id.remove(&entry.name),
            };
            if let Some(old) = old {
                old.replace();
            }
        }
    }

    /// All of them, by id.
    pub fn all(&self) -> Vec<Arc<Key>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn get(&self, id: &str) -> Option<Arc<Key>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// Whether anybody may administer.
    pub fn has_admin(&self, now: u64) -> bool {
        self.all().iter().any(|key| key.is_live(now) && key.roles.iter().any(|role| role == Role::Admin))
    }

    /// Whose credential a request has.
    ///
    /// # Errors
    /// It has none that holds.
    pub fn identify(&self, headers: &HeaderMap, now: u64) -> Result<Arc<Key>, Refused> {
        let key = self.whose(credential(headers)?, now)?;
        key.use_now(now);
        Ok(key)
    }

    fn whose(&self, credential: &str, now: u64) -> Result<Arc<Key>, Refused> {
        if let Some(token) = Token::read(credential) {
            let key = self.get(token.key).ok_or(Refused::Unknown)?;
            // Whoever shows what we have not given learns nothing of how the key stands.
            if !self.signature.is_ours(&token, &key, now) {
                return Err(Refused::Unknown);
            }
            return if token.expires <= now { Err(Refused::Expired) } else { live(key, now) };
        }
        if !credential.starts_with(ID_PREFIX) {
            return Err(Refused::Malformed);
        }
        let (id, secret) = credential.split_once('.').ok_or(Refused::Malformed)?;
        self.with_secret(id, secret, now)
    }

    /// The key with this id, if that is its secret.
    ///
    /// # Errors
    /// It is not, or the key does not hold.
    pub fn with_secret(&self, id: &str, secret: &str, now: u64) -> Result<Arc<Key>, Refused> {
        let key = self.get(id).ok_or(Refused::Unknown)?;
        if !key.is_secret(secret, now) {
            return Err(Refused::Unknown);
        }
        live(key, now)
    }

    /// A token for a key, for so many milliseconds, and not longer than the key holds.
    pub fn token(&self, key: &Key, now: u64, lifetime: u64) -> String {
        let expires = now.saturating_add(lifetime);
        self.signature.token(key, key.expires.map_or(expires, |end| end.min(expires)))
    }

    /// What is to be kept for a new key, and its secret.
    ///
    /// # Errors
    /// The wish makes no sense, or there are too many.
    pub fn create(&self, wanted: NewKey, now: Timestamp) -> Result<(Entry, Key, Secret), KeysError> {
        if wanted.name.is_empty() || wanted.name.chars().count() > NAME_MAX {
            return Err(KeysError::Wish(format!("a name has 1 to {NAME_MAX} characters")));
        }
        if wanted.name.chars().any(char::is_control) {
            return Err(KeysError::Wish("a name has no control characters".to_owned()));
        }
        if wanted.roles.iter().next().is_none() {
            return Err(KeysError::Wish("a key has at least one role".to_owned()));
        }
        if wanted.expires.is_some_and(|expires| expires <= now.millis()) {
            return Err(KeysError::Wish("the time of the key would be over already".to_owned()));
        }
        if self.by_id.read().unwrap_or_else(PoisonError::into_inner).len() >= KEYS_MAX {
            return Err(KeysError::TooMany);
        }
        let (key, secret) = Key::new(wanted, now.millis());
        Ok((entry(&key, now), key, secret))
    }

    /// What is to be kept for a revoked key.
    ///
    /// # Errors
    /// There is none.
    pub fn revoke(&self, id: &str, now: Timestamp) -> Result<Entry, KeysError> {
        let key = self.get(id).ok_or_else(|| KeysError::Unknown(id.to_owned()))?;
        Ok(entry(&key.revoked(now.millis()), now))
    }

    /// What is to be kept for a key with a new secret; the old one holds for so many more milliseconds.
    ///
    /// # Errors
    /// There is none, or it was revoked.
    pub fn rotate(&self, id: &str, now: Timestamp, overlap: u64) -> Result<(Entry, Key, Secret), KeysError> {
        let key = self.get(id).ok_or_else(|| KeysError::Unknown(id.to_owned()))?;
        if key.revoked.is_some() {
            return Err(KeysError::Revoked(id.to_owned()));
        }
        let (key, secret) = key.rotated(now.millis().saturating_add(overlap));
        Ok((entry(&key, now), key, secret))
    }
}

fn live(key: Arc<Key>, now: u64) -> Result<Arc<Key>, Refused> {
    if key.revoked.is_some() {
        return Err(Refused::Revoked);
    }
    if key.is_expired(now) { Err(Refused::Expired) } else { Ok(key) }
}

fn entry(key: &Key, now: Timestamp) -> Entry {
    let text = serde_json::to_string(key).expect("a key has text for keys");
    Entry {
        kind: EntryKind::Key,
        name: Arc::from(key.id.as_str()),
        version: 0,
        body: Some(RawJson::trusted(text)),
        created: Timestamp::from_millis(key.created),
        updated: now,
    }
}

/// The one credential of a request.
fn credential(headers: &HeaderMap) -> Result<&str, Refused> {
    let mut found = None;
    for name in &HEADERS {
        for value in headers.get_all(name) {
            let text = value.to_str().map_err(|_| Refused::Malformed)?;
            // Two of them might be read in two ways.
            if found.replace((name, text)).is_some() {
                return Err(Refused::Malformed);
            }
        }
    }
    let (name, text) = found.ok_or(Refused::Missing)?;
    let bare = bearer(text);
    let credential =
        if name == AUTHORIZATION { bare.ok_or(Refused::Malformed)? } else { bare.unwrap_or(text) };
    Ok(credential.trim())
}

fn bearer(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::super::key::Bearer;
    use super::super::right::Roles;
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn keys() -> (Keys, Key, Secret) {
        let keys = Keys::new(Signature::random());
        let roles = Roles::new([Role::Worker]);
        let wanted = NewKey { name: "w".into(), bearer: Bearer::Machine, roles, expires: Some(9_000) };
        let (entry, key, secret) = keys.create(wanted, NOW).unwrap();
        keys.learn(&[entry]);
        (keys, key, secret)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_key_and_its_token_are_taken_wherever_clients_put_them() {
        let (keys, key, secret) = keys();
        let whole = key.whole(&secret);
        let token = keys.token(&key, 1_000, 500);
        for credential in [whole, token] {
            let bearer = format!("Bearer {credential}");
            for pair in [
                ("x-authorization", credential.as_str()),
                ("x-api-key", &credential),
                ("authorization", &bearer),
                ("x-authorization", &bearer),
            ] {
                assert_eq!(keys.identify(&headers(&[pair]), 1_200).unwrap().id, key.id, "{pair:?}");
            }
        }
        assert_eq!(keys.all()[0].last_used(), Some(1_200));
    }

    #[test]
    fn each_credential_that_does_not_hold_has_its_reason() {
        let (keys, key, secret) = keys();
        let (foreign, other, other_secret) = self::keys();
        let whole = key.whole(&secret);
        let token = keys.token(&key, 1_000, 500);
        let asked = |pairs: &[(&'static str, &str)], now| keys.identify(&headers(pairs), now).unwrap_err();
        let alone = |credential: &str, now| asked(&[("x-authorization", credential)], now);
        assert_eq!(asked(&[], 1), Refused::Missing);
        assert_eq!(alone("", 1), Refused::Malformed);
        assert_eq!(alone("eyJhbGciOiJub25lIn0.e30.", 1), Refused::Malformed);
        assert_eq!(asked(&[("authorization", "Basic YTpi")], 1), Refused::Malformed);
        assert_eq!(asked(&[("x-api-key", &whole), ("x-authorization", &whole)], 1), Refused::Malformed);
        assert_eq!(alone(&other.whole(&other_secret), 1), Refused::Unknown);
        assert_eq!(alone(&format!("{}.{}", key.id, other_secret.show()), 1), Refused::Unknown);
        assert_eq!(alone(&foreign.token(&other, 1_000, 500), 1), Refused::Unknown);
        assert_eq!(alone(&token.replacen(&key.id, &other.id, 1), 1), Refused::Unknown);
        assert_eq!(alone(&token, 1_500), Refused::Expired);
        assert_eq!(alone(&whole, 9_000), Refused::Expired);
        assert_eq!(
            alone(&keys.token(&key, 1_000, u64::MAX), 9_000),
            Refused::Expired,
            "not longer than its key"
        );
        keys.learn(&[keys.revoke(&key.id, NOW).unwrap()]);
        assert_eq!(alone(&whole, 1_001), Refused::Revoked);
        assert_eq!(alone(&token, 1_001), Refused::Revoked);
    }

    #[test]
    fn whoever_waits_under_a_key_sees_that_it_is_gone() {
        let (keys, key, secret) = keys();
        let waiting = keys.with_secret(&key.id, secret.show(), 1_000).unwrap();
        assert!(!waiting.is_replaced());
        keys.learn(&[keys.revoke(&key.id, NOW).unwrap()]);
        assert!(waiting.is_replaced());
    }

    #[test]
    fn wishes_that_make_no_sense_are_refused() {
        let (keys, ..) = keys();
        let wish = |name: &str, roles: &[Role], expires| {
            let roles = Roles::new(roles.iter().copied());
            keys.create(NewKey { name: name.into(), bearer: Bearer::Person, roles, expires }, NOW).is_err()
        };
        assert!(wish("", &[Role::Admin], None));
        assert!(wish("a\nb", &[Role::Admin], None));
        assert!(wish(&"a".repeat(201), &[Role::Admin], None));
        assert!(wish("a", &[], None));
        assert!(wish("a", &[Role::Admin], Some(1_000)));
        assert!(!wish("a", &[Role::Admin], Some(1_001)));
    }
}
