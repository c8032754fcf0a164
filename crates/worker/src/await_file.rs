//! Waits until a file exists. Looks for it, at first often, then five times a second: that works on every file
//! system, also where the directory itself does not exist yet, and costs no thread and no descriptor.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use partitur_model::dispatch::Ending;

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// A wait for a file.
pub(crate) struct AwaitFile {
    path: PathBuf,
    pause: Duration,
    next: Instant,
}

impl AwaitFile {
    pub fn new(path: PathBuf) -> AwaitFile {
        AwaitFile { path, pause: FIRST_PAUSE, next: Instant::now() }
    }

    pub fn next_look(&self) -> Instant {
        self.next
    }

    pub fn on_time(&mut self, now: Instant) -> Option<Ending> {
        if self.next > now {
            return None;
        }
        if self.path.exists() {
            return Some(Ending::success(None));
        }
        self.next = now + self.pause;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        None
    }
}
