//! Reads rows back, for recovery and for the readers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use partitur_model::record::{
    BreakerRecord, BreakerState, DefinitionRecord, NodeRecord, RunRecord, SourceFile, SourceFormat,
    TaskRecord,
};
use partitur_model::{DefinitionId, RunId, TaskSeq, Timestamp};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use super::columns::{run_id, unknown};
use super::fault::{Unreadable, store_error};
use super::payload::{PayloadReader, unpack};
use super::{run_row, task_row};
use crate::tables::RunKey;
use crate::{Quarantined, Recovered, StoreError, StoredRun, Submitted};

/// See [`Store::recover`](crate::Store::recover).
pub(super) fn recover(conn: &Connection) -> Result<Recovered, StoreError> {
    // One read, whose locks are taken once: nobody else has begun yet.
    let read = conn.unchecked_transaction().map_err(store_error)?;
    let mut recovered = Recovered { node: node(conn)?, ..Recovered::default() };
    breakers(conn, &mut recovered)?;
    runs(conn, &mut recovered)?;
    recovered.submitted = submitted(conn).map_err(store_error)?;
    read.finish().map_err(store_error)?;
    Ok(recovered)
}

/// Every run that has not ended, and their definitions.
fn runs(conn: &Connection, recovered: &mut Recovered) -> Result<(), StoreError> {
    let keys = open_runs(conn).map_err(store_error)?;
    let mut loader = Loader::new(conn)?;
    let mut definitions = BTreeSet::new();
    recovered.runs.reserve_exact(keys.len());
    for key in keys {
        match loader.run(key).and_then(|stored| with_definition(conn, stored, &mut definitions)) {
            Ok(Some(stored)) => recovered.runs.push(stored),
            Ok(None) => {}
            Err(unreadable) => recovered.quarantined.push(quarantined(key, unreadable)?),
        }
    }
    for id in definitions {
        recovered.definitions.extend(definition(conn, id)?);
    }
    Ok(())
}

/// The newest run under each key of deduplication. Numbers rise: it is the one with the highest.
fn submitted(conn: &Connection) -> rusqlite::Result<Vec<Submitted>> {
    let mut newest: BTreeMap<String, Submitted> = BTreeMap::new();
    let mut select = conn.prepare_cached(
        "SELECT dedup_key, created, key, random FROM runs WHERE dedup_key IS NOT NULL ORDER BY dedup_key, key",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (key, created, run, random): (String, i64, i64, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let run = run_id(RunKey(run), random);
        let created = Timestamp::from_micros(created as u64);
        newest.insert(key.clone(), Submitted { key, run, created });
    }
    Ok(newest.into_values().collect())
}

/// The newest run of this name that was started under this key, and whether it has ended.
pub(super) fn run_under_key(
    conn: &Connection,
    name: &str,
    key: &str,
) -> Result<Option<(RunId, bool)>, StoreError> {
    let select = || {
        let mut select = conn.prepare_cached(
            "SELECT key, random, state BETWEEN 30 AND 35 FROM runs INDEXED BY runs_idempotency
             WHERE idempotency_key = ?1 AND name = ?2 ORDER BY key DESC LIMIT 1",
        )?;
        let found = |row: &Row<'_>| Ok((run_id(RunKey(row.get(0)?), row.get(1)?), row.get(2)?));
        select.query_row([key, name], found).optional()
    };
    select().map_err(store_error)
}

/// A run can only go on with its definition; what cannot be read of it, the run cannot do without.
fn with_definition(
    conn: &Connection,
    stored: Option<StoredRun>,
    known: &mut BTreeSet<DefinitionId>,
) -> Result<Option<StoredRun>, Unreadable> {
    if let Some(stored) = &stored
        && !known.contains(&stored.run.definition)
    {
        let missing = || Unreadable::Row(Quarantined::without_definition(&stored.run).reason);
        definition(conn, stored.run.definition)?.ok_or_else(missing)?;
        known.insert(stored.run.definition);
    }
    Ok(stored)
}

/// The report about a run that cannot be read; the disk's own faults stay errors.
pub(super) fn quarantined(key: RunKey, unreadable: Unreadable) -> Result<Quarantined, StoreError> {
    match unreadable {
        Unreadable::Row(reason) => Ok(Quarantined { run: Some(key.0 as u64 & RunId::NUMBER_MAX), reason }),
        Unreadable::Disk(error) => Err(store_error(error)),
    }
}

/// Also runs in states that no version knows: they are read, and found to be damaged.
fn open_runs(conn: &Connection) -> rusqlite::Result<Vec<RunKey>> {
    conn.prepare_cached("SELECT key FROM runs WHERE state NOT BETWEEN 30 AND 35 ORDER BY key")?
        .query_map([], |row| row.get(0).map(RunKey))?
        .collect()
}

/// What the node remembers.
pub(super) fn node(conn: &Connection) -> Result<NodeRecord, StoreError> {
    let mut select = conn.prepare_cached("SELECT epoch, last_run, time FROM node").map_err(store_error)?;
    let node = select.query_row([], |row| {
        Ok(NodeRecord {
            epoch: row.get(0)?,
            last_run: row.get::<_, i64>(1)? as u64,
            time: Timestamp::from_micros(row.get::<_, i64>(2)? as u64),
        })
    });
    Ok(node.optional().map_err(Unreadable::from)?.unwrap_or_default())
}

fn breakers(conn: &Connection, recovered: &mut Recovered) -> Result<(), StoreError> {
    let mut select =
        conn.prepare_cached("SELECT name, state, value FROM breakers ORDER BY name").map_err(store_error)?;
    let mut rows = select.query([]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        match breaker(row) {
            Ok(breaker) => recovered.breakers.push(breaker),
            Err(Unreadable::Row(reason)) => recovered.quarantined.push(Quarantined { run: None, reason }),
            Err(Unreadable::Disk(error)) => return Err(store_error(error)),
        }
    }
    Ok(())
}

fn breaker(row: &Row<'_>) -> Result<BreakerRecord, Unreadable> {
    let name: String = row.get(0)?;
    let value: i64 = row.get(2)?;
    let count = || u32::try_from(value).map_err(|_| unknown("a breaker's count", value));
    let state = match row.get(1)? {
        0 => BreakerState::Closed { failures: count()? },
        1 => BreakerState::Open { until: Timestamp::from_micros(value as u64) },
        2 => BreakerState::HalfOpen { successes: count()? },
        code => return Err(unknown(&format!("breaker {name}: state"), code)),
    };
    Ok(BreakerRecord { name, state })
}

/// A run with all of its tasks.
pub(super) fn stored_run(conn: &Connection, key: RunKey) -> Result<Option<StoredRun>, Unreadable> {
    Loader::new(conn)?.run(key)
}

/// Loads runs with all of their tasks, one after the other. At 100,000 runs it matters that statements are prepared
/// once, that lists have no room to spare, and that names are shared.
struct Loader<'c> {
    run: CachedStatement<'c>,
    tasks: CachedStatement<'c>,
    payloads: PayloadReader<'c>,
    /// The tasks of the run at hand.
    buffer: Vec<TaskRecord>,
}

impl<'c> Loader<'c> {
    fn new(conn: &'c Connection) -> Result<Loader<'c>, Unreadable> {
        Ok(Loader {
            run: conn.prepare_cached(run_row::SELECT)?,
            tasks: conn.prepare_cached(task_row::SELECT_ALL)?,
            payloads: PayloadReader::new(conn, RunKey(0))?,
            buffer: Vec::new(),
        })
    }

    fn run(&mut self, key: RunKey) -> Result<Option<StoredRun>, Unreadable> {
        self.payloads.go_to(key);
        self.buffer.clear();
        let mut rows = self.run.query([key.0])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let run = run_row::read(row, &mut self.payloads)?;
        let mut rows = self.tasks.query([key.0])?;
        while let Some(row) = rows.next()? {
            self.buffer.push(task_row::read(run.id, row, &mut self.payloads)?);
        }
        Ok(Some(StoredRun { run, tasks: self.buffer.drain(..).collect() }))
    }
}

/// A run without its tasks.
pub(super) fn run(conn: &Connection, key: RunKey) -> Result<Option<RunRecord>, Unreadable> {
    let mut select = conn.prepare_cached(run_row::SELECT)?;
    let mut rows = select.query([key.0])?;
    let mut payloads = PayloadReader::new(conn, key)?;
    rows.next()?.map(|row| run_row::read(row, &mut payloads)).transpose()
}

/// Up to `limit` tasks of a run, by number, behind `after`; fewer, but at least one, if time is `up`.
pub(super) fn tasks(
    conn: &Connection,
    run: RunId,
    after: Option<TaskSeq>,
    limit: u32,
    up: Option<Instant>,
) -> Result<Vec<TaskRecord>, Unreadable> {
    let key = RunKey::from(run);
    let mut select = conn.prepare_cached(task_row::SELECT_SOME)?;
    let mut rows = select.query(params![key.0, after.map_or(-1, |seq| i64::from(seq.0)), limit])?;
    let mut payloads = PayloadReader::new(conn, key)?;
    let mut tasks = Vec::new();
    while let Some(row) = rows.next()? {
        tasks.push(task_row::read(run, row, &mut payloads)?);
        if up.is_some_and(|up| Instant::now() >= up) {
            break;
        }
    }
    Ok(tasks)
}

/// A definition with its files.
pub(super) fn definition(
    conn: &Connection,
    id: DefinitionId,
) -> Result<Option<DefinitionRecord>, Unreadable> {
    let key = id.0.to_be_bytes();
    let mut select = conn.prepare_cached("SELECT name, format FROM definitions WHERE id = ?1")?;
    let head: Option<(String, i64)> =
        select.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((name, format)) = head else { return Ok(None) };
    let mut select = conn.prepare_cached(
        "SELECT path, unpacked, body FROM definition_files WHERE definition = ?1 ORDER BY position",
    )?;
    let mut rows = select.query([key])?;
    let mut files = Vec::new();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(2)?.as_blob().map_err(|error| Unreadable::Row(error.to_string()))?;
        files.push(SourceFile { path: row.get(0)?, text: unpack(row.get(1)?, body)?.into() });
    }
    Ok(Some(DefinitionRecord { id, name, format: read_format(format)?, files }))
}

fn read_format(code: i64) -> Result<SourceFormat, Unreadable> {
    Ok(match code {
        0 => SourceFormat::Yaml,
        1 => SourceFormat::Json,
        2 => SourceFormat::NodesEdges,
        3 => SourceFormat::Conductor,
        _ => return Err(unknown("format", code)),
    })
}
