//! The world around one node: a clock, people, executors, and a disk; the node itself is the real one.
//!
//! A world runs until it has had its share of inputs and crashes; then everything is mended and everybody who is
//! waited for comes, and every run has to end.
//!
//! `people.rs`, `executors.rs` and, for a server, `workers.rs` are those around it.

mod executors;
mod people;
mod told;
mod workers;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use partitur_engine::{Command, Input, ReplyTo};
use partitur_model::change::BatchNo;
use partitur_model::dispatch::{Report, ReportKind};
use partitur_model::record::{RunState, TaskState};
use partitur_model::{AttemptId, Payload, RunId, TaskSeq, Timestamp};
use partitur_runtime::{Options, Shard, ShardError};

use crate::checkers::{Call, Checkers, Scene, Seen};
use crate::disk::Disk;
use crate::faults::{self, CrashPoint, DiskTrouble, Fault};
use crate::gate::{Gate, durable};
use crate::processes::{self, Processes};
use crate::rng::Rng;
use crate::rows::Rows;
use crate::summary::{Summary, input_name};
use crate::workload::{CONCURRENCY, Documents, documents, served_documents};

use told::{brief, brief_changes, brief_effect};
use workers::{Saying, WORKERS};

/// Whose runs a world has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Those of people at terminals.
    Local,
    /// Those of a server, by Conductor's rules: workers come for their tasks.
    Served,
}

/// Why a world stopped before its end.
pub enum Stop {
    /// The process died at this point.
    Crash(CrashPoint),
    /// Something is as it must not be.
    Wrong(String),
}

/// What will happen.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    /// Somebody wants something.
    Client,
    /// The loop of the node comes round.
    Turn,
    /// The disk writes.
    Write,
    /// The store tells what it has written.
    Tell,
    /// The disk is in order again.
    Mend,
    /// An executor begins an attempt.
    Begin(AttemptId),
    /// A process ends by itself.
    End(AttemptId),
    /// A process that was told to stop ends.
    Stopped(AttemptId),
    /// A process shows that it is alive, and will again after this time.
    Beat(AttemptId, Duration),
    /// A report arrives.
    Report(Report),
    /// A value arrives.
    Value(RunId, TaskSeq, u32),
    /// The catalogue answers.
    Found(RunId, Option<TaskSeq>, u32),
    /// A worker comes for tasks.
    Worker(u8),
    /// A poll has waited for as long as it may.
    PollOver(ReplyTo),
    /// The answer to a poll did not arrive.
    GiveBack(Vec<AttemptId>),
    /// A worker says how its task stands.
    Say(Saying),
    /// The node starts again.
    Start,
    /// The processes of earlier starts have been killed.
    Killed,
}

/// An event and when it happens; equal times in the order of their making.
struct Due {
    at: Timestamp,
    order: u64,
    /// It dies with this start of the node.
    start: Option<u32>,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.order == other.order
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// A node and everything around it.
pub struct World<D: Disk> {
    runs: Runs,
    rng: Rng,
    disk: D,
    shard: Option<Shard<Gate<D::Store>>>,
    documents: Documents,
    checkers: Checkers,
    processes: Processes,
    /// What happened so far.
    pub summary: Summary,

    now: Timestamp,
    /// What the node's clock shows more than the world's.
    skew: i64,
    events: BinaryHeap<Reverse<Due>>,
    order: u64,
    /// How often the node was started.
    start: u32,

    inputs_wanted: u64,
    crashes_planned: Vec<(u64, CrashPoint)>,
    trouble: Option<DiskTrouble>,

    durable: Rows,
    decided: Rows,
    /// Batches on their way, with the number of the last input in each.
    in_flight: Vec<(BatchNo, u64, partitur_store::Commit)>,
    durable_inputs: u64,
    calls: BTreeMap<ReplyTo, Call>,
    /// Runs that somebody wanted to be forgotten.
    removals: BTreeSet<RunId>,
    limit: u32,
    /// The largest limit since the last rest: what was granted under it counts only then.
    limit_lately: u32,
    idle_turns: u32,

    /// What happened, for people; nothing is written if `None`.
    pub trace: Option<Vec<String>>,
}

/// Events after which a world must have come to its end.
const EVENTS_MAX: u64 = 60_000;

/// The time of day at which worlds begin.
const MORNING: Timestamp = Timestamp::from_millis(1_800_000_000_000);

impl<D: Disk> World<D> {
    /// The world of this seed.
    pub fn new(seed: u64, runs: Runs, disk: D) -> World<D> {
        let mut rng = Rng::new(seed);
        let documents = match runs {
            Runs::Local => documents(&mut rng),
            Runs::Served => served_documents(&mut rng),
        };
        let inputs_wanted = rng.between(200, 350);
        let crashes_planned = faults::crashes(&mut rng, inputs_wanted * 9 / 10);
        World {
            runs,
            documents,
            disk,
            shard: None,
            checkers: Checkers::new(),
            processes: Processes::default(),
            summary: Summary { seeds: 1, ..Summary::default() },
            now: MORNING,
            skew: 0,
            events: BinaryHeap::new(),
            order: 0,
            start: 0,
            inputs_wanted,
            crashes_planned,
            trouble: None,
            durable: Rows::default(),
            decided: Rows::default(),
            in_flight: Vec::new(),
            durable_inputs: 0,
            calls: BTreeMap::new(),
            removals: BTreeSet::new(),
            limit: CONCURRENCY,
            limit_lately: CONCURRENCY,
            idle_turns: 0,
            trace: None,
            rng,
        }
    }

    /// Runs the world to its end.
    ///
    /// # Errors
    /// What was as it must not be.
    pub fn run(&mut self) -> Result<(), String> {
        self.at(Duration::ZERO, Event::Start);
        self.at(Duration::from_millis(1), Event::Client);
        if self.runs == Runs::Served {
            (0..WORKERS).for_each(|worker| self.at(Duration::from_millis(2), Event::Worker(worker)));
        }
        for _ in 0..EVENTS_MAX {
            if let Err(Stop::Crash(point)) = self.crash_at(CrashPoint::AtRest) {
                self.crash(point);
            }
            let Some(Reverse(due)) = self.events.pop() else {
                if self.nothing_happens()? {
                    continue;
                }
                self.summary.inputs_min = self.summary.inputs;
                self.summary.crashes_min = self.summary.crashes;
                self.summary.runs = self.durable.runs().count() as u64;
                return Ok(());
            };
            if due.start.is_some_and(|start| start != self.start) {
                continue;
            }
            self.now = self.now.max(due.at);
            match self.happen(due.event) {
                Ok(()) => {}
                Err(Stop::Crash(point)) => self.crash(point),
                Err(Stop::Wrong(problem)) => return Err(problem),
            }
        }
        Err(format!("it is not over after {EVENTS_MAX} events"))
    }

    /// The engine's memory as text, for people.
    pub fn describe(&self) -> String {
        self.shard.as_ref().map_or_else(String::new, |shard| shard.engine().describe())
    }

    // Time.

    fn at(&mut self, after: Duration, event: Event) {
        self.schedule(after, None, event);
    }

    /// What dies with the node.
    fn soon(&mut self, after: Duration, event: Event) {
        self.schedule(after, Some(self.start), event);
    }

    fn schedule(&mut self, after: Duration, start: Option<u32>, event: Event) {
        self.order += 1;
        self.events.push(Reverse(Due { at: self.now + after, order: self.order, start, event }));
    }

    /// What the node's clock shows.
    fn clock(&self) -> Timestamp {
        Timestamp::from_micros(self.now.micros().saturating_add_signed(self.skew))
    }

    fn is_busy(&self) -> bool {
        self.summary.inputs < self.inputs_wanted || !self.crashes_planned.is_empty()
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let time = self.now.since(MORNING);
            trace.push(format!("{:>12.6} {}", time.as_secs_f64(), line()));
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.note(|| format!("FAULT {fault:?}"));
        self.summary.fault(fault);
    }

    // What happens.

    fn happen(&mut self, event: Event) -> Result<(), Stop> {
        match event {
            Event::Client => self.client(),
            Event::Turn => self.turn(),
            Event::Write => self.write(),
            Event::Tell => self.tell(),
            Event::Mend => {
                self.trouble = None;
                self.turn()
            }
            Event::Begin(attempt) => {
                self.begin(attempt);
                Ok(())
            }
            Event::End(attempt) => self.end(attempt, false),
            Event::Stopped(attempt) => self.end(attempt, true),
            Event::Beat(attempt, pause) => {
                if self.processes.live.contains_key(&attempt) {
                    let what = if self.rng.percent(70) {
                        ReportKind::Alive
                    } else {
                        ReportKind::Progress { fraction: 0.5, message: "half".into() }
                    };
                    self.at(pause, Event::Beat(attempt, pause));
                    self.at(Duration::ZERO, Event::Report(Report { attempt, what }));
                }
                Ok(())
            }
            Event::Report(report) => self.report(report),
            Event::Value(run, task, generation) => {
                let result = processes::value(&mut self.rng);
                self.input(Input::Evaluated { run, task, generation, result }, None)
            }
            Event::Found(run, task, generation) => self.found(run, task, generation),
            Event::Worker(worker) => self.worker(worker),
            Event::PollOver(reply) => self.input(Input::PollOver(reply), None),
            Event::GiveBack(attempts) => self.input(Input::GiveBack(attempts), None),
            Event::Say(saying) => self.say(saying),
            Event::Start => self.open(),
            Event::Killed => self.killed(),
        }
    }

    /// Dies here, if it is time to.
    fn crash_at(&mut self, point: CrashPoint) -> Result<(), Stop> {
        let Some(&(inputs, planned)) = self.crashes_planned.first() else { return Ok(()) };
        // Not every point comes by: a crash that is long overdue falls where it can.
        let overdue = self.summary.inputs > inputs + 25;
        let due = self.summary.inputs >= inputs && (planned == point || overdue);
        if self.shard.is_none() || !due || !self.rng.percent(40) {
            return Ok(());
        }
        self.crashes_planned.remove(0);
        Err(Stop::Crash(point))
    }

    // The node.

    fn open(&mut self) -> Result<(), Stop> {
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
                stretch: if self.runs == Runs::Served { 20 } else { options.engine.stretch },
                ..options.engine
            },
            gather: if self.rng.percent(30) { Duration::from_millis(3) } else { Duration::ZERO },
            adopt: options.adopt,
        };
        let mut gate = Gate::new(self.disk.open());
        self.take_over(&mut gate).map_err(Stop::Wrong)?;
        let opened = Shard::open(options, gate, compile, self.clock());
        let (shard, opened) = opened.map_err(|error| Stop::Wrong(error.to_string()))?;
        if !opened.bad.is_empty() || !opened.quarantined.is_empty() {
            return Err(Stop::Wrong(format!("{:?} {:?}", opened.bad, opened.quarantined)));
        }
        let epoch = shard.engine().epoch();
        self.shard = Some(shard);
        self.note(|| format!("START {epoch}"));
        self.watch(&Seen::Started(epoch))?;
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
    fn take_over(&mut self, store: &mut impl partitur_store::Store) -> Result<(), String> {
        let mut on_the_way = std::mem::take(&mut self.in_flight).into_iter();
        while let Some(difference) = self.durable.difference(store) {
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
    fn kill(&mut self) {
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

    fn killed(&mut self) -> Result<(), Stop> {
        self.crash_at(CrashPoint::WhileKilling)?;
        self.kill();
        self.input(Input::AttemptsLost, None)?;
        self.watch(&Seen::Killed)
    }

    fn crash(&mut self, point: CrashPoint) {
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

    fn input(&mut self, input: Input, call: Option<(ReplyTo, Call)>) -> Result<(), Stop> {
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

    fn count(&mut self, input: &Input) {
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

    fn memory(&self, input: &Input) -> Option<String> {
        self.memory_of(concerned(input)?)
    }

    /// The run as it is in memory, to see whether it changes.
    fn memory_of(&self, run: RunId) -> Option<String> {
        let engine = self.shard.as_ref()?.engine();
        Some(format!("{:?} {:?}", engine.run(run)?, engine.tasks(run).collect::<Vec<_>>()))
    }

    /// The loop of the node comes round once: batches are submitted, and what is released is carried out.
    fn turn(&mut self) -> Result<(), Stop> {
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
        if self.runs == Runs::Served {
            self.note_waits();
        }
        self.limit_lately = self.limit;
        self.plan_disk();
        self.plan_turn()
    }

    /// What the shard has heard of its store, and what it has submitted.
    fn observe_store(&mut self) -> Result<(), Stop> {
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
            if self.runs == Runs::Served {
                self.note_happenings(&commit.changes);
            }
            commit.changes.iter().for_each(|change| self.decided.apply(change));
            self.in_flight.push((commit.number, self.summary.inputs, commit));
        }
        Ok(())
    }

    fn plan_disk(&mut self) {
        let Some(shard) = &mut self.shard else { return };
        if shard.store().is_waiting() && !self.is_planned(&Event::Write) {
            let slow = self.trouble == Some(DiskTrouble::Slow);
            let pause = self.rng.pause(0, if slow { 3_000 } else { 3 });
            self.soon(pause, Event::Write);
        }
    }

    /// Comes back when the shard wants to be turned though nothing happens.
    fn plan_turn(&mut self) -> Result<(), Stop> {
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

    fn is_planned(&self, event: &Event) -> bool {
        self.events.iter().any(|Reverse(due)| due.event == *event && due.start == Some(self.start))
    }

    fn watch(&mut self, seen: &Seen<'_>) -> Result<(), Stop> {
        let Some(shard) = &self.shard else { return Ok(()) };
        let scene = Scene {
            now: self.now,
            engine: shard.engine(),
            documents: &self.documents,
            durable: &self.durable,
            decided: &self.decided,
            processes: &self.processes,
            calls: &self.calls,
            durable_inputs: self.durable_inputs,
            removals: &self.removals,
            limit: self.limit_lately,
            is_quiet: shard.is_quiet(),
            in_trouble: shard.trouble().is_some(),
        };
        self.checkers.watch(&scene, seen).map_err(Stop::Wrong)
    }

    // The disk.

    fn write(&mut self) -> Result<(), Stop> {
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

    fn tell(&mut self) -> Result<(), Stop> {
        let Some(shard) = &mut self.shard else { return Ok(()) };
        shard.store().tell();
        self.crash_at(CrashPoint::BeforeHeard)?;
        self.turn()
    }

    // The end.

    /// No event is left. Says whether there are some now.
    fn nothing_happens(&mut self) -> Result<bool, String> {
        let stop = |stop| match stop {
            Stop::Wrong(problem) => problem,
            Stop::Crash(point) => format!("a crash {point:?} that nobody planned"),
        };
        self.watch(&Seen::Idle).map_err(stop)?;
        if self.shard.as_ref().is_some_and(|shard| !shard.is_quiet()) {
            return Err("something is decided and never becomes durable".to_owned());
        }
        self.mend().map_err(stop)?;
        Ok(!self.events.is_empty())
    }

    /// Everybody who is waited for comes.
    fn mend(&mut self) -> Result<(), Stop> {
        let mut wishes: Vec<(RunId, Command)> = Vec::new();
        for run in self.durable.runs().filter(|run| !run.state.is_ended()) {
            if run.state == RunState::Paused {
                wishes.push((run.id, Command::Unpause));
            }
            for task in self.durable.tasks(run.id) {
                if matches!(task.state, TaskState::Waiting { .. }) && task.child.is_none() {
                    let task = task.path.to_string();
                    wishes.push((run.id, Command::Signal { task, result: Ok(Payload::Null) }));
                }
            }
        }
        for (run, command) in wishes {
            self.command(run, command)?;
        }
        if self.runs == Runs::Served {
            self.everybody_comes()?;
        }
        if !self.processes.unheard.is_empty() {
            // Of these nothing will ever be heard: only a start of the node finds out.
            self.crash(CrashPoint::AtRest);
        }
        Ok(())
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
