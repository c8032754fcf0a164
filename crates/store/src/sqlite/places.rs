//! Where rows lie that will change again, so that a change finds them without an index and touches nothing else.
//!
//! What is remembered is a guess: a row may have gone meanwhile, and its place be another's. The statements that use it
//! name the row as well, and change nothing if it is not there.

use std::collections::{HashMap, HashSet};

use partitur_model::TaskSeq;
use rusqlite::Connection;

use crate::tables::RunKey;

/// Of so many rows at most the places are known; then all are forgotten, which costs a look for each.
const KNOWN_MAX: usize = 65_536;

/// Rows of runs and tasks that were written and have not ended.
#[derive(Default)]
pub(super) struct Places {
    runs: HashSet<RunKey>,
    tasks: HashMap<(RunKey, TaskSeq), i64>,
}

impl Places {
    /// Whether the run's row is there, as far as is known.
    pub(super) fn has_run(&self, run: RunKey) -> bool {
        self.runs.contains(&run)
    }

    /// Where the task's row lies, if that is known.
    pub(super) fn of_task(&self, run: RunKey, seq: TaskSeq) -> Option<i64> {
        self.tasks.get(&(run, seq)).copied()
    }

    /// The run's row was written.
    pub(super) fn note_run(&mut self, run: RunKey, is_over: bool) {
        if is_over {
            self.runs.remove(&run);
            return;
        }
        if self.runs.len() >= KNOWN_MAX {
            self.runs.clear();
        }
        self.runs.insert(run);
    }

    /// The task's row was written, at this place if it is new.
    pub(super) fn note_task(&mut self, run: RunKey, seq: TaskSeq, place: Option<i64>, is_over: bool) {
        if is_over {
            self.tasks.remove(&(run, seq));
            return;
        }
        let Some(place) = place else { return };
        if self.tasks.len() >= KNOWN_MAX {
            self.tasks.clear();
        }
        self.tasks.insert((run, seq), place);
    }

    /// A transaction was undone: what it wrote is not there.
    pub(super) fn forget(&mut self) {
        *self = Places::default();
    }
}

/// Where `write` has put a new row; `None` if it has found the row there.
pub(super) fn place_of_new(
    conn: &Connection,
    write: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<Option<i64>> {
    let before = conn.last_insert_rowid();
    write()?;
    let after = conn.last_insert_rowid();
    Ok((after != before).then_some(after))
}
