//! Windows of keys, which follow one another in the order of a search.

use std::time::Duration;

use rusqlite::OptionalExtension;

use super::Order;
use super::candidates::Plan;
use crate::sqlite::reader::Reader;

/// Keys in the first window.
const FIRST: i64 = 4_096;

/// Keys in the largest one.
const LARGEST: i64 = 1 << 20;

/// A window that takes less is followed by a larger one.
const SHORT: Duration = Duration::from_millis(15);

/// A window that takes more is followed by a smaller one.
const LONG: Duration = Duration::from_millis(60);

/// Some keys: from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub low: i64,
    pub high: i64,
}

/// The windows of a search that are left.
pub(super) struct Windows {
    left: Window,
    order: Order,
    size: i64,
}

impl Windows {
    pub(super) fn new(plan: &Plan, order: Order) -> Windows {
        // Few candidates are looked at together.
        Windows::of(plan.span, order, if plan.is_narrow { i64::MAX } else { FIRST })
    }

    /// With so many keys in the first one.
    pub(super) fn of(span: Window, order: Order, first: i64) -> Windows {
        Windows { left: span, order, size: first }
    }

    /// The next one in which there is a run.
    pub(super) fn next(&mut self, reader: &Reader) -> rusqlite::Result<Option<Window>> {
        let Window { low, high } = self.left;
        let sql = match self.order {
            Order::NewestFirst => "SELECT key FROM runs WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1",
            Order::OldestFirst => "SELECT key FROM runs WHERE key BETWEEN ? AND ? ORDER BY key LIMIT 1",
        };
        let mut select = reader.conn.prepare_cached(sql)?;
        let Some(at) = select.query_row([low, high], |row| row.get::<_, i64>(0)).optional()? else {
            return Ok(None);
        };
        Ok(Some(match self.order {
            Order::NewestFirst => {
                let low = low.max(at.saturating_sub(self.size - 1));
                self.left.high = low.saturating_sub(1);
                Window { low, high: at }
            }
            Order::OldestFirst => {
                let high = high.min(at.saturating_add(self.size - 1));
                self.left.low = high.saturating_add(1);
                Window { low: at, high }
            }
        }))
    }

    /// The last one took so long.
    pub(super) fn took(&mut self, time: Duration) {
        if time < SHORT {
            self.size = self.size.saturating_mul(2).min(LARGEST.max(self.size));
        } else if time > LONG {
            self.size = (self.size / 2).max(256);
        }
    }
}
