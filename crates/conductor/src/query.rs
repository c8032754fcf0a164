//! Searches as clients write them: `status IN (FAILED, TIMED_OUT) AND startTime>1700000000000`, `sort=startTime:DESC`.
//!
//! A query is a list of conditions that must all hold. Values stand in quotes of either kind or in none; `*` stands for
//! anything. What is searched is the caller's matter.

mod clause;

use clause::{clauses, condition};

/// A query has no more conditions.
pub const CONDITIONS_MAX: usize = 100;

/// A list has no more values.
pub const VALUES_MAX: usize = 1_000;

/// What must hold of a run or a task: all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// One by one.
    pub conditions: Vec<Condition>,
}

/// What must hold of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Of which.
    pub field: Field,
    /// What.
    pub test: Test,
}

/// Fields of runs and tasks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "Conductor's words say it")]
pub enum Field {
    WorkflowId,
    WorkflowType,
    Version,
    CorrelationId,
    Status,
    StartTime,
    UpdateTime,
    EndTime,
    ScheduledTime,
    ParentWorkflowId,
    Classifier,
    Priority,
    CreatedBy,
    IdempotencyKey,
    Event,
    ReasonForIncompletion,
    FailedReferenceTaskNames,
    Input,
    Output,
    TaskId,
    TaskType,
    TaskDefName,
    TaskReferenceName,
    Domain,
    /// Nobody has it: a condition on it says nothing.
    Unknown(String),
}

/// What must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It is one of these.
    In(Vec<Pattern>),
    /// It is none of these.
    NotIn(Vec<Pattern>),
    /// It lies between these, both included; without end if `None`.
    Range(Option<i64>, Option<i64>),
    /// It begins so.
    StartsWith(String),
    /// It has a value, or none.
    IsThere(bool),
}

/// A text in which `*` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Of this text.
    pub fn new(text: impl Into<String>) -> Pattern {
        Pattern(text.into())
    }

    /// The text itself, if nothing in it stands for anything.
    pub fn exact(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&self.0)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether a text is what it stands for.
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == text };
        let Some(mut text) = text.strip_prefix(first) else { return false };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*') {
            match text.find(part) {
                Some(at) => text = &text[at + part.len()..],
                None => return false,
            }
        }
        text.ends_with(last)
    }
}

/// By which field results are ordered, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// Which.
    pub field: Field,
    /// The greatest first.
    pub descending: bool,
}

/// The text is no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadQuery(String);

impl Query {
    /// Reads a query; nothing is the one that everything fulfils.
    ///
    /// # Errors
    /// What is wrong with the first condition that cannot be understood.
    pub fn parse(text: &str) -> Result<Query, BadQuery> {
        if matches!(text.trim(), "" | "*") {
            return Ok(Query::default());
        }
        let clauses = clauses(text);
        if clauses.len() > CONDITIONS_MAX {
            let count = clauses.len();
            return Err(BadQuery(format!("there are {count} conditions; {CONDITIONS_MAX} are allowed")));
        }
        let conditions = clauses.into_iter().map(condition).collect::<Result<_, _>>()?;
        Ok(Query { conditions })
    }
}

/// Reads an order: `startTime:DESC`, several with commas or bars between them.
///
/// # Errors
/// What is wrong with the first part that cannot be understood.
pub fn parse_sort(text: &str) -> Result<Vec<Sort>, BadQuery> {
    let parts = text.split([',', '|']).map(str::trim).filter(|part| !part.is_empty());
    let sort = |part: &str| {
        let (field, direction) = part.split_once(':').unwrap_or((part, "ASC"));
        let descending = match direction.trim().to_ascii_uppercase().as_str() {
            "DESC" => true,
            "ASC" => false,
            other => return Err(BadQuery(format!("`{other}` is neither ASC nor DESC"))),
        };
        Ok(Sort { field: Field::parse(field.trim()), descending })
    };
    parts.map(sort).collect()
}

impl Field {
    /// The field of this name.
    pub fn parse(name: &str) -> Field {
        match name {
            "workflowId" | "workflow_id" => Field::WorkflowId,
            "workflowType" | "workflowName" | "workflow_type" => Field::WorkflowType,
            "version" => Field::Version,
            "correlationId" | "correlation_id" => Field::CorrelationId,
            "status" => Field::Status,
            "startTime" | "start_time" => Field::StartTime,
            "updateTime" | "update_time" => Field::UpdateTime,
            "endTime" | "end_time" => Field::EndTime,
            "scheduledTime" => Field::ScheduledTime,
            "parentWorkflowId" | "parent_workflow_id" => Field::ParentWorkflowId,
            "classifier" => Field::Classifier,
            "priority" => Field::Priority,
            "createdBy" => Field::CreatedBy,
            "idempotencyKey" => Field::IdempotencyKey,
            "event" => Field::Event,
            "reasonForIncompletion" => Field::ReasonForIncompletion,
            "failedReferenceTaskNames" => Field::FailedReferenceTaskNames,
            "input" => Field::Input,
            "output" => Field::Output,
            "taskId" | "task_id" => Field::TaskId,
            "taskType" | "task_type" => Field::TaskType,
            "taskDefName" | "task_def_name" => Field::TaskDefName,
            "taskRefName" | "taskReferenceName" | "referenceTaskName" => Field::TaskReferenceName,
            "domain" => Field::Domain,
            other => Field::Unknown(other.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
