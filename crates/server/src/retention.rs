//! What has ended long ago goes, by itself: whole families, the oldest first, a few at a time.
//!
//! A run that is alive stays, and so does whatever belongs to its family. What is chosen here from rows is looked at once
//! more by the node, which alone can bring a run back to life.

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use partitur_model::record::RunOutcome;
use partitur_model::{RunId, Timestamp};
use partitur_runtime::Clock;
use partitur_store::{EndedRoot, Reader, StateDir, StoreError};
use tokio::sync::oneshot;

use crate::handle::{Handle, Message};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);

/// Runs that are removed in one step.
const STEP: usize = 32;

/// After such a step others have their turn.
const PAUSE: Duration = Duration::from_millis(5);

/// What has just ended may still be looked at, however little room there is.
const FRESH: Duration = Duration::from_secs(60);

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// So long what succeeded; for ever if `None`.
    pub succeeded: Option<Duration>,
    /// So long what did not.
    pub failed: Option<Duration>,
    /// So many ended runs.
    pub runs: Option<u64>,
    /// So many bytes of database.
    pub bytes: Option<u64>,
}

impl Kept {
    /// For ever.
    pub const ALL: Kept = Kept { succeeded: None, failed: None, runs: None, bytes: None };

    /// How long a run is kept that ended so.
    fn age(&self, outcome: RunOutcome) -> Option<Duration> {
        match outcome {
            RunOutcome::Succeeded => self.succeeded,
            RunOutcome::Failed
            | RunOutcome::Cancelled
            | RunOutcome::TimedOut
            | RunOutcome::RolledBack
            | RunOutcome::RollbackFailed => self.failed,
        }
    }

    fn is_over(&self, root: &EndedRoot, now: Timestamp) -> bool {
        self.age(root.outcome).is_some_and(|age| root.ended + age <= now)
    }

    /// Nothing accepted later can be over.
    fn latest(&self, now: Timestamp) -> Timestamp {
        let shortest = [self.succeeded, self.failed].into_iter().flatten().min();
        shortest.map_or(Timestamp::ZERO, |age| before(now, age))
    }
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    let micros = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
    Timestamp::from_micros(now.micros().saturating_sub(micros))
}

/// Begins; if everything is kept, there is nothing to do.
pub(crate) fn start(state: &StateDir, kept: Kept, handle: Handle) -> Result<(), StoreError> {
    if kept == Kept::ALL {
        return Ok(());
    }
    let keeper = Keeper { reader: Reader::open(state.database())?, logs: state.runs(), kept, handle };
    let spawned = thread::Builder::new().name("partitur-retain".into()).spawn(move || keeper.work());
    spawned.map(drop).map_err(|error: io::Error| StoreError::Io(error.to_string()))
}

struct Keeper {
    reader: Reader,
    logs: PathBuf,
    kept: Kept,
    handle: Handle,
}

/// The server is ending, or the rows cannot be read: the next start goes on.
struct Ended;

impl Keeper {
    fn work(self) {
        while self.look().is_ok() && self.rest().is_ok() {}
    }

    fn rest(&self) -> Result<(), Ended> {
        for _ in 0..EVERY.as_secs() * 4 {
            if self.handle.health().is_draining() {
                return Err(Ended);
            }
            thread::sleep(Duration::from_millis(250));
        }
        Ok(())
    }

    fn look(&self) -> Result<(), Ended> {
        let now = Clock::new().now();
        self.remove(self.kept.latest(now), usize::MAX, |root| self.kept.is_over(root, now))?;
        if let Some(most) = self.kept.runs {
            let ended = self.reader.count_ended().map_err(|_| Ended)?;
            self.remove(
                before(now, FRESH),
                usize::try_from(ended.saturating_sub(most)).unwrap_or(0),
                |_| true,
            )?;
        }
        if let Some(most) = self.kept.bytes {
            self.make_room(most, now)?;
        }
        Ok(())
    }

    /// The oldest go until there is room; what they leave is awaited, to see how much that is.
    fn make_room(&self, most: u64, now: Timestamp) -> Result<(), Ended> {
        loop {
            let room = self.reader.room().map_err(|_| Ended)?;
            if room.removing > 0 {
                thread::sleep(PAUSE * 10);
            } else if room.used <= most || self.remove(before(now, FRESH), 10 * STEP, |_| true)? == 0 {
                return Ok(());
            }
            if self.handle.health().is_draining() {
                return Err(Ended);
            }
        }
    }

    /// Removes at most about so many runs: the families of roots that are meant. Says how many.
    fn remove(
        &self,
        until: Timestamp,
        most: usize,
        is_meant: impl Fn(&EndedRoot) -> bool,
    ) -> Result<usize, Ended> {
        let (mut after, mut count, mut step) = (None, 0, Step::default());
        while count < most {
            let (roots, next) = self.reader.ended_roots(after, until).map_err(|_| Ended)?;
            for root in roots.iter().filter(|root| is_meant(root)) {
                if count + step.runs >= most {
                    break;
                }
                let family = self.reader.family(root.run).map_err(|_| Ended)?;
                if self.reader.have_ended(&family).map_err(|_| Ended)? {
                    step.add(family);
                }
                if step.runs >= STEP {
                    count += self.forget(std::mem::take(&mut step))?;
                }
            }
            if next.is_none() {
                break;
            }
            after = next;
        }
        Ok(count + self.forget(step)?)
    }

    /// If somebody is in the way, each family goes by itself.
    fn forget(&self, step: Step) -> Result<usize, Ended> {
        let all: Vec<RunId> = step.families.concat();
        let mut count = self.forget_runs(&all)?;
        if count < all.len() {
            for family in &step.families {
                count += self.forget_runs(family)?;
            }
        }
        Ok(count)
    }

    /// All of them, or none.
    fn forget_runs(&self, runs: &[RunId]) -> Result<usize, Ended> {
        if runs.is_empty() {
            return Ok(0);
        }
        let (done, over) = oneshot::channel();
        self.handle.send(Message::Forget(runs.to_vec(), done)).map_err(|_| Ended)?;
        let is_done = over.blocking_recv().is_ok();
        if self.handle.health().is_draining() {
            return Err(Ended);
        }
        thread::sleep(PAUSE);
        if !is_done {
            return Ok(0);
        }
        for run in runs {
            // Most runs have no log.
            let _ = std::fs::remove_file(self.logs.join(format!("{}.log", run.number())));
        }
        Ok(runs.len())
    }
}

/// Families that go in one step.
#[derive(Default)]
struct Step {
    families: Vec<Vec<RunId>>,
    runs: usize,
}

impl Step {
    fn add(&mut self, family: Vec<RunId>) {
        self.runs += family.len();
        self.families.push(family);
    }
}
