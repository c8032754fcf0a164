//! What has ended long ago, and may go: whole families, the oldest first, a few at a time.
//!
//! A run that is alive stays, and so does whatever belongs to its family. Between a choice and its being carried out time
//! passes, in which somebody may bring a run back to life: so whoever carries it out asks [`is_still_so`] before.
//!
//! Not here: when to look, and how runs are removed. Begin with [`Sweep::next`].

use std::collections::VecDeque;
use std::time::Duration;

use partitur_model::record::RunOutcome;
use partitur_model::{RunId, Timestamp};

use crate::{EndedRoot, Reader, StoreError};

/// Runs that are removed in one step.
pub const STEP: usize = 32;

/// What has just ended may still be looked at, however little room there is.
pub const FRESH: Duration = Duration::from_secs(60);

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

    /// Whether a run has been kept for long enough.
    pub fn is_over(&self, root: &EndedRoot, now: Timestamp) -> bool {
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

/// Rows of runs that have ended, wherever they are.
pub trait Past {
    /// Some of the runs that have ended and are nobody's sub-runs, oldest first, behind a run and accepted until then; and
    /// the run behind which to go on, if there may be more.
    ///
    /// # Errors
    /// The disk's.
    fn ended_roots(
        &self,
        after: Option<RunId>,
        until: Timestamp,
    ) -> Result<(Vec<EndedRoot>, Option<RunId>), StoreError>;

    /// How a run has ended, if it has and is nobody's sub-run.
    ///
    /// # Errors
    /// The disk's.
    fn ended_root(&self, run: RunId) -> Result<Option<EndedRoot>, StoreError>;

    /// A run with its sub-runs and theirs: the run itself first.
    ///
    /// # Errors
    /// The disk's.
    fn family(&self, root: RunId) -> Result<Vec<RunId>, StoreError>;

    /// Whether all of these runs are there and have ended.
    ///
    /// # Errors
    /// The disk's.
    fn have_ended(&self, runs: &[RunId]) -> Result<bool, StoreError>;
}

impl Past for Reader {
    fn ended_roots(
        &self,
        after: Option<RunId>,
        until: Timestamp,
    ) -> Result<(Vec<EndedRoot>, Option<RunId>), StoreError> {
        Reader::ended_roots(self, after, until)
    }

    fn ended_root(&self, run: RunId) -> Result<Option<EndedRoot>, StoreError> {
        Reader::ended_root(self, run)
    }

    fn family(&self, root: RunId) -> Result<Vec<RunId>, StoreError> {
        Reader::family(self, root)
    }

    fn have_ended(&self, runs: &[RunId]) -> Result<bool, StoreError> {
        Reader::have_ended(self, runs)
    }
}

/// A run that is to go, with its sub-runs and theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Whose it is.
    pub root: EndedRoot,
    /// All of them, the root first.
    pub runs: Vec<RunId>,
}

/// Whether a family is as it was when it was chosen: nobody has brought one of its runs back to life since.
///
/// # Errors
/// The disk's.
pub fn is_still_so(past: &impl Past, family: &Family) -> Result<bool, StoreError> {
    #[cfg(feature = "planted-faults")]
    if partitur_model::planted::Planted::ChoiceNotLookedAtAgain.is_here() {
        return Ok(true);
    }
    Ok(past.ended_root(family.root.run)? == Some(family.root)
        && past.family(family.root.run)? == family.runs
        && past.have_ended(&family.runs)?)
}

/// One look at everything that has ended.
#[derive(Debug)]
pub struct Sweep {
    kept: Kept,
    now: Timestamp,
    until: Timestamp,
    /// So many runs may still be chosen, whatever their age; by age if `None`.
    most: Option<usize>,
    after: Option<RunId>,
    roots: VecDeque<EndedRoot>,
    is_last: bool,
}

impl Sweep {
    /// Of everything that has been kept for long enough.
    pub fn of_old(kept: Kept, now: Timestamp) -> Sweep {
        Sweep::new(kept, now, kept.latest(now), None)
    }

    /// Of about so many runs, the oldest, if they have not ended just now.
    pub fn of_surplus(most: usize, now: Timestamp) -> Sweep {
        Sweep::new(Kept::ALL, now, before(now, FRESH), Some(most))
    }

    fn new(kept: Kept, now: Timestamp, until: Timestamp, most: Option<usize>) -> Sweep {
        Sweep { kept, now, until, most, after: None, roots: VecDeque::new(), is_last: false }
    }

    /// The families that are to go next, of about [`STEP`] runs; none if that was all.
    ///
    /// # Errors
    /// The disk's.
    pub fn next(&mut self, past: &impl Past) -> Result<Vec<Family>, StoreError> {
        let (mut step, mut runs) = (Vec::new(), 0);
        while runs < STEP && self.most != Some(0) {
            let Some(root) = self.root(past)? else { break };
            let family = past.family(root.run)?;
            if past.have_ended(&family)? {
                runs += family.len();
                self.most = self.most.map(|most| most.saturating_sub(family.len()));
                step.push(Family { root, runs: family });
            }
        }
        Ok(step)
    }

    /// Somebody was in the way of so many runs: others go in their place.
    pub fn stayed(&mut self, runs: usize) {
        self.most = self.most.map(|most| most + runs);
    }

    /// The next root that is meant.
    fn root(&mut self, past: &impl Past) -> Result<Option<EndedRoot>, StoreError> {
        loop {
            while let Some(root) = self.roots.pop_front() {
                let is_meant = match self.most {
                    // It may have been accepted long ago, and have ended just now.
                    Some(_) => root.ended + FRESH <= self.now,
                    None => self.kept.is_over(&root, self.now),
                };
                if is_meant {
                    return Ok(Some(root));
                }
            }
            if self.is_last {
                return Ok(None);
            }
            let (roots, next) = past.ended_roots(self.after, self.until)?;
            (self.roots, self.after, self.is_last) = (roots.into(), next, next.is_none());
        }
    }
}
