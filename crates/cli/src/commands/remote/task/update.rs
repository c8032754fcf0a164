//! `partitur task update`.

use std::time::Duration;

use partitur_model::Payload;

use super::poll::machine;
use super::unknown_task;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::now;
use crate::remote::given::Output;
use crate::remote::{Desk, Route, Told as _, Verb, span};

/// Say what became of a task
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur task update 8d0e71c2-… --status COMPLETED -o receipt=4711
  partitur task update 8d0e71c2-… --status FAILED --reason 'no such account' --log 'asked twice'
  partitur task update 8d0e71c2-… --status IN_PROGRESS --again-in 30s
  partitur task update approve --of 3f0cb1a4-… --status COMPLETED -o by=ada")]
pub struct Update {
    /// Which task: its id, or with --of its reference name
    task: String,
    /// Of this run
    #[arg(long, value_name = "ID", conflicts_with_all = ["reason", "log", "again_in"])]
    of: Option<String>,
    /// What became of it
    #[arg(long)]
    status: Status,
    #[command(flatten)]
    output: Output,
    /// Why it did not succeed
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// A line for its log; may be given often
    #[arg(long, value_name = "TEXT")]
    log: Vec<String>,
    /// A task in progress can be had again after so long
    #[arg(long, value_name = "TIME", value_parser = span)]
    again_in: Option<Duration>,
    /// Who says so [default: the name of this machine]
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,
}

/// What became of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    /// It has succeeded
    Completed,
    /// It has failed, and may be tried again
    Failed,
    /// It has failed for good
    FailedWithTerminalError,
    /// Its worker gives it back
    InProgress,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Completed => "COMPLETED",
            Status::Failed => "FAILED",
            Status::FailedWithTerminalError => "FAILED_WITH_TERMINAL_ERROR",
            Status::InProgress => "IN_PROGRESS",
        }
    }
}

impl Update {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let output = self.output.object()?.unwrap_or_else(|| Payload::object::<&str>([]));
        let worker = self.worker.clone().unwrap_or_else(machine);
        let answer = match &self.of {
            Some(run) => {
                let route = Route::new("tasks")
                    .at(run)
                    .at(&self.task)
                    .at(self.status.word())
                    .with("workerid", worker);
                let answer = desk.client.send(Verb::Post, &route, Some(output.render()))?;
                if answer.trim().is_empty() {
                    let hint = format!("`partitur workflow show {run}` shows how its tasks stand");
                    let message = format!("the run has no task `{}` that is still open", self.task);
                    return Err(Failure::refused(message, hint));
                }
                answer
            }
            None => {
                let request = self.request(desk, output, &worker)?;
                desk.client.send(Verb::Post, &Route::new("tasks"), Some(request)).map_err(unknown_task)?
            }
        };
        if desk.json {
            let id = Payload::string(answer.trim().trim_matches('"'));
            return Ok(desk.raw(&Payload::object([("taskId", id)]).render()));
        }
        let word = self.status.word().to_ascii_lowercase().replace('_', " ");
        desk.say(&format!("{} is {word}", self.task));
        Ok(Exit::Success)
    }

    /// What a worker says, which names the run.
    fn request(&self, desk: &Desk, output: Payload, worker: &str) -> Result<String, Failure> {
        let task = desk.client.get_json(&Route::new("tasks").at(&self.task)).map_err(unknown_task)?;
        let log = |text: &String| {
            let parts = [
                ("log", Payload::string(text)),
                ("taskId", Payload::string(&self.task)),
                ("createdTime", Payload::from(now())),
            ];
            Payload::object(parts)
        };
        let mut parts = vec![
            ("taskId", Payload::string(&self.task)),
            ("workflowInstanceId", Payload::string(task.text("workflowInstanceId"))),
            ("status", Payload::string(self.status.word())),
            ("workerId", Payload::string(worker)),
            ("outputData", output),
            ("logs", Payload::list(self.log.iter().map(log))),
        ];
        parts.extend(self.reason.iter().map(|text| ("reasonForIncompletion", Payload::string(text))));
        parts.extend(self.again_in.map(|span| ("callbackAfterSeconds", Payload::from(span.as_secs()))));
        Ok(Payload::object(parts).render())
    }
}
