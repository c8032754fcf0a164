//! What runs cost that wait for something: memory, processor time, and the way back after the server was killed.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::host::Host;
use super::line::Line;
use super::{Bench, definition};

/// Runs started in one call.
const STARTS: u64 = 100;

/// Whoever waits leaves memory after a while: so long they are left alone first.
const SETTLE: Duration = Duration::from_secs(65);

/// So long it is watched what the server does while nothing happens.
const WATCH: Duration = Duration::from_secs(10);

/// What runs wait for, in equal parts: a worker that does not come, a person, and a time that is far away.
const KINDS: [&str; 3] = ["worker", "person", "time"];

impl Bench {
    pub(super) fn idle(&self, host: &mut Host, runs: u64) -> io::Result<()> {
        for kind in KINDS {
            definition::teach(host.address, &definition::waiting(&name(kind), kind))?;
        }
        let begun = Instant::now();
        self.start_all(host, runs)?;
        println!("{runs} runs started in {:.1} s", begun.elapsed().as_secs_f64());
        thread::sleep(SETTLE);
        tell(host, "they wait")?;
        let ready = host.again()?;
        println!("ready {:.3} s after it was killed and started anew", ready.as_secs_f64());
        tell(host, "they are back")?;
        thread::sleep(SETTLE);
        tell(host, "they wait again")
    }

    fn start_all(&self, host: &Host, runs: u64) -> io::Result<()> {
        let (address, next) = (host.address, AtomicU64::new(0));
        let start = || {
            let mut line = Line::open(address)?;
            loop {
                let from = next.fetch_add(STARTS, Ordering::Relaxed);
                if from >= runs {
                    return Ok(());
                }
                let name = name(KINDS[(from / STARTS) as usize % KINDS.len()]);
                let wanted =
                    vec![format!("{{\"name\":\"{name}\",\"input\":{{}}}}"); STARTS.min(runs - from) as usize];
                line.demand("POST", "/v1/runs", &format!("{{\"runs\":[{}]}}", wanted.join(",")))?;
            }
        };
        thread::scope(|scope| {
            let starters: Vec<_> = (0..self.starters).map(|_| scope.spawn(start)).collect();
            starters.into_iter().try_for_each(|starter| starter.join().expect("a starter does not panic"))
        })
    }
}

fn name(kind: &str) -> String {
    format!("bench_idle_{kind}")
}

/// What the server takes while nothing happens.
fn tell(host: &Host, what: &str) -> io::Result<()> {
    let used = host.used();
    thread::sleep(WATCH);
    let busy = host.since(used).server.unwrap_or(0) as f64 / WATCH.as_micros() as f64;
    let (now, highest) =
        host.memory().ok_or_else(|| io::Error::other("the server has no memory of its own"))?;
    println!("{what}: {now} MiB resident, {highest} MiB at most, {:.2} % of a processor", 100.0 * busy);
    Ok(())
}
