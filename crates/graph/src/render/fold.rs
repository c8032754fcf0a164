//! Groups by name: `compile:a.c` and `compile:b.c` are of one kind.

use std::collections::BTreeMap;

use super::{Group, Picture};

/// Fewer have no need of a group.
const MEMBERS_MIN: usize = 3;
/// If a group had more of a hundred items than this, a longer beginning may tell them apart.
const SHARE_MAX: usize = 60;
/// So many parts of a name are looked at.
const PARTS_MAX: usize = 4;

/// Puts the items that are in no container and no group into groups by what their names begin with, if enough of them
/// begin alike.
pub fn fold_by_prefix(picture: &mut Picture) {
    let candidates: Vec<usize> = (0..picture.items.len())
        .filter(|&item| picture.items[item].inside.is_none() && picture.items[item].group.is_none())
        .collect();
    let groups = prefix_groups(picture, candidates, 1);
    for (name, members) in groups {
        let group = picture.groups.len() as u32;
        picture.groups.push(Group { name, kind: "prefix" });
        for item in members {
            picture.items[item].group = Some(group);
        }
    }
}

fn prefix_groups(picture: &Picture, items: Vec<usize>, parts: usize) -> BTreeMap<String, Vec<usize>> {
    let all = items.len();
    let mut found: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for item in items {
        if let Some(prefix) = prefix(&picture.items[item].name, parts) {
            found.entry(prefix.to_owned()).or_default().push(item);
        }
    }
    let mut groups = BTreeMap::new();
    for (name, members) in found {
        if members.len() < MEMBERS_MIN {
            continue;
        }
        let too_many = members.len() * 100 > all * SHARE_MAX;
        if too_many && parts < PARTS_MAX {
            groups.extend(prefix_groups(picture, members, parts + 1));
        } else if !too_many {
            groups.insert(name, members);
        }
    }
    groups
}

/// The first parts of a name; a part ends before a sign that divides, or before a number.
fn prefix(name: &str, parts: usize) -> Option<&str> {
    let divides = |c: char| matches!(c, '/' | ':' | '.' | '-' | '_' | '#' | '[' | ' ');
    let (mut ended, mut before) = (0, None);
    for (at, c) in name.char_indices() {
        let ends = match before {
            Some(last) => (divides(c) && !divides(last)) || (c.is_ascii_digit() && last.is_alphabetic()),
            None => false,
        };
        ended += usize::from(ends);
        if ended == parts {
            return Some(&name[..at]);
        }
        before = Some(c);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Item;

    fn groups(names: &[&str]) -> Vec<String> {
        let item = |name: &&str| Item { name: (*name).to_owned(), ..Item::default() };
        let mut picture = Picture { items: names.iter().map(item).collect(), ..Picture::default() };
        fold_by_prefix(&mut picture);
        let told = |item: &Item| {
            let group = item.group.map_or("", |group| &picture.groups[group as usize].name);
            format!("{} {group}", item.name).trim_end().to_owned()
        };
        picture.items.iter().map(told).collect()
    }

    #[test]
    fn names_that_begin_alike_are_a_group() {
        let names = ["cc:a", "cc:b", "cc:c", "test1", "test2", "test3", "link", "ar:x"];
        let told =
            ["cc:a cc", "cc:b cc", "cc:c cc", "test1 test", "test2 test", "test3 test", "link", "ar:x"];
        assert_eq!(groups(&names), told);
    }

    #[test]
    fn where_nearly_all_begin_alike_more_of_the_name_decides() {
        let names = ["x/a/1", "x/a/2", "x/a/3", "x/b/1", "x/b/2", "x/b/3"];
        assert_eq!(groups(&names)[0], "x/a/1 x/a");
        assert_eq!(groups(&names)[5], "x/b/3 x/b");
    }
}
