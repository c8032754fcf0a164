//! A worker brings many results and takes many tasks in one call: as updates and a poll, with less around them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use partitur_conductor::wire::Object;
use partitur_engine::{QueueName, TaskName, Update};
use partitur_model::{RunId, TaskId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json as value;
use tokio::task::JoinSet;

use crate::app::App;
use crate::conductor_api::Shared;
use crate::conductor_api::tasks::status_named;
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
    let refused = bring(&app, exchange.done, &worker).await?;
    let mut text = format!("{{\"refused\":{},\"tasks\":[", value!(refused));
    let queue = QueueName { task_type: exchange.task_type.into(), domain: exchange.domain.map(Arc::from) };
    app.workers.note(&queue, &worker, app.now());
    let patience = Duration::from_millis(if app.handle.health().is_draining() { 0 } else { exchange.wait });
    let handed = app.handle.poll(queue, worker, exchange.take as u32, patience).await?;
    for (at, handed) in handed.tasks().iter().enumerate() {
        let task = &handed.task;
        let served = task.served.as_deref();
        let separator = if at > 0 { "," } else { "" };
        let rest = value!({
            "run": task.run.to_string(),
            "task": TaskId::new(task.run, task.seq).to_string(),
            "name": &*task.node,
            "attempt": served.map_or(0, |served| served.retries) + 1,
        });
        let mut rest = rest.to_string();
        rest.pop();
        text.push_str(&format!("{separator}{rest},\"input\":"));
        match served {
            Some(served) => served.input.render_into(&mut text),
            None => text.push_str("null"),
        }
        text.push('}');
    }
    text.push_str("]}");
    Ok(handing_out(handed, text))
}

/// Brings results, all at once; what is refused does not keep the others away.
async fn bring(app: &Arc<App>, done: Vec<Done>, worker: &Arc<str>) -> Result<Vec<serde_json::Value>, Error> {
    let mut bringing = JoinSet::new();
    for one in done {
        let (app, worker) = (app.clone(), worker.clone());
        bringing.spawn(async move {
            let task = one.task.clone();
            let update = match one.into_update(worker) {
                Ok(update) => app.handle.update(update).await.map(drop).map_err(Error::from),
                Err(error) => Err(error),
            };
            update
                .err()
                .map(|error| value!({"task": task, "status": error.0.status, "error": error.message()}))
        });
    }
    let mut refused = Vec::new();
    while let Some(brought) = bringing.join_next().await {
        refused.extend(brought.map_err(|error| Error::bad(error.to_string()))?);
    }
    Ok(refused)
}

impl Done {
    fn into_update(self, worker: Arc<str>) -> Result<Update, Error> {
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
