//! Patterns against all short paths there are.

use partitur_graph::{Resource, paths_overlap};
use proptest::prelude::*;

fn patterns() -> impl Strategy<Value = String> {
    let parts = vec!["a", "b", "ab", "*", "a*", "*b", "?", "??", "[ab]", "[!a]", "b?", "**", "[a-b]*", "*a*"];
    prop::collection::vec(prop::sample::select(parts), 1..4).prop_map(|parts| parts.join("/"))
}

/// All paths of up to four components of one or two letters: the patterns above need no more to meet.
fn paths() -> Vec<Vec<&'static str>> {
    let mut all: Vec<Vec<&str>> = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..4 {
        last = last
            .iter()
            .flat_map(|path| ["a", "b", "aa", "ab", "ba", "bb"].map(|part| [&path[..], &[part]].concat()))
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// Whether the pattern finds the path, or is plain and holds it.
fn finds(pattern: &[&str], path: &[&str], plain: bool) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (None, Some(_)) => plain,
        (Some((&"**", rest)), _) => {
            finds(rest, path, plain)
                || path.split_first().is_some_and(|(_, path)| finds(pattern, path, plain))
        }
        (Some(_), None) => false,
        (Some((first, rest)), Some((part, path))) => {
            let (first, part): (Vec<_>, Vec<_>) = (first.chars().collect(), part.chars().collect());
            finds_part(&first, &part) && finds(rest, path, plain)
        }
    }
}

fn finds_part(pattern: &[char], part: &[char]) -> bool {
    match (pattern, part) {
        ([], []) => true,
        (['*', rest @ ..], _) => {
            finds_part(rest, part) || (!part.is_empty() && finds_part(pattern, &part[1..]))
        }
        (['?', rest @ ..], [_, part @ ..]) => finds_part(rest, part),
        (['[', 'a', '-', 'b', ']', rest @ ..] | ['[', 'a', 'b', ']', rest @ ..], ['a' | 'b', part @ ..]) => {
            finds_part(rest, part)
        }
        (['[', '!', 'a', ']', rest @ ..], [not_a, part @ ..]) => *not_a != 'a' && finds_part(rest, part),
        ([one, rest @ ..], [same, part @ ..]) => one == same && finds_part(rest, part),
        (_, []) | ([], _) => false,
    }
}

/// The paths that belong to a pattern. A last `**` means the directory itself too, as a plain path would.
fn found<'a>(pattern: &str, paths: &'a [Vec<&'a str>]) -> Vec<&'a [&'a str]> {
    let pattern = pattern.trim_end_matches("/**");
    let pattern = if pattern == "**" { "" } else { pattern };
    let plain = !pattern.contains(['*', '?', '[']);
    let parts: Vec<_> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    paths.iter().map(|path| &path[..]).filter(|path| finds(&parts, path, plain)).collect()
}

proptest! {
    #[test]
    fn patterns_overlap_exactly_if_some_path_belongs_to_both(a in patterns(), b in patterns()) {
        let paths = paths();
        let (in_a, in_b) = (found(&a, &paths), found(&b, &paths));
        let common = in_a.iter().any(|path| in_b.contains(path));
        prop_assert_eq!(paths_overlap(&a, &b), common, "{} and {}", a, b);
    }

    #[test]
    fn what_covers_holds_everything(a in patterns(), b in patterns()) {
        let paths = paths();
        let (in_a, in_b) = (found(&a, &paths), found(&b, &paths));
        let (a, b) = (Resource::path(&a), Resource::path(&b));
        let plain = |resource: &Resource| !resource.to_string().contains(['*', '?', '[']);
        // A plain path under a pattern is taken for a file, so that only the shortest of its paths counts.
        let counts = if plain(&b) && !plain(&a) { 1 } else { in_b.len() };
        let holds = in_b[..counts].iter().all(|path| in_a.contains(path));
        prop_assert!(holds || !a.covers(&b), "{} and {}", a, b);
        if plain(&b) {
            prop_assert_eq!(holds, a.covers(&b), "{} and {}", a, b);
        }
    }

    #[test]
    fn no_text_is_too_strange(a in "\\PC{0,20}", b in "[-a/.*?\\[\\]!${}é]{0,12}") {
        prop_assert!(paths_overlap(&a, &a));
        prop_assert!(paths_overlap(&b, &b));
        prop_assert_eq!(paths_overlap(&a, &b), paths_overlap(&b, &a));
        let resource = Resource::path(&b);
        prop_assert!(Resource::of_lock(&resource.lock()).covers(&resource));
        prop_assert_eq!(&Resource::path(&resource.to_string()), &resource);
    }
}
