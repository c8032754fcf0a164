//! What is seen while a run is followed, and no record keeps: single attempts, and what a task waited for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use partitur_model::Timestamp;

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Its predecessors.
    Dependency,
    /// A lock, or units of a resource.
    Lock,
    /// One of the places in which attempts run.
    Slot,
    /// The time of its next attempt.
    Retry,
    /// A rate, a limit or a breaker.
    Rate,
    /// Something else: a signal, a point in time.
    Other,
}

impl Cause {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Cause; 6] =
        [Cause::Dependency, Cause::Lock, Cause::Slot, Cause::Retry, Cause::Rate, Cause::Other];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Dependency => "dependency",
            Cause::Lock => "lock",
            Cause::Slot => "slot",
            Cause::Retry => "retry",
            Cause::Rate => "rate",
            Cause::Other => "other",
        }
    }

    /// From the reason that a host gives: `lock file:a`, `slots`, `breaker erp`, `limit tenant:7`.
    pub fn of_reason(reason: &str) -> Cause {
        match reason.split([' ', ',']).next().unwrap_or_default() {
            "lock" | "resource" | "units" => Cause::Lock,
            "slot" | "slots" => Cause::Slot,
            "retry" => Cause::Retry,
            "rate" | "limit" | "breaker" => Cause::Rate,
            _ => Cause::Other,
        }
    }
}

/// Waiting time by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits([Duration; Cause::ALL.len()]);

impl Waits {
    /// How long something was waited for.
    pub fn of(&self, cause: Cause) -> Duration {
        self.0[cause as usize]
    }

    /// Adds to it.
    pub fn add(&mut self, cause: Cause, time: Duration) {
        self.0[cause as usize] += time;
    }
}

/// Everything that was seen of a run.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    tasks: HashMap<Arc<str>, Seen>,
    waits: Waits,
    retries: u32,
}

/// What was seen of a task.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    phase: Phase,
    /// All attempts that have ended.
    pub busy: Duration,
    /// Attempts that followed a failed one.
    pub retries: u32,
    /// It was not executed, and something that it had written was brought back.
    pub restored: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Phase {
    #[default]
    Idle,
    Waiting {
        since: Timestamp,
        cause: Cause,
    },
    Running {
        since: Timestamp,
    },
}

impl Watch {
    /// The task may start.
    pub fn ready(&mut self, at: Timestamp, task: &Arc<str>) {
        self.enter(at, task, Phase::Waiting { since: at, cause: Cause::Slot });
    }

    /// The task waits for this now. What one that was never seen has waited before is unknown.
    pub fn waits(&mut self, at: Timestamp, task: &Arc<str>, cause: Cause) {
        self.enter(at, task, Phase::Waiting { since: at, cause });
    }

    /// The host says that the task, which is ready, has been kept by this: it was so since the task began to wait or
    /// the cause last changed.
    pub fn kept(&mut self, at: Timestamp, task: &str, cause: Cause) {
        let Some(seen) = self.tasks.get_mut(task) else { return };
        if let Phase::Waiting { since, cause: before } = seen.phase
            && before != Cause::Retry
        {
            self.waits.add(cause, at.since(since));
            seen.phase = Phase::Waiting { since: at, cause };
        }
    }

    /// An attempt was handed out.
    pub fn started(&mut self, at: Timestamp, task: &Arc<str>) {
        self.enter(at, task, Phase::Running { since: at });
    }

    /// An attempt failed, and another will follow.
    pub fn retries(&mut self, at: Timestamp, task: &Arc<str>) {
        self.retries += 1;
        self.enter(at, task, Phase::Waiting { since: at, cause: Cause::Retry });
        self.tasks.entry(task.clone()).or_default().retries += 1;
    }

    /// The task is over.
    pub fn ended(&mut self, at: Timestamp, task: &Arc<str>) {
        self.enter(at, task, Phase::Idle);
    }

    /// The task is over, and was not executed: something that it had written was brought back.
    pub fn restored(&mut self, task: &str) {
        if let Some(seen) = self.tasks.get_mut(task) {
            seen.restored = true;
        }
    }

    fn enter(&mut self, at: Timestamp, task: &Arc<str>, phase: Phase) {
        let seen = match self.tasks.get_mut(task) {
            Some(seen) => seen,
            None => self.tasks.entry(task.clone()).or_default(),
        };
        match std::mem::replace(&mut seen.phase, phase) {
            Phase::Idle => {}
            Phase::Waiting { since, cause } => self.waits.add(cause, at.since(since)),
            Phase::Running { since } => seen.busy += at.since(since),
        }
    }

    pub(crate) fn seen(&self, task: &str) -> Option<&Seen> {
        self.tasks.get(task)
    }

    pub(crate) fn waited(&self) -> Waits {
        self.waits
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn time_goes_to_whatever_it_was_spent_on() {
        let mut watch = Watch::default();
        let task: Arc<str> = "import".into();
        watch.ready(at(0), &task);
        watch.kept(at(2), "import", Cause::Lock);
        watch.started(at(3), &task);
        watch.retries(at(7), &task);
        watch.started(at(9), &task);
        watch.ended(at(14), &task);
        assert_eq!(watch.seen("import").unwrap().busy, Duration::from_secs(9));
        assert_eq!(watch.waited().of(Cause::Lock), Duration::from_secs(3));
        assert_eq!(watch.waited().of(Cause::Retry), Duration::from_secs(2));
        assert_eq!(watch.waited().of(Cause::Slot), Duration::ZERO);
    }

    #[test]
    fn a_pause_before_the_next_attempt_is_no_wait_for_a_slot() {
        let mut watch = Watch::default();
        let task: Arc<str> = "import".into();
        watch.started(at(0), &task);
        watch.retries(at(1), &task);
        watch.kept(at(3), "import", Cause::Slot);
        watch.started(at(4), &task);
        assert_eq!(watch.waited().of(Cause::Retry), Duration::from_secs(3));
    }

    #[test]
    fn reasons_have_causes() {
        let causes = ["lock file:a, held by run 3 b", "slots", "breaker erp", "signal"].map(Cause::of_reason);
        assert_eq!(causes, [Cause::Lock, Cause::Slot, Cause::Rate, Cause::Other]);
    }
}
