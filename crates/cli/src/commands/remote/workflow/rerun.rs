//! `partitur workflow rerun`.

use partitur_model::Payload;
use partitur_model::fault::did_you_mean;
use serde_json::Value;

use super::start::id_of;
use super::{run_route, unknown_run};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::given::Input;
use crate::remote::{Desk, Route, Told as _, Verb};

/// Run an ended run again from one of its tasks on
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow rerun 3f0cb1a4-… --from book
  partitur workflow rerun 3f0cb1a4-… --from book -i amount=0.10    # another input for the task
  partitur workflow rerun 3f0cb1a4-… -i month=2026-11              # all of it, another input")]
pub struct Rerun {
    /// Which run
    #[arg(value_name = "ID")]
    run: String,
    /// From this task on: its reference name, or its id [default: from the beginning]
    #[arg(long, value_name = "TASK")]
    from: Option<String>,
    /// Another input: for the task if there is one, else for the run
    #[command(flatten)]
    input: Input,
    /// Another name of yours for it
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
}

impl Rerun {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let task = match &self.from {
            Some(from) => Some(self.task_id(desk, from)?),
            None => None,
        };
        let input = self.input.object()?;
        let key = if task.is_some() { "taskInput" } else { "workflowInput" };
        let parts = [
            ("reRunFromWorkflowId", Some(Payload::string(&self.run))),
            ("reRunFromTaskId", task.map(|task| Payload::string(&task))),
            (key, input),
            ("correlationId", self.correlation_id.as_deref().map(Payload::string)),
        ];
        let parts = parts.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let route = Route::new("workflow").at(&self.run).then("rerun");
        let answer = desk.client.send(Verb::Post, &route, Some(Payload::object(parts).render()));
        let id = id_of(&answer.map_err(unknown_run)?);
        let json = || Payload::object([("workflowId", Payload::string(&id))]).render();
        Ok(desk.raw(&if desk.json { json() } else { id.clone() }))
    }

    /// The id of the last attempt of a task that is named.
    fn task_id(&self, desk: &Desk, from: &str) -> Result<String, Failure> {
        let run = desk.client.get_json(&run_route(&self.run)).map_err(unknown_run)?;
        let tasks = run.items("tasks");
        let is_it = |task: &&Value| task.text("referenceTaskName") == from || task.text("taskId") == from;
        if let Some(task) = tasks.iter().rev().find(is_it) {
            return Ok(task.text("taskId").to_owned());
        }
        let near = did_you_mean(from, tasks.iter().map(|task| task.text("referenceTaskName")));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("`partitur workflow show {}` lists them", self.run),
        };
        Err(Failure::refused(format!("the run has no task `{from}`"), hint))
    }
}
