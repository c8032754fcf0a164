//! What happened in a simulation, counted.

use std::collections::BTreeMap;
use std::fmt;

use partitur_engine::{Command, Input};
use partitur_model::dispatch::ReportKind;
use partitur_model::record::{TaskRecord, TaskState, UndoState};

use crate::faults::Fault;
use crate::world::Runs;

/// States of tasks, as far as inputs find them in memory.
pub const STATES: [&str; 10] =
    ["blocked", "ready", "running", "stopping", "backoff", "waiting", "open", "ended", "undoing", "undone"];

/// Inputs that concern a whole run, and so find its tasks in every state.
pub const OF_RUNS: [&str; 8] =
    ["pause", "unpause", "cancel", "retry", "restart", "rollback", "evict", "attempts lost"];

/// Pairs of a task's state and an input that names the task.
pub const OF_TASKS: [(&str, &[&str]); 5] = [
    ("success", &["running", "stopping", "backoff", "ready", "ended", "undoing"]),
    ("failure", &["running", "stopping", "backoff", "ready", "ended", "undoing"]),
    ("alive", &["running", "stopping", "backoff", "ended"]),
    ("signal", &["ready", "running", "stopping", "backoff", "waiting", "open", "ended"]),
    ("value", &["waiting", "open", "ended"]),
];

/// Inputs by which people name a task in whatever state it is.
pub const BY_PATH: [&str; 2] = ["cancel task", "rerun"];

/// Inputs that concern a run of a server.
pub const OF_SERVED_RUNS: [&str; 17] = [
    "pause",
    "unpause",
    "cancel",
    "retry",
    "restart",
    "restart with",
    "rerun from",
    "skip",
    "set variables",
    "release held back",
    "remove",
    "update",
    "resolved",
    "log",
    "evict",
    "value",
    "attempts lost",
];

/// What is done to runs of a server, and what is seen to follow.
pub const DEEDS: [&str; 36] = [
    "poll answered",
    "poll answered with nothing",
    "update by number",
    "update by name",
    "update by a person",
    "update and poll in one",
    "signal to what waits",
    "it lives",
    "it goes on later",
    "it is done",
    "it has failed",
    "it has failed for good",
    "it was cancelled",
    "definition found",
    "definition not found",
    "a sub-run is cancelled",
    "a run with a living sub-run is cancelled",
    "sub-run",
    "run after a failure",
    "run timed out",
    "run removed",
    "row removed",
    "log written",
    "document kept",
    "task timed out",
    "task showed no sign of life",
    "task tried again",
    "task left out by hand",
    "task held back",
    "task of a domain",
    "task compared with a schema",
    "second iteration",
    "task of a dynamic branch",
    "a task waits for a limit",
    "a task waits for a rate",
    "a run waits for room",
];

/// What is done beside the runs of a server, and what is seen to follow.
pub const HOUSEKEEPING: [&str; 39] = [
    "a schedule is registered",
    "a schedule is paused",
    "a schedule goes on",
    "a schedule is forgotten",
    "a schedule is due",
    "a schedule starts nothing",
    "several times are due at once",
    "each missed time is made up for",
    "a missed time is made up for",
    "there are too many runs",
    "a family goes",
    "a run goes with its sub-runs",
    "a family is not as it was chosen",
    "a job pauses",
    "a job resumes",
    "a job terminates",
    "a job tries again",
    "a job restarts",
    "a job removes",
    "a job does it",
    "a job is refused",
    "a job finds nothing to do",
    "a job finds what it has done",
    "a job goes on after a crash",
    "a lock is taken if it is free",
    "a lock is waited for",
    "a lock is added if it is free",
    "a lock is added and waited for",
    "a lock is held",
    "a lock is refused",
    "a lock is renewed",
    "a lock is given back",
    "a lock waits for its turn",
    "a lock is held again after a start",
    "a younger one dies",
    "a lease ends",
    "an agent is never heard of again",
    "note written",
    "document kept",
];

/// Counts of everything.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Seeds.
    pub seeds: u64,
    /// Inputs from outside.
    pub inputs: u64,
    /// The fewest inputs of a seed.
    pub inputs_min: u64,
    /// Starts of the node after a crash.
    pub crashes: u64,
    /// The fewest crashes of a seed.
    pub crashes_min: u64,
    /// Commits.
    pub commits: u64,
    /// Runs and sub-runs.
    pub runs: u64,
    /// Attempts handed out.
    pub dispatches: u64,
    /// Compensations among them.
    pub undos: u64,
    /// What went wrong, and how often.
    pub faults: BTreeMap<Fault, u64>,
    /// In which states inputs found tasks, and how often.
    pub pairs: BTreeMap<(&'static str, &'static str), u64>,
    /// What was done and what followed in runs of a server, and how often.
    pub deeds: BTreeMap<&'static str, u64>,
}

impl Summary {
    /// Something went wrong.
    pub fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// Something was done or followed in a run of a server.
    pub fn deed(&mut self, deed: &'static str) {
        *self.deeds.entry(deed).or_default() += 1;
    }

    /// An input found the task in this state.
    pub fn pair(&mut self, task: &TaskRecord, input: &'static str) {
        *self.pairs.entry((state_name(task), input)).or_default() += 1;
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Summary) {
        let least = |mine: u64, others: u64| if self.seeds == 0 { others } else { mine.min(others) };
        self.inputs_min = least(self.inputs_min, other.inputs_min);
        self.crashes_min = least(self.crashes_min, other.crashes_min);
        self.seeds += other.seeds;
        self.inputs += other.inputs;
        self.crashes += other.crashes;
        self.commits += other.commits;
        self.runs += other.runs;
        self.dispatches += other.dispatches;
        self.undos += other.undos;
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (pair, count) in &other.pairs {
            *self.pairs.entry(*pair).or_default() += count;
        }
        for (deed, count) in &other.deeds {
            *self.deeds.entry(deed).or_default() += count;
        }
    }

    /// What should have occurred and did not.
    pub fn missing(&self, runs: Runs) -> Vec<String> {
        let of_workers = if runs == Runs::Local { &[] } else { &Fault::OF_WORKERS[..] };
        let faults = Fault::all().into_iter().chain(of_workers.iter().copied());
        let faults = faults.filter(|fault| !self.faults.contains_key(fault));
        let faults = faults.map(|fault| format!("{fault:?}"));
        match runs {
            Runs::Local => faults.chain(self.missing_pairs()).collect(),
            Runs::Served => faults.chain(self.missing_deeds()).collect(),
            Runs::Managed => faults.chain(self.missing_chores()).collect(),
        }
    }

    fn missing_deeds(&self) -> impl Iterator<Item = String> {
        let occurred = |name: &&str| self.pairs.keys().any(|(_, input)| input == name);
        let inputs = OF_SERVED_RUNS.iter().filter(move |name| !occurred(name));
        let deeds = DEEDS.iter().filter(|deed| !self.deeds.contains_key(**deed));
        inputs.chain(deeds).map(|name| (*name).to_owned())
    }

    fn missing_chores(&self) -> impl Iterator<Item = String> {
        let chores = HOUSEKEEPING.iter().filter(|chore| !self.deeds.contains_key(**chore));
        chores.map(|name| (*name).to_owned())
    }

    fn missing_pairs(&self) -> impl Iterator<Item = String> {
        let of_runs = OF_RUNS.iter().flat_map(|&input| STATES.map(|state| (state, input)));
        let by_path = BY_PATH.iter().flat_map(|&input| STATES.map(|state| (state, input)));
        let of_tasks = OF_TASKS.iter().flat_map(|&(input, states)| states.iter().map(move |&s| (s, input)));
        let pairs = of_runs.chain(by_path).chain(of_tasks).filter(|pair| !self.pairs.contains_key(pair));
        pairs.map(|(state, input)| format!("{input} × {state}"))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} seeds, {} inputs (at least {} a seed), {} crashes (at least {}), {} commits, {} runs, {} attempts, \
             {} compensations",
            self.seeds,
            self.inputs,
            self.inputs_min,
            self.crashes,
            self.crashes_min,
            self.commits,
            self.runs,
            self.dispatches,
            self.undos,
        )?;
        for (fault, count) in &self.faults {
            writeln!(f, "{count:>12}  {fault:?}")?;
        }
        for (deed, count) in &self.deeds {
            writeln!(f, "{count:>12}  {deed}")?;
        }
        let mut inputs: Vec<&str> = self.pairs.keys().map(|(_, input)| *input).collect();
        inputs.sort_unstable();
        inputs.dedup();
        write!(f, "{:>14}", "")?;
        STATES.iter().try_for_each(|state| write!(f, "{state:>10}"))?;
        for input in inputs {
            write!(f, "\n{input:>14}")?;
            for state in STATES {
                write!(f, "{:>10}", self.pairs.get(&(state, input)).copied().unwrap_or_default())?;
            }
        }
        writeln!(f)
    }
}

/// The state in which an input finds a task.
pub fn state_name(task: &TaskRecord) -> &'static str {
    match task.state {
        TaskState::Blocked => "blocked",
        TaskState::Ready => "ready",
        TaskState::Running { .. } => "running",
        TaskState::Stopping { .. } => "stopping",
        TaskState::Backoff { .. } => "backoff",
        TaskState::Waiting { .. } => "waiting",
        TaskState::Open => "open",
        TaskState::Ended(_) => match task.undo {
            UndoState::None => "ended",
            UndoState::Running { .. } | UndoState::Backoff { .. } => "undoing",
            UndoState::Done | UndoState::Failed => "undone",
        },
    }
}

/// The name of an input.
pub fn input_name(input: &Input) -> &'static str {
    match input {
        Input::Submit(_) => "submit",
        Input::Report(report) => match &report.what {
            ReportKind::Alive => "alive",
            ReportKind::Serves => "serves",
            ReportKind::Progress { .. } => "progress",
            ReportKind::Ended(ending) if ending.result.is_ok() => "success",
            ReportKind::Ended(_) => "failure",
            ReportKind::Again { .. } => "again",
        },
        Input::Command { command, .. } => match command {
            Command::Pause => "pause",
            Command::Unpause => "unpause",
            Command::Cancel { .. } => "cancel",
            Command::CancelTask { .. } => "cancel task",
            Command::CancelAgent { .. } => "cancel agent",
            Command::Signal { .. } => "signal",
            Command::Retry { .. } => "retry",
            Command::Rerun { .. } => "rerun",
            Command::Restart => "restart",
            Command::Rollback => "rollback",
            Command::RestartWith(_) => "restart with",
            Command::RerunFrom { .. } => "rerun from",
            Command::Skip { .. } => "skip",
            Command::SetVariables(_) => "set variables",
            Command::ReleaseHeldBack => "release held back",
            Command::Remove { .. } => "remove",
        },
        Input::Poll(_) => "poll",
        Input::PollOver(_) => "poll over",
        Input::GiveBack(_) => "give back",
        Input::Update(_) => "update",
        Input::Resolved { .. } => "resolved",
        Input::Keep { .. } => "keep",
        Input::Noted { .. } => "noted",
        Input::Log { .. } => "log",
        Input::Evaluated { .. } => "value",
        Input::Tick => "tick",
        Input::Durable(_) => "durable",
        Input::AttemptsLost => "attempts lost",
        Input::Loaded(_) => "loaded",
        Input::NotFound(_) => "not found",
        Input::Evict(_) => "evict",
        Input::Concurrency(_) => "concurrency",
        Input::Pressure(_) => "pressure",
        Input::ResetBreaker { .. } => "reset breaker",
        Input::Locks(_) => "locks",
        Input::ClearResults { .. } => "clear results",
    }
}
