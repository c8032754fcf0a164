//! What is stored of a run: its rows, those of its sub-runs, and what they execute.

use std::sync::Arc;

use partitur::host::read_definition;
use partitur_model::definition::{Definition, Dialect};
use partitur_model::record::{RunRecord, TaskRecord};
use partitur_model::{RunId, Timestamp};
use partitur_report::Story;
use partitur_store::{Reader, RunFilter, StoreError};

use crate::failure::Failure;

/// A run with everything that is stored of it.
pub struct Records {
    /// The run.
    pub run: RunRecord,
    /// Its tasks, by number.
    pub tasks: Vec<TaskRecord>,
    /// What it executes.
    pub definition: Arc<Definition>,
    /// Its sub-runs, oldest first.
    pub children: Vec<Records>,
}

impl Records {
    /// Reads a run and its sub-runs. `root` is the definition of the run itself, if somebody has it.
    ///
    /// # Errors
    /// The store's; the definition cannot be read any more.
    pub fn read(reader: &Reader, id: RunId, root: Option<Arc<Definition>>) -> Result<Records, Failure> {
        let run = reader.run(id)?.ok_or_else(|| vanished(id))?;
        let root = match root {
            Some(root) => root,
            None => stored_definition(reader, &run)?,
        };
        Records::of(reader, run, &root)
    }

    fn of(reader: &Reader, run: RunRecord, root: &Arc<Definition>) -> Result<Records, Failure> {
        let definition = root.flows.get(&run.flow).unwrap_or(root).clone();
        let tasks = reader.tasks(run.id)?;
        let mut children = Vec::new();
        if !root.flows.is_empty() || root.dialect == Dialect::Conductor {
            for child in reader.children(run.id)? {
                // What is frozen with a document is known by its name; what was looked up has a definition of its own.
                let own = (child.definition != run.definition).then(|| stored_definition(reader, &child));
                children.push(Records::of(reader, child, &own.transpose()?.unwrap_or_else(|| root.clone()))?);
            }
        }
        Ok(Records { run, tasks, definition, children })
    }

    /// The story that these records tell at this time.
    pub fn story(&self, now: Timestamp) -> Story<'_> {
        Story {
            run: &self.run,
            tasks: &self.tasks,
            definition: &self.definition,
            children: self.children.iter().map(|child| child.story(now)).collect(),
            now,
        }
    }
}

fn stored_definition(reader: &Reader, run: &RunRecord) -> Result<Arc<Definition>, Failure> {
    let damaged =
        |why: String| StoreError::Damaged(format!("the document of run {}: {why}", run.id.number()));
    let record = reader.definition(run.definition)?.ok_or_else(|| damaged("it is missing".to_owned()))?;
    Ok(read_definition(&record).map_err(damaged)?)
}

fn vanished(id: RunId) -> Failure {
    Failure::refused(
        format!("run {} is no longer there", id.number()),
        "`partitur runs` lists those that are",
    )
}

/// The newest run of its own (no sub-run) that satisfies the condition.
///
/// # Errors
/// The store's.
pub fn newest(reader: &Reader, wanted: impl Fn(&RunRecord) -> bool) -> Result<Option<RunRecord>, Failure> {
    let mut filter = RunFilter { limit: 50, ..RunFilter::default() };
    loop {
        let page = reader.runs(&filter)?;
        let Some(last) = page.runs.last() else { return Ok(None) };
        filter.before = Some(last.id);
        if let Some(found) = page.runs.into_iter().find(|run| run.parent.is_none() && wanted(run)) {
            return Ok(Some(found));
        }
    }
}

/// The run that somebody names: by its number, its id or the beginning of it, or `last`.
///
/// # Errors
/// There is none, or there are several.
pub fn find(reader: &Reader, state: &std::path::Path, text: &str) -> Result<RunRecord, Failure> {
    let unknown = || Failure::UnknownRun { text: text.to_owned(), state: state.to_owned() };
    if text == "last" {
        return newest(reader, |_| true)?.ok_or_else(unknown);
    }
    match reader.find(text)?.as_slice() {
        [] => Err(unknown()),
        [id] => reader.run(*id)?.ok_or_else(unknown),
        many => Err(Failure::Ambiguous {
            text: text.to_owned(),
            numbers: many.iter().map(|id| id.number().to_string()).collect(),
        }),
    }
}

/// A label of a run.
pub fn label<'a>(run: &'a RunRecord, name: &str) -> Option<&'a str> {
    run.options.labels.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
