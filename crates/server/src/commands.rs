//! Command tasks of native documents, where they are allowed: one thread starts the processes and waits for them.
//!
//! What may start is decided before; here it is done, and what becomes of it is told to the node.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use partitur_engine::Input;
use partitur_model::dispatch::{Dispatch, Ending, Report, ReportKind};
use partitur_model::record::TaskError;
use partitur_model::{AttemptId, RunId};
use partitur_worker::{LocalExecutor, Options, RunContext, Secrets, Waker, WorkerEvent};

use crate::handle::Message;

/// Where commands work, and where their output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workplace {
    /// Their directory.
    pub dir: PathBuf,
    /// The directory of the logs.
    pub logs: PathBuf,
}

/// What commands inherit of the environment of the server: nothing that may be secret.
const INHERITED: [&str; 8] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SHELL"];

/// The thread that executes commands. What lives of them dies with it.
pub(crate) struct Commands {
    orders: Option<Sender<Order>>,
    waker: Waker,
    living: Living,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    Start(Box<Dispatch>),
    Stop(AttemptId),
    Leave(RunId),
}

/// The attempts that live.
#[derive(Clone, Default)]
struct Living(Arc<Mutex<HashSet<AttemptId>>>);

impl Living {
    fn lock(&self) -> MutexGuard<'_, HashSet<AttemptId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Commands {
    /// Starts the thread.
    pub fn start(workplace: Workplace, messages: Sender<Message>) -> io::Result<Commands> {
        std::fs::create_dir_all(&workplace.dir)?;
        let (orders, incoming) = channel();
        let (ready, started) = channel();
        let living = Living::default();
        let shared = living.clone();
        let thread = thread::Builder::new().name("partitur-commands".into()).spawn(move || {
            // Children die with the thread that started them: the executor lives on this one.
            let executor = match LocalExecutor::new(Options::default()) {
                Ok(executor) => executor,
                Err(error) => return drop(ready.send(Err(error))),
            };
            // Whoever starts the thread waits for it.
            let _ = ready.send(Ok(executor.waker()));
            Desk { executor, incoming, workplace, messages, living: shared, entered: HashSet::new() }.work();
        })?;
        let waker = started.recv().map_err(|_| io::Error::other("the thread for commands has ended"))??;
        Ok(Commands { orders: Some(orders), waker, living, thread: Some(thread) })
    }

    /// Whether an attempt lives here.
    pub fn has(&self, attempt: AttemptId) -> bool {
        self.living.lock().contains(&attempt)
    }

    /// Starts an attempt; what becomes of it is told to the node.
    pub fn execute(&self, dispatch: Dispatch) {
        self.living.lock().insert(dispatch.attempt);
        self.order(Order::Start(Box::new(dispatch)));
    }

    /// Ends an attempt; its end is told when nothing of it lives.
    pub fn stop(&self, attempt: AttemptId) {
        self.order(Order::Stop(attempt));
    }

    /// The run has ended.
    pub fn leave(&self, run: RunId) {
        self.order(Order::Leave(run));
    }

    fn order(&self, order: Order) {
        let orders = self.orders.as_ref().expect("they are taken away at the end only");
        // A thread that has ended is started anew with the process.
        let _ = orders.send(order);
        self.waker.wake();
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        self.orders = None;
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // If it has panicked, the executor is gone all the same.
            let _ = thread.join();
        }
    }
}

/// The thread itself.
struct Desk {
    executor: LocalExecutor,
    incoming: Receiver<Order>,
    workplace: Workplace,
    messages: Sender<Message>,
    living: Living,
    entered: HashSet<RunId>,
}

impl Desk {
    fn work(mut self) {
        let mut events = Vec::new();
        // An executor that cannot wait can do nothing more.
        while self.executor.poll(None, &mut events).is_ok() {
            for event in events.drain(..) {
                match event {
                    WorkerEvent::Report(report) => self.tell(report),
                    WorkerEvent::Woken => {}
                    // It stands in the log; nothing else was watched.
                    WorkerEvent::Output { .. } | WorkerEvent::Decided { .. } | WorkerEvent::Readable(_) => {}
                }
            }
            if !self.obey() {
                return;
            }
        }
    }

    /// Does what was ordered; whether there may be more.
    fn obey(&mut self) -> bool {
        loop {
            match self.incoming.try_recv() {
                Ok(Order::Start(dispatch)) => self.begin(*dispatch),
                Ok(Order::Stop(attempt)) => self.executor.stop(attempt),
                Ok(Order::Leave(run)) => {
                    if self.entered.remove(&run) {
                        self.executor.leave_run(run);
                    }
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn begin(&mut self, dispatch: Dispatch) {
        let (attempt, run) = (dispatch.attempt, dispatch.attempt.run);
        match self.executor.enter_run(self.context(run)) {
            Ok(()) => {
                self.entered.insert(run);
                self.executor.start(dispatch);
            }
            Err(error) => {
                let error = TaskError::new("start-run", format!("the run cannot work here: {error}"));
                let what = ReportKind::Ended(Box::new(Ending::failure(error)));
                self.tell(Report { attempt, what });
            }
        }
    }

    fn context(&self, run: RunId) -> RunContext {
        let inherited =
            INHERITED.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
        RunContext {
            run,
            dir: self.workplace.dir.clone(),
            env: inherited.collect(),
            log: self.workplace.logs.join(format!("{}.log", run.number())),
            secrets: Arc::new(NoSecrets),
        }
    }

    fn tell(&self, report: Report) {
        if matches!(report.what, ReportKind::Ended(_) | ReportKind::Again { .. }) {
            self.living.lock().remove(&report.attempt);
        }
        // Without a node, the next start begins the attempt anew.
        let _ = self.messages.send(Message::Input(Input::Report(report), None));
    }
}

/// A server has none.
struct NoSecrets;

impl Secrets for NoSecrets {
    fn get(&self, _: &str) -> Option<String> {
        None
    }
}
