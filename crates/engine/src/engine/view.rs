//! What others may look at.

use std::sync::Arc;

use partitur_model::definition::{Claim, Kind};
use partitur_model::record::{BreakerRecord, RunRecord, TaskRecord};
use partitur_model::{DefinitionId, RunId, TaskSeq, Timestamp};

use super::Engine;
use crate::admission::{Census, HoldView, ResourceId, TaskKey, WaitView};
use crate::program::Program;
use crate::results::ResultsView;
use crate::run::Run;

impl Engine {
    /// When the engine has something to do although nothing happens: at once if something waits for its turn.
    pub fn wake(&self) -> Option<Timestamp> {
        let turn = self.turns.any().then_some(Timestamp::ZERO);
        [turn, self.timers.next(), self.admission.wake(), self.outside.next()].into_iter().flatten().min()
    }

    /// Who waits for what, and who has it.
    pub fn waits(&self) -> Vec<WaitView> {
        self.admission.waits(self.now)
    }

    /// Who holds what.
    pub fn holders(&self) -> Vec<HoldView> {
        self.admission.holders()
    }

    /// How much waits and is held.
    pub fn census(&self) -> Census {
        self.admission.census()
    }

    /// The tasks and locks that wait for things, at most so many: who, for what, since when.
    pub fn contenders(&self, most: usize) -> Vec<(TaskKey, String, Timestamp)> {
        let waiting = self.admission.contenders(most).into_iter();
        waiting.map(|(task, thing, since)| (task, self.resource_name(thing).to_owned(), since)).collect()
    }

    /// Who holds what a waiting task wants.
    pub fn in_the_way_of(&self, task: TaskKey) -> Vec<TaskKey> {
        self.admission.in_the_way_of(task)
    }

    /// How many callbacks were noted since the start; they are durable with their batches.
    pub fn callbacks_noted(&self) -> u64 {
        self.callbacks.noted
    }

    /// How the results stand that are kept.
    pub fn results(&self) -> ResultsView {
        self.results.view()
    }

    /// A task of a run in memory, and what it is.
    pub fn task(&self, run: RunId, task: TaskSeq) -> Option<(&TaskRecord, &Kind)> {
        let run = self.runs.get(&run)?;
        let key = run.key_of(task)?;
        Some((run.task(key)?, &run.node(key).spec.kind))
    }

    /// What a task of a run in memory claims, as it was written.
    pub fn claims(&self, run: RunId, task: TaskSeq) -> &[Claim] {
        let found = self.runs.get(&run).and_then(|run| Some(&*run.node(run.key_of(task)?).spec.claims));
        found.unwrap_or_default()
    }

    /// How every breaker stands.
    pub fn breakers(&self) -> Vec<BreakerRecord> {
        self.admission.breakers(self.now)
    }

    /// The name of a resource in [`Engine::waits`] and [`Engine::holders`].
    pub fn resource_name(&self, resource: ResourceId) -> &str {
        self.admission.name(resource)
    }

    pub(crate) fn runs_in_memory(&self) -> impl Iterator<Item = &Run> + '_ {
        self.runs.values()
    }

    /// What a run's row says now, if it is in memory.
    pub fn run(&self, id: RunId) -> Option<&RunRecord> {
        self.runs.get(&id).map(|run| &run.rec)
    }

    /// The rows of a run that is in memory, by number.
    pub fn tasks(&self, id: RunId) -> impl Iterator<Item = &TaskRecord> + '_ {
        self.runs.get(&id).into_iter().flat_map(|run| run.tasks())
    }

    /// How many runs are in memory.
    pub fn residents(&self) -> usize {
        self.runs.len()
    }

    /// The runs in memory.
    pub fn resident(&self) -> impl Iterator<Item = RunId> + '_ {
        self.runs.keys().copied()
    }

    /// Runs set aside by a fault of the engine's own or by rows that do not fit together.
    pub fn quarantined(&self) -> impl Iterator<Item = RunId> + '_ {
        self.quarantined.keys().copied()
    }

    /// Whether the program of this definition is known.
    pub fn knows(&self, definition: DefinitionId) -> bool {
        self.programs.contains_key(&definition)
    }

    /// The program of a definition whose runs may be loaded.
    pub fn learn(&mut self, definition: DefinitionId, program: Arc<Program>) {
        self.programs.insert(definition, program);
    }

    /// How often this node was started, this start included.
    pub fn epoch(&self) -> u32 {
        self.node.epoch
    }

    /// The path of a task, for people.
    pub fn path(&self, run: RunId, task: TaskSeq) -> Option<&str> {
        let run = self.runs.get(&run)?;
        run.task(run.key_of(task)?).map(|task| &*task.path)
    }
}
