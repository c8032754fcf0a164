//! Payloads: short ones stand in their row, longer ones in `payloads`, once for each content within a run.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use partitur_model::{Payload, RawJson};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql, params};
use serde_json::value::RawValue;
use zstd::bulk::{Compressor, Decompressor};

use super::fault::Unreadable;
use crate::tables::RunKey;

/// Longer texts stand apart, compressed. Measured with outputs of 800 bytes over 256 runs: in the row they cost the
/// writer 9 us a step, apart 15.
const INLINE_MAX: usize = 1024;

/// Of longer texts it is worth asking whether they are there before they are compressed: a row that changes again and
/// again, as that of a loop over a long list, names the same one each time.
const ASKED_FROM: usize = 16 << 10;

/// No payload unpacks to more: a damaged length must not eat the memory.
const UNPACKED_MAX: i64 = 1 << 30;

/// The key of a payload within its run: half of its BLAKE3 hash, which also proves on reading that it is whole.
type PayloadId = [u8; 16];

const INSERT: &str = "INSERT OR IGNORE INTO payloads (run, id, unpacked, body) VALUES (?1, ?2, ?3, ?4)";
const THERE: &str = "SELECT 1 FROM payloads WHERE run = ?1 AND id = ?2";
const SELECT: &str = "SELECT unpacked, body FROM payloads WHERE run = ?1 AND id = ?2";

/// A text as it stands in a row.
pub(super) enum Cell<'t> {
    /// There is none.
    Absent,
    /// Here.
    Inline(Cow<'t, str>),
    /// In `payloads`.
    Apart(PayloadId),
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Absent => ValueRef::Null,
            Cell::Inline(text) => ValueRef::Text(text.as_bytes()),
            Cell::Apart(id) => ValueRef::Blob(id),
        }))
    }
}

/// Compresses, with buffers that live as long as the writer.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    buffer: Vec<u8>,
}

impl Packer {
    pub(super) fn new() -> std::io::Result<Packer> {
        Ok(Packer { compressor: Compressor::new(1)?, buffer: Vec::new() })
    }

    /// The bytes to store for `text`, and its length if they are compressed.
    pub(super) fn pack<'a>(&'a mut self, text: &'a str) -> (Option<i64>, &'a [u8]) {
        if text.len() <= INLINE_MAX {
            return (None, text.as_bytes());
        }
        self.buffer.clear();
        self.buffer.reserve(zstd::zstd_safe::compress_bound(text.len()));
        match self.compressor.compress_to_buffer(text.as_bytes(), &mut self.buffer) {
            Ok(length) if length < text.len() => (Some(text.len() as i64), &self.buffer),
            Ok(_) | Err(_) => (None, text.as_bytes()),
        }
    }
}

/// Writes the payloads of one transaction.
pub(super) struct PayloadWriter<'c> {
    pub(super) packer: &'c mut Packer,
    insert: CachedStatement<'c>,
    there: CachedStatement<'c>,
    /// Rows written, by run: how much a sweep may find.
    pub(super) written: HashMap<RunKey, u32>,
}

impl<'c> PayloadWriter<'c> {
    pub(super) fn new(conn: &'c Connection, packer: &'c mut Packer) -> rusqlite::Result<PayloadWriter<'c>> {
        let (insert, there) = (conn.prepare_cached(INSERT)?, conn.prepare_cached(THERE)?);
        Ok(PayloadWriter { packer, insert, there, written: HashMap::new() })
    }

    /// See [`Packer::pack`].
    pub(super) fn pack<'a>(&'a mut self, text: &'a str) -> (Option<i64>, &'a [u8]) {
        self.packer.pack(text)
    }

    /// The cell for a payload.
    pub(super) fn payload<'t>(
        &mut self,
        run: RunKey,
        payload: Option<&'t Payload>,
    ) -> rusqlite::Result<Cell<'t>> {
        match payload {
            None => Ok(Cell::Absent),
            Some(Payload::Raw(raw)) => self.text(run, raw.as_str().into()),
            Some(rope) => self.text(run, rope.render().into()),
        }
    }

    /// The cell for a payload that is nearly always `null`, and then absent.
    pub(super) fn rare_payload<'t>(
        &mut self,
        run: RunKey,
        payload: &'t Payload,
    ) -> rusqlite::Result<Cell<'t>> {
        self.payload(run, Some(payload).filter(|payload| !payload.is_null()))
    }

    /// The cell for a text.
    pub(super) fn text<'t>(&mut self, run: RunKey, text: Cow<'t, str>) -> rusqlite::Result<Cell<'t>> {
        if text.len() <= INLINE_MAX {
            return Ok(Cell::Inline(text));
        }
        let id = payload_id(text.as_bytes());
        if text.len() >= ASKED_FROM && self.there.exists(params![run.0, id])? {
            return Ok(Cell::Apart(id));
        }
        let (unpacked, body) = self.packer.pack(&text);
        if self.insert.execute(params![run.0, id, unpacked, body])? > 0 {
            *self.written.entry(run).or_default() += 1;
        }
        Ok(Cell::Apart(id))
    }
}

fn payload_id(bytes: &[u8]) -> PayloadId {
    let hash = blake3::hash(bytes);
    *hash.as_bytes().first_chunk().expect("a hash has 32 bytes")
}

/// Reads the payloads of one run at a time; equal ones are read once and shared. Names are shared by all runs.
pub(super) struct PayloadReader<'c> {
    run: RunKey,
    select: CachedStatement<'c>,
    seen: HashMap<PayloadId, RawJson>,
    names: HashSet<Arc<str>>,
}

impl<'c> PayloadReader<'c> {
    pub(super) fn new(conn: &'c Connection, run: RunKey) -> rusqlite::Result<PayloadReader<'c>> {
        let select = conn.prepare_cached(SELECT)?;
        Ok(PayloadReader { run, select, seen: HashMap::new(), names: HashSet::new() })
    }

    /// From now on payloads are those of this run.
    pub(super) fn go_to(&mut self, run: RunKey) {
        self.run = run;
        self.seen.clear();
    }

    /// The name in a cell.
    pub(super) fn name(&mut self, cell: ValueRef<'_>) -> Result<Arc<str>, Unreadable> {
        self.optional_name(cell)?.ok_or_else(wrong_type)
    }

    /// The name in a cell, if there is one.
    pub(super) fn optional_name(&mut self, cell: ValueRef<'_>) -> Result<Option<Arc<str>>, Unreadable> {
        let text = match cell {
            ValueRef::Null => return Ok(None),
            ValueRef::Text(bytes) => utf8(bytes)?,
            ValueRef::Blob(_) | ValueRef::Integer(_) | ValueRef::Real(_) => return Err(wrong_type()),
        };
        if let Some(name) = self.names.get(text) {
            return Ok(Some(name.clone()));
        }
        let name: Arc<str> = text.into();
        self.names.insert(name.clone());
        Ok(Some(name))
    }

    /// The payload of a cell.
    pub(super) fn payload(&mut self, cell: ValueRef<'_>) -> Result<Option<Payload>, Unreadable> {
        let raw = match cell {
            ValueRef::Null => return Ok(None),
            ValueRef::Text(b"null") => return Ok(Some(Payload::Null)),
            ValueRef::Text(bytes) => json(utf8(bytes)?)?,
            ValueRef::Blob(bytes) => {
                let id = id(bytes)?;
                match self.seen.get(&id) {
                    Some(raw) => raw.clone(),
                    None => self.remembered(id)?,
                }
            }
            ValueRef::Integer(_) | ValueRef::Real(_) => return Err(wrong_type()),
        };
        Ok(Some(Payload::Raw(raw)))
    }

    /// See [`PayloadWriter::rare_payload`].
    pub(super) fn rare_payload(&mut self, cell: ValueRef<'_>) -> Result<Payload, Unreadable> {
        Ok(self.payload(cell)?.unwrap_or_default())
    }

    fn remembered(&mut self, id: PayloadId) -> Result<RawJson, Unreadable> {
        // What was hashed was JSON, and the hash has been compared.
        let raw = RawJson::trusted(self.apart(id)?);
        self.seen.insert(id, raw.clone());
        Ok(raw)
    }

    /// The text of a cell.
    pub(super) fn text(&mut self, cell: ValueRef<'_>) -> Result<Option<String>, Unreadable> {
        match cell {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => Ok(Some(utf8(bytes)?.to_owned())),
            ValueRef::Blob(bytes) => self.apart(id(bytes)?).map(Some),
            ValueRef::Integer(_) | ValueRef::Real(_) => Err(wrong_type()),
        }
    }

    fn apart(&mut self, id: PayloadId) -> Result<String, Unreadable> {
        let mut rows = self.select.query(params![self.run.0, id])?;
        let row = rows.next()?.ok_or_else(|| Unreadable::Row("a payload is missing".into()))?;
        let text = unpack(row.get(0)?, row.get_ref(1)?.as_blob().map_err(|_| wrong_type())?)?;
        if payload_id(text.as_bytes()) != id {
            return Err(Unreadable::Row("a payload is not what was written".into()));
        }
        Ok(text)
    }
}

/// The text of what [`Packer::pack`] made.
pub(super) fn unpack(unpacked: Option<i64>, body: &[u8]) -> Result<String, Unreadable> {
    let bytes = match unpacked {
        None => body.to_vec(),
        Some(length) if (0..=UNPACKED_MAX).contains(&length) => Decompressor::new()
            .and_then(|mut decompressor| decompressor.decompress(body, length as usize))
            .map_err(|error| Unreadable::Row(format!("a payload cannot be unpacked: {error}")))?,
        Some(_) => return Err(Unreadable::Row("a payload has an impossible length".into())),
    };
    String::from_utf8(bytes).map_err(|_| Unreadable::Row("a text is not UTF-8".into()))
}

/// Without a limit of depth: what we composed may be deeper than what anybody may send.
pub(super) fn json(text: &str) -> Result<RawJson, Unreadable> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => Ok(RawJson::trusted(text)),
        Err(error) => Err(Unreadable::Row(format!("a payload is no JSON: {error}"))),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(bytes).map_err(|_| Unreadable::Row("a text is not UTF-8".into()))
}

fn id(bytes: &[u8]) -> Result<PayloadId, Unreadable> {
    bytes.try_into().map_err(|_| Unreadable::Row("a payload's key has the wrong length".into()))
}

fn wrong_type() -> Unreadable {
    Unreadable::Row("a value has the wrong type".into())
}
