//! Answers of the real server, and the rows that lead to them.

use std::collections::HashMap;
use std::sync::Arc;

use partitur_conductor::wire::{self, WorkflowDef};
use partitur_model::record::{
    Called, Idempotency, Parent, RunOptions, RunOutcome, RunRecord, RunState, ScopeRef, Served,
    ServerOptions, TaskError, TaskOutcome, TaskRecord, TaskState, UndoState, Usage,
};
use partitur_model::{DefinitionId, FencingToken, Payload, RunId, TaskId, TaskSeq, Timestamp};
use serde_json::Value;

/// A recorded run: what the server said, and rows of ours that say the same.
pub struct Recorded {
    pub answer: Value,
    pub def: Arc<WorkflowDef>,
    pub run: RunRecord,
    pub tasks: Vec<TaskRecord>,
    /// Ids of the recorded answer and of ours, under names that both share.
    names: Vec<(String, String)>,
}

const RUN: RunId = RunId::new(0, 1, 42);
const CHILD: RunId = RunId::new(0, 2, 43);
const PARENT: RunId = RunId::new(0, 3, 44);

impl Recorded {
    /// From the JSON of a run.
    pub fn new(text: &str) -> Recorded {
        let answer: Value = serde_json::from_str(text).unwrap();
        let def: WorkflowDef = wire::read(answer["workflowDefinition"].to_string().as_bytes()).unwrap();
        let tasks = rows(&answer);
        let names = names(&answer);
        Recorded { run: run(&answer), def: Arc::new(def), tasks, names, answer }
    }

    /// A text of ours or of the server's as JSON, with names in place of ids.
    pub fn named(&self, text: &str) -> Value {
        let mut text = text.to_owned();
        for (id, name) in &self.names {
            text = text.replace(id, name);
        }
        serde_json::from_str(&text).unwrap()
    }
}

fn names(answer: &Value) -> Vec<(String, String)> {
    let mut names = Vec::new();
    let mut pair = |recorded: &Value, ours: String, name: &str| {
        if let Some(id) = recorded.as_str() {
            names.push((id.to_owned(), name.to_owned()));
        }
        names.push((ours, name.to_owned()));
    };
    pair(&answer["workflowId"], RUN.to_string(), "the run");
    pair(&answer["parentWorkflowId"], PARENT.to_string(), "the parent");
    pair(&answer["output"]["conductor.failure_workflow"], CHILD.to_string(), "another run");
    for task in tasks(answer) {
        let seq = number(&task["seq"]);
        pair(&task["taskId"], TaskId::new(RUN, TaskSeq(seq)).to_string(), &format!("task {seq}"));
        pair(&task["subWorkflowId"], CHILD.to_string(), "another run");
    }
    names
}

fn tasks(answer: &Value) -> &Vec<Value> {
    answer["tasks"].as_array().unwrap()
}

fn number(value: &Value) -> u32 {
    value.as_u64().unwrap() as u32
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn some_text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn time(value: &Value) -> Timestamp {
    Timestamp::from_millis(value.as_u64().unwrap_or(0))
}

fn some_time(value: &Value) -> Option<Timestamp> {
    Some(time(value)).filter(|time| *time > Timestamp::ZERO)
}

fn run(answer: &Value) -> RunRecord {
    let created = time(&answer["createTime"]);
    let mut output = answer["output"].clone();
    let failure = output.as_object_mut().unwrap().remove("conductor.failure_workflow");
    let domains = answer["taskToDomain"].as_object().unwrap();
    let server = ServerOptions {
        version: number(&answer["workflowVersion"]),
        correlation: some_text(&answer["correlationId"]),
        priority: number(&answer["priority"]) as u8,
        domains: domains.iter().map(|(name, domain)| (name.clone(), text(domain))).collect(),
        idempotency: some_text(&answer["idempotencyKey"]).map(|key| (key, Idempotency::Fail)),
        creator: some_text(&answer["createdBy"]).unwrap_or_default(),
        event: some_text(&answer["event"]),
    };
    RunRecord {
        id: RUN,
        definition: DefinitionId(0),
        flow: String::new(),
        name: text(&answer["workflowName"]),
        parent: answer["parentWorkflowId"].as_str().map(|_| Parent {
            run: PARENT,
            task: TaskSeq(1),
            generation: 1,
        }),
        state: match answer["status"].as_str().unwrap() {
            "RUNNING" => RunState::Running,
            "PAUSED" => RunState::Paused,
            "COMPLETED" => RunState::Ended(RunOutcome::Succeeded),
            "FAILED" => RunState::Ended(RunOutcome::Failed),
            "TIMED_OUT" => RunState::Ended(RunOutcome::TimedOut),
            "TERMINATED" => RunState::Ended(RunOutcome::Cancelled),
            other => panic!("{other}"),
        },
        generation: 0,
        input: Payload::from(&answer["input"]),
        variables: Payload::from(&answer["variables"]),
        output: Some(Payload::from(&output)),
        error: some_text(&answer["reasonForIncompletion"]).map(|reason| TaskError::new("failed", reason)),
        options: RunOptions { server: Some(server.into()), ..RunOptions::default() },
        created,
        begun: created,
        ended: some_time(&answer["endTime"]),
        failure_run: failure.map(|_| CHILD),
    }
}

fn rows(answer: &Value) -> Vec<TaskRecord> {
    let seqs: HashMap<&str, TaskSeq> = tasks(answer)
        .iter()
        .map(|task| (task["taskId"].as_str().unwrap(), TaskSeq(number(&task["seq"]))))
        .collect();
    tasks(answer).iter().map(|task| row(task, answer, &seqs)).collect()
}

/// In which branch or iteration a task is, and its path.
fn scope(task: &Value, answer: &Value) -> (String, Option<ScopeRef>, String) {
    let reference = text(&task["referenceTaskName"]);
    let find = |kind: &'static str| tasks(answer).iter().filter(move |task| task["taskType"] == kind);
    if let Some((node, iteration)) =
        reference.rsplit_once("__").filter(|(_, number)| number.parse::<u32>().is_ok())
    {
        let repeat = find("DO_WHILE").next().unwrap();
        let scope =
            ScopeRef { container: TaskSeq(number(&repeat["seq"])), index: iteration.parse().unwrap() };
        let path = format!("{}#{iteration}/{node}", text(&repeat["referenceTaskName"]));
        return (node.to_owned(), Some(scope), path);
    }
    for fork in find("FORK") {
        let forked = fork["inputData"]["forkedTasks"].as_array();
        if let Some(index) = forked.and_then(|names| names.iter().position(|name| *name == *reference)) {
            let scope = ScopeRef { container: TaskSeq(number(&fork["seq"])), index: index as u32 };
            let path = format!("{}[{reference}]", text(&fork["referenceTaskName"]));
            return (reference, Some(scope), path);
        }
    }
    (reference.clone(), None, reference)
}

fn row(task: &Value, answer: &Value, seqs: &HashMap<&str, TaskSeq>) -> TaskRecord {
    let (node, scope, path) = scope(task, answer);
    let kind = task["taskType"].as_str().unwrap();
    let (input, items) = given(kind, task);
    let reason = some_text(&task["reasonForIncompletion"]);
    let status = task["status"].as_str().unwrap();
    let has_failed = matches!(status, "FAILED" | "FAILED_WITH_TERMINAL_ERROR" | "TIMED_OUT");
    let error = reason.map(|reason| TaskError {
        code: "failed".to_owned(),
        message: reason,
        retriable: status != "FAILED_WITH_TERMINAL_ERROR",
    });
    let for_good = || TaskError::terminal("failed-for-good", "");
    TaskRecord {
        run: RUN,
        seq: TaskSeq(number(&task["seq"])),
        node: node.into(),
        scope,
        path: path.into(),
        state: state(kind, status),
        generation: 1,
        attempt: 1,
        losses: 0,
        ready: time(&task["scheduledTime"]),
        started: some_time(&task["startTime"]),
        ended: some_time(&task["endTime"]),
        output: yielded(kind, task),
        error: error.or_else(|| (has_failed && status == "FAILED_WITH_TERMINAL_ERROR").then(for_good)),
        items,
        iteration: if kind == "DO_WHILE" { number(&task["iteration"]) } else { 0 },
        child: task["subWorkflowId"].as_str().map(|_| CHILD),
        undo: UndoState::None,
        cached: false,
        log: None,
        usage: Usage::default(),
        served: Some(Box::new(Served {
            input,
            retry_of: task["retriedTaskId"].as_str().map(|id| seqs[id]),
            retries: number(&task["retryCount"]),
            superseded: task["retried"].as_bool().unwrap(),
            skipped_by_hand: status == "SKIPPED",
            checking: None,
            called: Called::default(),
            by_hand: false,
            uncounted: 0,
            worker: some_text(&task["workerId"]).map(Into::into),
            domain: some_text(&task["domain"]).map(Into::into),
            polls: number(&task["pollCount"]),
            held_back: 0,
            updated: time(&task["updateTime"]),
            first_ready: time(&task["scheduledTime"]),
        })),
    }
}

/// What a row keeps of the input, and the elements of a container: not what follows from other rows.
fn given(kind: &str, task: &Value) -> (Payload, Option<Payload>) {
    let mut input = task["inputData"].clone();
    let is_dynamic = input.get("forkedTasks").is_some();
    for composed in ["forkedTasks", "forkedTaskDefs", "case", "hasChildren"] {
        input.as_object_mut().unwrap().remove(composed);
    }
    let items = match kind {
        "FORK" if is_dynamic => Some(Payload::from(&input)),
        "DO_WHILE" if task["outputData"].get("loopItem").is_some() => {
            let items = input.get("_items").cloned().unwrap_or_else(|| serde_json::json!([7, 8]));
            Some(Payload::from(&items))
        }
        _ => None,
    };
    (Payload::from(&input), items)
}

/// What a row keeps of the output.
fn yielded(kind: &str, task: &Value) -> Option<Payload> {
    let output = &task["outputData"];
    match kind {
        "JOIN" | "DO_WHILE" | "FORK" => None,
        "SWITCH" => Some(Payload::object([("case", Payload::from(&output["selectedCase"]))])),
        "DECISION" => Some(Payload::object([("case", Payload::from(&output["caseOutput"][0]))])),
        _ if output.as_object().unwrap().is_empty() => None,
        _ => Some(Payload::from(output)),
    }
}

fn state(kind: &str, status: &str) -> TaskState {
    let token = FencingToken(7);
    match (status, kind) {
        ("SCHEDULED", _) => TaskState::Ready,
        ("IN_PROGRESS", "DO_WHILE") => TaskState::Open,
        ("IN_PROGRESS", "JOIN" | "WAIT" | "HUMAN" | "SUB_WORKFLOW") => {
            TaskState::Waiting { until: Timestamp::MAX }
        }
        ("IN_PROGRESS", _) => TaskState::Running { token, deadline: Timestamp::MAX, lease: Timestamp::MAX },
        ("COMPLETED_WITH_ERRORS", "JOIN") | ("COMPLETED", _) => TaskState::Ended(TaskOutcome::Succeeded),
        ("COMPLETED_WITH_ERRORS" | "FAILED" | "FAILED_WITH_TERMINAL_ERROR", _) => {
            TaskState::Ended(TaskOutcome::Failed)
        }
        ("TIMED_OUT", _) => TaskState::Ended(TaskOutcome::TimedOut),
        ("CANCELED", _) => TaskState::Ended(TaskOutcome::Cancelled),
        ("SKIPPED", _) => TaskState::Ended(TaskOutcome::Skipped),
        other => panic!("{other:?}"),
    }
}
