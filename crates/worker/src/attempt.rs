//! What every attempt has, whatever it does: a beginning, signs of life, an end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use partitur_model::dispatch::{Dispatch, Ending, Report, ReportKind, Service, Work};
use partitur_model::{AttemptId, Timestamp};

use crate::await_file::AwaitFile;
use crate::build::Ticket;
use crate::cache::Key;
use crate::executor::{Options, WorkerEvent};
use crate::jobserver::Place;
use crate::platform::Poller;
use crate::process::Process;
use crate::progress::{Throttle, Word};
use crate::run::Run;
use crate::service::Readiness;

/// A living attempt.
pub(crate) struct Attempt {
    pub id: AttemptId,
    pub started: Timestamp,
    pub doing: Doing,
    pub keep: Option<Keep>,
    /// With this its success is kept, if it is incremental.
    pub ticket: Option<Box<Ticket>>,
    beat: Option<Beat>,
    /// The wake-up that is already ordered.
    pub wake: Option<Instant>,
    /// What it holds of the places that are shared with what tasks start.
    pub place: Option<Place>,
    /// It is a service that is not up yet.
    pub readiness: Option<Readiness>,
    /// Between the request to end and the kill; what is usual if `None`.
    pub grace: Option<Duration>,
}

/// What an attempt does at the moment.
pub(crate) enum Doing {
    Process(Box<Process>),
    AwaitFile(AwaitFile),
    /// A call, on the thread for calls.
    Http,
    /// A call of a definition of Conductor's, on the thread of those.
    Call,
    /// An earlier result is looked for, on the thread of the cache or that of what was built.
    Searching,
    /// It has succeeded, and that is being kept before it is told.
    Keeping(Box<Ending>),
    /// Nothing yet: all places are taken, some perhaps by what other tasks have started.
    Queued,
}

/// How its success is kept for later.
pub(crate) struct Keep {
    pub key: Key,
    pub ttl: Duration,
    pub writes: Vec<String>,
}

/// Signs of life that we send for it.
struct Beat {
    every: Duration,
    next: Instant,
}

/// What an attempt works with.
pub(crate) struct Desk<'a> {
    pub options: &'a Options,
    pub poller: &'a Poller,
    pub run: &'a mut Run,
    pub events: &'a mut Vec<WorkerEvent>,
    pub scratch: &'a mut [u8],
    pub births: &'a Births,
}

/// When the processes that live were born, by attempt.
pub(crate) type Births = HashMap<u64, u64>;

/// What the dispatch says of a service, if it is one.
pub(crate) fn service_of(dispatch: &Dispatch) -> Option<&Service> {
    match &dispatch.work {
        Work::Process(process) if !dispatch.undo => process.service.as_deref(),
        Work::Process(_) | Work::Http(_) | Work::AwaitFile { .. } | Work::Remote { .. } => None,
    }
}

impl Attempt {
    pub fn new(dispatch: &Dispatch) -> Attempt {
        let beat = dispatch.heartbeat.filter(|_| !dispatch.heartbeat_by_child).map(|due| {
            let every = (due / 3).max(Duration::from_millis(1));
            Beat { every, next: Instant::now() + every }
        });
        Attempt {
            id: dispatch.attempt,
            started: crate::sink::now(),
            doing: Doing::Searching,
            keep: None,
            ticket: None,
            beat,
            wake: None,
            place: None,
            readiness: service_of(dispatch).map(Readiness::new),
            grace: service_of(dispatch).and_then(|service| service.grace),
        }
    }

    /// When it wants to be looked at again, whatever happens.
    pub fn next_wake(&self) -> Option<Instant> {
        let doing = match &self.doing {
            Doing::Process(process) => {
                process.next_wake().into_iter().chain(process.sink.throttle.due()).min()
            }
            Doing::AwaitFile(wait) => Some(wait.next_look()),
            Doing::Http | Doing::Call | Doing::Searching | Doing::Keeping(_) | Doing::Queued => None,
        };
        let ask = self.readiness.as_ref().and_then(Readiness::next_look);
        doing.into_iter().chain(ask).chain(self.beat.as_ref().map(|beat| beat.next)).min()
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Instant, desk: &mut Desk<'_>) -> Option<Ending> {
        if let Some(beat) = self.beat.as_mut().filter(|beat| beat.next <= now) {
            beat.next = now + beat.every;
            self.report(ReportKind::Alive, desk.events);
        }
        let ending = match &mut self.doing {
            Doing::Process(process) => process.on_time(now, desk),
            Doing::AwaitFile(wait) => wait.on_time(now),
            Doing::Http | Doing::Call | Doing::Searching | Doing::Keeping(_) | Doing::Queued => None,
        };
        self.pass_on_words(now, desk.events);
        ending
    }

    /// Reports what it has said about its progress, if that is due.
    pub fn pass_on_words(&mut self, now: Instant, events: &mut Vec<WorkerEvent>) {
        let word = self.throttle().and_then(|throttle| throttle.pop(now));
        self.pass_on(word, events);
    }

    /// Reports what it has said last, due or not: it is over.
    pub fn pass_on_last_word(&mut self, events: &mut Vec<WorkerEvent>) {
        let word = self.throttle().and_then(Throttle::pop_last);
        self.pass_on(word, events);
    }

    fn throttle(&mut self) -> Option<&mut Throttle> {
        match &mut self.doing {
            Doing::Process(process) => Some(&mut process.sink.throttle),
            Doing::AwaitFile(_)
            | Doing::Http
            | Doing::Call
            | Doing::Searching
            | Doing::Keeping(_)
            | Doing::Queued => None,
        }
    }

    fn pass_on(&self, word: Option<Word>, events: &mut Vec<WorkerEvent>) {
        match word {
            Some(Word::Progress(fraction, message)) => {
                self.report(ReportKind::Progress { fraction, message }, events)
            }
            Some(Word::Alive) => self.report(ReportKind::Alive, events),
            None => {}
        }
    }

    fn report(&self, what: ReportKind, events: &mut Vec<WorkerEvent>) {
        events.push(WorkerEvent::Report(Report { attempt: self.id, what }));
    }
}
