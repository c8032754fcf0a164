//! What goes first when there is too much: by one of the usual rules, or by one's own.

use std::sync::Arc;

use partitur_model::Timestamp;

/// How an entry has been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// When it was written.
    pub written: Timestamp,
    /// When it last served, or was written.
    pub last: Timestamp,
    /// How often it has served.
    pub count: u32,
    /// What it takes on the disk.
    pub bytes: u64,
}

/// Which entries go first.
#[derive(Clone, Default)]
pub enum Eviction {
    /// Those that have not served for longest.
    #[default]
    LeastRecentlyUsed,
    /// Those that served least often; of equals, those that have not served for longest.
    LeastFrequentlyUsed,
    /// Those written first.
    FirstInFirstOut,
    /// Those worth least; of equals, those that have not served for longest.
    Own(Arc<dyn Fn(&Used) -> u64 + Send + Sync>),
}

impl Eviction {
    /// What the entry is worth: the lowest go first.
    pub(super) fn worth(&self, used: &Used) -> (u64, Timestamp) {
        let worth = match self {
            Eviction::LeastRecentlyUsed => 0,
            Eviction::LeastFrequentlyUsed => u64::from(used.count),
            Eviction::FirstInFirstOut => used.written.micros(),
            Eviction::Own(worth) => worth(used),
        };
        (worth, used.last)
    }
}

impl std::fmt::Debug for Eviction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Eviction::LeastRecentlyUsed => "LeastRecentlyUsed",
            Eviction::LeastFrequentlyUsed => "LeastFrequentlyUsed",
            Eviction::FirstInFirstOut => "FirstInFirstOut",
            Eviction::Own(_) => "Own",
        })
    }
}
