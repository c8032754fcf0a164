//! What the tasks of a run have written: the lines that workers have sent, and the output of commands.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use partitur_conductor::render::reference_name;
use partitur_model::record::TaskRecord;
use partitur_model::{RunId, TaskId, TaskSeq, Timestamp};
use partitur_store::{Reader, StoreError};
use partitur_worker::log::{Reader as LogReader, Stream};
use serde_json::{Value, json as value};

use crate::conductor_api::{Shared, view};
use crate::http::answer::{Answer, Error, json};
use crate::http::input::{Query, no_run, run_id};

/// In one answer.
const ENTRIES_MAX: usize = 1_000;

/// An answer ends behind so much text, in bytes.
const TEXT_MAX: usize = 1 << 20;

/// Nobody reads longer in one go: whoever asked comes again.
const TIME_MAX: Duration = Duration::from_millis(200);

const NO_CURSOR: &str = "`after` is the `next` of another answer";

/// Where a reader goes on: behind this line, and at this place of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    line: i64,
    offset: u64,
}

impl Cursor {
    fn read(text: &str) -> Option<Cursor> {
        let (line, offset) = text.split_once('.')?;
        Some(Cursor { line: line.parse().ok()?, offset: offset.parse().ok()? })
    }

    fn show(self) -> String {
        format!("{}.{}", self.line, self.offset)
    }
}

/// A page, and where the next one begins: also at the end, for whoever waits for more.
pub(crate) async fn page(State(app): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let run = run_id(&id)?;
    let cursor = match query.some_text("after") {
        Some(text) => Cursor::read(text).ok_or_else(|| Error::bad(NO_CURSOR))?,
        None => Cursor::default(),
    };
    let limit = usize::try_from(query.number("limit", 200)?).unwrap_or(ENTRIES_MAX).clamp(1, ENTRIES_MAX);
    let task = query.some_text("task").map(str::to_owned);
    let file = app.settings.data().join("runs").join(format!("{}.log", run.number()));
    let read = app.reads.read(&app.handle, move |reader| {
        let Some(record) = reader.run(run)? else { return Ok(None) };
        let is_served = view::is_served(&record);
        let mut page =
            Page { run, is_served, task, limit, until: Instant::now() + TIME_MAX, ..Page::new(cursor) };
        page.lines(reader)?;
        let read = page.file(reader, file);
        read.map(|()| Some(page))
    });
    let page = read.await?.ok_or_else(|| no_run(&id))?;
    if page.is_astray {
        return Err(Error::bad(NO_CURSOR));
    }
    Ok(json(&value!({"entries": page.entries, "next": page.cursor.show(), "more": page.more})))
}

struct Page {
    run: RunId,
    is_served: bool,
    /// Only of this task and its parts.
    task: Option<String>,
    limit: usize,
    until: Instant,
    cursor: Cursor,
    names: HashMap<TaskSeq, Arc<str>>,
    entries: Vec<Value>,
    text: usize,
    more: bool,
    /// There is nothing at the place of the file.
    is_astray: bool,
}

impl Page {
    fn new(cursor: Cursor) -> Page {
        Page {
            run: RunId::from_bits(0),
            is_served: false,
            task: None,
            limit: 0,
            until: Instant::now(),
            cursor,
            names: HashMap::new(),
            entries: Vec::new(),
            text: 0,
            more: false,
            is_astray: false,
        }
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.limit || self.text >= TEXT_MAX || Instant::now() >= self.until
    }

    /// What workers have sent.
    fn lines(&mut self, reader: &Reader) -> Result<(), StoreError> {
        loop {
            let lines = reader.run_log_after(self.run, self.cursor.line, self.limit as u32)?;
            if lines.is_empty() {
                return Ok(());
            }
            for (line, task, said) in lines {
                if self.is_full() {
                    self.more = true;
                    return Ok(());
                }
                self.cursor.line = line;
                self.add(reader, task, said.at, &said.text, value!({}))?;
            }
        }
    }

    /// What commands have written.
    fn file(&mut self, reader: &Reader, path: PathBuf) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| StoreError::Io(format!("{}: {error}", path.display()));
        let mut log = match LogReader::open(&path) {
            Ok(log) => log,
            // Nothing was written.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        log.seek(self.cursor.offset).map_err(failed)?;
        loop {
            if self.is_full() {
                self.more = true;
                return Ok(());
            }
            let frame = match log.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(()),
                // Whoever asked has made up the place.
                Err(error) if error.kind() == ErrorKind::InvalidData && self.entries.is_empty() => {
                    self.is_astray = true;
                    return Ok(());
                }
                Err(error) => return Err(failed(error)),
            };
            self.cursor.offset = log.offset();
            let stream = match frame.head.stream {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
                Stream::Note => "note",
            };
            let more = value!({"stream": stream, "attempt": frame.head.number});
            let text = String::from_utf8_lossy(&frame.bytes);
            self.add(reader, frame.head.task, frame.head.time, &text, more)?;
        }
    }

    fn add(
        &mut self,
        reader: &Reader,
        task: TaskSeq,
        at: Timestamp,
        text: &str,
        mut entry: Value,
    ) -> Result<(), StoreError> {
        let name = self.name(reader, task)?;
        if self.task.as_deref().is_some_and(|wanted| !is_part(&name, wanted)) {
            return Ok(());
        }
        self.text += text.len();
        entry["task"] = value!(TaskId::new(self.run, task).to_string());
        entry["name"] = value!(name);
        entry["at"] = value!(at.millis());
        entry["text"] = value!(text);
        self.entries.push(entry);
        Ok(())
    }

    fn name(&mut self, reader: &Reader, task: TaskSeq) -> Result<Arc<str>, StoreError> {
        if let Some(name) = self.names.get(&task) {
            return Ok(name.clone());
        }
        let record = reader.task_by_seq(self.run, task)?;
        let shown = |task: TaskRecord| match self.is_served {
            true => reference_name(&task.node, task.scope.map(|_| &*task.path)).into(),
            false => task.path,
        };
        let name: Arc<str> = record.map_or_else(|| "".into(), shown);
        self.names.insert(task, name.clone());
        Ok(name)
    }
}

/// Whether the task is the wanted one or a part of it.
fn is_part(name: &str, wanted: &str) -> bool {
    name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '/', '#']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_what_was_shown() {
        let cursor = Cursor { line: 17, offset: 4_096 };
        assert_eq!(Cursor::read(&cursor.show()), Some(cursor));
        assert!(["", "1", "1.x", "x.1", "1.-1"].iter().all(|text| Cursor::read(text).is_none()));
    }

    #[test]
    fn a_part_of_a_task_belongs_to_it() {
        assert!(
            is_part("invoices", "invoices") && is_part("invoices[de]", "invoices") && is_part("a/b", "a")
        );
        assert!(!is_part("invoices-2", "invoices"));
    }
}
