//! Searches for runs and for tasks.

use std::sync::Arc;

use axum::extract::State;
use partitur_conductor::query::{Field, Pattern, Query as Wanted, Test, parse_sort};
use partitur_conductor::render::summary;
use partitur_conductor::wire::{TaskStatus, search_result};
use partitur_model::record::{RunOutcome, RunState, TaskRecord};
use partitur_model::{RunId, Timestamp};
use partitur_store::{Found, Order, Search, StoreError};

use super::{Shared, view};
use crate::app::App;
use crate::http::answer::{Answer, Error, raw};
use crate::http::input::Query;

/// Conductor's limit.
const SIZE_MAX: u64 = 5_000;

/// Tasks are looked for in so many runs, the newest first.
const RUNS_MAX: usize = 1_000;

pub(crate) async fn runs(State(app): Shared, query: Query) -> Answer {
    let search = search(&app, &query)?;
    let shared = app.clone();
    let written = app.reads.read(&app.handle, move |reader| {
        let found = reader.search(&search)?;
        let written = found.runs.iter().filter(|run| view::is_served(run)).map(|run| {
            let known = shared.library.programs.load(run.definition, reader)?;
            let mut out = String::new();
            summary(run, &known.def.masked_fields, &mut out);
            Ok(out)
        });
        Ok(search_result(found.total as u64, written.collect::<Result<Vec<_>, StoreError>>()?))
    });
    Ok(raw(written.await?))
}

pub(crate) async fn runs_v2(State(app): Shared, query: Query) -> Answer {
    let search = search(&app, &query)?;
    let shared = app.clone();
    let written = app.reads.read(&app.handle, move |reader| {
        let found = reader.search(&search)?;
        let written = found.runs.iter().filter(|run| view::is_served(run)).map(|run| {
            view::see_run(&shared, reader, run, true, |view| {
                let mut out = String::new();
                view.write_workflow(true, &mut out);
                out
            })
        });
        Ok(search_result(found.total as u64, written.collect::<Result<Vec<_>, _>>()?))
    });
    Ok(raw(written.await?))
}

pub(crate) async fn by_tasks(State(app): Shared, query: Query) -> Answer {
    search_by_tasks(&app, &query, false).await
}

pub(crate) async fn by_tasks_v2(State(app): Shared, query: Query) -> Answer {
    search_by_tasks(&app, &query, true).await
}

/// Of the runs that fit, the newest first, those with a task that fits.
async fn search_by_tasks(app: &Arc<App>, query: &Query, whole: bool) -> Answer {
    let (start, size) = page(query)?;
    let wanted = parsed(query)?;
    let search = Search { offset: 0, limit: RUNS_MAX, states: Vec::new(), ..search(app, query)? };
    let shared = app.clone();
    let written = app.reads.read(&app.handle, move |reader| {
        let (mut total, mut written) = (0, Vec::new());
        for run in reader.search(&search)?.runs.iter().filter(|run| view::is_served(run)) {
            view::see_run(&shared, reader, run, true, |view| {
                let fits = |(task, status): (&TaskRecord, TaskStatus)| {
                    fits_task(&wanted, status.as_str(), view.searched_names(task), &task.node)
                };
                if !view.tasks().any(fits) {
                    return;
                }
                if (start..start.saturating_add(size)).contains(&total) {
                    let mut out = String::new();
                    if whole {
                        view.write_workflow(true, &mut out)
                    } else {
                        view.write_summary(&mut out)
                    }
                    written.push(out);
                }
                total += 1;
            })?;
        }
        Ok::<_, StoreError>(search_result(total as u64, written))
    });
    Ok(raw(written.await?))
}

pub(crate) async fn tasks(State(app): Shared, query: Query) -> Answer {
    task_search(&app, &query, false).await
}

pub(crate) async fn tasks_v2(State(app): Shared, query: Query) -> Answer {
    task_search(&app, &query, true).await
}

/// Tasks have no index of their own: the runs that fit are looked through, the newest first.
async fn task_search(app: &Arc<App>, query: &Query, whole: bool) -> Answer {
    let (start, size) = page(query)?;
    let wanted = parsed(query)?;
    let search = Search { offset: 0, limit: RUNS_MAX, ..search(app, query)? };
    let search = Search { states: Vec::new(), ..search };
    let shared = app.clone();
    let written = app.reads.read(&app.handle, move |reader| {
        let Found { runs, .. } = reader.search(&search)?;
        let (mut total, mut written) = (0, Vec::new());
        for run in runs.iter().filter(|run| view::is_served(run)) {
            view::see_run(&shared, reader, run, true, |view| {
                for (task, status) in view.tasks() {
                    let name = view.reference(task);
                    if !fits_task(&wanted, status.as_str(), view.searched_names(task), &name) {
                        continue;
                    }
                    if (start..start.saturating_add(size)).contains(&total) {
                        let mut out = String::new();
                        if whole {
                            view.write_task(task, &mut out)
                        } else {
                            view.write_task_summary(task, &mut out)
                        }
                        written.push(out);
                    }
                    total += 1;
                }
            })?;
        }
        Ok::<_, StoreError>(search_result(total as u64, written))
    });
    Ok(raw(written.await?))
}

fn fits_task(wanted: &Wanted, status: &str, [kind, definition]: [&str; 2], reference: &str) -> bool {
    wanted.conditions.iter().all(|condition| {
        let text = match condition.field {
            Field::Status => status,
            Field::TaskReferenceName => reference,
            Field::TaskType => kind,
            Field::TaskDefName => definition,
            _ => return true,
        };
        match &condition.test {
            Test::In(patterns) => patterns.iter().any(|pattern| pattern.matches(text)),
            Test::NotIn(patterns) => !patterns.iter().any(|pattern| pattern.matches(text)),
            Test::StartsWith(start) => text.starts_with(start.as_str()),
            Test::Range(..) | Test::IsThere(_) => true,
        }
    })
}

fn page(query: &Query) -> Result<(usize, usize), Error> {
    let (start, size) = (query.number("start", 0)?, query.number("size", 100)?);
    if size > SIZE_MAX {
        return Err(Error::bad(format!(
            "Cannot return more than {SIZE_MAX} workflows. Please use pagination."
        )));
    }
    Ok((usize::try_from(start).unwrap_or(usize::MAX), size as usize))
}

fn parsed(query: &Query) -> Result<Wanted, Error> {
    Wanted::parse(query.text("query").unwrap_or_default()).map_err(|error| Error::bad(error.to_string()))
}

/// What a query restricts; what nobody knows restricts nothing.
fn search(app: &App, query: &Query) -> Result<Search, Error> {
    let (offset, limit) = page(query)?;
    let text = query.some_text("freeText").filter(|text| *text != "*").map(str::to_owned);
    let mut search = Search { offset, limit, text, ..Search::default() };
    if let Some(sort) = query.some_text("sort") {
        // Rows lie in the order in which runs were started; whatever else is named follows that too.
        let sorts = parse_sort(sort).map_err(|error| Error::bad(error.to_string()))?;
        let descending = sorts.first().is_none_or(|sort| sort.descending);
        search.order = if descending { Order::NewestFirst } else { Order::OldestFirst };
    }
    for condition in parsed(query)?.conditions {
        restrict(app, &mut search, &condition.field, condition.test);
    }
    Ok(search)
}

fn restrict(app: &App, search: &mut Search, field: &Field, test: Test) {
    let exact = |patterns: Vec<Pattern>| -> Vec<String> {
        patterns.iter().filter_map(|pattern| pattern.exact().map(str::to_owned)).collect()
    };
    match (field, test) {
        (Field::WorkflowType, Test::In(patterns)) => search.names = names(app, &patterns),
        (Field::Status, Test::In(patterns)) => {
            let states = patterns.iter().filter_map(Pattern::exact).flat_map(states);
            search.states = states.collect();
        }
        (Field::CorrelationId, Test::In(patterns)) => search.correlations = exact(patterns),
        (Field::WorkflowId, Test::In(patterns)) => {
            let ids: Vec<RunId> = exact(patterns).iter().filter_map(|id| id.parse().ok()).collect();
            // An id that is none of ours finds nothing.
            search.ids = if ids.is_empty() { vec![RunId::from_bits(0)] } else { ids };
        }
        (Field::ParentWorkflowId, Test::In(patterns)) => {
            let parent = exact(patterns).first().and_then(|id| id.parse().ok());
            search.parent = Some(parent.unwrap_or(RunId::from_bits(0)));
        }
        (Field::StartTime, Test::Range(from, to)) => {
            search.created = time(from, Timestamp::ZERO)..=time(to, Timestamp::MAX);
        }
        (Field::EndTime, Test::Range(from, to)) => {
            search.ended = Some(time(from, Timestamp::ZERO)..=time(to, Timestamp::MAX));
        }
        _ => {}
    }
}

/// Names in which a `*` stands for anything are those of definitions that are known.
fn names(app: &App, patterns: &[Pattern]) -> Vec<String> {
    let documents = app.library.catalogue.read();
    let mut names: Vec<String> =
        patterns.iter().filter_map(|pattern| pattern.exact().map(str::to_owned)).collect();
    let open: Vec<&Pattern> = patterns.iter().filter(|pattern| pattern.exact().is_none()).collect();
    let known = documents.versions().map(|(name, _)| name.to_string());
    names.extend(known.filter(|name| open.iter().any(|pattern| pattern.matches(name))));
    names
}

fn time(millis: Option<i64>, otherwise: Timestamp) -> Timestamp {
    millis.map_or(otherwise, |millis| Timestamp::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// How runs are stored that stand so.
fn states(status: &str) -> Vec<RunState> {
    let ended = |outcomes: &[RunOutcome]| outcomes.iter().map(|&outcome| RunState::Ended(outcome)).collect();
    match status {
        "RUNNING" => {
            let outcomes =
                [RunOutcome::Succeeded, RunOutcome::Failed, RunOutcome::Cancelled, RunOutcome::TimedOut];
            [RunState::Running].into_iter().chain(outcomes.into_iter().map(RunState::Ending)).collect()
        }
        "PAUSED" => vec![RunState::Paused],
        "COMPLETED" => ended(&[RunOutcome::Succeeded]),
        "FAILED" => ended(&[RunOutcome::Failed, RunOutcome::RolledBack, RunOutcome::RollbackFailed]),
        "TERMINATED" => ended(&[RunOutcome::Cancelled]),
        "TIMED_OUT" => ended(&[RunOutcome::TimedOut]),
        _ => Vec::new(),
    }
}
