//! What workers and starters of a measurement share: how many runs are under way, and how long each took.
//!
//! Every worker has a connection of its own, answers each task at once, and does nothing else. A run carries the time at
//! which it was wanted in its input, and every task hands it on.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Mode;
use super::line::Line;

/// Tasks and results in one call of the native protocol.
const NATIVE_BATCH: usize = 64;

/// Runs started in one call of it.
const NATIVE_STARTS: u64 = 32;

/// A measurement under way.
pub(super) struct Site {
    address: SocketAddr,
    /// The name of the definition, and of the type of its tasks.
    name: String,
    /// The reference name of the task with which a run ends.
    last: String,
    mode: Mode,
    in_flight: Mutex<u64>,
    room: Condvar,
    over: AtomicBool,
    runs: AtomicU64,
    times: Mutex<Vec<Duration>>,
    epoch: Instant,
}

impl Site {
    pub(super) fn new(address: SocketAddr, name: &str, last: &str, mode: Mode) -> Site {
        Site {
            address,
            name: name.to_owned(),
            last: last.to_owned(),
            mode,
            in_flight: Mutex::default(),
            room: Condvar::new(),
            over: AtomicBool::new(false),
            runs: AtomicU64::new(0),
            times: Mutex::default(),
            epoch: Instant::now(),
        }
    }

    /// So many runs have ended.
    pub(super) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// How long each run took that has ended since this was asked last, the shortest first.
    pub(super) fn take_times(&self) -> Vec<Duration> {
        let mut times = std::mem::take(&mut *self.times());
        times.sort_unstable();
        times
    }

    fn times(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_flight(&self) -> MutexGuard<'_, u64> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everybody goes home.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.room.notify_all();
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// A connection that breaks is said once, and not opened anew.
    pub(super) fn until_over(&self, work: impl FnOnce() -> io::Result<()>) {
        if let Err(error) = work()
            && !self.is_over()
        {
            eprintln!("a connection of the client has ended: {error}");
        }
    }

    /// Waits until so many runs have ended.
    pub(super) fn wait_for(&self, runs: u64) -> io::Result<()> {
        let begun = Instant::now();
        while self.runs() < runs {
            if begun.elapsed() > Duration::from_secs(600) {
                return Err(io::Error::other(format!("{} of {runs} runs have ended", self.runs())));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok(())
    }

    /// Keeps so many runs going.
    pub(super) fn keep_going(&self, in_flight_max: u64) -> io::Result<()> {
        let mut line = Line::open(self.address)?;
        while !self.is_over() {
            let mut in_flight = self.in_flight();
            while *in_flight >= in_flight_max && !self.is_over() {
                in_flight = self.room.wait(in_flight).unwrap_or_else(PoisonError::into_inner);
            }
            let wanted = match self.mode {
                Mode::Native => (in_flight_max.saturating_sub(*in_flight)).clamp(1, NATIVE_STARTS),
                Mode::UpdateV2 | Mode::Poll => 1,
            };
            *in_flight += wanted;
            drop(in_flight);
            match self.mode {
                Mode::Native => self.start_many(&mut line, wanted)?,
                Mode::UpdateV2 | Mode::Poll => self.start(&mut line)?,
            }
        }
        Ok(())
    }

    /// Starts a run each so often, whatever has become of those before.
    pub(super) fn start_each(&self, pause: Duration, count: u64) -> io::Result<()> {
        let (mut line, begun) = (Line::open(self.address)?, Instant::now());
        for at in 0..count as u32 {
            std::thread::sleep((pause * at).saturating_sub(begun.elapsed()));
            *self.in_flight() += 1;
            self.start(&mut line)?;
        }
        Ok(())
    }

    /// Starts one run after the other, each when the one before has ended.
    pub(super) fn start_in_turn(&self, count: u64) -> io::Result<()> {
        let mut line = Line::open(self.address)?;
        for at in 0..count {
            *self.in_flight() += 1;
            self.start(&mut line)?;
            self.wait_for(at + 1)?;
        }
        Ok(())
    }

    fn start(&self, line: &mut Line) -> io::Result<()> {
        let body = self.request();
        line.demand("POST", "/api/workflow", &body)
    }

    fn start_many(&self, line: &mut Line, count: u64) -> io::Result<()> {
        let runs: Vec<String> = (0..count).map(|_| self.request()).collect();
        line.demand("POST", "/v1/runs", &format!("{{\"runs\":[{}]}}", runs.join(",")))
    }

    fn request(&self) -> String {
        let at = self.epoch.elapsed().as_micros();
        format!("{{\"name\":\"{}\",\"input\":{{\"at\":\"{at}\"}}}}", self.name)
    }

    /// A worker, until everything is over.
    pub(super) fn work(&self, worker: usize) -> io::Result<()> {
        match self.mode {
            Mode::UpdateV2 => self.work_singly(worker, "/api/tasks/update-v2"),
            Mode::Poll => self.work_singly(worker, "/api/tasks"),
            Mode::Native => self.work_in_batches(worker),
        }
    }

    fn work_singly(&self, worker: usize, path: &str) -> io::Result<()> {
        let mut line = Line::open(self.address)?;
        let poll = format!("/api/tasks/poll/batch/{}?workerid=w{worker}&count=1&timeout=500", self.name);
        while !self.is_over() {
            line.demand("GET", &poll, "")?;
            while let Some(task) = Task::in_text(&line.body) {
                let result = task.result(worker);
                let (is_last, at) = (task.name == self.last, task.at.parse().ok());
                line.demand("POST", path, &result)?;
                self.done(is_last, at);
            }
        }
        Ok(())
    }

    fn work_in_batches(&self, worker: usize) -> io::Result<()> {
        let mut line = Line::open(self.address)?;
        let mut done: Vec<(bool, Option<u64>)> = Vec::new();
        let mut results = String::new();
        while !self.is_over() {
            let exchange = format!(
                "{{\"worker\":\"w{worker}\",\"type\":\"{}\",\"take\":{NATIVE_BATCH},\"wait\":500,\"done\":[{results}]}}",
                self.name
            );
            line.demand("POST", "/v1/exchange", &exchange)?;
            done.drain(..).for_each(|(is_last, at)| self.done(is_last, at));
            results.clear();
            let taken: Taken<'_> = serde_json::from_str(&line.body).map_err(io::Error::other)?;
            if !taken.refused.is_empty() {
                return Err(io::Error::other(format!("results were refused: {}", line.body)));
            }
            for task in &taken.tasks {
                let separator = if results.is_empty() { "" } else { "," };
                results.push_str(&format!(
                    "{separator}{{\"run\":\"{}\",\"task\":\"{}\",\"output\":{{\"ok\":true}}}}",
                    task.run, task.task
                ));
                done.push((task.name == self.last, task.input.at.parse().ok()));
            }
        }
        Ok(())
    }

    fn done(&self, is_last: bool, began: Option<u64>) {
        if is_last {
            let now = self.epoch.elapsed();
            self.times().extend(began.map(|began| now.saturating_sub(Duration::from_micros(began))));
            *self.in_flight() -= 1;
            self.runs.fetch_add(1, Ordering::Relaxed);
            self.room.notify_one();
        }
    }
}

/// What a worker has to know of its task.
struct Task<'a> {
    id: &'a str,
    run: &'a str,
    name: &'a str,
    at: &'a str,
}

impl Task<'_> {
    /// Found without reading the rest.
    fn in_text(text: &str) -> Option<Task<'_>> {
        let value = |key: &str| {
            let from = text.find(key)? + key.len();
            text[from..].split('"').next()
        };
        Some(Task {
            id: value("\"taskId\":\"")?,
            run: value("\"workflowInstanceId\":\"")?,
            name: value("\"referenceTaskName\":\"")?,
            at: value("\"at\":\"").unwrap_or_default(),
        })
    }

    fn result(&self, worker: usize) -> String {
        format!(
            "{{\"workflowInstanceId\":\"{}\",\"taskId\":\"{}\",\"workerId\":\"w{worker}\",\"status\":\"COMPLETED\",\
             \"outputData\":{{\"ok\":true}}}}",
            self.run, self.id
        )
    }
}

/// The answer to an exchange.
#[derive(Deserialize)]
struct Taken<'a> {
    refused: Vec<serde_json::Value>,
    #[serde(borrow)]
    tasks: Vec<NativeTask<'a>>,
}

#[derive(Deserialize)]
struct NativeTask<'a> {
    run: &'a str,
    task: &'a str,
    name: &'a str,
    #[serde(borrow, default)]
    input: NativeInput<'a>,
}

#[derive(Default, Deserialize)]
struct NativeInput<'a> {
    #[serde(borrow, default)]
    at: &'a str,
}
