//! An executor with one run, driven as its owner would.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use partitur_model::definition::OutputMode;
use partitur_model::dispatch::{Dispatch, Ending, Process, ReportKind, Work};
use partitur_model::{AttemptId, FencingToken, RunId, TaskSeq};
use partitur_worker::log::{Filter, Reader, Stream};
use partitur_worker::{EnvSecrets, LocalExecutor, Options, RunContext, WorkerEvent};

/// Nothing here takes so long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Harness {
    pub executor: LocalExecutor,
    pub run: RunId,
    pub dir: tempfile::TempDir,
    pub events: Vec<WorkerEvent>,
    tasks: u32,
}

/// A number that no other test of this or another process uses at the same time.
pub fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    (u64::from(std::process::id()) << 24) | NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Harness {
    pub fn new() -> Harness {
        Harness::with(Options::default(), &[])
    }

    pub fn with(options: Options, secrets: &[(&str, &str)]) -> Harness {
        let dir = tempfile::tempdir().unwrap();
        let secrets: Vec<(String, &str)> =
            secrets.iter().map(|(name, value)| (format!("PARTITUR_SECRET_{name}"), *value)).collect();
        let env: Vec<(&str, &str)> = secrets.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let place = dir.path().to_owned();
        Harness::start(options, dir, &place, &env)
    }

    /// In a directory that lives longer.
    pub fn within(options: Options, place: &Path, env: &[(&str, &str)]) -> Harness {
        Harness::start(options, tempfile::tempdir().unwrap(), place, env)
    }

    fn start(options: Options, dir: tempfile::TempDir, place: &Path, more: &[(&str, &str)]) -> Harness {
        let run = RunId::new(0, 1, unique());
        let mut env: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        env.extend(more.iter().map(|(name, value)| (name.into(), value.into())));
        let mut executor = LocalExecutor::new(options).unwrap();
        let context = RunContext {
            run,
            dir: place.to_owned(),
            secrets: Arc::new(EnvSecrets::new(&env)),
            env,
            log: dir.path().join("run.log"),
        };
        executor.enter_run(context).unwrap();
        Harness { executor, run, dir, events: Vec::new(), tasks: 0 }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A dispatch of a next task that runs a script in a shell.
    pub fn script(&mut self, script: &str) -> Dispatch {
        self.dispatch(Process { argv: ["sh", "-c", script].map(String::from).into(), ..Process::default() })
    }

    pub fn dispatch(&mut self, process: Process) -> Dispatch {
        self.work(Work::Process(process))
    }

    pub fn work(&mut self, work: Work) -> Dispatch {
        self.tasks += 1;
        Dispatch {
            attempt: AttemptId {
                run: self.run,
                task: TaskSeq(self.tasks),
                token: FencingToken::first_of(1 + self.tasks),
            },
            number: 1,
            path: format!("task-{}", self.tasks).into(),
            work,
            undo: false,
            claims: Vec::new(),
            secrets: Vec::new(),
            env: Vec::new(),
            cache: None,
            build: None,
            reads: Vec::new(),
            writes: Vec::new(),
            heartbeat: None,
            heartbeat_by_child: false,
            agent: None,
        }
    }

    /// Starts it and waits for its end.
    pub fn run(&mut self, dispatch: Dispatch) -> Ending {
        let attempt = dispatch.attempt;
        self.executor.start(dispatch);
        self.wait(attempt)
    }

    /// Runs a script to its end.
    pub fn sh(&mut self, script: &str) -> Ending {
        let dispatch = self.script(script);
        self.run(dispatch)
    }

    /// Runs a script to its end, its output being found in this way.
    pub fn sh_with(&mut self, script: &str, output: OutputMode) -> Ending {
        let argv = ["sh", "-c", script].map(String::from).into();
        let dispatch = self.dispatch(Process { argv, output, ..Process::default() });
        self.run(dispatch)
    }

    /// Waits for the end of an attempt.
    pub fn wait(&mut self, attempt: AttemptId) -> Ending {
        let mut ends = self.wait_all(&[attempt]);
        ends.remove(&attempt).expect("it has ended")
    }

    /// Waits for the ends of attempts.
    pub fn wait_all(&mut self, attempts: &[AttemptId]) -> HashMap<AttemptId, Ending> {
        let mut ends = HashMap::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            for event in &self.events {
                if let WorkerEvent::Report(report) = event
                    && let ReportKind::Ended(ending) = &report.what
                {
                    ends.insert(report.attempt, (**ending).clone());
                }
            }
            if attempts.iter().all(|attempt| ends.contains_key(attempt)) {
                return ends;
            }
            assert!(Instant::now() < deadline, "attempts do not end: {:?}", self.events);
            self.poll(Duration::from_secs(1));
        }
    }

    /// Waits until something has been reported of which this is true.
    pub fn wait_until(&mut self, holds: impl Fn(&[WorkerEvent]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(&self.events) {
            assert!(Instant::now() < deadline, "it never holds: {:?}", self.events);
            self.poll(Duration::from_millis(100));
        }
    }

    pub fn poll(&mut self, timeout: Duration) {
        self.executor.poll(Some(timeout), &mut self.events).unwrap();
    }

    /// What a task has written, according to the log.
    pub fn logged(&self, task: u32, stream: Stream) -> Vec<u8> {
        read_log(&self.path("run.log"), task, stream)
    }

    /// Everything that a task has been reported to say.
    pub fn words(&self) -> Vec<String> {
        let word = |event: &WorkerEvent| match event {
            WorkerEvent::Report(report) => match &report.what {
                ReportKind::Alive => Some("alive".to_owned()),
                ReportKind::Serves => Some("serves".to_owned()),
                ReportKind::Progress { fraction, message } => Some(format!("{fraction} {message}")),
                ReportKind::Ended(_) | ReportKind::Again { .. } => None,
            },
            WorkerEvent::Output { .. }
            | WorkerEvent::Decided { .. }
            | WorkerEvent::Woken
            | WorkerEvent::Readable(_) => None,
        };
        self.events.iter().filter_map(word).collect()
    }
}

pub fn read_log(path: &Path, task: u32, stream: Stream) -> Vec<u8> {
    let Ok(reader) = Reader::open(path) else { return Vec::new() };
    let mut reader = reader.filter(Filter { task: Some(TaskSeq(task)), token: None });
    let mut bytes = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        if frame.head.stream == stream {
            bytes.extend(frame.bytes);
        }
    }
    bytes
}

/// The output of an attempt that succeeded.
pub fn output(ending: &Ending) -> String {
    match &ending.result {
        Ok(Some(output)) => output.render(),
        Ok(None) => String::new(),
        Err(error) => panic!("it failed: {error:?}"),
    }
}

/// Code and message of an attempt that failed.
pub fn failure(ending: &Ending) -> (&str, &str) {
    let error = ending.result.as_ref().expect_err("it should have failed");
    (&error.code, &error.message)
}

/// No process.
pub const NOBODY: [i32; 0] = [];

/// The living processes of a run that `/proc` shows, zombies left out.
pub fn living(run: RunId) -> Vec<i32> {
    living_with(&format!("PARTITUR_RUN_ID={run}"))
}

/// The living processes in whose environment an entry stands.
pub fn living_with(entry: &str) -> Vec<i32> {
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let dead = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['Z', 'X']));
        !dead && environment.split(|&byte| byte == 0).any(|found| found == entry.as_bytes())
    })
    .collect()
}
