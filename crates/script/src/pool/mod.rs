//! Our side: helpers are started when there is something to do, asked in turns, and killed when they take too long.

mod helper;
mod pace;
mod queue;
mod turn;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use partitur_model::Payload;

use crate::error::{ScriptError, Subject};
use crate::platform::Bell;
use crate::{Request, SOURCE_MAX};
use turn::Dispatcher;

/// How a pool works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// So many helpers take requests as they come.
    pub helpers: usize,
    /// So many more may be busy with requests that take long. One owner has at most half of them.
    pub slow: usize,
    /// What a script may allocate, in bytes.
    pub memory: usize,
    /// No input is larger, in bytes.
    pub input_max: usize,
    /// No result is larger, in bytes.
    pub result_max: usize,
    /// No more requests wait.
    pub waiting_max: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            helpers: 2,
            slow: 4,
            memory: 32 << 20,
            input_max: 10 << 20,
            result_max: 10 << 20,
            waiting_max: 100_000,
        }
    }
}

/// What a pool has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that were answered, whatever the answer.
    pub answered: u64,
    /// Requests that took too long.
    pub timed_out: u64,
    /// Helpers that were started.
    pub helpers_started: u64,
}

/// Evaluates requests in helpers. Cheap until it is used: the first request starts the first helper.
pub struct Pool {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What is called with the outcome.
type Done = Box<dyn FnOnce(Result<Payload, ScriptError>) + Send>;

/// A request on its way.
struct Job {
    request: Request,
    done: Done,
    /// How many helpers have died while they were working on it.
    deaths: u32,
}

impl Job {
    /// Whether a helper has died of it, or by chance while it worked on it: the next try is alone, and tells.
    fn is_on_trial(&self) -> bool {
        self.deaths > 0
    }
}

/// What callers and the pool's thread share.
struct Shared {
    settings: Settings,
    letters: Mutex<Letters>,
    bell: Bell,
    answered: AtomicU64,
    timed_out: AtomicU64,
    helpers_started: AtomicU64,
}

#[derive(Default)]
struct Letters {
    jobs: Vec<Job>,
    /// How many have been submitted and not yet been handed to a helper.
    waiting: usize,
    /// The thread waits for the bell.
    is_asleep: bool,
    is_closed: bool,
}

impl Pool {
    /// A pool; its thread waits until there is something to do.
    ///
    /// # Errors
    /// The system gives no thread or no descriptor.
    pub fn new(settings: Settings) -> io::Result<Pool> {
        let shared = Arc::new(Shared {
            settings,
            letters: Mutex::default(),
            bell: Bell::new()?,
            answered: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
            helpers_started: AtomicU64::new(0),
        });
        let dispatcher = Dispatcher::new(shared.clone());
        let thread = thread::Builder::new().name("scripts".into()).spawn(move || dispatcher.run())?;
        Ok(Pool { shared, thread: Some(thread) })
    }

    /// Has a request evaluated; returns at once. `done` is called once, on the pool's thread: it should do no more
    /// than pass the outcome on. If too much waits already, or something is too large, it is called here.
    pub fn submit(&self, request: Request, done: impl FnOnce(Result<Payload, ScriptError>) + Send + 'static) {
        if request.source.len() > SOURCE_MAX {
            let (bytes, max) = (request.source.len(), SOURCE_MAX);
            return done(Err(ScriptError::TooLarge { subject: Subject::Source, bytes, max }));
        }
        let mut letters = self.shared.letters();
        if letters.waiting >= self.shared.settings.waiting_max {
            let waiting = letters.waiting;
            drop(letters);
            return done(Err(ScriptError::Busy { waiting }));
        }
        letters.jobs.push(Job { request, done: Box::new(done), deaths: 0 });
        letters.waiting += 1;
        if std::mem::take(&mut letters.is_asleep) {
            drop(letters);
            self.shared.bell.ring();
        }
    }

    /// Has a request evaluated, and waits for the outcome. Never to be called in a callback of [`Pool::submit`].
    ///
    /// # Errors
    /// There is no value.
    pub fn evaluate(&self, request: Request) -> Result<Payload, ScriptError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.submit(request, move |outcome| {
            // Whoever asked waits below.
            let _ = sender.send(outcome);
        });
        receiver.recv().unwrap_or_else(|_| Err(closed()))
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            answered: count(&self.shared.answered),
            timed_out: count(&self.shared.timed_out),
            helpers_started: count(&self.shared.helpers_started),
        }
    }
}

impl Drop for Pool {
    /// Kills the helpers; what is not answered by then is answered with [`ScriptError::Unavailable`].
    fn drop(&mut self) {
        self.shared.letters().is_closed = true;
        self.shared.bell.ring();
        if let Some(thread) = self.thread.take()
            // A callback may hold the last pool.
            && thread.thread().id() != thread::current().id()
        {
            // It ends in any case; what it panicked about has been said.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> ScriptError {
    ScriptError::Unavailable { reason: "the pool has ended".to_owned() }
}
