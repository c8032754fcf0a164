//! The time of a node.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use partitur_model::Timestamp;

/// Wall-clock time that moves with the monotonic clock: set once at the start, it never jumps and never goes back.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    wall: Timestamp,
}

impl Clock {
    /// A clock that starts with the system's time.
    pub fn new() -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { started: Instant::now(), wall: Timestamp::ZERO + wall }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.wall + self.started.elapsed()
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}
