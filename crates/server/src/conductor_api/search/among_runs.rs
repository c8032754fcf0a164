//! What a query wants of runs.

use partitur_conductor::query::{Condition, Field, Pattern, Query as Wanted, Test as Said, parse_sort};
use partitur_conductor::render::workflow_status;
use partitur_model::record::{RunOutcome, RunState};
use partitur_model::{RunId, Timestamp};
use partitur_store::{Clause, Column, Order, Reader, Search, StoreError, Test};

use crate::http::answer::Error;
use crate::http::input::Query;

/// The search for what a query wants: `query`, `freeText`, `sort`, `topLevelOnly`.
///
/// # Errors
/// What is wrong with it; within, the disk's.
pub(crate) fn search_of(
    reader: &Reader,
    wanted: &Wanted,
    asked: &Query,
) -> Result<Result<Search, StoreError>, Error> {
    let mut search = Search { served: true, order: order(asked)?, ..Search::default() };
    search.text = asked.some_text("freeText").filter(|text| *text != "*").map(str::to_owned);
    if asked.truth("topLevelOnly", false)? {
        search.also.push(Clause { column: Column::Parent, test: Test::IsThere(false) });
    }
    for condition in &wanted.conditions {
        if let Err(error) = restrict(reader, &mut search, condition) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(search))
}

/// Rows lie in the order in which runs were started; whatever else is named follows that too.
pub(super) fn order(asked: &Query) -> Result<Order, Error> {
    let sorts = asked.some_text("sort").map(parse_sort).transpose();
    let sorts = sorts.map_err(|error| Error::bad(error.to_string()))?.unwrap_or_default();
    let descending = sorts.first().is_none_or(|sort| sort.descending);
    Ok(if descending { Order::NewestFirst } else { Order::OldestFirst })
}

/// Adds a condition on runs; one on anything else says nothing.
pub(super) fn restrict(
    reader: &Reader,
    search: &mut Search,
    condition: &Condition,
) -> Result<(), StoreError> {
    let said = &condition.test;
    let column = match &condition.field {
        Field::WorkflowType => return restrict_names(reader, search, said),
        Field::Status => {
            restrict_states(search, said);
            return Ok(());
        }
        Field::WorkflowId => {
            restrict_ids(search, said);
            return Ok(());
        }
        Field::ParentWorkflowId => {
            restrict_parent(search, said);
            return Ok(());
        }
        Field::StartTime => {
            let (from, to) = (*search.created.start(), *search.created.end());
            if let Some((after, before)) = span(said) {
                search.created = from.max(after)..=to.min(before);
            }
            return Ok(());
        }
        Field::EndTime => {
            let (from, to) = search
                .ended
                .as_ref()
                .map_or((Timestamp::ZERO, Timestamp::MAX), |it| (*it.start(), *it.end()));
            if let Some((after, before)) = span(said) {
                search.ended = Some(from.max(after)..=to.min(before));
            }
            return Ok(());
        }
        Field::UpdateTime => {
            if let Some((from, to)) = span(said) {
                let micros = |time: Timestamp| i64::try_from(time.micros()).unwrap_or(i64::MAX);
                let test = Test::Between(micros(from), micros(to));
                search.also.push(Clause { column: Column::Updated, test });
            }
            return Ok(());
        }
        // Every run is one.
        Field::Classifier => {
            if !said_of(said, "workflow") {
                find_nothing(search);
            }
            return Ok(());
        }
        Field::CorrelationId => Column::Correlation,
        Field::Version => Column::Version,
        Field::Priority => Column::Priority,
        Field::CreatedBy => Column::Creator,
        Field::IdempotencyKey => Column::IdempotencyKey,
        Field::Event => Column::Event,
        Field::ReasonForIncompletion => Column::Reason,
        Field::ScheduledTime
        | Field::FailedReferenceTaskNames
        | Field::Input
        | Field::Output
        | Field::TaskId
        | Field::TaskType
        | Field::TaskDefName
        | Field::TaskReferenceName
        | Field::Domain
        | Field::Unknown(_) => return Ok(()),
    };
    search.also.push(Clause { column, test: test(said) });
    Ok(())
}

/// The same in the words of the store.
fn test(said: &Said) -> Test {
    match said {
        Said::In(patterns) => one_of(patterns),
        Said::NotIn(patterns) => Test::Not(Box::new(one_of(patterns))),
        Said::Range(from, to) => Test::Between(from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX)),
        Said::StartsWith(start) => Test::Like(vec![format!("{start}*")]),
        Said::IsThere(is_there) => Test::IsThere(*is_there),
    }
}

fn one_of(patterns: &[Pattern]) -> Test {
    let exact: Option<Vec<String>> =
        patterns.iter().map(|pattern| pattern.exact().map(str::to_owned)).collect();
    match exact {
        Some(values) => Test::In(values),
        None => Test::Like(patterns.iter().map(|pattern| pattern.text().to_owned()).collect()),
    }
}

/// Whether what was said holds of a text.
pub(super) fn said_of(said: &Said, text: &str) -> bool {
    match said {
        Said::In(patterns) => patterns.iter().any(|pattern| pattern.matches(text)),
        Said::NotIn(patterns) => !patterns.iter().any(|pattern| pattern.matches(text)),
        Said::StartsWith(start) => text.starts_with(start.as_str()),
        Said::IsThere(is_there) => *is_there != text.is_empty(),
        Said::Range(..) => true,
    }
}

/// The times that lie between numbers of milliseconds, or at one of these; nothing if it is said in another way.
pub(super) fn span(said: &Said) -> Option<(Timestamp, Timestamp)> {
    let first = |millis: i64| Timestamp::from_millis(u64::try_from(millis).unwrap_or(0));
    let last = |millis: i64| Timestamp::from_micros(first(millis).micros().saturating_add(999));
    match said {
        Said::Range(from, to) => Some((from.map_or(Timestamp::ZERO, first), to.map_or(Timestamp::MAX, last))),
        Said::In(patterns) => {
            let times: Option<Vec<i64>> =
                patterns.iter().map(|pattern| pattern.exact()?.trim().parse().ok()).collect();
            let times = times?;
            Some((first(*times.iter().min()?), last(*times.iter().max()?)))
        }
        Said::NotIn(_) | Said::StartsWith(_) | Said::IsThere(_) => None,
    }
}

fn find_nothing(search: &mut Search) {
    search.ids = vec![RunId::from_bits(0)];
}

/// Names that are said in full are taken as they are; all others are looked for among those that runs have.
fn restrict_names(reader: &Reader, search: &mut Search, said: &Said) -> Result<(), StoreError> {
    let exact: Option<Vec<String>> = match said {
        Said::In(patterns) => patterns.iter().map(|pattern| pattern.exact().map(str::to_owned)).collect(),
        Said::NotIn(_) | Said::StartsWith(_) | Said::IsThere(_) | Said::Range(..) => None,
    };
    let mut names = match exact {
        Some(names) => names,
        None => reader.names()?.into_iter().filter(|name| said_of(said, name)).collect(),
    };
    if !search.names.is_empty() {
        names.retain(|name| search.names.contains(name));
    }
    if names.is_empty() {
        find_nothing(search);
    }
    search.names = names;
    Ok(())
}

/// How runs can stand.
const STATES: [RunState; 12] = [
    RunState::Running,
    RunState::Paused,
    RunState::Ending(RunOutcome::Succeeded),
    RunState::Ending(RunOutcome::Failed),
    RunState::Ending(RunOutcome::Cancelled),
    RunState::Ending(RunOutcome::TimedOut),
    RunState::Ended(RunOutcome::Succeeded),
    RunState::Ended(RunOutcome::Failed),
    RunState::Ended(RunOutcome::Cancelled),
    RunState::Ended(RunOutcome::TimedOut),
    RunState::Ended(RunOutcome::RolledBack),
    RunState::Ended(RunOutcome::RollbackFailed),
];

fn restrict_states(search: &mut Search, said: &Said) {
    let is_said = |state: &RunState| said_of(said, workflow_status(*state).as_str());
    let mut states: Vec<RunState> = STATES.into_iter().filter(is_said).collect();
    if !search.states.is_empty() {
        states.retain(|state| search.states.contains(state));
    }
    if states.is_empty() {
        find_nothing(search);
    }
    search.states = states;
}

/// An id that is none of ours finds nothing.
fn restrict_ids(search: &mut Search, said: &Said) {
    let Said::In(patterns) = said else { return };
    let known = patterns.iter().filter_map(Pattern::exact).filter_map(|id| id.parse().ok());
    let mut ids: Vec<RunId> = known.collect();
    if !search.ids.is_empty() {
        ids.retain(|id| search.ids.contains(id));
    }
    search.ids = ids;
    if search.ids.is_empty() {
        find_nothing(search);
    }
}

fn restrict_parent(search: &mut Search, said: &Said) {
    match said {
        Said::In(patterns) => {
            let parent = patterns.first().and_then(|pattern| pattern.exact()?.parse().ok());
            search.parent = Some(parent.unwrap_or(RunId::from_bits(0)));
        }
        Said::IsThere(is_there) => {
            search.also.push(Clause { column: Column::Parent, test: Test::IsThere(*is_there) });
        }
        Said::NotIn(_) | Said::StartsWith(_) | Said::Range(..) => {}
    }
}
