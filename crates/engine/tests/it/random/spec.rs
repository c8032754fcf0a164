//! Random definitions, as data that the oracle reads too.

use std::sync::Arc;
use std::time::Duration;

use partitur_model::definition::{
    Backoff, Claim, ClaimMode, Concurrency, Definition, Each, Edge, Evaluate, Expression, Flow, Guard, Items,
    Join, Kind, Loop, Node, OnFailure, Retry, Scope, SubRun, Switch, Template, TemplateTree, Trigger, Wait,
    WaitFor,
};
use partitur_model::record::RunOptions;
use partitur_model::{Payload, Place};

/// Numbers from a seed: the seed is the whole case.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// With so many chances in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A graph.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub nodes: Vec<Piece>,
}

impl Graph {
    /// How many tasks it has, those inside others included.
    pub fn size(&self) -> usize {
        self.nodes.iter().map(|piece| 1 + piece.body().map_or(0, Graph::size)).sum()
    }

    /// Whether this is true of a task, at any depth.
    pub fn any(&self, is_so: &dyn Fn(&Piece) -> bool) -> bool {
        self.nodes.iter().any(|piece| is_so(piece) || piece.body().is_some_and(|body| body.any(is_so)))
    }
}

/// A node of it; `needs` name earlier ones.
#[derive(Clone, Debug)]
pub struct Piece {
    pub name: String,
    pub what: What,
    pub needs: Vec<(usize, Guard)>,
    pub any: bool,
    pub optional: bool,
}

impl Piece {
    /// What is inside it.
    pub fn body(&self) -> Option<&Graph> {
        match &self.what {
            What::Each { body, .. } | What::Loop { body, .. } | What::Sub(body) => Some(body),
            What::Task { .. } | What::Wait { .. } | What::Noop | What::Switch { .. } | What::Join { .. } => {
                None
            }
        }
    }

    /// Whether it has neither branches nor a run of its own.
    pub fn is_leaf(&self) -> bool {
        self.body().is_none()
    }
}

#[derive(Clone, Debug)]
pub enum What {
    Task {
        attempts: u32,
        lock: Option<usize>,
        /// An attempt may take so many seconds.
        limit: Option<u64>,
    },
    /// Waits so many seconds, or for a signal; for so many at most.
    Wait {
        time: Option<u64>,
        at_most: Option<u64>,
    },
    Noop,
    /// Takes the case `true` or none, by what an earlier task says.
    Switch {
        on: usize,
    },
    Join {
        permissive: bool,
    },
    Each {
        branches: u32,
        fail_fast: bool,
        body: Graph,
    },
    /// So many iterations, or as long as the first task of the body says `go`.
    Loop {
        items: Option<u32>,
        keep: Option<u32>,
        body: Graph,
    },
    Sub(Graph),
}

/// A definition, and what its submitter chose.
#[derive(Clone, Debug)]
pub struct Spec {
    pub root: Graph,
    pub fail_fast: bool,
    /// So many attempts of the run itself at once.
    pub slots: Option<usize>,
    /// Only these of the root's tasks and what they need.
    pub targets: Vec<usize>,
}

impl Spec {
    pub fn has_locks(&self) -> bool {
        self.root.any(&|piece| matches!(piece.what, What::Task { lock: Some(_), .. }))
    }
}

struct Author<'a> {
    dice: &'a mut Dice,
    names: usize,
    left: usize,
    fail_fast: bool,
}

pub fn author(dice: &mut Dice) -> Spec {
    let fail_fast = dice.chance(15);
    let most = *dice.pick(&[6, 12, 12, 24, 40, 60]);
    let left = most - dice.below(most / 2);
    let mut author = Author { dice, names: 0, left, fail_fast };
    let root = author.graph(left, 0, false);
    let slots = dice.chance(20).then(|| 1 + dice.below(4));
    let count = if dice.chance(15) { 1 + dice.below(3) } else { 0 };
    let targets = (0..count).map(|_| dice.below(root.nodes.len())).collect();
    Spec { root, fail_fast, slots, targets }
}

impl Author<'_> {
    fn graph(&mut self, most: usize, depth: usize, plain: bool) -> Graph {
        let mut graph = Graph::default();
        let count = (1 + self.dice.below(most.max(1))).min(self.left.max(1));
        let count = if depth == 0 { most } else { count };
        for at in 0..count {
            if at > 0 && self.left == 0 {
                break;
            }
            let piece = self.piece(&graph, depth, plain);
            graph.nodes.push(piece);
        }
        graph
    }

    fn piece(&mut self, before: &Graph, depth: usize, plain: bool) -> Piece {
        let at = before.nodes.len();
        self.left = self.left.saturating_sub(1);
        self.names += 1;
        let name = format!("t{}", self.names);
        let what = self.what(before, depth, plain);
        let is_join = matches!(what, What::Join { .. });
        let is_task = matches!(what, What::Task { .. });
        let mut needs: Vec<(usize, Guard)> = Vec::new();
        if let What::Switch { on } = what {
            needs.push((on, if self.dice.chance(50) { Guard::Success } else { Guard::Any }));
        }
        for _ in 0..self.dice.below(4).min(at) {
            let source = at - 1 - self.dice.below(at.min(6));
            if needs.iter().all(|(known, _)| *known != source) {
                let guard = if is_join { Guard::Any } else { self.guard(&before.nodes[source]) };
                needs.push((source, guard));
            }
        }
        let is_switch = matches!(what, What::Switch { .. });
        let any = !is_join && !is_switch && needs.len() > 1 && self.dice.chance(20);
        Piece { name, what, needs, any, optional: is_task && self.dice.chance(10) }
    }

    fn guard(&mut self, source: &Piece) -> Guard {
        match self.dice.below(12) {
            3..7 if matches!(source.what, What::Switch { .. }) => Guard::Case("true".into()),
            7..11 if matches!(source.what, What::Switch { .. }) => Guard::DefaultCase,
            0 => Guard::Failure,
            1 => Guard::Any,
            2 => Guard::Continue,
            _ => Guard::Success,
        }
    }

    fn what(&mut self, before: &Graph, depth: usize, plain: bool) -> What {
        let at = before.nodes.len();
        let tasks: Vec<usize> =
            (0..at).filter(|&at| matches!(before.nodes[at].what, What::Task { .. })).collect();
        let deep = plain || depth >= 3 || self.left < 2;
        // The first of a body says whether its loop goes on.
        if depth > 0 && at == 0 && !plain {
            return self.task(plain);
        }
        match self.dice.below(20) {
            0 => What::Noop,
            1 | 2 => What::Join { permissive: self.dice.chance(50) },
            3 | 4 if !deep => {
                let fail_fast = !self.fail_fast && self.dice.chance(30);
                let body = self.graph(4, depth + 1, fail_fast);
                What::Each { branches: self.dice.below(4) as u32, fail_fast, body }
            }
            5 | 6 if !deep => {
                let items = self.dice.chance(50).then(|| self.dice.below(4) as u32);
                let keep = self.dice.chance(30).then_some(1);
                What::Loop { items, keep, body: self.graph(4, depth + 1, false) }
            }
            9 if !tasks.is_empty() => What::Switch { on: *self.dice.pick(&tasks) },
            7 | 8 if !deep => What::Sub(self.graph(4, depth + 1, false)),
            10 if !plain => self.wait(),
            _ => self.task(plain),
        }
    }

    fn wait(&mut self) -> What {
        let time = self.dice.chance(50).then(|| 1 + self.dice.below(4) as u64);
        let at_most = self.dice.chance(40).then(|| 1 + self.dice.below(4) as u64);
        What::Wait { time, at_most }
    }

    /// Where something fails fast there are no limits: of two that run out at once, one would be cancelled by the other.
    fn task(&mut self, plain: bool) -> What {
        let attempts = if self.dice.chance(25) { 2 + self.dice.below(2) as u32 } else { 1 };
        let lock = self.dice.chance(20).then(|| self.dice.below(2));
        let limit =
            (!plain && !self.fail_fast && self.dice.chance(15)).then(|| 1 + self.dice.below(3) as u64);
        What::Task { attempts, lock, limit }
    }
}

/// The definition as the engine knows it.
pub fn definition(spec: &Spec) -> Definition {
    let on_failure = if spec.fail_fast { OnFailure::FailFast } else { OnFailure::Continue };
    let concurrency = spec.slots.map(|slots| Concurrency { min: 1, max: slots as u32 });
    Definition { on_failure, concurrency, ..flow(&spec.root) }
}

/// What the submitter chose.
pub fn options(spec: &Spec) -> RunOptions {
    let names = spec.targets.iter().map(|&at| spec.root.nodes[at].name.clone());
    RunOptions { targets: names.collect(), ..RunOptions::default() }
}

/// The graph without the tasks that no target needs.
pub fn wanted(spec: &Spec) -> Graph {
    let nodes = &spec.root.nodes;
    let mut wanted = vec![spec.targets.is_empty(); nodes.len()];
    for &target in &spec.targets {
        wanted[target] = true;
    }
    for at in (0..nodes.len()).rev().filter(|&at| nodes[at].needs.iter().len() > 0) {
        let needed = if wanted[at] { &nodes[at].needs[..] } else { &[] };
        for &(source, _) in needed {
            wanted[source] = true;
        }
    }
    let place = |at: usize| wanted[..at].iter().filter(|wanted| **wanted).count();
    let moved = |piece: &Piece| {
        let mut piece = piece.clone();
        piece.needs.iter_mut().for_each(|(source, _)| *source = place(*source));
        if let What::Switch { on } = &mut piece.what {
            *on = place(*on);
        }
        piece
    };
    Graph {
        nodes: nodes
            .iter()
            .zip(&wanted)
            .filter(|(_, wanted)| **wanted)
            .map(|(piece, _)| moved(piece))
            .collect(),
    }
}

fn flow(graph: &Graph) -> Definition {
    let mut definition = Definition { name: "random".into(), ..Definition::default() };
    definition.root = scope(graph, &mut definition);
    definition
}

fn scope(graph: &Graph, definition: &mut Definition) -> Scope {
    let nodes = graph.nodes.iter().map(|piece| node(graph, piece, definition)).collect();
    let edges = graph.nodes.iter().zip(0..).flat_map(|(piece, to)| {
        piece.needs.iter().map(move |(from, guard)| Edge {
            from: *from as u32,
            to,
            guard: guard.clone(),
            place: Place::root(),
        })
    });
    Scope { nodes, edges: edges.collect() }
}

fn node(graph: &Graph, piece: &Piece, definition: &mut Definition) -> Node {
    let mut node = Node::new(&piece.name, kind(graph, piece, definition));
    node.trigger = if piece.any { Trigger::Any } else { Trigger::All };
    node.optional = piece.optional;
    if let What::Task { attempts, lock, limit } = piece.what {
        node.timeouts.attempt = limit.map(Duration::from_secs);
        let (base, backoff) = (Duration::from_secs(1), Backoff::Fixed);
        let retry = Retry { attempts, base, backoff, jitter: false, ..Retry::default() };
        node.retry = (attempts > 1).then(|| Box::new(retry));
        node.claims = lock.into_iter().map(claim).collect();
    }
    node
}

fn claim(lock: usize) -> Claim {
    let resource = Template(format!("lock{lock}"));
    Claim { resource, mode: ClaimMode::Exclusive, units: 1, expires: None, place: Place::root() }
}

fn kind(graph: &Graph, piece: &Piece, definition: &mut Definition) -> Kind {
    match &piece.what {
        What::Task { .. } => Kind::Command(Default::default()),
        What::Wait { time, at_most } => {
            let what = time.map_or(WaitFor::Signal, |time| WaitFor::Duration(Template(format!("{time}s"))));
            Kind::Wait(Wait { what, at_most: at_most.map(Duration::from_secs) })
        }
        What::Noop => Kind::Noop,
        What::Switch { on } => {
            Kind::Switch(Switch { value: says_go(&graph.nodes[*on]), cases: vec!["true".into()] })
        }
        What::Join { permissive } => Kind::Join(Join { permissive: *permissive, ..Join::default() }),
        What::Each { branches, fail_fast, body } => Kind::Each(Box::new(Each {
            items: Items::List(numbers(*branches)),
            key: None,
            max_parallel: None,
            batch: None,
            body: scope(body, definition),
            fail_fast: *fail_fast,
        })),
        What::Loop { items, keep, body } => Kind::Loop(Box::new(Loop {
            condition: items.is_none().then(|| says_go(&body.nodes[0])),
            items: items.map(numbers),
            keep_last: *keep,
            iterations_max: 100,
            body: scope(body, definition),
        })),
        What::Sub(graph) => {
            definition.flows.insert(piece.name.clone(), Arc::new(flow(graph)));
            Kind::SubRun(SubRun {
                flow: Flow::Frozen(piece.name.clone()),
                input: TemplateTree(Payload::Null),
            })
        }
    }
}

fn says_go(task: &Piece) -> Evaluate {
    Evaluate::Expression(Expression(format!("{}.output.go", task.name)))
}

fn numbers(count: u32) -> TemplateTree {
    TemplateTree(Payload::list((0..u64::from(count)).map(Payload::from)))
}

/// The name of the task at the end of a path: names are unique in a random definition.
pub fn name_of(path: &str) -> &str {
    path.rsplit(['/', '>']).next().unwrap_or(path)
}

/// Whether the nearest thing around the task is a branch.
pub fn is_own_fork(path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(around, _)| around.ends_with(']'))
}

pub fn find<'a>(graph: &'a Graph, name: &str) -> Option<&'a Piece> {
    graph.nodes.iter().find_map(|piece| {
        if piece.name == name { Some(piece) } else { piece.body().and_then(|body| find(body, name)) }
    })
}

pub fn closes(graph: &Graph, name: &str) -> bool {
    matches!(find(graph, name).map(|piece| &piece.what), Some(What::Each { fail_fast: true, .. }))
}
