//! What stands between a fork and its join folds as one.

use partitur_graph::render::{Group, Picture};
use partitur_graph::{Csr, needed_by, reachable_from};
use partitur_model::definition::{Kind, Scope};

/// Of more forks, the prefixes of names say more, and each costs a look at the whole graph.
const FORKS_MAX: usize = 64;

/// Makes a group of the branches of each fork of a document; those of a fork in a branch belong to the outer one. The
/// items of the picture that are in no container are the tasks of the scope, in its order.
pub fn group(picture: &mut Picture, scope: &Scope) {
    let items: Vec<usize> =
        (0..picture.items.len()).filter(|&item| picture.items[item].inside.is_none()).collect();
    let edges: Vec<(u32, u32)> = scope.edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let csr = Csr::build(scope.nodes.len() as u32, &edges);
    for (fork, join) in forks(scope).into_iter().take(FORKS_MAX) {
        let before = needed_by(&csr, &[join]);
        let between = reachable_from(&csr, &[fork])
            .into_iter()
            .filter(|node| *node != fork && *node != join && before.binary_search(node).is_ok());
        let free: Vec<usize> = between
            .map(|node| items[node as usize])
            .filter(|&item| picture.items[item].group.is_none())
            .collect();
        if free.len() > 1 {
            let name = scope.nodes[fork as usize].name.clone();
            let group = picture.groups.len() as u32;
            picture.groups.push(Group { name, kind: "fork" });
            free.into_iter().for_each(|item| picture.items[item].group = Some(group));
        }
    }
}

/// Forks with their joins, in the order of the document: outer ones first.
fn forks(scope: &Scope) -> Vec<(u32, u32)> {
    let opened = |(join, node): (u32, &partitur_model::definition::Node)| match &node.kind {
        Kind::Join(meeting) => meeting.opened_by.map(|fork| (fork, join)),
        Kind::Command(_)
        | Kind::Http(_)
        | Kind::Remote(_)
        | Kind::Wait(_)
        | Kind::Evaluate(_)
        | Kind::SubRun(_)
        | Kind::Start(_)
        | Kind::Each(_)
        | Kind::Expand(_)
        | Kind::Loop(_)
        | Kind::Switch(_)
        | Kind::Terminate(_)
        | Kind::SetVariables(_)
        | Kind::Noop => None,
    };
    let mut forks: Vec<(u32, u32)> = (0..).zip(&scope.nodes).filter_map(opened).collect();
    forks.sort_unstable();
    forks
}

#[cfg(test)]
mod tests {
    use super::*;
    use partitur_graph::render::Item;
    use partitur_model::Place;
    use partitur_model::definition::{Edge, Guard, Join, Node};

    #[test]
    fn the_branches_of_a_fork_are_one_group_and_an_inner_fork_is_a_part_of_it() {
        let join = |fork| Kind::Join(Join { permissive: false, opened_by: Some(fork), exclusive: false });
        let kinds = [
            ("fork", Kind::Noop),
            ("a", Kind::Noop),
            ("inner", Kind::Noop),
            ("b", Kind::Noop),
            ("c", Kind::Noop),
            ("inner-join", join(2)),
            ("join", join(0)),
            ("end", Kind::Noop),
        ];
        let edges = [(0, 1), (0, 2), (2, 3), (2, 4), (3, 5), (4, 5), (5, 6), (1, 6), (6, 7)];
        let edge = |(from, to)| Edge { from, to, guard: Guard::Any, place: Place("tasks".to_owned()) };
        let item = |(name, _): &(&str, Kind)| Item { name: (*name).to_owned(), ..Item::default() };
        let mut picture = Picture { items: kinds.iter().map(item).collect(), ..Picture::default() };
        let nodes = kinds.into_iter().map(|(name, kind)| Node::new(name, kind)).collect();
        group(&mut picture, &Scope { nodes, edges: edges.map(edge).to_vec() });
        assert_eq!(picture.groups, [Group { name: "fork".to_owned(), kind: "fork" }]);
        let grouped: Vec<&str> =
            picture.items.iter().filter(|item| item.group == Some(0)).map(|item| &*item.name).collect();
        assert_eq!(grouped, ["a", "inner", "b", "c", "inner-join"]);
    }
}
