//! What removed runs leave, and free pages, go bit by bit between commits, so that none has to wait.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::tables::RunKey;

/// A step takes about so long.
const STEP: Duration = Duration::from_millis(2);

/// Rows that are deleted by one statement.
const ROWS: i64 = 64;

/// Free pages given back to the file system by one statement.
const PAGES: i32 = 32;

/// Runs whose row is gone and whose rest is not.
#[derive(Debug, Default)]
pub(super) struct Remains {
    runs: BTreeSet<RunKey>,
}

impl Remains {
    /// What an earlier process has left.
    pub(super) fn of(conn: &Connection) -> rusqlite::Result<Remains> {
        let mut select = conn.prepare("SELECT run FROM removed")?;
        let runs = select.query_map([], |row| row.get(0).map(RunKey))?.collect::<Result<_, _>>()?;
        Ok(Remains { runs })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The run is removed in the open transaction: its row at once.
    pub(super) fn add(&mut self, conn: &Connection, run: RunKey) -> rusqlite::Result<()> {
        conn.prepare_cached("INSERT OR IGNORE INTO removed VALUES (?1)")?.execute([run.0])?;
        conn.prepare_cached("DELETE FROM runs WHERE key = ?1")?.execute([run.0])?;
        self.runs.insert(run);
        Ok(())
    }

    /// There will be rows of this run again: what is left of the old ones goes now.
    pub(super) fn clear(&mut self, conn: &Connection, run: RunKey) -> rusqlite::Result<()> {
        if self.runs.contains(&run) {
            while !delete_some(conn, run)? {}
            self.runs.remove(&run);
        }
        Ok(())
    }

    /// Takes some away, in the open transaction.
    pub(super) fn step(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let until = Instant::now() + STEP;
        while let Some(&run) = self.runs.first() {
            if delete_some(conn, run)? {
                self.runs.remove(&run);
            }
            if Instant::now() >= until {
                break;
            }
        }
        Ok(())
    }

    /// The transaction was undone: what is there is read anew.
    pub(super) fn undone(&mut self, conn: &Connection) {
        // What cannot be read now is taken away after the next start.
        *self = Remains::of(conn).unwrap_or_default();
    }
}

/// Deletes some rows of a run; whether these were the last.
fn delete_some(conn: &Connection, run: RunKey) -> rusqlite::Result<bool> {
    let parts = [
        "DELETE FROM payloads WHERE rowid IN (SELECT rowid FROM payloads WHERE run = ?1 LIMIT ?2)",
        "DELETE FROM task_logs WHERE rowid IN (SELECT rowid FROM task_logs WHERE run = ?1 LIMIT ?2)",
        "DELETE FROM tasks WHERE rowid IN (SELECT rowid FROM tasks WHERE run = ?1 LIMIT ?2)",
    ];
    for delete in parts {
        if conn.prepare_cached(delete)?.execute((run.0, ROWS))? as i64 == ROWS {
            return Ok(false);
        }
    }
    conn.prepare_cached("DELETE FROM removed WHERE run = ?1")?.execute([run.0])?;
    Ok(true)
}

/// Whether an earlier process has left free pages.
pub(super) fn has_free_pages(conn: &Connection) -> bool {
    conn.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0)).is_ok_and(|count| count > 0)
}

/// Gives back some pages; whether there are more.
pub(super) fn give_back(conn: &Connection) -> rusqlite::Result<bool> {
    let until = Instant::now() + STEP;
    loop {
        let mut vacuum = conn.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
        let left: i64 = conn.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        if left == 0 || Instant::now() >= until {
            return Ok(left > 0);
        }
    }
}
