//! How long a run takes from its start to its end when there is little to do.

use std::io;
use std::thread;
use std::time::Duration;

use super::host::Host;
use super::site::Site;
use super::{Bench, definition};

/// So many runs are not counted: whatever is done for the first time takes longer.
const WARM_UP: u64 = 20;

impl Bench {
    pub(super) fn at_rate(&self, host: &Host, rate: f64) -> io::Result<()> {
        println!("steps  runs/s  samples  p50 ms  p90 ms  p99 ms  max ms  server µs/step");
        for steps in self.steps_or(&[5]) {
            self.at_rate_of(host, rate, steps)?;
        }
        Ok(())
    }

    fn at_rate_of(&self, host: &Host, rate: f64, steps: usize) -> io::Result<()> {
        let name = format!("bench_{steps}");
        definition::teach(host.address, &definition::sequence(&name, steps))?;
        let site = Site::new(host.address, &name, &definition::step(steps - 1), self.mode);
        let pause = Duration::from_secs_f64(1.0 / rate);
        let measured: io::Result<()> = thread::scope(|scope| {
            let site = &site;
            for worker in 0..self.workers.unwrap_or(8) {
                scope.spawn(move || site.until_over(|| site.work(worker)));
            }
            site.start_each(pause, WARM_UP)?;
            site.wait_for(WARM_UP)?;
            site.take_times();
            let used = host.used();
            site.start_each(pause, self.samples)?;
            site.wait_for(WARM_UP + self.samples)?;
            let (spent, times) = (host.since(used), site.take_times());
            site.end();
            println!(
                "{steps:>5}  {rate:>6}  {:>7}  {:>6.2}  {:>6.2}  {:>6.2}  {:>6.2}  {:>14}",
                times.len(),
                at(&times, 0.5),
                at(&times, 0.9),
                at(&times, 0.99),
                at(&times, 1.0),
                spent.server_each(self.samples * steps as u64),
            );
            Ok(())
        });
        site.end();
        measured
    }
}

/// The time, in milliseconds, that this part of all does not exceed.
pub(super) fn at(times: &[Duration], part: f64) -> f64 {
    let place = (times.len() as f64 * part) as usize;
    times.get(place.min(times.len().saturating_sub(1))).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}
