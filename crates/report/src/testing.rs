//! A small run for the tests of this crate.

use partitur_model::definition::{
    Command, Definition, Each, Edge, Guard, Items, Kind, Node, Scope, TemplateTree,
};
use partitur_model::record::{
    LogSpan, RunOptions, RunOutcome, RunRecord, RunState, ScopeRef, TaskOutcome, TaskRecord, TaskState,
    UndoState, Usage,
};
use partitur_model::{DefinitionId, Payload, Place, RunId, TaskSeq, Timestamp};

use crate::story::Story;

/// Seconds after the run was accepted.
pub fn at(seconds: f64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + (seconds * 1_000.0) as u64)
}

pub fn command(name: &str) -> Node {
    Node::new(name, Kind::Command(Command::default()))
}

/// `parts`: a command for each part of a list.
pub fn list() -> Node {
    let each = Each {
        items: Items::List(TemplateTree::default()),
        key: None,
        max_parallel: None,
        batch: None,
        body: Scope { nodes: vec![command("parts")], edges: Vec::new() },
        fail_fast: false,
    };
    Node::new("parts", Kind::Each(Box::new(each)))
}

pub fn edges(pairs: &[(u32, u32)]) -> Vec<Edge> {
    let edge = |&(from, to): &(u32, u32)| Edge { from, to, guard: Guard::Success, place: Place::root() };
    pairs.iter().map(edge).collect()
}

pub fn run(end: f64) -> RunRecord {
    RunRecord {
        id: RunId::new(0, 7, 1),
        definition: DefinitionId(1),
        flow: String::new(),
        name: "month-end".to_owned(),
        parent: None,
        state: RunState::Ended(RunOutcome::Succeeded),
        generation: 0,
        input: Payload::Null,
        variables: Payload::Null,
        output: None,
        error: None,
        options: RunOptions::default(),
        created: at(0.0),
        begun: at(0.0),
        ended: Some(at(end)),
        failure_run: None,
    }
}

/// A task that was ready, started and ended then, and succeeded.
pub fn task(seq: u32, name: &str, ready: f64, started: f64, ended: f64) -> TaskRecord {
    TaskRecord {
        run: RunId::new(0, 7, 1),
        seq: TaskSeq(seq),
        node: name.into(),
        scope: None,
        path: name.into(),
        state: TaskState::Ended(TaskOutcome::Succeeded),
        generation: 1,
        attempt: 1,
        losses: 0,
        ready: at(ready),
        started: Some(at(started)),
        ended: Some(at(ended)),
        output: None,
        error: None,
        items: None,
        iteration: 0,
        child: None,
        undo: UndoState::None,
        cached: false,
        log: None::<LogSpan>,
        usage: Usage::default(),
        served: None,
    }
}

pub fn part(seq: u32, container: u32, index: u32, times: (f64, f64, f64)) -> TaskRecord {
    let (ready, started, ended) = times;
    TaskRecord {
        scope: Some(ScopeRef { container: TaskSeq(container), index }),
        path: format!("parts[{index}]").into(),
        ..task(seq, "parts", ready, started, ended)
    }
}

/// `load` (2 s), then `orders` (6 s) and `stock` (3 s, which waits 6 s for a lock of `orders`), then `close` (1 s).
pub fn month_end() -> (RunRecord, Vec<TaskRecord>, Definition) {
    let nodes = ["load", "orders", "stock", "close"].map(command).to_vec();
    let root = Scope { nodes, edges: edges(&[(0, 1), (0, 2), (1, 3), (2, 3)]) };
    let tasks = vec![
        task(1, "load", 0.0, 0.0, 2.0),
        task(2, "orders", 2.0, 2.0, 8.0),
        task(3, "stock", 2.0, 8.0, 11.0),
        task(4, "close", 11.0, 11.0, 12.0),
    ];
    (run(12.0), tasks, Definition { root, ..Definition::default() })
}

/// Its tasks and what leads where.
pub fn definition(names: &[&str], pairs: &[(u32, u32)]) -> Definition {
    let root = Scope { nodes: names.iter().map(|name| command(name)).collect(), edges: edges(pairs) };
    Definition { root, ..Definition::default() }
}

/// The run as its tasks tell it, long after its end.
pub fn story<'a>(run: &'a RunRecord, tasks: &'a [TaskRecord], definition: &'a Definition) -> Story<'a> {
    Story { run, tasks, definition, children: Vec::new(), now: at(100.0) }
}
