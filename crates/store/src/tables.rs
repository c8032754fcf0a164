//! The rows as maps: what a store means, without a disk. [`MemoryStore`](crate::MemoryStore) lives on it, and the
//! tests compare the others with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use partitur_model::catalogue::{Entry, EntryKind, LogLine};
use partitur_model::change::Change;
use partitur_model::note::{Note, NoteKind};
use partitur_model::record::{
    BreakerRecord, BreakerState, DefinitionRecord, NodeRecord, RunRecord, Served, TaskRecord,
};
use partitur_model::{DefinitionId, Payload, RunId, TaskSeq};

use crate::{Quarantined, Recovered, StoredRun, Submitted};

/// The key of a run's row: its shard above its number. The random bits of the id are checked, not searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RunKey(pub i64);

impl From<RunId> for RunKey {
    fn from(id: RunId) -> RunKey {
        // 12 bits of shard above 48 of number: never negative.
        RunKey(((id.shard() as i64) << 48) | id.number() as i64)
    }
}

/// Every row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    node: NodeRecord,
    breakers: BTreeMap<String, BreakerState>,
    definitions: BTreeMap<DefinitionId, DefinitionRecord>,
    runs: BTreeMap<RunKey, RunRecord>,
    tasks: BTreeMap<(RunKey, TaskSeq), TaskRecord>,
    logs: BTreeMap<(RunKey, TaskSeq), Vec<LogLine>>,
    catalogue: BTreeMap<(EntryKind, Arc<str>, u32), Entry>,
    notes: BTreeMap<(NoteKind, Arc<str>), Note>,
}

impl Tables {
    /// Makes the change.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Node(node) => self.node = *node,
            Change::Definition(definition) => {
                self.definitions.entry(definition.id).or_insert_with(|| (**definition).clone());
            }
            Change::Run(run) => {
                self.runs.insert(run.id.into(), settled_run(run));
            }
            Change::Task(task) => {
                self.tasks.insert((task.run.into(), task.seq), settled_task(task));
            }
            Change::RemoveTask(run, seq) => {
                self.tasks.remove(&((*run).into(), *seq));
                self.logs.remove(&((*run).into(), *seq));
            }
            Change::RemoveRun(run) => {
                self.remove_run((*run).into());
                let run = run.to_string();
                let goes = |kind, note: &Note| match kind {
                    NoteKind::Message => *note.about == *run,
                    NoteKind::DeadCallback => note.id.split('.').next() == Some(&run),
                    NoteKind::Due
                    | NoteKind::Started
                    | NoteKind::Event
                    | NoteKind::Handled
                    | NoteKind::Callback => false,
                };
                self.notes.retain(|(kind, _), note| !goes(*kind, note));
            }
            Change::Breaker(breaker) => {
                self.breakers.insert(breaker.name.clone(), breaker.state);
            }
            Change::Entry(entry) => self.keep_entry(entry),
            Change::Note(note) => self.keep_note(note),
            Change::Log(run, seq, lines) => {
                self.logs.entry(((*run).into(), *seq)).or_default().extend_from_slice(lines);
            }
        }
    }

    fn keep_entry(&mut self, entry: &Entry) {
        let key = (entry.kind, entry.name.clone(), entry.version);
        match &entry.body {
            Some(_) => drop(self.catalogue.insert(key, entry.clone())),
            None => drop(self.catalogue.remove(&key)),
        }
    }

    fn keep_note(&mut self, note: &Note) {
        let key = (note.kind, note.id.clone());
        match &note.body {
            Some(_) => drop(self.notes.insert(key, note.clone())),
            None => drop(self.notes.remove(&key)),
        }
    }

    fn remove_run(&mut self, key: RunKey) {
        self.runs.remove(&key);
        let seqs: Vec<_> = self.tasks_of(key).map(|task| task.seq).collect();
        for seq in seqs {
            self.tasks.remove(&(key, seq));
        }
        self.logs.retain(|&(run, _), _| run != key);
    }

    fn tasks_of(&self, key: RunKey) -> impl Iterator<Item = &TaskRecord> {
        self.tasks.range((key, TaskSeq(0))..=(key, TaskSeq(u32::MAX))).map(|(_, task)| task)
    }

    /// See [`Store::recover`](crate::Store::recover).
    pub fn recovered(&self) -> Recovered {
        let open = self.runs.values().filter(|run| !run.state.is_ended());
        let (known, unknown): (Vec<_>, Vec<_>) =
            open.partition(|run| self.definitions.contains_key(&run.definition));
        let used: BTreeSet<DefinitionId> = known.iter().map(|run| run.definition).collect();
        Recovered {
            node: self.node,
            breakers: self.breakers().collect(),
            definitions: used.iter().filter_map(|id| self.definition(*id)).cloned().collect(),
            runs: known.into_iter().map(|run| self.stored(run)).collect(),
            submitted: self.submitted(),
            quarantined: unknown.into_iter().map(Quarantined::without_definition).collect(),
        }
    }

    fn submitted(&self) -> Vec<Submitted> {
        let keyed = self.runs.values().filter_map(|run| Some((run.options.dedup_key.clone()?, run)));
        // Numbers rise: the last one under a key is the newest.
        let newest: BTreeMap<String, Submitted> = keyed
            .map(|(key, run)| (key.clone(), Submitted { key, run: run.id, created: run.created }))
            .collect();
        newest.into_values().collect()
    }

    /// The newest run of this name that was started under this key, and whether it has ended.
    pub fn run_under_key(&self, name: &str, key: &str) -> Option<(RunId, bool)> {
        let has_key = |run: &&RunRecord| {
            let idempotency = run.options.server.as_ref().and_then(|server| server.idempotency.as_ref());
            run.name == name && idempotency.is_some_and(|(own, _)| own == key)
        };
        self.runs.values().rev().find(has_key).map(|run| (run.id, run.state.is_ended()))
    }

    /// What the node remembers.
    pub fn node(&self) -> NodeRecord {
        self.node
    }

    /// The breakers, by name.
    pub fn breakers(&self) -> impl Iterator<Item = BreakerRecord> {
        self.breakers.iter().map(|(name, state)| BreakerRecord { name: name.clone(), state: *state })
    }

    /// Every run, by number.
    pub fn runs(&self) -> impl Iterator<Item = StoredRun> {
        self.runs.values().map(|run| self.stored(run))
    }

    /// A run with its tasks.
    pub fn run(&self, id: RunId) -> Option<StoredRun> {
        self.runs.get(&id.into()).filter(|run| run.id == id).map(|run| self.stored(run))
    }

    /// A definition.
    pub fn definition(&self, id: DefinitionId) -> Option<&DefinitionRecord> {
        self.definitions.get(&id)
    }

    /// The catalogue, by kind, name and version.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.catalogue.values()
    }

    /// The notes, by kind and id.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        self.notes.values()
    }

    /// What was written about a task.
    pub fn log(&self, run: RunId, task: TaskSeq) -> &[LogLine] {
        self.logs.get(&(run.into(), task)).map_or(&[], Vec::as_slice)
    }

    fn stored(&self, run: &RunRecord) -> StoredRun {
        StoredRun { run: run.clone(), tasks: self.tasks_of(run.id.into()).cloned().collect() }
    }

    /// Only what concerns one run.
    pub(crate) fn only(&self, run: RunId) -> Tables {
        let key = run.into();
        Tables {
            runs: self.runs.get(&key).map(|row| (key, row.clone())).into_iter().collect(),
            tasks: self.tasks_of(key).map(|task| ((key, task.seq), task.clone())).collect(),
            ..Tables::default()
        }
    }
}

/// Whether the change concerns the run.
pub(crate) fn concerns(change: &Change, run: RunId) -> bool {
    match change {
        Change::Run(row) => row.id == run,
        Change::Task(row) => row.run == run,
        Change::RemoveTask(id, _) | Change::RemoveRun(id) => *id == run,
        // A run comes back without what was written about its tasks.
        Change::Log(..) => false,
        Change::Node(_) | Change::Definition(_) | Change::Breaker(_) | Change::Entry(_) | Change::Note(_) => {
            false
        }
    }
}

fn settled_run(run: &RunRecord) -> RunRecord {
    RunRecord {
        input: settled(&run.input),
        variables: settled(&run.variables),
        output: run.output.as_ref().map(settled),
        ..run.clone()
    }
}

fn settled_task(task: &TaskRecord) -> TaskRecord {
    TaskRecord {
        output: task.output.as_ref().map(settled),
        items: task.items.as_ref().map(settled),
        served: task
            .served
            .as_ref()
            .map(|served| Box::new(Served { input: settled(&served.input), ..(**served).clone() })),
        ..task.clone()
    }
}

/// The payload as it comes back from a disk: in one piece.
fn settled(payload: &Payload) -> Payload {
    if payload.is_null() { Payload::Null } else { Payload::Raw(payload.to_raw()) }
}
