//! The world around one node: a clock, people, executors, and a disk; the node itself is the real one.
//!
//! A world runs until it has had its share of inputs and crashes; then everything is mended and everybody who is
//! waited for comes, and every run has to end.
//!
//! `node.rs` is the node, `people.rs`, `executors.rs` and, for a server, `workers.rs` are those around it; `house/` is what a
//! server does beside its runs, `end.rs` how it all ends.

mod end;
mod executors;
pub mod house;
mod node;
mod people;
mod told;
mod workers;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

use partitur_engine::{Input, ReplyTo};
use partitur_model::change::BatchNo;
use partitur_model::dispatch::{Report, ReportKind};
use partitur_model::{AttemptId, RunId, TaskSeq, Timestamp};
use partitur_runtime::Shard;

use crate::checkers::{Call, Checkers, Scene, Seen};
use crate::disk::Disk;
use crate::faults::{self, CrashPoint, DiskTrouble, Fault};
use crate::gate::Gate;
use crate::processes::{self, Processes};
use crate::rng::Rng;
use crate::rows::Rows;
use crate::summary::Summary;
use crate::workload::{CONCURRENCY, Documents, documents, served_documents};

use house::{Errand, House};
use workers::{Saying, WORKERS};

/// Whose runs a world has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Those of people at terminals.
    Local,
    /// Those of a server, by Conductor's rules: workers come for their tasks.
    Served,
    /// The same; and the server keeps time, removes what is old, does the same to many, and lends locks.
    Managed,
}

impl Runs {
    fn is_served(self) -> bool {
        match self {
            Runs::Local => false,
            Runs::Served | Runs::Managed => true,
        }
    }
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
    /// The server does something beside its runs.
    House(Errand),
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
    house: House,
    /// The most that the node's clock has shown.
    latest: Timestamp,
    /// It was looked once more for what is to go.
    swept: bool,

    /// What happened, for people; nothing is written if `None`.
    pub trace: Option<Vec<String>>,
}

/// Events after which a world must have come to its end.
const EVENTS_MAX: u64 = 60_000;

/// The time of day at which worlds begin.
const MORNING: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Where it matters what the clocks of people do: shortly before they are set in Berlin, in spring and in autumn, in New
/// York, and when they are not.
const NIGHTS: [Timestamp; 4] = [
    Timestamp::from_millis(1_806_195_480_000),
    Timestamp::from_millis(1_824_944_280_000),
    Timestamp::from_millis(1_805_007_480_000),
    MORNING,
];

impl<D: Disk> World<D> {
    /// The world of this seed.
    pub fn new(seed: u64, runs: Runs, disk: D) -> World<D> {
        let mut rng = Rng::new(seed);
        let documents = match runs {
            Runs::Local => documents(&mut rng),
            Runs::Served | Runs::Managed => served_documents(&mut rng),
        };
        let (now, house) = match runs {
            Runs::Local | Runs::Served => (MORNING, House::new(&mut Rng::new(seed))),
            Runs::Managed => (*rng.pick(&NIGHTS).expect("there are some"), House::new(&mut rng)),
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
            now,
            house,
            latest: now,
            swept: false,
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
        if self.runs.is_served() {
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
            self.latest = self.latest.max(self.clock());
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
            Event::House(errand) => self.errand(errand),
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
            house: &self.house,
            clock: self.clock(),
            latest: self.latest.max(self.clock()),
            durable_inputs: self.durable_inputs,
            removals: &self.removals,
            limit: self.limit_lately,
            is_quiet: shard.is_quiet(),
            in_trouble: shard.trouble().is_some(),
        };
        self.checkers.watch(&scene, seen).map_err(Stop::Wrong)
    }
}
