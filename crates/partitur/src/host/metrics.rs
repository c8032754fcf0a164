//! The metric log: a directory with a line of JSON for each run that has ended, and for how things stand while any lives.
//!
//! It outlives the runs themselves. It never grows beyond a few files: a full one is put aside, and the oldest goes.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use partitur_api::{METRICS_VERSION, RunMetric, Sample, Status, run_state_name};
use partitur_model::definition::Kind;
use partitur_model::record::{RunRecord, TaskOutcome, TaskRecord, TaskState};

/// A file is put aside when it has so many bytes, and so many are kept.
const FILE_BYTES_MAX: u64 = 1 << 20;
const FILES_MAX: u32 = 4;

/// Between two samples.
const PAUSE: Duration = Duration::from_secs(10);

/// The metric log of a state directory.
#[derive(Debug)]
pub(crate) struct Metrics {
    dir: PathBuf,
    sampled: Option<Instant>,
}

impl Metrics {
    /// In this directory, which is made with the first line.
    pub fn new(dir: PathBuf) -> Metrics {
        Metrics { dir, sampled: None }
    }

    /// A run has ended.
    pub fn run_ended<'a>(&self, run: &RunRecord, tasks: impl Iterator<Item = (&'a TaskRecord, &'a Kind)>) {
        let line = serde_json::to_string(&measure(run, tasks)).expect("a metric is plain data");
        // What cannot be measured keeps nothing from running.
        let _ = append(&self.dir, "runs", &line);
    }

    /// Whether it is time for a sample.
    pub fn is_due(&self) -> bool {
        self.sampled.is_none_or(|at| at.elapsed() >= PAUSE)
    }

    /// Things stand so.
    pub fn sample(&mut self, at: u64, status: &Status) {
        self.sampled = Some(Instant::now());
        let sample = Sample {
            v: METRICS_VERSION,
            at,
            runs: status.runs.len() as u64,
            active: status.active,
            queued: status.queued,
            tasks_per_second: status.tasks_per_second,
            memory_bytes: status.memory_bytes,
        };
        let line = serde_json::to_string(&sample).expect("a sample is plain data");
        let _ = append(&self.dir, "samples", &line);
    }
}

fn measure<'a>(run: &RunRecord, tasks: impl Iterator<Item = (&'a TaskRecord, &'a Kind)>) -> RunMetric {
    let ended = run.ended.unwrap_or(run.begun);
    let mut metric = RunMetric {
        v: METRICS_VERSION,
        at: ended.millis(),
        run: run.id.number(),
        flow: run.name.clone(),
        outcome: run_state_name(run.state).to_owned(),
        duration_ms: ended.since(run.begun).as_millis() as u64,
        ..RunMetric::default()
    };
    let mut work = Duration::ZERO;
    let mut cpu_micros = 0;
    for (task, kind) in tasks {
        let TaskState::Ended(outcome) = task.state else { continue };
        // What is made of tasks is told by them.
        if kind.body().is_some() {
            continue;
        }
        metric.tasks += 1;
        metric.failed += u64::from(outcome.is_failure());
        metric.skipped += u64::from(outcome == TaskOutcome::Skipped);
        metric.cached += u64::from(task.cached);
        metric.retries += u64::from(task.attempt.saturating_sub(1));
        metric.memory_max = metric.memory_max.max(task.usage.rss_max);
        cpu_micros += task.usage.cpu_micros;
        let is_service = matches!(kind, Kind::Command(command) if command.service.is_some());
        if let (Some(from), Some(to), true) = (task.started, task.ended, task.attempt > 0 && !is_service) {
            work += to.since(from);
        }
    }
    metric.work_ms = work.as_millis() as u64;
    metric.cpu_ms = cpu_micros / 1_000;
    metric
}

/// Adds a line to the newest file of a name.
fn append(dir: &Path, name: &str, line: &str) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let newest = dir.join(format!("{name}.jsonl"));
    if fs::metadata(&newest).is_ok_and(|file| file.len() >= FILE_BYTES_MAX) {
        put_aside(dir, name)?;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(newest)?;
    // In one piece: whoever reads meanwhile sees whole lines.
    file.write_all(format!("{line}\n").as_bytes())
}

/// `runs.jsonl` becomes `runs.1.jsonl`, that the next, and the last one goes.
fn put_aside(dir: &Path, name: &str) -> io::Result<()> {
    let aside = |number: u32| dir.join(format!("{name}.{number}.jsonl"));
    for number in (1..FILES_MAX).rev() {
        let older = aside(number);
        if older.exists() {
            if number == FILES_MAX - 1 {
                fs::remove_file(&older)?;
            } else {
                fs::rename(&older, aside(number + 1))?;
            }
        }
    }
    fs::rename(dir.join(format!("{name}.jsonl")), aside(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_files_are_put_aside_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let line = "x".repeat(FILE_BYTES_MAX as usize);
        for number in 0..7 {
            append(dir.path(), "runs", &format!("{number}{line}")).unwrap();
        }
        let mut names: Vec<String> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["runs.1.jsonl", "runs.2.jsonl", "runs.3.jsonl", "runs.jsonl"]);
        let first = |name: &str| fs::read(dir.path().join(name)).unwrap()[0];
        assert_eq!((first("runs.jsonl"), first("runs.1.jsonl"), first("runs.3.jsonl")), (b'6', b'5', b'3'));
    }
}
