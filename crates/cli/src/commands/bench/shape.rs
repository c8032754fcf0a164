//! What a run costs that is no mere sequence.
//!
//! Forks and loops are measured by the cost of a task: as many tasks in runs of each size, so that what grows with the
//! size shows. Joins, waits and sub-workflows are measured by what they add to a run of two steps.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use super::host::Host;
use super::rate::at;
use super::site::Site;
use super::{Bench, definition};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Dynamic forks of many branches
    Fork,
    /// Loops of many iterations of a worker's task
    Loop,
    /// Loops of many iterations that set a variable
    SetVariable,
    /// What a fork and its join add
    Join,
    /// How late a WAIT of a second fires
    Wait,
    /// What a sub-workflow adds
    SubWorkflow,
}

/// So long the wait is.
const WAIT: Duration = Duration::from_secs(1);

impl Bench {
    pub(super) fn shapes(&self, host: &Host, shape: Shape) -> io::Result<()> {
        match shape {
            Shape::Fork | Shape::Loop | Shape::SetVariable => self.many(host, shape),
            Shape::Join | Shape::Wait | Shape::SubWorkflow => self.added(host, shape),
        }
    }

    /// As many tasks for each size as the largest has.
    fn many(&self, host: &Host, shape: Shape) -> io::Result<()> {
        println!("     of   runs   tasks  seconds  µs/task  server µs/task  client µs/task");
        let tasks = self.of.iter().copied().max().unwrap_or(1);
        for &of in &self.of {
            self.many_of(host, shape, of.max(1), u64::from((tasks / of.max(1)).max(1)))?;
        }
        Ok(())
    }

    fn many_of(&self, host: &Host, shape: Shape, of: u32, runs: u64) -> io::Result<()> {
        let name = format!("bench_shape_{of}");
        let body = match shape {
            Shape::Fork => definition::dynamic_fork(&name, of),
            Shape::Loop => definition::repeat(of, &definition::simple(&name, "again")),
            _ => definition::repeat(of, definition::set_variable()),
        };
        let tasks = format!("{body},{}", definition::simple(&name, "last"));
        definition::teach(host.address, &definition::workflow(&name, &tasks))?;
        let site = Site::new(host.address, &name, "last", self.mode);
        let measured = thread::scope(|scope| {
            let site = &site;
            // A loop has one task at a time: more than two workers would only ask in vain.
            let workers = if shape == Shape::Fork { 120 } else { 2 };
            for worker in 0..self.workers.unwrap_or(workers) {
                scope.spawn(move || site.until_over(|| site.work(worker)));
            }
            thread::sleep(Duration::from_millis(200));
            let (used, begun) = (host.used(), Instant::now());
            let started = match shape {
                Shape::Fork => site.start_each(Duration::ZERO, runs),
                _ => site.start_in_turn(runs),
            };
            let ended = started.and_then(|()| site.wait_for(runs));
            let (elapsed, spent) = (begun.elapsed(), host.since(used));
            site.end();
            ended.map(|()| (elapsed, spent))
        });
        let (elapsed, spent) = measured?;
        let tasks = u64::from(of) * runs;
        println!(
            "{of:>7}  {runs:>5}  {tasks:>6}  {:>7.2}  {:>7.1}  {:>14}  {:>14}",
            elapsed.as_secs_f64(),
            elapsed.as_micros() as f64 / tasks as f64,
            spent.server_each(tasks),
            spent.client_each(tasks),
        );
        Ok(())
    }

    /// Runs of two steps, and runs of two steps with the shape between or around them, one after the other.
    fn added(&self, host: &Host, shape: Shape) -> io::Result<()> {
        println!("runs           samples  p50 ms  p99 ms  max ms");
        let name = "bench_two";
        let (first, last) = (definition::simple(name, "first"), definition::simple(name, "last"));
        let plain = self.time(host, name, &format!("{first},{last}"))?;
        let (between, waits) = match shape {
            Shape::Wait => (
                format!(
                    "{first},{{\"name\":\"wait\",\"taskReferenceName\":\"wait\",\"type\":\"WAIT\",\
                     \"inputParameters\":{{\"duration\":\"{}s\"}}}}",
                    WAIT.as_secs()
                ),
                WAIT,
            ),
            Shape::SubWorkflow => {
                let inner = definition::workflow("bench_inner", &first);
                definition::teach(host.address, &inner)?;
                let task = "{\"name\":\"sub\",\"taskReferenceName\":\"sub\",\"type\":\"SUB_WORKFLOW\",\
                     \"inputParameters\":{\"at\":\"${workflow.input.at}\"},\
                     \"subWorkflowParam\":{\"name\":\"bench_inner\",\"version\":1}}";
                (task.to_owned(), Duration::ZERO)
            }
            Shape::Join | Shape::Fork | Shape::Loop | Shape::SetVariable => {
                let set = "{\"name\":\"set\",\"taskReferenceName\":\"set\",\"type\":\"SET_VARIABLE\",\
                     \"inputParameters\":{\"n\":1}}";
                let fork = format!(
                    "{{\"name\":\"fork\",\"taskReferenceName\":\"fork\",\"type\":\"FORK_JOIN\",\
                     \"forkTasks\":[[{first}],[{set}]]}},\
                     {{\"name\":\"join\",\"taskReferenceName\":\"join\",\"type\":\"JOIN\",\"joinOn\":[\"first\",\"set\"]}}"
                );
                (fork, Duration::ZERO)
            }
        };
        let with = self.time(host, name, &format!("{between},{last}"))?;
        let waits = waits.as_secs_f64() * 1e3;
        for (label, times) in [("two steps", &plain), ("with the shape", &with)] {
            println!(
                "{label:<14} {:>7}  {:>6.2}  {:>6.2}  {:>6.2}",
                times.len(),
                at(times, 0.5),
                at(times, 0.99),
                at(times, 1.0),
            );
        }
        println!(
            "added: p50 {:.2} ms beside {waits} ms of waiting",
            at(&with, 0.5) - at(&plain, 0.5) - waits
        );
        Ok(())
    }

    fn time(&self, host: &Host, name: &str, tasks: &str) -> io::Result<Vec<Duration>> {
        definition::teach(host.address, &definition::workflow(name, tasks))?;
        let site = Site::new(host.address, name, "last", self.mode);
        thread::scope(|scope| {
            let site = &site;
            for worker in 0..self.workers.unwrap_or(4) {
                scope.spawn(move || site.until_over(|| site.work(worker)));
            }
            let timed = self.start_samples(site, tasks.contains("WAIT"));
            site.end();
            timed.map(|()| site.take_times())
        })
    }

    /// What waits does so beside others; everything else is measured one at a time.
    fn start_samples(&self, site: &Site, waits: bool) -> io::Result<()> {
        if waits {
            site.start_each(Duration::from_millis(20), self.samples)?;
            site.wait_for(self.samples)
        } else {
            site.start_in_turn(self.samples)
        }
    }
}
