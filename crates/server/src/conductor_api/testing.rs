//! `workflow/test`: a run without workers, whose tasks end as the request says.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use partitur_conductor::wire::{
    Entries, StartWorkflowRequest, TaskMock, TaskMocks, TaskResultStatus, WorkflowTestRequest,
};
use partitur_engine::TaskName;
use partitur_model::{RunId, TaskSeq};

use super::tasks::{by_name, status_named};
use super::{Shared, view};
use crate::app::App;
use crate::http::answer::{Answer, Error};
use crate::http::input::Json;
use crate::starting::start;

/// Nothing has changed for so long: no mock is left for what is open.
const STILL: Duration = Duration::from_millis(300);

/// Steps of one test.
const STEPS_MAX: usize = 10_000;

/// A domain that no worker serves.
const NOBODY: &str = "partitur-test-without-workers";

pub(crate) async fn test(State(app): Shared, Json(request): Json<WorkflowTestRequest>) -> Answer {
    let WorkflowTestRequest { start: request, mocks } = request;
    let domains = Entries(vec![("*".to_owned(), NOBODY.to_owned())]);
    let request = StartWorkflowRequest { task_to_domain: domains, ..request };
    let run = start(&app, request).await?;
    let changes = app.handle.changes(run)?;
    let mut used = HashMap::new();
    for _ in 0..STEPS_MAX {
        let (ended, moved) = feed(&app, run, &mocks, &mut used).await?;
        if ended {
            break;
        }
        if !moved && tokio::time::timeout(STILL, changes.notified()).await.is_err() {
            break;
        }
    }
    view::workflow(&app, run, true).await
}

/// An open task, and the run below it if it has one.
struct Open {
    seq: TaskSeq,
    reference: String,
    child: Option<RunId>,
}

type Used = HashMap<(RunId, String), usize>;

/// Whether the run has ended, and whether anything was ended now.
type Fed = Result<(bool, bool), Error>;

/// Ends what is open and has a mock.
fn feed<'a>(
    app: &'a Arc<App>,
    run: RunId,
    mocks: &'a TaskMocks,
    used: &'a mut Used,
) -> Pin<Box<dyn Future<Output = Fed> + Send + 'a>> {
    Box::pin(async move {
        let shared = app.clone();
        let found = app.reads.read(&app.handle, move |reader| {
            let Some(run) = view::run_of(reader, run)? else { return Ok(None) };
            let open = view::see_run(&shared, reader, &run, true, |view| {
                let open = view.tasks().filter(|(_, status)| !status.is_terminal());
                let open = open.map(|(task, _)| Open {
                    seq: task.seq,
                    reference: view.reference(task).into_owned(),
                    child: task.child,
                });
                open.collect::<Vec<_>>()
            });
            Ok(Some((run.state.is_ended(), open?)))
        });
        let Some((ended, open)) = found.await? else { return Ok((true, false)) };
        let mut moved = false;
        for task in open {
            if let (Some(child), Some(below)) =
                (task.child, mocks.sub_workflow_test_request.get(&task.reference))
            {
                moved |= feed(app, child, &below.mocks, used).await?.1;
                continue;
            }
            let Some(list) = mocks.task_ref_to_mock_output.get(&task.reference) else { continue };
            let at = used.entry((run, task.reference.clone())).or_default();
            let Some(mock) = list.get(*at) else { continue };
            *at += 1;
            moved |= end(app, run, task.seq, mock).await?;
        }
        Ok((ended, moved))
    })
}

async fn end(app: &App, run: RunId, task: TaskSeq, mock: &TaskMock) -> Result<bool, Error> {
    let status = match mock.status {
        TaskResultStatus::InProgress => "IN_PROGRESS",
        TaskResultStatus::Failed => "FAILED",
        TaskResultStatus::FailedWithTerminalError => "FAILED_WITH_TERMINAL_ERROR",
        TaskResultStatus::Completed => "COMPLETED",
        TaskResultStatus::Canceled => "CANCELED",
    };
    let update = by_name(run, TaskName::Seq(task), status_named(status)?, mock.output.0.clone(), None);
    match app.handle.update(update).await {
        Ok(_) => Ok(true),
        // Operators end by themselves.
        Err(crate::handle::NodeError::Refused(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
