//! Runs that are not in memory: what is meant for them waits until their rows are here.

use std::collections::VecDeque;

use partitur_model::RunId;

use super::{Engine, child_is_gone};
use crate::admission::Grant;
use crate::batch::{Batch, BatchNo};
use crate::cx::{Agenda, Todo};
use crate::effect::{Answer, Effect, Refusal};
use crate::input::{Input, ReplyTo, StoredRun};
use crate::recovery::BadRows;
use crate::run::Run;
use crate::timers::Timer;

/// Something for a run that is not in memory.
#[derive(Debug)]
pub(super) enum Waiting {
    Input(Input),
    Todo(Todo),
    Grant(Grant),
    Timer(Timer),
}

impl Engine {
    /// Gives back what is meant for a run if the run is in memory. If not, it waits, and the run's rows are sent for.
    pub(super) fn if_here<T>(
        &mut self,
        run: RunId,
        what: T,
        as_waiting: impl FnOnce(T) -> Waiting,
        batch: &mut Batch,
    ) -> Option<T> {
        if self.runs.contains_key(&run) {
            return Some(what);
        }
        if self.is_out_of_reach(run) {
            self.turn_away(run, as_waiting(what), batch);
            return None;
        }
        let queue = self.loading.entry(run).or_default();
        if queue.is_empty() {
            batch.effect(Effect::Load(run));
        }
        queue.push_back(as_waiting(what));
        self.unit.queued.push(run);
        None
    }

    /// Whether nothing can reach the run: it is set aside, or removed.
    pub(super) fn is_out_of_reach(&self, run: RunId) -> bool {
        #[cfg(feature = "planted-faults")]
        if partitur_model::planted::Planted::RemovalForgotten.is_here() {
            return self.quarantined.contains_key(&run);
        }
        self.quarantined.contains_key(&run) || self.removed.contains_key(&run)
    }

    /// Whether a task that may start is on its way into memory.
    pub(super) fn awaits_granted(&self) -> bool {
        let mut waiting = self.loading.values().flatten();
        waiting.any(|waiting| matches!(waiting, Waiting::Grant(_)))
    }

    /// The rows of a run have come: it is in memory again, and what has waited for it happens.
    pub(super) fn loaded(&mut self, stored: StoredRun, batch: &mut Batch, agenda: &mut Agenda) {
        let id = stored.run.id;
        if self.runs.contains_key(&id) {
            return;
        }
        if self.insert_rows(stored, agenda).is_err() {
            self.set_bad_rows_aside(id);
            return self.not_found(id, batch, agenda);
        }
        self.with_run(id, batch, agenda, |run, cx| run.take_up(cx));
        self.follow(batch, agenda);
        while let Some(waiting) = self.loading.get_mut(&id).and_then(VecDeque::pop_front) {
            match waiting {
                Waiting::Input(input) => self.handle(input, batch, agenda),
                Waiting::Todo(todo) => self.follow_in_family(todo, batch, agenda),
                Waiting::Grant(grant) => self.start(&grant, batch, agenda),
                Waiting::Timer(timer) => {
                    self.with_run(id, batch, agenda, |run, cx| run.fire(cx, &timer));
                }
            }
            self.follow(batch, agenda);
        }
        self.loading.remove(&id);
    }

    pub(super) fn insert_rows(&mut self, stored: StoredRun, agenda: &mut Agenda) -> Result<(), BadRows> {
        let id = stored.run.id;
        let bad = |problem: &str| BadRows { run: id, task: String::new(), problem: problem.to_owned() };
        let program =
            self.programs.get(&stored.run.definition).ok_or_else(|| bad("its definition is unknown"))?;
        let program = program.flow(&stored.run.flow).ok_or_else(|| bad("its flow is unknown"))?;
        if let Some(latest) = stored.tasks.iter().filter_map(|task| task.ended.or(task.started)).max() {
            self.now = self.now.max(latest);
        }
        self.remember(&stored.run);
        let run = Run::from_rows(stored, program, &mut self.timers, agenda)?;
        self.runs.insert(id, run);
        Ok(())
    }

    /// There are no rows of the run, or none that can be used.
    pub(super) fn not_found(&mut self, id: RunId, batch: &mut Batch, agenda: &mut Agenda) {
        for waiting in self.loading.remove(&id).unwrap_or_default() {
            match waiting {
                Waiting::Todo(todo) => child_is_gone(todo, agenda),
                other @ (Waiting::Input(_) | Waiting::Grant(_) | Waiting::Timer(_)) => {
                    self.turn_away(id, other, batch);
                }
            }
        }
    }

    /// Nothing can be done with this for a run that is set aside or unknown.
    fn turn_away(&mut self, id: RunId, waiting: Waiting, batch: &mut Batch) {
        match waiting {
            Waiting::Input(Input::Noted { input, .. }) => self.turn_away(id, Waiting::Input(*input), batch),
            Waiting::Input(input) => {
                if let Some(to) = who_waits(&input) {
                    let refusal = match self.quarantined.get(&id) {
                        Some(aside) => Refusal::Incident(aside.incident),
                        None => Refusal::UnknownRun,
                    };
                    batch.effect(Effect::Reply { to, answer: Answer::Refused(refusal) });
                }
                if let Input::Report(report) = input {
                    self.heard_of(&report);
                }
            }
            Waiting::Grant(grant) => self.admission.release(self.now, grant.task),
            Waiting::Todo(_) | Waiting::Timer(_) => {}
        }
    }

    /// Makes the run's state whole in its rows; it leaves when they are durable, unless something comes for it first.
    pub(super) fn evict(&mut self, id: RunId, batch: &mut Batch) {
        // Of attempts of an earlier start only runs in memory are told that they are dead, and only there a run knows whose
        // turn it is.
        let epoch = self.node.epoch;
        if self.runs.get(&id).is_some_and(|run| !run.turns.is_empty() || run.has_attempts_before(epoch)) {
            return;
        }
        let mut agenda = Agenda::new();
        let there = self.with_run(id, batch, &mut agenda, |run, cx| run.write_derived(cx));
        if there.is_some() {
            // An empty batch is not written before something else happens, which may be never.
            let last =
                if batch.is_empty() { BatchNo(batch.number().0.saturating_sub(1)) } else { batch.number() };
            self.leaving.insert(id, last);
            self.let_go();
        }
    }

    /// The rows of these runs go, if none of the runs is in memory, is on its way there, or is out of reach; whether they
    /// do. Whoever asks has seen on the disk that they have ended, which nothing but the engine can change.
    pub fn forget(&mut self, runs: &[RunId], batch: &mut Batch) -> bool {
        let is_here = |run: &RunId| {
            self.runs.contains_key(run) || self.loading.contains_key(run) || self.is_out_of_reach(*run)
        };
        if runs.iter().any(is_here) {
            return false;
        }
        for &run in runs {
            batch.remove_run(run);
            self.removed.insert(run, batch.number());
        }
        true
    }

    pub(super) fn let_go(&mut self) {
        let durable = self.durable;
        self.removed.retain(|_, batch| *batch > durable);
        let gone: Vec<RunId> =
            self.leaving.iter().filter(|(_, batch)| **batch <= durable).map(|(&run, _)| run).collect();
        for run in gone {
            self.leaving.remove(&run);
            self.drop_run(run);
        }
    }

    /// The run is not in memory any more; who has its key is known to the disk.
    pub(super) fn drop_run(&mut self, id: RunId) {
        if let Some(run) = self.runs.remove(&id) {
            self.forget_key(&run.rec);
        }
    }
}

/// Who waits for the answer to something that is meant for a run.
fn who_waits(input: &Input) -> Option<ReplyTo> {
    match input {
        Input::Noted { input, .. } => who_waits(input),
        Input::Command { reply, .. } | Input::Log { reply, .. } => *reply,
        Input::Update(update) => update.reply.or(update.then.as_ref().map(|poll| poll.reply)),
        Input::Submit(_)
        | Input::Report(_)
        | Input::Evaluated { .. }
        | Input::Tick
        | Input::Durable(_)
        | Input::AttemptsLost
        | Input::Loaded(_)
        | Input::NotFound(_)
        | Input::Evict(_)
        | Input::Concurrency(_)
        | Input::Pressure(_)
        | Input::Poll(_)
        | Input::PollOver(_)
        | Input::GiveBack(_)
        | Input::Resolved { .. }
        | Input::Keep { .. }
        | Input::ResetBreaker { .. }
        | Input::Locks(_)
        | Input::ClearResults { .. } => None,
    }
}
