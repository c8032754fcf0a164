//! Writes the properties of a JSON object into a text.

use std::fmt::Display;

use partitur_model::{Payload, Timestamp};

use crate::json;

/// An object that is being written.
pub struct Object<'a> {
    out: &'a mut String,
    is_empty: bool,
}

impl<'a> Object<'a> {
    /// Begins one.
    pub fn begin(out: &'a mut String) -> Object<'a> {
        out.push('{');
        Object { out, is_empty: true }
    }

    /// Begins the properties of one whose brace is written by somebody else.
    pub fn continued(out: &'a mut String) -> Object<'a> {
        Object { out, is_empty: true }
    }

    /// Begins a property: its value is to be written next. Keys need no escapes.
    pub fn key(&mut self, key: &str) -> &mut String {
        self.out.push_str(if self.is_empty { "\"" } else { ",\"" });
        self.out.push_str(key);
        self.out.push_str("\":");
        self.is_empty = false;
        self.out
    }

    /// Properties that are written already.
    pub fn written(&mut self, properties: &str) {
        if !self.is_empty {
            self.out.push(',');
        }
        self.out.push_str(properties);
        self.is_empty = false;
    }

    /// A text.
    pub fn text(&mut self, key: &str, text: &str) {
        json::push_text(self.key(key), text);
    }

    /// A text, if there is one.
    pub fn some_text(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    /// Something whose text needs no escapes.
    pub fn plain(&mut self, key: &str, value: impl Display) {
        use std::fmt::Write as _;
        write!(self.key(key), "\"{value}\"").expect("a text takes everything");
    }

    /// A number.
    pub fn number(&mut self, key: &str, number: u64) {
        push_number(self.key(key), number);
    }

    /// `true` or `false`.
    pub fn truth(&mut self, key: &str, truth: bool) {
        self.key(key).push_str(if truth { "true" } else { "false" });
    }

    /// A point in time, in milliseconds; 0 if there is none.
    pub fn time(&mut self, key: &str, time: Option<Timestamp>) {
        self.number(key, time.map_or(0, Timestamp::millis));
    }

    /// A value.
    pub fn payload(&mut self, key: &str, payload: &Payload) {
        payload.render_into(self.key(key));
    }

    /// An object; the empty one if there is none.
    pub fn object(&mut self, key: &str, payload: Option<&Payload>) {
        match payload.filter(|payload| !payload.is_null()) {
            Some(payload) => self.payload(key, payload),
            None => self.key(key).push_str("{}"),
        }
    }

    /// A list of texts.
    pub fn texts<T: AsRef<str>>(&mut self, key: &str, texts: impl IntoIterator<Item = T>) {
        let out = self.key(key);
        out.push('[');
        for (at, text) in texts.into_iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            json::push_text(out, text.as_ref());
        }
        out.push(']');
    }

    /// Ends it.
    pub fn end(self) {
        self.out.push('}');
    }
}

/// Appends a number; several times faster than formatting it.
fn push_number(out: &mut String, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[at..]).expect("digits are ASCII"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_formatted() {
        for number in [0, 7, 10, 1_795_279_041_053, u64::MAX] {
            let mut out = String::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string());
        }
    }
}
