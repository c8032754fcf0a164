//! Races: two nodes without order between them touch the same thing, one of them writes, and nothing makes them take
//! turns.
//!
//! Quadratic only in what is really unordered: nodes are grouped by what they touch, things are matched by a sweep over
//! their sorted prefixes, and order is looked up for 512 touches at once, as bits pushed along the edges.

mod matching;
mod search;
mod slots;

use std::cmp::Ordering;

use crate::{Csr, Resource, Waves};

/// What a node reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// What.
    pub resource: Resource,
    /// It is changed, and not only looked at.
    pub write: bool,
}

/// What a node holds while it runs. Counted resources are not meant: to share them is what they are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What.
    pub resource: Resource,
    /// Nobody else holds it meanwhile; otherwise others may share it.
    pub exclusive: bool,
}

/// All that matters here about a node. A claim counts as a touch too: an exclusive one writes, a shared one reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touches {
    /// What it reads and writes.
    pub accesses: Vec<Access>,
    /// What it holds.
    pub claims: Vec<Claim>,
}

/// Two nodes that may get into each other's way. A pair appears once for each two resources in which it meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Race {
    /// The node with the smaller number.
    pub first: u32,
    /// The other one.
    pub second: u32,
    /// What the first one touches, as it names it.
    pub first_touches: Access,
    /// What the second one touches, as it names it.
    pub second_touches: Access,
}

/// What would end a race: one of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The second node waits for the first.
    pub edge: (u32, u32),
    /// Both hold this lock, those that write exclusively.
    pub lock: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Races {
    /// As many as were asked for, by first node, second node, and resource.
    pub found: Vec<Race>,
    /// So many more there are; at least so many, if the search is not complete.
    pub more: u64,
    /// False if the search came to one of its limits: millions of patterns or of pairs had to be compared.
    pub complete: bool,
}

/// Finds the races between the nodes of a graph; `touches` has an entry for each. Keeps at most `limit` of them.
///
/// # Panics
/// If there is not exactly one entry for each node.
pub fn races(csr: &Csr, waves: &Waves, touches: &[Touches], limit: usize) -> Races {
    assert_eq!(touches.len(), csr.nodes() as usize, "every node has an entry");
    let slots = slots::Slots::of(waves, touches);
    search::Search::new(csr, waves, touches, &slots, limit).run()
}

impl Race {
    fn new(a: (u32, Access), b: (u32, Access)) -> Race {
        let ((first, first_touches), (second, second_touches)) = if a.0 < b.0 { (a, b) } else { (b, a) };
        Race { first, second, first_touches, second_touches }
    }

    /// What both touch: the narrower of the two.
    pub fn resource(&self) -> &Resource {
        let (first, second) = (&self.first_touches.resource, &self.second_touches.resource);
        if first.covers(second) { second } else { first }
    }

    /// What would end it.
    pub fn suggestion(&self) -> Suggestion {
        Suggestion { edge: (self.first, self.second), lock: self.resource().lock() }
    }

    /// First node, second node, resource.
    fn compare(&self, other: &Race) -> Ordering {
        let key = |race: &Race| (race.first, race.second);
        key(self)
            .cmp(&key(other))
            .then_with(|| self.first_touches.resource.cmp(&other.first_touches.resource))
            .then_with(|| self.second_touches.resource.cmp(&other.second_touches.resource))
    }
}

/// Whether claims of both nodes keep them apart while they touch these resources: conflicting claims, each of which
/// covers what the two resources have in common.
fn take_turns(a: &Touches, b: &Touches, touched: [&Resource; 2]) -> bool {
    let covering = |node: &Touches| {
        let hold = |claim: &&Claim| touched.iter().any(|resource| claim.resource.covers(resource));
        node.claims.iter().filter(hold).map(|claim| claim.exclusive).max()
    };
    match (covering(a), covering(b)) {
        (Some(a_exclusive), Some(b_exclusive)) => a_exclusive || b_exclusive,
        (Some(_), None) | (None, Some(_) | None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `reads a b; writes c; holds file:d; shares dir:e`
    fn touches(text: &str) -> Touches {
        let mut touches = Touches::default();
        for clause in text.split(';') {
            let mut words = clause.split_whitespace();
            let verb = words.next().unwrap_or("reads");
            for word in words {
                match verb {
                    "reads" | "writes" => touches
                        .accesses
                        .push(Access { resource: Resource::path(word), write: verb == "writes" }),
                    "holds" | "shares" => touches
                        .claims
                        .push(Claim { resource: Resource::of_lock(word), exclusive: verb == "holds" }),
                    other => panic!("no verb: {other}"),
                }
            }
        }
        touches
    }

    fn find(edges: &[(u32, u32)], nodes: &[&str]) -> Races {
        let csr = Csr::build(nodes.len() as u32, edges);
        let touches: Vec<_> = nodes.iter().map(|text| touches(text)).collect();
        races(&csr, &Waves::of(&csr).unwrap(), &touches, 10)
    }

    fn told(edges: &[(u32, u32)], nodes: &[&str]) -> Vec<String> {
        let tell = |race: &Race| {
            let Suggestion { edge: (before, after), lock } = race.suggestion();
            format!(
                "{} + {} over {}: {before} -> {after} or {lock}",
                race.first,
                race.second,
                race.resource()
            )
        };
        find(edges, nodes).found.iter().map(tell).collect()
    }

    #[test]
    fn two_writers_of_a_file_race_unless_something_orders_them() {
        let both = ["writes out/x", "writes out/x", ""];
        assert_eq!(told(&[], &both), ["0 + 1 over out/x: 0 -> 1 or file:out/x"]);
        assert_eq!(told(&[(1, 0)], &both), [""; 0]);
        assert_eq!(told(&[(0, 2), (2, 1)], &both), [""; 0]);
        assert_eq!(told(&[(0, 2), (1, 2)], &both).len(), 1);
    }

    #[test]
    fn readers_do_not_race() {
        assert_eq!(told(&[], &["reads x", "reads x", "reads ."]), [""; 0]);
    }

    #[test]
    fn conflicting_claims_on_what_is_touched_keep_nodes_apart() {
        assert_eq!(told(&[], &["writes x; holds file:x", "reads x; shares file:x"]), [""; 0]);
        assert_eq!(told(&[], &["writes x; shares file:x", "reads x; shares file:x"]).len(), 1);
        assert_eq!(told(&[], &["writes x/y; holds dir:x", "reads x/*; shares file:x"]), [""; 0]);
        // Only a part of what both touch is held.
        assert_eq!(told(&[], &["writes x; holds file:x/y", "reads x; holds file:x/y"]).len(), 1);
        // They never meet, but the claims say nothing about the file.
        assert_eq!(told(&[], &["writes x; holds service:s", "reads x; holds service:s"]).len(), 1);
    }

    #[test]
    fn a_claim_is_a_touch_too() {
        assert_eq!(told(&[], &["holds file:x", "reads x"]), ["0 + 1 over x: 0 -> 1 or file:x"]);
        assert_eq!(told(&[], &["shares file:x", "reads x"]), [""; 0]);
        assert_eq!(told(&[], &["holds service:s", "holds service:s"]), [""; 0]);
    }

    #[test]
    fn directories_and_patterns_meet_the_files_in_them() {
        let nodes =
            ["writes data/orders.db", "reads data", "reads data/*.db", "reads data/*.csv", "writes data-2"];
        assert_eq!(
            told(&[], &nodes),
            [
                "0 + 1 over data/orders.db: 0 -> 1 or file:data/orders.db",
                "0 + 2 over data/orders.db: 0 -> 2 or file:data/orders.db",
            ]
        );
    }

    #[test]
    fn beyond_the_limit_they_are_only_counted() {
        let found = find(&[], &["writes x"; 20]);
        assert_eq!((found.found.len(), found.more, found.complete), (10, 180, true));
    }
}
