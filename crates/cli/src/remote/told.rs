//! What servers say, read leniently: each leaves out what another one tells.

use partitur_model::Timestamp;
use serde_json::Value;

use super::problem::Problem;

/// Members of an object; what is missing, `null`, or of another kind is nothing.
pub trait Told {
    /// A member that is text, or empty.
    fn text(&self, key: &str) -> &str;
    /// A member that is a whole number, or 0.
    fn whole(&self, key: &str) -> i64;
    /// Whether a member is true.
    fn truth(&self, key: &str) -> bool;
    /// The elements of a member that is a list.
    fn items(&self, key: &str) -> &[Value];
    /// A member that is a point in time: milliseconds since the epoch, 0 for none, or a text of ISO 8601.
    fn moment(&self, key: &str) -> Option<Timestamp>;
}

impl Told for Value {
    fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn whole(&self, key: &str) -> i64 {
        self.get(key).and_then(Value::as_i64).unwrap_or_default()
    }

    fn truth(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or_default()
    }

    fn items(&self, key: &str) -> &[Value] {
        self.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn moment(&self, key: &str) -> Option<Timestamp> {
        match self.get(key)? {
            Value::String(text) => {
                partitur_model::unit::parse_timestamp(text).ok().filter(|moment| moment.millis() > 0)
            }
            value => value.as_u64().filter(|&millis| millis > 0).map(Timestamp::from_millis),
        }
    }
}

/// An answer as JSON.
///
/// # Errors
/// It is none.
pub fn parsed(text: &str) -> Result<Value, Problem> {
    serde_json::from_str(text).map_err(|error| Problem::Garbled { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_nothing() {
        let told = json!({"name": "w", "n": 3, "at": 1_700_000_000_000_u64, "never": 0,
            "iso": "2026-10-01T08:00:00.000Z", "epoch": "1970-01-01T00:00:00.000Z", "null": null});
        assert_eq!((told.text("name"), told.text("null"), told.text("n")), ("w", "", ""));
        assert_eq!((told.whole("n"), told.whole("name")), (3, 0));
        assert_eq!(told.moment("at").map(Timestamp::millis), Some(1_700_000_000_000));
        assert_eq!(told.moment("iso").map(Timestamp::millis), Some(1_790_841_600_000));
        assert_eq!((told.moment("never"), told.moment("name"), told.moment("epoch")), (None, None, None));
    }
}
