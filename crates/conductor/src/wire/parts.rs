//! How many parts a document may have.
//!
//! A part of a definition takes some hundred times the memory of the shortest text that stands for one (`[]`): a body of
//! allowed length could fill the memory of any machine. So parts are counted while a body is read, in all lists together.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Entries;

/// Tasks, definitions and the like in one body.
pub const PARTS_MAX: usize = 50_000;

thread_local! {
    /// So many more there may be in what this thread reads; nobody counts what is not a body.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Reads something of which the parts are counted.
pub fn counted<T>(read: impl FnOnce() -> T) -> T {
    let before = LEFT.replace(Some(PARTS_MAX));
    let result = read();
    LEFT.set(before);
    result
}

/// A list whose elements are counted.
#[derive(Clone, Debug)]
pub struct Parts<T>(pub Vec<T>);

impl<T> Default for Parts<T> {
    fn default() -> Parts<T> {
        Parts(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Parts<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Parts<T>, D::Error> {
        deserializer.deserialize_seq(PartsVisitor(PhantomData)).map(Parts)
    }
}

struct PartsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PartsVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = list.next_element()? {
            if LEFT.get() == Some(0) {
                return Err(A::Error::custom(format!("there are more than {PARTS_MAX} parts in one body")));
            }
            LEFT.set(LEFT.get().map(|left| left - 1));
            parts.push(part);
        }
        Ok(parts)
    }
}

/// A list; `null` is an empty one.
pub fn parts<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Parts<T>>::deserialize(deserializer)?.unwrap_or_default().0)
}

/// Lists of lists.
pub fn lists_of_parts<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<Vec<T>>, D::Error> {
    let lists: Vec<Parts<T>> = parts(deserializer)?;
    Ok(lists.into_iter().map(|list| list.0).collect())
}

/// Lists by name.
pub fn named_parts<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Entries<Vec<T>>, D::Error> {
    let named = Option::<Entries<Parts<T>>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(Entries(named.0.into_iter().map(|(name, list)| (name, list.0)).collect()))
}

#[cfg(test)]
mod tests {
    use crate::wire::{Entries, WorkflowDef, read};

    #[test]
    fn parts_are_counted_wherever_they_stand() {
        for (before, after) in [
            ("", ""),
            (r#"{"loopOver":["#, "]}"),
            (r#"{"forkTasks":[["#, "]]}"),
            (r#"{"decisionCases":{"a":["#, "]}}"),
        ] {
            let text = |count: usize| format!(r#"{{"tasks":[{before}{}{{}}{after}]}}"#, "{},".repeat(count));
            assert!(read::<WorkflowDef>(text(40_000).as_bytes()).is_ok());
            let refused = read::<WorkflowDef>(text(60_000).as_bytes()).unwrap_err();
            assert!(refused.message.contains("more than 50000 parts"), "{refused}");
        }
    }

    #[test]
    fn many_names_are_read_in_time_and_the_last_of_equal_ones_counts() {
        let many: String = (0..300_000).map(|at| format!(r#""k{at}":"{at}","#)).collect();
        let read: Entries<String> = read(format!(r#"{{{many}"k7":"seven"}}"#).as_bytes()).unwrap();
        assert_eq!((read.0.len(), read.get("k7").map(String::as_str)), (300_000, Some("seven")));
    }
}
