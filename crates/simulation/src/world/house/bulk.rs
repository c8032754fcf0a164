//! Jobs over many runs: written down before they begin, in chunks, taken up again after a crash.

use std::collections::BTreeMap;
use std::time::Duration;

use partitur_api::bulk::{self, Action, Job, JobRuns, Stage};
use partitur_engine::{Answer, Command, Input, ReplyTo};
use partitur_model::catalogue::{Entry, EntryKind};
use partitur_model::{RawJson, RunId, Timestamp};

use super::super::{Event, Stop, World};
use super::Errand;
use crate::disk::Disk;

/// Runs between two notes of how far a job is.
const CHUNK: usize = 3;

/// Runs of a job.
const RUNS_MAX: u64 = 10;

const ACTIONS: [Action; 6] =
    [Action::Pause, Action::Resume, Action::Terminate, Action::Retry, Action::Restart, Action::Remove];

/// The jobs at work, and what was seen of them.
#[derive(Default)]
pub struct Jobs {
    job: Option<(Job, JobRuns)>,
    chunk: Vec<(RunId, u32)>,
    /// What became of each of the chunk, as far as that is known.
    results: Vec<Option<Result<(), String>>>,
    /// Which of the chunk an answer is about.
    asked: BTreeMap<ReplyTo, usize>,
    keeping: Option<ReplyTo>,
    count: u64,
    /// What was done to each run of each job, in all starts of the node.
    pub treated: BTreeMap<(String, RunId), Treated>,
}

/// What a job has done to a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Treated {
    /// So often it was looked at.
    pub looked: u32,
    /// So often something was done to it, and that was answered.
    pub done: u32,
}

impl Jobs {
    pub fn forget(&mut self) {
        let (count, treated) = (self.count, std::mem::take(&mut self.treated));
        *self = Jobs { count, treated, ..Jobs::default() };
    }
}

impl<D: Disk> World<D> {
    /// Somebody wants the same for many runs.
    pub(super) fn plan_job(&mut self) -> Result<(), Stop> {
        let is_idle = self.house.jobs.job.is_none() && self.house.jobs.keeping.is_none();
        let mut found: JobRuns = self.durable.runs().map(|run| (run.id, run.generation)).collect();
        if !is_idle || found.is_empty() || self.running_job().is_some() {
            return Ok(());
        }
        let count = self.rng.between(1, RUNS_MAX) as usize;
        while found.len() > count {
            found.remove(self.rng.below(found.len()));
        }
        self.house.jobs.count += 1;
        let name = format!("{:016x}", self.house.jobs.count);
        let action = *self.rng.pick(&ACTIONS).expect("there are some");
        self.summary.deed(match action {
            Action::Pause => "a job pauses",
            Action::Resume => "a job resumes",
            Action::Terminate => "a job terminates",
            Action::Retry => "a job tries again",
            Action::Restart => "a job restarts",
            Action::Remove => "a job removes",
        });
        let job = Job::new(name.clone(), action, "some".into(), found.len());
        let entries =
            vec![entry(&name, 0, Some(job.written())), entry(&name, 1, Some(bulk::runs_written(&found)))];
        self.keep_job(entries)
    }

    fn keep_job(&mut self, entries: Vec<Entry>) -> Result<(), Stop> {
        let asked = self.keep(entries, Vec::new());
        self.house.jobs.keeping = Some(asked.0);
        self.ask(asked)
    }

    fn running_job(&self) -> Option<Job> {
        let entries = self.durable.entries(EntryKind::Bulk).filter(|entry| entry.version == 0);
        let mut jobs = entries.filter_map(|entry| Job::read(entry.body.as_ref()?));
        jobs.find(|job| job.state == Stage::Running)
    }

    /// Treats the next runs of the job at hand, or notes how far it is.
    pub(super) fn work_on_job(&mut self) -> Result<(), Stop> {
        let Some(shard) = &self.shard else { return Ok(()) };
        let is_quiet = shard.is_quiet();
        let jobs = &mut self.house.jobs;
        if jobs.keeping.is_some() || !jobs.asked.is_empty() {
            return Ok(());
        }
        // What is read is what was decided before.
        if !is_quiet {
            return self.work_later(Duration::from_millis(5));
        }
        if jobs.job.is_none() {
            let Some(job) = self.running_job() else {
                if self.is_busy() {
                    return self.work_later(Duration::from_millis(700));
                }
                return Ok(());
            };
            if job.position > 0 {
                self.summary.deed("a job goes on after a crash");
            }
            let runs = self.durable.entry(EntryKind::Bulk, &job.job, 1);
            let runs = runs.and_then(|entry| entry.body.as_ref()).map(bulk::runs_read).unwrap_or_default();
            self.house.jobs.job = Some((job, runs));
        }
        let (job, runs) = self.house.jobs.job.clone().expect("it was just set");
        if !self.house.jobs.chunk.is_empty() {
            return self.note_chunk(job);
        }
        let chunk = job.next(&runs, CHUNK).to_vec();
        if chunk.is_empty() {
            let job = Job { state: Stage::Ended, ..job };
            self.house.jobs.job = None;
            return self.keep_job(vec![entry(&job.job, 0, Some(job.written())), entry(&job.job, 1, None)]);
        }
        self.house.jobs.results = vec![None; chunk.len()];
        self.house.jobs.chunk = chunk.clone();
        for (at, (run, generation)) in chunk.into_iter().enumerate() {
            self.treat(&job, at, run, generation)?;
        }
        self.work_later(Duration::from_millis(1))
    }

    fn work_later(&mut self, pause: Duration) -> Result<(), Stop> {
        self.soon(pause, Event::House(Errand::Work));
        Ok(())
    }

    fn note_chunk(&mut self, mut job: Job) -> Result<(), Stop> {
        let (chunk, results) =
            (std::mem::take(&mut self.house.jobs.chunk), std::mem::take(&mut self.house.jobs.results));
        let results = results.into_iter().map(|result| result.expect("all have been answered"));
        job.treated(chunk.into_iter().map(|(run, _)| run).zip(results));
        let written = entry(&job.job, 0, Some(job.written()));
        if let Some((kept, _)) = &mut self.house.jobs.job {
            *kept = job;
        }
        self.keep_job(vec![written])
    }

    fn treat(&mut self, job: &Job, at: usize, run: RunId, generation: u32) -> Result<(), Stop> {
        let is_done = job.action.is_done(self.durable.run(run), generation);
        let treated = self.house.jobs.treated.entry((job.job.clone(), run)).or_default();
        treated.looked += 1;
        let again = treated.looked > 1;
        if is_done {
            self.summary.deed(if again {
                "a job finds what it has done"
            } else {
                "a job finds nothing to do"
            });
            self.house.jobs.results[at] = Some(Ok(()));
            return Ok(());
        }
        let command = match job.action {
            Action::Pause => Command::Pause,
            Action::Resume => Command::Unpause,
            Action::Terminate => Command::Cancel { reason: "many".into() },
            Action::Retry => Command::Retry { resume_sub_runs: false },
            Action::Restart => Command::Restart,
            Action::Remove => Command::Remove { running: false },
        };
        if job.action == Action::Remove {
            self.removals.insert(run);
        }
        let (reply, call) = self.call(Some(command.clone()), None);
        self.house.jobs.asked.insert(reply, at);
        self.input(Input::Command { run, command, reply: Some(reply) }, Some((reply, call)))
    }

    pub(super) fn job_hears(&mut self, to: ReplyTo, answer: &Answer) {
        let jobs = &mut self.house.jobs;
        let kept = jobs.keeping.take_if(|reply| *reply == to).is_some();
        let treated = jobs.asked.remove(&to);
        if let Some(at) = treated {
            let (run, _) = jobs.chunk[at];
            let name = jobs.job.as_ref().map(|(job, _)| job.job.clone()).expect("it is treated by a job");
            jobs.results[at] = Some(match answer {
                Answer::Refused(refusal) => Err(refusal.to_string()),
                Answer::Done | Answer::Accepted { .. } | Answer::Updated { .. } => {
                    jobs.treated.entry((name, run)).or_default().done += 1;
                    Ok(())
                }
            });
            let refused = matches!(answer, Answer::Refused(_));
            self.summary.deed(if refused { "a job is refused" } else { "a job does it" });
        }
        if kept || treated.is_some() {
            self.soon(Duration::from_millis(1), Event::House(Errand::Work));
        }
    }
}

fn entry(name: &str, version: u32, body: Option<RawJson>) -> Entry {
    let (created, updated) = (Timestamp::ZERO, Timestamp::ZERO);
    Entry { kind: EntryKind::Bulk, name: name.into(), version, body, created, updated }
}
