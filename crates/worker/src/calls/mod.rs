//! HTTP and HTTP_POLL, the calls of Conductor's definitions: made by the process that hosts their runs, on a thread of
//! their own that starts with the first of them.

mod egress;
mod http_task;
mod poll;
mod post;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{io, thread};

use partitur_model::dispatch::{Ending, HttpCall, ReportKind};
use partitur_model::record::TaskError;
use partitur_model::{AttemptId, Payload};
use partitur_script::Evaluator;
use reqwest::{Client, ClientBuilder, Url, redirect};
use tokio::runtime::Handle as Runtime;
use tokio::task::AbortHandle;

use crate::https;

use self::egress::Checked;
pub use self::egress::{Egress, REASONS, Refused, Rules};
use self::http_task::{Call, Called};
use self::poll::Rhythm;
pub use self::post::{Post, Posted};

const CONNECTIONS_MAX: usize = 100;
const IDLE: Duration = Duration::from_secs(30);
const REDIRECTS_MAX: usize = 5;

/// A call of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Whose.
    pub attempt: AttemptId,
    /// `HTTP` or `HTTP_POLL`.
    pub task_type: String,
    /// What is to be called, and how.
    pub input: Payload,
    /// Which round of the task this is, from 1.
    pub round: u32,
}

/// Calls in flight, and what makes them. Clones share them.
#[derive(Clone)]
pub struct Calls {
    egress: Arc<Egress>,
    evaluator: Evaluator,
    caller: Arc<OnceLock<Result<Caller, String>>>,
    /// One that follows no redirects.
    poster: Arc<OnceLock<Result<Client, String>>>,
    running: Arc<Mutex<HashMap<AttemptId, AbortHandle>>>,
}

/// One client for all calls, and the thread on which it works.
#[derive(Clone)]
struct Caller {
    runtime: Runtime,
    client: Client,
}

impl Calls {
    /// Makes calls as far as they may go.
    pub fn new(egress: impl Into<Arc<Egress>>, evaluator: Evaluator) -> Calls {
        Calls {
            egress: egress.into(),
            evaluator,
            caller: Arc::default(),
            poster: Arc::default(),
            running: Arc::default(),
        }
    }

    /// Whether tasks of this type are calls.
    pub fn makes(task_type: &str) -> bool {
        matches!(task_type, "HTTP" | "HTTP_POLL")
    }

    /// Makes a call; what becomes of it is told once, unless it is given up.
    pub fn start(&self, order: Order, tell: impl FnOnce(ReportKind) + Send + 'static) {
        let calls = self.clone();
        self.spawn(order.attempt, tell, move |client| async move { calls.perform(&client, &order).await });
    }

    /// Makes a call of a native document: as far as calls may go, and with what is told of them as for [`Calls::start`].
    pub fn start_native(
        &self,
        attempt: AttemptId,
        call: HttpCall,
        tell: impl FnOnce(ReportKind) + Send + 'static,
    ) {
        let egress = self.egress.clone();
        self.spawn(attempt, tell, move |client| async move {
            let url = Url::parse(&call.url).ok();
            if let Some(Err(refused)) = url.map(|url| egress.check_url(&url)) {
                return failed(TaskError::terminal("egress", refused.to_string()), None);
            }
            match crate::http::perform(&client, attempt, call).await {
                Ok(output) => ReportKind::Ended(Box::new(Ending::success(Some(output)))),
                Err(error) => failed(error, None),
            }
        });
    }

    fn spawn<P: Future<Output = ReportKind> + Send + 'static>(
        &self,
        attempt: AttemptId,
        tell: impl FnOnce(ReportKind) + Send + 'static,
        perform: impl FnOnce(Client) -> P + Send + 'static,
    ) {
        let caller = match self.caller() {
            Ok(caller) => caller,
            Err(why) => {
                let message = format!("no HTTP call can be made here: {why}");
                return tell(failed(TaskError::new("http-client", message), None));
            }
        };
        let (calls, client) = (self.clone(), caller.client);
        let call = caller.runtime.spawn(async move {
            let told = perform(client).await;
            calls.running().remove(&attempt);
            tell(told);
        });
        let mut running = self.running();
        if !call.is_finished() {
            running.insert(attempt, call.abort_handle());
        }
    }

    fn caller(&self) -> Result<Caller, String> {
        self.caller.get_or_init(|| caller(&self.egress).map_err(|error| error.to_string())).clone()
    }

    /// Gives up a call; nothing more is heard of it.
    pub fn stop(&self, attempt: AttemptId) {
        self.running().remove(&attempt).into_iter().for_each(|call| call.abort());
    }

    fn running(&self) -> MutexGuard<'_, HashMap<AttemptId, AbortHandle>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn perform(&self, client: &Client, order: &Order) -> ReportKind {
        let bad = |message| failed(TaskError::terminal("http-request", message), None);
        let rhythm = match order.task_type.as_str() {
            "HTTP_POLL" => Rhythm::read(&order.input).map(Some),
            _ => Ok(None),
        };
        let (rhythm, call) = match rhythm.and_then(|rhythm| Ok((rhythm, Call::read(&order.input)?))) {
            Ok(read) => read,
            Err(message) => return bad(message),
        };
        if let Err(refused) = self.egress.check_url(&call.url) {
            return failed(TaskError::terminal("egress", refused.to_string()), None);
        }
        match (call.perform(client, order.attempt).await, rhythm) {
            (Called::Failed { error, output }, _) => failed(error, output),
            (Called::Succeeded(output), None) => ReportKind::Ended(Box::new(Ending::success(Some(output)))),
            (Called::Succeeded(output), Some(rhythm)) => self.after_round(order, rhythm, output).await,
        }
    }

    /// One round of a poll is over: is it the last one?
    async fn after_round(&self, order: &Order, rhythm: Rhythm, output: Payload) -> ReportKind {
        let (sender, verdict) = tokio::sync::oneshot::channel();
        let seen = poll::seen(&order.input, &output);
        let run = order.attempt.run.number();
        self.evaluator.evaluate(run, "javascript", rhythm.condition.clone(), seen, |verdict| {
            // Whoever gave up the call does not wait for it.
            let _ = sender.send(verdict);
        });
        let unanswered = || Err(TaskError::new("script-unavailable", "the condition was not evaluated"));
        let verdict = verdict.await.unwrap_or_else(|_| unanswered());
        rhythm.judge(order.round, verdict, output)
    }
}

fn failed(error: TaskError, shown: Option<Payload>) -> ReportKind {
    ReportKind::Ended(Box::new(Ending { shown, ..Ending::failure(error) }))
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
    let client = client(egress).redirect(policy).build().map_err(io::Error::other)?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("partitur-calls".into()).spawn(move || {
        runtime.block_on(std::future::pending::<()>());
    })?;
    Ok(Caller { runtime: handle, client })
}

/// What both clients have in common: names are only resolved to addresses that may be reached.
fn client(egress: &Arc<Egress>) -> ClientBuilder {
    let client = https::client()
        .dns_resolver(Arc::new(Checked(egress.clone())))
        .pool_max_idle_per_host(CONNECTIONS_MAX)
        .pool_idle_timeout(IDLE);
    // A proxy would resolve names where nobody looks at their addresses.
    if egress.everywhere { client } else { client.no_proxy() }
}
