//! What a run that follows a failure is given.

use partitur_model::record::{RunRecord, RunState, TaskRecord};
use partitur_model::{Payload, TaskId};

use crate::render::{Renderer, reason, workflow_status};

/// The input of the run that failed, and all that is to be said about it. Its end waits for what follows it: it is told as it
/// will stand then.
pub fn failure_input(input: &Payload, run: &RunRecord, tasks: &[TaskRecord], renderer: &Renderer) -> Payload {
    let run = RunRecord { state: ended(run.state), ..run.clone() };
    let view = renderer.run(&run, tasks);
    let failed = view.tasks().filter(|(_, status)| status.is_terminal() && !status.is_successful()).last();
    let failed_id = failed.map(|(task, _)| Payload::string(&TaskId::new(task.run, task.seq).to_string()));
    let mut whole = String::new();
    view.write_workflow(true, &mut whole);
    let said = [
        ("workflowId", Some(Payload::string(&run.id.to_string()))),
        ("reason", reason(&run).map(Payload::string)),
        ("failureStatus", Some(Payload::string(workflow_status(run.state).as_str()))),
        ("failureTaskId", failed_id),
        ("failedWorkflow", Payload::parse(&whole).ok()),
    ];
    let mut entries = input.entries().unwrap_or_default();
    for (name, value) in said {
        entries.retain(|(known, _)| &**known != name);
        entries.push((name.into(), value.unwrap_or_default()));
    }
    Payload::Object(entries.into())
}

fn ended(state: RunState) -> RunState {
    match state {
        RunState::Ending(outcome) => RunState::Ended(outcome),
        other @ (RunState::Running | RunState::Paused | RunState::RollingBack(_) | RunState::Ended(_)) => {
            other
        }
    }
}
