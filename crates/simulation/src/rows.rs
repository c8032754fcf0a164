//! Rows as maps, and the places of the definition that they speak of: what checkers look at.

use std::collections::BTreeMap;
use std::sync::Arc;

use partitur_engine::{HeldLock, held_locks_in};
use partitur_model::catalogue::{Entry, EntryKind};
use partitur_model::change::Change;
use partitur_model::definition::{Definition, Kind, Node, Scope};
use partitur_model::note::{Note, NoteKind};
use partitur_model::record::{NodeRecord, RunRecord, RunState, ScopeRef, TaskRecord};
use partitur_model::{Payload, RunId, TaskSeq, Timestamp};
use partitur_store::retention::Past;
use partitur_store::{EndedRoot, Store, StoreError, StoredRun};

use crate::workload::branch_flow;

/// Runs that are looked at at once when it is asked which may go.
const PAGE: usize = 5;

/// Rows, as some commit leaves them.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    node: NodeRecord,
    runs: BTreeMap<RunId, RunRecord>,
    tasks: BTreeMap<RunId, BTreeMap<TaskSeq, TaskRecord>>,
    kept: Kept,
}

/// What a server keeps beside its runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    entries: BTreeMap<(EntryKind, Arc<str>, u32), Entry>,
    notes: BTreeMap<(NoteKind, Arc<str>), Note>,
}

impl Kept {
    /// These.
    pub fn of<'a>(
        entries: impl IntoIterator<Item = &'a Entry>,
        notes: impl IntoIterator<Item = &'a Note>,
    ) -> Kept {
        let mut kept = Kept::default();
        entries.into_iter().for_each(|entry| kept.keep(entry));
        notes.into_iter().for_each(|note| kept.note(note));
        kept
    }

    fn keep(&mut self, entry: &Entry) {
        let place = (entry.kind, entry.name.clone(), entry.version);
        match &entry.body {
            Some(_) => drop(self.entries.insert(place, entry.clone())),
            None => drop(self.entries.remove(&place)),
        }
    }

    fn note(&mut self, note: &Note) {
        let place = (note.kind, note.id.clone());
        match &note.body {
            Some(_) => drop(self.notes.insert(place, note.clone())),
            None => drop(self.notes.remove(&place)),
        }
    }
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
            Change::Entry(entry) => self.kept.keep(entry),
            Change::Note(note) => self.kept.note(note),
            Change::Definition(_) | Change::Breaker(_) | Change::Log(..) => {}
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

    /// The documents of a kind, by name and version.
    pub fn entries(&self, kind: EntryKind) -> impl Iterator<Item = &Entry> {
        self.kept.entries.values().filter(move |entry| entry.kind == kind)
    }

    /// A document.
    pub fn entry(&self, kind: EntryKind, name: &str, version: u32) -> Option<&Entry> {
        self.kept.entries.get(&(kind, name.into(), version))
    }

    /// What those outside hold.
    pub fn locks(&self) -> Vec<HeldLock> {
        held_locks_in(self.entries(EntryKind::Lock))
    }

    /// The notes of a kind.
    pub fn notes(&self, kind: NoteKind) -> impl Iterator<Item = &Note> {
        self.kept.notes.values().filter(move |note| note.kind == kind)
    }

    /// A note.
    pub fn note(&self, kind: NoteKind, id: &str) -> Option<&Note> {
        self.kept.notes.get(&(kind, id.into()))
    }

    /// The runs that have ended and are nobody's sub-runs.
    pub fn roots(&self) -> impl Iterator<Item = EndedRoot> {
        self.runs.values().filter_map(|run| self.root(run))
    }

    fn root(&self, run: &RunRecord) -> Option<EndedRoot> {
        let (RunState::Ended(outcome), Some(ended)) = (run.state, run.ended) else { return None };
        let is_below = run.parent.is_some_and(|parent| self.runs.contains_key(&parent.run));
        (!is_below).then_some(EndedRoot { run: run.id, outcome, ended })
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
    pub fn difference(&self, store: &mut impl Store, kept: &Kept) -> Option<String> {
        let node = store.recover().expect("a store in order").node;
        if node != self.node {
            return Some(format!("the node's row is {node:?}, not {:?}", self.node));
        }
        if *kept != self.kept {
            return Some(format!("beside runs it keeps {kept:?}, not {:?}", self.kept));
        }
        self.runs().find_map(|run| {
            let stored = store.load_run(run.id).expect("a store in order");
            let wanted = StoredRun { run: run.clone(), tasks: self.tasks(run.id).cloned().collect() };
            (stored.as_ref() != Some(&wanted)).then(|| format!("{stored:?}, not {wanted:?}"))
        })
    }
}

impl Past for Rows {
    fn ended_roots(
        &self,
        after: Option<RunId>,
        until: Timestamp,
    ) -> Result<(Vec<EndedRoot>, Option<RunId>), StoreError> {
        // Few at a time, so that there is always a next page.
        let behind = |run: &&RunRecord| after.is_none_or(|after| run.id.number() > after.number());
        let mut page: Vec<&RunRecord> = self.runs.values().filter(behind).collect();
        page.sort_by_key(|run| run.id.number());
        let early = page.iter().take_while(|run| run.created <= until).take(PAGE).copied();
        let early: Vec<&RunRecord> = early.collect();
        let next = early.last().filter(|_| early.len() == PAGE).map(|run| run.id);
        Ok((early.into_iter().filter_map(|run| self.root(run)).collect(), next))
    }

    fn ended_root(&self, run: RunId) -> Result<Option<EndedRoot>, StoreError> {
        Ok(self.runs.get(&run).and_then(|run| self.root(run)))
    }

    fn family(&self, root: RunId) -> Result<Vec<RunId>, StoreError> {
        let (mut family, mut at) = (vec![root], 0);
        while let Some(&above) = family.get(at) {
            at += 1;
            let is_below = |run: &&RunRecord| run.parent.is_some_and(|parent| parent.run == above);
            family.extend(self.runs.values().filter(is_below).map(|run| run.id));
        }
        Ok(family)
    }

    fn have_ended(&self, runs: &[RunId]) -> Result<bool, StoreError> {
        Ok(runs.iter().all(|run| self.runs.get(run).is_some_and(|run| run.state.is_ended())))
    }
}

/// Whether a later attempt has a row of its own.
pub fn is_past(task: &TaskRecord) -> bool {
    task.served.as_ref().is_some_and(|served| served.superseded)
}

fn settled(payload: &Payload) -> Payload {
    if payload.is_null() { Payload::Null } else { Payload::Raw(payload.to_raw()) }
}
