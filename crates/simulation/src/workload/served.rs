//! Random definitions of a server's runs: sequences with forks, loops, cases, dynamic forks and sub-runs in them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use partitur_engine::compile;
use partitur_model::definition::{
    Branch, Definition, Dialect, Edge, Expand, Expander, Flow, Guard, Join, Kind, Loop, MakeBranches, Node,
    OnFailure, OnTimeout, Remote, RemoteLimits, Retry, RunLimit, Schemas, Scope, SubRun, Switch, Template,
    TemplateTree, Terminate, Timeouts, Trigger, Wait, WaitFor,
};
use partitur_model::record::{DefinitionRecord, RunOutcome, SourceFormat, TaskError};
use partitur_model::{DefinitionId, Payload, Place};

use super::document::{Document, Documents, script, tree};
use crate::rng::Rng;

/// The types of tasks for which workers come.
pub const TYPES: [&str; 3] = ["red", "green", "blue"];

/// What is executed by the node itself.
const PUSHED: &str = "HTTP";

/// So many attempts at tasks of the first type live at once, in whatever run.
pub const LIVE_MAX: u32 = 2;

/// So many tasks of the last type start within the time.
const RATE: (u32, Duration) = (3, Duration::from_secs(2));

/// The definitions of a seed. The first one is what sub-runs execute; it has none itself.
pub fn served_documents(rng: &mut Rng) -> Documents {
    let mut documents = Documents::default();
    for number in 0..rng.between(2, 4) {
        let steps = if number == 0 { 2 } else { rng.between(2, 7) };
        let mut author = Author { rng, number, names: 0, branches: BTreeMap::new() };
        let definition = Arc::new(author.definition(steps));
        let id = DefinitionId(u128::from(number) + 1);
        let program = compile(&definition).unwrap_or_else(|faults| panic!("a sound definition: {faults:?}"));
        let name = definition.name.clone();
        let record = DefinitionRecord { id, name, format: SourceFormat::Conductor, files: Vec::new() };
        documents.0.insert(id, Document { record: Arc::new(record), program });
    }
    documents
}

/// Under which name the branch of a dynamic fork stands among the flows of its definition. No run executes it from
/// there: it is there for those who look on.
pub fn branch_flow(fork: &str, index: u32) -> String {
    format!("{fork}/{index}")
}

/// What can be left, and how.
type Exits = Vec<(u32, Guard)>;

/// Writes one definition.
struct Author<'a> {
    rng: &'a mut Rng,
    number: u64,
    names: u32,
    branches: BTreeMap<String, Arc<Definition>>,
}

#[derive(Clone, Copy)]
enum Step {
    Simple,
    Pushed,
    Signal,
    Pause,
    Fork,
    Switch,
    Loop,
    DynamicFork,
    SubRun,
    Start,
    Variables,
    Script,
    Terminate,
}

const STEPS: [(u64, Step); 13] = [
    (40, Step::Simple),
    (8, Step::Pushed),
    (6, Step::Signal),
    (4, Step::Pause),
    (14, Step::Fork),
    (8, Step::Switch),
    (9, Step::Loop),
    (8, Step::DynamicFork),
    (12, Step::SubRun),
    (3, Step::Start),
    (3, Step::Variables),
    (3, Step::Script),
    (1, Step::Terminate),
];

/// Forks, cases and loops are in each other at most so deep.
const DEPTH_MAX: u32 = 2;

impl Author<'_> {
    fn definition(&mut self, steps: u64) -> Definition {
        let mut root = Scope::default();
        self.sequence(&mut root, steps, Vec::new(), 0);
        let run_limit = self.rng.percent(20).then(|| RunLimit {
            key: Template("all".into()),
            runs: 2,
            refuse: self.rng.percent(30),
        });
        Definition {
            name: format!("served{}", self.number),
            dialect: Dialect::Conductor,
            on_failure: OnFailure::FailFast,
            timeout: self.rng.percent(10).then(|| self.rng.pause(60_000, 600_000)),
            failure_flow: self.rng.percent(25).then(|| tree(r#"{"name":"leaf"}"#)),
            output_schema: self.rng.percent(8).then(|| "{}".into()),
            run_limit,
            root,
            flows: std::mem::take(&mut self.branches),
            ..Definition::default()
        }
    }

    fn add(&mut self, scope: &mut Scope, kind: Kind, entries: Exits) -> u32 {
        self.names += 1;
        let at = scope.nodes.len() as u32;
        scope.nodes.push(Node {
            trigger: if entries.len() > 1 { Trigger::Any } else { Trigger::All },
            input: Some(tree(r#"{"v":"${workflow.variables.v}"}"#)),
            ..Node::new(format!("s{}", self.names), kind)
        });
        let edges = entries.into_iter();
        scope.edges.extend(edges.map(|(from, guard)| Edge { from, to: at, guard, place: Place::root() }));
        at
    }

    /// Steps one after the other.
    fn sequence(&mut self, scope: &mut Scope, steps: u64, entries: Exits, depth: u32) -> Exits {
        (0..steps).fold(entries, |entries, _| self.step(scope, entries, depth))
    }

    fn step(&mut self, scope: &mut Scope, entries: Exits, depth: u32) -> Exits {
        let at = match self.rng.weighted(&STEPS) {
            Step::Switch if depth < DEPTH_MAX => return self.switch(scope, entries, depth),
            Step::Fork if depth < DEPTH_MAX => self.fork(scope, entries, depth),
            Step::Loop if depth < DEPTH_MAX => self.repeat(scope, entries, depth),
            Step::DynamicFork => self.dynamic_fork(scope, entries),
            Step::Pushed => self.pushed(scope, entries),
            Step::Signal => self.wait(scope, entries, WaitFor::Signal),
            Step::Pause => self.wait(scope, entries, WaitFor::Duration("7s".into())),
            Step::SubRun if self.number > 0 => {
                let flow = Flow::Wanted(tree(r#"{"name":"leaf"}"#));
                let at = self.add(scope, Kind::SubRun(SubRun { flow, input: tree("{}") }), entries);
                scope.nodes[at as usize].optional = self.rng.percent(15);
                at
            }
            Step::Start if self.number > 0 => {
                self.add(scope, Kind::Start(tree(r#"{"name":"leaf"}"#)), entries)
            }
            Step::Variables => self.add(scope, Kind::SetVariables(tree(r#"{"v": 1}"#)), entries),
            Step::Script => self.add(scope, Kind::Evaluate(script()), entries),
            Step::Terminate => {
                let outcome = self.rng.weighted(&[(1, RunOutcome::Succeeded), (1, RunOutcome::Failed)]);
                let terminate = Terminate { outcome, output: tree("{}"), reason: "enough".into() };
                self.add(scope, Kind::Terminate(terminate), entries)
            }
            Step::Simple | Step::Switch | Step::Fork | Step::Loop | Step::SubRun | Step::Start => {
                self.simple(scope, entries)
            }
        };
        vec![(at, Guard::Continue)]
    }

    fn simple(&mut self, scope: &mut Scope, entries: Exits) -> u32 {
        let remote = remote(TYPES[self.rng.below(TYPES.len())]);
        let at = self.add(scope, Kind::Remote(remote), entries);
        self.attempt(&mut scope.nodes[at as usize]);
        at
    }

    fn pushed(&mut self, scope: &mut Scope, entries: Exits) -> u32 {
        let async_complete = self.rng.percent(15);
        let remote = Remote { pushed: true, async_complete, ..remote(PUSHED) };
        let at = self.add(scope, Kind::Remote(remote), entries);
        self.attempt(&mut scope.nodes[at as usize]);
        at
    }

    /// What a task with attempts declares.
    fn attempt(&mut self, node: &mut Node) {
        node.optional = self.rng.percent(10);
        node.permissive = self.rng.percent(10);
        node.delay = self.maybe(10, Duration::from_secs(3));
        node.timeouts = Timeouts {
            attempt: self.maybe(20, Duration::from_secs(20)),
            heartbeat: self.maybe(40, Duration::from_secs(10)),
            queue: self.maybe(10, Duration::from_secs(30)),
            total: self.maybe(8, Duration::from_secs(60)),
        };
        node.on_timeout =
            self.rng.weighted(&[(3, OnTimeout::Retry), (1, OnTimeout::EndRun), (1, OnTimeout::Tell)]);
        if self.rng.percent(5) {
            let schemas = Schemas { input: Some("{}".into()), output: Some("{}".into()) };
            node.schemas = Some(Box::new(schemas));
        }
        if self.rng.percent(50) {
            let base = self.rng.pause(0, 4_000);
            node.retry = Some(Box::new(Retry { attempts: 2, base, jitter: false, ..Retry::default() }));
        }
    }

    fn maybe(&mut self, share: u64, time: Duration) -> Option<Duration> {
        self.rng.percent(share).then_some(time)
    }

    fn wait(&mut self, scope: &mut Scope, entries: Exits, what: WaitFor) -> u32 {
        let at_most = self.maybe(20, Duration::from_secs(90));
        self.add(scope, Kind::Wait(Wait { what, at_most }), entries)
    }

    fn fork(&mut self, scope: &mut Scope, entries: Exits, depth: u32) -> u32 {
        let fork = self.add(scope, Kind::Noop, entries);
        let mut last = Vec::new();
        for _ in 0..self.rng.between(1, 3) {
            let steps = self.rng.between(1, 2);
            let exits = self.sequence(scope, steps, vec![(fork, Guard::Continue)], depth + 1);
            last.extend(exits.last().map(|(node, _)| *node));
        }
        self.join(scope, fork, &last)
    }

    fn join(&mut self, scope: &mut Scope, fork: u32, last: &[u32]) -> u32 {
        let join = Join { opened_by: Some(fork), ..Join::default() };
        let at = self.add(scope, Kind::Join(join), Vec::new());
        for &from in last.iter().chain([&fork]) {
            scope.edges.push(Edge { from, to: at, guard: Guard::Any, place: Place::root() });
        }
        at
    }

    fn switch(&mut self, scope: &mut Scope, entries: Exits, depth: u32) -> Exits {
        let cases = vec!["a".into()];
        let switch = self.add(scope, Kind::Switch(Switch { value: script(), cases }), entries);
        let steps = self.rng.between(0, 2);
        // What follows is reached from the switch itself if that is left out by hand.
        let mut exits = vec![(switch, Guard::Continue)];
        exits.extend(self.sequence(scope, steps, vec![(switch, Guard::Case("a".into()))], depth + 1));
        let steps = self.rng.between(0, 1);
        exits.extend(self.sequence(scope, steps, vec![(switch, Guard::DefaultCase)], depth + 1));
        exits
    }

    fn repeat(&mut self, scope: &mut Scope, entries: Exits, depth: u32) -> u32 {
        let mut body = Scope::default();
        let steps = self.rng.between(1, 2);
        self.sequence(&mut body, steps, Vec::new(), depth + 1);
        let items = self.rng.percent(25).then(|| tree("[1,2,3]"));
        let condition = items.is_none().then(script);
        let keep_last = self.rng.percent(40).then_some(1);
        let repeat = Loop { body, condition, items, keep_last, iterations_max: 3 };
        self.add(scope, Kind::Loop(Box::new(repeat)), entries)
    }

    fn dynamic_fork(&mut self, scope: &mut Scope, entries: Exits) -> u32 {
        let fork = format!("s{}", self.names + 1);
        let branches: Vec<Branch> = (0..self.rng.below(4)).map(|index| branch(&fork, index)).collect();
        for (index, branch) in (0..).zip(&branches) {
            let definition = Definition { root: branch.scope.clone(), ..Definition::default() };
            self.branches.insert(branch_flow(&fork, index), Arc::new(definition));
        }
        let expander = Expander(Arc::new(Several { fork, branches }));
        let expand = Expand { input: tree("{}"), expander, stands_for_branch: false };
        let at = self.add(scope, Kind::Expand(Box::new(expand)), entries);
        self.join(scope, at, &[])
    }
}

fn remote(task_type: &str) -> Remote {
    let limits = RemoteLimits {
        name: task_type.to_owned(),
        concurrency: (task_type == TYPES[0]).then_some(LIVE_MAX),
        rate: (task_type == TYPES[2]).then_some(RATE),
    };
    Remote { task_type: task_type.to_owned(), limits, ..Remote::default() }
}

/// A branch of two tasks, one after the other.
fn branch(fork: &str, index: usize) -> Branch {
    let (first, last) = (format!("{fork}_{index}_first"), format!("{fork}_{index}"));
    let node = |name: &str, at: usize| {
        let kind = Kind::Remote(remote(TYPES[at % TYPES.len()]));
        Node { input: Some(TemplateTree::default()), ..Node::new(name, kind) }
    };
    let edge = Edge { from: 0, to: 1, guard: Guard::Continue, place: Place::root() };
    let scope = Scope { nodes: vec![node(&first, index), node(&last, index + 1)], edges: vec![edge] };
    Branch { last, scope }
}

/// Always the same branches.
struct Several {
    fork: String,
    branches: Vec<Branch>,
}

impl MakeBranches for Several {
    fn branches(&self, _input: &Payload) -> Result<Vec<Branch>, TaskError> {
        Ok(self.branches.clone())
    }

    fn describe(&self) -> String {
        format!("{} branches of {}", self.branches.len(), self.fork)
    }
}
