//! The node: it starts, is given inputs, turns, and dies.

use std::cmp::Reverse;
use std::time::Duration;

use partitur_engine::{Command, Input, ReplyTo};
use partitur_model::dispatch::{Report, ReportKind};
use partitur_model::{AttemptId, RunId};
use partitur_runtime::{Options, Shard, ShardError};

use super::told::{brief, brief_changes, brief_effect};
use super::{Due, Event, Stop, World};
use crate::checkers::{Call, Seen};
use crate::disk::Disk;
use crate::faults::{self, CrashPoint, DiskTrouble, Fault};
use crate::gate::{Gate, durable};
use crate::processes;
use crate::summary::input_name;

impl<D: Disk> World<D> {
    pub(super) fn open(&mut self) -> Result<(), Stop> {
        self.start += 1;
        let programs = self.documents.programs();
        let compile = Box::new(move |record: &partitur_model::record::DefinitionRecord| {
            programs.get(&record.id).cloned().ok_or_else(|| "unknown".to_owned())
        });
        let options = Options::default();
        let options = Options {
            engine: partitur_engine::Options {
                concurrency: self.limit,
                // Loops that wait for nobody get their turns.
                stretch: if self.runs.is_served() { 20 } else { options.engine.stretch },
                ..options.engine
            },
            gather: if self.rng.percent(30) { Duration::from_millis(3) } else { Duration::ZERO },
            adopt: options.adopt,
        };
        let mut gate = Gate::new(self.disk.open());
        self.take_over(&mut gate).map_err(Stop::Wrong)?;
        let options = Options {
            engine: partitur_engine::Options { locks: self.durable.locks(), ..options.engine },
            ..options
        };
        let opened = Shard::open(options, gate, compile, self.clock());
        let (shard, opened) = opened.map_err(|error| Stop::Wrong(error.to_string()))?;
        if !opened.bad.is_empty() || !opened.quarantined.is_empty() {
            return Err(Stop::Wrong(format!("{:?} {:?}", opened.bad, opened.quarantined)));
        }
        let epoch = shard.engine().epoch();
        self.shard = Some(shard);
        self.note(|| format!("START {epoch}"));
        self.watch(&Seen::Started(epoch))?;
        self.open_house();
        if self.rng.percent(50) {
            self.kill();
            self.input(Input::AttemptsLost, None)?;
            self.watch(&Seen::Killed)?;
        } else {
            let after = self.rng.pause(0, 3_000);
            self.soon(after, Event::Killed);
        }
        self.turn()
    }

    /// What the disk holds is what was told, and of what was on its way a part from the front.
    pub(super) fn take_over(&mut self, store: &mut impl partitur_store::Store) -> Result<(), String> {
        let mut on_the_way = std::mem::take(&mut self.in_flight).into_iter();
        let kept = self.disk.kept();
        while let Some(difference) = self.durable.difference(store, &kept) {
            let Some((_, inputs, commit)) = on_the_way.next() else {
                return Err(format!("the disk holds something else than what was durable: {difference}"));
            };
            commit.changes.iter().for_each(|change| self.durable.apply(change));
            self.durable_inputs = inputs;
        }
        self.decided = self.durable.clone();
        Ok(())
    }

    /// The processes of earlier starts die. What they had to say is not heard, or comes later.
    pub(super) fn kill(&mut self) {
        let epoch = self.shard.as_ref().map_or(0, |shard| shard.engine().epoch());
        let old = |id: &AttemptId| id.token.epoch() < epoch;
        let dead: Vec<AttemptId> = self.processes.live.keys().filter(|id| old(id)).copied().collect();
        for attempt in dead {
            self.fault(Fault::Orphan);
            self.processes.live.remove(&attempt);
            if self.rng.percent(20) {
                let what = ReportKind::Ended(Box::new(processes::stopped(&mut self.rng)));
                let after = self.rng.pause(1, 20_000);
                self.at(after, Event::Report(Report { attempt, what }));
            }
        }
        self.processes.unheard.retain(|id, _| !old(id));
    }

    pub(super) fn killed(&mut self) -> Result<(), Stop> {
        self.crash_at(CrashPoint::WhileKilling)?;
        self.kill();
        self.input(Input::AttemptsLost, None)?;
        self.watch(&Seen::Killed)
    }

    pub(super) fn crash(&mut self, point: CrashPoint) {
        self.fault(Fault::Crash(point));
        self.summary.crashes += 1;
        self.disk.crash();
        let shard = self.shard.take();
        self.summary.commits += shard.as_ref().map_or(0, Shard::commits);
        drop(shard);
        self.calls.clear();
        self.trouble = None;
        // A hand-out that was on its way to its executor is gone with the process.
        let on_the_way = |due: &Due| if let Event::Begin(attempt) = due.event { Some(attempt) } else { None };
        let lost: Vec<AttemptId> = self.events.iter().filter_map(|Reverse(due)| on_the_way(due)).collect();
        for attempt in lost {
            self.processes.live.remove(&attempt);
        }
        if self.rng.percent(40) {
            let (fault, skew) = faults::jump(&mut self.rng);
            self.fault(fault);
            self.skew += skew;
        }
        let after = self.rng.pause(1, 20_000);
        self.at(after, Event::Start);
        self.start += 1;
    }

    pub(super) fn input(&mut self, input: Input, call: Option<(ReplyTo, Call)>) -> Result<(), Stop> {
        if self.shard.is_none() {
            return Ok(());
        }
        self.note(|| format!("input {}", brief(&input)));
        self.count(&input);
        let before = call.as_ref().and_then(|_| self.memory(&input));
        let now = self.clock();
        let shard = self.shard.as_mut().expect("just looked");
        let run = concerned(&input);
        shard.step(now, input);
        if let Some((to, mut call)) = call {
            let after = run.and_then(|run| self.memory_of(run));
            call.changed = before.is_some() && before != after;
            self.calls.insert(to, call);
        }
        self.crash_at(CrashPoint::BeforeSubmit)?;
        if self.rng.percent(30) {
            self.soon(Duration::from_micros(500), Event::Turn);
            Ok(())
        } else {
            self.turn()
        }
    }

    pub(super) fn count(&mut self, input: &Input) {
        self.summary.inputs += 1;
        let Some(shard) = &self.shard else { return };
        let name = input_name(input);
        let named = match input {
            Input::Report(report) => Some((report.attempt.run, report.attempt.task)),
            Input::Evaluated { run, task, .. } => Some((*run, *task)),
            Input::Command {
                run,
                command: Command::CancelTask { task } | Command::Rerun { task } | Command::Signal { task, .. },
                ..
            } => shard
                .engine()
                .tasks(*run)
                .find(|record| *record.path == **task)
                .map(|record| (*run, record.seq)),
            _ => None,
        };
        let all: Vec<RunId> = match input {
            Input::AttemptsLost => shard.engine().resident().collect(),
            _ => concerned(input).into_iter().collect(),
        };
        for record in all.into_iter().flat_map(|run| shard.engine().tasks(run)) {
            if named.is_none_or(|named| named == (record.run, record.seq)) {
                self.summary.pair(record, name);
            }
        }
    }

    pub(super) fn memory(&self, input: &Input) -> Option<String> {
        self.memory_of(concerned(input)?)
    }

    /// The run as it is in memory, to see whether it changes.
    pub(super) fn memory_of(&self, run: RunId) -> Option<String> {
        let engine = self.shard.as_ref()?.engine();
        Some(format!("{:?} {:?}", engine.run(run)?, engine.tasks(run).collect::<Vec<_>>()))
    }

    /// The loop of the node comes round once: batches are submitted, and what is released is carried out.
    pub(super) fn turn(&mut self) -> Result<(), Stop> {
        let now = self.clock();
        let Some(shard) = &mut self.shard else { return Ok(()) };
        match shard.turn(now) {
            Ok(()) => {}
            // The process ends with a reason; for the world that is a crash after the write.
            Err(ShardError::Poisoned(_) | ShardError::Unwritable(_)) => {
                return Err(Stop::Crash(CrashPoint::AfterWrite));
            }
        }
        self.observe_store()?;
        let effects = self.shard.as_mut().map(Shard::take_effects).unwrap_or_default();
        for effect in effects {
            self.crash_at(CrashPoint::AmongEffects)?;
            self.note(|| format!("  effect {}", brief_effect(&effect)));
            self.watch(&Seen::Effect(&effect))?;
            self.carry_out(effect);
        }
        self.watch(&Seen::Rest)?;
        if self.runs.is_served() {
            self.note_waits();
            self.note_lock_waits();
        }
        self.limit_lately = self.limit;
        self.plan_disk();
        self.plan_turn()
    }

    /// What the shard has heard of its store, and what it has submitted.
    pub(super) fn observe_store(&mut self) -> Result<(), Stop> {
        let Some(shard) = &mut self.shard else { return Ok(()) };
        let gate = shard.store();
        let (heard, submitted) = (std::mem::take(&mut gate.heard), std::mem::take(&mut gate.submitted));
        for number in heard.iter().filter_map(durable) {
            while self.in_flight.first().is_some_and(|(first, ..)| *first <= number) {
                let (_, inputs, commit) = self.in_flight.remove(0);
                commit.changes.iter().for_each(|change| self.durable.apply(change));
                self.durable_inputs = inputs;
            }
        }
        for commit in submitted {
            // A batch that was refused is submitted again.
            if self.in_flight.iter().any(|(number, ..)| *number == commit.number) {
                continue;
            }
            self.note(|| format!("  commit {}: {}", commit.number.0, brief_changes(&commit.changes)));
            self.watch(&Seen::Commit(&commit.changes))?;
            if self.runs.is_served() {
                self.note_happenings(&commit.changes);
            }
            commit.changes.iter().for_each(|change| self.decided.apply(change));
            self.in_flight.push((commit.number, self.summary.inputs, commit));
        }
        Ok(())
    }

    pub(super) fn plan_disk(&mut self) {
        let Some(shard) = &mut self.shard else { return };
        if shard.store().is_waiting() && !self.is_planned(&Event::Write) {
            let slow = self.trouble == Some(DiskTrouble::Slow);
            let pause = self.rng.pause(0, if slow { 3_000 } else { 3 });
            self.soon(pause, Event::Write);
        }
    }

    /// Comes back when the shard wants to be turned though nothing happens.
    pub(super) fn plan_turn(&mut self) -> Result<(), Stop> {
        let clock = self.clock();
        let Some(at) = self.shard.as_ref().and_then(Shard::wake) else { return Ok(()) };
        self.idle_turns = if at <= clock { self.idle_turns + 1 } else { 0 };
        if self.idle_turns > 1000 {
            return Err(Stop::Wrong(format!("the shard wants to be turned at {at:?} and does nothing then")));
        }
        let pause = at.since(clock).max(Duration::from_micros(10));
        let planned = self.now + pause;
        let is_planned = self.events.iter().any(|Reverse(due)| {
            due.event == Event::Turn && due.start == Some(self.start) && due.at <= planned
        });
        if !is_planned {
            self.soon(pause, Event::Turn);
        }
        Ok(())
    }

    pub(super) fn is_planned(&self, event: &Event) -> bool {
        self.events.iter().any(|Reverse(due)| due.event == *event && due.start == Some(self.start))
    }

    pub(super) fn write(&mut self) -> Result<(), Stop> {
        self.crash_at(CrashPoint::BeforeWrite)?;
        let Some(shard) = &mut self.shard else { return Ok(()) };
        match self.trouble.and_then(DiskTrouble::error) {
            None => shard.store().write(),
            Some(error) => shard.store().refuse(error, self.trouble == Some(DiskTrouble::UnknownKept)),
        }
        self.crash_at(CrashPoint::AfterWrite)?;
        let pause = self.rng.pause(0, 2);
        self.soon(pause, Event::Tell);
        Ok(())
    }

    pub(super) fn tell(&mut self) -> Result<(), Stop> {
        let Some(shard) = &mut self.shard else { return Ok(()) };
        shard.store().tell();
        self.crash_at(CrashPoint::BeforeHeard)?;
        self.turn()
    }
}

fn concerned(input: &Input) -> Option<RunId> {
    match input {
        Input::Noted { input, .. } => concerned(input),
        Input::Report(report) => Some(report.attempt.run),
        Input::Update(update) => Some(update.run),
        Input::Command { run, .. }
        | Input::Evaluated { run, .. }
        | Input::Evict(run)
        | Input::Resolved { run, .. }
        | Input::Log { run, .. } => Some(*run),
        Input::NotFound(run) => Some(*run),
        Input::Loaded(stored) => Some(stored.run.id),
        Input::Submit(_)
        | Input::Tick
        | Input::Durable(_)
        | Input::AttemptsLost
        | Input::Concurrency(_)
        | Input::Pressure(_)
        | Input::Poll(_)
        | Input::PollOver(_)
        | Input::GiveBack(_)
        | Input::Keep { .. }
        | Input::ResetBreaker { .. }
        | Input::Locks(_)
        | Input::ClearResults { .. } => None,
    }
}
