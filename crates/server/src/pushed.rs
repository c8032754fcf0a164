//! Work that this process does itself: calls over HTTP, on a thread of their own that starts with the first of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::{io, thread};

use partitur_engine::{Input, TaskName, Update, UpdateStatus};
use partitur_model::dispatch::{Dispatch, Ending, Report, ReportKind, Work};
use partitur_model::record::TaskError;
use partitur_model::{AttemptId, Payload};
use reqwest::{Client, redirect};
use tokio::runtime::Handle as Runtime;
use tokio::task::AbortHandle;

use crate::egress::{Checked, Egress};
use crate::http_task::{self, Called};

const CONNECTIONS_MAX: usize = 100;
const IDLE: std::time::Duration = std::time::Duration::from_secs(30);
const REDIRECTS_MAX: usize = 5;

/// Calls in flight, and what makes them.
#[derive(Clone)]
pub struct Pushed {
    egress: Arc<Egress>,
    caller: Arc<OnceLock<Result<Caller, String>>>,
    running: Arc<Mutex<HashMap<AttemptId, AbortHandle>>>,
}

/// One client for all calls, and the thread on which it works.
struct Caller {
    runtime: Runtime,
    client: Client,
}

impl Pushed {
    /// Makes calls as far as they may go.
    pub fn new(egress: Egress) -> Pushed {
        Pushed { egress: Arc::new(egress), caller: Arc::default(), running: Arc::default() }
    }

    /// Begins an attempt; what becomes of it is told once.
    pub(crate) fn start(&self, dispatch: Dispatch, tell: impl Fn(Input) + Send + 'static) {
        let attempt = dispatch.attempt;
        let (task_type, input) = match dispatch.work {
            Work::Remote { task_type, input } => (task_type, input),
            Work::Process(_) | Work::Http(_) | Work::AwaitFile { .. } => {
                let error =
                    TaskError::terminal("not-allowed", "this server executes no tasks of native documents");
                return tell(ended(attempt, Err(error)));
            }
        };
        match self.caller.get_or_init(|| caller(&self.egress).map_err(|error| error.to_string())) {
            Err(why) => {
                let message = format!("no HTTP call can be made here: {why}");
                tell(ended(attempt, Err(TaskError::new("http-client", message))));
            }
            Ok(caller) => {
                let (client, egress, running) =
                    (caller.client.clone(), self.egress.clone(), self.running.clone());
                let call = caller.runtime.spawn(async move {
                    let called = http_task::perform(&client, &egress, attempt, &task_type, &input).await;
                    lock(&running).remove(&attempt);
                    tell(said(attempt, called));
                });
                let mut running = lock(&self.running);
                if !call.is_finished() {
                    running.insert(attempt, call.abort_handle());
                }
            }
        }
    }

    /// Gives up a call; nothing more is heard of it.
    pub(crate) fn stop(&self, attempt: AttemptId) {
        lock(&self.running).remove(&attempt).into_iter().for_each(|call| call.abort());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ended(attempt: AttemptId, result: Result<Option<Payload>, TaskError>) -> Input {
    let ending = Ending { result, ..Ending::success(None) };
    Input::Report(Report { attempt, what: ReportKind::Ended(Box::new(ending)) })
}

/// A call that fails after an answer shows the answer: an update can say both, the end of an attempt cannot.
fn said(attempt: AttemptId, called: Called) -> Input {
    match called {
        Called::Succeeded(output) => ended(attempt, Ok(Some(output))),
        Called::Failed { error, output: None } => ended(attempt, Err(error)),
        Called::Failed { error, output: Some(output) } => Input::Update(Box::new(Update {
            run: attempt.run,
            task: TaskName::Seq(attempt.task),
            status: if error.retriable { UpdateStatus::Failed } else { UpdateStatus::FailedForGood },
            output: Some(output),
            merge: false,
            reason: Some(error.message),
            worker: None,
            logs: Vec::new(),
            then: None,
            reply: None,
        })),
    }
}

fn caller(egress: &Arc<Egress>) -> io::Result<Caller> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let checked = egress.clone();
    let policy = redirect::Policy::custom(move |attempt| {
        if attempt.previous().len() > REDIRECTS_MAX {
            return attempt.error("too many redirects");
        }
        match checked.check_url(attempt.url()) {
            Ok(()) => attempt.follow(),
            Err(refused) => attempt.error(refused),
        }
    });
    let client = Client::builder()
        .redirect(policy)
        .dns_resolver(Arc::new(Checked(egress.clone())))
        .no_proxy()
        .pool_max_idle_per_host(CONNECTIONS_MAX)
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("partitur/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(io::Error::other)?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("partitur-calls".into()).spawn(move || {
        runtime.block_on(std::future::pending::<()>());
    })?;
    Ok(Caller { runtime: handle, client })
}
