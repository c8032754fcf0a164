//! `partitur bench`: how many runs a second a server brings from start to end, with workers over HTTP that do nothing.
//!
//! Every worker has a connection of its own and speaks Conductor's protocol. What the client itself costs is measured
//! and said, because it takes from the same processors.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::exit::Exit;
use crate::failure::Failure;

/// Measures a server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  partitur bench                              5, 15 and 30 steps against a server of its own
  partitur bench --steps 5 --mode poll
  partitur bench --server 127.0.0.1:8080 --seconds 10")]
pub struct Bench {
    /// A server that runs already, as ADDRESS:PORT; one is started in a temporary directory otherwise
    #[arg(long)]
    server: Option<SocketAddr>,
    /// Steps of a run, one after the other
    #[arg(long, value_delimiter = ',', default_value = "5,15,30")]
    steps: Vec<usize>,
    /// How workers speak
    #[arg(long, value_enum, default_value = "update-v2")]
    mode: Mode,
    /// Workers, each with a connection
    #[arg(long, default_value_t = 120)]
    workers: usize,
    /// Connections that start runs
    #[arg(long, default_value_t = 8)]
    starters: usize,
    /// Runs at once
    #[arg(long, default_value_t = 256)]
    in_flight: u64,
    /// So long is measured, after a second to warm up
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// How workers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// One request a step: the answer to a result brings the next task
    UpdateV2,
    /// Two requests a step: a batch poll and a result
    Poll,
}

impl Bench {
    /// Measures and prints a line for each number of steps.
    ///
    /// # Errors
    /// The server cannot be started or does not answer.
    pub fn run(self) -> Result<Exit, Failure> {
        let failed = |error: io::Error| Failure::Io { what: "the measurement".to_owned(), error };
        let own = match self.server {
            Some(_) => None,
            None => Some(OwnServer::start().map_err(failed)?),
        };
        let address = self.server.or(own.as_ref().map(|own| own.address)).expect("one of both is there");
        println!("steps  workflows/s  p50 ms  p99 ms  server µs/step  client µs/step");
        for &steps in &self.steps {
            let measured = self.measure(address, steps, own.as_ref()).map_err(failed)?;
            println!("{measured}");
        }
        Ok(Exit::Success)
    }

    fn measure(&self, address: SocketAddr, steps: usize, own: Option<&OwnServer>) -> io::Result<String> {
        let name = format!("bench_{steps}");
        teach(address, &name, steps)?;
        let site =
            Site { address, last: format!("s{}", steps - 1), name, mode: self.mode, ..Site::default() };
        thread::scope(|scope| {
            for worker in 0..self.workers {
                let site = &site;
                scope.spawn(move || site.until_over(|| site.work(worker)));
            }
            for _ in 0..self.starters {
                let site = &site;
                scope.spawn(move || site.until_over(|| site.start(self.in_flight)));
            }
            thread::sleep(Duration::from_secs(1));
            let cpu = || (own.map_or(0, OwnServer::cpu_micros), cpu_micros("self"));
            let (from, before, begun) = (site.done.load(Ordering::Relaxed), cpu(), Instant::now());
            site.times().clear();
            thread::sleep(Duration::from_secs(self.seconds));
            let (elapsed, after) = (begun.elapsed(), cpu());
            let runs = site.done.load(Ordering::Relaxed) - from;
            let mut times = std::mem::take(&mut *site.times());
            site.over.store(true, Ordering::Relaxed);
            site.room.notify_all();
            times.sort_unstable();
            let at = |part: f64| {
                times
                    .get((times.len() as f64 * part) as usize)
                    .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
            };
            let a_step = |micros: u64| micros as f64 / (runs.max(1) as f64 * steps as f64);
            Ok(format!(
                "{steps:>5}  {:>11.0}  {:>6.1}  {:>6.1}  {:>14.1}  {:>14.1}",
                runs as f64 / elapsed.as_secs_f64(),
                at(0.5),
                at(0.99),
                a_step(after.0 - before.0),
                a_step(after.1 - before.1),
            ))
        })
    }
}

/// What workers and starters share.
struct Site {
    address: SocketAddr,
    name: String,
    /// The reference name of the last step.
    last: String,
    mode: Mode,
    in_flight: Mutex<u64>,
    room: Condvar,
    over: AtomicBool,
    done: AtomicU64,
    times: Mutex<Vec<Duration>>,
    epoch: Instant,
}

impl Default for Site {
    fn default() -> Site {
        Site {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            name: String::new(),
            last: String::new(),
            mode: Mode::UpdateV2,
            in_flight: Mutex::default(),
            room: Condvar::new(),
            over: AtomicBool::new(false),
            done: AtomicU64::new(0),
            times: Mutex::default(),
            epoch: Instant::now(),
        }
    }
}

impl Site {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn times(&self) -> std::sync::MutexGuard<'_, Vec<Duration>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that breaks is said once, and not opened anew.
    fn until_over(&self, work: impl FnOnce() -> io::Result<()>) {
        if let Err(error) = work()
            && !self.is_over()
        {
            eprintln!("a connection of the client has ended: {error}");
        }
    }

    /// Keeps so many runs going.
    fn start(&self, in_flight_max: u64) -> io::Result<()> {
        let mut line = Line::open(self.address)?;
        while !self.is_over() {
            let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
            while *in_flight >= in_flight_max && !self.is_over() {
                in_flight = self.room.wait(in_flight).unwrap_or_else(PoisonError::into_inner);
            }
            *in_flight += 1;
            drop(in_flight);
            let at = self.epoch.elapsed().as_micros();
            let body = format!("{{\"name\":\"{}\",\"input\":{{\"at\":\"{at}\"}}}}", self.name);
            line.ask("POST", "/api/workflow", &body)?;
            if line.status != 200 {
                return Err(io::Error::other(format!(
                    "a start was answered with {}: {}",
                    line.status, line.body
                )));
            }
        }
        Ok(())
    }

    fn work(&self, worker: usize) -> io::Result<()> {
        let mut line = Line::open(self.address)?;
        let poll = format!("/api/tasks/poll/batch/{}?workerid=w{worker}&count=1&timeout=100", self.name);
        let path = match self.mode {
            Mode::UpdateV2 => "/api/tasks/update-v2",
            Mode::Poll => "/api/tasks",
        };
        while !self.is_over() {
            line.ask("GET", &poll, "")?;
            while let Some(task) = Task::in_text(&line.body) {
                let result = task.result(worker);
                let (is_last, at) = (task.reference == self.last, task.at.parse::<u64>().ok());
                line.ask("POST", path, &result)?;
                if is_last {
                    self.ended(at);
                }
            }
        }
        Ok(())
    }

    fn ended(&self, began: Option<u64>) {
        self.done.fetch_add(1, Ordering::Relaxed);
        let now = self.epoch.elapsed();
        self.times().extend(began.map(|began| now.saturating_sub(Duration::from_micros(began))));
        *self.in_flight.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.room.notify_one();
    }
}

/// What a worker has to know of its task.
struct Task<'a> {
    id: &'a str,
    run: &'a str,
    reference: &'a str,
    at: &'a str,
}

impl Task<'_> {
    /// Found without reading the rest: the client is not what is measured.
    fn in_text(text: &str) -> Option<Task<'_>> {
        let value = |key: &str| {
            let from = text.find(key)? + key.len();
            text[from..].split('"').next()
        };
        Some(Task {
            id: value("\"taskId\":\"")?,
            run: value("\"workflowInstanceId\":\"")?,
            reference: value("\"referenceTaskName\":\"")?,
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

/// A connection that is kept.
struct Line {
    reader: BufReader<TcpStream>,
    status: u16,
    body: String,
    request: String,
}

impl Line {
    fn open(address: SocketAddr) -> io::Result<Line> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Line { reader: BufReader::new(stream), status: 0, body: String::new(), request: String::new() })
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> io::Result<()> {
        use std::fmt::Write as _;
        self.request.clear();
        let length = body.len();
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("text takes whatever is written");
        self.reader.get_mut().write_all(self.request.as_bytes())?;
        self.read()
    }

    fn read(&mut self) -> io::Result<()> {
        let (mut line, mut length) = (String::new(), 0);
        self.reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        self.status = status.ok_or_else(|| io::Error::other("the answer is no HTTP"))?;
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            if line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        self.body.clear();
        self.reader.by_ref().take(length).read_to_string(&mut self.body)?;
        Ok(())
    }
}

fn teach(address: SocketAddr, name: &str, steps: usize) -> io::Result<()> {
    let task = |step: usize| {
        format!(
            "{{\"name\":\"{name}\",\"taskReferenceName\":\"s{step}\",\"type\":\"SIMPLE\",\
             \"inputParameters\":{{\"at\":\"${{workflow.input.at}}\"}}}}"
        )
    };
    let tasks: Vec<String> = (0..steps).map(task).collect();
    let def =
        format!("{{\"name\":\"{name}\",\"version\":1,\"schemaVersion\":2,\"tasks\":[{}]}}", tasks.join(","));
    let mut line = Line::open(address)?;
    line.ask("POST", "/api/metadata/workflow?overwrite=true", &def)?;
    if line.status == 200 { Ok(()) } else { Err(io::Error::other(format!("{}: {}", line.status, line.body))) }
}

/// A server that is started for the measurement, with a directory of its own.
struct OwnServer {
    child: Child,
    address: SocketAddr,
    dir: std::path::PathBuf,
}

impl OwnServer {
    fn start() -> io::Result<OwnServer> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let dir = std::env::temp_dir().join(format!("partitur-bench-{}", std::process::id()));
        let child = Command::new(std::env::current_exe()?)
            .arg("server")
            .arg("--listen")
            .arg(address.to_string())
            .arg("--data")
            .arg(&dir)
            .stdin(Stdio::null())
            .spawn()?;
        let server = OwnServer { child, address, dir };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(io::Error::other("the server does not come"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    fn cpu_micros(&self) -> u64 {
        cpu_micros(&self.child.id().to_string())
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // It is ours, and nothing in it is worth keeping.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The processor time of a process so far.
fn cpu_micros(process: &str) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    // The kernel counts in hundredths of a second wherever we run.
    ticks * 10_000
}
