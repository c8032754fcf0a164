//! Writes one task.

use std::borrow::Cow;

use partitur_model::record::{RunRecord, Served, ServerOptions, TaskRecord, TaskState};
use partitur_model::unit::parse_wait_duration;
use partitur_model::{Payload, TaskId, Timestamp};

use super::object::Object;
use super::status::task_status;
use super::template::{TaskTemplate, said_to_be_cached};
use crate::TaskType;
use crate::json;
use crate::wire::TaskStatus;

/// What is shown of a task, beside what its row and its template say.
pub struct Shown<'a> {
    /// What it was given.
    pub input: Cow<'a, Payload>,
    /// What it yielded.
    pub output: Option<Cow<'a, Payload>>,
    /// How it stands.
    pub status: TaskStatus,
    /// Why it did not succeed.
    pub reason: Option<Cow<'a, str>>,
    /// What all tasks of its node have in common.
    pub constant: Cow<'a, str>,
}

/// Appends a task that a worker was handed.
pub fn polled(task: &TaskRecord, template: &TaskTemplate, options: Option<&ServerOptions>, out: &mut String) {
    let none = Payload::Null;
    let input = task.served.as_ref().map_or(&none, |served| &served.input);
    let shown = Shown {
        input: Cow::Borrowed(input),
        output: task.output.as_ref().map(Cow::Borrowed),
        status: task_status(task, &template.kind, template.task.optional),
        reason: task.error.as_ref().map(|error| Cow::Borrowed(error.message.as_str())),
        constant: Cow::Borrowed(&template.constant),
    };
    write(task, template, &shown, options, out);
}

/// The options of a run of a server.
pub fn options(run: &RunRecord) -> Option<&ServerOptions> {
    run.options.server.as_deref()
}

/// Appends a task.
pub fn write(
    task: &TaskRecord,
    template: &TaskTemplate,
    shown: &Shown<'_>,
    options: Option<&ServerOptions>,
    out: &mut String,
) {
    let none = Served::default();
    let served = task.served.as_deref().unwrap_or(&none);
    let iteration = iteration_of(task);
    // The constant part is the bulk of it.
    out.reserve(shown.constant.len() + 1024);
    let mut object = Object::begin(out);
    object.text("status", shown.status.as_str());
    object.object("inputData", Some(&shown.input));
    match iteration {
        Some(iteration) => object.text("referenceTaskName", &format!("{}__{iteration}", task.node)),
        None => object.text("referenceTaskName", &task.node),
    }
    object.number("retryCount", u64::from(served.retries));
    object.number("seq", u64::from(task.counted()));
    object.some_text("correlationId", options.and_then(|options| options.correlation.as_deref()));
    object.number("pollCount", u64::from(served.polls));
    times(task, served, template, shown.status, &mut object);
    object.truth("retried", served.superseded);
    object.truth("executed", shown.status.is_successful());
    object.plain("workflowInstanceId", task.run);
    object.plain("taskId", TaskId::new(task.run, task.seq));
    if let Some(before) = served.retry_of {
        object.plain("retriedTaskId", TaskId::new(task.run, before));
    }
    object.some_text("reasonForIncompletion", shown.reason.as_deref());
    object.some_text("workerId", served.worker.as_deref());
    object.object("outputData", shown.output.as_deref());
    object.some_text("domain", served.domain.as_deref());
    object.number("workflowPriority", options.map_or(0, |options| u64::from(options.priority)));
    let iteration = if template.kind == TaskType::DoWhile { Some(task.iteration) } else { iteration };
    object.number("iteration", u64::from(iteration.unwrap_or(0)));
    object.truth("loopOverTask", iteration.unwrap_or(0) > 0);
    if let Some(child) = task.child.filter(|_| template.kind == TaskType::SubWorkflow) {
        object.plain("subWorkflowId", child);
    }
    if task.cached {
        object.written(&said_to_be_cached(&shown.constant));
    } else {
        object.written(&shown.constant);
    }
    object.end();
}

fn times(
    task: &TaskRecord,
    served: &Served,
    template: &TaskTemplate,
    status: TaskStatus,
    object: &mut Object<'_>,
) {
    object.time("scheduledTime", Some(task.ready));
    object.time("startTime", task.started);
    // A dynamic fork has ended when its branches are there, however long they live.
    let ended =
        if template.kind == TaskType::ForkJoinDynamic { task.started.or(task.ended) } else { task.ended };
    object.time("endTime", ended.filter(|_| status.is_terminal() || goes_on_in_place(&template.kind)));
    // Conductor's is 0 until somebody has had the task, or wanted it again.
    let is_touched =
        task.started.is_some() || served.by_hand || status.is_terminal() && !served.skipped_by_hand;
    object.time("updateTime", Some(served.updated).filter(|_| is_touched));
    // Who wants a further attempt does not wait for it.
    object
        .number("startDelayInSeconds", template.start_delay(if served.by_hand { 0 } else { served.retries }));
    object.number("callbackAfterSeconds", callback_after(task, served, template, status));
    let waited = task.started.map_or(0, |started| started.since(task.ready).as_millis() as u64);
    object.number("queueWaitTime", if served.held_back > 0 { 0 } else { waited });
}

/// Whether the task goes on under its own number when its run is retried: when it had ended before is still seen.
fn goes_on_in_place(kind: &TaskType) -> bool {
    matches!(kind, TaskType::Join | TaskType::DoWhile | TaskType::SubWorkflow)
}

/// How long a task is held back; of a wait, how long it is, and for ever if only a signal ends it.
fn callback_after(task: &TaskRecord, served: &Served, template: &TaskTemplate, status: TaskStatus) -> u64 {
    let forever = i32::MAX as u64;
    if template.kind == TaskType::Wait {
        let text = served.input.member("duration").and_then(|text| json::text(&text));
        let span =
            text.and_then(|text| parse_wait_duration(&text).ok()).map(|span| span.as_secs().min(forever));
        let waits_for_signal = task.state == TaskState::Waiting { until: Timestamp::MAX };
        return span.unwrap_or(if waits_for_signal { forever } else { 0 });
    }
    if status == TaskStatus::Scheduled { u64::from(served.held_back) } else { 0 }
}

/// The iteration of the innermost loop in whose body the task is: its container's number in the path, `loop#3/task`.
pub fn iteration_of(task: &TaskRecord) -> Option<u32> {
    task.scope?;
    iteration_in(&task.path)
}

/// What the wire calls a task of this node; `path` is that of one in a branch or iteration.
pub fn reference_name<'a>(node: &'a str, path: Option<&str>) -> Cow<'a, str> {
    match path.and_then(iteration_in) {
        Some(iteration) => Cow::Owned(format!("{node}__{iteration}")),
        None => Cow::Borrowed(node),
    }
}

fn iteration_in(path: &str) -> Option<u32> {
    let (containers, _) = path.rsplit_once('/').unwrap_or((path, ""));
    let numbers = containers.rsplit('/').filter_map(|container| container.rsplit_once('#'));
    numbers.filter_map(|(_, number)| number.parse().ok()).next()
}
