//! Numbers, truth and text as Conductor's reader takes them: a number in quotes is a number, a number is a text, and
//! `null` is what a missing property is.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// `null` stands for the type's empty value.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A whole number; fractions are cut off.
pub fn whole<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64> + Default,
{
    deserializer.deserialize_any(Whole(PhantomData)).map(Option::unwrap_or_default)
}

/// A whole number, or none.
pub fn some_whole<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    deserializer.deserialize_any(Whole(PhantomData))
}

/// `true` or `false`.
pub fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    deserializer.deserialize_any(Truth).map(Option::unwrap_or_default)
}

/// `true` or `false`, or neither.
pub fn some_truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    deserializer.deserialize_any(Truth)
}

/// Text; nothing for `null`.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    deserializer.deserialize_any(Text).map(Option::unwrap_or_default)
}

/// Text, or none.
pub fn some_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(Text)
}

struct Whole<T>(PhantomData<T>);

impl<T: TryFrom<i64>> Whole<T> {
    fn fit<E: de::Error>(number: i64) -> Result<Option<T>, E> {
        let too_large = || E::invalid_value(de::Unexpected::Signed(number), &"a whole number that fits here");
        T::try_from(number).map(Some).map_err(|_| too_large())
    }
}

impl<T: TryFrom<i64>> Visitor<'_> for Whole<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Option<T>, E> {
        Self::fit(number)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<T>, E> {
        let too_large = |_| E::invalid_value(de::Unexpected::Unsigned(number), &self);
        i64::try_from(number).map_err(too_large).and_then(Self::fit)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Option<T>, E> {
        if number.abs() > 9e15 || number.is_nan() {
            return Err(E::invalid_value(de::Unexpected::Float(number), &self));
        }
        Self::fit(number as i64)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<T>, E> {
        match text.trim() {
            "" => Ok(None),
            digits => match digits.parse() {
                Ok(number) => Self::fit(number),
                Err(_) => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
            },
        }
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
}

struct Truth;

impl Visitor<'_> for Truth {
    type Value = Option<bool>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`true` or `false`")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Option<bool>, E> {
        Ok(Some(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Option<bool>, E> {
        Ok(Some(number != 0))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Option<bool>, E> {
        Ok(Some(number != 0))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<bool>, E> {
        match text.trim() {
            "" => Ok(None),
            "true" | "True" | "TRUE" => Ok(Some(true)),
            "false" | "False" | "FALSE" => Ok(Some(false)),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_unit<E>(self) -> Result<Option<bool>, E> {
        Ok(None)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<String>, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Option<String>, E> {
        Ok(Some(text))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Option<String>, E> {
        Ok(Some(truth.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Option<String>, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Option<String>, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Option<String>, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Option<String>, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug, PartialEq, Default)]
    #[serde(default)]
    struct Sample {
        #[serde(deserialize_with = "whole")]
        number: i32,
        #[serde(deserialize_with = "truth")]
        truth: bool,
        #[serde(deserialize_with = "some_text")]
        text: Option<String>,
    }

    fn read(json: &str) -> Result<Sample, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn scalars_are_taken_in_each_others_spelling() {
        let wanted = Sample { number: 3, truth: true, text: Some("5".to_owned()) };
        assert_eq!(read(r#"{"number":"3","truth":"true","text":5}"#), Ok(wanted));
        assert_eq!(
            read(r#"{"number":3.9,"truth":1}"#).map(|sample| (sample.number, sample.truth)),
            Ok((3, true))
        );
        assert_eq!(read(r#"{"number":null,"truth":null,"text":null}"#), Ok(Sample::default()));
    }

    #[test]
    fn what_is_no_scalar_or_does_not_fit_is_refused() {
        assert!(read(r#"{"number":"x"}"#).unwrap_err().contains("expected a whole number"));
        assert!(read(r#"{"number":[]}"#).unwrap_err().contains("expected a whole number"));
        assert!(read(r#"{"number":5000000000}"#).unwrap_err().contains("that fits"));
        assert!(read(r#"{"truth":"yes"}"#).unwrap_err().contains("`true` or `false`"));
        assert!(read(r#"{"text":{}}"#).unwrap_err().contains("expected a text"));
    }
}
