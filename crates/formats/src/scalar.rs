//! What a scalar is where a JSON value is expected: YAML 1.2's core schema, digits kept as written.

use partitur_model::{Payload, RawJson};

use crate::json::is_number;

/// Text without quotes as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    Null,
    Truth(bool),
    /// A number, as JSON writes it.
    Number(String),
    /// Infinity and not-a-number: JSON has none.
    NoJson,
    Text,
}

/// Types a plain scalar. `on`, `no`, `yes` are texts, and so is `010`: it could mean 8, 10, or a house number.
pub(crate) fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "true" | "True" | "TRUE" => Plain::Truth(true),
        "false" | "False" | "FALSE" => Plain::Truth(false),
        _ if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) => Plain::Text,
        _ if is_number(text) => Plain::Number(text.to_owned()),
        _ => unusual_number(text),
    }
}

/// The spellings of numbers that YAML has and JSON lacks: `+5`, `.5`, `1.`, `0x1F`, `0o17`, `.inf`.
fn unusual_number(text: &str) -> Plain {
    let digits = text.trim_start_matches(['+', '-']);
    if matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Plain::NoJson;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let signed = digits.starts_with(['+', '-']);
            return match u128::from_str_radix(digits, radix) {
                Ok(number) if !signed => Plain::Number(number.to_string()),
                Ok(_) | Err(_) => Plain::Text,
            };
        }
    }
    let mut json = text.strip_prefix('+').unwrap_or(text).to_owned();
    if let Some(rest) = json.strip_prefix("-.") {
        json = format!("-0.{rest}");
    } else if json.starts_with('.') {
        json.insert(0, '0');
    }
    // `1.` and `1.e5`: the core schema allows a point without digits behind it.
    if let Some(point) = json.find('.')
        && !json[point + 1..].starts_with(|c: char| c.is_ascii_digit())
    {
        json.remove(point);
    }
    if is_number(&json) { Plain::Number(json) } else { Plain::Text }
}

/// The scalar as JSON; `None` for what JSON lacks.
pub(crate) fn to_payload(text: &str, quoted: bool) -> Option<Payload> {
    if quoted {
        return Some(Payload::string(text));
    }
    Some(match plain(text) {
        Plain::Null => Payload::Null,
        Plain::Truth(truth) => Payload::from(truth),
        Plain::Number(digits) => Payload::from(RawJson::trusted(digits)),
        Plain::Text => Payload::string(text),
        Plain::NoJson => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traps_of_older_yaml_are_texts() {
        for text in [
            "on",
            "off",
            "yes",
            "no",
            "y",
            "n",
            "010",
            "1_000",
            "12:30:45",
            "2024-01-01",
            "0b1",
            "0x",
            "-",
            "+",
        ] {
            assert_eq!(plain(text), Plain::Text, "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        for (text, json) in [
            ("0.10", "0.10"),
            ("-7", "-7"),
            ("+5", "5"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("1.", "1"),
            ("1.e5", "1e5"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("12345678901234567890123", "12345678901234567890123"),
        ] {
            assert_eq!(plain(text), Plain::Number(json.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_json_lacks_is_told_apart() {
        assert_eq!(plain(".inf"), Plain::NoJson);
        assert_eq!(plain("-.INF"), Plain::NoJson);
        assert_eq!(plain("~"), Plain::Null);
    }
}
