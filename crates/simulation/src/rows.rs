//! Rows as maps, and the places of the definition that they speak of: what checkers look at.

use std::collections::BTreeMap;

use partitur_model::change::Change;
use partitur_model::definition::{Definition, Kind, Node, Scope};
use partitur_model::record::{NodeRecord, RunRecord, ScopeRef, TaskRecord};
use partitur_model::{Payload, RunId, TaskSeq};
use partitur_store::{Store, StoredRun};

use crate::workload::branch_flow;

/// Rows, as some commit leaves them.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    node: NodeRecord,
    runs: BTreeMap<RunId, RunRecord>,
    tasks: BTreeMap<RunId, BTreeMap<TaskSeq, TaskRecord>>,
}

impl Rows {
    /// Makes the change. Payloads become the bytes to which they render, as in every store.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Node(node) => self.node = *node,
            Change::Run(run) => {
                let mut run = (**run).clone();
                run.input = settled(&run.input);
                run.variables = settled(&run.variables);
                run.output = run.output.as_ref().map(settled);
                self.runs.insert(run.id, run);
            }
            Change::Task(task) => {
                let mut task = (**task).clone();
                task.output = task.output.as_ref().map(settled);
                task.items = task.items.as_ref().map(settled);
                if let Some(served) = &mut task.served {
                    served.input = settled(&served.input);
                }
                self.tasks.entry(task.run).or_default().insert(task.seq, task);
            }
            Change::RemoveTask(run, task) => {
                self.tasks.entry(*run).or_default().remove(task);
            }
            Change::RemoveRun(run) => {
                self.runs.remove(run);
                self.tasks.remove(run);
            }
            Change::Definition(_)
            | Change::Breaker(_)
            | Change::Entry(_)
            | Change::Note(_)
            | Change::Log(..) => {}
        }
    }

    /// Puts a task's row in, as it is.
    pub fn insert(&mut self, task: &TaskRecord) {
        self.tasks.entry(task.run).or_default().insert(task.seq, task.clone());
    }

    /// Copies the rows of one run.
    pub fn copy_run(&self, run: RunId, to: &mut Rows) {
        if let Some(record) = self.runs.get(&run) {
            to.runs.insert(run, record.clone());
        }
        if let Some(tasks) = self.tasks.get(&run) {
            to.tasks.insert(run, tasks.clone());
        }
    }

    /// Every run.
    pub fn runs(&self) -> impl Iterator<Item = &RunRecord> {
        self.runs.values()
    }

    /// A run.
    pub fn run(&self, run: RunId) -> Option<&RunRecord> {
        self.runs.get(&run)
    }

    /// The tasks of a run, by number.
    pub fn tasks(&self, run: RunId) -> impl Iterator<Item = &TaskRecord> {
        self.tasks.get(&run).into_iter().flat_map(BTreeMap::values)
    }

    /// A task.
    pub fn task(&self, run: RunId, seq: TaskSeq) -> Option<&TaskRecord> {
        self.tasks.get(&run)?.get(&seq)
    }

    /// The task of a node in a branch or iteration.
    pub fn of_node(&self, run: RunId, scope: Option<ScopeRef>, node: &str) -> Option<&TaskRecord> {
        let mut rows = self.tasks(run).filter(|task| task.scope == scope && &*task.node == node);
        rows.find(|task| !is_past(task))
    }

    /// The graph in which a task stands.
    pub fn scope<'a>(&self, definition: &'a Definition, task: &TaskRecord) -> Option<&'a Scope> {
        let Some(place) = task.scope else { return Some(&definition.root) };
        let container = self.task(task.run, place.container)?;
        match &self.node(definition, container)?.kind {
            Kind::Each(each) => Some(&each.body),
            Kind::Loop(repeat) => Some(&repeat.body),
            Kind::Expand(_) => {
                definition.flows.get(&branch_flow(&container.node, place.index)).map(|branch| &branch.root)
            }
            _ => None,
        }
    }

    /// The node of which a task is an instance.
    pub fn node<'a>(&self, definition: &'a Definition, task: &TaskRecord) -> Option<&'a Node> {
        self.scope(definition, task)?.nodes.iter().find(|node| node.name == *task.node)
    }

    /// What the store holds otherwise than these rows, if anything.
    pub fn difference(&self, store: &mut impl Store) -> Option<String> {
        let node = store.recover().expect("a store in order").node;
        if node != self.node {
            return Some(format!("the node's row is {node:?}, not {:?}", self.node));
        }
        self.runs().find_map(|run| {
            let stored = store.load_run(run.id).expect("a store in order");
            let wanted = StoredRun { run: run.clone(), tasks: self.tasks(run.id).cloned().collect() };
            (stored.as_ref() != Some(&wanted)).then(|| format!("{stored:?}, not {wanted:?}"))
        })
    }
}

/// Whether a later attempt has a row of its own.
pub fn is_past(task: &TaskRecord) -> bool {
    task.served.as_ref().is_some_and(|served| served.superseded)
}

fn settled(payload: &Payload) -> Payload {
    if payload.is_null() { Payload::Null } else { Payload::Raw(payload.to_raw()) }
}
