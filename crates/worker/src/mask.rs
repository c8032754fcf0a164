//! Hides secrets in output, at the one place through which all output goes.
//!
//! A secret is hidden as it is and in the forms that programs commonly give it: base64 (wherever in a longer text it
//! was encoded), URL-encoded, JSON-escaped, in hexadecimal, and each line of one that has several. This protects
//! against accidents. A program that wants to betray its secret can.

use aho_corasick::{AhoCorasick, MatchKind};

/// What is shown instead.
const MASK: &[u8] = b"***";

/// Shorter values and parts are not hidden: they would blot out half of every output and protect nothing.
const PART_BYTES_MIN: usize = 4;

/// Finds the secrets of one attempt.
#[derive(Debug)]
pub(crate) struct Masker {
    finder: AhoCorasick,
    patterns: Vec<Vec<u8>>,
    longest: usize,
}

impl Masker {
    /// For these values; `None` if there is nothing to hide.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Masker> {
        let mut patterns: Vec<Vec<u8>> = values.into_iter().flat_map(forms).collect();
        patterns.retain(|pattern| pattern.len() >= PART_BYTES_MIN);
        patterns.sort();
        patterns.dedup();
        let longest = patterns.iter().map(Vec::len).max()?;
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns);
        Some(Masker { finder: finder.expect("a few short patterns"), patterns, longest })
    }

    /// A whole text, masked.
    pub fn mask(&self, text: &[u8]) -> Vec<u8> {
        let mut masked = Vec::with_capacity(text.len());
        self.replace(text, text.len(), &mut masked);
        masked
    }

    /// A whole text, masked.
    pub fn mask_text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.mask(text.as_bytes())).into_owned()
    }

    /// Masks `text` up to `keep_from`, or further if a secret lies across it; tells how far.
    fn replace(&self, text: &[u8], keep_from: usize, out: &mut Vec<u8>) -> usize {
        let mut done = 0;
        for found in self.finder.find_iter(text).take_while(|found| found.start() < keep_from) {
            out.extend_from_slice(&text[done..found.start()]);
            out.extend_from_slice(MASK);
            done = found.end();
        }
        if done < keep_from {
            out.extend_from_slice(&text[done..keep_from]);
            done = keep_from;
        }
        done
    }

    /// Where the longest end of `text` begins that may be the beginning of a secret.
    fn doubtful_from(&self, text: &[u8]) -> usize {
        let earliest = text.len().saturating_sub(self.longest - 1);
        let doubtful = |at: &usize| self.patterns.iter().any(|pattern| pattern.starts_with(&text[*at..]));
        (earliest..text.len()).find(doubtful).unwrap_or(text.len())
    }
}

/// One stream of an attempt, masked as it comes. What may be the beginning of a secret is held back until the rest
/// shows.
#[derive(Debug, Default)]
pub(crate) struct MaskedStream {
    held: Vec<u8>,
}

impl MaskedStream {
    /// The next bytes.
    pub fn push(&mut self, masker: &Masker, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let mut out = Vec::with_capacity(self.held.len());
        let done = masker.replace(&self.held, masker.doubtful_from(&self.held), &mut out);
        self.held.drain(..done);
        out
    }

    /// There are no more.
    pub fn finish(&mut self, masker: &Masker) -> Vec<u8> {
        masker.mask(&std::mem::take(&mut self.held))
    }
}

/// The forms in which a value may turn up.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    let lines = value.lines().map(str::trim).filter(|line| *line != value);
    for part in std::iter::once(value).chain(std::iter::once(value.trim())).chain(lines) {
        if part.len() < PART_BYTES_MIN {
            continue;
        }
        let bytes = part.as_bytes();
        forms.push(bytes.to_vec());
        forms.extend(base64_forms(bytes));
        forms.extend(url_forms(bytes));
        forms.extend(json_forms(part));
        forms.push(bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect());
        forms.push(bytes.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect());
    }
    forms
}

/// What is certain of the base64 of a text that contains the value: at each of the three places where it may begin
/// within a group of three bytes, without the characters that it shares with its neighbours.
fn base64_forms(value: &[u8]) -> Vec<Vec<u8>> {
    const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut forms = Vec::new();
    for alphabet in [STANDARD, URL_SAFE] {
        for before in 0..3_usize {
            let padded: Vec<u8> = std::iter::repeat_n(0, before).chain(value.iter().copied()).collect();
            // Six bits to a character: those that lie wholly within the value are certain.
            let first = (before * 8).div_ceil(6);
            let last = padded.len() * 8 / 6;
            let character = |at: usize| {
                let bit = |bit: usize| (padded[bit / 8] >> (7 - bit % 8)) & 1;
                alphabet[(0..6).fold(0, |index, offset| index << 1 | bit(at * 6 + offset) as usize)]
            };
            forms.push((first..last).map(character).collect());
        }
    }
    forms
}

/// Percent-encoded, in the two cases of digits, with `%20` or `+` for a space, and with `/` encoded or not.
fn url_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for upper in [true, false] {
        for space in ["%20", "+"] {
            for kept in [&b"-_.~"[..], &b"-_.~/"[..], &b"-_.*"[..], &b"-_.!~*'()"[..]] {
                let encode = |&byte: &u8| match byte {
                    b' ' => space.as_bytes().to_vec(),
                    byte if byte.is_ascii_alphanumeric() || kept.contains(&byte) => vec![byte],
                    byte if upper => format!("%{byte:02X}").into_bytes(),
                    byte => format!("%{byte:02x}").into_bytes(),
                };
                forms.push(value.iter().flat_map(encode).collect());
            }
        }
    }
    forms
}

/// As it stands between the quotes of a JSON string: as most writers do, with `\/`, and in ASCII alone.
fn json_forms(value: &str) -> Vec<Vec<u8>> {
    let quoted = serde_json::Value::from(value).to_string();
    let plain = quoted[1..quoted.len() - 1].to_owned();
    let mut ascii = String::new();
    for character in plain.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            ascii.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    let slashes = plain.replace('/', "\\/");
    vec![plain.into_bytes(), slashes.into_bytes(), ascii.into_bytes()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masked(secret: &str, text: &str) -> String {
        Masker::new([secret]).unwrap().mask_text(text)
    }

    #[test]
    fn a_secret_is_hidden_in_every_common_form() {
        let secret = "s3cr/t \"pä%\\ss";
        for (form, shown) in [
            ("as it is: s3cr/t \"pä%\\ss.", "as it is: ***."),
            ("json {\"k\":\"s3cr/t \\\"pä%\\\\ss\"}", "json {\"k\":\"***\"}"),
            ("json s3cr\\/t \\\"pä%\\\\ss", "json ***"),
            ("json s3cr/t \\\"p\\u00e4%\\\\ss", "json ***"),
            ("url s3cr%2Ft%20%22p%C3%A4%25%5Css", "url ***"),
            ("url s3cr%2ft+%22p%c3%a4%25%5css&x", "url ***&x"),
            ("url s3cr/t%20%22p%C3%A4%25%5Css", "url ***"),
            ("hex 733363722f7420 2270c3a4255c7373", "hex 733363722f7420 2270c3a4255c7373"),
            ("hex 733363722f74202270c3a4255c7373", "hex ***"),
        ] {
            assert_eq!(masked(secret, form), shown);
        }
    }

    #[test]
    fn a_secret_is_hidden_in_the_base64_of_a_longer_text() {
        // `printf 'user:token-42' | base64` and with one and two characters more in front.
        for text in ["dXNlcjp0b2tlbi00Mg==", "eHVzZXI6dG9rZW4tNDI=", "eHl1c2VyOnRva2VuLTQy"] {
            let shown = masked("token-42", text);
            assert!(shown.contains("***"), "{shown}");
            assert!(shown.len() < text.len(), "{shown}");
        }
    }

    #[test]
    fn each_line_of_a_key_is_hidden_but_not_its_brackets() {
        let key = "-----BEGIN-----\nabcdefgh\n}\n-----END-----\n";
        assert_eq!(masked(key, "line abcdefgh and }"), "line *** and }");
        assert!(Masker::new(["abc", ""]).is_none(), "what is too short is not hidden");
    }

    proptest! {
        #[test]
        fn pieces_are_masked_as_the_whole_would_be(
            secrets in prop::collection::vec("[abc]{4,7}", 1..4),
            text in "[abc]{0,80}",
            cuts in prop::collection::vec(0..80_usize, 0..8),
        ) {
            let masker = Masker::new(secrets.iter().map(String::as_str)).unwrap();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            cuts.push(text.len());
            let mut stream = MaskedStream::default();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.extend(stream.push(&masker, &text.as_bytes()[from..cut]));
                from = cut;
            }
            pieces.extend(stream.finish(&masker));
            prop_assert_eq!(pieces, masker.mask(text.as_bytes()));
        }
    }
}
