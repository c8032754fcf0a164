//! A key: an id that may be seen, and a secret of which only a hash is kept.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use blake3::Hash;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::right::{Role, Roles};

/// Separates these hashes from all others.
const CONTEXT: &str = "partitur 2026 the secret of a key";

/// How ids of keys begin, so that a key that got lost can be found by its looks.
pub(super) const ID_PREFIX: &str = "ptk_";

/// What stands in for a person, or for a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bearer {
    /// A person: limited as people are.
    Person,
    /// A program.
    #[default]
    Machine,
}

/// A key, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// Whom it is for.
    pub bearer: Bearer,
    /// What it allows.
    #[serde(with = "role_names")]
    pub roles: Roles,
    #[serde(with = "hex")]
    hash: Hash,
    /// The secret before this one, while it holds still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Previous>,
    /// When it was made, in milliseconds since 1970, as all times here.
    pub created: u64,
    /// From when on it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<u64>,
    /// When it was last used, as far as this process knows.
    #[serde(skip)]
    used: AtomicU64,
    /// A later form of it has taken its place.
    #[serde(skip)]
    replaced: AtomicBool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Previous {
    #[serde(with = "hex")]
    hash: Hash,
    until: u64,
}

/// A key that is wanted.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// For people.
    pub name: String,
    /// Whom it is for.
    pub bearer: Bearer,
    /// What it allows.
    pub roles: Roles,
    /// From when on it does not hold.
    pub expires: Option<u64>,
}

/// A secret, shown once: to whoever has asked for the key.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// One that nobody can guess.
    pub fn random() -> Secret {
        Secret(Hash::from_bytes(random_bytes()).to_hex().to_string())
    }

    /// Its text.
    pub fn show(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> Hash {
        hash(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

fn hash(secret: &str) -> Hash {
    Hash::from_bytes(blake3::derive_key(CONTEXT, secret.as_bytes()))
}

pub(super) fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    assert_eq!(
        filled.expect("the kernel has random bytes once it has started"),
        bytes.len(),
        "so few bytes come at once"
    );
    bytes
}

impl Key {
    /// A key that did not exist before, and its secret.
    pub fn new(wanted: NewKey, now: u64) -> (Key, Secret) {
        let secret = Secret::random();
        let id = format!("{ID_PREFIX}{}", &Hash::from_bytes(random_bytes()).to_hex()[..16]);
        let key = Key {
            id,
            name: wanted.name,
            bearer: wanted.bearer,
            roles: wanted.roles,
            hash: secret.hash(),
            previous: None,
            created: now,
            expires: wanted.expires,
            revoked: None,
            used: AtomicU64::default(),
            replaced: AtomicBool::default(),
        };
        (key, secret)
    }

    /// Id and secret in one text, for those who have room for one only.
    pub fn whole(&self, secret: &Secret) -> String {
        format!("{}.{}", self.id, secret.show())
    }

    /// The same with another secret; the old one holds until then.
    #[must_use]
    pub fn rotated(&self, old_until: u64) -> (Key, Secret) {
        let secret = Secret::random();
        let previous = Some(Previous { hash: self.hash, until: old_until });
        (Key { hash: secret.hash(), previous, ..self.again() }, secret)
    }

    /// The same, revoked; what was revoked before stays so.
    #[must_use]
    pub fn revoked(&self, now: u64) -> Key {
        Key { revoked: self.revoked.or(Some(now)), previous: None, ..self.again() }
    }

    fn again(&self) -> Key {
        Key {
            id: self.id.clone(),
            name: self.name.clone(),
            previous: self.previous.clone(),
            used: AtomicU64::new(self.used.load(Ordering::Relaxed)),
            replaced: AtomicBool::default(),
            ..*self
        }
    }

    /// Whether it holds at all.
    pub fn is_live(&self, now: u64) -> bool {
        self.revoked.is_none() && !self.is_expired(now)
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether this is its secret. Takes as long for a wrong one as for the right one.
    pub(super) fn is_secret(&self, secret: &str, now: u64) -> bool {
        let asked = hash(secret);
        self.hashes(now).fold(false, |known, hash| known | (hash == asked))
    }

    /// The hashes of the secrets that hold.
    pub(super) fn hashes(&self, now: u64) -> impl Iterator<Item = Hash> {
        let previous = self.previous.as_ref().filter(|previous| previous.until > now);
        std::iter::once(self.hash).chain(previous.map(|previous| previous.hash))
    }

    pub(super) fn use_now(&self, now: u64) {
        self.used.store(now, Ordering::Relaxed);
    }

    /// When it was last used, if this process has seen that.
    pub fn last_used(&self) -> Option<u64> {
        Some(self.used.load(Ordering::Relaxed)).filter(|&used| used > 0)
    }

    /// What may be told of it.
    pub fn told(&self, now: u64) -> Value {
        let state = match (self.revoked, self.is_expired(now)) {
            (Some(_), _) => "revoked",
            (None, true) => "expired",
            (None, false) => "live",
        };
        json!({
            "id": self.id,
            "name": self.name,
            "person": self.bearer == Bearer::Person,
            "roles": self.roles.iter().map(Role::name).collect::<Vec<_>>(),
            "state": state,
            "created": self.created,
            "expires": self.expires,
            "revoked": self.revoked,
            "lastUsed": self.last_used(),
        })
    }

    /// What is told once, to whoever has asked for it.
    pub fn told_with(&self, secret: &Secret, now: u64) -> Value {
        let mut told = self.told(now);
        told["secret"] = secret.show().into();
        told["key"] = self.whole(secret).into();
        told
    }

    pub(super) fn replace(&self) {
        self.replaced.store(true, Ordering::Release);
    }

    /// Whether a later form of it has taken its place.
    pub(super) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Acquire)
    }
}

/// As sixty-four digits.
mod hex {
    use blake3::Hash;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hash.to_hex())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        let text = String::deserialize(deserializer)?;
        Hash::from_hex(text).map_err(D::Error::custom)
    }
}

/// As a list of their names.
mod role_names {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::{Role, Roles};

    pub fn serialize<S: Serializer>(roles: &Roles, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(roles.iter().map(Role::name))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Roles, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let roles = names.iter().map(|name| name.parse::<Role>()).collect::<Result<Vec<_>, _>>();
        roles.map(Roles::new).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> (Key, Secret) {
        let roles = Roles::new([Role::Worker]);
        Key::new(NewKey { name: "w".into(), bearer: Bearer::Machine, roles, expires: Some(100) }, 1)
    }

    #[test]
    fn what_is_kept_of_a_key_does_not_hold_its_secret() {
        let (key, secret) = key();
        let kept = serde_json::to_string(&key).unwrap();
        assert!(!kept.contains(secret.show()));
        let read: Key = serde_json::from_str(&kept).unwrap();
        assert!(read.is_secret(secret.show(), 2));
        assert!(!read.is_secret(&secret.show().to_uppercase(), 2));
        assert!(!read.is_secret("", 2));
        assert_eq!((read.roles, read.expires), (key.roles, Some(100)));
        assert!(!format!("{key:?} {secret:?}").contains(secret.show()));
    }

    #[test]
    fn a_key_holds_until_its_time_is_over_or_it_is_revoked() {
        let (key, _) = key();
        assert!(key.is_live(99) && !key.is_live(100));
        assert!(!key.revoked(50).is_live(50));
        assert_eq!(key.revoked(50).revoked(60).revoked, Some(50));
    }

    #[test]
    fn the_old_secret_holds_for_as_long_as_was_said() {
        let (key, old) = key();
        let (rotated, new) = key.rotated(20);
        assert!(rotated.is_secret(new.show(), 10) && rotated.is_secret(old.show(), 19));
        assert!(rotated.is_secret(new.show(), 30) && !rotated.is_secret(old.show(), 20));
        let (again, newer) = rotated.rotated(0);
        assert!(again.is_secret(newer.show(), 1) && !again.is_secret(new.show(), 1));
    }
}
