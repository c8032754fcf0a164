//! `partitur bench`: what a server does, and what that costs, with workers over HTTP that do nothing.
//!
//! Four measurements: how many runs a second (`throughput.rs`), how long a run takes when there is little to do
//! (`rate.rs`), what forks, loops, joins, waits and sub-workflows cost (`shape.rs`), and what runs cost that only wait
//! (`idle.rs`). What the client itself uses is measured and said, because it takes from the same processors.

mod definition;
mod host;
mod idle;
mod line;
mod rate;
mod shape;
mod site;
mod throughput;

use std::io;
use std::net::SocketAddr;

use clap::{Args, ValueEnum};

use crate::exit::Exit;
use crate::failure::Failure;
use host::Host;
use shape::Shape;

/// Measures a server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  partitur bench                              5, 15 and 30 steps against a server of its own
  partitur bench --steps 5 --mode poll
  partitur bench --mode native --workers 8 --in-flight 512
  partitur bench --rate 10 --samples 1000     how long a run of 5 steps takes at 10 runs a second
  partitur bench --shape fork --of 10,10000   what a task costs in forks of 10 and of 10,000
  partitur bench --shape wait                 what a WAIT adds to a run
  partitur bench --idle 1000000               what runs cost that wait, and the way back
  partitur bench --server 127.0.0.1:8080 --seconds 10")]
pub struct Bench {
    /// A server that runs already, as ADDRESS:PORT; one is started in a temporary directory otherwise
    #[arg(long)]
    server: Option<SocketAddr>,
    /// Steps of a run, one after the other; 5,15,30 unless told otherwise, 5 at a rate
    #[arg(long, value_delimiter = ',')]
    steps: Vec<usize>,
    /// How workers speak
    #[arg(long, value_enum, default_value = "update-v2")]
    mode: Mode,
    /// Workers, each with a connection; 120 unless told otherwise, 8 where little is to do
    #[arg(long)]
    workers: Option<usize>,
    /// Connections that start runs
    #[arg(long, default_value_t = 8)]
    starters: usize,
    /// Runs at once
    #[arg(long, default_value_t = 256)]
    in_flight: u64,
    /// So long is measured, after a second to warm up
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// So many runs a second are started, whatever has become of those before
    #[arg(long, conflicts_with = "shape")]
    rate: Option<f64>,
    /// So many runs at that rate, or of each kind of a shape
    #[arg(long, default_value_t = 1_000)]
    samples: u64,
    /// Runs of this form instead of steps one after the other
    #[arg(long, value_enum)]
    shape: Option<Shape>,
    /// Branches or iterations of the shape
    #[arg(long, value_delimiter = ',', default_value = "10,10000")]
    of: Vec<u32>,
    /// So many runs that wait for a worker, a person or a time, and a server that is killed meanwhile
    #[arg(long, conflicts_with_all = ["rate", "shape", "server"])]
    idle: Option<u64>,
}

/// How workers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// One request a step: the answer to a result brings the next task
    UpdateV2,
    /// Two requests a step: a batch poll and a result
    Poll,
    /// One request for up to 64 results and tasks
    Native,
}

impl Bench {
    /// Measures and prints a line for each measurement.
    ///
    /// # Errors
    /// The server cannot be started or does not answer.
    pub fn run(self) -> Result<Exit, Failure> {
        self.measure().map_err(|error| Failure::Io { what: "the measurement".to_owned(), error })?;
        Ok(Exit::Success)
    }

    fn measure(&self) -> io::Result<()> {
        let mut host = Host::find(self.server)?;
        match (self.rate, self.shape, self.idle) {
            (Some(rate), ..) => self.at_rate(&host, rate)?,
            (None, Some(shape), _) => self.shapes(&host, shape)?,
            (None, None, Some(runs)) => self.idle(&mut host, runs)?,
            (None, None, None) => self.throughput(&host)?,
        }
        if let Some((now, highest)) = host.memory() {
            println!("server: {now} MiB resident, {highest} MiB at most");
        }
        Ok(())
    }

    fn steps_or(&self, usual: &[usize]) -> Vec<usize> {
        if self.steps.is_empty() { usual.to_vec() } else { self.steps.clone() }
    }
}
