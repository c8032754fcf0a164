//! What only tasks of a server's runs have, as the last columns of their rows.

use partitur_model::record::{Called, Checking, Served, TaskRecord};
use partitur_model::{TaskSeq, Timestamp};

use super::columns::{Binder, Columns, needed, unknown};
use super::fault::Unreadable;
use super::payload::{Cell, PayloadReader, PayloadWriter};
use crate::tables::RunKey;

const SUPERSEDED: i64 = 1;
const SKIPPED_BY_HAND: i64 = 2;
const CHECKING_INPUT: i64 = 4;
const CHECKING_OUTPUT: i64 = 8;
const BY_HAND: i64 = 16;
/// Above the flags stands a number.
const FLAG_BITS: u32 = 5;

/// The cell for the input.
pub(super) fn input<'t>(
    payloads: &mut PayloadWriter<'_>,
    task: &'t TaskRecord,
) -> rusqlite::Result<Cell<'t>> {
    match &task.served {
        Some(served) => payloads.rare_payload(RunKey::from(task.run), &served.input),
        None => Ok(Cell::Absent),
    }
}

/// Binds all columns.
pub(super) fn put(row: &mut Binder<'_, '_>, task: &TaskRecord, input: &Cell<'_>) -> rusqlite::Result<()> {
    let served = task.served.as_deref();
    row.put(served.map(flags))?.put(input)?;
    row.put(served.and_then(|served| served.retry_of).map(|seq| seq.0))?;
    row.put(served.map(|served| served.retries))?;
    row.put(served.and_then(|served| served.worker.as_deref()))?;
    row.put(served.and_then(|served| served.domain.as_deref()))?;
    row.put(served.map(|served| served.polls))?.put(served.map(|served| served.held_back))?;
    row.put_since(last_time(task), served.map(|served| served.updated))?;
    row.put_since(task.ready, served.map(|served| served.first_ready))?;
    Ok(())
}

/// Reads what [`put`] has written of the task, of which the rest has been read.
pub(super) fn read(
    row: &mut Columns<'_, '_>,
    task: &TaskRecord,
    payloads: &mut PayloadReader<'_>,
) -> Result<Option<Box<Served>>, Unreadable> {
    let flags = row.next::<Option<i64>>()?;
    if flags.is_none() {
        return Ok(None);
    }
    let Flags { superseded, skipped_by_hand, checking, by_hand, uncounted } = read_flags(flags)?;
    Ok(Some(Box::new(Served {
        superseded,
        skipped_by_hand,
        checking,
        by_hand,
        uncounted,
        input: payloads.rare_payload(row.next_ref()?)?,
        retry_of: row.next::<Option<u32>>()?.map(TaskSeq),
        retries: row.next()?,
        worker: payloads.optional_name(row.next_ref()?)?,
        domain: payloads.optional_name(row.next_ref()?)?,
        polls: row.next()?,
        held_back: row.next()?,
        updated: needed(row.next_since(last_time(task))?, "updated")?,
        first_ready: needed(row.next_since(task.ready)?, "first_ready")?,
        called: Called::default(),
    })))
}

/// What is one column.
#[derive(Default)]
pub(super) struct Flags {
    /// A later attempt has a row of its own.
    pub superseded: bool,
    /// It was left out by hand.
    pub skipped_by_hand: bool,
    checking: Option<Checking>,
    by_hand: bool,
    uncounted: u32,
}

fn flags(served: &Served) -> i64 {
    let flag = |is_set: bool, bit: i64| if is_set { bit } else { 0 };
    flag(served.superseded, SUPERSEDED)
        | flag(served.skipped_by_hand, SKIPPED_BY_HAND)
        | flag(served.checking == Some(Checking::Input), CHECKING_INPUT)
        | flag(served.checking == Some(Checking::Output), CHECKING_OUTPUT)
        | flag(served.by_hand, BY_HAND)
        | (i64::from(served.uncounted) << FLAG_BITS)
}

/// It is one of the two that is checked, never both.
fn read_checking(flags: i64) -> Result<Option<Checking>, Unreadable> {
    match (flags & CHECKING_INPUT != 0, flags & CHECKING_OUTPUT != 0) {
        (false, false) => Ok(None),
        (true, false) => Ok(Some(Checking::Input)),
        (false, true) => Ok(Some(Checking::Output)),
        (true, true) => Err(unknown("served", flags)),
    }
}

pub(super) fn read_flags(flags: Option<i64>) -> Result<Flags, Unreadable> {
    let Some(flags) = flags else { return Ok(Flags::default()) };
    let uncounted = u32::try_from(flags >> FLAG_BITS).map_err(|_| unknown("served", flags))?;
    let is_set = |bit: i64| flags & bit != 0;
    Ok(Flags {
        superseded: is_set(SUPERSEDED),
        skipped_by_hand: is_set(SKIPPED_BY_HAND),
        checking: read_checking(flags)?,
        by_hand: is_set(BY_HAND),
        uncounted,
    })
}

/// The last of the times that the row has: a change in sight of others is mostly at one of them.
fn last_time(task: &TaskRecord) -> Timestamp {
    task.ended.or(task.started).unwrap_or(task.ready)
}
