//! A run as a row of `runs`.

use std::sync::Arc;

use partitur_model::callback::{Callback, Moment, Moments, Receiver};
use partitur_model::definition::OnFailure;
use partitur_model::record::{
    Idempotency, Parent, RunOptions, RunOutcome, RunRecord, RunState, ServerOptions,
};
use partitur_model::{DefinitionId, Payload, RunId, TaskSeq, Timestamp};
use rusqlite::{Connection, Row, Statement};

use super::columns::{Binder, Columns, needed, run_id, unknown};
use super::fault::Unreadable;
use super::payload::{Cell, PayloadReader, PayloadWriter};
use super::task_row::read_error;
use crate::tables::RunKey;

macro_rules! columns {
    () => {
        "key, random, definition, flow, name, \
         parent, parent_random, parent_task, parent_generation, state, generation, input, variables, output, \
         error_code, error_retriable, error, on_failure, concurrency, targets, dedup_key, labels, \
         created, begun, ended, failure_run, callbacks, \
         priority, correlation, domains, idempotency_key, idempotency, creator, event, version"
    };
}

macro_rules! values {
    () => {
        "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
         ?23, ?24, ?25, ?26, ?35, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34"
    };
}

/// What may change of a run that is there.
macro_rules! changing {
    () => {
        "definition = ?3, flow = ?4, \
         parent_random = ?7, parent_task = ?8, parent_generation = ?9, state = ?10, generation = ?11, \
         input = ?12, variables = ?13, output = ?14, error_code = ?15, error_retriable = ?16, error = ?17, \
         on_failure = ?18, concurrency = ?19, targets = ?20, labels = ?22, begun = ?24, ended = ?25, \
         failure_run = ?26, domains = ?29, idempotency = ?31, callbacks = ?35"
    };
}

/// By what indexes find a run, which does not change but for those in which its state stands.
macro_rules! found_by {
    () => {
        "name = ?5 AND parent IS ?6 AND dedup_key IS ?21 AND priority IS ?27 AND correlation IS ?28 \
         AND idempotency_key IS ?30 AND creator IS ?32 AND event IS ?33"
    };
}

/// Writes the row, in its place if there is one that the indexes find by the same values: then only those are touched in
/// which its state stands. Nearly always it is so.
pub(super) const UPSERT: &str = concat!(
    "INSERT INTO runs (",
    columns!(),
    ") VALUES (",
    values!(),
    ") ON CONFLICT (key) DO UPDATE SET random = ?2, created = ?23, version = ?34, ",
    changing!(),
    " WHERE ",
    found_by!()
);

/// Writes a row that is there, as [`UPSERT`] does, and touches no index in which nothing changes.
pub(super) const UPDATE: &str = concat!(
    "UPDATE runs SET ",
    changing!(),
    " WHERE key = ?1 AND random = ?2 AND created = ?23 AND version IS ?34 AND ",
    found_by!()
);

/// Writes the row whatever was there.
const REPLACE: &str = concat!("INSERT OR REPLACE INTO runs (", columns!(), ") VALUES (", values!(), ")");

/// One run, as [`read`] reads it.
pub(super) const SELECT: &str = concat!("SELECT ", columns!(), " FROM runs WHERE key = ?1");

/// All states of runs that have not ended.
pub(super) const OPEN: [RunState; 14] = [
    RunState::Running,
    RunState::Paused,
    RunState::Ending(RunOutcome::Succeeded),
    RunState::Ending(RunOutcome::Failed),
    RunState::Ending(RunOutcome::Cancelled),
    RunState::Ending(RunOutcome::TimedOut),
    RunState::Ending(RunOutcome::RolledBack),
    RunState::Ending(RunOutcome::RollbackFailed),
    RunState::RollingBack(RunOutcome::Succeeded),
    RunState::RollingBack(RunOutcome::Failed),
    RunState::RollingBack(RunOutcome::Cancelled),
    RunState::RollingBack(RunOutcome::TimedOut),
    RunState::RollingBack(RunOutcome::RolledBack),
    RunState::RollingBack(RunOutcome::RollbackFailed),
];

const ENDING: i64 = 10;
const ROLLING_BACK: i64 = 20;
const ENDED: i64 = 30;

/// Writes the row, whatever was there and by whichever values indexes have found it.
pub(super) fn replace(conn: &Connection, run: &RunRecord, cells: &Cells<'_>) -> rusqlite::Result<()> {
    put(&mut *conn.prepare_cached(REPLACE)?, run, cells).map(drop)
}

/// The texts of a run that may stand apart.
pub(super) struct Cells<'r> {
    input: Cell<'r>,
    variables: Cell<'r>,
    output: Cell<'r>,
    error: Cell<'r>,
}

impl<'r> Cells<'r> {
    pub(super) fn of(payloads: &mut PayloadWriter<'_>, run: &'r RunRecord) -> rusqlite::Result<Cells<'r>> {
        let key = RunKey::from(run.id);
        Ok(Cells {
            input: payloads.payload(key, Some(&run.input))?,
            variables: payloads.rare_payload(key, &run.variables)?,
            output: payloads.payload(key, run.output.as_ref())?,
            error: match &run.error {
                Some(error) => payloads.text(key, error.message.as_str().into())?,
                None => Cell::Absent,
            },
        })
    }
}

/// Binds everything and executes; says how many rows were written.
pub(super) fn put(
    statement: &mut Statement<'_>,
    run: &RunRecord,
    cells: &Cells<'_>,
) -> rusqlite::Result<usize> {
    let options = &run.options;
    let mut row = Binder::new(statement);
    row.put(RunKey::from(run.id).0)?.put_u64(run.id.random())?.put(run.definition.0.to_be_bytes())?;
    row.put(&run.flow)?.put(&run.name)?;
    row.put(run.parent.map(|parent| RunKey::from(parent.run).0))?;
    row.put(run.parent.map(|parent| parent.run.random() as i64))?;
    row.put(run.parent.map(|parent| parent.task.0))?.put(run.parent.map(|parent| parent.generation))?;
    row.put(state_code(run.state))?.put(run.generation)?;
    row.put(&cells.input)?.put(&cells.variables)?.put(&cells.output)?;
    row.put(run.error.as_ref().map(|error| &error.code))?;
    row.put(run.error.as_ref().map(|error| error.retriable))?.put(&cells.error)?;
    row.put(options.on_failure.map(on_failure_code))?.put(options.concurrency)?;
    row.put(texts(options.targets.iter()))?.put(&options.dedup_key)?.put(pairs(&options.labels))?;
    row.put_time(Some(run.created))?
        .put_since(run.created, Some(run.begun))?
        .put_since(run.begun, run.ended)?;
    row.put(run.failure_run.map(|id| id.bits().to_be_bytes()))?;
    put_server(&mut row, options.server.as_deref())?;
    row.put(callbacks(&options.callbacks))?;
    row.execute()
}

fn put_server(row: &mut Binder<'_, '_>, server: Option<&ServerOptions>) -> rusqlite::Result<()> {
    let idempotency = server.and_then(|server| server.idempotency.as_ref());
    row.put(server.map(|server| server.priority))?;
    row.put(server.and_then(|server| server.correlation.as_ref()))?;
    row.put(server.and_then(|server| pairs(&server.domains)))?;
    row.put(idempotency.map(|(key, _)| key))?.put(idempotency.map(|&(_, mode)| idempotency_code(mode)))?;
    row.put(server.map(|server| &server.creator))?.put(server.and_then(|server| server.event.as_ref()))?;
    row.put(server.map(|server| server.version))?;
    Ok(())
}

/// Reads a row of [`SELECT`].
pub(super) fn read(row: &Row<'_>, payloads: &mut PayloadReader<'_>) -> Result<RunRecord, Unreadable> {
    let mut row = Columns::new(row);
    let mut run = RunRecord {
        id: run_id(RunKey(row.next()?), row.next()?),
        definition: DefinitionId(u128::from_be_bytes(row.next()?)),
        flow: row.next()?,
        name: row.next()?,
        parent: read_parent(&mut row)?,
        state: read_state(row.next()?)?,
        generation: row.next()?,
        input: needed(payloads.payload(row.next_ref()?)?, "input")?,
        variables: payloads.rare_payload(row.next_ref()?)?,
        output: payloads.payload(row.next_ref()?)?,
        error: read_error(&mut row, payloads)?,
        options: RunOptions {
            on_failure: row.next::<Option<i64>>()?.map(read_on_failure).transpose()?,
            concurrency: row.next()?,
            targets: read_texts(row.next()?)?,
            dedup_key: row.next()?,
            labels: read_pairs(row.next()?)?,
            callbacks: Vec::new(),
            server: None,
        },
        created: needed(row.next_time()?, "created")?,
        begun: Timestamp::ZERO,
        ended: None,
        failure_run: None,
    };
    run.begun = needed(row.next_since(run.created)?, "begun")?;
    run.ended = row.next_since(run.begun)?;
    let failure_run = row.next::<Option<[u8; 16]>>()?;
    run.failure_run = failure_run.map(|bits| RunId::from_bits(u128::from_be_bytes(bits)));
    run.options.callbacks = read_callbacks(row.next()?)?;
    run.options.server = read_server(&mut row)?;
    Ok(run)
}

fn read_server(row: &mut Columns<'_, '_>) -> Result<Option<Arc<ServerOptions>>, Unreadable> {
    let Some(priority) = row.next()? else { return Ok(None) };
    Ok(Some(Arc::new(ServerOptions {
        priority,
        correlation: row.next()?,
        domains: read_pairs(row.next()?)?,
        idempotency: read_idempotency(row)?,
        creator: needed(row.next()?, "creator")?,
        event: row.next()?,
        version: needed(row.next()?, "version")?,
    })))
}

fn read_idempotency(row: &mut Columns<'_, '_>) -> Result<Option<(String, Idempotency)>, Unreadable> {
    let (key, mode) = (row.next::<Option<String>>()?, row.next::<Option<i64>>()?);
    let Some(key) = key else { return Ok(None) };
    Ok(Some((
        key,
        match needed(mode, "idempotency")? {
            0 => Idempotency::Fail,
            1 => Idempotency::ReturnExisting,
            2 => Idempotency::FailOnRunning,
            code => return Err(unknown("idempotency", code)),
        },
    )))
}

fn idempotency_code(mode: Idempotency) -> i64 {
    match mode {
        Idempotency::Fail => 0,
        Idempotency::ReturnExisting => 1,
        Idempotency::FailOnRunning => 2,
    }
}

fn read_parent(row: &mut Columns<'_, '_>) -> Result<Option<Parent>, Unreadable> {
    let (key, random) = (row.next::<Option<i64>>()?, row.next::<Option<i64>>()?);
    let (task, generation) = (row.next::<Option<u32>>()?, row.next::<Option<u32>>()?);
    let Some(key) = key else { return Ok(None) };
    Ok(Some(Parent {
        run: run_id(RunKey(key), needed(random, "parent_random")?),
        task: TaskSeq(needed(task, "parent_task")?),
        generation: needed(generation, "parent_generation")?,
    }))
}

/// The codes of the states, as the indexes and filters know them.
pub(super) fn state_code(state: RunState) -> i64 {
    match state {
        RunState::Running => 0,
        RunState::Paused => 1,
        RunState::Ending(outcome) => ENDING + outcome_code(outcome),
        RunState::RollingBack(outcome) => ROLLING_BACK + outcome_code(outcome),
        RunState::Ended(outcome) => ENDED + outcome_code(outcome),
    }
}

pub(super) fn read_state(code: i64) -> Result<RunState, Unreadable> {
    Ok(match code {
        0 => RunState::Running,
        1 => RunState::Paused,
        ENDING..ROLLING_BACK => RunState::Ending(read_outcome(code, ENDING)?),
        ROLLING_BACK..ENDED => RunState::RollingBack(read_outcome(code, ROLLING_BACK)?),
        _ => RunState::Ended(read_outcome(code, ENDED)?),
    })
}

fn outcome_code(outcome: RunOutcome) -> i64 {
    match outcome {
        RunOutcome::Succeeded => 0,
        RunOutcome::Failed => 1,
        RunOutcome::Cancelled => 2,
        RunOutcome::TimedOut => 3,
        RunOutcome::RolledBack => 4,
        RunOutcome::RollbackFailed => 5,
    }
}

fn read_outcome(code: i64, base: i64) -> Result<RunOutcome, Unreadable> {
    Ok(match code - base {
        0 => RunOutcome::Succeeded,
        1 => RunOutcome::Failed,
        2 => RunOutcome::Cancelled,
        3 => RunOutcome::TimedOut,
        4 => RunOutcome::RolledBack,
        5 => RunOutcome::RollbackFailed,
        _ => return Err(unknown("state", code)),
    })
}

fn on_failure_code(on_failure: OnFailure) -> i64 {
    match on_failure {
        OnFailure::Continue => 0,
        OnFailure::FailFast => 1,
        OnFailure::Rollback => 2,
    }
}

fn read_on_failure(code: i64) -> Result<OnFailure, Unreadable> {
    Ok(match code {
        0 => OnFailure::Continue,
        1 => OnFailure::FailFast,
        2 => OnFailure::Rollback,
        _ => return Err(unknown("on_failure", code)),
    })
}

/// Texts as a JSON list; absent if there are none.
fn texts<'a>(texts: impl Iterator<Item = &'a String>) -> Option<String> {
    let parts: Vec<Payload> = texts.map(|text| Payload::string(text)).collect();
    (!parts.is_empty()).then(|| Payload::list(parts).render())
}

fn read_texts(list: Option<String>) -> Result<Vec<String>, Unreadable> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let parsed =
        Payload::parse(&list).map_err(|error| Unreadable::Row(format!("a list is no JSON: {error}")))?;
    let parts = parsed.elements().unwrap_or_default();
    let text = |part: Payload| part.to_value().as_str().map(str::to_owned);
    parts.into_iter().map(|part| needed(text(part), "a text in a list")).collect()
}

/// Names and values in turn.
fn pairs(pairs: &[(String, String)]) -> Option<String> {
    texts(pairs.iter().flat_map(|(name, value)| [name, value]))
}

fn read_pairs(list: Option<String>) -> Result<Vec<(String, String)>, Unreadable> {
    let mut texts = read_texts(list)?.into_iter();
    let mut pairs = Vec::new();
    while let Some(name) = texts.next() {
        pairs.push((name, needed(texts.next(), "the second of a pair")?));
    }
    Ok(pairs)
}

/// Of each callback the receiver, the moments, the secret and whether the output is told, in turn.
fn callbacks(callbacks: &[Callback]) -> Option<String> {
    let of_one = |callback: &Callback| {
        let words = |moments: Moments| moments.iter().map(Moment::word).collect::<Vec<&str>>().join(" ");
        // Nothing is left to the receiver, which is not the same as no moment at all.
        let moments = callback.moments.map_or_else(|| "-".to_owned(), words);
        let output = if callback.output { "output" } else { "" };
        [callback.to.to_string(), moments, callback.secret.clone().unwrap_or_default(), output.to_owned()]
    };
    let parts: Vec<String> = callbacks.iter().flat_map(of_one).collect();
    texts(parts.iter())
}

fn read_callbacks(list: Option<String>) -> Result<Vec<Callback>, Unreadable> {
    let bad = |what: String| Unreadable::Row(format!("a callback: {what}"));
    let mut callbacks = Vec::new();
    for parts in read_texts(list)?.chunks(4) {
        let [to, moments, secret, output] = parts else { return Err(bad("a part is missing".to_owned())) };
        callbacks.push(Callback {
            to: Receiver::read(to).map_err(|problem| bad(problem.to_owned()))?,
            moments: match moments.as_str() {
                "-" => None,
                words => Some(Moments::read(words.split_whitespace()).map_err(bad)?),
            },
            secret: Some(secret.clone()).filter(|secret| !secret.is_empty()),
            output: output == "output",
        });
    }
    Ok(callbacks)
}
