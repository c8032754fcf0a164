//! The figures as people read them.

use std::fmt;
use std::time::Duration;

use partitur_model::record::{RunOutcome, RunState};

use crate::chain::Link;
use crate::performance::Performance;
use crate::time::short;
use crate::watch::Cause;

/// Of a longer chain, the links that took longest are shown.
const LINKS_MAX: usize = 8;

impl Performance {
    /// What became of the run: `month-end succeeded in 12.4s`.
    pub fn headline(&self) -> String {
        let name = if self.name.is_empty() { "the run" } else { &self.name };
        let rested = if self.rested.is_zero() {
            String::new()
        } else {
            format!(" (and {} of rest)", short(self.rested))
        };
        let wall = short(self.wall) + &rested;
        match self.state {
            RunState::Ended(outcome) => format!("{name} {} after {wall}", outcome_words(outcome)),
            RunState::Running => format!("{name} has been running for {wall}"),
            RunState::Paused => format!("{name} is paused, {wall} after its start"),
            RunState::Ending(_) => format!("{name} is ending, {wall} after its start"),
            RunState::RollingBack(_) => format!("{name} is being rolled back, {wall} after its start"),
        }
    }

    /// The figures, each with its name.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("tasks", self.counts_line())];
        lines.extend(self.saving_line().map(|line| ("time saved", line)));
        lines.extend(self.critical_line().map(|line| ("critical path", line)));
        lines.extend(self.waits_line().map(|line| ("waits", line)));
        lines
    }

    fn counts_line(&self) -> String {
        let counts = self.counts;
        let mut parts = Vec::new();
        let mut part = |count: u32, words: &str| {
            if count > 0 {
                parts.push(format!("{count} {words}"));
            }
        };
        part(counts.succeeded, "succeeded");
        part(counts.failed, "failed");
        part(counts.cancelled, "cancelled");
        part(counts.skipped, "skipped");
        part(counts.open, "not ended");
        part(counts.up_to_date, "up to date");
        part(counts.restored, "restored");
        part(counts.cached, "replayed from the cache");
        part(counts.retried, "retried");
        part(counts.undone, "undone");
        part(counts.undo_failed, "not undone");
        if parts.is_empty() { "none was executed".to_owned() } else { parts.join(" · ") }
    }

    fn saving_line(&self) -> Option<String> {
        if self.attempts.is_zero() {
            return None;
        }
        let all = short(self.attempts);
        Some(match self.saving {
            Some(saving) => format!(
                "{} of {all} one after the other: {:.0} % less, {:.1} times as fast",
                short(saving.time),
                saving.percent,
                saving.factor
            ),
            None => format!("none: one after the other would have taken {all}"),
        })
    }

    fn critical_line(&self) -> Option<String> {
        if self.critical.is_empty() {
            return None;
        }
        let length: Duration = self.critical.iter().map(|link| link.queued + link.took).sum();
        Some(format!("{}: {}", short(length), shown_links(&self.critical)))
    }

    fn waits_line(&self) -> Option<String> {
        let mut parts: Vec<String> = Cause::ALL
            .into_iter()
            .map(|cause| (cause.name(), self.waits.of(cause)))
            .chain([("queue", self.queued)])
            .filter(|(_, time)| *time >= Duration::from_millis(1))
            .map(|(name, time)| format!("{name} {}", short(time)))
            .collect();
        if parts.is_empty() {
            return None;
        }
        parts.push("(all tasks together)".to_owned());
        Some(parts.join(" · ").replace(" · (", " ("))
    }
}

/// The links in their order; of many, those that took longest.
fn shown_links(links: &[Link]) -> String {
    let mut shown: Vec<usize> = (0..links.len()).collect();
    shown.sort_by_key(|&at| std::cmp::Reverse(links[at].took + links[at].queued));
    shown.truncate(LINKS_MAX);
    shown.sort_unstable();
    let mut text = String::new();
    let mut next = 0;
    for at in shown {
        if at > 0 {
            text += " → ";
        }
        if at > next {
            text += &format!("… {} more → ", at - next);
        }
        text += &link_words(&links[at]);
        next = at + 1;
    }
    if next < links.len() {
        text += &format!(" → … {} more", links.len() - next);
    }
    text
}

fn link_words(link: &Link) -> String {
    let took = short(link.took);
    // What is below a tenth of the task's own time is no story.
    if link.queued >= Duration::from_millis(10) && link.queued * 10 > link.took {
        format!("{} {took} (after {} in the queue)", link.path, short(link.queued))
    } else {
        format!("{} {took}", link.path)
    }
}

fn outcome_words(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Succeeded => "succeeded",
        RunOutcome::Failed => "failed",
        RunOutcome::Cancelled => "was cancelled",
        RunOutcome::TimedOut => "took too long: it was ended",
        RunOutcome::RolledBack => "failed and was rolled back,",
        RunOutcome::RollbackFailed => "failed, and its rollback failed too,",
    }
}

impl fmt::Display for Performance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        for (name, line) in self.lines() {
            writeln!(f, "  {name:<14} {line}")?;
        }
        Ok(())
    }
}
