//! Tokens: what a key is exchanged for. Signed with a secret of this server, and with the secret of the key.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use blake3::Hash;

use super::key::{Key, random_bytes};

/// How tokens begin.
pub(super) const PREFIX: &str = "ptt_";

/// What this server signs with.
#[derive(Clone)]
pub struct Signature {
    secret: [u8; 32],
}

/// A token, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// The id of its key.
    pub key: &'a str,
    /// In milliseconds since 1970.
    pub expires: u64,
    mark: Hash,
}

impl Signature {
    /// That of this directory, made if there is none; only its owner may read it.
    ///
    /// # Errors
    /// The file cannot be read or written, or holds something else.
    pub fn of(path: &Path) -> io::Result<Signature> {
        match std::fs::read(path) {
            Ok(bytes) => {
                let secret = bytes.try_into().map_err(|_| io::Error::other("it does not hold 32 bytes"))?;
                Ok(Signature { secret })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Signature::write(path),
            Err(error) => Err(error),
        }
    }

    fn write(path: &Path) -> io::Result<Signature> {
        let signature = Signature::random();
        // Whole or not at all: half a secret would keep the server from starting.
        let draft = path.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&signature.secret)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)?;
        Ok(signature)
    }

    /// One that nobody else has.
    pub fn random() -> Signature {
        Signature { secret: random_bytes() }
    }

    /// A token for a key that holds until then.
    pub(super) fn token(&self, key: &Key, expires: u64) -> String {
        let hash = key.hashes(0).next().expect("a key has a secret");
        let mark = self.mark(&key.id, expires, hash).to_hex();
        format!("{PREFIX}{}.{expires:x}.{mark}", key.id)
    }

    /// Whether the token was given by us, for this key, for a secret that holds still.
    pub(super) fn is_ours(&self, token: &Token<'_>, key: &Key, now: u64) -> bool {
        key.hashes(now)
            .fold(false, |known, hash| known | (self.mark(&key.id, token.expires, hash) == token.mark))
    }

    fn mark(&self, key: &str, expires: u64, hash: Hash) -> Hash {
        blake3::keyed_hash(&self.secret, format!("{key}.{expires:x}.{}", hash.to_hex()).as_bytes())
    }
}

impl<'a> Token<'a> {
    /// A text that looks like one.
    pub fn read(text: &'a str) -> Option<Token<'a>> {
        let mut parts = text.strip_prefix(PREFIX)?.split('.');
        let (key, expires, mark) = (parts.next()?, parts.next()?, parts.next()?);
        let is_digits = expires.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let expires = u64::from_str_radix(expires, 16).ok().filter(|_| is_digits)?;
        let mark = Hash::from_hex(mark).ok()?;
        parts.next().is_none().then_some(Token { key, expires, mark })
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::{Bearer, NewKey};
    use super::super::right::{Role, Roles};
    use super::*;

    fn key() -> Key {
        let roles = Roles::new([Role::Viewer]);
        Key::new(NewKey { name: "k".into(), bearer: Bearer::Machine, roles, expires: None }, 1).0
    }

    #[test]
    fn a_token_is_ours_for_its_key_and_its_time_alone() {
        let (signature, key) = (Signature::random(), key());
        let text = signature.token(&key, 500);
        let token = Token::read(&text).unwrap();
        assert!(signature.is_ours(&token, &key, 1));
        assert!(!Signature::random().is_ours(&token, &key, 1), "another server's");
        assert!(!signature.is_ours(&Token { expires: 501, ..token }, &key, 1), "a longer time");
        assert!(!signature.is_ours(&token, &self::key(), 1), "another key's");
        assert!(!signature.is_ours(&token, &key.rotated(0).0, 1), "given for the secret before");
        assert!(signature.is_ours(&token, &key.rotated(10).0, 9), "which holds a little longer");
    }

    #[test]
    fn what_does_not_look_like_a_token_is_none() {
        let text = Signature::random().token(&key(), 500);
        for bad in
            ["", "ptt_", "ptt_a.b", "ptt_a.+1.00", &text[1..], &text[..text.len() - 1], &format!("{text}.x")]
        {
            assert_eq!(Token::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_signature_lasts_longer_than_its_process_and_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.key");
        let first = Signature::of(&path).unwrap();
        assert_eq!(first.secret, Signature::of(&path).unwrap().secret);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "short").unwrap();
        assert!(Signature::of(&path).is_err());
    }
}
