//! What a terminal has: it hosts or it has joined, and it need not know which.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use partitur_api::{Command, Event, Request, Response, Status, Submit};
use partitur_engine::admission::{self, CriticalPath, Fifo, LongestFirst, ShortestFirst};
use partitur_model::record::{RunRecord, TaskRecord};
use partitur_runtime::{OpenError, ShardError};
use partitur_store::{StateDir, StoreError};
use partitur_worker::Eviction;

use super::context::env_to_wire;
use super::document::Loaded;
use super::feed::Follower;
use super::guest::Guest;
use super::server::{Host, Own, Readiness};

/// How a session is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The state directory; created if there is none.
    pub state_dir: PathBuf,
    /// How many attempts may live at once, if this process hosts.
    pub concurrency: u32,
    /// Whether what is acknowledged survives a power cut, and not only the end of the process.
    pub durable: bool,
    /// How long changes may gather that nobody waits for.
    pub gather: Duration,
    /// In which order ready tasks start, if this process hosts.
    pub order: Scheduler,
    /// Whether the places are shared with the make, cargo and ninja that tasks start, if this process hosts. Places of a
    /// make that started this process are shared whatever this says.
    pub jobserver: bool,
    /// Which cached results go first when there are too many, if this process hosts.
    pub eviction: Eviction,
    /// The secrets that this terminal's runs may use: name and value.
    pub secrets: Vec<(String, String)>,
}

impl Settings {
    /// A state directory with the defaults: ten at once, safe against the end of the process.
    pub fn new(state_dir: impl Into<PathBuf>) -> Settings {
        Settings {
            state_dir: state_dir.into(),
            concurrency: 10,
            durable: false,
            gather: Duration::from_millis(10),
            order: Scheduler::CriticalPath,
            jobserver: false,
            eviction: Eviction::default(),
            secrets: Vec::new(),
        }
    }
}

/// In which order ready tasks of one class start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheduler {
    /// The longest remaining path first.
    #[default]
    CriticalPath,
    /// As they became ready.
    Fifo,
    /// The longest task first.
    LongestFirst,
    /// The shortest task first.
    ShortestFirst,
}

impl Scheduler {
    pub(crate) fn admission(self) -> admission::Options {
        let order: Box<dyn admission::Order> = match self {
            Scheduler::CriticalPath => Box::new(CriticalPath),
            Scheduler::Fifo => Box::new(Fifo),
            Scheduler::LongestFirst => Box::new(LongestFirst),
            Scheduler::ShortestFirst => Box::new(ShortestFirst),
        };
        admission::Options { order, ..admission::Options::default() }
    }
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The state directory or its database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored cannot be taken up.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The host cannot go on.
    #[error(transparent)]
    Shard(ShardError),
    /// The machine.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is refused, and nothing has changed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The host has gone, and nobody could take over.
    #[error("the process that hosts {0} has gone, and no other could take its place")]
    NoHost(PathBuf),
}

impl HostError {
    /// Whether the host went away while it was asked: another can be asked, or takes its place.
    pub fn is_host_gone(&self) -> bool {
        match self {
            HostError::Io(error) => matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::NotConnected
                    | io::ErrorKind::ConnectionAborted
            ),
            HostError::Store(_)
            | HostError::Open(_)
            | HostError::Shard(_)
            | HostError::Refused(_)
            | HostError::NoHost(_) => false,
        }
    }
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// For people.
    pub message: String,
    /// What is wrong with a submission: code, message, hint.
    pub faults: Vec<(String, String, Option<String>)>,
}

/// A run was accepted, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its number.
    pub run: u64,
    /// Its id.
    pub id: String,
    /// An equal submission was there already.
    pub duplicate: bool,
}

/// Something for whoever follows a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Something happened.
    Event(Event),
    /// Time has passed; this is how things stand.
    Pulse(Box<Status>),
    /// The process was asked to end, so many times.
    Interrupted(u32),
    /// The host has died, and this process has taken its place.
    TakenOver,
    /// Nothing goes on, for this reason; without one, all is well again. Only who hosts is told.
    Trouble(Option<String>),
    /// The run has ended, but other terminals' runs are still hosted here.
    Hosting {
        /// How many terminals have joined.
        terminals: usize,
    },
}

/// How following ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The run has ended.
    Ended,
    /// The process was asked twice to end: attempts were killed, and the run can be resumed.
    Left,
}

/// A terminal's part in a state directory.
pub struct Session {
    settings: Settings,
    state: StateDir,
    side: Side,
}

enum Side {
    Host(Box<Host>),
    Guest(Guest),
}

/// So often joining is tried while a host is coming up or going down: somebody who clears away what a dead host has left
/// needs seconds, and whoever holds the lock lives.
const JOIN_TRIES: u32 = 1200;
const JOIN_PAUSE: Duration = Duration::from_millis(25);

/// A request to a disk that refuses to write for so long is refused.
const REFUSED_AFTER: Duration = Duration::from_secs(2);

/// Without anything to draw, the loop still looks around this often.
const IDLE: Duration = Duration::from_millis(500);

impl Session {
    /// Hosts the directory, going on with the unfinished runs in `adopt`, or joins the host that is there and asks it to.
    ///
    /// # Errors
    /// If neither can be done.
    pub fn enter(settings: Settings, adopt: &[u64]) -> Result<Session, HostError> {
        let state = StateDir::open(&settings.state_dir)?;
        let side = Side::enter(&settings, &state, adopt)?;
        let mut session = Session { settings, state, side };
        let requests = adopt.iter().map(|&run| session.adoption(run)).collect::<Vec<_>>();
        session.insist(adopt, &requests)?;
        Ok(session)
    }

    /// Joins the host that is there, if one is.
    ///
    /// # Errors
    /// If the directory cannot be used.
    pub fn join(settings: &Settings) -> Result<Option<Session>, HostError> {
        if !settings.state_dir.exists() {
            return Ok(None);
        }
        let state = StateDir::open(&settings.state_dir)?;
        match Guest::join(&state.path().join("host.sock")) {
            Ok(guest) => Ok(Some(Session { settings: settings.clone(), state, side: Side::Guest(guest) })),
            Err(_) => Ok(None),
        }
    }

    /// Whether this process hosts.
    pub fn is_host(&self) -> bool {
        matches!(self.side, Side::Host(_))
    }

    /// Starts a run and follows it from its first event on; [`Session::follow`] tells them.
    ///
    /// # Errors
    /// [`HostError::Refused`] with every fault of the submission.
    pub fn submit(&mut self, submit: Submit) -> Result<Accepted, HostError> {
        match self.ask(Request::Submit(Box::new(submit)))? {
            Response::Accepted { run, id, duplicate } => Ok(Accepted { run, id, duplicate }),
            other => Err(unexpected(other)),
        }
    }

    /// The document of a submission is compiled already: if this process hosts, it is not compiled again.
    pub fn lend(&mut self, document: &Loaded) {
        match &mut self.side {
            Side::Host(host) => host.lend(document.record.id, document.program.clone()),
            Side::Guest(_) => {}
        }
    }

    /// Does something to a run; returns when it is durable.
    ///
    /// # Errors
    /// [`HostError::Refused`] if the run is unknown or in the wrong state.
    pub fn command(&mut self, run: u64, command: Command) -> Result<(), HostError> {
        self.done(Request::Command { run, command })
    }

    /// Closes a breaker by hand.
    ///
    /// # Errors
    /// [`HostError::Refused`] if there is none of this name.
    pub fn reset_breaker(&mut self, name: &str) -> Result<(), HostError> {
        self.done(Request::ResetBreaker { name: name.to_owned() })
    }

    /// A run and its tasks as they are stored, out of memory: only if this process hosts it, and nothing of it is on
    /// its way to the disk.
    pub fn rows(&self, run: u64) -> Option<(RunRecord, Vec<TaskRecord>)> {
        match &self.side {
            Side::Host(host) => host.rows(run),
            Side::Guest(_) => None,
        }
    }

    /// How things stand.
    ///
    /// # Errors
    /// If the host cannot be asked.
    pub fn status(&mut self) -> Result<Status, HostError> {
        match self.ask(Request::Status)? {
            Response::Status(status) => Ok(*status),
            other => Err(unexpected(other)),
        }
    }

    /// Tells what happens to a run until it has ended; as host, until every run that is hosted here has. With `pulse`,
    /// the state of the host comes that often too.
    ///
    /// Asked to end by a signal, the run is cancelled; asked again, its attempts are killed and the process may leave.
    /// If the host dies, this process takes its place or joins the one that did.
    ///
    /// # Errors
    /// If the host cannot go on, or the run is unknown.
    pub fn follow(
        &mut self,
        run: u64,
        pulse: Option<Duration>,
        tell: &mut dyn FnMut(Notice),
    ) -> Result<Followed, HostError> {
        match self.done(Request::Follow { run }) {
            Err(error) if self.has_lost_host(&error) => self.take_over(run, tell)?,
            done => done?,
        }
        loop {
            let end = match &mut self.side {
                Side::Host(host) => follow_here(host, run, pulse, tell)?,
                Side::Guest(guest) => follow_there(guest, run, pulse, tell)?,
            };
            match end {
                Some(followed) => return Ok(followed),
                None => self.take_over(run, tell)?,
            }
        }
    }

    /// The host has gone: whoever is first hosts, the others join.
    fn take_over(&mut self, run: u64, tell: &mut dyn FnMut(Notice)) -> Result<(), HostError> {
        self.side = Side::enter(&self.settings, &self.state, &[run])?;
        self.insist(&[run], &[self.adoption(run), Request::Follow { run }])?;
        tell(Notice::TakenOver);
        Ok(())
    }

    fn adoption(&self, run: u64) -> Request {
        Request::Adopt { run, env: env_to_wire(), secrets: self.settings.secrets.clone() }
    }

    /// Asks for what may be asked for twice. If the host goes before it has answered, its successor is asked: a socket
    /// may still take somebody in when the process behind it is about to die.
    fn insist(&mut self, adopt: &[u64], requests: &[Request]) -> Result<(), HostError> {
        let mut tries = 0;
        while let Err(error) = requests.iter().try_for_each(|request| self.done(request.clone())) {
            tries += 1;
            if !self.has_lost_host(&error) || tries == JOIN_TRIES {
                return Err(error);
            }
            std::thread::sleep(JOIN_PAUSE);
            self.side = Side::enter(&self.settings, &self.state, adopt)?;
        }
        Ok(())
    }

    /// Whether this means that the host that was joined has gone.
    fn has_lost_host(&self, error: &HostError) -> bool {
        !self.is_host() && error.is_host_gone()
    }

    fn done(&mut self, request: Request) -> Result<(), HostError> {
        match self.ask(request)? {
            Response::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    fn ask(&mut self, request: Request) -> Result<Response, HostError> {
        match &mut self.side {
            Side::Host(host) => ask_here(host, request),
            Side::Guest(guest) => Ok(guest.ask(&request)?),
        }
    }
}

/// What the tasks of a run inherit from this process, for [`Submit::env`].
pub fn environment() -> Vec<(Vec<u8>, Vec<u8>)> {
    env_to_wire()
}

impl Side {
    fn enter(settings: &Settings, state: &StateDir, adopt: &[u64]) -> Result<Side, HostError> {
        for _ in 0..JOIN_TRIES {
            if let Some(lock) = state.try_host()? {
                let (host, _) = Host::open(settings, state.clone(), lock, adopt)?;
                return Ok(Side::Host(Box::new(host)));
            }
            // Somebody hosts: it may be about to listen, or about to go.
            if let Ok(guest) = Guest::join(&state.path().join("host.sock")) {
                return Ok(Side::Guest(guest));
            }
            std::thread::sleep(JOIN_PAUSE);
        }
        Err(HostError::NoHost(state.path().to_owned()))
    }
}

fn unexpected(response: Response) -> HostError {
    match response {
        Response::Refused { message, faults } => Refused { message, faults }.into(),
        other => io::Error::other(format!("the host answered something else: {other:?}")).into(),
    }
}

fn ask_here(host: &mut Host, request: Request) -> Result<Response, HostError> {
    host.request(Follower::Own, request);
    let (mut others, asked) = (Vec::new(), Instant::now());
    let answer = loop {
        match host.next_own() {
            Some(Own::Answer(answer)) => break answer,
            Some(other) => others.push(other),
            None => host.turn(IDLE)?,
        }
        // Nothing of it is on the disk, and whoever asks has seen nothing yet: better an answer than none.
        if let Some(error) = host.refuses_to_write().filter(|_| asked.elapsed() > REFUSED_AFTER) {
            return Err(error.clone().into());
        }
    };
    host.put_back(others);
    Ok(answer)
}

fn follow_here(
    host: &mut Host,
    run: u64,
    pulse: Option<Duration>,
    tell: &mut dyn FnMut(Notice),
) -> Result<Option<Followed>, HostError> {
    let mut interrupts = host.interrupted();
    let mut last_pulse = Instant::now();
    let mut ended = false;
    let mut told_hosting = false;
    let mut trouble = None;
    loop {
        while let Some(own) = host.next_own() {
            match own {
                Own::Event(event) => tell(Notice::Event(event)),
                Own::Ended(number) => ended |= number == run,
                Own::Answer(_) => {}
            }
        }
        if ended && host.readiness() == Readiness::Idle {
            return Ok(Some(Followed::Ended));
        }
        if ended && !told_hosting && host.joined() > 0 {
            told_hosting = true;
            tell(Notice::Hosting { terminals: host.joined() });
        }
        if host.trouble() != trouble {
            trouble = host.trouble();
            tell(Notice::Trouble(trouble.clone()));
        }
        if host.interrupted() > interrupts {
            interrupts = host.interrupted();
            tell(Notice::Interrupted(interrupts));
            if interrupts > 1 || ended {
                return leave(host, tell);
            }
            let reason = "interrupted".to_owned();
            host.request(Follower::Own, Request::Command { run, command: Command::Cancel { reason } });
        }
        if let Some(pulse) = pulse
            && last_pulse.elapsed() >= pulse
        {
            last_pulse = Instant::now();
            tell(Notice::Pulse(Box::new(host.status())));
        }
        host.turn(pulse.unwrap_or(IDLE).min(IDLE))?;
    }
}

/// Ends every attempt at once, and waits a moment for their ends to be written.
fn leave(host: &mut Host, tell: &mut dyn FnMut(Notice)) -> Result<Option<Followed>, HostError> {
    host.kill_all();
    let until = Instant::now() + Duration::from_secs(2);
    while host.readiness() == Readiness::Busy && Instant::now() < until {
        host.turn(Duration::from_millis(20))?;
        while let Some(own) = host.next_own() {
            if let Own::Event(event) = own {
                tell(Notice::Event(event));
            }
        }
    }
    Ok(Some(Followed::Left))
}

/// `None` if the host has gone.
fn follow_there(
    guest: &mut Guest,
    run: u64,
    pulse: Option<Duration>,
    tell: &mut dyn FnMut(Notice),
) -> Result<Option<Followed>, HostError> {
    let interrupts = GuestInterrupts::listen()?;
    let mut seen = 0;
    let mut last_pulse = Instant::now();
    loop {
        match guest.next(pulse.unwrap_or(IDLE).min(Duration::from_millis(100))) {
            Ok(Some(Response::Event(event))) => tell(Notice::Event(event)),
            Ok(Some(Response::Status(status))) => tell(Notice::Pulse(status)),
            Ok(Some(Response::End { run: number })) if number == run => return Ok(Some(Followed::Ended)),
            Ok(Some(Response::Refused { message, faults })) => return Err(Refused { message, faults }.into()),
            Ok(Some(Response::Accepted { .. } | Response::Done | Response::End { .. }) | None) => {}
            Err(_) => return Ok(None),
        }
        let count = interrupts.count();
        if count > seen {
            seen = count;
            tell(Notice::Interrupted(count));
            if count > 1 {
                return Ok(Some(Followed::Left));
            }
            let reason = "interrupted".to_owned();
            if guest.send(&Request::Command { run, command: Command::Cancel { reason } }).is_err() {
                return Ok(None);
            }
        }
        if let Some(pulse) = pulse
            && last_pulse.elapsed() >= pulse
        {
            last_pulse = Instant::now();
            if guest.send(&Request::Status).is_err() {
                return Ok(None);
            }
        }
    }
}

/// Signals that ask a terminal that has joined to end.
struct GuestInterrupts {
    counter: std::sync::Arc<std::sync::atomic::AtomicUsize>,
    hooks: Vec<signal_hook::SigId>,
}

impl GuestInterrupts {
    fn listen() -> io::Result<GuestInterrupts> {
        let counter = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let mut hooks = Vec::new();
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP]
        {
            let (incoming, outgoing) = std::os::unix::net::UnixStream::pair()?;
            hooks.push(signal_hook::low_level::pipe::register(signal, outgoing)?);
            count_on_a_thread(incoming, counter.clone());
        }
        Ok(GuestInterrupts { counter, hooks })
    }

    fn count(&self) -> u32 {
        self.counter.load(std::sync::atomic::Ordering::Relaxed) as u32
    }
}

impl Drop for GuestInterrupts {
    fn drop(&mut self) {
        for &hook in &self.hooks {
            signal_hook::low_level::unregister(hook);
        }
    }
}

fn count_on_a_thread(
    mut incoming: std::os::unix::net::UnixStream,
    counter: std::sync::Arc<std::sync::atomic::AtomicUsize>,
) {
    std::thread::spawn(move || {
        use std::io::Read;
        let mut byte = [0];
        while incoming.read_exact(&mut byte).is_ok() {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
}
