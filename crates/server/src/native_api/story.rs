//! What a run was: why it took as long as it did, and what would help.

use std::sync::Arc;

use axum::extract::{Path, State};
use partitur_model::definition::{Definition, Dialect};
use partitur_model::record::{RunRecord, TaskRecord};
use partitur_model::{RunId, Timestamp};
use partitur_report::{Review, Story, Surroundings};
use partitur_store::{Reader, StoreError};

use crate::app::Library;
use crate::conductor_api::Shared;
use crate::http::answer::{Answer, Error, html, raw, text};
use crate::http::input::{Query, no_run, run_id};

/// Tasks of a run and its sub-runs together, of which a report is made.
const TASKS_MAX: usize = 100_000;

/// Sub-runs are followed so deep.
const DEPTH_MAX: usize = 50;

/// A run with everything that is stored of it.
struct Records {
    run: RunRecord,
    tasks: Vec<TaskRecord>,
    definition: Arc<Definition>,
    children: Vec<Records>,
}

/// Why there is no report.
enum No {
    Run,
    TooLarge,
}

/// As JSON, as a page, or as lines for people.
pub(crate) async fn report(State(app): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let run = run_id(&id)?;
    let format = query.some_text("format").unwrap_or("json").to_owned();
    if !["json", "html", "text"].contains(&format.as_str()) {
        return Err(Error::bad(format!("`format` is json, html or text, not `{format}`")));
    }
    let (library, now) = (app.library.clone(), app.now());
    let read = app.reads.read(&app.handle, move |reader| {
        let records = match Records::read(reader, &library, run)? {
            Ok(records) => records,
            Err(no) => return Ok(Err(no)),
        };
        let surroundings = Surroundings {
            slots: records.run.options.concurrency,
            processors: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
            usual: reader.durations(&records.run.name)?,
        };
        Ok(Ok(Review::of(&records.story(now), &surroundings)))
    });
    let review = read.await?.map_err(|no| match no {
        No::Run => no_run(&id),
        No::TooLarge => Error::bad(format!("a report is made of at most {TASKS_MAX} tasks")),
    })?;
    Ok(match format.as_str() {
        "html" => html(review.html()),
        "text" => text(review.text()),
        _ => raw(review.json().to_string()),
    })
}

impl Records {
    fn read(reader: &Reader, library: &Library, id: RunId) -> Result<Result<Records, No>, StoreError> {
        let Some(run) = reader.run(id)? else { return Ok(Err(No::Run)) };
        let mut left = TASKS_MAX;
        Records::of(reader, library, run, None, &mut left, DEPTH_MAX)
    }

    fn of(
        reader: &Reader,
        library: &Library,
        run: RunRecord,
        above: Option<&Arc<Definition>>,
        left: &mut usize,
        depth: usize,
    ) -> Result<Result<Records, No>, StoreError> {
        let tasks = reader.tasks(run.id)?;
        if tasks.len() > *left {
            return Ok(Err(No::TooLarge));
        }
        *left -= tasks.len();
        let root = match above {
            Some(above) => above.clone(),
            None => stored_definition(reader, library, &run)?,
        };
        let definition = root.flows.get(&run.flow).unwrap_or(&root).clone();
        let mut children = Vec::new();
        let has_children = !root.flows.is_empty() || root.dialect == Dialect::Conductor;
        let below = if has_children && depth > 0 { reader.children(run.id)? } else { Vec::new() };
        for child in below {
            // What is frozen with a document is known by its name; what was looked up has a definition of its own.
            let above = (child.definition == run.definition).then_some(&root);
            match Records::of(reader, library, child, above, left, depth - 1)? {
                Ok(child) => children.push(child),
                Err(no) => return Ok(Err(no)),
            }
        }
        Ok(Ok(Records { run, tasks, definition, children }))
    }

    fn story(&self, now: Timestamp) -> Story<'_> {
        Story {
            run: &self.run,
            tasks: &self.tasks,
            definition: &self.definition,
            children: self.children.iter().map(|child| child.story(now)).collect(),
            now,
        }
    }
}

fn stored_definition(
    reader: &Reader,
    library: &Library,
    run: &RunRecord,
) -> Result<Arc<Definition>, StoreError> {
    let damaged =
        |why: String| StoreError::Damaged(format!("the definition of run {}: {why}", run.id.number()));
    let record = reader.definition(run.definition)?.ok_or_else(|| damaged("it is missing".to_owned()))?;
    let program = library.programs.program(&record).map_err(damaged)?;
    Ok(program.definition.clone())
}
