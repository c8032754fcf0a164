//! A model of contention: 40 exclusive resources, 16 workers; 95 % of the tasks want one or two resources, 5 % want
//! ten; durations are exponential with mean 1, arrivals Poisson.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use partitur_engine::admission::{Admission, Options, Request, TaskKey, Ticket};
use partitur_model::change::BatchNo;
use partitur_model::definition::{ClaimMode, Priority};
use partitur_model::{RunId, TaskSeq, Timestamp};

use crate::rig::Dice;

const RESOURCES: u64 = 40;
const WORKERS: u32 = 16;
/// Wide tasks want so many resources.
const WIDTH: u64 = 10;

/// What came out, in mean durations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// From the first arrival to the last end.
    pub makespan: f64,
    /// Over all tasks.
    pub mean_wait: f64,
    /// Of the wide tasks.
    pub worst_wide_wait: f64,
}

struct Task {
    arrives: Timestamp,
    lasts: f64,
    resources: Vec<u64>,
}

/// Plays the model once.
pub fn play(options: Options, seed: u64, load: f64, tasks: u32) -> Outcome {
    let tasks = draw(&mut Dice(seed), load, tasks);
    let mut admission = Admission::new(options);
    admission.set_capacity("slots", WORKERS);
    let (mut ends, mut grants) = (BinaryHeap::new(), Vec::new());
    let (mut next, mut outcome) = (0, Outcome::default());
    while next < tasks.len() || !ends.is_empty() {
        let arrival = tasks.get(next).map_or(Timestamp::MAX, |task| task.arrives);
        let end = ends.peek().map_or(Timestamp::MAX, |&Reverse((end, _))| end);
        let now = arrival.min(end);
        if end <= arrival {
            let Some(Reverse((_, number))) = ends.pop() else { unreachable!("the heap was not empty") };
            admission.release(now, key(number));
            outcome.makespan = seconds(now);
        } else {
            offer(&mut admission, next, &tasks[next]);
            next += 1;
        }
        admission.decide(now, &mut grants);
        for grant in grants.drain(..) {
            let number = grant.task.task.0;
            let (task, waited) = (&tasks[number as usize], grant.waited.as_secs_f64());
            outcome.mean_wait += waited / tasks.len() as f64;
            if task.resources.len() as u64 == WIDTH {
                outcome.worst_wide_wait = outcome.worst_wide_wait.max(waited);
            }
            ends.push(Reverse((Timestamp::from_micros(now.micros() + (task.lasts * 1e6) as u64), number)));
        }
    }
    outcome
}

fn draw(dice: &mut Dice, load: f64, count: u32) -> Vec<Task> {
    let mut now = 0.0;
    (0..count)
        .map(|_| {
            now += dice.exponential() / load;
            let width = if dice.below(100) < 95 { 1 + dice.below(2) } else { WIDTH };
            let mut resources: Vec<u64> = Vec::new();
            while (resources.len() as u64) < width {
                let resource = dice.below(RESOURCES);
                if !resources.contains(&resource) {
                    resources.push(resource);
                }
            }
            Task { arrives: Timestamp::from_micros((now * 1e6) as u64), lasts: dice.exponential(), resources }
        })
        .collect()
}

fn offer(admission: &mut Admission, number: usize, task: &Task) {
    let names = task.resources.iter().map(|resource| format!("thing-{resource}")).chain(["slots".to_owned()]);
    let claims = names
        .map(|name| Request { resource: admission.resource(&name), mode: ClaimMode::Exclusive, units: 1 })
        .collect();
    let ticket = Ticket {
        task: key(number as u32),
        class: Priority::Normal,
        level: 0.0,
        ready: task.arrives,
        order: number as u64,
        claims,
        breaker: None,
        expected: 1.0,
    };
    admission.offer(task.arrives, ticket, BatchNo(0));
}

fn key(number: u32) -> TaskKey {
    TaskKey { run: RunId::new(0, 1, 7), task: TaskSeq(number) }
}

fn seconds(time: Timestamp) -> f64 {
    time.micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    #[allow(unused_imports, reason = "the benchmark compiles this without the test")]
    use super::*;

    #[test]
    fn two_reservations_cost_no_throughput_and_halve_the_worst_wait_of_wide_requests() {
        let greedy = || Options { max_reservations: 0, ..Options::default() };
        for seed in 1..=5 {
            let without = play(greedy(), seed, 9.0, 4000);
            let with = play(Options::default(), seed, 9.0, 4000);
            println!("seed {seed}\n  greedy  {without:.1?}\n  reserve {with:.1?}");
            assert!(with.makespan <= 1.02 * without.makespan, "seed {seed}: {with:?} against {without:?}");
            assert!(
                with.worst_wide_wait <= 0.5 * without.worst_wide_wait,
                "seed {seed}: {with:?} against {without:?}"
            );
        }
    }
}
