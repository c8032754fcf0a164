//! How many runs a second come from start to end while as many as ever are under way.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::host::Host;
use super::rate::at;
use super::site::Site;
use super::{Bench, definition};

impl Bench {
    pub(super) fn throughput(&self, host: &Host) -> io::Result<()> {
        println!("steps  workflows/s  p50 ms  p99 ms  server µs/step  client µs/step");
        for steps in self.steps_or(&[5, 15, 30]) {
            self.throughput_of(host, steps)?;
        }
        Ok(())
    }

    fn throughput_of(&self, host: &Host, steps: usize) -> io::Result<()> {
        let name = format!("bench_{steps}");
        definition::teach(host.address, &definition::sequence(&name, steps))?;
        let site = Site::new(host.address, &name, &definition::step(steps - 1), self.mode);
        thread::scope(|scope| {
            let site = &site;
            for worker in 0..self.workers.unwrap_or(120) {
                scope.spawn(move || site.until_over(|| site.work(worker)));
            }
            for _ in 0..self.starters {
                scope.spawn(move || site.until_over(|| site.keep_going(self.in_flight)));
            }
            thread::sleep(Duration::from_secs(1));
            let (from, used, begun) = (site.runs(), host.used(), Instant::now());
            site.take_times();
            thread::sleep(Duration::from_secs(self.seconds));
            let (elapsed, spent) = (begun.elapsed(), host.since(used));
            let (runs, times) = (site.runs() - from, site.take_times());
            site.end();
            println!(
                "{steps:>5}  {:>11.0}  {:>6.1}  {:>6.1}  {:>14}  {:>14}",
                runs as f64 / elapsed.as_secs_f64(),
                at(&times, 0.5),
                at(&times, 0.99),
                spent.server_each(runs * steps as u64),
                spent.client_each(runs * steps as u64),
            );
        });
        Ok(())
    }
}
