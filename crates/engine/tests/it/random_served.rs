//! Random runs of a server under random inputs. There is no oracle here: after every input an engine that is built from the
//! rows is in the same state, nothing stands still without a reason, and whoever does what is asked brings every run to its
//! end.
//!
//! A case is its seed: `PARTITUR_SERVED_SEED=123 cargo test -p partitur-engine random_served` tells what it does.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use partitur_engine::Command;
use partitur_model::definition::{
    Branch, Definition, Dialect, Edge, Evaluate, Expand, Expander, Flow, Guard, Join, Kind, Loop,
    MakeBranches, Node, OnFailure, OnTimeout, Remote, RemoteLimits, Retry, Scope, SubRun, Switch,
    TemplateTree, Timeouts, Trigger, Wait, WaitFor,
};
use partitur_model::record::{TaskError, TaskState};
use partitur_model::{Payload, Place, Timestamp};

use crate::lab::Lab;
use crate::random::Dice;
use crate::script::flow;

/// So many cases unless told otherwise.
const CASES: u64 = 3_000;

/// Seeds that once found something.
const KEPT: [u64; 5] = [9_674, 11_322, 36_723, 99_531, 308_912];

/// The types of tasks for which workers come.
const TYPES: [&str; 3] = ["red", "green", "blue"];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_runs_of_a_server_come_back_and_come_to_an_end() {
    if let Some(seed) = number("PARTITUR_SERVED_SEED") {
        return Case::new(seed, true).run();
    }
    let first = number("PARTITUR_FIRST").unwrap_or(0);
    let cases = number("PARTITUR_CASES").unwrap_or(CASES);
    let fails = |seed: &u64| catch_unwind(AssertUnwindSafe(|| Case::new(*seed, false).run())).is_err();
    let failed: Vec<u64> = KEPT.into_iter().chain(first..first + cases).filter(fails).take(5).collect();
    assert!(failed.is_empty(), "seeds that fail: {failed:?}");
}

fn tree(json: &str) -> TemplateTree {
    TemplateTree(Payload::parse(json).expect("JSON"))
}

/// Where a sequence can be left.
type Exit = (u32, Guard);

/// Makes definitions.
struct Maker<'a> {
    dice: &'a mut Dice,
    names: u32,
}

impl Maker<'_> {
    fn definition(&mut self, steps: usize, sub_runs: bool) -> Definition {
        let mut root = Scope::default();
        self.sequence(&mut root, steps, Vec::new(), if sub_runs { 0 } else { 1 });
        Definition { dialect: Dialect::Conductor, on_failure: OnFailure::FailFast, ..flow(root) }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("n{}", self.names)
    }

    fn add(&mut self, scope: &mut Scope, kind: Kind, entries: Vec<Exit>) -> u32 {
        let name = self.name();
        let trigger = if entries.len() > 1 { Trigger::Any } else { Trigger::All };
        let at = scope.nodes.len() as u32;
        let node = Node {
            trigger,
            input: Some(tree(r#"{"v":"${workflow.variables.x}"}"#)),
            ..Node::new(name, kind)
        };
        scope.nodes.push(node);
        for (from, guard) in entries {
            scope.edges.push(Edge { from, to: at, guard, place: Place::root() });
        }
        at
    }

    /// Steps one after the other; how the last one can be left.
    fn sequence(&mut self, scope: &mut Scope, steps: usize, entries: Vec<Exit>, depth: u32) -> Vec<Exit> {
        let mut exits = entries;
        for _ in 0..steps {
            exits = self.step(scope, exits, depth);
        }
        exits
    }

    fn step(&mut self, scope: &mut Scope, entries: Vec<Exit>, depth: u32) -> Vec<Exit> {
        let choice = if depth > 2 { self.dice.below(5) } else { self.dice.below(11) };
        match choice {
            0..=3 => vec![(self.simple(scope, entries), Guard::Continue)],
            4 => {
                let wait = Wait { what: WaitFor::Signal, at_most: None };
                vec![(self.add(scope, Kind::Wait(wait), entries), Guard::Continue)]
            }
            5 | 6 => self.fork(scope, entries, depth),
            7 => self.switch(scope, entries, depth),
            8 => vec![(self.repeat(scope, entries, depth), Guard::Continue)],
            9 => self.dynamic_fork(scope, entries),
            _ if depth == 0 => {
                let sub = SubRun { flow: Flow::Wanted(tree(r#"{"name":"leaf"}"#)), input: tree("{}") };
                vec![(self.add(scope, Kind::SubRun(sub), entries), Guard::Continue)]
            }
            _ => vec![(self.simple(scope, entries), Guard::Continue)],
        }
    }

    fn simple(&mut self, scope: &mut Scope, entries: Vec<Exit>) -> u32 {
        let task_type = *self.dice.pick(&TYPES);
        let limits = RemoteLimits {
            name: task_type.to_owned(),
            concurrency: (task_type == "red").then_some(2),
            rate: (task_type == "blue").then_some((3, Duration::from_secs(2))),
        };
        let remote = Remote { task_type: task_type.to_owned(), limits, ..Remote::default() };
        let at = self.add(scope, Kind::Remote(remote), entries);
        let node = &mut scope.nodes[at as usize];
        node.optional = self.dice.chance(10);
        node.permissive = self.dice.chance(10);
        node.delay = self.dice.chance(10).then_some(Duration::from_secs(3));
        node.timeouts = Timeouts {
            attempt: self.dice.chance(20).then_some(Duration::from_secs(20)),
            heartbeat: self.dice.chance(30).then_some(Duration::from_secs(10)),
            queue: self.dice.chance(10).then_some(Duration::from_secs(30)),
            total: None,
        };
        node.on_timeout = *self.dice.pick(&[OnTimeout::Retry, OnTimeout::EndRun, OnTimeout::Tell]);
        if self.dice.chance(50) {
            let base = Duration::from_secs(self.dice.below(3) as u64);
            let retry = Retry { attempts: 2, base, jitter: false, ..Retry::default() };
            node.retry = Some(Box::new(retry));
        }
        at
    }

    fn fork(&mut self, scope: &mut Scope, entries: Vec<Exit>, depth: u32) -> Vec<Exit> {
        let fork = self.add(scope, Kind::Noop, entries);
        let mut last = Vec::new();
        for _ in 0..1 + self.dice.below(3) {
            let steps = 1 + self.dice.below(2);
            let exits = self.sequence(scope, steps, vec![(fork, Guard::Continue)], depth + 1);
            last.extend(exits.last().map(|(node, _)| *node));
        }
        vec![(self.join(scope, fork, &last), Guard::Continue)]
    }

    fn join(&mut self, scope: &mut Scope, fork: u32, last: &[u32]) -> u32 {
        let join = Join { opened_by: Some(fork), ..Join::default() };
        let at = self.add(scope, Kind::Join(join), Vec::new());
        for &from in last.iter().chain([&fork]) {
            scope.edges.push(Edge { from, to: at, guard: Guard::Any, place: Place::root() });
        }
        at
    }

    fn switch(&mut self, scope: &mut Scope, entries: Vec<Exit>, depth: u32) -> Vec<Exit> {
        let source = if self.dice.chance(50) { "'x'" } else { "which($)" };
        let value =
            Evaluate::Script { language: "javascript".into(), source: source.into(), input: tree("{}") };
        let switch = self.add(scope, Kind::Switch(Switch { value, cases: vec!["x".into()] }), entries);
        let steps = self.dice.below(3);
        let mut exits = self.sequence(scope, steps, vec![(switch, Guard::Case("x".into()))], depth + 1);
        let steps = self.dice.below(2);
        exits.extend(self.sequence(scope, steps, vec![(switch, Guard::DefaultCase)], depth + 1));
        exits
    }

    fn repeat(&mut self, scope: &mut Scope, entries: Vec<Exit>, depth: u32) -> u32 {
        let mut body = Scope::default();
        let steps = 1 + self.dice.below(2);
        self.sequence(&mut body, steps, Vec::new(), depth + 1);
        let at = self.add(scope, Kind::Noop, entries);
        let source = format!("$.{}.iteration < 2", scope.nodes[at as usize].name);
        let condition =
            Some(Evaluate::Script { language: "javascript".into(), source, input: TemplateTree::default() });
        let keep_last = self.dice.chance(50).then_some(1);
        let repeat = Loop { body, condition, items: None, keep_last, iterations_max: 10 };
        scope.nodes[at as usize].kind = Kind::Loop(Box::new(repeat));
        at
    }

    fn dynamic_fork(&mut self, scope: &mut Scope, entries: Vec<Exit>) -> Vec<Exit> {
        let prefix = self.name();
        let branches = self.dice.below(4);
        let expand = Expand {
            input: tree("{}"),
            expander: Expander(Arc::new(Several { prefix, branches })),
            stands_for_branch: false,
        };
        let fork = self.add(scope, Kind::Expand(Box::new(expand)), entries);
        vec![(self.join(scope, fork, &[]), Guard::Continue)]
    }
}

/// So many branches of one task each.
struct Several {
    prefix: String,
    branches: usize,
}

impl MakeBranches for Several {
    fn branches(&self, _input: &Payload) -> Result<Vec<Branch>, TaskError> {
        let branch = |at: usize| {
            let last = format!("{}_{at}", self.prefix);
            let remote = Remote { task_type: TYPES[at % 3].to_owned(), ..Remote::default() };
            let node = Node { input: Some(tree("{}")), ..Node::new(last.clone(), Kind::Remote(remote)) };
            Branch { last, scope: Scope { nodes: vec![node], edges: Vec::new() } }
        };
        Ok((0..self.branches).map(branch).collect())
    }

    fn describe(&self) -> String {
        format!("{} {}", self.prefix, self.branches)
    }
}

struct Case {
    lab: Lab,
    dice: Dice,
    tells: bool,
    seconds: u64,
}

impl Case {
    fn new(seed: u64, tells: bool) -> Case {
        let mut dice = Dice::new(seed);
        // Half of the cases do little at a stretch, and turns come as ticks do.
        let stretch = 1 + seed as u32 % 12;
        let mut lab = if seed.is_multiple_of(2) { Lab::new() } else { Lab::with_stretch(stretch) };
        let mut maker = Maker { dice: &mut dice, names: 0 };
        let leaf = maker.definition(2, false);
        let steps = 1 + maker.dice.below(5);
        let root = maker.definition(steps, true);
        lab.know(leaf);
        lab.submit(root);
        Case { lab, dice, tells, seconds: 0 }
    }

    fn run(mut self) {
        for _ in 0..self.dice.below(60) {
            if let Some(input) = self.input() {
                self.tell(&input);
            }
            if self.dice.chance(3) {
                // Who waits for a turn stays.
                self.give_turns();
                self.lab.evict_all();
            }
        }
        self.finish();
    }

    fn tell(&mut self, input: &str) {
        if self.tells {
            print!("{}s {input} => ", self.seconds);
        }
        let told = self.lab.text_input(input);
        if self.tells {
            println!("{}", told.join(", "));
        }
    }

    /// Something that may be said now.
    fn input(&mut self) -> Option<String> {
        let living: Vec<(u64, String)> = self.living().into_iter().collect();
        Some(match self.dice.below(30) {
            0..=7 => {
                let count = 1 + self.dice.below(3);
                format!("poll {} {count}", self.dice.pick(&TYPES))
            }
            8..=16 if !living.is_empty() => {
                let (run, path) = self.dice.pick(&living).clone();
                let whats =
                    ["done", "done", "done", "done", "failed", "failed-for-good", "living", "give-back"];
                // What was handed out before a crash was written to whoever asked.
                let known = if self.lab.live.contains_key(&(run, path.clone())) { 8 } else { 7 };
                let what = *self.dice.pick(&whats[..known]);
                format!("{run}: {what} {path}")
            }
            17 if !living.is_empty() => {
                let (run, path) = self.dice.pick(&living).clone();
                let pause = self.dice.below(4);
                format!("{run}: later {path} {pause}")
            }
            18 | 19 => self.waiting()?,
            20 | 21 => {
                let seconds = 1 + self.dice.below(15) as u64;
                self.advance(seconds);
                "tick".to_owned()
            }
            22 => (*self.dice.pick(&["pause", "unpause", "unpause"])).to_owned(),
            23 => (*self.dice.pick(&["cancel", "restart"])).to_owned(),
            24 | 25 => (*self.dice.pick(&["retry", "retry fresh"])).to_owned(),
            26 => {
                let rows: Vec<String> = self.rows(1);
                format!("rerun-from {}", self.dice.pick(&rows))
            }
            27 => format!("skip n{}", 1 + self.dice.below(20)),
            28 => "crash".to_owned(),
            _ => self.question()?,
        })
    }

    /// Attempts that workers have.
    fn living(&self) -> BTreeSet<(u64, String)> {
        let tasks = self.lab.rows.tasks.values();
        let held = tasks.filter(|task| task.state.token().is_some());
        held.map(|task| (task.run.number(), task.path.to_string())).collect()
    }

    /// The paths of a run's rows of which none is of the past.
    fn rows(&self, run: u64) -> Vec<String> {
        let tasks = self.lab.rows.tasks.values().filter(|task| task.run.number() == run);
        let here = tasks.filter(|task| task.served.as_ref().is_some_and(|served| !served.superseded));
        here.map(|task| task.path.to_string()).collect()
    }

    /// Somebody ends a wait.
    fn waiting(&self) -> Option<String> {
        let waits = |task: &&partitur_model::record::TaskRecord| {
            matches!(task.state, TaskState::Waiting { .. }) && task.child.is_none()
        };
        let mut tasks = self.lab.rows.tasks.values().filter(waits);
        let task = tasks.find(|task| self.is_wait(task))?;
        Some(format!("{}: done {}", task.run.number(), task.path))
    }

    fn is_wait(&self, task: &partitur_model::record::TaskRecord) -> bool {
        self.lab.kind_of(task).is_some_and(|kind| matches!(kind, Kind::Wait(_)))
    }

    /// An answer to what the engine has asked.
    fn question(&mut self) -> Option<String> {
        if !self.lab.lookups.is_empty() {
            return Some((*self.dice.pick(&["found 0", "found 0", "not-found"])).to_owned());
        }
        self.lab.open_question().map(|(run, path, generation)| {
            let value = *self.dice.pick(&["\"x\"", "\"y\"", "null"]);
            format!("{run}: value {path} {generation} {value}")
        })
    }

    fn advance(&mut self, seconds: u64) {
        self.seconds += seconds;
        self.lab.now = self.lab.now + Duration::from_secs(seconds);
    }

    /// Whoever waits for a turn gets it.
    fn give_turns(&mut self) {
        for _ in 0..1_000 {
            if self.lab.engine.wake() != Some(Timestamp::ZERO) {
                return;
            }
            self.tell("tick");
        }
        panic!("turns do not end: {}", self.lab.engine.describe());
    }

    /// Everybody does what is asked, and every run comes to its end.
    fn finish(&mut self) {
        for _ in 0..100 {
            let open = self.lab.rows.runs.values().filter(|run| !run.state.is_ended()).count();
            if open == 0 {
                return;
            }
            self.lab.unpause_all();
            self.advance(40);
            self.tell("tick");
            self.give_turns();
            for task_type in TYPES {
                self.tell(&format!("poll {task_type} 10"));
            }
            for (run, path) in self.living() {
                if self.living().contains(&(run, path.clone())) {
                    self.tell(&format!("{run}: done {path}"));
                }
            }
            for _ in 0..50 {
                let Some(wait) = self.waiting() else { break };
                self.tell(&wait);
            }
            for _ in 0..50 {
                let Some(answer) = self.question() else { break };
                self.tell(&answer);
            }
        }
        panic!("a run does not come to its end: {}", self.lab.engine.describe());
    }
}

impl Lab {
    fn kind_of(&self, task: &partitur_model::record::TaskRecord) -> Option<Kind> {
        let run = self.rows.runs.get(&task.run)?;
        let (_, program) = self.definitions.iter().find(|(record, _)| record.id == run.definition)?;
        find(&program.definition.root, &task.node).map(|node| node.kind.clone())
    }

    /// A value for which a task waits: its run, path and generation.
    fn open_question(&self) -> Option<(u64, String, String)> {
        let asks = |kind: &Kind| matches!(kind, Kind::Switch(_) | Kind::Evaluate(_));
        self.rows.tasks.values().find_map(|task| {
            let waits = matches!(task.state, TaskState::Waiting { .. });
            let live = !self.rows.runs.get(&task.run)?.state.is_ended();
            (waits && live && self.kind_of(task).is_some_and(|kind| asks(&kind)))
                .then(|| (task.run.number(), task.path.to_string(), format!("g{}", task.generation)))
        })
    }

    fn unpause_all(&mut self) {
        let paused =
            |run: &&partitur_model::record::RunRecord| run.state == partitur_model::record::RunState::Paused;
        let runs: Vec<u64> = self.rows.runs.values().filter(paused).map(|run| run.id.number()).collect();
        for run in runs {
            self.command(run, Command::Unpause);
        }
    }
}

fn find<'a>(scope: &'a Scope, name: &str) -> Option<&'a Node> {
    scope.nodes.iter().find_map(|node| match &node.kind {
        _ if node.name == name => Some(node),
        Kind::Loop(repeat) => find(&repeat.body, name),
        _ => None,
    })
}
