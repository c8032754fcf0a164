//! What needs no search: files that nothing else can mean, and whose tasks follow each other edge by edge.
//!
//! Most files are such: one task writes them, and those that need it read them. The search for races is exact but
//! takes its time for each file, so that in large documents they are better left out.

use hashbrown::{HashMap, HashSet};
use partitur_graph::{Csr, Resource, Touches, Waves};

/// Takes away what the tasks touch of files about which all is known.
pub(super) fn leave_out(csr: &Csr, waves: &Waves, all: &mut [Touches]) {
    let files = Files::of(waves, all);
    let doubtful = files.doubtful();
    let predecessors = csr.reversed();
    let settled: Vec<bool> = (0..)
        .zip(&files.touches)
        .map(|(file, touches)| !doubtful.contains(&file) && follow_each_other(&predecessors, touches))
        .collect();
    let mut of_touch = files.of_touch.into_iter();
    let mut stays = || !settled[of_touch.next().expect("each touch has its file") as usize];
    for touches in all {
        touches.accesses.retain(|_| stays());
        touches.claims.retain(|_| stays());
    }
}

/// One task and one file.
#[derive(Clone, Copy)]
struct Touch {
    node: u32,
    write: bool,
}

/// What is touched, each thing once.
struct Files {
    /// As it is written, without what is the same.
    names: Vec<String>,
    /// Who touches it, in topological order.
    touches: Vec<Vec<Touch>>,
    /// For each touch, as they stand in the list of all tasks, what it touches.
    of_touch: Vec<u32>,
}

impl Files {
    fn of(waves: &Waves, all: &[Touches]) -> Files {
        let mut numbers: HashMap<&Resource, u32> = HashMap::new();
        let mut files = Files { names: Vec::new(), touches: Vec::new(), of_touch: Vec::new() };
        let mut starts = Vec::with_capacity(all.len());
        for touches in all {
            starts.push(files.of_touch.len());
            for resource in resources(touches) {
                let number = *numbers.entry(resource).or_insert_with(|| {
                    files.names.push(resource.to_string());
                    files.names.len() as u32 - 1
                });
                files.of_touch.push(number);
            }
        }
        files.touches.resize_with(files.names.len(), Vec::new);
        for &node in waves.order() {
            let touches = &all[node as usize];
            let accesses = touches.accesses.iter().map(|access| access.write);
            let writes = accesses.chain(touches.claims.iter().map(|claim| claim.exclusive));
            for (write, file) in writes.zip(&files.of_touch[starts[node as usize]..]) {
                files.touches[*file as usize].push(Touch { node, write });
            }
        }
        files
    }

    /// What may have something in common with something else: patterns with what begins as they do, directories with
    /// what lies in them.
    fn doubtful(&self) -> HashSet<u32> {
        let mut sorted: Vec<(&str, u32)> = self.names.iter().map(String::as_str).zip(0..).collect();
        sorted.sort_unstable();
        let known: HashMap<&str, u32> = sorted.iter().copied().collect();
        let mut doubtful = HashSet::new();
        for &(name, file) in &sorted {
            let plain = &name[..name.find(['*', '?', '[']).unwrap_or(name.len())];
            if plain.len() < name.len() {
                doubtful.insert(file);
                let begin = sorted.partition_point(|&(other, _)| other < plain);
                let alike = sorted[begin..].iter().take_while(|(other, _)| other.starts_with(plain));
                doubtful.extend(alike.map(|&(_, other)| other));
            }
            for directory in directories(plain) {
                if let Some(&above) = known.get(directory) {
                    doubtful.extend([file, above]);
                }
            }
        }
        doubtful
    }
}

fn resources(touches: &Touches) -> impl Iterator<Item = &Resource> {
    let accesses = touches.accesses.iter().map(|access| &access.resource);
    accesses.chain(touches.claims.iter().map(|claim| &claim.resource))
}

/// The directories around a path, the whole tree included.
fn directories(path: &str) -> impl Iterator<Item = &str> {
    let whole = if path.starts_with('/') { "/" } else { "." };
    let inner = path.match_indices('/').map(|(at, _)| &path[..at]).filter(|directory| !directory.is_empty());
    std::iter::once(whole).filter(move |whole| *whole != path).chain(inner)
}

/// Whether edges alone keep all apart of whom one writes.
fn follow_each_other(predecessors: &Csr, touches: &[Touch]) -> bool {
    let is_next = |a: &Touch, b: &Touch| {
        a.node == b.node || predecessors.successors(b.node).binary_search(&a.node).is_ok()
    };
    let mut write: Option<&Touch> = None;
    let mut reads: Vec<&Touch> = Vec::new();
    for touch in touches {
        let before = if touch.write && !reads.is_empty() { &reads[..] } else { write.as_slice() };
        if !before.iter().all(|earlier| is_next(earlier, touch)) {
            return false;
        }
        if touch.write {
            write = Some(touch);
            reads.clear();
        } else {
            reads.push(touch);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use partitur_graph::Access;

    /// What is left to be searched of tasks that follow each other in a row.
    fn left(paths: &[&str], in_row: bool) -> Vec<String> {
        let access = |path: &&str| Access { resource: Resource::path(path), write: true };
        let mut all: Vec<Touches> =
            paths.iter().map(|path| Touches { accesses: vec![access(path)], claims: Vec::new() }).collect();
        let edges: Vec<(u32, u32)> =
            (1..paths.len() as u32).filter(|_| in_row).map(|at| (at - 1, at)).collect();
        let csr = Csr::build(paths.len() as u32, &edges);
        leave_out(&csr, &Waves::of(&csr).unwrap(), &mut all);
        all.iter().flat_map(resources).map(Resource::to_string).collect()
    }

    #[test]
    fn a_file_is_left_out_if_its_tasks_are_in_a_row() {
        assert_eq!(left(&["a/x", "a/x"], true), [""; 0]);
        assert_eq!(left(&["a/x", "a/x"], false), ["a/x", "a/x"]);
        assert_eq!(left(&["a/x", "a/y"], false), [""; 0]);
    }

    #[test]
    fn what_may_mean_something_else_too_is_searched() {
        for pair in [["a", "a/x"], [".", "b"], ["/", "/b"], ["a*", "a/x"], ["a/*", "a"], ["**/x", "y"]] {
            assert_eq!(left(&pair, true).len(), 2, "{pair:?}");
        }
        assert_eq!(left(&["a/*.csv", "b/x"], true), ["a/*.csv"]);
        assert_eq!(left(&["a-b", "a/x"], true), [""; 0]);
    }
}
