//! What happens, as the lines of a trace.

use partitur_engine::{Effect, Input};
use partitur_model::change::Change;

use crate::rows::is_past;

pub fn brief(input: &Input) -> String {
    match input {
        Input::Submit(submission) => {
            format!("submit {} {:?}", submission.definition.name, submission.options)
        }
        other => {
            let mut text = format!("{other:?}");
            text.truncate(400);
            text
        }
    }
}

pub fn brief_changes(changes: &[Change]) -> String {
    let brief = |change: &Change| match change {
        Change::Task(task) => {
            let (run, seq, past) = (task.run.number(), task.seq.0, is_past(task));
            format!("{run}/{seq} {} {:?}{}", task.path, task.state, if past { " (past)" } else { "" })
        }
        Change::Run(run) => format!("{} {:?}", run.id.number(), run.state),
        Change::RemoveTask(run, seq) => format!("{}/{} is gone", run.number(), seq.0),
        Change::RemoveRun(run) => format!("{} is gone", run.number()),
        Change::Node(_)
        | Change::Definition(_)
        | Change::Breaker(_)
        | Change::Entry(_)
        | Change::Note(_)
        | Change::Log(..) => "other".to_owned(),
    };
    changes.iter().map(brief).collect::<Vec<String>>().join(", ")
}

pub fn brief_effect(effect: &Effect) -> String {
    match effect {
        Effect::Dispatch { dispatch, after } => format!(
            "dispatch {:?} {} number {} undo {} after {after:?} claims {:?}",
            dispatch.attempt, dispatch.path, dispatch.number, dispatch.undo, dispatch.claims
        ),
        other => format!("{other:?}"),
    }
}
