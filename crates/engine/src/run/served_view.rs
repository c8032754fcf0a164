//! What expressions of Conductor's definitions see: `workflow`, and the tasks by reference name.

use partitur_expr::{Step, navigate};
use partitur_model::record::{RunOutcome, RunRecord, RunState, TaskOutcome, TaskRecord, TaskState};
use partitur_model::{Payload, TaskId};

use super::View;

impl View<'_> {
    /// The value under a head in a run of a server.
    pub(super) fn lookup_served(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        match head {
            "workflow" => self.workflow_fact(steps),
            "CPEWF_TASK_ID" => {
                let task = self.own.as_ref()?.task;
                Some(Payload::string(&TaskId::new(task.run, task.seq).to_string()))
            }
            name => self.served_task(name, steps),
        }
    }

    fn workflow_fact(&self, steps: &[Step]) -> Option<Payload> {
        let (Step::Key(key), rest) = steps.split_first()? else { return None };
        let rec = &self.run.rec;
        let server = rec.options.server.as_deref();
        match &**key {
            "input" => navigate(&rec.input, rest),
            "output" => navigate(rec.output.as_ref()?, rest),
            "variables" => navigate(&rec.variables, rest),
            "status" => Some(Payload::string(run_status(rec))),
            "workflowId" => Some(Payload::string(&rec.id.to_string())),
            "workflowType" => Some(Payload::string(&rec.name)),
            "version" => Some(Payload::from(u64::from(server?.version))),
            "correlationId" => server?.correlation.as_deref().map(Payload::string),
            "reasonForIncompletion" => {
                let reason = rec.error.as_ref().map(|error| error.message.as_str());
                // A run that was cancelled without a word has no reason.
                reason.filter(|reason| !reason.is_empty()).map(Payload::string)
            }
            "schemaVersion" => Some(Payload::from(2)),
            "parentWorkflowId" => rec.parent.map(|parent| Payload::string(&parent.run.to_string())),
            "parentWorkflowTaskId" => {
                rec.parent.map(|parent| Payload::string(&TaskId::new(parent.run, parent.task).to_string()))
            }
            // Secrets stay what is written until somebody who may see them gets them.
            "secrets" => Some(Payload::string(&written(steps))),
            _ => None,
        }
    }

    fn served_task(&self, name: &str, steps: &[Step]) -> Option<Payload> {
        let key = self.resolve(name)?;
        let task = self.run.task(key)?;
        let Some((Step::Key(fact), rest)) = steps.split_first() else { return None };
        let served = task.served.as_deref();
        let text = |text: &str| Some(Payload::string(text));
        let number = |number: u64| Some(Payload::from(number));
        let time = |time: Option<partitur_model::Timestamp>| number(time.unwrap_or_default().millis());
        match &**fact {
            "output" => match self.run.output_of(key) {
                output if output.is_null() => navigate(&Payload::object::<&str>([]), rest),
                output => navigate(&output, rest),
            },
            "input" => navigate(&served?.input, rest),
            "status" => text(task_status(task, self.run.node(key).spec.optional)),
            "referenceTaskName" => text(&self.run.reference(key)),
            "taskType" | "taskDefName" => text(
                self.run.node(key).remote().map_or(&*self.run.node(key).name, |remote| &*remote.task_type),
            ),
            "taskId" => text(&TaskId::new(task.run, task.seq).to_string()),
            "workflowInstanceId" => text(&task.run.to_string()),
            "workerId" => text(served?.worker.as_deref()?),
            "reasonForIncompletion" => text(&task.error.as_ref()?.message),
            "correlationId" => text(self.run.rec.options.server.as_ref()?.correlation.as_deref()?),
            "retryCount" => number(u64::from(served?.retries)),
            "pollCount" => number(u64::from(served?.polls)),
            "callbackAfterSeconds" => number(u64::from(served?.held_back)),
            "scheduledTime" => number(task.ready.millis()),
            "startTime" => time(task.started),
            "endTime" => time(task.ended),
            "iteration" => number(u64::from(task.iteration)),
            _ => None,
        }
    }
}

/// The reference as it was written.
fn written(steps: &[Step]) -> String {
    let names: Vec<&str> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(&**key),
            _ => None,
        })
        .collect();
    format!("${{workflow.{}}}", names.join("."))
}

/// How Conductor calls the state of a run.
pub(crate) fn run_status(rec: &RunRecord) -> &'static str {
    match rec.state {
        RunState::Running | RunState::Ending(_) | RunState::RollingBack(_) => "RUNNING",
        RunState::Paused => "PAUSED",
        RunState::Ended(RunOutcome::Succeeded) => "COMPLETED",
        RunState::Ended(RunOutcome::Failed | RunOutcome::RolledBack | RunOutcome::RollbackFailed) => "FAILED",
        RunState::Ended(RunOutcome::Cancelled) => "TERMINATED",
        RunState::Ended(RunOutcome::TimedOut) => "TIMED_OUT",
    }
}

/// How Conductor calls the state of a task.
fn task_status(task: &TaskRecord, optional: bool) -> &'static str {
    match task.state {
        TaskState::Blocked | TaskState::Ready | TaskState::Backoff { .. } => "SCHEDULED",
        TaskState::Running { .. }
        | TaskState::Stopping { .. }
        | TaskState::Waiting { .. }
        | TaskState::Open => "IN_PROGRESS",
        TaskState::Ended(outcome) if outcome.is_failure() && optional => "COMPLETED_WITH_ERRORS",
        TaskState::Ended(TaskOutcome::Succeeded) => "COMPLETED",
        TaskState::Ended(TaskOutcome::Failed) => "FAILED",
        TaskState::Ended(TaskOutcome::TimedOut) => "TIMED_OUT",
        TaskState::Ended(TaskOutcome::Cancelled) => "CANCELED",
        TaskState::Ended(TaskOutcome::Skipped) => "SKIPPED",
    }
}
