//! What is known of a run while it is followed: counts, who runs since when, who waits for what.
//!
//! An event costs a look-up and a few additions; everything that is drawn is computed when it is drawn.

use std::collections::HashMap;
use std::sync::Arc;

use partitur_api::{Event, EventKind, Failure, Status, Waiter};

/// The state of a run as its events tell it.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// The document's name.
    pub name: String,
    /// The run's number.
    pub run: u64,
    /// When the run began, in milliseconds since the Unix epoch.
    pub since: u64,
    /// `running`, `paused`, …
    pub state: String,
    /// Tasks that are known; more when lists unfold.
    pub total: usize,
    /// Containers: their parts are counted, not they.
    pub containers: Vec<String>,
    /// How many tasks there are of each kind.
    pub counts: Counts,
    /// Attempts that live, in the order of their starts.
    pub running: Vec<Running>,
    /// Tasks that will be tried again, by path.
    pub retries: Vec<Retry>,
    /// Who waits for which lock, as the host last told.
    pub waiters: Vec<Waiter>,
    /// Who waits for something else: a signal, a point in time.
    pub waits: Vec<(Arc<str>, String)>,
    /// How many attempts may live at once, if that follows the load.
    pub limit: Option<Limit>,
    /// The directory of the document: names of locks are shown relative to it.
    pub dir: String,
    /// When the run is expected to end, in milliseconds since the Unix epoch.
    pub expected_end: Option<u64>,
    /// How long tasks took before, in milliseconds, by path.
    pub history: HashMap<String, u64>,
    phases: HashMap<Arc<str>, Phase>,
    /// How many of the phases stand for tasks that the document names.
    unfolded: usize,
    named: usize,
    /// Containers that failed without a failed part.
    alone: usize,
}

/// How many tasks ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub done: usize,
    pub failed: usize,
    pub skipped: usize,
    pub cached: usize,
    pub up_to_date: usize,
    pub restored: usize,
    pub retries: usize,
    pub undone: usize,
    uncounted: usize,
}

/// An attempt that lives.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    pub task: Arc<str>,
    pub attempt: u32,
    pub undo: bool,
    /// In milliseconds since the Unix epoch.
    pub since: u64,
    pub expected_ms: Option<u64>,
    pub fraction: Option<f32>,
    pub message: String,
    /// It is a service, and it is up.
    pub serves: bool,
}

/// How many attempts may live at once, where that follows the load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub limit: u32,
    pub min: u32,
    pub max: u32,
    pub reason: String,
    /// In milliseconds since the Unix epoch.
    pub since: u64,
}

/// A task that will be tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    pub task: Arc<str>,
    /// In milliseconds since the Unix epoch.
    pub next: u64,
    pub error: Failure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ready,
    Waits,
    Running,
    Retries,
    Ended(Ending),
}

/// Which count an ended task stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Done,
    Failed,
    Skipped,
    /// A container: its parts are counted.
    Uncounted,
    /// A container that failed although no part of it did, as when its list is no list: it counts as a task itself.
    FailedAlone,
}

impl Board {
    /// A board for a run of a document that names these tasks.
    pub fn new(name: &str, run: u64, since: u64, tasks: usize) -> Board {
        Board {
            name: name.to_owned(),
            run,
            since,
            state: "running".to_owned(),
            total: tasks,
            named: tasks,
            ..Board::default()
        }
    }

    /// A task that has ended before.
    pub fn seed(&mut self, task: &str, outcome: &str) {
        self.end(&task.into(), outcome);
    }

    /// Something happened.
    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Run { state, .. } => self.state.clone_from(state),
            EventKind::TaskReady { task } => self.enter(task, Phase::Ready),
            EventKind::TaskWaits { task, reason } => {
                self.enter(task, Phase::Waits);
                self.waits.push((task.clone(), reason.clone()));
            }
            EventKind::TaskStarted { task, attempt, undo, expected_ms } => {
                // What is undone has ended, and stays so.
                if !undo {
                    self.enter(task, Phase::Running);
                }
                self.running.push(Running {
                    task: task.clone(),
                    attempt: *attempt,
                    undo: *undo,
                    since: event.at,
                    expected_ms: expected_ms.or_else(|| self.history.get(&**task).copied()),
                    fraction: None,
                    message: String::new(),
                    serves: false,
                });
            }
            EventKind::TaskProgress { task, fraction, message } => {
                if let Some(running) = self.running.iter_mut().find(|running| running.task == *task) {
                    running.fraction = Some(*fraction);
                    running.message.clone_from(message);
                }
            }
            EventKind::TaskServes { task } => {
                if let Some(running) = self.running.iter_mut().find(|running| running.task == *task) {
                    running.serves = true;
                }
            }
            EventKind::Limit { limit, min, max, reason } => {
                self.limit = Some(Limit {
                    limit: *limit,
                    min: *min,
                    max: *max,
                    reason: reason.clone(),
                    since: event.at,
                });
            }
            EventKind::Output { .. } | EventKind::TaskDecided { .. } | EventKind::Notice { .. } => {}
            EventKind::TaskRetries { task, next, error } => {
                self.enter(task, Phase::Retries);
                self.counts.retries += 1;
                self.retries.push(Retry { task: task.clone(), next: *next, error: error.clone() });
            }
            EventKind::TaskEnded { task, outcome, cached, verdict, .. } => {
                match verdict.as_deref() {
                    Some("restored") => self.counts.restored += 1,
                    Some(_) => self.counts.up_to_date += 1,
                    None => self.counts.cached += usize::from(*cached),
                }
                self.end(task, outcome);
            }
            EventKind::UndoEnded { task, error } => {
                self.running.retain(|running| running.task != *task);
                self.counts.undone += usize::from(error.is_none());
            }
        }
    }

    fn end(&mut self, task: &Arc<str>, outcome: &str) {
        let is_container = self.containers.iter().any(|container| **container == **task);
        let ending = match outcome {
            "success" | "skipped" | "cancelled" if is_container => Ending::Uncounted,
            _ if is_container && self.has_failed_part(task) => Ending::Uncounted,
            _ if is_container => Ending::FailedAlone,
            "success" => Ending::Done,
            "skipped" => Ending::Skipped,
            _ => Ending::Failed,
        };
        self.enter(task, Phase::Ended(ending));
    }

    fn has_failed_part(&self, container: &str) -> bool {
        let is_part =
            |task: &str| task.strip_prefix(container).is_some_and(|rest| rest.starts_with(['[', '/', '#']));
        let failed = [Phase::Ended(Ending::Failed), Phase::Ended(Ending::FailedAlone)];
        self.phases.iter().any(|(task, phase)| failed.contains(phase) && is_part(task))
    }

    /// The one place where a task changes its phase: whatever the old one kept is removed.
    fn enter(&mut self, task: &Arc<str>, phase: Phase) {
        let before = match self.phases.get_mut(task) {
            Some(known) => Some(std::mem::replace(known, phase)),
            None => {
                self.phases.insert(task.clone(), phase);
                self.meet(task);
                None
            }
        };
        match before {
            Some(Phase::Running) => self.running.retain(|running| running.task != *task),
            Some(Phase::Retries) => self.retries.retain(|retry| retry.task != *task),
            Some(Phase::Waits) => self.waits.retain(|(waits, _)| waits != task),
            // Told twice, or it was reset and goes on.
            Some(Phase::Ended(ending)) => {
                *self.count(ending) -= 1;
                self.alone -= usize::from(ending == Ending::FailedAlone);
            }
            Some(Phase::Ready) | None => {}
        }
        if let Phase::Ended(ending) = phase {
            *self.count(ending) += 1;
            self.alone += usize::from(ending == Ending::FailedAlone);
        }
        self.total = self.named + self.unfolded + self.alone;
    }

    fn count(&mut self, ending: Ending) -> &mut usize {
        match ending {
            Ending::Done => &mut self.counts.done,
            Ending::Failed | Ending::FailedAlone => &mut self.counts.failed,
            Ending::Skipped => &mut self.counts.skipped,
            Ending::Uncounted => &mut self.counts.uncounted,
        }
    }

    /// A task that is met for the first time: parts of lists and sub-flows come on top of those that the document names.
    fn meet(&mut self, task: &str) {
        let is_part = task.contains(['[', '/', '#']);
        if is_part && !self.containers.iter().any(|container| container == task) {
            self.unfolded += 1;
        }
    }

    /// How things stand with the host.
    pub fn stand(&mut self, status: &Status) {
        self.waiters.clear();
        self.waiters.extend(status.waiters.iter().filter(|waiter| waiter.run == self.run).cloned());
        if let Some(told) = status.limits.iter().find(|limit| limit.run == self.run) {
            let (limit, min, max, since) = (told.limit, told.min, told.max, told.since);
            self.limit = Some(Limit { limit, min, max, reason: told.reason.clone(), since });
        }
    }

    /// Whether it tells no more than what its parts have told.
    pub fn is_good_end_of_container(&self, event: &Event) -> bool {
        match &event.kind {
            EventKind::TaskEnded { task, outcome, .. } => {
                outcome == "success" && self.containers.iter().any(|container| **container == **task)
            }
            EventKind::Run { .. }
            | EventKind::TaskReady { .. }
            | EventKind::TaskWaits { .. }
            | EventKind::TaskStarted { .. }
            | EventKind::TaskProgress { .. }
            | EventKind::Output { .. }
            | EventKind::TaskRetries { .. }
            | EventKind::UndoEnded { .. }
            | EventKind::TaskServes { .. }
            | EventKind::Limit { .. }
            | EventKind::TaskDecided { .. }
            | EventKind::Notice { .. } => false,
        }
    }

    /// When the attempt of a task that lives began.
    pub fn started(&self, task: &str) -> Option<u64> {
        self.running.iter().find(|running| *running.task == *task).map(|running| running.since)
    }

    /// Tasks that are over.
    pub fn over(&self) -> usize {
        self.counts.done + self.counts.failed + self.counts.skipped
    }

    /// Tasks that are neither over nor running.
    pub fn waiting(&self) -> usize {
        self.total.saturating_sub(self.over() + self.running.iter().filter(|running| !running.undo).count())
    }
}
