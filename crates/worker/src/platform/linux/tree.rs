//! Whole trees of processes: finding what is left of one, and ending it.
//!
//! A tree is recognised by three things, each of which a hostile child may shed: its session and process group, the
//! marks in its environment, and its descent. We are the *subreaper* of our children, so whatever loses its parent
//! becomes our child: that makes "is anything left?" one short read of our list of children.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::time::{Duration, Instant};

use partitur_model::{AttemptId, RunId};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::proc::{self, Stat};
use super::spawn::{kill_group, leaders, wait};

/// Names, in a process's environment, the attempt to which it belongs, and those within which that runs: a task may
/// itself run a graph of tasks, and those belong to both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker(String);

impl Marker {
    /// The variable that holds the marks, from the outermost to the innermost: `run/token/instance`, each followed by a
    /// colon.
    pub const NAME: &str = "PARTITUR_WITHIN";

    pub fn of(attempt: AttemptId, instance: &Instance) -> Marker {
        Marker(format!("{}/{}/{}:", attempt.run, attempt.token, instance.as_str()))
    }

    /// The value of the variable for a process of this attempt, `outer` being the value that we were given.
    pub fn within(&self, outer: &str) -> String {
        format!("{outer}{}", self.0)
    }

    /// Whether a process of this environment belongs to the attempt; `None` if it bears no mark at all.
    fn is_on(&self, environment: &[u8]) -> Option<bool> {
        let marks = proc::variable(environment, Marker::NAME)?;
        Some(memchr::memmem::find(marks, self.0.as_bytes()).is_some())
    }
}

/// One executor among all that there ever were on this machine: what it leaves is told apart from what its successor
/// does in the same run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance(std::sync::Arc<str>);

impl Instance {
    pub fn new() -> Instance {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let nanos = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
        Instance(format!("{:x}.{nanos:x}", std::process::id()).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whoever becomes another program has become it in this time.
const SETTLED_WITHIN: Duration = Duration::from_secs(1);

/// Which strays are meant.
pub(crate) enum Strays<'a> {
    /// Those of some runs, whoever started them.
    OfRuns(&'a dyn Fn(RunId) -> bool),
    /// Those that one executor started.
    OfInstance(&'a Instance),
}

impl Strays<'_> {
    /// Whether a process that was seen is one of these. Its session counts only as it is after the mark was seen:
    /// between its fork and its `setsid` a child still is in that of our own terminal, where it must not lead anybody.
    fn judge(&self, seen: &Stat) -> Verdict {
        match proc::environment(seen.pid) {
            Some(environment) if self.are_marked_so(&environment) => match Stat::read(seen.pid) {
                Some(now) if now.born == seen.born => Verdict::Stray(now),
                // It has gone, and whoever has its number now is looked at again.
                Some(_) | None => Verdict::Undecided,
            },
            Some(_) => Verdict::Other,
            None => Verdict::Undecided,
        }
    }

    fn are_marked_so(&self, environment: &[u8]) -> bool {
        let marks = proc::variable(environment, Marker::NAME).unwrap_or_default();
        let marks = std::str::from_utf8(marks).unwrap_or_default();
        marks.split(':').any(|mark| {
            let mut parts = mark.split('/');
            let (run, instance) = (parts.next(), parts.nth(1));
            match self {
                Strays::OfRuns(runs) => run.and_then(|run| run.parse().ok()).is_some_and(runs),
                Strays::OfInstance(wanted) => instance == Some(wanted.as_str()),
            }
        })
    }
}

/// Whether a process is a stray.
enum Verdict {
    /// It is, and this is how it stands.
    Stray(Stat),
    Other,
    /// It is just becoming another program.
    Undecided,
}

/// The processes of one attempt.
#[derive(Debug)]
pub(crate) struct Tree {
    leader: i32,
    marker: Marker,
    /// When the leader was born, in ticks since boot.
    born: u64,
}

impl Tree {
    /// The tree below a child that has just been started.
    pub fn new(leader: i32, marker: Marker) -> Tree {
        Tree { leader, marker, born: ticks_since_boot() }
    }

    /// When its leader was born.
    pub fn born(&self) -> u64 {
        self.born
    }

    /// Whether nothing is left, the leader having been reaped; costs two system calls and a short read when that is
    /// so. `others` are the births of the other trees that live.
    pub fn is_gone(&self, others: &[u64]) -> bool {
        if kill_group(self.leader, None) {
            return false;
        }
        match orphans() {
            Some(orphans) => !orphans.iter().any(|orphan| self.owns(orphan, others) || is_undecided(orphan)),
            None => self.members(others).is_empty(),
        }
    }

    /// Whether somebody fell to us of whom cannot be said yet whose it is.
    pub fn is_undecided(&self) -> bool {
        orphans().is_some_and(|orphans| orphans.iter().any(is_undecided))
    }

    /// What lives of the tree, the leader included if it does. Takes the ends of its members that fell to us.
    pub fn members(&self, others: &[u64]) -> Vec<Stat> {
        let all = proc::all().unwrap_or_default();
        let own = std::process::id() as i32;
        let leaders = leaders().clone();
        let mut members: HashSet<i32> = all
            .iter()
            .filter(|stat| {
                stat.pid == self.leader || (!leaders.contains(&stat.pid) && self.owns_any(stat, own, others))
            })
            .map(|stat| stat.pid)
            .collect();
        members.remove(&own);
        // Descendants follow their ancestors, however deep: again until nothing is added.
        loop {
            let before = members.len();
            let children =
                all.iter().filter(|stat| members.contains(&stat.parent) && !leaders.contains(&stat.pid));
            members.extend(children.map(|stat| stat.pid).collect::<Vec<_>>());
            if members.len() == before {
                break;
            }
        }
        let (dead, alive): (Vec<Stat>, Vec<Stat>) =
            all.into_iter().filter(|stat| members.contains(&stat.pid)).partition(|stat| stat.zombie);
        for zombie in dead.iter().filter(|zombie| zombie.parent == own && zombie.pid != self.leader) {
            let _ = wait(zombie.pid, libc::WNOHANG);
        }
        alive
    }

    /// Sends a signal to everything that lives of the tree.
    pub fn signal(&self, signal: Signal, others: &[u64]) {
        kill_group(self.leader, Some(signal));
        for member in self.members(others) {
            if member.group != self.leader {
                send(&member, signal);
            }
        }
    }

    fn owns_any(&self, stat: &Stat, own: i32, others: &[u64]) -> bool {
        if stat.parent == own {
            return self.owns(stat, others);
        }
        self.is_marked(stat).unwrap_or(false)
    }

    /// Whether an orphan that fell to us is of this tree. One that has shed every mark is, unless it may as well be
    /// of another tree that lives; then it ends with the last of these.
    fn owns(&self, orphan: &Stat, others: &[u64]) -> bool {
        match self.is_marked(orphan) {
            Some(marked) => marked,
            None => {
                let foreign_session =
                    Stat::read(std::process::id() as i32).is_some_and(|us| us.session != orphan.session);
                foreign_session && orphan.born >= self.born && others.iter().all(|&born| orphan.born < born)
            }
        }
    }

    /// What session and environment say; `None` if they say nothing.
    fn is_marked(&self, stat: &Stat) -> Option<bool> {
        if stat.session == self.leader || stat.group == self.leader {
            return Some(true);
        }
        self.marker.is_on(&proc::environment(stat.pid)?)
    }
}

/// Whether the process is just becoming another program. Who was born long ago and still tells nothing never will.
fn is_undecided(orphan: &Stat) -> bool {
    let young = ticks_since_boot().saturating_sub(SETTLED_WITHIN.as_millis() as u64 / 10);
    !orphan.zombie && orphan.born >= young && proc::environment(orphan.pid).is_none()
}

/// Children of ours that we did not start; `None` if the kernel does not tell.
fn orphans() -> Option<Vec<Stat>> {
    let leaders = leaders();
    let children = proc::children()?;
    Some(children.into_iter().filter(|pid| !leaders.contains(pid)).filter_map(Stat::read).collect())
}

/// Ends every process whose environment marks it as one of these strays, with all that descends from it or shares its
/// session. Returns how many there were.
///
/// # Errors
/// `/proc` cannot be read, or something still lives after `patience`.
pub(crate) fn kill_strays(strays: &Strays<'_>, patience: Duration) -> io::Result<u32> {
    let (deadline, settled) = (Instant::now() + patience, Instant::now() + SETTLED_WITHIN);
    let mut seen = HashSet::new();
    loop {
        let (found, undecided) = kill_marked(strays)?;
        if found.is_empty() && (!undecided || Instant::now() > settled) {
            return Ok(seen.len() as u32);
        }
        if Instant::now() > deadline {
            let message = format!("{} processes of an earlier start cannot be killed", found.len());
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        for stray in found {
            send(&stray, Signal::KILL);
            seen.insert((stray.pid, stray.born));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills those that are marked. Returns them with what belongs to them, and whether there are some of which cannot be
/// said yet whose they are.
fn kill_marked(strays: &Strays<'_>) -> io::Result<(Vec<Stat>, bool)> {
    let own = Stat::read(std::process::id() as i32).ok_or(io::ErrorKind::NotFound)?;
    let (mut all, mut found, mut undecided) = (BTreeMap::new(), HashSet::new(), false);
    proc::visit(|mut some| {
        some.retain(|stat| {
            !stat.zombie && !stat.kernel && stat.pid != own.pid && stat.session != own.session
        });
        // Known with their parents before any of these is killed.
        all.extend(some.iter().map(|stat| (stat.pid, *stat)));
        // At once, and the youngest first: who leaves a child and goes, again and again, has to be met before it goes.
        for stat in some.iter().rev() {
            match strays.judge(stat) {
                Verdict::Stray(now) => {
                    send(&now, Signal::KILL);
                    all.insert(now.pid, now);
                    found.insert(now.pid);
                }
                Verdict::Other => {}
                Verdict::Undecided => undecided = true,
            }
        }
    })?;
    add_kin(&mut found, &all);
    Ok((all.into_values().filter(|stat| found.contains(&stat.pid)).collect(), undecided))
}

/// What descends from those that were found, or is in their sessions, and so on.
fn add_kin(found: &mut HashSet<i32>, all: &BTreeMap<i32, Stat>) {
    loop {
        let before = found.len();
        let sessions: HashSet<i32> = found.iter().filter_map(|pid| Some(all.get(pid)?.session)).collect();
        let more =
            all.values().filter(|stat| sessions.contains(&stat.session) || found.contains(&stat.parent));
        found.extend(more.map(|stat| stat.pid).collect::<Vec<_>>());
        if found.len() == before {
            break;
        }
    }
}

/// Signals the process that was seen, never another that has its number since.
fn send(seen: &Stat, signal: Signal) {
    let Some(pid) = Pid::from_raw(seen.pid) else { return };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if Stat::read(seen.pid).is_some_and(|now| now.born == seen.born) {
        // Fails only if it is gone, which is what we want, or not ours to signal, which we cannot change.
        let _ = pidfd_send_signal(&pidfd, signal);
    }
}

fn ticks_since_boot() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // The kernel counts births in hundredths of a second, whatever its own tick is.
    now.tv_sec as u64 * 100 + now.tv_nsec as u64 / 10_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt as _;

    #[test]
    fn a_stray_seen_before_it_left_our_session_does_not_lead_to_those_who_stayed() {
        let run = RunId::new(0, 9, u64::from(std::process::id()));
        let mut sleep = std::process::Command::new("sleep");
        sleep.arg("1000").env(Marker::NAME, format!("{run}/1/x:"));
        // SAFETY: one system call.
        let sleep = unsafe { sleep.pre_exec(|| Ok(rustix::process::setsid().map(|_| ())?)) };
        let mut child = sleep.spawn().unwrap();
        let (pid, own) = (child.id() as i32, Stat::read(std::process::id() as i32).unwrap());
        let settled = Stat::read(pid).unwrap();
        let (before, another) =
            (Stat { session: own.session, ..settled }, Stat { born: settled.born + 1, ..settled });

        let runs = |found| found == run;
        let strays = Strays::OfRuns(&runs);
        assert!(matches!(strays.judge(&before), Verdict::Stray(now) if now == settled && now.session == pid));
        assert!(matches!(strays.judge(&another), Verdict::Undecided));
        assert!(matches!(strays.judge(&own), Verdict::Other));
        let all = BTreeMap::from([(pid, settled), (own.pid, own)]);
        let mut found = HashSet::from([pid]);
        add_kin(&mut found, &all);
        assert_eq!(found, HashSet::from([pid]));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
