//! An attempt that is a process: from its start until nothing of it lives.
//!
//! It is over when its first process has exited and what that wrote has been read; not when its pipes end, for a
//! stray descendant may hold them open for ever. What is left of its tree is killed before the end is reported.

use std::ffi::{CString, OsStr, OsString, c_char};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partitur_model::FencingToken;
use partitur_model::dispatch::{self, Dispatch, Ending};
use partitur_model::record::TaskError;
use rustix::process::Signal;

use crate::attempt::{Births, Desk};
use crate::capture::{self, Capture, RESULT_BYTES_MAX};
use crate::env_file;
use crate::environment::{Environment, find_program};
use crate::log::Stream;
use crate::mask::Masker;
use crate::platform::{self, Child, Exit, Marker, Spawn, SpawnError, Spawner, Stage, Status, Tree};
use crate::private;
use crate::progress::ProgressFile;
use crate::run::Run;
use crate::secret;
use crate::sink::{Outlets, Sink};

/// A short process has ended before its pipes are worth watching: watching them costs a third of starting it.
const UNWATCHED: Duration = Duration::from_millis(4);

/// Between two looks at a tree that is being ended; a look is expensive, so they become rarer.
const SWEEP_PAUSE: Duration = Duration::from_millis(1);
const SWEEP_PAUSE_MAX: Duration = Duration::from_millis(32);

/// No single look at a pipe reads more, so that a flood does not keep the others waiting.
const READS_MAX: usize = 4;

/// A living process and its tree.
pub(crate) struct Process {
    serial: u64,
    child: Child,
    tree: Tree,
    stdout: Option<Pipe>,
    stderr: Option<Pipe>,
    /// Where its output goes.
    pub sink: Sink,
    phase: Phase,
    stopping: Option<Stopping>,
    token: FencingToken,
    output_file: PathBuf,
    progress_file: ProgressFile,
    secret_files: Vec<PathBuf>,
}

struct Pipe {
    fd: OwnedFd,
    watched: bool,
}

enum Phase {
    /// Running; its pipes are not watched yet.
    Young { until: Instant },
    /// Running.
    Running,
    /// Exited, but not yet reaped so that its number stays its own; its pipes may still bring something.
    Draining { until: Instant },
    /// Its first process is reaped, the rest of its tree is being ended.
    Sweeping { exit: Exit, next: Instant, pause: Duration },
}

/// It has been told to stop.
struct Stopping {
    /// What lives by then is killed.
    kill_at: Instant,
}

/// Which descriptors of an attempt are watched, in the lowest bits of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Exit,
    Stdout,
    Stderr,
}

impl Source {
    pub const BITS: u32 = 2;

    /// The tag of a source of an attempt. By attempt and not by slot: a late event must find nobody, not the next.
    pub fn tag(self, serial: u64) -> u64 {
        let source = match self {
            Source::Exit => 0,
            Source::Stdout => 1,
            Source::Stderr => 2,
        };
        serial << Source::BITS | source
    }

    pub fn of(tag: u64) -> (u64, Source) {
        let source = match tag & 0b11 {
            0 => Source::Exit,
            1 => Source::Stdout,
            _ => Source::Stderr,
        };
        (tag >> Source::BITS, source)
    }
}

impl Process {
    /// Starts the process of a dispatch.
    ///
    /// # Errors
    /// Why there is none: codes that begin with `start-`, or `secret-missing`.
    pub fn start(
        dispatch: &Dispatch,
        work: &dispatch::Process,
        serial: u64,
        spawner: &mut Spawner,
        desk: &mut Desk<'_>,
    ) -> Result<Process, TaskError> {
        let secrets = Secrets::new(dispatch, desk.run)?;
        let started = Start { dispatch, work, run: desk.run, secrets: &secrets }.spawn(spawner);
        let (child, stdout, stderr) = started.inspect_err(|_| secrets.remove())?;
        let budget = desk.options.output_bytes_max;
        let process = Process {
            serial,
            tree: Tree::new(child.pid, Marker::of(dispatch.attempt, desk.run.private.instance())),
            child,
            stdout: Some(Pipe { fd: stdout, watched: false }),
            stderr: Some(Pipe { fd: stderr, watched: false }),
            sink: Sink::new(dispatch.attempt, dispatch.number, secrets.masker, work.output, budget),
            phase: Phase::Young { until: Instant::now() + UNWATCHED },
            stopping: None,
            token: dispatch.attempt.token,
            output_file: desk.run.private.output(dispatch.attempt),
            progress_file: ProgressFile::new(desk.run.private.progress(dispatch.attempt)),
            secret_files: secrets.files,
        };
        match desk.poller.add(&process.child.pidfd, Source::Exit.tag(serial)) {
            Ok(()) => Ok(process),
            Err(error) => {
                platform::kill_group(process.child.pid, Some(Signal::KILL));
                platform::reap_now(process.child.pid);
                process.secret_files.into_iter().for_each(remove);
                Err(start_failed(error))
            }
        }
    }

    /// The number of its first process.
    pub fn leader(&self) -> i32 {
        self.child.pid
    }

    /// When its leader was born.
    pub fn born(&self) -> u64 {
        self.tree.born()
    }

    /// When it wants to be looked at again, whatever happens.
    pub fn next_wake(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Young { until } | Phase::Draining { until } => Some(until),
            Phase::Running => None,
            Phase::Sweeping { next, .. } => return Some(next),
        };
        let kill = self.stopping.as_ref().map(|stopping| stopping.kill_at);
        phase.into_iter().chain(kill).min()
    }

    /// A descriptor has something to say.
    pub fn on_ready(&mut self, source: Source, desk: &mut Desk<'_>) -> Option<Ending> {
        match source {
            Source::Exit => self.on_exit(desk),
            Source::Stdout => self.on_output(Stream::Stdout, desk),
            Source::Stderr => self.on_output(Stream::Stderr, desk),
        }
    }

    /// Time has passed.
    pub fn on_time(&mut self, now: Instant, desk: &mut Desk<'_>) -> Option<Ending> {
        if self.stopping.as_ref().is_some_and(|stopping| stopping.kill_at <= now) {
            self.stopping = None;
            self.tree.signal(Signal::KILL, &self.others(desk.births));
        }
        match self.phase {
            Phase::Young { until } if until <= now => {
                self.phase = Phase::Running;
                self.watch(desk);
                None
            }
            Phase::Draining { until } if until <= now => self.close(desk),
            Phase::Sweeping { exit, next, pause } if next <= now => self.sweep(exit, pause * 2, desk),
            Phase::Young { .. } | Phase::Running | Phase::Draining { .. } | Phase::Sweeping { .. } => None,
        }
    }

    /// It has written to its file of progress.
    pub fn on_progress(&mut self) {
        if let Some(word) = self.progress_file.read() {
            self.sink.say(word);
        }
    }

    /// Asks the whole tree to end, and kills what lives after `grace`.
    pub fn stop(&mut self, grace: Duration, births: &Births) {
        let others = self.others(births);
        if grace.is_zero() {
            return self.tree.signal(Signal::KILL, &others);
        }
        if self.stopping.is_none() {
            self.tree.signal(Signal::TERM, &others);
            // A stopped process hears the first signal only when it goes on.
            self.tree.signal(Signal::CONT, &others);
            self.stopping = Some(Stopping { kill_at: Instant::now() + grace });
        }
    }

    /// The births of all living processes but this.
    fn others(&self, births: &Births) -> Vec<u64> {
        births.iter().filter(|(serial, _)| **serial != self.serial).map(|(_, born)| *born).collect()
    }

    fn watch(&mut self, desk: &Desk<'_>) {
        for (pipe, source) in [(&mut self.stdout, Source::Stdout), (&mut self.stderr, Source::Stderr)] {
            if let Some(pipe) = pipe.as_mut().filter(|pipe| !pipe.watched) {
                // Without a watch, what it brings is read when the process ends.
                pipe.watched = desk.poller.add(&pipe.fd, source.tag(self.serial)).is_ok();
            }
        }
    }

    fn on_exit(&mut self, desk: &mut Desk<'_>) -> Option<Ending> {
        desk.poller.remove(&self.child.pidfd);
        self.read(Stream::Stdout, desk);
        self.read(Stream::Stderr, desk);
        if self.stdout.is_none() && self.stderr.is_none() {
            return self.close(desk);
        }
        // Somebody else still holds a pipe: a filter at its end, perhaps, that is about to write its last lines.
        self.phase = Phase::Draining { until: Instant::now() + desk.options.drain };
        self.watch(desk);
        None
    }

    fn on_output(&mut self, stream: Stream, desk: &mut Desk<'_>) -> Option<Ending> {
        self.read(stream, desk);
        let ended = self.stdout.is_none() && self.stderr.is_none();
        match self.phase {
            Phase::Draining { .. } if ended => self.close(desk),
            Phase::Young { .. } | Phase::Running | Phase::Draining { .. } | Phase::Sweeping { .. } => None,
        }
    }

    /// Reads what a pipe has, up to a limit, and lets go of it at its end.
    fn read(&mut self, stream: Stream, desk: &mut Desk<'_>) {
        let slot = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr | Stream::Note => &mut self.stderr,
        };
        let Some(pipe) = slot else { return };
        let mut outlets = Outlets { log: &mut desk.run.log, events: desk.events };
        for _ in 0..READS_MAX {
            match rustix::io::read(&pipe.fd, &mut *desk.scratch) {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                Ok(0) | Err(_) => {
                    if pipe.watched {
                        desk.poller.remove(&pipe.fd);
                    }
                    *slot = None;
                    return self.sink.push(stream, &[], &mut outlets);
                }
                Ok(length) => {
                    self.sink.push(stream, &desk.scratch[..length], &mut outlets);
                    if length < desk.scratch.len() {
                        // Less than there was room for: it was all there is.
                        return;
                    }
                }
            }
        }
    }

    /// Ends its group while its leader's number is still its own, lets go of the pipes and takes the leader's end.
    fn close(&mut self, desk: &mut Desk<'_>) -> Option<Ending> {
        if self.stopping.is_none() {
            platform::kill_group(self.child.pid, Some(Signal::KILL));
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.read(stream, desk);
            let slot = if stream == Stream::Stdout { &mut self.stdout } else { &mut self.stderr };
            if let Some(pipe) = slot.take() {
                if pipe.watched {
                    desk.poller.remove(&pipe.fd);
                }
                let mut outlets = Outlets { log: &mut desk.run.log, events: desk.events };
                self.sink.push(stream, &[], &mut outlets);
            }
        }
        let exit = match platform::reap(self.child.pid) {
            Ok(Some(exit)) => exit,
            // Somebody else in this process took its end: how it ended is not known.
            Ok(None) | Err(_) => Exit { status: Status::Code(-1), usage: Default::default() },
        };
        self.sweep(exit, SWEEP_PAUSE, desk)
    }

    /// The end, if nothing lives any more; else what lives is killed and looked at again.
    fn sweep(&mut self, exit: Exit, pause: Duration, desk: &mut Desk<'_>) -> Option<Ending> {
        let others = self.others(desk.births);
        let is_empty = || self.tree.members(&others).is_empty() && !self.tree.is_undecided();
        if self.tree.is_gone(&others) || is_empty() {
            return Some(self.ending(exit, desk.run));
        }
        if self.stopping.is_none() {
            self.tree.signal(Signal::KILL, &others);
        }
        let pause = pause.min(SWEEP_PAUSE_MAX);
        self.phase = Phase::Sweeping { exit, next: Instant::now() + pause, pause };
        None
    }

    fn ending(&mut self, exit: Exit, run: &mut Run) -> Ending {
        let capture = std::mem::replace(&mut self.sink.capture, Capture::Nothing);
        // Looking for a file that is not there costs as much as starting a process does in pipes.
        let may_be_there = run.outputs.as_mut().is_none_or(|outputs| outputs.remove(&self.token));
        let file = match capture.reads_file() && may_be_there {
            true => self.take_output_file(),
            false => Ok(None),
        };
        self.secret_files.drain(..).for_each(remove);
        let result = match exit.status {
            Status::Code(0) => file.and_then(|file| capture.result(file)),
            Status::Code(code) => Err(self.explain(format!("exit-{code}"), format!("exit code {code}"))),
            Status::Signal(signal) => {
                Err(self.explain(format!("signal-{signal}"), format!("killed by {}", signal_name(signal))))
            }
        };
        Ending { log: self.sink.span(), usage: exit.usage, result, ..Ending::success(None) }
    }

    fn take_output_file(&self) -> Result<Option<Vec<u8>>, TaskError> {
        match private::take_file(&self.output_file, RESULT_BYTES_MAX) {
            Ok(Some(content)) if content.len() > RESULT_BYTES_MAX => {
                Err(capture::too_large("the file $PARTITUR_OUTPUT"))
            }
            Ok(content) => Ok(content.map(|content| self.sink.masked(content))),
            Err(error) => Err(TaskError::new(
                "output-invalid",
                format!("the file $PARTITUR_OUTPUT cannot be read: {error}"),
            )),
        }
    }

    fn explain(&self, code: String, what: String) -> TaskError {
        match self.sink.last_words() {
            Some(words) => TaskError::new(code, format!("{what}: {words}")),
            None => TaskError::new(code, what),
        }
    }
}

/// The secrets of one attempt.
struct Secrets {
    /// Names of variables, and the files whose paths they hold.
    variables: Vec<String>,
    files: Vec<PathBuf>,
    masker: Option<Arc<Masker>>,
}

impl Secrets {
    fn new(dispatch: &Dispatch, run: &Run) -> Result<Secrets, TaskError> {
        let mut secrets = Secrets { variables: Vec::new(), files: Vec::new(), masker: None };
        let mut values = Vec::new();
        for name in &dispatch.secrets {
            let variable = secret::variable_name(name);
            let Some(value) = run.secrets.get(name) else {
                secrets.remove();
                let message = format!("the secret `{name}` is not known; set PARTITUR_SECRET_{variable}");
                return Err(TaskError::terminal("secret-missing", message));
            };
            let file = run.private.write_secret(dispatch.attempt, &variable, &value);
            secrets.files.push(file.inspect_err(|_| secrets.remove()).map_err(start_failed)?);
            secrets.variables.push(format!("{variable}_FILE"));
            values.push(value);
        }
        secrets.masker = Masker::new(values.iter().map(String::as_str)).map(Arc::new);
        Ok(secrets)
    }

    fn remove(&self) {
        self.files.iter().cloned().for_each(remove);
    }
}

/// What a process is started from.
struct Start<'a> {
    dispatch: &'a Dispatch,
    work: &'a dispatch::Process,
    run: &'a Run,
    secrets: &'a Secrets,
}

impl Start<'_> {
    fn spawn(&self, spawner: &mut Spawner) -> Result<(Child, OwnedFd, OwnedFd), TaskError> {
        let (Some(name), none) = (self.work.argv.first(), Environment::default()) else {
            return Err(TaskError::terminal(
                "start-not-found",
                "there is no program to start: the command is empty",
            ));
        };
        let base = if self.work.clean_env { &none } else { &self.run.environment };
        let dir = match &self.work.dir {
            Some(dir) => self.run.dir.join(dir),
            None => self.run.dir.clone(),
        };
        let variables = self.variables(&dir)?;
        let borrowed: Vec<(&OsStr, &OsStr)> =
            variables.iter().map(|(name, value)| (OsStr::new(name), value.as_os_str())).collect();
        let environment = base.with(&borrowed)?;
        let path = variables.iter().rfind(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
        let program = find_program(name, path.or_else(|| base.get("PATH")), &dir)?;
        let argv = self.argv()?;
        let pointers: Vec<*const c_char> =
            argv.iter().map(|argument| argument.as_ptr()).chain(std::iter::once(ptr::null())).collect();
        let dir_text = CString::new(dir.clone().into_os_string().into_vec()).map_err(|_| {
            TaskError::terminal("start-directory", "the working directory's name holds a zero byte")
        })?;
        let stdin =
            self.work.stdin.as_ref().map(|text| platform::anonymous_file(text.as_bytes())).transpose();
        let stdin = stdin.map_err(start_failed)?;
        let (stdout, stdout_theirs) = platform::pipe().map_err(start_failed)?;
        let (stderr, stderr_theirs) = platform::pipe().map_err(start_failed)?;
        let child = spawner.spawn(&Spawn {
            program: &program,
            argv: &pointers,
            environment: environment.pointers(),
            dir: &dir_text,
            stdin: stdin.as_ref().map_or(self.run.no_input.as_fd(), |file| file.as_fd()),
            stdout: stdout_theirs.as_fd(),
            stderr: stderr_theirs.as_fd(),
        });
        match child {
            Ok(child) => Ok((child, stdout, stderr)),
            Err(error) => Err(explain_spawn(&error, name, &dir)),
        }
    }

    /// What is set for this attempt: files with variables, over them the declared environment, and over that what tells it
    /// who it is.
    fn variables(&self, dir: &std::path::Path) -> Result<Vec<(String, OsString)>, TaskError> {
        let (dispatch, run) = (self.dispatch, self.run);
        let marker = Marker::of(dispatch.attempt, run.private.instance());
        let outer = run.environment.get(Marker::NAME).and_then(OsStr::to_str).unwrap_or_default();
        let mut variables: Vec<(String, OsString)> = Vec::with_capacity(dispatch.env.len() + 8);
        if self.work.dir.is_some() && !self.work.clean_env {
            variables.push(("PWD".into(), dir.into()));
        }
        for file in &self.work.env_files {
            let read = env_file::read(&run.dir.join(file))?;
            variables.extend(read.into_iter().map(|(name, value)| (name, value.into())));
        }
        variables.extend(dispatch.env.iter().map(|(name, value)| (name.clone(), value.into())));
        let files = self.secrets.variables.iter().zip(&self.secrets.files);
        variables.extend(files.map(|(name, file)| (name.clone(), file.into())));
        variables.extend([
            (Marker::NAME.into(), marker.within(outer).into()),
            ("PARTITUR_RUN_ID".into(), dispatch.attempt.run.to_string().into()),
            ("PARTITUR_TOKEN".into(), dispatch.attempt.token.to_string().into()),
            ("PARTITUR_TASK".into(), OsString::from(&*dispatch.path)),
            ("PARTITUR_ATTEMPT".into(), dispatch.number.to_string().into()),
            ("PARTITUR_OUTPUT".into(), run.private.output(dispatch.attempt).into()),
            ("PARTITUR_PROGRESS".into(), run.private.progress(dispatch.attempt).into()),
        ]);
        Ok(variables)
    }

    fn argv(&self) -> Result<Vec<CString>, TaskError> {
        let argument = |argument: &String| {
            CString::new(argument.as_bytes())
                .map_err(|_| TaskError::terminal("start-argument", "an argument holds a zero byte"))
        };
        self.work.argv.iter().map(argument).collect()
    }
}

fn start_failed(error: io::Error) -> TaskError {
    TaskError::new("start-failed", format!("cannot start a process: {error}"))
}

/// Why there is no process, for people.
fn explain_spawn(error: &SpawnError, name: &str, dir: &std::path::Path) -> TaskError {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    let dir_shown = dir.display();
    let errno = error.cause.raw_os_error();
    match (error.stage, error.cause.kind()) {
        (Stage::Directory, NotFound) => {
            TaskError::terminal("start-directory", format!("directory `{dir_shown}` does not exist"))
        }
        (Stage::Directory, NotADirectory) => {
            TaskError::terminal("start-directory", format!("`{dir_shown}` is not a directory"))
        }
        (Stage::Directory, _) => TaskError::terminal(
            "start-directory",
            format!("cannot enter directory `{dir_shown}`: {}", error.cause),
        ),
        (Stage::Exec, NotFound) if dir.join(name).exists() => TaskError::terminal(
            "start-interpreter",
            format!("the interpreter that `{name}` names does not exist"),
        ),
        (Stage::Exec, NotFound) => {
            TaskError::terminal("start-not-found", format!("program `{name}` does not exist"))
        }
        (Stage::Exec, PermissionDenied) => {
            TaskError::terminal("start-permission", format!("permission denied: `{name}` is not executable"))
        }
        (Stage::Exec, _) if errno == Some(libc::ENOEXEC) => {
            let message = format!("`{name}` is no program: a script begins with a line such as `#!/bin/sh`");
            TaskError::terminal("start-format", message)
        }
        (Stage::Exec, _) if errno == Some(libc::E2BIG) => {
            let message =
                "arguments and environment together are larger than the system allows: use `stdin` or a file";
            TaskError::terminal("start-too-large", message)
        }
        (Stage::Clone | Stage::Prepare | Stage::Exec, _) => {
            TaskError::new("start-failed", format!("cannot start `{name}`: {}", error.cause))
        }
    }
}

fn remove(file: PathBuf) {
    // If it is gone already, so much the better; if not, it goes with its directory.
    let _ = std::fs::remove_file(file);
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL (somebody killed it, or memory ran out)",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGSYS => "SIGSYS",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}
