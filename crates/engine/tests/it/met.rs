//! Which inputs met which states of tasks, counted.

use std::collections::BTreeMap;

use partitur_engine::{Command, Engine, Input};
use partitur_model::dispatch::{Report, ReportKind};
use partitur_model::record::{StopCause, TaskRecord, TaskState};
use partitur_model::{RunId, TaskSeq, Timestamp};

/// How often each kind of input met each state.
#[derive(Clone, Debug, Default)]
pub struct Met(pub BTreeMap<(&'static str, &'static str), u64>);

impl Met {
    /// Adds the counts of another.
    pub fn add(&mut self, other: &Met) {
        for (&pair, &count) in &other.0 {
            *self.0.entry(pair).or_default() += count;
        }
    }

    /// Notes an input for the engine as it stands.
    pub fn note(&mut self, engine: &Engine, input: &Input, now: Timestamp) {
        match input {
            Input::Report(report) => self.note_report(engine, report),
            Input::Command { run, command, .. } => self.note_command(engine, *run, command),
            Input::Evaluated { run, task, .. } => self.note_one(engine, *run, *task, "evaluated"),
            Input::Tick if engine.wake().is_some_and(|wake| wake <= now) => self.note_due(engine, now),
            Input::AttemptsLost => self.note_all(engine, "lost"),
            Input::Evict(run) => self.note_run(engine, *run, "evicted"),
            Input::Loaded(stored) => {
                for task in &stored.tasks {
                    self.count(task, "loaded");
                }
            }
            Input::Noted { input, .. } => self.note(engine, input, now),
            Input::Tick
            | Input::Submit(_)
            | Input::Durable(_)
            | Input::NotFound(_)
            | Input::Concurrency(_)
            | Input::Pressure(_)
            | Input::Poll(_)
            | Input::PollOver(_)
            | Input::GiveBack(_)
            | Input::Keep { .. }
            | Input::Log { .. }
            | Input::Update(_)
            | Input::Resolved { .. }
            | Input::ResetBreaker { .. }
            | Input::Locks(_)
            | Input::ClearResults { .. } => {}
        }
    }

    fn note_report(&mut self, engine: &Engine, report: &Report) {
        let (run, seq) = (report.attempt.run, report.attempt.task);
        let task = engine.tasks(run).find(|task| task.seq == seq);
        let token = task.and_then(|task| task.state.token().or(task.undo.token()));
        let is_current = token == Some(report.attempt.token);
        let name = match &report.what {
            _ if !is_current => "late report",
            ReportKind::Alive | ReportKind::Progress { .. } => "alive",
            ReportKind::Serves => "serves",
            ReportKind::Ended(ending) if ending.result.is_ok() => "success",
            ReportKind::Ended(_) => "failure",
            ReportKind::Again { .. } => "again",
        };
        self.note_one(engine, run, seq, name);
    }

    fn note_command(&mut self, engine: &Engine, run: RunId, command: &Command) {
        let by_path = |path: &str| engine.tasks(run).find(|task| &*task.path == path).map(|task| task.seq);
        match command {
            Command::Pause => self.note_run(engine, run, "pause"),
            Command::Unpause => self.note_run(engine, run, "unpause"),
            Command::Cancel { .. } => self.note_run(engine, run, "cancel run"),
            Command::CancelAgent { .. } => self.note_run(engine, run, "cancel agent"),
            Command::Retry { .. } => self.note_run(engine, run, "retry"),
            Command::Restart => self.note_run(engine, run, "restart"),
            Command::Rollback => self.note_run(engine, run, "rollback"),
            Command::CancelTask { task } => self.note_some(engine, run, by_path(task), "cancel task"),
            Command::Signal { task, .. } => self.note_some(engine, run, by_path(task), "signal"),
            Command::Rerun { task } => self.note_some(engine, run, by_path(task), "rerun"),
            Command::RerunFrom { task, .. } => self.note_one(engine, run, *task, "rerun from"),
            Command::RestartWith(_)
            | Command::Skip { .. }
            | Command::SetVariables(_)
            | Command::ReleaseHeldBack
            | Command::Remove { .. } => {}
        }
    }

    fn note_due(&mut self, engine: &Engine, now: Timestamp) {
        for run in engine.resident() {
            for task in engine.tasks(run) {
                let due = match task.state {
                    TaskState::Running { deadline, lease, .. } => deadline.min(lease),
                    TaskState::Backoff { until } | TaskState::Waiting { until } => until,
                    TaskState::Blocked
                    | TaskState::Ready
                    | TaskState::Stopping { .. }
                    | TaskState::Open
                    | TaskState::Ended(_) => Timestamp::MAX,
                };
                if due <= now {
                    self.count(task, "due");
                }
            }
        }
    }

    fn note_all(&mut self, engine: &Engine, name: &'static str) {
        for run in engine.resident() {
            self.note_run(engine, run, name);
        }
    }

    fn note_run(&mut self, engine: &Engine, run: RunId, name: &'static str) {
        for task in engine.tasks(run) {
            self.count(task, name);
        }
    }

    fn note_some(&mut self, engine: &Engine, run: RunId, seq: Option<TaskSeq>, name: &'static str) {
        if let Some(seq) = seq {
            self.note_one(engine, run, seq, name);
        }
    }

    fn note_one(&mut self, engine: &Engine, run: RunId, seq: TaskSeq, name: &'static str) {
        if let Some(task) = engine.tasks(run).find(|task| task.seq == seq) {
            self.count(task, name);
        }
    }

    fn count(&mut self, task: &TaskRecord, input: &'static str) {
        *self.0.entry((state_name(task.state), input)).or_default() += 1;
    }
}

/// The states of tasks, by name.
pub const STATES: [&str; 9] =
    ["blocked", "ready", "running", "stopping", "resetting", "backoff", "waiting", "open", "ended"];

fn state_name(state: TaskState) -> &'static str {
    match state {
        TaskState::Blocked => "blocked",
        TaskState::Ready => "ready",
        TaskState::Running { .. } => "running",
        TaskState::Stopping { cause: StopCause::Reset, .. } => "resetting",
        TaskState::Stopping { .. } => "stopping",
        TaskState::Backoff { .. } => "backoff",
        TaskState::Waiting { .. } => "waiting",
        TaskState::Open => "open",
        TaskState::Ended(_) => "ended",
    }
}
