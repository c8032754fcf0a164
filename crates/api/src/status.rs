//! How things stand on a host.

use serde::{Deserialize, Serialize};

/// The state of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// `ok`, or what is wrong, as `the disk refuses to write: …`.
    pub health: String,
    /// The host's process.
    pub pid: u32,
    /// How long it has been up, in milliseconds.
    pub uptime_ms: u64,
    /// Runs that have not ended, by number.
    pub runs: Vec<u64>,
    /// Attempts that live.
    pub active: u64,
    /// How many may live at once.
    pub slots: u32,
    /// Tasks that are ready and wait for a slot, a lock or a limit.
    pub queued: u64,
    /// Tasks that ended in the last minute, per second.
    pub tasks_per_second: f64,
    /// Resident memory of the host, in bytes.
    pub memory_bytes: u64,
    /// How many attempts of a run may live at once, where that follows the load.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// The result cache.
    pub cache: Cache,
    /// Breakers that are not closed.
    pub breakers: Vec<Breaker>,
    /// Who holds which resource.
    pub holders: Vec<Holder>,
    /// Who waits for which resource.
    pub waiters: Vec<Waiter>,
}

/// The result cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// Looked up and found since the host started.
    pub hits: u64,
    /// Looked up and not found.
    pub misses: u64,
    /// Entries kept.
    pub entries: u64,
    /// Their size on the disk.
    pub bytes: u64,
}

/// How many attempts of a run may live at once, where that follows the load.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The number of the run.
    pub run: u64,
    /// So many at present.
    pub limit: u32,
    /// Never fewer.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// So many live.
    pub live: u32,
    /// Why it moved last.
    pub reason: String,
    /// When it moved last, in milliseconds since the Unix epoch.
    pub since: u64,
}

/// A breaker that is not closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Its name.
    pub name: String,
    /// `open`, `half open`.
    pub state: String,
    /// Until when, in milliseconds since the Unix epoch.
    pub until: Option<u64>,
}

/// Somebody who holds something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The number of the run.
    pub run: u64,
    /// The task's path.
    pub task: String,
    /// `file:/abs/path`, `gpu`, …
    pub resource: String,
    /// `exclusive`, `shared`.
    pub mode: String,
    /// How many units.
    pub units: u32,
    /// Since when, in milliseconds since the Unix epoch.
    pub since: u64,
}

/// Somebody who waits for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// The number of the run.
    pub run: u64,
    /// The task's path.
    pub task: String,
    /// What refused it: `lock file:/abs/path`, `slots`, `breaker erp`, …
    pub reason: String,
    /// Who holds that: `run 3 import`.
    pub held_by: Vec<String>,
    /// Since when, in milliseconds since the Unix epoch.
    pub since: u64,
    /// It is so old that what it needs is kept free for it.
    pub reserves: bool,
}
