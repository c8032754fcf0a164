//! What has ended long ago goes, by itself.
//!
//! What it is the rows say (`partitur_store::retention`); it is looked at once more by the node, which alone can bring a run
//! back to life.

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use partitur_model::Timestamp;
use partitur_runtime::Clock;
pub use partitur_store::retention::Kept;
use partitur_store::retention::{Family, STEP, Sweep};
use partitur_store::{Reader, StateDir, StoreError};
use tokio::sync::oneshot;

use crate::handle::{Handle, Message};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);

/// After such a step others have their turn.
const PAUSE: Duration = Duration::from_millis(5);

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
        self.sweep(Sweep::of_old(self.kept, now))?;
        if let Some(most) = self.kept.runs {
            let ended = self.reader.count_ended().map_err(|_| Ended)?;
            let surplus = usize::try_from(ended.saturating_sub(most)).unwrap_or(usize::MAX);
            self.sweep(Sweep::of_surplus(surplus, now))?;
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
            } else if room.used <= most || self.sweep(Sweep::of_surplus(10 * STEP, now))? == 0 {
                return Ok(());
            }
            if self.handle.health().is_draining() {
                return Err(Ended);
            }
        }
    }

    /// Removes what is to go; says how many runs that were.
    fn sweep(&self, mut sweep: Sweep) -> Result<usize, Ended> {
        let mut count = 0;
        loop {
            let step = sweep.next(&self.reader).map_err(|_| Ended)?;
            if step.is_empty() {
                return Ok(count);
            }
            let wanted: usize = step.iter().map(|family| family.runs.len()).sum();
            let done = self.forget(&step)?;
            sweep.stayed(wanted - done);
            count += done;
        }
    }

    /// If somebody is in the way, each family goes by itself.
    fn forget(&self, step: &[Family]) -> Result<usize, Ended> {
        if self.forget_families(step)? {
            return Ok(step.iter().map(|family| family.runs.len()).sum());
        }
        let mut count = 0;
        for family in step {
            if self.forget_families(std::slice::from_ref(family))? {
                count += family.runs.len();
            }
        }
        Ok(count)
    }

    /// All of them, or none.
    fn forget_families(&self, families: &[Family]) -> Result<bool, Ended> {
        let (done, over) = oneshot::channel();
        self.handle.send(Message::Forget(families.to_vec(), done)).map_err(|_| Ended)?;
        let is_done = over.blocking_recv().is_ok();
        if self.handle.health().is_draining() {
            return Err(Ended);
        }
        thread::sleep(PAUSE);
        if is_done {
            for run in families.iter().flat_map(|family| &family.runs) {
                // Most runs have no log.
                let _ = std::fs::remove_file(self.logs.join(format!("{}.log", run.number())));
            }
        }
        Ok(is_done)
    }
}
