//! What is kept of a success, as bytes in a file.
//!
//! ```text
//! 0 "PCE2"   4 packed u8   5 expires u64 (µs)   13 length u64   21 body   … BLAKE3 of all before it   … use
//! body: fingerprint of what it wrote (32) · result: length u64, all ones for none · frames: stream u8, length u32, bytes
//! use: written u64 (µs), how often it has served u32
//! ```
//!
//! The use is changed in place, so it stands behind the hash: were it damaged, an entry would go earlier or later.

use partitur_model::{RawJson, Timestamp};

use crate::log::Stream;

const MAGIC: &[u8; 4] = b"PCE2";
const HEADER_BYTES: usize = 21;
/// What stands behind the hash.
pub(super) const USE_BYTES: usize = 12;
/// From this size on a body is compressed.
const PACK_BYTES_MIN: usize = 1 << 10;
/// A body that says it is larger is damaged.
const BODY_BYTES_MAX: usize = 256 << 20;
const NO_RESULT: u64 = u64::MAX;

/// What is kept of a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// It does not serve any more from then on.
    pub expires: Timestamp,
    /// Over the files that it wrote: if they are not as it left them, it has to be executed again.
    pub written: [u8; 32],
    /// Its result.
    pub result: Option<RawJson>,
    /// Its output.
    pub output: Vec<(Stream, Vec<u8>)>,
}

impl Entry {
    /// As bytes, written now and not used yet; `None` if it is too large to be kept.
    pub fn encode(&self, now: Timestamp) -> Option<Vec<u8>> {
        let body = self.body();
        if body.len() > BODY_BYTES_MAX {
            return None;
        }
        let packed = (body.len() >= PACK_BYTES_MIN).then(|| zstd::bulk::compress(&body, 1).ok()).flatten();
        let mut bytes = MAGIC.to_vec();
        bytes.push(u8::from(packed.is_some()));
        bytes.extend(self.expires.micros().to_le_bytes());
        bytes.extend((body.len() as u64).to_le_bytes());
        bytes.extend(packed.unwrap_or(body));
        bytes.extend(blake3::hash(&bytes).as_bytes());
        bytes.extend(encode_use(now, 0));
        Some(bytes)
    }

    /// From bytes; `None` if they are damaged or of another version.
    pub fn decode(bytes: &[u8]) -> Option<Entry> {
        let (bytes, _) = bytes.split_last_chunk::<USE_BYTES>()?;
        let (content, hash) = bytes.split_last_chunk::<32>()?;
        if blake3::hash(content) != blake3::Hash::from_bytes(*hash) {
            return None;
        }
        let mut header = Bytes(content);
        if header.take(4)? != MAGIC {
            return None;
        }
        let packed = header.take(1)?[0] == 1;
        let expires = Timestamp::from_micros(header.number()?);
        let length = usize::try_from(header.number()?).ok().filter(|&length| length <= BODY_BYTES_MAX)?;
        match packed {
            true => {
                Entry::from_body(expires, &zstd::bulk::decompress(&content[HEADER_BYTES..], length).ok()?)
            }
            false => Entry::from_body(expires, &content[HEADER_BYTES..]),
        }
    }

    fn body(&self) -> Vec<u8> {
        let mut body = self.written.to_vec();
        match &self.result {
            Some(result) => {
                body.extend((result.as_str().len() as u64).to_le_bytes());
                body.extend(result.as_str().as_bytes());
            }
            None => body.extend(NO_RESULT.to_le_bytes()),
        }
        for (stream, bytes) in &self.output {
            body.push(stream.code());
            body.extend((bytes.len() as u32).to_le_bytes());
            body.extend(bytes);
        }
        body
    }

    fn from_body(expires: Timestamp, body: &[u8]) -> Option<Entry> {
        let mut body = Bytes(body);
        let written = body.take(32)?.try_into().ok()?;
        let result = match body.number()? {
            NO_RESULT => None,
            length => {
                let text = std::str::from_utf8(body.take(usize::try_from(length).ok()?)?).ok()?;
                Some(RawJson::trusted(text))
            }
        };
        let mut output = Vec::new();
        while !body.0.is_empty() {
            let stream = Stream::from_code(body.take(1)?[0])?;
            let length = u32::from_le_bytes(body.take(4)?.try_into().ok()?);
            output.push((stream, body.take(length as usize)?.to_vec()));
        }
        Some(Entry { expires, written, result, output })
    }
}

/// When an entry was written, and how often it has served.
pub(super) fn encode_use(written: Timestamp, count: u32) -> [u8; USE_BYTES] {
    let mut bytes = [0; USE_BYTES];
    bytes[..8].copy_from_slice(&written.micros().to_le_bytes());
    bytes[8..].copy_from_slice(&count.to_le_bytes());
    bytes
}

/// See [`encode_use`].
pub(super) fn decode_use(bytes: &[u8; USE_BYTES]) -> (Timestamp, u32) {
    let mut bytes = Bytes(bytes);
    let written = bytes.number().unwrap_or_default();
    let count = bytes.0.try_into().map_or(0, u32::from_le_bytes);
    (Timestamp::from_micros(written), count)
}

/// Bytes that are taken from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(output: &str) -> Entry {
        Entry {
            expires: Timestamp::from_micros(5),
            written: [7; 32],
            result: Some(RawJson::trusted("{\"a\":0.10}")),
            output: vec![(Stream::Stdout, output.into()), (Stream::Stderr, b"\xff".to_vec())],
        }
    }

    #[test]
    fn an_entry_survives_and_a_large_one_becomes_small() {
        for entry in [
            entry("short"),
            entry(&"long ".repeat(1000)),
            Entry { result: None, output: vec![], ..entry("") },
        ] {
            let bytes = entry.encode(Timestamp::ZERO).unwrap();
            assert!(bytes.len() < 300, "{}", bytes.len());
            assert_eq!(Entry::decode(&bytes), Some(entry));
        }
    }

    #[test]
    fn its_use_survives() {
        let written = Timestamp::from_micros(77);
        assert_eq!(decode_use(&encode_use(written, 5)), (written, 5));
    }

    #[test]
    fn no_damage_goes_unnoticed() {
        let bytes = entry("short").encode(Timestamp::ZERO).unwrap();
        for cut in 0..bytes.len() {
            assert_eq!(Entry::decode(&bytes[..cut]), None, "cut at {cut}");
        }
        for at in 0..bytes.len() - USE_BYTES {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(Entry::decode(&damaged), None, "damaged at {at}");
        }
    }
}
