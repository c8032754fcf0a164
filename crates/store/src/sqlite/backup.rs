//! Copies of a database, made while it is written to, and what can be said of one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::fault::store_error;
use super::schema;
use crate::StoreError;

/// Pages that are copied at once.
const PAGES: i32 = 2_048;

/// What a file of the store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The format that it has, and the one that this binary writes.
    pub format: u32,
    /// See `format`.
    pub known: u32,
    /// Bytes.
    pub bytes: u64,
    /// Runs.
    pub runs: u64,
    /// Of these, how many have not ended.
    pub open: u64,
    /// Tasks.
    pub tasks: u64,
    /// What is wrong with its structure; nothing if it is whole.
    pub faults: Vec<String>,
}

/// Copies the database as it stands at one moment to a new file, while others go on writing to it. The copy is looked
/// through and on the disk before it gets its name: a copy that was interrupted never has it. `told` hears how many
/// pages are left, and of how many.
///
/// Until it is done, the database's log is not reset and may grow.
///
/// # Errors
/// The disk's; there is a file of that name already; or the copy is not whole.
pub fn back_up(from: &Path, to: &Path, mut told: impl FnMut(i32, i32)) -> Result<Inspection, StoreError> {
    if to.exists() {
        return Err(refused(to, "there is a file of that name already"));
    }
    let part = with_ending(to, "partial");
    remove(&part)?;
    // As it is: also the file of an older binary is copied without being brought up to date.
    let source = schema::open_as_it_is(from)?;
    if schema::check_format(&source, from)? == 0 {
        return Err(StoreError::Absent(from.to_owned()));
    }
    // Within one read the copy is of one moment, and nobody's commit makes it begin again.
    let read = source.unchecked_transaction().map_err(store_error)?;
    source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(store_error)?;
    let mut target = Connection::open(&part).map_err(store_error)?;
    {
        let backup = Backup::new(&source, &mut target).map_err(store_error)?;
        loop {
            match backup.step(PAGES).map_err(store_error)? {
                StepResult::Done => break,
                StepResult::More => {}
                // Somebody holds the database; the library may learn further words for that.
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
            let progress = backup.progress();
            told(progress.remaining, progress.pagecount);
        }
    }
    read.finish().map_err(store_error)?;
    // One file, which needs no log beside it.
    target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(store_error)?;
    drop(target);
    let inspection = inspect(&part, false)?;
    if let Some(fault) = inspection.faults.first() {
        return Err(StoreError::Damaged(format!("the copy is not whole: {fault}")));
    }
    let synced = File::open(&part).and_then(|file| file.sync_all());
    synced.and_then(|()| std::fs::rename(&part, to)).map_err(|error| refused(to, &error.to_string()))?;
    sync_dir(to);
    Ok(inspection)
}

/// Puts a copy in the place of a database that is not there.
///
/// # Errors
/// The disk's; there is a database already; or the copy is not whole.
pub fn restore(from: &Path, to: &Path) -> Result<Inspection, StoreError> {
    if to.exists() {
        return Err(refused(to, "there is a database already"));
    }
    let inspection = inspect(from, true)?;
    if let Some(fault) = inspection.faults.first() {
        return Err(StoreError::Damaged(fault.clone()));
    }
    let part = with_ending(to, "partial");
    let copied = std::fs::copy(from, &part)
        .and_then(|_| File::open(&part)?.sync_all())
        .and_then(|()| std::fs::rename(&part, to));
    copied.map_err(|error| refused(to, &error.to_string()))?;
    sync_dir(to);
    Ok(inspection)
}

/// Looks at a file without changing it; `thoroughly` compares every index with its rows.
///
/// # Errors
/// It cannot be read, is another program's, or of a newer format.
pub fn inspect(path: &Path, thoroughly: bool) -> Result<Inspection, StoreError> {
    let conn = schema::open_as_it_is(path)?;
    let bytes = path.metadata().map_or(0, |file| file.len());
    let (format, known) = (schema::check_format(&conn, path)?, schema::FORMAT);
    let mut inspection = Inspection { format, known, bytes, ..Inspection::default() };
    let check = if thoroughly { "PRAGMA integrity_check(20)" } else { "PRAGMA quick_check(20)" };
    match faults(&conn, check) {
        Ok(faults) => inspection.faults = faults,
        Err(error) => inspection.faults.push(error.to_string()),
    }
    if inspection.faults.is_empty() {
        let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|it| it as u64);
        let mut counted = || {
            inspection.runs = count("SELECT count(*) FROM runs")?;
            inspection.open = count("SELECT count(*) FROM runs WHERE state NOT BETWEEN 30 AND 35")?;
            inspection.tasks = count("SELECT count(*) FROM tasks")?;
            rusqlite::Result::Ok(())
        };
        counted().map_err(store_error)?;
    }
    Ok(inspection)
}

fn faults(conn: &Connection, check: &str) -> rusqlite::Result<Vec<String>> {
    let mut select = conn.prepare(check)?;
    let lines: Vec<String> = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(refused(path, &error.to_string())),
    }
}

fn refused(path: &Path, reason: &str) -> StoreError {
    StoreError::Directory { path: path.to_owned(), reason: reason.to_owned() }
}

/// The name is on the disk, too. A file system that cannot do that has done what it can.
fn sync_dir(path: &Path) {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _ = File::open(dir).and_then(|dir| dir.sync_all());
}

/// Only to read, and without a look at the format.
pub(super) const AS_IT_IS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX)
    .union(OpenFlags::SQLITE_OPEN_EXRESCODE);
