//! What only tasks of a server's runs have, as the last columns of their rows.

use partitur_model::record::{Checking, Served, TaskRecord};
use partitur_model::{TaskSeq, Timestamp};

use super::columns::{Binder, Columns, needed, unknown};
use super::fault::Unreadable;
use super::payload::{Cell, PayloadReader, PayloadWriter};
use crate::tables::RunKey;

const SUPERSEDED: i64 = 1;
const SKIPPED_BY_HAND: i64 = 2;
const CHECKING_INPUT: i64 = 4;
const CHECKING_OUTPUT: i64 = 8;
const ALL: i64 = SUPERSEDED | SKIPPED_BY_HAND | CHECKING_INPUT | CHECKING_OUTPUT;

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
pub(super) fn put(row: &mut Binder<'_, '_>, task: &TaskRecord, input: Cell<'_>) -> rusqlite::Result<()> {
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
    let (superseded, skipped_by_hand) = read_flags(flags)?;
    let checking = read_checking(flags.unwrap_or(0));
    Ok(Some(Box::new(Served {
        superseded,
        skipped_by_hand,
        checking,
        input: payloads.rare_payload(row.next_ref()?)?,
        retry_of: row.next::<Option<u32>>()?.map(TaskSeq),
        retries: row.next()?,
        worker: payloads.optional_name(row.next_ref()?)?,
        domain: payloads.optional_name(row.next_ref()?)?,
        polls: row.next()?,
        held_back: row.next()?,
        updated: needed(row.next_since(last_time(task))?, "updated")?,
        first_ready: needed(row.next_since(task.ready)?, "first_ready")?,
    })))
}

fn flags(served: &Served) -> i64 {
    let flag = |is_set: bool, bit: i64| if is_set { bit } else { 0 };
    flag(served.superseded, SUPERSEDED)
        | flag(served.skipped_by_hand, SKIPPED_BY_HAND)
        | flag(served.checking == Some(Checking::Input), CHECKING_INPUT)
        | flag(served.checking == Some(Checking::Output), CHECKING_OUTPUT)
}

fn read_checking(flags: i64) -> Option<Checking> {
    match flags & (CHECKING_INPUT | CHECKING_OUTPUT) {
        0 => None,
        CHECKING_INPUT => Some(Checking::Input),
        _ => Some(Checking::Output),
    }
}

/// Whether the task is superseded, and whether it was left out by hand.
pub(super) fn read_flags(flags: Option<i64>) -> Result<(bool, bool), Unreadable> {
    let flags = flags.unwrap_or(0);
    if !(0..=ALL).contains(&flags) {
        return Err(unknown("served", flags));
    }
    Ok((flags & SUPERSEDED != 0, flags & SKIPPED_BY_HAND != 0))
}

/// The last of the times that the row has: a change in sight of others is mostly at one of them.
fn last_time(task: &TaskRecord) -> Timestamp {
    task.ended.or(task.started).unwrap_or(task.ready)
}
