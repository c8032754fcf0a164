//! A task as a row of `tasks`.

use std::sync::Arc;

use partitur_model::record::{
    LogSpan, ScopeRef, StopCause, TaskError, TaskOutcome, TaskRecord, TaskState, UndoState, Usage,
};
use partitur_model::{FencingToken, RunId, TaskSeq, Timestamp};
use rusqlite::{Row, Statement};

use super::columns::{Binder, Columns, needed, unknown};
use super::fault::Unreadable;
use super::payload::{Cell, PayloadReader, PayloadWriter};
use super::reader::TaskHead;
use super::served;
use crate::tables::RunKey;

/// Writes the row, in its place if there is one: a replaced row would move, and the index with it. What it is called in
/// searches is written when it begins.
pub(super) const UPSERT: &str = "INSERT INTO tasks (run, seq, node, container, branch, path, \
     state, token, until, lease, generation, attempt, losses, ready, started, ended, \
     output, error_code, error_retriable, error, items, iteration, child, \
     undo, undo_value, undo_attempt, cached, log_from, log_to, cpu_micros, rss_max, \
     served, input, retry_of, retries, worker, domain, polls, held_back, updated, first_ready, label) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, \
     ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, \
     ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42) \
     ON CONFLICT (run, seq) DO UPDATE SET node = ?3, container = ?4, branch = ?5, path = ?6, \
     state = ?7, token = ?8, until = ?9, lease = ?10, generation = ?11, attempt = ?12, losses = ?13, \
     ready = ?14, started = ?15, ended = ?16, output = ?17, error_code = ?18, error_retriable = ?19, \
     error = ?20, items = ?21, iteration = ?22, child = ?23, undo = ?24, undo_value = ?25, \
     undo_attempt = ?26, cached = ?27, log_from = ?28, log_to = ?29, cpu_micros = ?30, rss_max = ?31, \
     served = ?32, input = ?33, retry_of = ?34, retries = ?35, worker = ?36, domain = ?37, polls = ?38, \
     held_back = ?39, updated = ?40, first_ready = ?41";

/// Writes a row that lies where it is thought to lie, and touches no index but those in which its state stands. What it
/// is and what it is called does not change.
pub(super) const UPDATE: &str = "UPDATE tasks SET state = ?7, token = ?8, until = ?9, lease = ?10, \
     generation = ?11, attempt = ?12, losses = ?13, \
     ready = ?14, started = ?15, ended = ?16, output = ?17, error_code = ?18, error_retriable = ?19, \
     error = ?20, items = ?21, iteration = ?22, child = ?23, undo = ?24, undo_value = ?25, \
     undo_attempt = ?26, cached = ?27, log_from = ?28, log_to = ?29, cpu_micros = ?30, rss_max = ?31, \
     served = ?32, input = ?33, retry_of = ?34, retries = ?35, worker = ?36, domain = ?37, polls = ?38, \
     held_back = ?39, updated = ?40, first_ready = ?41 \
     WHERE rowid = ?42 AND run = ?1 AND seq = ?2 AND node = ?3 AND container IS ?4 AND branch IS ?5 AND path IS ?6";

/// Statements that read rows with the columns of [`read`], in its order.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT seq, node, container, branch, path, \
             state, token, until, lease, generation, attempt, losses, ready, started, ended, \
             output, error_code, error_retriable, error, items, iteration, child, \
             undo, undo_value, undo_attempt, cached, log_from, log_to, cpu_micros, rss_max, \
             served, input, retry_of, retries, worker, domain, polls, held_back, updated, first_ready \
             FROM tasks WHERE run = ?1 ",
            $condition
        )
    };
}

/// All tasks of a run.
pub(super) const SELECT_ALL: &str = select!("ORDER BY seq");

/// Some tasks of a run behind a number.
pub(super) const SELECT_SOME: &str = select!("AND seq > ?2 ORDER BY seq LIMIT ?3");

/// What [`read_head`] reads, of some tasks of a run behind a number.
pub(super) const SELECT_HEADS: &str = "SELECT seq, node, state, token, until, lease, \
     error_code, error_retriable, served FROM tasks WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";

const STOPPING: i64 = 10;
const ENDED: i64 = 20;

/// The code of a task that did what it should.
pub(super) const SUCCEEDED: i64 = ENDED;

/// The texts of a task that may stand apart.
pub(super) struct Cells<'t> {
    output: Cell<'t>,
    items: Cell<'t>,
    error: Cell<'t>,
    input: Cell<'t>,
}

impl<'t> Cells<'t> {
    pub(super) fn of(payloads: &mut PayloadWriter<'_>, task: &'t TaskRecord) -> rusqlite::Result<Cells<'t>> {
        let key = RunKey::from(task.run);
        Ok(Cells {
            output: payloads.payload(key, task.output.as_ref())?,
            items: payloads.payload(key, task.items.as_ref())?,
            error: match &task.error {
                Some(error) => payloads.text(key, error.message.as_str().into())?,
                None => Cell::Absent,
            },
            input: served::input(payloads, task)?,
        })
    }
}

/// Binds everything and executes; says how many rows were written. The last parameter is the label of [`UPSERT`], or the
/// place of [`UPDATE`].
pub(super) fn put(
    statement: &mut Statement<'_>,
    task: &TaskRecord,
    cells: &Cells<'_>,
    last: Option<i64>,
) -> rusqlite::Result<usize> {
    let state = StateColumns::of(task.state);
    let (undo, undo_value, undo_attempt) = undo_columns(task.undo);
    let mut row = Binder::new(statement);
    row.put(RunKey::from(task.run).0)?.put(task.seq.0)?.put(&*task.node)?;
    row.put(task.scope.map(|scope| scope.container.0))?.put(task.scope.map(|scope| scope.index))?;
    row.put((task.path != task.node).then_some(&*task.path))?;
    row.put(state.code)?.put(state.token)?.put_time(state.until)?.put_time(state.lease)?;
    row.put(task.generation)?.put(task.attempt)?.put(task.losses)?;
    row.put_time(Some(task.ready))?.put_since(task.ready, task.started)?;
    row.put_since(task.started.unwrap_or(task.ready), task.ended)?.put(&cells.output)?;
    row.put(task.error.as_ref().map(|error| &error.code))?;
    row.put(task.error.as_ref().map(|error| error.retriable))?.put(&cells.error)?.put(&cells.items)?;
    row.put(task.iteration)?.put(task.child.map(|child| child.bits().to_be_bytes()))?;
    row.put(undo)?.put(undo_value)?.put(undo_attempt)?.put(task.cached)?;
    row.put(task.log.map(|log| log.from as i64))?;
    row.put(task.log.map(|log| log.to.wrapping_sub(log.from) as i64))?;
    row.put_u64(task.usage.cpu_micros)?.put_u64(task.usage.rss_max)?;
    served::put(&mut row, task, &cells.input)?;
    row.put(last)?;
    row.execute()
}

/// Reads a row of [`SELECT_ALL`] or [`SELECT_SOME`].
pub(super) fn read(
    run: RunId,
    row: &Row<'_>,
    payloads: &mut PayloadReader<'_>,
) -> Result<TaskRecord, Unreadable> {
    let mut row = Columns::new(row);
    let seq = TaskSeq(row.next()?);
    read_rest(run, seq, &mut row, payloads).map_err(|unreadable| in_task(seq, unreadable))
}

/// Reads the columns of [`SELECT_HEADS`].
pub(super) fn read_head(row: &Row<'_>) -> Result<TaskHead, Unreadable> {
    let mut row = Columns::new(row);
    let seq = TaskSeq(row.next()?);
    read_rest_of_head(seq, &mut row).map_err(|unreadable| in_task(seq, unreadable))
}

fn in_task(seq: TaskSeq, unreadable: Unreadable) -> Unreadable {
    match unreadable {
        Unreadable::Row(reason) => Unreadable::Row(format!("task {}: {reason}", seq.0)),
        disk @ Unreadable::Disk(_) => disk,
    }
}

fn read_rest_of_head(seq: TaskSeq, row: &mut Columns<'_, '_>) -> Result<TaskHead, Unreadable> {
    let (node, state) = (row.next()?, StateColumns::read(row)?.state()?);
    let (code, retriable) = (row.next::<Option<String>>()?, row.next::<Option<bool>>()?);
    let served::Flags { superseded, skipped_by_hand, .. } = served::read_flags(row.next()?)?;
    Ok(TaskHead { seq, node, state, error: code.zip(retriable), superseded, skipped_by_hand })
}

fn read_rest(
    run: RunId,
    seq: TaskSeq,
    row: &mut Columns<'_, '_>,
    payloads: &mut PayloadReader<'_>,
) -> Result<TaskRecord, Unreadable> {
    let node = payloads.name(row.next_ref()?)?;
    let scope = read_scope(row)?;
    let path = row.next::<Option<Arc<str>>>()?.unwrap_or_else(|| node.clone());
    let state = StateColumns::read(row)?.state()?;
    let (generation, attempt, losses) = (row.next()?, row.next()?, row.next()?);
    let ready = needed(row.next_time()?, "ready")?;
    let started = row.next_since(ready)?;
    let ended = row.next_since(started.unwrap_or(ready))?;
    let mut task = TaskRecord {
        run,
        seq,
        node,
        scope,
        path,
        state,
        generation,
        attempt,
        losses,
        ready,
        started,
        ended,
        output: payloads.payload(row.next_ref()?)?,
        error: read_error(row, payloads)?,
        items: payloads.payload(row.next_ref()?)?,
        iteration: row.next()?,
        child: row.next::<Option<[u8; 16]>>()?.map(|bits| RunId::from_bits(u128::from_be_bytes(bits))),
        undo: read_undo(row)?,
        cached: row.next()?,
        log: read_log(row)?,
        usage: Usage { cpu_micros: row.next_u64()?, rss_max: row.next_u64()? },
        served: None,
    };
    task.served = served::read(row, &task, payloads)?;
    Ok(task)
}

/// The error that begins at the next column; runs have the same three columns.
pub(super) fn read_error(
    row: &mut Columns<'_, '_>,
    payloads: &mut PayloadReader<'_>,
) -> Result<Option<TaskError>, Unreadable> {
    let (code, retriable) = (row.next::<Option<String>>()?, row.next::<Option<bool>>()?);
    let message = payloads.text(row.next_ref()?)?;
    let Some(code) = code else { return Ok(None) };
    let (message, retriable) = (needed(message, "error")?, needed(retriable, "error_retriable")?);
    Ok(Some(TaskError { code, message, retriable }))
}

fn read_scope(row: &mut Columns<'_, '_>) -> Result<Option<ScopeRef>, Unreadable> {
    let (container, branch) = (row.next::<Option<u32>>()?, row.next::<Option<u32>>()?);
    let Some(container) = container else { return Ok(None) };
    Ok(Some(ScopeRef { container: TaskSeq(container), index: needed(branch, "branch")? }))
}

fn read_log(row: &mut Columns<'_, '_>) -> Result<Option<LogSpan>, Unreadable> {
    let (from, length) = (row.next::<Option<i64>>()?, row.next::<Option<i64>>()?);
    let Some(from) = from else { return Ok(None) };
    let (from, length) = (from as u64, needed(length, "log_to")? as u64);
    Ok(Some(LogSpan { from, to: from.wrapping_add(length) }))
}

/// A [`TaskState`] as columns.
#[derive(Default)]
struct StateColumns {
    code: i64,
    token: Option<i64>,
    until: Option<Timestamp>,
    lease: Option<Timestamp>,
}

impl StateColumns {
    fn of(state: TaskState) -> StateColumns {
        let (code, until) = match state {
            TaskState::Blocked => (0, None),
            TaskState::Ready => (1, None),
            TaskState::Running { deadline, .. } => (2, Some(deadline)),
            TaskState::Backoff { until } => (3, Some(until)),
            TaskState::Waiting { until } => (4, Some(until)),
            TaskState::Open => (5, None),
            TaskState::Stopping { cause, .. } => (STOPPING + cause_code(cause), None),
            TaskState::Ended(outcome) => (ENDED + outcome_code(outcome), None),
        };
        let lease = if let TaskState::Running { lease, .. } = state { Some(lease) } else { None };
        StateColumns { code, token: state.token().map(|token| token.0 as i64), until, lease }
    }

    fn read(row: &mut Columns<'_, '_>) -> Result<StateColumns, Unreadable> {
        Ok(StateColumns {
            code: row.next()?,
            token: row.next()?,
            until: row.next_time()?,
            lease: row.next_time()?,
        })
    }

    fn state(&self) -> Result<TaskState, Unreadable> {
        let token = || needed(self.token, "token").map(|bits| FencingToken(bits as u64));
        let until = || needed(self.until, "until");
        Ok(match self.code {
            0 => TaskState::Blocked,
            1 => TaskState::Ready,
            2 => TaskState::Running {
                token: token()?,
                deadline: until()?,
                lease: needed(self.lease, "lease")?,
            },
            3 => TaskState::Backoff { until: until()? },
            4 => TaskState::Waiting { until: until()? },
            5 => TaskState::Open,
            STOPPING..ENDED => TaskState::Stopping { token: token()?, cause: read_cause(self.code)? },
            code => TaskState::Ended(read_outcome(code)?),
        })
    }
}

/// How far the task is, of four columns.
pub(super) fn read_state(row: &mut Columns<'_, '_>) -> Result<TaskState, Unreadable> {
    StateColumns::read(row)?.state()
}

fn cause_code(cause: StopCause) -> i64 {
    match cause {
        StopCause::Cancel => 0,
        StopCause::Timeout => 1,
        StopCause::HeartbeatLost => 2,
        StopCause::Reset => 3,
        StopCause::Unneeded => 4,
    }
}

fn read_cause(code: i64) -> Result<StopCause, Unreadable> {
    Ok(match code - STOPPING {
        0 => StopCause::Cancel,
        1 => StopCause::Timeout,
        2 => StopCause::HeartbeatLost,
        3 => StopCause::Reset,
        4 => StopCause::Unneeded,
        _ => return Err(unknown("state", code)),
    })
}

fn outcome_code(outcome: TaskOutcome) -> i64 {
    match outcome {
        TaskOutcome::Succeeded => 0,
        TaskOutcome::Failed => 1,
        TaskOutcome::TimedOut => 2,
        TaskOutcome::Cancelled => 3,
        TaskOutcome::Skipped => 4,
    }
}

fn read_outcome(code: i64) -> Result<TaskOutcome, Unreadable> {
    Ok(match code - ENDED {
        0 => TaskOutcome::Succeeded,
        1 => TaskOutcome::Failed,
        2 => TaskOutcome::TimedOut,
        3 => TaskOutcome::Cancelled,
        4 => TaskOutcome::Skipped,
        _ => return Err(unknown("state", code)),
    })
}

fn undo_columns(undo: UndoState) -> (i64, Option<i64>, Option<u32>) {
    match undo {
        UndoState::None => (0, None, None),
        UndoState::Running { token, attempt } => (1, Some(token.0 as i64), Some(attempt)),
        UndoState::Backoff { until, attempt } => (2, Some(until.micros() as i64), Some(attempt)),
        UndoState::Done => (3, None, None),
        UndoState::Failed => (4, None, None),
    }
}

fn read_undo(row: &mut Columns<'_, '_>) -> Result<UndoState, Unreadable> {
    let (code, value, attempt) = (row.next::<i64>()?, row.next::<Option<i64>>()?, row.next()?);
    let value = || needed(value, "undo_value").map(|bits| bits as u64);
    let attempt = || needed(attempt, "undo_attempt");
    Ok(match code {
        0 => UndoState::None,
        1 => UndoState::Running { token: FencingToken(value()?), attempt: attempt()? },
        2 => UndoState::Backoff { until: Timestamp::from_micros(value()?), attempt: attempt()? },
        3 => UndoState::Done,
        4 => UndoState::Failed,
        _ => return Err(unknown("undo", code)),
    })
}
