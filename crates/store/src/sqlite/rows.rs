//! Writes the changes of one transaction.

use std::collections::{HashMap, HashSet};

use partitur_model::TaskSeq;
use partitur_model::catalogue::EntryKind;
use partitur_model::change::Change;
use partitur_model::note::{Note, NoteKind};
use partitur_model::record::{
    BreakerRecord, BreakerState, DefinitionRecord, NodeRecord, RunRecord, SourceFormat, TaskRecord,
};
use rusqlite::{CachedStatement, Connection, params};

use super::fault::store_error;
use super::labels::Labels;
use super::payload::{Packer, PayloadWriter};
use super::places::{Places, place_of_new};
use super::removal::Remains;
use super::{catalogue, notes, run_row, task_row};
use crate::StoreError;
use crate::tables::RunKey;

/// A run's payloads are swept when this many were written since the last time, or twice as many as were kept then.
const SWEEP_MIN: u32 = 256;

const SWEEP: &str = "DELETE FROM payloads WHERE run = ?1 AND id NOT IN (
    SELECT output FROM tasks WHERE run = ?1 AND typeof(output) = 'blob'
    UNION ALL SELECT input FROM tasks WHERE run = ?1 AND typeof(input) = 'blob'
    UNION ALL SELECT error FROM tasks WHERE run = ?1 AND typeof(error) = 'blob'
    UNION ALL SELECT items FROM tasks WHERE run = ?1 AND typeof(items) = 'blob'
    UNION ALL SELECT value FROM (
        SELECT input AS value FROM runs WHERE key = ?1 UNION ALL SELECT variables FROM runs WHERE key = ?1
        UNION ALL SELECT output FROM runs WHERE key = ?1 UNION ALL SELECT error FROM runs WHERE key = ?1
    ) WHERE typeof(value) = 'blob')";

/// What outlives a transaction: buffers, and how much garbage there may be.
pub(super) struct Workshop {
    packer: Packer,
    labels: Labels,
    places: Places,
    /// Of runs that were removed.
    pub(super) remains: Remains,
    /// Payloads written since the run's last sweep, and kept by it. Forgotten at a restart, which only delays a sweep.
    unswept: HashMap<RunKey, Unswept>,
}

#[derive(Default)]
struct Unswept {
    written: u32,
    kept: u32,
}

/// What a transaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// Rows of tasks, runs and the rest.
    pub rows: u64,
    /// Rows of payloads.
    pub payloads: u64,
    /// Whether pages became free.
    pub freed: bool,
}

impl Workshop {
    pub(super) fn new(conn: &Connection) -> Result<Workshop, StoreError> {
        let packer = Packer::new().map_err(|error| StoreError::Io(error.to_string()))?;
        let remains = Remains::of(conn).map_err(store_error)?;
        let (labels, places) = (Labels::default(), Places::default());
        Ok(Workshop { packer, labels, places, remains, unswept: HashMap::new() })
    }

    /// Writes `changes` into the open transaction.
    pub(super) fn write<'a>(
        &mut self,
        conn: &Connection,
        changes: impl DoubleEndedIterator<Item = &'a Change>,
    ) -> rusqlite::Result<Written> {
        let mut transaction = Rows {
            conn,
            tasks: conn.prepare_cached(task_row::UPSERT)?,
            known_tasks: conn.prepare_cached(task_row::UPDATE)?,
            runs: conn.prepare_cached(run_row::UPSERT)?,
            known_runs: conn.prepare_cached(run_row::UPDATE)?,
            payloads: PayloadWriter::new(conn, &mut self.packer)?,
            labels: &mut self.labels,
            places: &mut self.places,
            remains: &mut self.remains,
            written: Written::default(),
            ended: Vec::new(),
            removed: Vec::new(),
        };
        for change in what_is_left(changes) {
            transaction.apply(change)?;
        }
        let (mut written, mut by_run, ended, removed) = transaction.finish();
        for run in removed {
            by_run.remove(&run);
            self.unswept.remove(&run);
        }
        self.sweep(conn, by_run, &ended, &mut written)?;
        Ok(written)
    }

    /// The transaction was undone.
    pub(super) fn undone(&mut self, conn: &Connection) {
        self.labels.forget();
        self.places.forget();
        self.remains.undone(conn);
    }

    /// Deletes the payloads that no row names any more, in runs where there may be many, and in those that end.
    /// Reference counts would cost a read at each step; this costs a pass each time the payloads have doubled.
    fn sweep(
        &mut self,
        conn: &Connection,
        by_run: HashMap<RunKey, u32>,
        ended: &[RunKey],
        written: &mut Written,
    ) -> rusqlite::Result<()> {
        let mut due: Vec<RunKey> =
            ended.iter().copied().filter(|run| self.unswept.contains_key(run)).collect();
        for (run, count) in by_run {
            let unswept = self.unswept.entry(run).or_default();
            unswept.written += count;
            if unswept.written >= SWEEP_MIN.max(2 * unswept.kept) || ended.contains(&run) {
                due.push(run);
            }
        }
        due.sort_unstable();
        due.dedup();
        for run in due {
            let swept = conn.prepare_cached(SWEEP)?.execute([run.0])?;
            written.freed |= swept > 0;
            let unswept = self.unswept.entry(run).or_default();
            unswept.kept = (unswept.kept + unswept.written).saturating_sub(swept as u32);
            unswept.written = 0;
        }
        for run in ended {
            self.unswept.remove(run);
        }
        Ok(())
    }
}

/// The changes of which something is left after all later ones, in order: of each row the last, all lines of logs, and
/// nothing of what a run or a task had before its removal.
fn what_is_left<'a>(changes: impl DoubleEndedIterator<Item = &'a Change>) -> Vec<&'a Change> {
    let mut later = Later::default();
    let mut left: Vec<&Change> = changes.rev().filter(|change| later.leave(change)).collect();
    left.reverse();
    left
}

/// What the changes behind one are about.
#[derive(Default)]
struct Later<'a> {
    rows: HashSet<RowName<'a>>,
    removed_tasks: HashSet<(RunKey, TaskSeq)>,
    removed_runs: HashSet<RunKey>,
}

impl<'a> Later<'a> {
    /// Whether they leave something of this one, which is behind the next.
    fn leave(&mut self, change: &'a Change) -> bool {
        match change {
            Change::RemoveRun(run) => self.removed_runs.insert((*run).into()),
            Change::RemoveTask(run, seq) => {
                let run = RunKey::from(*run);
                !self.removed_runs.contains(&run) && self.removed_tasks.insert((run, *seq))
            }
            Change::Log(run, seq, _) => !self.remove((*run).into(), *seq),
            Change::Task(task) => {
                let run = RunKey::from(task.run);
                !self.remove(run, task.seq) && self.rows.insert(RowName::Task(run, task.seq))
            }
            Change::Run(run) => {
                let run = RunKey::from(run.id);
                !self.removed_runs.contains(&run) && self.rows.insert(RowName::Run(run))
            }
            Change::Node(_) => self.rows.insert(RowName::Node),
            Change::Definition(definition) => self.rows.insert(RowName::Definition(definition.id.0)),
            Change::Breaker(breaker) => self.rows.insert(RowName::Breaker(&breaker.name)),
            Change::Entry(entry) => self.rows.insert(RowName::Entry(entry.kind, &entry.name, entry.version)),
            Change::Note(note) => self.leave_note(note),
        }
    }

    fn leave_note(&mut self, note: &'a Note) -> bool {
        // Which notes go with a run is known to the rows.
        self.rows.insert(RowName::Note(note.kind, &note.id))
    }

    fn remove(&self, run: RunKey, seq: TaskSeq) -> bool {
        self.removed_runs.contains(&run) || self.removed_tasks.contains(&(run, seq))
    }
}

/// Which row a change is about.
#[derive(PartialEq, Eq, Hash)]
enum RowName<'a> {
    Node,
    Definition(u128),
    Run(RunKey),
    Task(RunKey, TaskSeq),
    Breaker(&'a str),
    Entry(EntryKind, &'a str, u32),
    Note(NoteKind, &'a str),
}

struct Rows<'c> {
    conn: &'c Connection,
    tasks: CachedStatement<'c>,
    /// Of which it is known where they lie.
    known_tasks: CachedStatement<'c>,
    runs: CachedStatement<'c>,
    known_runs: CachedStatement<'c>,
    payloads: PayloadWriter<'c>,
    labels: &'c mut Labels,
    places: &'c mut Places,
    remains: &'c mut Remains,
    written: Written,
    ended: Vec<RunKey>,
    removed: Vec<RunKey>,
}

impl Rows<'_> {
    /// What was written, payloads by run, the runs that ended, and those that were removed.
    fn finish(mut self) -> (Written, HashMap<RunKey, u32>, Vec<RunKey>, Vec<RunKey>) {
        let by_run = self.payloads.written;
        self.written.payloads = by_run.values().map(|&count| u64::from(count)).sum();
        (self.written, by_run, self.ended, self.removed)
    }

    fn apply(&mut self, change: &Change) -> rusqlite::Result<()> {
        self.written.rows += 1;
        match change {
            Change::Node(node) => self.node(node),
            Change::Definition(definition) => self.definition(definition),
            Change::Run(run) => self.run(run),
            Change::Task(task) => self.task(task),
            Change::RemoveTask(run, seq) => self.remove_task((*run).into(), *seq),
            Change::RemoveRun(run) => {
                notes::remove_with_run(self.conn, *run)?;
                self.remove_run((*run).into())
            }
            Change::Breaker(breaker) => self.breaker(breaker),
            Change::Entry(entry) => catalogue::write_entry(self.conn, self.payloads.packer, entry),
            Change::Log(run, seq, lines) => {
                self.remains.clear(self.conn, (*run).into())?;
                catalogue::write_log(self.conn, (*run).into(), *seq, lines)
            }
            Change::Note(note) => notes::write(self.conn, self.payloads.packer, note),
        }
    }

    fn node(&mut self, node: &NodeRecord) -> rusqlite::Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO node (id, epoch, last_run, time) VALUES (0, ?1, ?2, ?3)",
            params![node.epoch, node.last_run as i64, node.time.micros() as i64],
        )
    }

    /// A definition never changes: its id is a hash of it.
    fn definition(&mut self, definition: &DefinitionRecord) -> rusqlite::Result<()> {
        let id = definition.id.0.to_be_bytes();
        let inserted = self
            .conn
            .prepare_cached("INSERT OR IGNORE INTO definitions (id, name, format) VALUES (?1, ?2, ?3)")?
            .execute(params![id, definition.name, format_code(definition.format)])?;
        let files = if inserted > 0 { definition.files.as_slice() } else { &[] };
        for (position, file) in (0_i64..).zip(files) {
            let (unpacked, body) = self.payloads.pack(&file.text);
            self.conn
                .prepare_cached("INSERT INTO definition_files VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![id, position, file.path, unpacked, body])?;
        }
        Ok(())
    }

    fn run(&mut self, run: &RunRecord) -> rusqlite::Result<()> {
        let (key, is_over) = (run.id.into(), run.state.is_ended());
        if is_over {
            self.ended.push(key);
        }
        self.remains.clear(self.conn, key)?;
        let cells = run_row::Cells::of(&mut self.payloads, run)?;
        let is_written = self.places.has_run(key) && run_row::put(&mut self.known_runs, run, &cells)? > 0
            || run_row::put(&mut self.runs, run, &cells)? > 0;
        if !is_written {
            run_row::replace(self.conn, run, &cells)?;
        }
        self.places.note_run(key, is_over);
        Ok(())
    }

    fn task(&mut self, task: &TaskRecord) -> rusqlite::Result<()> {
        let (key, is_over) = (task.run.into(), task.state.is_ended());
        self.remains.clear(self.conn, key)?;
        let cells = task_row::Cells::of(&mut self.payloads, task)?;
        let place = self.places.of_task(key, task.seq);
        if place.is_some() && task_row::put(&mut self.known_tasks, task, &cells, place)? > 0 {
            self.places.note_task(key, task.seq, place, is_over);
            return Ok(());
        }
        let label = self.labels.of(self.conn, task)?;
        let place =
            place_of_new(self.conn, || task_row::put(&mut self.tasks, task, &cells, label).map(drop))?;
        self.places.note_task(key, task.seq, place, is_over);
        Ok(())
    }

    fn remove_task(&mut self, run: RunKey, seq: TaskSeq) -> rusqlite::Result<()> {
        self.execute("DELETE FROM task_logs WHERE run = ?1 AND task = ?2", params![run.0, seq.0])?;
        self.execute("DELETE FROM tasks WHERE run = ?1 AND seq = ?2", params![run.0, seq.0])
    }

    fn remove_run(&mut self, run: RunKey) -> rusqlite::Result<()> {
        self.written.freed = true;
        self.removed.push(run);
        self.remains.add(self.conn, run)
    }

    fn breaker(&mut self, breaker: &BreakerRecord) -> rusqlite::Result<()> {
        let (state, value) = match breaker.state {
            BreakerState::Closed { failures } => (0, i64::from(failures)),
            BreakerState::Open { until } => (1, until.micros() as i64),
            BreakerState::HalfOpen { successes } => (2, i64::from(successes)),
        };
        self.execute(
            "INSERT OR REPLACE INTO breakers (name, state, value) VALUES (?1, ?2, ?3)",
            params![breaker.name, state, value],
        )
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute(params).map(drop)
    }
}

fn format_code(format: SourceFormat) -> i64 {
    match format {
        SourceFormat::Yaml => 0,
        SourceFormat::Json => 1,
        SourceFormat::NodesEdges => 2,
        SourceFormat::Conductor => 3,
    }
}
