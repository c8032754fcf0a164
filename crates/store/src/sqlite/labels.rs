//! What searches call tasks, written once for all tasks of a kind.

use std::collections::HashMap;

use partitur_model::TaskSeq;
use partitur_model::definition::Label;
use partitur_model::record::TaskRecord;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::tables::RunKey;

/// Labels that the writer remembers.
const REMEMBERED_MAX: usize = 10_000;

/// The label of tasks that searches never find.
const NOBODYS: i64 = 0;

/// A label with the node that alone has it; tasks in branches and iterations have any name, and share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Labelled {
    pub label: Label,
    pub node: String,
}

/// Labels and their numbers, as far as they were needed.
#[derive(Default)]
pub(super) struct Labels {
    /// By node: to look one up takes no text apart.
    known: HashMap<Label, HashMap<String, i64>>,
    /// So many there are.
    count: usize,
}

impl Labels {
    /// The number of what searches call the task; it is written if it is new.
    pub(super) fn of(&mut self, conn: &Connection, task: &TaskRecord) -> rusqlite::Result<Option<i64>> {
        let label = task.served.as_ref().and_then(|served| served.called.0.as_deref());
        let Some(label) = label else { return Ok(task.served.is_some().then_some(NOBODYS)) };
        let node = if task.scope.is_none() { &*task.node } else { "" };
        if let Some(&id) = self.known.get(label).and_then(|nodes| nodes.get(node)) {
            return Ok(Some(id));
        }
        let labelled = Labelled { label: label.clone(), node: node.to_owned() };
        let id = stored(conn, &labelled)?;
        if self.count >= REMEMBERED_MAX {
            self.forget();
        }
        self.count += 1;
        self.known.entry(labelled.label).or_default().insert(labelled.node, id);
        Ok(Some(id))
    }

    /// A transaction was undone, and what it wrote with it.
    pub(super) fn forget(&mut self) {
        *self = Labels::default();
    }
}

fn stored(conn: &Connection, Labelled { label, node }: &Labelled) -> rusqlite::Result<i64> {
    let values = params![label.task_type, label.definition, label.optional, node];
    let mut select = conn.prepare_cached(
        "SELECT id FROM labels WHERE type = ?1 AND definition = ?2 AND optional = ?3 AND node = ?4",
    )?;
    if let Some(id) = select.query_row(values, |row| row.get(0)).optional()? {
        return Ok(id);
    }
    let mut insert =
        conn.prepare_cached("INSERT INTO labels (type, definition, optional, node) VALUES (?1, ?2, ?3, ?4)")?;
    insert.insert(values)
}

/// Says afterwards what tasks of a run are called; what is called nothing is in nobody's sight.
pub(super) fn relabel(
    conn: &Connection,
    run: RunKey,
    tasks: &[(TaskSeq, Option<Label>)],
) -> rusqlite::Result<()> {
    for (seq, label) in tasks {
        let mut select =
            conn.prepare_cached("SELECT node, container FROM tasks WHERE run = ?1 AND seq = ?2")?;
        let found = select
            .query_row(params![run.0, seq.0], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, Option<u32>>(1)?))
            })
            .optional()?;
        let Some((node, container)) = found else { continue };
        let id = match label {
            Some(label) => {
                let node = if container.is_none() { node } else { String::new() };
                stored(conn, &Labelled { label: label.clone(), node })?
            }
            None => NOBODYS,
        };
        conn.prepare_cached("UPDATE tasks SET label = ?3 WHERE run = ?1 AND seq = ?2")?
            .execute(params![run.0, seq.0, id])?;
    }
    Ok(())
}

/// All labels with their numbers.
pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<(i64, Labelled)>> {
    let read = |row: &Row<'_>| {
        let label = Label { task_type: row.get(1)?, definition: row.get(2)?, optional: row.get(3)? };
        Ok((row.get(0)?, Labelled { label, node: row.get(4)? }))
    };
    conn.prepare_cached("SELECT id, type, definition, optional, node FROM labels")?
        .query_map([], read)?
        .collect()
}
