//! What a host measures, as lines of its metric log: one for each run that ends, and samples while any lives.

use serde::{Deserialize, Serialize};

/// The version of the lines that this crate writes. Fields are added, never changed or removed, within a version.
pub const METRICS_VERSION: u32 = 1;

/// How a run went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunMetric {
    /// The version of the line.
    pub v: u32,
    /// When it ended, in milliseconds since the Unix epoch.
    pub at: u64,
    /// Its number.
    pub run: u64,
    /// The name of its document.
    pub flow: String,
    /// `succeeded`, `failed`, …
    pub outcome: String,
    /// From its beginning to its end.
    pub duration_ms: u64,
    /// How long its tasks took together.
    pub work_ms: u64,
    /// Processor time of its tasks.
    pub cpu_ms: u64,
    /// The most memory that one of them had, in bytes.
    pub memory_max: u64,
    /// How many tasks have ended.
    pub tasks: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many were left out.
    pub skipped: u64,
    /// How many results came from the cache.
    pub cached: u64,
    /// How many attempts were made beyond the first ones.
    pub retries: u64,
}

impl RunMetric {
    /// How many tasks ran at once, on average.
    pub fn parallelism(&self) -> f64 {
        if self.duration_ms == 0 { 0.0 } else { self.work_ms as f64 / self.duration_ms as f64 }
    }
}

/// How things stood for a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The version of the line.
    pub v: u32,
    /// When, in milliseconds since the Unix epoch.
    pub at: u64,
    /// Runs that have not ended.
    pub runs: u64,
    /// Attempts that live.
    pub active: u64,
    /// Tasks that are ready and wait.
    pub queued: u64,
    /// Tasks that ended in the last minute, per second.
    pub tasks_per_second: f64,
    /// Resident memory of the host, in bytes.
    pub memory_bytes: u64,
}
