//! Who is told over HTTP what becomes of a run, and of what.

use std::fmt;
use std::sync::Arc;

use crate::record::{RunOutcome, RunState, TaskOutcome};

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Whom.
    pub to: Receiver,
    /// Of what; as the server's settings say for the named receiver if `None`, else of ends.
    pub moments: Option<Moments>,
    /// The name of the secret with which it is signed; that of the named receiver if `None`.
    pub secret: Option<String>,
    /// Whether the output is told, if it is not large.
    pub output: bool,
}

impl Callback {
    /// Of whatever the receiver is usually told, with the output.
    pub fn to(to: Receiver) -> Callback {
        Callback { to, moments: None, secret: None, output: true }
    }
}

/// A receiver that a server's settings name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedReceiver {
    /// Its name.
    pub name: Arc<str>,
    /// Of what it is told if nobody says otherwise.
    pub moments: Option<Moments>,
    /// It is told of all runs of these workflows, whatever their definitions say: a name, in which `*` stands for anything.
    pub workflows: Option<String>,
}

impl NamedReceiver {
    /// Whether it is told of all runs of a workflow.
    pub fn hears_of(&self, workflow: &str) -> bool {
        self.workflows.as_deref().is_some_and(|pattern| fits(pattern, workflow))
    }
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Where somebody is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Receiver {
    /// At this URL of HTTP.
    Url(Arc<str>),
    /// Where the server's settings say.
    Named(Arc<str>),
}

/// No URL is longer, in bytes.
const URL_MAX: usize = 2_000;

/// No name is longer, in bytes.
const NAME_MAX: usize = 64;

impl Receiver {
    /// A URL that begins with `http://` or `https://`, or a name of letters, digits, `-`, `_` and `.`.
    ///
    /// # Errors
    /// Why it is neither.
    pub fn read(text: &str) -> Result<Receiver, &'static str> {
        let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
        if lower.starts_with("http://") || lower.starts_with("https://") {
            return check_url(text).map(|()| Receiver::Url(text.into()));
        }
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if text.is_empty() || text.len() > NAME_MAX || !text.bytes().all(is_part) {
            return Err("it is neither a URL of http or https nor the name of a receiver");
        }
        Ok(Receiver::Named(text.into()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        match self {
            Receiver::Url(text) | Receiver::Named(text) => text,
        }
    }

    /// What is slow together: everything at one host and port, or one name.
    pub fn lane(&self) -> Arc<str> {
        match self {
            Receiver::Named(name) => name.clone(),
            Receiver::Url(url) => {
                let end = authority_end(url);
                url[..end].to_ascii_lowercase().into()
            }
        }
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn authority_end(url: &str) -> usize {
    let start = url.find("://").map_or(0, |at| at + 3);
    url[start..].find(['/', '?', '#', '\\']).map_or(url.len(), |at| start + at)
}

fn check_url(url: &str) -> Result<(), &'static str> {
    let start = url.find("://").map_or(0, |at| at + 3);
    let authority = &url[start..authority_end(url)];
    if url.len() > URL_MAX {
        Err("the URL is too long")
    } else if url.chars().any(|character| character.is_whitespace() || character.is_control()) {
        Err("there is white space in the URL")
    } else if authority.is_empty() || authority.starts_with(':') {
        Err("the URL names no host")
    } else if authority.contains('@') {
        Err("a URL with a password in it would be shown to everybody; sign with a secret instead")
    } else {
        Ok(())
    }
}

/// Something that happens to a run or to one of its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Moment {
    Started,
    Completed,
    Failed,
    Cancelled,
    TimedOut,
    RolledBack,
    RollbackFailed,
    Paused,
    Resumed,
    Restarted,
    TaskStarted,
    TaskCompleted,
    TaskFailed,
    TaskCancelled,
    TaskTimedOut,
    TaskSkipped,
    TaskRetried,
}

impl Moment {
    /// All moments.
    pub const ALL: [Moment; 17] = [
        Moment::Started,
        Moment::Completed,
        Moment::Failed,
        Moment::Cancelled,
        Moment::TimedOut,
        Moment::RolledBack,
        Moment::RollbackFailed,
        Moment::Paused,
        Moment::Resumed,
        Moment::Restarted,
        Moment::TaskStarted,
        Moment::TaskCompleted,
        Moment::TaskFailed,
        Moment::TaskCancelled,
        Moment::TaskTimedOut,
        Moment::TaskSkipped,
        Moment::TaskRetried,
    ];

    /// As documents and settings call it.
    pub const fn word(self) -> &'static str {
        match self {
            Moment::Started => "started",
            Moment::Completed => "completed",
            Moment::Failed => "failed",
            Moment::Cancelled => "cancelled",
            Moment::TimedOut => "timed-out",
            Moment::RolledBack => "rolled-back",
            Moment::RollbackFailed => "rollback-failed",
            Moment::Paused => "paused",
            Moment::Resumed => "resumed",
            Moment::Restarted => "restarted",
            Moment::TaskStarted => "task-started",
            Moment::TaskCompleted => "task-completed",
            Moment::TaskFailed => "task-failed",
            Moment::TaskCancelled => "task-cancelled",
            Moment::TaskTimedOut => "task-timed-out",
            Moment::TaskSkipped => "task-skipped",
            Moment::TaskRetried => "task-retried",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Moment> {
        Moment::ALL.into_iter().find(|moment| moment.word() == word)
    }

    /// The end of a run.
    pub fn of_end(outcome: RunOutcome) -> Moment {
        match outcome {
            RunOutcome::Succeeded => Moment::Completed,
            RunOutcome::Failed => Moment::Failed,
            RunOutcome::Cancelled => Moment::Cancelled,
            RunOutcome::TimedOut => Moment::TimedOut,
            RunOutcome::RolledBack => Moment::RolledBack,
            RunOutcome::RollbackFailed => Moment::RollbackFailed,
        }
    }

    /// The end of a task.
    pub fn of_task(outcome: TaskOutcome) -> Moment {
        match outcome {
            TaskOutcome::Succeeded => Moment::TaskCompleted,
            TaskOutcome::Failed => Moment::TaskFailed,
            TaskOutcome::Cancelled => Moment::TaskCancelled,
            TaskOutcome::TimedOut => Moment::TaskTimedOut,
            TaskOutcome::Skipped => Moment::TaskSkipped,
        }
    }

    /// What somebody changed by hand, if it is told.
    pub fn of_state(state: RunState) -> Option<Moment> {
        match state {
            RunState::Running => Some(Moment::Resumed),
            RunState::Paused => Some(Moment::Paused),
            RunState::Ended(outcome) => Some(Moment::of_end(outcome)),
            RunState::Ending(_) | RunState::RollingBack(_) => None,
        }
    }
}

/// A set of moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moments(u32);

impl Moments {
    /// All ends of runs.
    pub const ENDS: Moments = Moments::of(&[
        Moment::Completed,
        Moment::Failed,
        Moment::Cancelled,
        Moment::TimedOut,
        Moment::RolledBack,
        Moment::RollbackFailed,
    ]);

    /// Whatever happens to runs, and nothing of their tasks.
    pub const OF_RUNS: Moments = Moments(
        Moments::ENDS.0
            | Moments::of(&[Moment::Started, Moment::Paused, Moment::Resumed, Moment::Restarted]).0,
    );

    /// These.
    pub const fn of(moments: &[Moment]) -> Moments {
        let (mut bits, mut at) = (0, 0);
        while at < moments.len() {
            bits |= 1 << moments[at] as u32;
            at += 1;
        }
        Moments(bits)
    }

    /// Whether it is one of them.
    pub const fn contain(self, moment: Moment) -> bool {
        self.0 & 1 << moment as u32 != 0
    }

    /// With one more.
    pub const fn with(self, moment: Moment) -> Moments {
        Moments(self.0 | 1 << moment as u32)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Moment> {
        Moment::ALL.into_iter().filter(move |&moment| self.contain(moment))
    }

    /// What these words mean.
    ///
    /// # Errors
    /// The first word that means nothing.
    pub fn read<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<Moments, String> {
        words.into_iter().try_fold(Moments::default(), |moments, word| match Moment::of_word(word) {
            Some(moment) => Ok(moments.with(moment)),
            None => Err(word.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_a_url_without_a_password_or_a_name() {
        for good in
            ["https://erp.example/hooks?x=1", "HTTP://127.0.0.1:8080", "https://[::1]/", "erp", "e.r-p_2"]
        {
            assert_eq!(Receiver::read(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "ftp://x/",
            "https://",
            "https:///x",
            "https://:80/",
            "http://u:p@host/",
            "https://a b/",
            "sqs:q",
        ] {
            assert!(Receiver::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_stands_at_one_host_and_port_is_slow_together() {
        let lane = |url: &str| Receiver::read(url).unwrap().lane().to_string();
        assert_eq!(lane("https://ERP.example/a"), lane("https://erp.example?b"));
        assert_ne!(lane("https://erp.example:8443/a"), lane("https://erp.example/a"));
        assert_eq!(lane("erp"), "erp");
    }

    #[test]
    fn words_and_moments_are_the_same_thing() {
        for moment in Moment::ALL {
            assert_eq!(Moment::of_word(moment.word()), Some(moment));
            assert!(Moments::of(&[moment]).iter().eq([moment]));
        }
        assert_eq!(Moments::read(["failed", "finished"]), Err("finished".to_owned()));
        assert!(Moments::OF_RUNS.iter().all(|moment| !moment.word().starts_with("task-")));
    }

    #[test]
    fn a_star_stands_for_anything() {
        let cases = [
            ("month-*", "month-end", true),
            ("month-*", "month", false),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("a*b*b", "ab", false),
            ("*x*y*", "axbyc", true),
            ("erp", "erp2", false),
        ];
        for (pattern, name, is_meant) in cases {
            assert_eq!(fits(pattern, name), is_meant, "{pattern} {name}");
        }
    }
}
