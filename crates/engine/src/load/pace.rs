//! How long tasks take against how long they took before, in the same run.
//!
//! What a task is compared with moves slowly towards what is seen: a change that lasts, as with larger inputs, becomes
//! what is usual, and holds nothing back for good.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Fewer ends say nothing.
const ENDS_MIN: u32 = 4;

/// So much of the difference becomes usual with each end.
const LEARNT: f64 = 0.1;

/// Differences in shorter times are noise of the machine.
const TIME_MIN: f64 = 0.05;

/// What is usual, and what was seen since somebody asked.
#[derive(Debug, Default)]
pub(super) struct Pace {
    usual: BTreeMap<Arc<str>, f64>,
    ends: u32,
    expected: f64,
    seen: f64,
}

impl Pace {
    /// An attempt of this task has taken so long.
    pub fn took(&mut self, task: &Arc<str>, time: Duration) {
        let seen = time.as_secs_f64().max(TIME_MIN);
        let Some(usual) = self.usual.get_mut(task) else {
            self.usual.insert(task.clone(), seen);
            return;
        };
        self.ends += 1;
        self.expected += *usual;
        self.seen += seen;
        *usual += (seen - *usual) * LEARNT;
    }

    /// So many times as long as usual the tasks took that ended since this was last answered; nothing if too few did.
    pub fn slowdown(&mut self) -> Option<f32> {
        if self.ends < ENDS_MIN {
            return None;
        }
        let slowdown = self.seen / self.expected;
        (self.ends, self.expected, self.seen) = (0, 0.0, 0.0);
        Some(slowdown as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_becomes_usual() {
        let mut pace = Pace::default();
        let task: Arc<str> = "page".into();
        (0..5).for_each(|_| pace.took(&task, Duration::from_secs(1)));
        assert_eq!(pace.slowdown(), Some(1.0));
        (0..4).for_each(|_| pace.took(&task, Duration::from_secs(4)));
        assert!(pace.slowdown().unwrap() > 2.0);
        assert_eq!(pace.slowdown(), None);
        (0..40).for_each(|_| pace.took(&task, Duration::from_secs(4)));
        pace.slowdown();
        (0..4).for_each(|_| pace.took(&task, Duration::from_secs(4)));
        assert!(pace.slowdown().unwrap() < 1.1);
    }
}
