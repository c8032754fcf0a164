//! A worker brings many results and takes many tasks in one call: as updates and a poll, with less around them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use partitur_conductor::wire::Object;
use partitur_engine::{QueueName, TaskName, Update};
use partitur_model::{Payload, RunId, TaskId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json as value};

use crate::conductor_api::Shared;
use crate::conductor_api::tasks::status_named;
use crate::handle::HandedOut;
use crate::http::answer::{Answer, Error, handing_out};
use crate::http::input::{Json, no_task};

/// Results, and tasks, in one call.
const MANY_MAX: usize = 1_000;

/// Patience of a worker.
const WAIT_MAX: u64 = 60_000;

/// What a worker brings and wants.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Exchange {
    /// Who it is.
    #[serde(default)]
    worker: String,
    /// What it has done.
    #[serde(default)]
    done: Vec<Done>,
    /// From which queue it wants more.
    #[serde(rename = "type", default)]
    task_type: String,
    #[serde(default)]
    domain: Option<String>,
    /// At most so many.
    #[serde(default)]
    take: usize,
    /// So long it waits for the first, in milliseconds.
    #[serde(default)]
    wait: u64,
}

/// What became of a task.
#[derive(Deserialize, JsonSchema)]
struct Done {
    run: String,
    task: String,
    /// `COMPLETED` if nothing is said.
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    output: Object,
    #[serde(default)]
    reason: Option<String>,
}

pub(crate) async fn exchange(State(app): Shared, Json(exchange): Json<Exchange>) -> Answer {
    if exchange.done.len() > MANY_MAX || exchange.take > MANY_MAX || exchange.wait > WAIT_MAX {
        let message =
            format!("at most {MANY_MAX} results and tasks in one call, and {WAIT_MAX} ms of patience");
        return Err(Error::bad(message));
    }
    let worker: Arc<str> = exchange.worker.as_str().into();
    let (tasks, updates): (Vec<String>, Vec<Result<Update, Error>>) =
        exchange.done.into_iter().map(|done| done.into_update(&worker)).unzip();
    let queue = QueueName { task_type: exchange.task_type.into(), domain: exchange.domain.map(Arc::from) };
    app.workers.note(&queue, &worker, app.now());
    let patience = Duration::from_millis(if app.handle.health().is_draining() { 0 } else { exchange.wait });
    let (mut faults, mut sound) = (Vec::new(), Vec::new());
    for update in updates {
        faults.push(update.map(|update| sound.push(update)).err());
    }
    let asked = app.handle.exchange(sound, queue, worker, exchange.take as u32, patience);
    let (answers, handed) = asked.await?;
    let mut answers = answers.into_iter();
    let refused = tasks.into_iter().zip(faults).filter_map(|(task, fault)| {
        // What is refused does not keep the others away.
        let error = fault.or_else(|| Some(answers.next()?.err()?.into()))?;
        Some(value!({"task": task, "status": error.0.status, "error": error.message()}))
    });
    let refused: Vec<Value> = refused.collect();
    let mut text = format!("{{\"refused\":{},\"tasks\":[", Value::from(refused));
    write_tasks(&handed, &mut text);
    text.push_str("]}");
    Ok(handing_out(handed, text))
}

fn write_tasks(handed: &HandedOut, out: &mut String) {
    out.reserve(250 * handed.tasks().len());
    for (at, handed) in handed.tasks().iter().enumerate() {
        let task = &handed.task;
        let served = task.served.as_deref();
        let separator = if at > 0 { "," } else { "" };
        let (run, id) = (task.run, TaskId::new(task.run, task.seq));
        let attempt = served.map_or(0, |served| served.retries) + 1;
        let rest = write!(
            out,
            "{separator}{{\"run\":\"{run}\",\"task\":\"{id}\",\"attempt\":{attempt},\"name\":{},\"input\":",
            Payload::string(&task.node).render(),
        );
        rest.expect("text takes whatever is written");
        served.map_or(&Payload::Null, |served| &served.input).render_into(out);
        out.push('}');
    }
}

impl Done {
    /// The task as it was named, and what is said about it.
    fn into_update(self, worker: &Arc<str>) -> (String, Result<Update, Error>) {
        let task = self.task.clone();
        (task, self.update(worker.clone()))
    }

    fn update(self, worker: Arc<str>) -> Result<Update, Error> {
        let run: RunId = self.run.parse().map_err(|_| no_task(&self.task))?;
        let task: TaskId = self.task.parse().map_err(|_| no_task(&self.task))?;
        if !task.is_of(run) {
            return Err(no_task(&self.task));
        }
        Ok(Update {
            run,
            task: TaskName::Seq(task.task()),
            status: status_named(self.status.as_deref().unwrap_or("COMPLETED"))?,
            output: Some(self.output.0),
            merge: false,
            reason: self.reason,
            worker: Some(worker),
            logs: Vec::new(),
            then: None,
            reply: None,
        })
    }
}
