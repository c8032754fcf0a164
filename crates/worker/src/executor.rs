//! The executor: takes dispatches, keeps the attempts that live, and says what happens to them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use partitur_model::definition::OutputMode;
use partitur_model::dispatch::{Dispatch, Ending, Ready as Up, Report, ReportKind, Work};
use partitur_model::record::TaskError;
use partitur_model::{AttemptId, Payload, RawJson, RunId};

use crate::attempt::{Attempt, Desk, Doing, Keep, service_of};
use crate::await_file::AwaitFile;
use crate::build::{BuildContext, Decided, Decision, Keeper, Kept, Question, Reuse, Sealing, Ticket};
use crate::cache::{CacheOptions, CacheStats, CacheThread, Counters, Entry, Inputs, Lookup, Success};
use crate::calls::{Calls, Order};
use crate::http::{self, HttpThread};
use crate::inbox::{Inbox, Letter};
use crate::jobserver::{Jobserver, Places};
use crate::log::Stream;
use crate::platform::{self, DirWatch, Guard, Instance, Poller, Ready, Spawner, Waker};
use crate::private::Written;
use crate::process::{Process, Source};
use crate::run::{Run, RunContext};
use crate::sink::{Outlets, Sink, now};

/// What may be chosen about an executor.
#[derive(Clone)]
pub struct Options {
    /// So many bytes of an attempt's output are kept; the rest is read and dropped, and a note says so.
    pub output_bytes_max: u64,
    /// Between the request to stop and the kill.
    pub grace: Duration,
    /// After a process has exited, so long somebody else may still write to its output.
    pub drain: Duration,
    /// Where results are cached; nowhere if `None`, and then nothing is taken from a cache.
    pub cache: Option<CacheOptions>,
    /// What makes the calls of Conductor's definitions; without it they are refused.
    pub calls: Option<Calls>,
    /// How places are shared with what tasks start; not at all if `None`.
    pub jobserver: Option<Jobserver>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            output_bytes_max: 64 << 20,
            grace: Duration::from_secs(5),
            drain: Duration::from_millis(100),
            cache: None,
            calls: None,
            jobserver: None,
        }
    }
}

/// What an executor has to say.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerEvent {
    /// Something happened to an attempt.
    Report(Report),
    /// An attempt has written something; it is in the log already.
    Output {
        /// Which attempt.
        attempt: AttemptId,
        /// Where to.
        stream: Stream,
        /// What, secrets masked.
        bytes: Vec<u8>,
    },
    /// Whether an incremental task is executed, and why.
    Decided {
        /// The attempt that begins, or is spared.
        attempt: AttemptId,
        /// What, and why.
        decision: Decision,
    },
    /// Somebody used the [`Waker`].
    Woken,
    /// A descriptor of the owner's can be read.
    Readable(u64),
}

/// Executes attempts on this machine, driven by its owner's loop: nothing happens but in [`LocalExecutor::poll`].
///
/// Children die with the thread that started them, so the owner's thread has to live as long as they shall. Other
/// children of the owner that lead a session of their own are taken for strays unless [`spare_child`](crate::spare_child)
/// names them.
pub struct LocalExecutor {
    options: Options,
    poller: Poller,
    waker: Waker,
    spawner: Spawner,
    instance: Instance,
    /// Kills what we leave when we are killed. Started with the first run; without it, the next start has to look.
    guard: Option<Guard>,
    runs: HashMap<RunId, Run>,
    attempts: HashMap<u64, Attempt>,
    serials: HashMap<AttemptId, u64>,
    births: HashMap<u64, u64>,
    last_serial: u64,
    /// Wake-ups that were ordered; those of attempts that are over, or that have ordered another, mean nothing.
    timers: BinaryHeap<Reverse<(Instant, u64)>>,
    watched: HashMap<u64, Watched>,
    /// The private directories of the runs, where attempts write how far they are.
    dirs: DirWatch,
    /// What helper threads have to say.
    inbox: Inbox,
    /// Started by the first call.
    http: Option<HttpThread>,
    /// Started by the first task that may be cached.
    cache: Option<CacheThread>,
    cache_counters: Arc<Counters>,
    /// Started by the first incremental task.
    keeper: Option<Keeper>,
    /// Attempts for which an earlier result is looked for.
    searching: HashMap<u64, Dispatch>,
    /// Places that are shared with what tasks start.
    places: Option<Places>,
    /// Attempts that have none yet, in the order in which they came.
    queued: VecDeque<(u64, Dispatch)>,
    /// What will be handed out next.
    events: Vec<WorkerEvent>,
    ready: Vec<Ready>,
    scratch: Box<[u8]>,
}

/// A descriptor that belongs to no attempt.
struct Watched {
    tag: u64,
    /// Our copy, so that the owner may close its own without leaving a registration behind.
    fd: OwnedFd,
}

/// As much as a pipe holds.
const SCRATCH_BYTES: usize = 64 << 10;

/// Serial numbers that no attempt has.
const WAKER: u64 = 0;
const DIRS: u64 = 1;
const INBOX: u64 = 2;
const PLACES: u64 = 3;

const CALL_STOPPED: &str = "stopped while the call was under way: whether it had an effect is not known";

impl LocalExecutor {
    /// An executor without work.
    ///
    /// # Errors
    /// The system has no descriptors to give.
    pub fn new(options: Options) -> io::Result<LocalExecutor> {
        // Orphans of our children become ours, so that none escapes. Without it they are found by a longer search.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        let (poller, waker) = (Poller::new()?, Waker::new()?);
        let (dirs, inbox) = (DirWatch::new()?, Inbox::new()?);
        let places = options.jobserver.as_ref().map(Places::open).transpose()?;
        poller.add(&waker, Source::Exit.tag(WAKER))?;
        poller.add(&dirs, Source::Exit.tag(DIRS))?;
        poller.add(inbox.bell(), Source::Exit.tag(INBOX))?;
        Ok(LocalExecutor {
            options,
            poller,
            waker,
            spawner: Spawner::new(),
            instance: Instance::new(),
            guard: None,
            runs: HashMap::new(),
            attempts: HashMap::new(),
            serials: HashMap::new(),
            births: HashMap::new(),
            last_serial: PLACES,
            timers: BinaryHeap::new(),
            watched: HashMap::new(),
            dirs,
            inbox,
            http: None,
            cache: None,
            cache_counters: Arc::default(),
            keeper: None,
            searching: HashMap::new(),
            places,
            queued: VecDeque::new(),
            events: Vec::new(),
            ready: Vec::new(),
            scratch: vec![0; SCRATCH_BYTES].into_boxed_slice(),
        })
    }

    /// Tasks of this run will be executed here.
    ///
    /// # Errors
    /// Its log cannot be opened, or its private directory cannot be made.
    pub fn enter_run(&mut self, mut context: RunContext) -> io::Result<()> {
        let id = context.run;
        if let Some(places) = &self.places {
            let before = context.env.iter().rev().find(|(name, _)| name == "MAKEFLAGS");
            let flags = places.makeflags(before.map(|(_, flags)| flags.as_os_str()));
            context.env.extend(flags.map(|flags| ("MAKEFLAGS".into(), flags)));
        }
        if let Some(run) = self.runs.get_mut(&id) {
            run.leaving = false;
            return Ok(());
        }
        // Before there is anything that it would have to clear away.
        if self.guard.is_none() {
            self.guard = Guard::start(&self.instance).ok();
        }
        self.runs.insert(id, Run::new(context, &self.dirs, &self.instance)?);
        Ok(())
    }

    /// Tasks of this run that declare what they read and write are executed only if something has changed.
    pub fn build_incrementally(&mut self, run: RunId, context: BuildContext) {
        if let Some(run) = self.runs.get_mut(&run) {
            run.build = Some(context);
        }
    }

    /// The run has succeeded, and an equal one may be spared as long as nothing changes; `output` is what it yielded.
    pub fn seal(&mut self, run: RunId, seal: impl Into<Sealing>, output: Option<String>) {
        if let Some(run) = self.runs.get_mut(&run) {
            run.seal = Some((seal.into(), output));
        }
    }

    /// No further tasks of this run will be executed here. What still lives of it is killed.
    pub fn leave_run(&mut self, run: RunId) {
        let living: Vec<u64> = self
            .attempts
            .iter()
            .filter(|(_, attempt)| attempt.id.run == run)
            .map(|(serial, _)| *serial)
            .collect();
        for serial in living {
            self.stop_serial(serial, Duration::ZERO);
        }
        if let Some(left) = self.runs.get_mut(&run) {
            left.leaving = true;
            self.forget_run_if_left(run);
        }
    }

    /// Starts an attempt. If that fails, its end is reported like any other, with a code that begins with `start-`.
    /// One that lives already goes on.
    pub fn start(&mut self, dispatch: Dispatch) {
        let id = dispatch.attempt;
        if self.serials.contains_key(&id) {
            return;
        }
        let Some(run) = self.runs.get_mut(&id.run) else {
            let error = TaskError::terminal("start-run", "the run is not known to this worker");
            return self.report(id, ReportKind::Ended(Box::new(Ending::failure(error))));
        };
        run.live += 1;
        self.last_serial += 1;
        let serial = self.last_serial;
        self.attempts.insert(serial, Attempt::new(&dispatch));
        self.serials.insert(id, serial);
        let Some(dispatch) = self.ask(serial, dispatch) else { return };
        match self.may_be_cached(&dispatch) {
            true => self.search(serial, dispatch),
            false => self.begin(serial, &dispatch),
        }
    }

    /// Asks whether an incremental task has to be executed. Any other one is given back.
    fn ask(&mut self, serial: u64, dispatch: Dispatch) -> Option<Dispatch> {
        let id = dispatch.attempt;
        let run = self.runs.get_mut(&id.run).expect("a run outlives its attempts");
        let Some(context) = run.build.clone().filter(|_| !dispatch.undo) else { return Some(dispatch) };
        if self.keeper.is_none() {
            self.keeper = Keeper::start(self.inbox.mailbox.clone()).ok();
        }
        let place = (run.dir.as_path(), &run.environment);
        let asked = dispatch.build.as_ref().and_then(|asked| Question::of(&dispatch, asked, &context, place));
        match (asked, &self.keeper) {
            (Some(question), Some(keeper)) => {
                keeper.decide(serial, question);
                self.searching.insert(serial, dispatch);
                return None;
            }
            (None, Some(_)) if !dispatch.writes.is_empty() => {
                let (path, writes) = (&dispatch.path, &dispatch.writes);
                let ticket = Ticket::of_a_task_that_always_runs(&context, &run.dir, id.run, path, writes);
                self.attempts.get_mut(&serial).expect("inserted by `start`").ticket = Some(Box::new(ticket));
            }
            (_, Some(_) | None) => {}
        }
        run.others += 1;
        Some(dispatch)
    }

    fn may_be_cached(&self, dispatch: &Dispatch) -> bool {
        self.options.cache.is_some() && dispatch.cache.is_some() && !dispatch.undo
    }

    /// Looks for an earlier result first. Without a cache that works, the attempt begins at once.
    fn search(&mut self, serial: u64, dispatch: Dispatch) {
        if let (None, Some(options)) = (&self.cache, &self.options.cache) {
            let (counters, mailbox) = (self.cache_counters.clone(), self.inbox.mailbox.clone());
            self.cache = CacheThread::start(options.clone(), counters, mailbox).ok();
        }
        let run = self.runs.get(&dispatch.attempt.run).expect("a run outlives its attempts");
        match (&self.cache, &dispatch.cache) {
            (Some(cache), Some(request)) => {
                let inputs = Inputs {
                    material: request.material.clone(),
                    dir: run.dir.clone(),
                    reads: dispatch.reads.clone(),
                    writes: dispatch.writes.clone(),
                };
                cache.search(serial, inputs);
                self.searching.insert(serial, dispatch);
            }
            (None, _) | (_, None) => self.begin(serial, &dispatch),
        }
    }

    /// Begins with the work itself; a process needs a place, if these are shared.
    fn begin(&mut self, serial: u64, dispatch: &Dispatch) {
        let takes_place = matches!(dispatch.work, Work::Process(_)) && service_of(dispatch).is_none();
        if let (true, Some(places)) = (takes_place, &mut self.places) {
            let place = if self.queued.is_empty() { places.take() } else { None };
            let attempt = self.attempts.get_mut(&serial).expect("inserted by `start`");
            if place.is_none() {
                attempt.doing = Doing::Queued;
                self.queue(serial, dispatch.clone());
                return self.order_wake(serial);
            }
            attempt.place = place;
        }
        self.begin_work(serial, dispatch);
    }

    /// Waits for a place. Only while somebody does are we told of those that come free elsewhere.
    fn queue(&mut self, serial: u64, dispatch: Dispatch) {
        if let (true, Some(places)) = (self.queued.is_empty(), &self.places) {
            // Without it, the attempt begins when one of ours ends.
            let _ = self.poller.add(places, Source::Exit.tag(PLACES));
        }
        self.queued.push_back((serial, dispatch));
    }

    /// Begins what can now.
    fn begin_queued(&mut self) {
        while let (false, Some(places)) = (self.queued.is_empty(), &mut self.places) {
            let Some(place) = places.take() else { return };
            let (serial, dispatch) = self.queued.pop_front().expect("it is not empty");
            if self.queued.is_empty() {
                self.poller.remove(places);
            }
            self.attempts.get_mut(&serial).expect("what is over leaves the queue").place = Some(place);
            self.begin_work(serial, &dispatch);
        }
    }

    /// What has been stopped waits no longer.
    fn leave_queue(&mut self, serial: u64) {
        let waited = self.queued.len();
        self.queued.retain(|(queued, _)| *queued != serial);
        if let (true, Some(places)) = (waited > 0 && self.queued.is_empty(), &self.places) {
            self.poller.remove(places);
        }
    }

    fn begin_work(&mut self, serial: u64, dispatch: &Dispatch) {
        match self.doing(serial, dispatch) {
            Ok(doing) => {
                if let Doing::Process(process) = &doing {
                    self.births.insert(serial, process.born());
                }
                self.attempts.get_mut(&serial).expect("inserted by `start`").doing = doing;
                self.order_wake(serial);
                self.ask_whether_up(serial);
            }
            Err(error) => self.end(serial, Ending::failure(error)),
        }
    }

    fn doing(&mut self, serial: u64, dispatch: &Dispatch) -> Result<Doing, TaskError> {
        let run = self.runs.get_mut(&dispatch.attempt.run).expect("a run outlives its attempts");
        match &dispatch.work {
            Work::Process(work) => {
                let mut desk = Desk {
                    options: &self.options,
                    poller: &self.poller,
                    run,
                    events: &mut self.events,
                    scratch: &mut self.scratch,
                    births: &self.births,
                };
                let process = Process::start(dispatch, work, serial, &mut self.spawner, &mut desk)?;
                Ok(Doing::Process(Box::new(process)))
            }
            Work::AwaitFile { path } => Ok(Doing::AwaitFile(AwaitFile::new(run.dir.join(path)))),
            Work::Http(call) => {
                let http = self.http_thread()?;
                http.make(serial, dispatch.attempt, call.clone());
                Ok(Doing::Http)
            }
            Work::Remote { task_type, input, round } => match &self.options.calls {
                Some(calls) if Calls::makes(task_type) => {
                    let (task_type, input) = (task_type.clone(), input.clone());
                    let order = Order { attempt: dispatch.attempt, task_type, input, round: *round };
                    let mailbox = self.inbox.mailbox.clone();
                    calls.start(order, move |what| mailbox.send(Letter::Called { serial, what }));
                    Ok(Doing::Call)
                }
                Some(_) | None => {
                    let message = format!(
                        "tasks of type `{task_type}` need a worker, and none can reach this process: \
                         run it on a server (`partitur server`)"
                    );
                    Err(TaskError::terminal("no-worker", message))
                }
            },
        }
    }

    /// Ends an attempt gently: what lives of it after the grace is killed. Its end is reported when nothing of it
    /// lives any more.
    pub fn stop(&mut self, attempt: AttemptId) {
        if let Some(&serial) = self.serials.get(&attempt) {
            let grace = self.attempts.get(&serial).and_then(|attempt| attempt.grace);
            self.stop_serial(serial, grace.unwrap_or(self.options.grace));
        }
    }

    /// Ends all attempts at once.
    pub fn kill_all(&mut self) {
        let all: Vec<u64> = self.attempts.keys().copied().collect();
        for serial in all {
            self.stop_serial(serial, Duration::ZERO);
        }
    }

    fn stop_serial(&mut self, serial: u64, grace: Duration) {
        self.searching.remove(&serial);
        self.leave_queue(serial);
        let Some(attempt) = self.attempts.get_mut(&serial) else { return };
        let stopped = |message: &str| Some(Ending::failure(TaskError::new("stopped", message)));
        let ending = match &mut attempt.doing {
            Doing::Process(process) => {
                process.stop(grace, &self.births);
                None
            }
            // It has succeeded; that is about to be told.
            Doing::Keeping(_) => None,
            Doing::AwaitFile(_) => stopped("stopped while it waited for a file"),
            Doing::Searching | Doing::Queued => stopped("stopped before it began"),
            Doing::Http => {
                self.http.iter().for_each(|http| http.abort(serial));
                stopped(CALL_STOPPED)
            }
            Doing::Call => {
                self.options.calls.iter().for_each(|calls| calls.stop(attempt.id));
                stopped(CALL_STOPPED)
            }
        };
        match ending {
            Some(ending) => self.end(serial, ending),
            None => self.order_wake(serial),
        }
    }

    /// Waits until something happens, at most `timeout` (for ever if `None`), and appends what it was to `out`.
    ///
    /// # Errors
    /// The system refuses to wait.
    pub fn poll(&mut self, timeout: Option<Duration>, out: &mut Vec<WorkerEvent>) -> io::Result<()> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            self.begin_queued();
            self.flush_logs();
            if !self.events.is_empty() {
                out.append(&mut self.events);
                return Ok(());
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now)
                && self.next_timer().is_none_or(|timer| timer > now)
            {
                // One look that does not wait, so that a timeout of zero is a question and not a refusal.
                self.look(Some(Duration::ZERO))?;
                self.flush_logs();
                out.append(&mut self.events);
                return Ok(());
            }
            let until = deadline.into_iter().chain(self.next_timer()).min();
            self.look(until.map(|until| until.saturating_duration_since(now)))?;
        }
    }

    /// Makes a waiting [`poll`](LocalExecutor::poll) return with [`WorkerEvent::Woken`], from any thread.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Reports [`WorkerEvent::Readable`] with this tag as long as the descriptor can be read.
    ///
    /// # Errors
    /// The descriptor is none that can be waited for.
    pub fn watch_fd(&mut self, fd: BorrowedFd<'_>, tag: u64) -> io::Result<()> {
        self.last_serial += 1;
        let fd = fd.try_clone_to_owned()?;
        self.poller.add(&fd, Source::Exit.tag(self.last_serial))?;
        self.watched.insert(self.last_serial, Watched { tag, fd });
        Ok(())
    }

    /// Forgets a descriptor of the owner's.
    pub fn unwatch_fd(&mut self, tag: u64) {
        let poller = &self.poller;
        self.watched.retain(|_, watched| {
            if watched.tag == tag {
                poller.remove(&watched.fd);
            }
            watched.tag != tag
        });
    }

    /// How the cache has served so far.
    pub fn cache_stats(&self) -> CacheStats {
        self.cache_counters.read()
    }

    /// How many attempts live.
    pub fn live(&self) -> usize {
        self.attempts.len()
    }

    fn look(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        self.poller.wait(timeout, &mut ready)?;
        // First of all, so that what an attempt has left is known when its end is looked at.
        self.on_written();
        for Ready(tag) in ready.drain(..) {
            self.on_ready(tag);
        }
        self.ready = ready;
        self.fire_timers();
        Ok(())
    }

    fn on_ready(&mut self, tag: u64) {
        let (serial, source) = Source::of(tag);
        if serial == WAKER {
            self.waker.reset();
            self.events.push(WorkerEvent::Woken);
        } else if serial == DIRS || serial == PLACES {
            // They woke us; the ones were looked at before all others, the others will be before we wait again.
        } else if serial == INBOX {
            self.inbox.take().into_iter().for_each(|letter| self.on_letter(letter));
        } else if let Some(watched) = self.watched.get(&serial) {
            self.events.push(WorkerEvent::Readable(watched.tag));
        } else {
            self.with(serial, |attempt, desk| {
                let ending = match &mut attempt.doing {
                    Doing::Process(process) => process.on_ready(source, desk),
                    Doing::AwaitFile(_)
                    | Doing::Http
                    | Doing::Call
                    | Doing::Searching
                    | Doing::Keeping(_)
                    | Doing::Queued => None,
                };
                attempt.pass_on_words(Instant::now(), desk.events);
                ending
            });
        }
    }

    /// A helper thread has something to say; of attempts that are over by now nobody wants to know.
    fn on_letter(&mut self, letter: Letter) {
        match letter {
            Letter::Called { serial, what } => {
                if self.attempts.contains_key(&serial) {
                    self.is_called(serial, what);
                }
            }
            Letter::Decided { serial, decision, decided } => self.on_decided(serial, decision, decided),
            Letter::Kept { serial, is_kept } => self.on_kept(serial, is_kept),
            Letter::Asked { serial, up: true } => self.is_up(serial),
            Letter::Asked { serial, up: false } => {
                let attempt = self.attempts.get_mut(&serial);
                if let Some(readiness) = attempt.and_then(|attempt| attempt.readiness.as_mut()) {
                    readiness.is_not_up(Instant::now());
                    self.order_wake(serial);
                }
            }
            Letter::Searched { serial, found } => {
                let Some(dispatch) = self.searching.remove(&serial) else { return };
                match found {
                    Lookup::Hit(entry) => {
                        let Entry { result, output, .. } = *entry;
                        self.replay(serial, &dispatch, result, output);
                    }
                    Lookup::Miss(key) => {
                        let ttl = dispatch.cache.as_ref().map_or(Duration::ZERO, |cache| cache.ttl);
                        let keep = key.map(|key| Keep { key, ttl, writes: dispatch.writes.clone() });
                        self.attempts.get_mut(&serial).expect("searched for it").keep = keep;
                        self.begin(serial, &dispatch);
                    }
                }
            }
        }
    }

    /// An incremental task is executed, or an earlier success serves.
    fn on_decided(&mut self, serial: u64, decision: Decision, decided: Decided) {
        let Some(dispatch) = self.searching.remove(&serial) else { return };
        self.events.push(WorkerEvent::Decided { attempt: dispatch.attempt, decision });
        match decided {
            Decided::Reuse(Reuse { result, output }) => self.replay(serial, &dispatch, result, output),
            Decided::Run(ticket) => {
                if ticket.is_none() {
                    self.runs.get_mut(&dispatch.attempt.run).expect("a run outlives its attempts").others +=
                        1;
                }
                self.attempts.get_mut(&serial).expect("it was asked about").ticket = ticket;
                self.begin(serial, &dispatch);
            }
        }
    }

    /// A call is over; the task may go on with another one after a pause.
    fn is_called(&mut self, serial: u64, what: ReportKind) {
        match what {
            ReportKind::Ended(ending) => self.end(serial, *ending),
            ReportKind::Again { .. } => {
                let attempt = self.forget(serial);
                self.report(attempt.id, what);
                self.leave(attempt.id.run);
            }
            ReportKind::Alive | ReportKind::Progress { .. } | ReportKind::Serves => {}
        }
    }

    /// An earlier success serves: its output is logged once more, its result is the result.
    fn replay(
        &mut self,
        serial: u64,
        dispatch: &Dispatch,
        result: Option<RawJson>,
        output: Vec<(Stream, Vec<u8>)>,
    ) {
        let run = self.runs.get_mut(&dispatch.attempt.run).expect("a run outlives its attempts");
        let mut sink = Sink::new(dispatch.attempt, dispatch.number, None, OutputMode::None, u64::MAX);
        let mut outlets = Outlets { log: &mut run.log, events: &mut self.events };
        for (stream, bytes) in output {
            sink.emit(stream, bytes, &mut outlets);
        }
        let ending = Ending { cached: true, log: sink.span(), ..Ending::success(result.map(Payload::from)) };
        self.end(serial, ending);
    }

    /// Keeps a success for later.
    fn keep(&mut self, attempt: &Attempt, ending: &Ending) {
        let (Some(keep), Some(cache), Ok(result)) = (&attempt.keep, &self.cache, &ending.result) else {
            return;
        };
        let truncated = match &attempt.doing {
            Doing::Process(process) => process.sink.is_truncated(),
            Doing::AwaitFile(_)
            | Doing::Http
            | Doing::Call
            | Doing::Searching
            | Doing::Keeping(_)
            | Doing::Queued => false,
        };
        let run = self.runs.get_mut(&attempt.id.run).expect("a run outlives its attempts");
        if truncated || run.log.flush().is_err() {
            return;
        }
        cache.keep(Success {
            key: keep.key,
            ttl: keep.ttl,
            result: result.as_ref().map(Payload::to_raw),
            dir: run.dir.clone(),
            writes: keep.writes.clone(),
            log: run.log.path().to_owned(),
            span: ending.log,
            token: attempt.id.token,
        });
    }

    /// Keeps the success of an incremental task before anybody hears of it: who hears of it may change what it has left.
    /// Gives the ending back if there is nothing to wait for.
    fn keep_built(&mut self, serial: u64, ending: Ending) -> Option<Ending> {
        let attempt = self.attempts.get_mut(&serial).expect("only a living attempt ends");
        let run = self.runs.get_mut(&attempt.id.run).expect("a run outlives its attempts");
        let (Some(ticket), Some(keeper)) = (attempt.ticket.take(), &self.keeper) else { return Some(ending) };
        match &ending.result {
            Ok(result) if run.log.flush().is_ok() => {
                keeper.keep(Kept {
                    serial,
                    ticket,
                    result: result.as_ref().map(Payload::to_raw),
                    log: run.log.path().to_owned(),
                    span: ending.log,
                    token: attempt.id.token,
                });
                attempt.doing = Doing::Keeping(Box::new(ending));
                None
            }
            Ok(_) | Err(_) => {
                run.others += 1;
                Some(ending)
            }
        }
    }

    /// The success is kept, or cannot be.
    fn on_kept(&mut self, serial: u64, is_kept: bool) {
        let Some(attempt) = self.attempts.get_mut(&serial) else { return };
        let run = self.runs.get_mut(&attempt.id.run).expect("a run outlives its attempts");
        run.others += u64::from(!is_kept);
        if let Doing::Keeping(ending) = std::mem::replace(&mut attempt.doing, Doing::Searching) {
            self.end(serial, *ending);
        }
    }

    /// Attempts may have written files that are for us.
    fn on_written(&mut self) {
        let (mut speakers, runs) = (Vec::new(), &mut self.runs);
        let missed = self.dirs.read(|dir, name| match Written::of(name) {
            Some(Written::Progress(token)) => speakers.push((dir, token)),
            Some(Written::Output(token)) => {
                let run = runs.values_mut().find(|run| run.watch == Some(dir));
                run.and_then(|run| run.outputs.as_mut()).into_iter().for_each(|outputs| {
                    outputs.insert(token);
                });
            }
            None => {}
        });
        if missed {
            // From now on we look for ourselves.
            runs.values_mut().for_each(|run| run.outputs = None);
        }
        speakers.dedup();
        for (dir, token) in speakers {
            let of_dir = |id: &AttemptId| self.runs.get(&id.run).is_some_and(|run| run.watch == Some(dir));
            let speaker = self.serials.iter().find(|(id, _)| id.token == token && of_dir(id));
            let Some((_, &serial)) = speaker else { continue };
            self.with(serial, |attempt, desk| {
                if let Doing::Process(process) = &mut attempt.doing {
                    process.on_progress();
                }
                attempt.pass_on_words(Instant::now(), desk.events);
                None
            });
        }
    }

    fn fire_timers(&mut self) {
        let now = Instant::now();
        while self.next_timer().is_some_and(|timer| timer <= now) {
            let Some(Reverse((at, serial))) = self.timers.pop() else { return };
            self.with(serial, |attempt, desk| {
                if attempt.wake != Some(at) {
                    return None;
                }
                attempt.wake = None;
                attempt.on_time(now, desk)
            });
            self.ask_whether_up(serial);
        }
    }

    fn next_timer(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// Lets an attempt do something, and sees to what follows from it.
    fn with(&mut self, serial: u64, act: impl FnOnce(&mut Attempt, &mut Desk<'_>) -> Option<Ending>) {
        let Some(attempt) = self.attempts.get_mut(&serial) else { return };
        let said = self.events.len();
        let run = self.runs.get_mut(&attempt.id.run).expect("a run outlives its attempts");
        let mut desk = Desk {
            options: &self.options,
            poller: &self.poller,
            run,
            events: &mut self.events,
            scratch: &mut self.scratch,
            births: &self.births,
        };
        match act(attempt, &mut desk) {
            Some(ending) => self.end(serial, ending),
            None => {
                self.order_wake(serial);
                self.hear_services(serial, said);
            }
        }
    }

    /// A service that is not up yet is asked, if it is time.
    fn ask_whether_up(&mut self, serial: u64) {
        let Some(attempt) = self.attempts.get_mut(&serial) else { return };
        let Doing::Process(process) = &attempt.doing else { return };
        let asked = attempt.readiness.as_mut().and_then(|readiness| readiness.ask(Instant::now()));
        let question = match asked {
            None | Some(Up::Line(_)) => return,
            Some(Up::Started) => return self.is_up(serial),
            Some(Up::Command { argv, env }) => {
                let (leader, mailbox) = (process.leader(), self.inbox.mailbox.clone());
                let ask = move || {
                    let up = platform::says_yes(leader, &argv, &env);
                    mailbox.send(Letter::Asked { serial, up });
                };
                // Without a thread, nobody is asked, and the service is found not to be up in time.
                let _ = std::thread::Builder::new().name("partitur-ask".into()).spawn(ask);
                return;
            }
            Some(Up::Port(port)) => http::Question::Port(port),
            Some(Up::Http(url)) => http::Question::Http(url),
        };
        match self.http_thread() {
            Ok(http) => http.ask(serial, question),
            Err(_) => self.inbox.mailbox.send(Letter::Asked { serial, up: false }),
        }
    }

    /// The thread for calls, started by the first of them.
    fn http_thread(&mut self) -> Result<&HttpThread, TaskError> {
        if self.http.is_none() {
            let thread = HttpThread::start(self.inbox.mailbox.clone());
            self.http = Some(thread.map_err(|error| TaskError::new("http-client", error.to_string()))?);
        }
        Ok(self.http.as_ref().expect("started above"))
    }

    /// A service is up.
    fn is_up(&mut self, serial: u64) {
        let Some(attempt) = self.attempts.get_mut(&serial) else { return };
        if attempt.readiness.take().is_some() {
            let id = attempt.id;
            self.report(id, ReportKind::Serves);
        }
    }

    /// What services have written since may say that they are up.
    fn hear_services(&mut self, serial: u64, from: usize) {
        let Some(attempt) = self.attempts.get_mut(&serial) else { return };
        let Some(readiness) = &mut attempt.readiness else { return };
        let mut up = false;
        for event in &self.events[from.min(self.events.len())..] {
            if let WorkerEvent::Output { attempt: writer, bytes, .. } = event
                && *writer == attempt.id
            {
                up |= readiness.hears(bytes);
            }
        }
        if up {
            self.is_up(serial);
        }
    }

    fn order_wake(&mut self, serial: u64) {
        let Some(attempt) = self.attempts.get_mut(&serial) else { return };
        let wake = attempt.next_wake();
        if let Some(at) = wake.filter(|_| wake != attempt.wake) {
            self.timers.push(Reverse((at, serial)));
        }
        attempt.wake = wake;
    }

    fn end(&mut self, serial: u64, ending: Ending) {
        let Some(ending) = self.keep_built(serial, ending) else { return };
        let attempt = self.forget(serial);
        self.keep(&attempt, &ending);
        let ending = Ending { span: Some((attempt.started, now())), ..ending };
        self.report(attempt.id, ReportKind::Ended(Box::new(ending)));
        self.leave(attempt.id.run);
    }

    /// An attempt lives no longer.
    fn forget(&mut self, serial: u64) -> Attempt {
        let mut attempt = self.attempts.remove(&serial).expect("only a living attempt ends");
        attempt.pass_on_last_word(&mut self.events);
        if let (Some(place), Some(places)) = (attempt.place.take(), &mut self.places) {
            places.give(place);
        }
        self.serials.remove(&attempt.id);
        self.births.remove(&serial);
        attempt
    }

    /// One attempt fewer lives of this run.
    fn leave(&mut self, run: RunId) {
        self.runs.get_mut(&run).expect("a run outlives its attempts").live -= 1;
        self.forget_run_if_left(run);
    }

    fn forget_run_if_left(&mut self, id: RunId) {
        if let Some(run) = self.runs.get_mut(&id).filter(|run| run.leaving && run.live == 0) {
            // Nobody is left to hear of a failure.
            let _ = run.log.flush();
            let wish = run.take_wish(id);
            if let Some(keeper) = &self.keeper {
                keeper.left(id, wish);
            }
            self.runs.remove(&id);
        }
    }

    fn report(&mut self, attempt: AttemptId, what: ReportKind) {
        self.events.push(WorkerEvent::Report(Report { attempt, what }));
    }

    /// Before anything is handed out, what it refers to stands in the log.
    fn flush_logs(&mut self) {
        for run in self.runs.values_mut() {
            // A full disk stops no task: some megabytes wait for room, and what is more is missing in the log.
            let _ = run.log.flush();
        }
    }
}

impl Drop for LocalExecutor {
    fn drop(&mut self) {
        self.kill_all();
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut ignored = Vec::new();
        while self.live() > 0 && Instant::now() < deadline {
            if self.poll(Some(Duration::from_millis(50)), &mut ignored).is_err() {
                return;
            }
        }
        if self.live() == 0 {
            self.guard.iter().for_each(Guard::dismiss);
        }
    }
}
