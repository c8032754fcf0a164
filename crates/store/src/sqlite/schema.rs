//! The tables, and what a connection needs before it may touch them.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::backup::AS_IT_IS;
use super::fault::store_error;
use crate::{StateDir, StoreError};

/// "Part": marks the file as ours, for `file(1)` and for us.
pub(super) const APPLICATION_ID: i32 = 0x5061_7274;

/// One entry for each format; the format of a file is the number of entries that were applied to it.
/// Entries are never edited once released: a newer one is added.
const MIGRATIONS: &[&str] = &[FORMAT_1, FORMAT_2, FORMAT_3];

/// The format that this binary writes.
pub(super) const FORMAT: u32 = MIGRATIONS.len() as u32;

/// SQLite before 3.51.3 can damage a database when the log is reset.
const LIBRARY_MIN: i32 = 3_051_003;

/// Keys: a run is its shard above its number (12 and 48 bits), so that an id leads to its row without an index.
///
/// Hot columns are narrow: small integers cost one byte, absent values one, unsigned 64-bit values are stored with
/// the same bits, so that "never" is -1 and costs one byte as well. `output`, `items`, `error`, `input`, `variables`
/// are text, or the key of a row in `payloads` as a blob. `path` is absent where it equals `node`.
///
/// Tasks stand in the order in which they began, not by run: those that change now lie together, whichever runs they
/// belong to, and a commit dirties a few pages instead of one for each run. Measured with 256 runs, against a table
/// ordered by (run, seq): a quarter of the bytes, half of the processor time. A step that changes a task writes its
/// row alone; the index by (run, seq) grows when a task begins. Indexes on `runs` change when a run does.
const FORMAT_1: &str = "
CREATE TABLE namespaces (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO namespaces VALUES (0, 'default');

CREATE TABLE node (
    id       INTEGER PRIMARY KEY CHECK (id = 0),
    epoch    INTEGER NOT NULL,
    last_run INTEGER NOT NULL,
    time     INTEGER NOT NULL
) STRICT;

CREATE TABLE breakers (
    name  TEXT PRIMARY KEY,
    state INTEGER NOT NULL,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE definitions (
    id        BLOB PRIMARY KEY,
    namespace INTEGER NOT NULL DEFAULT 0,
    name      TEXT NOT NULL,
    format    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE definition_files (
    definition BLOB NOT NULL,
    position   INTEGER NOT NULL,
    path       TEXT NOT NULL,
    unpacked   INTEGER,
    body       BLOB NOT NULL,
    PRIMARY KEY (definition, position)
) STRICT;

CREATE TABLE runs (
    key               INTEGER PRIMARY KEY,
    namespace         INTEGER NOT NULL DEFAULT 0,
    random            INTEGER NOT NULL,
    definition        BLOB NOT NULL,
    flow              TEXT NOT NULL,
    name              TEXT NOT NULL,
    parent            INTEGER,
    parent_random     INTEGER,
    parent_task       INTEGER,
    parent_generation INTEGER,
    state             INTEGER NOT NULL,
    generation        INTEGER NOT NULL,
    input             ANY,
    variables         ANY,
    output            ANY,
    error_code        TEXT,
    error_retriable   INTEGER,
    error             ANY,
    on_failure        INTEGER,
    concurrency       INTEGER,
    targets           TEXT,
    dedup_key         TEXT,
    labels            TEXT,
    created           INTEGER NOT NULL,
    begun             INTEGER NOT NULL,
    ended             INTEGER
) STRICT;
CREATE INDEX runs_open ON runs (state) WHERE state NOT BETWEEN 30 AND 35;
CREATE INDEX runs_name ON runs (name);
CREATE INDEX runs_dedup_key ON runs (dedup_key) WHERE dedup_key IS NOT NULL;
CREATE INDEX runs_parent ON runs (parent) WHERE parent IS NOT NULL;

CREATE TABLE tasks (
    run             INTEGER NOT NULL,
    seq             INTEGER NOT NULL,
    node            TEXT NOT NULL,
    container       INTEGER,
    branch          INTEGER,
    path            TEXT,
    state           INTEGER NOT NULL,
    token           INTEGER,
    until           INTEGER,
    lease           INTEGER,
    generation      INTEGER NOT NULL,
    attempt         INTEGER NOT NULL,
    losses          INTEGER NOT NULL,
    ready           INTEGER NOT NULL,
    started         INTEGER,
    ended           INTEGER,
    output          ANY,
    error_code      TEXT,
    error_retriable INTEGER,
    error           ANY,
    items           ANY,
    iteration       INTEGER NOT NULL,
    child           BLOB,
    undo            INTEGER NOT NULL,
    undo_value      INTEGER,
    undo_attempt    INTEGER,
    cached          INTEGER NOT NULL,
    log_from        INTEGER,
    log_to          INTEGER,
    cpu_micros      INTEGER NOT NULL,
    rss_max         INTEGER NOT NULL,
    UNIQUE (run, seq)
) STRICT;

CREATE TABLE payloads (
    run      INTEGER NOT NULL,
    id       BLOB NOT NULL,
    unpacked INTEGER,
    body     BLOB NOT NULL,
    UNIQUE (run, id)
) STRICT;
";

/// What runs of a server have, the catalogue, and the logs of tasks.
///
/// Times of a row that follow one another are differences from the time before, which take three bytes instead of
/// eight: `begun` from `created`, `started` from `ready`, `ended` from the last one that is there, `updated` from the
/// last one that is there, `first_ready` from `ready`; so is `log_to` from `log_from`. `variables` and the `input` of a
/// task are absent if they are `null`.
///
/// Runs of a server are those whose `priority` is there, their tasks those whose `served` is.
const FORMAT_2: &str = "
ALTER TABLE runs ADD COLUMN failure_run BLOB;
ALTER TABLE runs ADD COLUMN priority INTEGER;
ALTER TABLE runs ADD COLUMN correlation TEXT;
ALTER TABLE runs ADD COLUMN domains TEXT;
ALTER TABLE runs ADD COLUMN idempotency_key TEXT;
ALTER TABLE runs ADD COLUMN idempotency INTEGER;
ALTER TABLE runs ADD COLUMN creator TEXT;
ALTER TABLE runs ADD COLUMN version INTEGER;
ALTER TABLE runs ADD COLUMN event TEXT;
CREATE INDEX runs_correlation ON runs (correlation) WHERE correlation IS NOT NULL;
CREATE INDEX runs_idempotency ON runs (idempotency_key) WHERE idempotency_key IS NOT NULL;
DROP INDEX runs_open;
CREATE INDEX runs_open ON runs (name) WHERE state NOT BETWEEN 30 AND 35;

ALTER TABLE tasks ADD COLUMN served INTEGER;
ALTER TABLE tasks ADD COLUMN input ANY;
ALTER TABLE tasks ADD COLUMN retry_of INTEGER;
ALTER TABLE tasks ADD COLUMN retries INTEGER;
ALTER TABLE tasks ADD COLUMN worker TEXT;
ALTER TABLE tasks ADD COLUMN domain TEXT;
ALTER TABLE tasks ADD COLUMN polls INTEGER;
ALTER TABLE tasks ADD COLUMN held_back INTEGER;
ALTER TABLE tasks ADD COLUMN updated INTEGER;
ALTER TABLE tasks ADD COLUMN first_ready INTEGER;

-- The casts keep a damaged time, whose difference is no integer, from stopping everything.
UPDATE tasks SET started = CAST(started - ready AS INTEGER),
                 ended = CAST(ended - coalesce(started, ready) AS INTEGER),
                 log_to = CAST(log_to - log_from AS INTEGER);
UPDATE runs SET begun = CAST(begun - created AS INTEGER),
                ended = CAST(ended - begun AS INTEGER),
                variables = nullif(variables, 'null');

CREATE TABLE catalogue (
    kind     INTEGER NOT NULL,
    name     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    unpacked INTEGER,
    body     BLOB NOT NULL,
    PRIMARY KEY (kind, name, version)
) STRICT;

CREATE TABLE task_logs (
    run  INTEGER NOT NULL,
    task INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX task_logs_task ON task_logs (run, task);
";

/// What searches go by, and what a server notes beside its runs: schedules that are due, events, messages,
/// callbacks. `callbacks` of a run are those that its start has named.
///
/// `runs_shelf` holds all runs of a name and a state in order, with what most conditions ask for, and changes when a run
/// starts, ends, or is paused. `runs_sparse` and its like hold only those runs that are out of the ordinary.
///
/// Of the runs in `removed` there may still be tasks, payloads and logs, which are taken away bit by bit.
///
/// `label` says what the task is called, once for all tasks of a kind; it is written when a row begins and never
/// changes. `tasks_trouble` holds those that did not simply succeed, `tasks_unlabelled` those that an older binary wrote.
const FORMAT_3: &str = "
DROP INDEX runs_name;
CREATE INDEX runs_shelf ON runs (name, state, key, created, begun, ended, priority, version, creator);
CREATE INDEX runs_priority ON runs (priority) WHERE priority > 0;
CREATE INDEX runs_event ON runs (event) WHERE event IS NOT NULL;
CREATE INDEX runs_creator ON runs (creator) WHERE creator > '';
CREATE INDEX runs_reason ON runs (error_code, error) WHERE error_code IS NOT NULL;
CREATE INDEX runs_long ON runs (begun) WHERE begun + coalesce(ended, 0) > 3600000000;

CREATE TABLE removed (
    run INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE labels (
    id         INTEGER PRIMARY KEY,
    type       TEXT NOT NULL,
    definition TEXT NOT NULL,
    optional   INTEGER NOT NULL,
    node       TEXT NOT NULL,
    UNIQUE (type, definition, optional, node)
) STRICT;
ALTER TABLE tasks ADD COLUMN label INTEGER;
CREATE INDEX tasks_label ON tasks (label, run) WHERE label IS NOT NULL;
CREATE INDEX tasks_trouble ON tasks (run)
    WHERE state BETWEEN 21 AND 23 OR state = 24 AND served & 2 OR state = 20 AND error_code IS NOT NULL;
CREATE INDEX tasks_unlabelled ON tasks (run) WHERE served IS NOT NULL AND label IS NULL;

CREATE TABLE notes (
    kind     INTEGER NOT NULL,
    id       TEXT NOT NULL,
    about    TEXT NOT NULL,
    at       INTEGER NOT NULL,
    run      BLOB,
    unpacked INTEGER,
    body     BLOB NOT NULL,
    UNIQUE (kind, id)
) STRICT;
CREATE INDEX notes_at ON notes (kind, at);
CREATE INDEX notes_about ON notes (kind, about, at);

ALTER TABLE runs ADD COLUMN callbacks TEXT;
";

/// How much a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// The death of the process; after a power cut the last moments may be missing, never parts of a batch.
    Normal,
    /// Power cuts.
    #[default]
    Full,
    /// Nothing reaches the disk in order: only to show that the tests find it.
    #[cfg(feature = "test-support")]
    Off,
}

impl Synchronous {
    fn word(self) -> &'static str {
        match self {
            Synchronous::Normal => "NORMAL",
            Synchronous::Full => "FULL",
            #[cfg(feature = "test-support")]
            Synchronous::Off => "OFF",
        }
    }
}

/// Opens the writing connection; creates the tables in an empty file.
pub(super) fn open_writer(
    path: &Path,
    synchronous: Synchronous,
    busy: Duration,
    vfs: Option<&str>,
) -> Result<Connection, StoreError> {
    check_library()?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let opened = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
        None => Connection::open_with_flags(path, flags),
    };
    let mut conn = opened.map_err(|error| open_error(error, path))?;
    steady_plans(&conn)?;
    check_format(&conn, path)?;
    prepare_writer(&conn, busy).map_err(store_error)?;
    migrate(&mut conn).map_err(store_error)?;
    conn.pragma_update(None, "synchronous", synchronous.word()).map_err(store_error)?;
    Ok(conn)
}

/// Opens a connection that can only read.
pub(super) fn open_reader(path: &Path, busy: Duration) -> Result<Connection, StoreError> {
    check_library()?;
    if !path.exists() {
        return Err(StoreError::Absent(path.to_owned()));
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let conn = Connection::open_with_flags(path, flags).map_err(|error| open_error(error, path))?;
    conn.busy_timeout(busy).map_err(store_error)?;
    conn.set_prepared_statement_cache_capacity(64);
    steady_plans(&conn)?;
    if is_half_made(&conn) {
        return Err(StoreError::Absent(path.to_owned()));
    }
    match check_format(&conn, path)? {
        // The host has created the file and not yet the tables.
        0 => return Err(StoreError::Absent(path.to_owned())),
        FORMAT => {}
        _ => bring_up_to_date(path, busy)?,
    }
    // Searches go back and forth between indexes and rows.
    conn.pragma_update(None, "cache_size", -8_192).map_err(store_error)?;
    Ok(conn)
}

/// Opens a file of ours to look at it, whatever its format.
pub(super) fn open_as_it_is(path: &Path) -> Result<Connection, StoreError> {
    check_library()?;
    if !path.exists() {
        return Err(StoreError::Absent(path.to_owned()));
    }
    let conn = Connection::open_with_flags(path, AS_IT_IS).map_err(|error| open_error(error, path))?;
    conn.busy_timeout(Duration::from_secs(2)).map_err(store_error)?;
    Ok(conn)
}

/// Applies what is missing to the file of an older binary, unless that is still at work.
fn bring_up_to_date(path: &Path, busy: Duration) -> Result<(), StoreError> {
    let dir = StateDir::of_database(path);
    let Some(_host) = dir.try_host()? else { return Err(StoreError::Busy) };
    open_writer(path, Synchronous::Full, busy, None).map(drop)
}

/// Whether a process died while it made the file: only before the first table is there a journal that has to be rolled
/// back, which a writer alone can do.
fn is_half_made(conn: &Connection) -> bool {
    let asked = conn.pragma_query_value(None, "application_id", |row| row.get::<_, i64>(0));
    let code = asked.err().and_then(|error| Some(error.sqlite_error()?.extended_code));
    code == Some(ffi::SQLITE_READONLY_ROLLBACK)
}

/// Plans do not depend on the values that are bound. Otherwise the library, as it is built, prepares statements with a
/// limit or a range anew whenever these change, which took most of the time of a start.
fn steady_plans(conn: &Connection) -> Result<(), StoreError> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop).map_err(store_error)
}

fn check_library() -> Result<(), StoreError> {
    if rusqlite::version_number() < LIBRARY_MIN {
        return Err(StoreError::Library(rusqlite::version().to_owned()));
    }
    Ok(())
}

/// The format of the file: 0 if there is nothing in it. A process that dies between creating the file and its tables
/// leaves a page that is nobody's yet.
pub(super) fn check_format(conn: &Connection, path: &Path) -> Result<u32, StoreError> {
    let number = |name: &str| {
        conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(|error| open_error(error, path))
    };
    let (application, format) = (number("application_id")?, number("user_version")?);
    let tables = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    if application == 0 && tables.map_err(|error| open_error(error, path))? == 0 {
        return Ok(0);
    }
    if application != i64::from(APPLICATION_ID) {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    let found = u32::try_from(format).unwrap_or(u32::MAX);
    if found > FORMAT {
        return Err(StoreError::NewerFormat { found, known: FORMAT });
    }
    Ok(found)
}

fn prepare_writer(conn: &Connection, busy: Duration) -> rusqlite::Result<()> {
    conn.busy_timeout(busy)?;
    conn.set_prepared_statement_cache_capacity(64);
    // Only before the first table can it be chosen.
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // For the tables, whatever is chosen for later: without them the file is not recognised.
    conn.pragma_update(None, "synchronous", "FULL")?;
    // The writer checkpoints by itself, after a commit: the automatic one hides its errors.
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    conn.pragma_update(None, "cache_size", -16_384)?;
    conn.pragma_update(None, "temp_store", "MEMORY")
}

fn migrate(conn: &mut Connection) -> rusqlite::Result<()> {
    let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let applied: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for migration in MIGRATIONS.iter().skip(applied as usize) {
        transaction.execute_batch(migration)?;
    }
    if applied < FORMAT {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.commit()
}

fn open_error(error: rusqlite::Error, path: &Path) -> StoreError {
    match &error {
        rusqlite::Error::SqliteFailure(ffi::Error { code: ErrorCode::NotADatabase, .. }, _) => {
            StoreError::Foreign(path.to_owned())
        }
        rusqlite::Error::SqliteFailure(ffi::Error { code: ErrorCode::CannotOpen, .. }, _) => {
            StoreError::Directory { path: path.to_owned(), reason: error.to_string() }
        }
        _ => store_error(error),
    }
}
