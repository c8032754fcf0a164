//! Faults of the engine's own: what fails is taken back alone, and the runs that it touched are set aside.
//!
//! A unit is an input for one run and all that follows from it, the firing of one timer, or the start of one attempt.
//! If it panics, the batch is rewound to where the unit began, so that the rows stay sound, and every run that it
//! touched (one family at most) leaves memory: what is there may be half changed. Until the node starts again and
//! reads the rows, whatever is meant for such a run is turned away. Its living attempts are told to stop, and keep
//! slots and locks until they are dead: their processes may still write.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use partitur_model::dispatch::{Report, ReportKind};
use partitur_model::{AttemptId, FencingToken, RunId, TaskSeq};

use super::Engine;
use crate::admission::TaskKey;
use crate::batch::Batch;
use crate::cx::Agenda;
use crate::effect::{Answer, Effect, Refusal};
use crate::input::{ReplyTo, StoredRun};
use crate::recovery::BadRows;

#[cfg(test)]
mod tests;

/// What the unit at hand has done that is not in its batch.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// Attempts up to this token were handed out before.
    token: FencingToken,
    /// Runs in which it has changed something.
    pub touched: Vec<RunId>,
    /// Runs that it has made.
    pub created: Vec<RunId>,
    /// For each thing that it has left for a run to be loaded, that run.
    pub queued: Vec<RunId>,
    /// Attempts of whose end it has heard.
    pub ended: Vec<AttemptId>,
    /// Who is answered by it.
    pub replies: Vec<ReplyTo>,
}

/// A run that is set aside.
#[derive(Debug)]
pub(super) struct SetAside {
    /// Under which number people are told.
    pub incident: u64,
    /// Attempts that may still be alive.
    living: BTreeMap<TaskSeq, FencingToken>,
}

impl Engine {
    /// Does a unit of work and all that follows from it, or none of it.
    pub(super) fn guarded(
        &mut self,
        subject: Option<RunId>,
        batch: &mut Batch,
        work: impl FnOnce(&mut Engine, &mut Batch, &mut Agenda),
    ) {
        let mark = batch.mark();
        self.begin_unit();
        let done = catch_unwind(AssertUnwindSafe(|| {
            let mut agenda = Agenda::new();
            work(self, batch, &mut agenda);
            self.follow(batch, &mut agenda);
            if cfg!(debug_assertions) {
                self.assert_awake();
            }
        }));
        if done.is_err() {
            batch.rewind(mark);
            self.set_aside(subject, batch);
        }
    }

    fn begin_unit(&mut self) {
        self.admission.mark_breakers();
        let unit = &mut self.unit;
        unit.token = self.token;
        unit.touched.clear();
        unit.created.clear();
        unit.queued.clear();
        unit.ended.clear();
        unit.replies.clear();
    }

    /// A run comes into memory as the node starts; its rows may break the engine, but not keep it from starting.
    pub(super) fn take_up_rows(&mut self, stored: StoredRun, agenda: &mut Agenda) -> Result<(), BadRows> {
        let id = stored.run.id;
        let broken = || BadRows { run: id, task: String::new(), problem: "they broke the engine".to_owned() };
        let placed = catch_unwind(AssertUnwindSafe(|| self.insert_rows(stored, agenda)));
        placed.unwrap_or_else(|_| Err(broken())).inspect_err(|_| self.set_bad_rows_aside(id))
    }

    /// The rows of a run cannot be used.
    pub(super) fn set_bad_rows_aside(&mut self, id: RunId) {
        self.incidents += 1;
        let aside = SetAside { incident: self.incidents, living: BTreeMap::new() };
        self.quarantined.insert(id, aside);
    }

    /// The unit at hand has failed halfway.
    fn set_aside(&mut self, subject: Option<RunId>, batch: &mut Batch) {
        self.incidents += 1;
        self.admission.rewind_breakers();
        let unit = std::mem::take(&mut self.unit);
        self.unqueue(&unit.queued);
        let runs: BTreeSet<RunId> = unit.touched.iter().copied().chain(subject).collect();
        for &id in &runs {
            self.set_run_aside(id, unit.token, batch);
        }
        for &id in &unit.created {
            // Its rows were never written: to the world it has not been there.
            self.quarantined.remove(&id);
            self.recent.retain(|_, recent| recent.run != id);
            self.keyed.retain(|_, run| *run != id);
        }
        for &attempt in &unit.ended {
            self.is_dead(attempt);
        }
        for &to in &unit.replies {
            let answer = Answer::Refused(Refusal::Incident(self.incidents));
            batch.effect(Effect::Reply { to, answer });
        }
        for id in runs.into_iter().filter(|id| self.loading.contains_key(id)).collect::<Vec<_>>() {
            self.guarded(None, batch, |engine, batch, agenda| engine.not_found(id, batch, agenda));
        }
    }

    /// What a failed unit has left for runs to be loaded was never meant.
    fn unqueue(&mut self, queued: &[RunId]) {
        for run in queued {
            if let Some(queue) = self.loading.get_mut(run) {
                queue.pop_back();
                if queue.is_empty() {
                    self.loading.remove(run);
                }
            }
        }
    }

    fn set_run_aside(&mut self, id: RunId, before: FencingToken, batch: &mut Batch) {
        self.leaving.remove(&id);
        let Some(run) = self.runs.remove(&id) else { return };
        let living = run.living_attempts(before);
        self.polls.take_back(id);
        for task in self.tickets_of(id) {
            self.admission.withdraw(task);
            if !living.contains_key(&task.task) {
                self.admission.release(self.now, task);
            }
        }
        for (&task, &token) in &living {
            batch.effect(Effect::Stop(AttemptId { run: id, task, token }));
        }
        self.quarantined.insert(id, SetAside { incident: self.incidents, living });
    }

    fn tickets_of(&self, id: RunId) -> BTreeSet<TaskKey> {
        let waiting = self.waits().into_iter().map(|wait| wait.task);
        waiting
            .chain(self.holders().into_iter().map(|hold| hold.task))
            .filter(|task| task.run == id)
            .collect()
    }

    /// A worker speaks about an attempt of a run that is set aside.
    pub(super) fn heard_of(&mut self, report: &Report) {
        match report.what {
            ReportKind::Ended(_) | ReportKind::Again { .. } => self.is_dead(report.attempt),
            ReportKind::Alive | ReportKind::Progress { .. } | ReportKind::Serves => {}
        }
    }

    fn is_dead(&mut self, attempt: AttemptId) {
        if let Some(aside) = self.quarantined.get_mut(&attempt.run)
            && aside.living.get(&attempt.task) == Some(&attempt.token)
        {
            aside.living.remove(&attempt.task);
            self.admission.release(self.now, TaskKey { run: attempt.run, task: attempt.task });
        }
    }

    /// Attempts handed out before this start of the node are dead, those of runs that are set aside, too.
    pub(super) fn bury(&mut self, epoch: u32) {
        let all = self.quarantined.iter().flat_map(|(&run, aside)| {
            aside.living.iter().map(move |(&task, &token)| AttemptId { run, task, token })
        });
        for attempt in all.filter(|attempt| attempt.token.epoch() < epoch).collect::<Vec<_>>() {
            self.is_dead(attempt);
        }
    }
}
