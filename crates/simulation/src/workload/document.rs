//! Random documents: up to forty tasks of every kind, with everything that a task may declare.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use partitur_engine::{Program, compile};
use partitur_model::definition::{
    Backoff, BreakerSpec, Claim, ClaimMode, Concurrency, Definition, Each, Edge, Evaluate, Expression, Flow,
    Guard, Http, Items, Join, Kind, Loop, Node, OnFailure, Otherwise, Priority, Remote, ResourceSpec, Retry,
    Scope, SubRun, Switch, Template, TemplateTree, Terminate, Timeouts, Trigger, Undo, Wait, WaitFor, When,
};
use partitur_model::record::{DefinitionRecord, RunOutcome, RunRecord, SourceFormat};
use partitur_model::{DefinitionId, Payload, Place};

use super::{AGENTS, BREAKER, RESOURCES};
use crate::rng::Rng;

/// A document that can be submitted.
pub struct Document {
    /// As it would be stored.
    pub record: Arc<DefinitionRecord>,
    /// Compiled.
    pub program: Arc<Program>,
}

/// The documents of a world.
#[derive(Default)]
pub struct Documents(pub BTreeMap<DefinitionId, Document>);

impl Documents {
    /// What a run executes: its document, or the flow of a sub-run.
    pub fn of(&self, run: &RunRecord) -> &Definition {
        let root = &*self.0[&run.definition].program.definition;
        let mut found = root;
        for name in run.flow.split('\n').filter(|name| !name.is_empty()) {
            found = found.flows.get(name).unwrap_or_else(|| &root.flows[name]);
        }
        found
    }

    /// The programs, as a start of the node finds them.
    pub fn programs(&self) -> BTreeMap<DefinitionId, Arc<Program>> {
        self.0.iter().map(|(&id, document)| (id, document.program.clone())).collect()
    }
}

/// The documents of a seed.
pub fn documents(rng: &mut Rng) -> Documents {
    let count = rng.between(2, 4);
    let mut documents = Documents::default();
    for number in 0..count {
        let definition = Arc::new(Author { rng, names: 0, flows: Vec::new() }.document(number));
        let id = DefinitionId(number as u128 + 1);
        let program = compile(&definition).unwrap_or_else(|faults| panic!("a sound document: {faults:?}"));
        let record = DefinitionRecord {
            id,
            name: definition.name.clone(),
            format: SourceFormat::Yaml,
            files: Vec::new(),
        };
        documents.0.insert(id, Document { record: Arc::new(record), program });
    }
    documents
}

/// Writes one document.
struct Author<'a> {
    rng: &'a mut Rng,
    /// Names given so far; a name is unique in its document, flows included.
    names: u32,
    flows: Vec<String>,
}

#[derive(Clone, Copy)]
enum Sort {
    Command,
    Remote,
    Http,
    Pause,
    Signal,
    File,
    Expression,
    Script,
    SubRun,
    Each,
    Loop,
    Switch,
    Join,
    Variables,
    Terminate,
    Noop,
}

/// Kinds of tasks, by how often they occur.
const SORTS: [(u64, Sort); 16] = [
    (50, Sort::Command),
    (8, Sort::Remote),
    (3, Sort::Http),
    (5, Sort::Pause),
    (4, Sort::Signal),
    (2, Sort::File),
    (4, Sort::Expression),
    (5, Sort::Script),
    (5, Sort::SubRun),
    (6, Sort::Each),
    (6, Sort::Loop),
    (4, Sort::Switch),
    (4, Sort::Join),
    (2, Sort::Variables),
    (1, Sort::Terminate),
    (4, Sort::Noop),
];

impl Author<'_> {
    fn document(mut self, number: u64) -> Definition {
        let mut flows = BTreeMap::new();
        for flow in 0..self.rng.below(3) {
            let name = format!("flow{flow}");
            let definition = self.definition(&name, 5);
            flows.insert(name.clone(), Arc::new(definition));
            self.flows.push(name);
        }
        let size = self.rng.between(4, 22);
        Definition { flows, ..self.definition(&format!("document{number}"), size) }
    }

    fn definition(&mut self, name: &str, size: u64) -> Definition {
        let size = self.rng.between(1, size);
        let on_failure = self.rng.weighted(&[
            (5, OnFailure::Continue),
            (2, OnFailure::FailFast),
            (4, OnFailure::Rollback),
        ]);
        let concurrency =
            self.maybe(30, |rng| rng.between(1, 4) as u32).map(|max| Concurrency { min: 1, max });
        Definition {
            name: name.into(),
            on_failure,
            concurrency,
            timeout: self.maybe(8, |rng| rng.pause(60_000, 900_000)),
            resources: RESOURCES
                .map(|(name, units)| ResourceSpec { name: name.into(), units, place: Place::root() })
                .into(),
            breakers: vec![BreakerSpec {
                failures_max: 3,
                open_for: Duration::from_secs(20),
                probes_max: 1,
                successes_min: 2,
                ..BreakerSpec::named(BREAKER)
            }],
            root: self.scope(size, 0, None),
            ..Definition::default()
        }
    }

    /// `Some` so many times in a hundred.
    fn maybe<T>(&mut self, share: u64, make: impl FnOnce(&mut Rng) -> T) -> Option<T> {
        self.rng.percent(share).then(|| make(self.rng))
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("t{}", self.names)
    }

    fn scope(&mut self, size: u64, depth: u32, only: Option<&str>) -> Scope {
        let mut scope = Scope::default();
        for at in 0..size as u32 {
            let name = only.map_or_else(|| self.name(), str::to_owned);
            let before = self.predecessors(at);
            let node = self.node(name, &scope, &before, depth);
            for from in before {
                let guard = self.guard(&scope.nodes[from as usize], &node);
                scope.edges.push(Edge { from, to: at, guard, place: Place::root() });
            }
            scope.nodes.push(node);
        }
        scope
    }

    fn predecessors(&mut self, at: u32) -> Vec<u32> {
        let mut before = Vec::new();
        for _ in 0..self.rng.weighted(&[(3, 0), (5, 1), (3, 2), (1, 3)]).min(at) {
            // Near ones are likelier: that makes long paths.
            let back = self.rng.between(1, 4).min(u64::from(at)) as u32;
            if !before.contains(&(at - back)) {
                before.push(at - back);
            }
        }
        before
    }

    fn guard(&mut self, from: &Node, to: &Node) -> Guard {
        if matches!(to.kind, Kind::Join(_)) {
            return Guard::Any;
        }
        if matches!(from.kind, Kind::Switch(_)) {
            return match self.rng.below(3) {
                0 => Guard::Case("a".into()),
                1 => Guard::Case("b".into()),
                _ => Guard::DefaultCase,
            };
        }
        match self.rng.below(20) {
            0 => Guard::Failure,
            1 | 2 => Guard::Any,
            3 => Guard::Continue,
            _ => Guard::Success,
        }
    }

    fn node(&mut self, name: String, scope: &Scope, before: &[u32], depth: u32) -> Node {
        let earlier = self.rng.pick(before).map(|&at| scope.nodes[at as usize].name.clone());
        let kind = self.kind(&name, earlier.as_deref(), before.len(), depth);
        let is_attempt = matches!(kind, Kind::Command(_) | Kind::Http(_) | Kind::Remote(_));
        let mut node = Node::new(name, kind);
        if before.len() > 1 && self.rng.percent(15) && !matches!(node.kind, Kind::Join(_)) {
            node.trigger = Trigger::Any;
        }
        if let Some(earlier) = earlier.filter(|_| self.rng.percent(8)) {
            let condition = Expression(format!("{earlier}.output.n > 2"));
            let otherwise =
                self.rng.weighted(&[(3, Otherwise::Skip), (1, Otherwise::Fail), (1, Otherwise::Notify)]);
            node.when = Some(When { condition, otherwise });
        }
        node.optional = self.rng.percent(10);
        node.priority = Priority::ALL[self.rng.below(4)];
        node.expected = self.maybe(30, |rng| rng.pause(100, 60_000));
        if is_attempt {
            self.attempt(&mut node);
        }
        node
    }

    /// What only a task with attempts of its own may declare.
    fn attempt(&mut self, node: &mut Node) {
        if self.rng.percent(45) {
            node.retry = Some(Box::new(self.retry()));
        }
        node.timeouts = Timeouts {
            attempt: self.maybe(30, |rng| rng.pause(2_000, 40_000)),
            heartbeat: self.maybe(15, |rng| rng.pause(3_000, 12_000)),
            queue: self.maybe(8, |rng| rng.pause(10_000, 200_000)),
            total: self.maybe(6, |rng| rng.pause(5_000, 100_000)),
        };
        if self.rng.percent(45) {
            node.claims = self.claims();
        }
        if self.rng.percent(40) {
            let kind = Kind::Command(Default::default());
            let retry = self.rng.percent(50).then(|| Box::new(self.retry()));
            let timeout = self.maybe(30, |rng| rng.pause(2_000, 20_000));
            node.undo = Some(Box::new(Undo { kind, retry, timeout }));
        }
        node.breaker = self.rng.percent(10).then(|| BREAKER.into());
        node.at_most_once = self.rng.percent(6);
        node.agent = self.maybe(15, |rng| Template(AGENTS[rng.below(AGENTS.len())].into()));
    }

    fn retry(&mut self) -> Retry {
        Retry {
            attempts: self.rng.between(2, 4) as u32,
            base: self.rng.pause(0, 4_000),
            backoff: self.rng.weighted(&[
                (1, Backoff::Fixed),
                (1, Backoff::Linear),
                (1, Backoff::Exponential { factor: 2.0 }),
            ]),
            jitter: self.rng.percent(50),
            errors: if self.rng.percent(20) { vec!["exit-*".into(), "timeout".into()] } else { Vec::new() },
            condition: self.maybe(8, |_| Expression("self.error.code != 'exit-9'".into())),
            until: self.maybe(8, |_| Expression("self.output.n > 1".into())),
            ..Retry::default()
        }
    }

    fn claims(&mut self) -> Vec<Claim> {
        let mut claims: Vec<Claim> = Vec::new();
        for _ in 0..self.rng.between(1, 3) {
            let names = [
                "file:a/b",
                "file:a/d/e",
                "dir:a",
                "dir:a/d",
                "file:c",
                "dir:/",
                "service:billing",
                "gpu",
                "gpu",
                "api-1",
                "api-2",
            ];
            let resource = Template(names[self.rng.below(names.len())].into());
            if claims.iter().any(|claim| claim.resource == resource) {
                continue;
            }
            let counted = resource.0 == "gpu" || resource.0.starts_with("api");
            let most = if resource.0 == "gpu" { 3 } else { 2 };
            // One in a hundred wants more than there is: it can never start, and has to say so.
            let units = if self.rng.percent(1) { 9 } else { self.rng.between(1, most) as u32 };
            claims.push(Claim {
                resource,
                mode: self.rng.weighted(&[(3, ClaimMode::Exclusive), (2, ClaimMode::Shared)]),
                units: if counted { units } else { 1 },
                expires: self.maybe(15, |rng| rng.pause(4_000, 20_000)),
                place: Place::root(),
            });
        }
        claims
    }

    fn kind(&mut self, name: &str, earlier: Option<&str>, before: usize, depth: u32) -> Kind {
        match self.rng.weighted(&SORTS) {
            Sort::Remote => Kind::Remote(Remote { task_type: "simple".into(), ..Remote::default() }),
            Sort::Http => Kind::Http(Http { url: "http://localhost/".into(), ..Http::default() }),
            Sort::Pause => {
                let length = self.rng.pause(10, 30_000).as_millis();
                self.wait(WaitFor::Duration(format!("{length}ms").into()))
            }
            Sort::Signal => self.wait(WaitFor::Signal),
            Sort::File => self.wait(WaitFor::File("flag".into())),
            Sort::Expression => Kind::Evaluate(Evaluate::Expression(Expression("1 + 2".into()))),
            Sort::Script => Kind::Evaluate(script()),
            Sort::SubRun if !self.flows.is_empty() => {
                let flow = self.flows[self.rng.below(self.flows.len())].clone();
                Kind::SubRun(SubRun { flow: Flow::Frozen(flow), input: tree("{}") })
            }
            Sort::Each if depth < 2 => self.each(name, earlier, depth),
            Sort::Loop if depth < 2 => self.repeat(depth),
            Sort::Switch => {
                let value = match earlier.filter(|_| self.rng.percent(50)) {
                    Some(earlier) => Evaluate::Expression(Expression(format!("{earlier}.output.case"))),
                    None => script(),
                };
                Kind::Switch(Switch { value, cases: vec!["a".into(), "b".into()] })
            }
            Sort::Join if before > 0 => {
                Kind::Join(Join { permissive: self.rng.percent(50), ..Join::default() })
            }
            Sort::Variables => Kind::SetVariables(tree(r#"{"v": 1}"#)),
            Sort::Terminate if self.rng.percent(50) => {
                let outcome = self.rng.weighted(&[(1, RunOutcome::Succeeded), (1, RunOutcome::Failed)]);
                Kind::Terminate(Terminate { outcome, output: tree("{}"), reason: "enough".into() })
            }
            Sort::Noop => Kind::Noop,
            Sort::Command | Sort::SubRun | Sort::Each | Sort::Loop | Sort::Join | Sort::Terminate => {
                Kind::Command(Default::default())
            }
        }
    }

    fn wait(&mut self, what: WaitFor) -> Kind {
        let at_most = self.maybe(40, |rng| rng.pause(5_000, 300_000));
        Kind::Wait(Wait { what, at_most })
    }

    fn each(&mut self, name: &str, earlier: Option<&str>, depth: u32) -> Kind {
        let items = match earlier.filter(|_| self.rng.percent(40)) {
            Some(earlier) => format!("\"${{{earlier}.output.list}}\""),
            None => ["[]", "[1]", "[1,2,3]", "[4,4,5,6]"][self.rng.below(4)].to_owned(),
        };
        let body = if self.rng.percent(30) {
            self.scope(1, depth + 1, Some(name))
        } else {
            let size = self.rng.between(1, 4);
            self.scope(size, depth + 1, None)
        };
        Kind::Each(Box::new(Each {
            items: Items::List(tree(&items)),
            key: self.maybe(50, |_| Template("${each.value}".into())),
            max_parallel: self.maybe(40, |rng| rng.between(1, 3) as u32),
            batch: self.maybe(15, |_| 2),
            body,
            fail_fast: self.rng.percent(30),
        }))
    }

    fn repeat(&mut self, depth: u32) -> Kind {
        let size = self.rng.between(1, 3);
        let most = self.rng.between(1, 4);
        let condition = match self.rng.below(4) {
            0 => Some(script()),
            1 => None,
            _ => Some(Evaluate::Expression(Expression(format!("self.iteration < {most}")))),
        };
        let items = (condition.is_none() || self.rng.percent(20)).then(|| tree("[1,2,3]"));
        Kind::Loop(Box::new(Loop {
            body: self.scope(size, depth + 1, None),
            condition,
            items,
            keep_last: self.maybe(40, |rng| rng.between(1, 2) as u32),
            iterations_max: 4,
        }))
    }
}

pub(super) fn tree(text: &str) -> TemplateTree {
    TemplateTree(Payload::parse(text).expect("JSON"))
}

/// Something that only an evaluation outside the engine can answer.
pub(super) fn script() -> Evaluate {
    Evaluate::Script { language: "javascript".into(), source: "$".into(), input: tree("{}") }
}
