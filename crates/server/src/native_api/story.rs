//! What a run was: as a picture; and why it took as long as it did, and what would help.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use partitur_api::run_state_name;
use partitur_graph::render;
use partitur_model::definition::{Definition, Dialect};
use partitur_model::record::{RunRecord, TaskRecord};
use partitur_model::{RunId, Timestamp};
use partitur_report::picture::{self, Overlay, Sketch};
use partitur_report::{Performance, Review, Story, Surroundings, Watch};
use partitur_store::{Reader, StoreError};

use crate::app::Library;
use crate::conductor_api::Shared;
use crate::http::answer::{Answer, Error, html, raw, svg, text};
use crate::http::input::{Query, no_run, run_id};

/// Tasks of a run and its sub-runs together, of which a report is made.
const TASKS_MAX: usize = 100_000;

/// Tasks in a picture.
const ITEMS_MAX: usize = 10_000;

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
    let review = read.await?.map_err(|no| refused(no, &id))?;
    Ok(match format.as_str() {
        "html" => html(review.html()),
        "text" => text(review.text()),
        _ => raw(review.json().to_string()),
    })
}

/// As data with coordinates, as SVG, or as a page.
pub(crate) async fn graph(State(app): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let run = run_id(&id)?;
    let format = query.some_text("format").unwrap_or("json").to_owned();
    let draw: fn(&render::Picture) -> String = match format.as_str() {
        "json" => render::data,
        "svg" => render::svg,
        "html" => render::html,
        _ => return Err(Error::bad(format!("`format` is json, svg or html, not `{format}`"))),
    };
    let (library, now) = (app.library.clone(), app.now());
    let read = app.reads.read(&app.handle, move |reader| {
        let records = Records::read(reader, &library, run)?;
        Ok(records.map(|records| records.picture(now)))
    });
    let picture = read.await?.map_err(|no| refused(no, &id))?;
    if picture.items.len() > ITEMS_MAX {
        let message =
            format!("the picture has {} tasks, and at most {ITEMS_MAX} are drawn", picture.items.len());
        return Err(Error::bad(message));
    }
    // To find a place for everything takes longer than anybody else should wait.
    let drawn = tokio::task::spawn_blocking(move || draw(&picture)).await;
    let undrawn = |_| Error::new(StatusCode::INTERNAL_SERVER_ERROR, "the run could not be drawn");
    let drawn = drawn.map_err(undrawn)?;
    Ok(match format.as_str() {
        "svg" => svg(drawn),
        "html" => html(drawn),
        _ => raw(drawn),
    })
}

fn refused(no: No, id: &str) -> Error {
    match no {
        No::Run => no_run(id),
        No::TooLarge => Error::bad(format!("the run has more than {TASKS_MAX} tasks")),
    }
}

impl Records {
    /// What it executes, with what has become of it and the chain that determined its end.
    fn picture(&self, now: Timestamp) -> render::Picture {
        let story = self.story(now);
        let (overlay, history) = (Overlay::of(&story), BTreeMap::new());
        let sketch = Sketch { definition: &self.definition, history: &history, overlay: Some(&overlay) };
        let mut picture = sketch.picture();
        let chain = Performance::of(&story, &Watch::default()).critical;
        for item in picture.items.iter_mut().filter(|item| item.inside.is_none()) {
            item.critical = chain.iter().any(|link| *link.path == *item.name);
        }
        picture.title = self.run.name.clone();
        picture.subtitle = format!("run {}: {}", self.run.id, run_state_name(self.run.state));
        picture::group(&mut picture, &self.definition.root);
        picture
    }

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
