//! The figures of a run.

use std::time::Duration;

use partitur_model::Timestamp;
use partitur_model::record::{RunState, TaskOutcome, TaskRecord, TaskState, UndoState};

use crate::chain::{Link, chain};
use crate::rest::Rests;
use crate::story::{Cast, Story};
use crate::watch::{Cause, Waits, Watch};

/// What a run took, saved and waited for.
#[derive(Clone, Debug, PartialEq)]
pub struct Performance {
    /// The run's number.
    pub run: u64,
    /// The definition's name.
    pub name: String,
    /// How it stands.
    pub state: RunState,
    /// From its acceptance to its end, without the time in which it rested.
    pub wall: Duration,
    /// The time in which nobody was at work on it: after a crash, or ended and not yet resumed.
    pub rested: Duration,
    /// All attempts together, those of sub-runs included: what one after the other would have taken.
    pub attempts: Duration,
    /// What doing several things at once has saved; `None` if nothing.
    pub saving: Option<Saving>,
    /// The chain of tasks that determined the end, first to last.
    pub critical: Vec<Link>,
    /// Waiting time of all tasks, by cause.
    pub waits: Waits,
    /// From ready to started, where nobody has seen what for.
    pub queued: Duration,
    /// How many tasks there are of each kind.
    pub counts: Counts,
}

/// What was saved against one task after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saving {
    /// So much time.
    pub time: Duration,
    /// So many percent of the attempts' time.
    pub percent: f64,
    /// So many times as fast.
    pub factor: f64,
}

/// How many tasks ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Succeeded, cached ones included.
    pub succeeded: u32,
    /// Failed or timed out.
    pub failed: u32,
    /// Cancelled.
    pub cancelled: u32,
    /// Skipped.
    pub skipped: u32,
    /// Their results came from the cache, and their output was replayed.
    pub cached: u32,
    /// They declare what they read and write, and were not executed: nothing had changed.
    pub up_to_date: u32,
    /// As these, but something that they had written was brought back, as far as that was seen.
    pub restored: u32,
    /// Needed more than one attempt.
    pub retried: u32,
    /// Attempts after the first, of all tasks.
    pub retries: u32,
    /// Undone.
    pub undone: u32,
    /// Their compensation failed.
    pub undo_failed: u32,
    /// Not ended.
    pub open: u32,
}

impl Performance {
    /// Reads the figures. `watch` may be empty: then what tasks waited for in the queue is not known.
    pub fn of(story: &Story<'_>, watch: &Watch) -> Performance {
        let cast = Cast::of(story);
        let rests = Rests::of(story);
        let end = story.run.ended.unwrap_or(story.now);
        let wall = rests.between(story.run.created, end);
        let rested = end.since(story.run.created) - wall;
        let attempts = busy(story, &cast, watch);
        let (waits, queued) = waits(story, &cast, watch, &rests);
        Performance {
            run: story.run.id.number(),
            name: story.run.name.clone(),
            state: story.run.state,
            wall,
            rested,
            attempts,
            saving: saving(wall, attempts),
            critical: chain(&cast),
            waits,
            queued,
            counts: counts(&cast, watch),
        }
    }
}

fn saving(wall: Duration, attempts: Duration) -> Option<Saving> {
    // Less than a hundredth is what clocks differ by.
    let time = attempts.checked_sub(wall).filter(|time| *time * 100 >= attempts && !time.is_zero())?;
    let factor = attempts.as_secs_f64() / wall.as_secs_f64().max(1e-6);
    Some(Saving { time, percent: 100.0 * time.as_secs_f64() / attempts.as_secs_f64(), factor })
}

fn busy(story: &Story<'_>, cast: &Cast<'_>, watch: &Watch) -> Duration {
    let own = (0..cast.tasks.len()).filter(|&at| cast.works(at) && !cast.tasks[at].cached);
    let own: Duration = own.map(|at| busy_of(&cast.tasks[at], watch, story.now)).sum();
    let nobody = Watch::default();
    let inner = story.children.iter().map(|child| busy(child, &Cast::of(child), &nobody));
    own + inner.sum::<Duration>()
}

/// What was seen, else from first start to end: then pauses between attempts count as work.
fn busy_of(task: &TaskRecord, watch: &Watch, now: Timestamp) -> Duration {
    let recorded = task.started.map_or(Duration::ZERO, |start| task.ended.unwrap_or(now).since(start));
    match watch.seen(&task.path) {
        Some(seen) if !seen.busy.is_zero() => seen.busy.min(recorded.max(seen.busy)),
        Some(_) | None => recorded,
    }
}

fn waits(story: &Story<'_>, cast: &Cast<'_>, watch: &Watch, rests: &Rests) -> (Waits, Duration) {
    let mut waits = watch.waited();
    let mut queued = Duration::ZERO;
    for (at, task) in cast.tasks.iter().enumerate().filter(|&(at, _)| cast.works(at)) {
        if cast.tasks[at].started.is_some() {
            waits.add(Cause::Dependency, rests.between(story.run.created, task.ready));
        }
        if watch.is_empty() || watch.seen(&task.path).is_none() {
            queued += task.started.map_or(Duration::ZERO, |start| start.since(task.ready));
        }
    }
    (waits, queued)
}

fn counts(cast: &Cast<'_>, watch: &Watch) -> Counts {
    let mut counts = Counts::default();
    let counted = |&at: &usize| !cast.unfolds(at) || cast.fails_alone(at);
    for at in (0..cast.tasks.len()).filter(counted) {
        let task = &cast.tasks[at];
        let ended = match task.state {
            TaskState::Ended(TaskOutcome::Succeeded) => &mut counts.succeeded,
            TaskState::Ended(TaskOutcome::Failed | TaskOutcome::TimedOut) => &mut counts.failed,
            TaskState::Ended(TaskOutcome::Cancelled) => &mut counts.cancelled,
            TaskState::Ended(TaskOutcome::Skipped) => &mut counts.skipped,
            TaskState::Blocked
            | TaskState::Ready
            | TaskState::Running { .. }
            | TaskState::Stopping { .. }
            | TaskState::Backoff { .. }
            | TaskState::Waiting { .. }
            | TaskState::Open => &mut counts.open,
        };
        *ended += 1;
        if task.cached {
            let was_restored = watch.seen(&task.path).is_some_and(|seen| seen.restored);
            *match (cast.is_incremental(at), was_restored) {
                (false, _) => &mut counts.cached,
                (true, false) => &mut counts.up_to_date,
                (true, true) => &mut counts.restored,
            } += 1;
        }
        counts.retried += u32::from(task.attempt > 1);
        counts.retries += task.attempt.saturating_sub(1);
        match task.undo {
            UndoState::Done => counts.undone += 1,
            UndoState::Failed => counts.undo_failed += 1,
            UndoState::None | UndoState::Running { .. } | UndoState::Backoff { .. } => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests;
