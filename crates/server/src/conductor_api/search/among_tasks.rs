//! What a query wants of tasks.

use partitur_conductor::query::{Condition, Field, Query as Wanted, Test as Said};
use partitur_conductor::render::{Standing, labelled_status, reference_name};
use partitur_conductor::wire::TaskStatus;
use partitur_model::definition::Label;
use partitur_model::{RunId, TaskId, TaskSeq, Timestamp};
use partitur_store::{Reader, Search, SearchedTask, StoreError, TaskSearch};

use super::among_runs::{order, restrict, said_of, span};
use crate::http::answer::Error;
use crate::http::input::Query;

/// What must hold of tasks, and of their runs.
pub(super) struct TasksWanted {
    runs: Search,
    conditions: Vec<Condition>,
    /// In lower case, somewhere in its names.
    text: Option<String>,
    /// One of these tasks, by run and number.
    ids: Option<Vec<(RunId, TaskSeq)>>,
}

/// How tasks stand that did not simply succeed.
const TROUBLED: [TaskStatus; 6] = [
    TaskStatus::Failed,
    TaskStatus::FailedWithTerminalError,
    TaskStatus::TimedOut,
    TaskStatus::Canceled,
    TaskStatus::Skipped,
    TaskStatus::CompletedWithErrors,
];

/// How tasks stand that have not ended.
const OPEN: [TaskStatus; 2] = [TaskStatus::Scheduled, TaskStatus::InProgress];

impl TasksWanted {
    /// As a query says.
    ///
    /// # Errors
    /// What is wrong with it; within, the disk's.
    pub fn of(
        reader: &Reader,
        wanted: &Wanted,
        asked: &Query,
    ) -> Result<Result<TasksWanted, StoreError>, Error> {
        let mut tasks = TasksWanted {
            runs: Search { order: order(asked)?, ..Search::default() },
            conditions: Vec::new(),
            text: None,
            ids: None,
        };
        if let Some(text) = asked.some_text("freeText").filter(|text| *text != "*") {
            match text.parse::<TaskId>() {
                Ok(id) => tasks.ids = Some(vec![id]).map(|ids| known(reader, &ids)),
                Err(_) => tasks.text = Some(text.to_ascii_lowercase()),
            }
        }
        let read = tasks.add(reader, wanted);
        Ok(read.map(|()| tasks))
    }

    fn add(&mut self, reader: &Reader, wanted: &Wanted) -> Result<(), StoreError> {
        for condition in &wanted.conditions {
            match &condition.field {
                Field::TaskId => {
                    let Said::In(patterns) = &condition.test else { continue };
                    let ids: Vec<TaskId> =
                        patterns.iter().filter_map(|pattern| pattern.exact()?.parse().ok()).collect();
                    self.ids = Some(known(reader, &ids));
                }
                Field::Status
                | Field::TaskType
                | Field::TaskDefName
                | Field::TaskReferenceName
                | Field::Domain
                | Field::ReasonForIncompletion
                | Field::StartTime
                | Field::EndTime
                | Field::UpdateTime
                | Field::ScheduledTime => self.conditions.push(condition.clone()),
                Field::WorkflowId
                | Field::WorkflowType
                | Field::Version
                | Field::CorrelationId
                | Field::ParentWorkflowId
                | Field::Classifier
                | Field::Priority
                | Field::CreatedBy
                | Field::IdempotencyKey
                | Field::Event
                | Field::FailedReferenceTaskNames
                | Field::Input
                | Field::Output
                | Field::Unknown(_) => restrict(reader, &mut self.runs, condition)?,
            }
        }
        if let Some(ids) = &self.ids {
            self.runs.ids = ids.iter().map(|&(run, _)| run).collect();
            if ids.is_empty() {
                self.runs.ids.push(RunId::from_bits(0));
            }
        }
        Ok(())
    }

    /// Where to look.
    pub fn search(&self) -> TaskSearch {
        let status = |known: &[TaskStatus], rest: &[TaskStatus]| {
            self.of_field(&Field::Status).any(|said| {
                known.iter().any(|status| said_of(said, status.as_str()))
                    && !rest
                        .iter()
                        .chain([&TaskStatus::Completed])
                        .any(|status| said_of(said, status.as_str()))
            })
        };
        let mut times = Timestamp::ZERO..=Timestamp::MAX;
        let of_time = [Field::StartTime, Field::EndTime, Field::UpdateTime, Field::ScheduledTime];
        for (from, to) in of_time.iter().flat_map(|field| self.of_field(field)).filter_map(span) {
            times = from.max(*times.start())..=to.min(*times.end());
        }
        TaskSearch {
            runs: self.runs.clone(),
            troubled: status(&TROUBLED, &OPEN),
            open: status(&OPEN, &TROUBLED),
            times,
            once_a_run: false,
        }
    }

    fn of_field(&self, field: &Field) -> impl Iterator<Item = &Said> {
        self.conditions
            .iter()
            .filter(move |condition| condition.field == *field)
            .map(|condition| &condition.test)
    }

    /// Whether a task that is called so may fit; without a node it may be of any.
    pub fn may_be(&self, label: &Label, node: &str) -> bool {
        let is = |field, text: &str| self.of_field(&field).all(|said| said_of(said, text));
        let named = node.is_empty() || is(Field::TaskReferenceName, node);
        let has_text = |text: &String| node.is_empty() || holds(label, node, text);
        is(Field::TaskType, &label.task_type)
            && is(Field::TaskDefName, &label.definition)
            && named
            && self.text.as_ref().is_none_or(has_text)
    }

    /// Whether it does.
    pub fn fits(&self, label: &Label, task: &SearchedTask) -> bool {
        let standing = Standing {
            state: task.state,
            has_items: task.has_items,
            skipped_by_hand: task.skipped_by_hand,
            superseded: task.superseded,
            polls: task.polls,
            error: task.error.as_ref().map(|(code, retriable)| (code.as_str(), *retriable)),
        };
        let Some(status) = labelled_status(&standing, label) else { return false };
        let reference = reference_name(&task.node, task.path.as_deref());
        self.ids.as_ref().is_none_or(|ids| ids.iter().any(|&(_, seq)| seq == task.seq))
            && self.text.as_ref().is_none_or(|text| holds(label, &reference, text))
            && self.conditions.iter().all(|Condition { field, test }| match field {
                Field::Status => said_of(test, status.as_str()),
                Field::TaskReferenceName => said_of(test, &reference) || said_of(test, &task.node),
                Field::Domain => said_of(test, task.domain.as_deref().unwrap_or_default()),
                Field::ReasonForIncompletion => said_of(test, task.reason.as_deref().unwrap_or_default()),
                Field::StartTime => is_at(test, task.started),
                Field::EndTime => is_at(test, task.ended),
                Field::UpdateTime => is_at(test, Some(task.updated)),
                Field::ScheduledTime => is_at(test, Some(task.ready)),
                // The label has been looked at, and the run.
                Field::TaskType
                | Field::TaskDefName
                | Field::TaskId
                | Field::WorkflowId
                | Field::WorkflowType
                | Field::Version
                | Field::CorrelationId
                | Field::ParentWorkflowId
                | Field::Classifier
                | Field::Priority
                | Field::CreatedBy
                | Field::IdempotencyKey
                | Field::Event
                | Field::FailedReferenceTaskNames
                | Field::Input
                | Field::Output
                | Field::Unknown(_) => true,
            })
    }
}

fn is_at(said: &Said, time: Option<Timestamp>) -> bool {
    match (said, time) {
        (Said::IsThere(is_there), time) => *is_there == time.is_some(),
        (_, None) => false,
        (said, Some(time)) => span(said).is_none_or(|(from, to)| (from..=to).contains(&time)),
    }
}

fn holds(label: &Label, reference: &str, text: &str) -> bool {
    [label.task_type.as_str(), &label.definition, reference]
        .iter()
        .any(|name| name.to_ascii_lowercase().contains(text))
}

/// The tasks that these ids may name.
fn known(reader: &Reader, ids: &[TaskId]) -> Vec<(RunId, TaskSeq)> {
    let found = ids.iter().filter_map(|id| {
        let (shard, number) = id.shard_and_number();
        Some((reader.run_by_number(shard, number).ok()??.id, id.task()))
    });
    found.collect()
}
