//! The own table against the standard one.
#![allow(clippy::disallowed_types, reason = "the standard map is the oracle, and nothing iterates over it")]

use std::collections::HashMap;

use partitur_graph::Interner;
use proptest::prelude::*;

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop_oneof!["[a-c]{0,3}", "[a-b]{14,19}", "\\PC{0,40}"], 0..200)
}

proptest! {
    #[test]
    fn ids_are_those_of_a_map_that_counts(names in names(), seed: u64, bulk: bool) {
        let mut map = HashMap::new();
        let naive: Vec<u32> = names
            .iter()
            .map(|name| {
                let next = map.len() as u32;
                *map.entry(name.as_str()).or_insert(next)
            })
            .collect();
        let mut interner = Interner::with_seed(seed);
        let ids: Vec<u32> = if bulk {
            interner.intern_all(names.iter().map(String::as_str))
        } else {
            names.iter().map(|name| interner.intern(name)).collect()
        };
        prop_assert_eq!(&ids, &naive);
        prop_assert_eq!(interner.len() as usize, map.len());
        for (name, &id) in names.iter().zip(&ids) {
            prop_assert_eq!(interner.name(id), name);
        }
    }

    #[test]
    fn only_known_names_are_found(known in names(), asked in names()) {
        let mut interner = Interner::new();
        interner.intern_all(known.iter().map(String::as_str));
        let found = interner.get_all(asked.iter().map(String::as_str));
        for (name, id) in asked.iter().zip(found) {
            prop_assert_eq!(id.is_some(), known.contains(name));
            prop_assert_eq!(id, interner.get(name));
            prop_assert!(id.is_none_or(|id| interner.name(id) == name));
        }
    }
}

#[test]
fn a_hundred_thousand_names_keep_their_ids_while_the_table_grows() {
    let names: Vec<String> = (0..100_000).map(|i| format!("task-{i}")).collect();
    let mut interner = Interner::new();
    let ids = interner.intern_all(names.iter().map(String::as_str));
    assert!(ids.into_iter().eq(0..100_000));
    assert!((0..).zip(&names).all(|(id, name)| interner.get(name) == Some(id)));
}
