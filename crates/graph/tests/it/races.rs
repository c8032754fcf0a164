//! Races against a comparison of everything with everything.

use partitur_graph::{Access, Claim, Csr, Race, Races, Resource, Touches, Waves, races};
use proptest::prelude::*;

use crate::graphs::{orders, reach};

fn resources() -> impl Strategy<Value = Resource> {
    let paths = vec![
        ".", "a", "a/x", "a/x/1", "a/y", "a-b", "a/*", "a/x*", "a/**/1", "*/x", "**/y", "b", "b/x", "b/?",
        "/a", "/", "../a", "a/x-1",
    ];
    prop_oneof![
        4 => prop::sample::select(paths).prop_map(Resource::path),
        1 => prop::sample::select(vec!["s", "t"]).prop_map(|name| Resource::Name(name.to_owned())),
    ]
}

fn touches() -> impl Strategy<Value = Touches> {
    let accesses = prop::collection::vec((resources(), any::<bool>()), 0..4);
    let claims = prop::collection::vec((resources(), any::<bool>()), 0..3);
    (accesses, claims).prop_map(|(accesses, claims)| Touches {
        accesses: accesses.into_iter().map(|(resource, write)| Access { resource, write }).collect(),
        claims: claims.into_iter().map(|(resource, exclusive)| Claim { resource, exclusive }).collect(),
    })
}

fn documents() -> impl Strategy<Value = (u32, Vec<(u32, u32)>, Vec<Touches>)> {
    orders().prop_flat_map(|(n, edges)| (Just(n), Just(edges), prop::collection::vec(touches(), n as usize)))
}

fn find(n: u32, edges: &[(u32, u32)], touches: &[Touches], limit: usize) -> Races {
    let csr = Csr::build(n, edges);
    races(&csr, &Waves::of(&csr).unwrap(), touches, limit)
}

/// What a node touches, its claims included; one entry for each resource.
fn all(touches: &Touches) -> Vec<Access> {
    let claims = touches.claims.iter();
    let held = claims.map(|claim| Access { resource: claim.resource.clone(), write: claim.exclusive });
    let mut all: Vec<Access> = touches.accesses.iter().cloned().chain(held).collect();
    all.sort_by(|a, b| (&a.resource, !a.write).cmp(&(&b.resource, !b.write)));
    all.dedup_by(|a, b| a.resource == b.resource);
    all
}

fn take_turns(a: &Touches, b: &Touches, over: [&Resource; 2]) -> bool {
    let covers = |claim: &Claim| claim.resource.covers(over[0]) || claim.resource.covers(over[1]);
    let conflict = |a: &Claim, b: &Claim| covers(a) && covers(b) && (a.exclusive || b.exclusive);
    a.claims.iter().any(|a| b.claims.iter().any(|b| conflict(a, b)))
}

fn naive(n: u32, edges: &[(u32, u32)], touches: &[Touches]) -> Vec<Race> {
    let reach = reach(n, edges);
    let mut found = Vec::new();
    for second in 0..n {
        for first in 0..second {
            let (a, b) = (&touches[first as usize], &touches[second as usize]);
            if reach[first as usize][second as usize] || reach[second as usize][first as usize] {
                continue;
            }
            for first_touches in all(a) {
                for second_touches in all(b) {
                    let over = [&first_touches.resource, &second_touches.resource];
                    if (first_touches.write || second_touches.write)
                        && over[0].overlaps(over[1])
                        && !take_turns(a, b, over)
                    {
                        let first_touches = first_touches.clone();
                        found.push(Race { first, second, first_touches, second_touches });
                    }
                }
            }
        }
    }
    let key = |race: &Race| {
        (race.first, race.second, race.first_touches.resource.clone(), race.second_touches.resource.clone())
    };
    found.sort_by_key(key);
    found
}

proptest! {
    #[test]
    fn races_are_those_that_comparing_everything_finds((n, edges, touches) in documents()) {
        let found = find(n, &edges, &touches, usize::MAX);
        prop_assert_eq!(&found.found, &naive(n, &edges, &touches));
        prop_assert_eq!((found.more, found.complete), (0, true));
        let few = find(n, &edges, &touches, 3);
        prop_assert_eq!(few.found.len() + few.more as usize, found.found.len());
        prop_assert!(few.found.iter().all(|race| found.found.contains(race)));
    }

    #[test]
    fn each_suggestion_ends_its_race((n, edges, touches) in documents()) {
        for race in find(n, &edges, &touches, 5).found {
            let suggestion = race.suggestion();
            let mut ordered = edges.clone();
            ordered.push(suggestion.edge);
            prop_assert!(!find(n, &ordered, &touches, usize::MAX).found.contains(&race));

            let mut locked = touches.clone();
            for (node, access) in [(race.first, &race.first_touches), (race.second, &race.second_touches)] {
                let resource = Resource::of_lock(&suggestion.lock);
                locked[node as usize].claims.push(Claim { resource, exclusive: access.write });
            }
            let same = |other: &Race| {
                (other.first, other.second) == (race.first, race.second)
                    && other.first_touches.resource == race.first_touches.resource
                    && other.second_touches.resource == race.second_touches.resource
            };
            prop_assert!(!find(n, &edges, &locked, usize::MAX).found.iter().any(same), "{:?}", race);
        }
    }
}

/// More than one chunk of touches, a chain through half of them, and claims of every kind.
#[test]
fn chunks_do_not_show() {
    let n = 1100;
    let edges: Vec<_> = (0..n / 2).map(|i| (i * 2, (i + 1) * 2)).filter(|&(_, to)| to < n).collect();
    let path = |node: u32| ["data", "data/x", "data/*"][node as usize % 3];
    let touches: Vec<_> = (0..n)
        .map(|node| Touches {
            accesses: vec![Access { resource: Resource::path(path(node)), write: node % 5 == 0 }],
            claims: (node % 7 < 2)
                .then(|| Claim { resource: Resource::path("data"), exclusive: node % 7 == 0 })
                .into_iter()
                .collect(),
        })
        .collect();
    assert_eq!(find(n, &edges, &touches, usize::MAX).found, naive_without_reach(n, &touches));
}

/// As `naive`, where even nodes stand in one chain and odd ones alone.
fn naive_without_reach(n: u32, touches: &[Touches]) -> Vec<Race> {
    let mut found = Vec::new();
    for first in 0..n {
        for second in first + 1..n {
            if first % 2 == 0 && second % 2 == 0 {
                continue;
            }
            let pair = [touches[first as usize].clone(), touches[second as usize].clone()];
            found.extend(naive(2, &[], &pair).into_iter().map(|race| Race { first, second, ..race }));
        }
    }
    found
}
