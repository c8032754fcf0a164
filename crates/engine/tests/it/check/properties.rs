//! What holds for every document.

use std::collections::BTreeSet;
use std::sync::Arc;

use partitur_engine::{check, compile};
use partitur_model::Severity;
use partitur_model::definition::{ClaimMode, Definition, Guard, Trigger};
use proptest::prelude::*;

use super::document::*;

/// Which of a square of tasks come before which: reached over edges from smaller to larger numbers.
fn closure(count: usize, edges: &BTreeSet<(usize, usize)>) -> Vec<Vec<bool>> {
    let mut before = vec![vec![false; count]; count];
    edges.iter().for_each(|&(from, to)| before[from][to] = true);
    for middle in 0..count {
        for from in 0..count {
            for to in 0..count {
                before[from][to] |= before[from][middle] && before[middle][to];
            }
        }
    }
    before
}

/// What a task of the race test touches: indices into the tables below.
#[derive(Clone, Debug)]
struct Touching {
    accesses: Vec<(usize, bool)>,
    claims: Vec<(usize, bool)>,
}

const PATHS: [&str; 6] = ["a", "a/p", "b", "b/q/x", "a/${each.value}", "c/${each.value}.x"];
const LOCKS: [&str; 4] = ["a", "a/p", "b", "c"];
/// What the branches of the test are for.
const ELEMENTS: [&str; 2] = ["p", "q"];

fn touching(paths: usize) -> impl Strategy<Value = Touching> {
    let accesses = prop::collection::vec((0..paths, any::<bool>()), 0..3);
    let claims = prop::collection::vec((0..LOCKS.len(), any::<bool>()), 0..3);
    (accesses, claims).prop_map(|(accesses, claims)| Touching { accesses, claims })
}

impl Touching {
    fn task(&self, name: &str) -> Task {
        let task = self.accesses.iter().fold(run(name, &["true"]), |task, &(path, write)| {
            if write { task.writes(PATHS[path]) } else { task.reads(PATHS[path]) }
        });
        self.claims.iter().fold(task, |task, &(lock, exclusive)| {
            let mode = if exclusive { ClaimMode::Exclusive } else { ClaimMode::Shared };
            task.claims(&format!("file:{}", LOCKS[lock]), mode, 1)
        })
    }

    /// All that is touched in the branch of an element: path, written, only held.
    fn touched(&self, element: &str) -> Vec<(String, bool)> {
        let accesses =
            self.accesses.iter().map(|&(path, write)| (PATHS[path].replace("${each.value}", element), write));
        accesses.chain(self.held().map(|(lock, exclusive)| (lock.to_owned(), exclusive))).collect()
    }

    fn held(&self) -> impl Iterator<Item = (&'static str, bool)> + '_ {
        self.claims.iter().map(|&(lock, exclusive)| (LOCKS[lock], exclusive))
    }
}

fn is_below(path: &str, directory: &str) -> bool {
    path == directory || path.starts_with(&format!("{directory}/"))
}

/// Whether two tasks that run at the same time may meet in a file, by looking at everything.
fn meet(a: (&Touching, &str), b: (&Touching, &str)) -> bool {
    a.0.touched(a.1).iter().any(|(x, writes_x)| {
        b.0.touched(b.1).iter().any(|(y, writes_y)| {
            let common = if is_below(x, y) { x } else { y };
            let overlap = is_below(x, y) || is_below(y, x);
            let holds = |it: &Touching| {
                it.held().filter(|(lock, _)| is_below(common, lock)).map(|(_, alone)| alone).max()
            };
            let take_turns = matches!((holds(a.0), holds(b.0)), (Some(a), Some(b)) if a || b);
            overlap && (*writes_x || *writes_y) && !take_turns
        })
    })
}

/// The names in a fault about a race: those in its place and first in its message.
fn told_races(definition: &Definition) -> BTreeSet<(String, String, bool)> {
    let races = check(definition).into_iter().filter(|fault| fault.code == "P0320");
    races
        .map(|fault| {
            let second = fault.place.0.split('.').rev().nth(1).unwrap().to_owned();
            let apart = fault.message.contains("branch");
            let first = fault.message.split('`').nth(1).unwrap().to_owned();
            // Of branches of one task, the container is named.
            let first = if fault.message.starts_with("the branches") { second.clone() } else { first };
            (first, second, apart)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn races_are_those_that_a_look_at_everything_finds(
        outer in prop::collection::vec(touching(4), 0..5),
        inner in prop::collection::vec(touching(PATHS.len()), 1..3),
        edges in prop::collection::vec(any::<bool>(), 32),
    ) {
        let mut edge = edges.into_iter().cycle();
        let mut next = move || edge.next().unwrap();
        // The last outer node is the for-each.
        let count = outer.len() + 1;
        let pairs = |to: usize| (0..to).map(move |from| (from, to));
        let between: BTreeSet<_> = (0..count).flat_map(pairs).filter(|_| next()).collect();
        let in_row = inner.len() == 2 && next();
        let name = |at: usize| if at + 1 == count { "fan".to_owned() } else { format!("o{at}") };
        let needs = |to: usize| -> Vec<String> {
            between.iter().filter(|edge| edge.1 == to).map(|edge| name(edge.0)).collect()
        };
        let needing = |task: Task, needs: Vec<String>| {
            task.needs(&needs.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let mut tasks: Vec<Task> =
            outer.iter().enumerate().map(|(at, it)| needing(it.task(&name(at)), needs(at))).collect();
        let body = inner.iter().enumerate().map(|(at, it)| {
            let task = it.task(&format!("i{at}"));
            if at == 1 && in_row { task.needs(&["i0"]) } else { task }
        });
        tasks.push(needing(each("fan", r#"["p", "q"]"#, body.collect()), needs(count - 1)));

        let before = closure(count, &between);
        let mut expected = BTreeSet::new();
        for (at, a) in outer.iter().enumerate() {
            for (other, b) in outer.iter().enumerate().skip(at + 1) {
                if !before[at][other] && meet((a, ""), (b, "")) {
                    expected.insert((name(at), name(other), false));
                }
            }
            for (inside, b) in inner.iter().enumerate() {
                if !before[at][count - 1] && ELEMENTS.iter().any(|element| meet((a, ""), (b, element))) {
                    expected.insert((name(at), format!("i{inside}"), false));
                }
            }
        }
        for (at, a) in inner.iter().enumerate() {
            for (other, b) in inner.iter().enumerate().skip(at) {
                let names = (format!("i{at}"), format!("i{other}"));
                if meet((a, "p"), (b, "q")) || meet((a, "q"), (b, "p")) {
                    expected.insert((names.0.clone(), names.1.clone(), true));
                }
                if at != other && !in_row && ELEMENTS.iter().any(|element| meet((a, element), (b, element))) {
                    expected.insert((names.0, names.1, false));
                }
            }
        }
        prop_assert_eq!(told_races(&document(tasks)), expected);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_task_may_use_exactly_those_before_it(
        edges in prop::collection::btree_set((0..150_usize, 1..6_usize), 0..200),
        uses in prop::collection::vec(0..150_usize, 150),
    ) {
        let edges: BTreeSet<_> = edges.into_iter().map(|(from, by)| (from, from + by)).filter(|edge| edge.1 < 150).collect();
        let name = |at: usize| format!("t{at}");
        let tasks = (0..150).map(|at| {
            let task = run(&name(at), &[&format!("${{{}.output}}", name(uses[at]))]);
            edges.iter().filter(|edge| edge.1 == at).fold(task, |task, edge| task.needs(&[&name(edge.0)]))
        });
        let told: BTreeSet<String> = check(&document(tasks.collect())).into_iter().map(|fault| fault.place.0).collect();
        let before = closure(150, &edges);
        let expected = (0..150).filter(|&at| !before[uses[at]][at]).map(|at| format!("tasks.{}.run[0]", name(at)));
        prop_assert_eq!(told, expected.collect());
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Cycles, unknown names, broken templates: nothing makes it panic, and what it lets pass compiles.
    #[test]
    fn what_has_no_errors_compiles(
        shape in prop::collection::vec((0..6_u32, 0..12_usize, 0..5_usize, 0..8_usize), 1..8),
        nested in any::<bool>(),
    ) {
        const WORDS: [&str; 12] = ["x", "${t0.output}", "${t1.output}", "${", "${a b}", "${each.value}", "${self.path}",
            "${matrix.os}", "${inputs.x}", "${t9.output}", "$${x}", "${${t0.output}.y}"];
        let tasks = shape.iter().enumerate().map(|(at, &(to, word, guard, kind))| {
            let name = format!("t{at}");
            let task = match kind {
                0 => switch(&name, WORDS[word], &["a"]),
                1 => each(&name, WORDS[word], vec![run("t0", &[WORDS[word]])]),
                2 => repeat(&name, WORDS[word].trim_start_matches("${").trim_end_matches('}'), vec![run("in", &[])]),
                3 => sub_flow(&name, "f", &format!(r#"{{"a": ["{}"]}}"#, WORDS[word])),
                _ => run(&name, &[WORDS[word]]).writes(WORDS[word]).locks(&format!("file:{}", WORDS[word])),
            };
            let guard = [Guard::Success, Guard::Failure, Guard::Any, Guard::Case("a".into()), Guard::DefaultCase][guard].clone();
            let task = task.needs_on(&format!("t{to}"), guard);
            if at % 3 == 0 { task.with(|node| node.trigger = Trigger::Any) } else { task }
        });
        let tasks: Vec<Task> = tasks.collect();
        let it = Arc::new(document(if nested { vec![each("out", "[1, 2]", tasks)] } else { tasks }));
        let faults = check(&it);
        let errors: BTreeSet<_> = faults
            .iter()
            .filter(|fault| fault.severity == Severity::Error)
            .map(|fault| (fault.code, fault.place.clone()))
            .collect();
        // An edge to nowhere is no graph.
        if !errors.iter().any(|(code, _)| *code == "P0206") && let Err(refused) = compile(&it) {
            for fault in refused {
                prop_assert!(errors.contains(&(fault.code, fault.place.clone())), "{fault:?} in {faults:?}");
            }
        }
    }
}
