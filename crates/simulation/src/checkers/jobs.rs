//! A job over many runs looks at each of them, says what became of it, and does nothing twice.

use partitur_api::bulk::{Action, Job, Stage};
use partitur_model::catalogue::EntryKind;

use super::{Checker, Scene, Seen};
use crate::world::house::Treated;

/// Compares what jobs say with what was seen of them.
pub struct Jobs;

impl Checker for Jobs {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Rest | Seen::Started(_) => {
                let mut jobs = scene.durable.entries(EntryKind::Bulk).filter(|entry| entry.version == 0);
                jobs.try_for_each(|entry| {
                    let job = entry.body.as_ref().and_then(Job::read).ok_or("a job that cannot be read")?;
                    judge(scene, &job)
                })
            }
            Seen::Idle => {
                let entries = scene.durable.entries(EntryKind::Bulk);
                let open = entries.filter_map(|entry| Job::read(entry.body.as_ref()?));
                let open = open.filter(|job| job.state == Stage::Running).count();
                match open {
                    0 => Ok(()),
                    _ => Err(format!("{open} jobs do not go on")),
                }
            }
            Seen::Effect(_) | Seen::Commit(_) | Seen::Killed | Seen::Forgotten(_) => Ok(()),
        }
    }
}

fn judge(scene: &Scene<'_>, job: &Job) -> Result<(), String> {
    let of_job = scene.house.jobs.treated.iter().filter(|((name, _), _)| *name == job.job);
    let treated: Vec<&Treated> = of_job.map(|(_, treated)| treated).collect();
    let once = matches!(job.action, Action::Retry | Action::Restart | Action::Remove);
    if once && treated.iter().any(|treated| treated.done > 1) {
        return Err(format!("a run was treated twice: {job:?} {treated:?}"));
    }
    if job.done + job.failed != job.position || job.errors.len() != job.failed {
        return Err(format!("it does not add up: {job:?}"));
    }
    let is_over = job.state == Stage::Ended;
    if is_over && (job.position != job.total || treated.len() != job.total) {
        return Err(format!("{} of {} runs were looked at: {job:?}", treated.len(), job.total));
    }
    Ok(())
}
