//! Binding and reading columns in order.

use partitur_model::{RunId, Timestamp};
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Row, Statement, ToSql};

use super::fault::Unreadable;
use crate::tables::RunKey;

/// Binds parameters one after the other.
pub(super) struct Binder<'s, 'c> {
    statement: &'s mut Statement<'c>,
    at: usize,
}

impl<'s, 'c> Binder<'s, 'c> {
    pub(super) fn new(statement: &'s mut Statement<'c>) -> Binder<'s, 'c> {
        Binder { statement, at: 0 }
    }

    /// Binds the next parameter.
    pub(super) fn put(&mut self, value: impl ToSql) -> rusqlite::Result<&mut Self> {
        self.at += 1;
        self.statement.raw_bind_parameter(self.at, value)?;
        Ok(self)
    }

    /// With the same bits: SQLite knows only signed numbers.
    pub(super) fn put_u64(&mut self, value: u64) -> rusqlite::Result<&mut Self> {
        self.put(value as i64)
    }

    pub(super) fn put_time(&mut self, time: Option<Timestamp>) -> rusqlite::Result<&mut Self> {
        self.put(time.map(|time| time.micros() as i64))
    }

    /// As the difference from a time that is there as well.
    pub(super) fn put_since(
        &mut self,
        base: Timestamp,
        time: Option<Timestamp>,
    ) -> rusqlite::Result<&mut Self> {
        self.put(time.map(|time| time.micros().wrapping_sub(base.micros()) as i64))
    }

    /// Executes the statement.
    pub(super) fn execute(&mut self) -> rusqlite::Result<usize> {
        self.statement.raw_execute()
    }
}

/// Reads columns one after the other.
pub(super) struct Columns<'r, 's> {
    row: &'r Row<'s>,
    at: usize,
}

impl<'r, 's> Columns<'r, 's> {
    pub(super) fn new(row: &'r Row<'s>) -> Columns<'r, 's> {
        Columns::behind(row, 0)
    }

    /// Without the first ones.
    pub(super) fn behind(row: &'r Row<'s>, at: usize) -> Columns<'r, 's> {
        Columns { row, at }
    }

    pub(super) fn next<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.at += 1;
        self.row.get(self.at - 1)
    }

    pub(super) fn next_ref(&mut self) -> rusqlite::Result<ValueRef<'r>> {
        self.at += 1;
        self.row.get_ref(self.at - 1)
    }

    pub(super) fn next_u64(&mut self) -> rusqlite::Result<u64> {
        self.next::<i64>().map(|bits| bits as u64)
    }

    pub(super) fn next_time(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        Ok(self.next::<Option<i64>>()?.map(|bits| Timestamp::from_micros(bits as u64)))
    }

    /// See [`Binder::put_since`].
    pub(super) fn next_since(&mut self, base: Timestamp) -> rusqlite::Result<Option<Timestamp>> {
        let difference = self.next::<Option<i64>>()?;
        Ok(difference.map(|micros| Timestamp::from_micros(base.micros().wrapping_add(micros as u64))))
    }
}

/// The id whose row has this key, with its random bits.
pub(super) fn run_id(key: RunKey, random: i64) -> RunId {
    RunId::new((key.0 >> 48) as u16, key.0 as u64 & RunId::NUMBER_MAX, random as u64)
}

/// The value that the others in the row need.
pub(super) fn needed<T>(value: Option<T>, name: &str) -> Result<T, Unreadable> {
    value.ok_or_else(|| Unreadable::Row(format!("`{name}` is needed and absent")))
}

/// A code that no version has written.
pub(super) fn unknown(what: &str, code: i64) -> Unreadable {
    Unreadable::Row(format!("{what} {code} is unknown"))
}
