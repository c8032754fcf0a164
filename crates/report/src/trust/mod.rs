//! Whether declared dependencies can be trusted: which say nothing new, which are missing, which cost time for no reason
//! that can be seen, and whether the tasks may run in parallel.
//!
//! [`Subject`] is what is known, [`Trust::of`] what follows. Evidence is named for everything that is said.

mod doubtful;
mod redundant;
#[cfg(test)]
mod tests;

use partitur_graph::{
    Access, Csr, Cyclic, Order, Resource, Touches, Waves, bottom_levels, critical_path, races,
    reachable_from, simulate, work,
};

/// What is known about a graph.
pub struct Subject<'a> {
    /// The graph; it has no cycles.
    pub csr: &'a Csr,
    /// How long each node takes.
    pub durations: &'a [u64],
    /// The dependencies that somebody has declared: who is waited for, and who waits. Other edges are taken as given.
    pub declared: &'a [(u32, u32)],
    /// What each node reads and writes: path, and whether it is written.
    pub files: &'a [Vec<(String, bool)>],
    /// Nodes that are tasks; others only hold tasks together.
    pub is_task: &'a [bool],
    /// Earlier runs: which nodes ran when.
    pub history: &'a [Vec<Ran>],
    /// What is plainly wrong, so that nothing can be built on it.
    pub errors: usize,
}

/// A node in an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Which.
    pub node: u32,
    /// When it began, in milliseconds.
    pub began: u64,
    /// When it ended.
    pub ended: u64,
    /// How.
    pub succeeded: bool,
}

/// What follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Declared dependencies that follow from others.
    pub redundant: Vec<(u32, u32)>,
    /// All of them were looked at.
    pub redundant_complete: bool,
    /// Tasks without order between them that touch the same file, one of them writing.
    pub missing: Vec<Missing>,
    /// So many more there are.
    pub missing_more: u64,
    /// Declared dependencies that lengthen the whole, the costliest first.
    pub doubtful: Vec<Doubt>,
    /// Declared dependencies that were not kept to, and nothing went wrong.
    pub disproved: Vec<(u32, u32)>,
    /// Tasks that name no file: what they touch cannot be seen.
    pub silent: usize,
    /// All tasks.
    pub tasks: usize,
    /// The task that most others wait for, and how many.
    pub weightiest: Option<(u32, usize)>,
    /// All work.
    pub work: u64,
    /// The nodes of the longest way.
    pub critical: Vec<u32>,
    /// Its length.
    pub length: u64,
    /// How long it takes with so many workers.
    pub makespans: Vec<(u32, u64)>,
    /// May the tasks run in parallel?
    pub verdict: Verdict,
}

/// Two tasks that get into each other's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The one that stands first.
    pub first: u32,
    /// The other one.
    pub second: u32,
    /// The lock that would make them take turns.
    pub lock: String,
}

/// A dependency that costs time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Who is waited for.
    pub from: u32,
    /// Who waits.
    pub to: u32,
    /// So much sooner the last task would end without it, with as many workers as it takes.
    pub saved: u64,
    /// Both name files, and none that both touch and one writes.
    pub no_common_file: bool,
}

/// Whether the tasks may run in parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They may.
    Safe,
    /// They may with the locks that are named.
    SafeWithLocks,
    /// As far as can be seen; tasks that name no files may get into each other's way.
    SafeAsFarAsSeen,
    /// They may not before the errors are mended.
    NotBefore,
}

/// For so many workers it is said how long it takes.
const WORKERS: [u32; 4] = [1, 2, 4, 8];

/// So many missing dependencies are named.
const MISSING_MAX: usize = 200;

/// Of so many nodes it is looked at how many others wait for them: those with the longest way behind them.
const WEIGHTIEST_MAX: usize = 200;

impl Trust {
    /// Looks at a graph.
    ///
    /// # Errors
    /// It has a cycle.
    pub fn of(subject: &Subject<'_>) -> Result<Trust, Cyclic> {
        let waves = Waves::of(subject.csr)?;
        let bottom = bottom_levels(subject.csr, &waves, subject.durations);
        let (critical, length) = match bottom.is_empty() {
            true => (Vec::new(), 0),
            false => {
                let path = critical_path(subject.csr, &waves, &bottom);
                (path.nodes, path.length)
            }
        };
        let (redundant, redundant_complete) = redundant::redundant(subject.csr, &waves, subject.declared);
        let (missing, missing_more) = missing(subject, &waves);
        let mut trust = Trust {
            redundant,
            redundant_complete,
            missing,
            missing_more,
            doubtful: doubtful::doubtful(subject, &waves, &bottom, length),
            disproved: disproved(subject),
            silent: tasks(subject).filter(|&node| subject.files[node as usize].is_empty()).count(),
            tasks: tasks(subject).count(),
            weightiest: weightiest(subject, &bottom),
            work: work(subject.durations),
            critical,
            length,
            makespans: makespans(subject)?,
            verdict: Verdict::Safe,
        };
        trust.verdict = trust.judge(subject.errors);
        Ok(trust)
    }

    fn judge(&self, errors: usize) -> Verdict {
        match (errors, self.missing.is_empty(), self.silent) {
            (1.., _, _) => Verdict::NotBefore,
            (0, false, _) => Verdict::SafeWithLocks,
            (0, true, 0) => Verdict::Safe,
            (0, true, _) => Verdict::SafeAsFarAsSeen,
        }
    }

    /// The locks that would make all named tasks take turns.
    pub fn locks(&self) -> Vec<&str> {
        let mut locks: Vec<&str> = self.missing.iter().map(|missing| missing.lock.as_str()).collect();
        locks.sort_unstable();
        locks.dedup();
        locks
    }
}

fn tasks(subject: &Subject<'_>) -> impl Iterator<Item = u32> {
    (0..subject.csr.nodes()).filter(|&node| subject.is_task[node as usize])
}

fn missing(subject: &Subject<'_>, waves: &Waves) -> (Vec<Missing>, u64) {
    let access = |(path, write): &(String, bool)| Access { resource: Resource::path(path), write: *write };
    let touches = |files: &Vec<(String, bool)>| Touches {
        accesses: files.iter().map(access).collect(),
        claims: Vec::new(),
    };
    let touches: Vec<Touches> = subject.files.iter().map(touches).collect();
    let races = races(subject.csr, waves, &touches, MISSING_MAX);
    let missing = |race: &partitur_graph::Race| Missing {
        first: race.first,
        second: race.second,
        lock: race.suggestion().lock,
    };
    let mut found: Vec<Missing> = races.found.iter().map(missing).collect();
    found.dedup();
    (found, races.more)
}

/// Who began before what it waits for had ended, and succeeded, in any run, and never failed that way.
fn disproved(subject: &Subject<'_>) -> Vec<(u32, u32)> {
    let early = |run: &Vec<Ran>, (from, to): (u32, u32)| {
        let of = |node: u32| run.iter().find(|ran| ran.node == node);
        let (before, after) = (of(from)?, of(to)?);
        (after.began < before.ended).then_some(after.succeeded)
    };
    let disproved = |&&edge: &&(u32, u32)| {
        let ends: Vec<bool> = subject.history.iter().filter_map(|run| early(run, edge)).collect();
        !ends.is_empty() && ends.iter().all(|&succeeded| succeeded)
    };
    subject.declared.iter().filter(disproved).copied().collect()
}

fn weightiest(subject: &Subject<'_>, bottom: &[u64]) -> Option<(u32, usize)> {
    let mut nodes: Vec<u32> = tasks(subject).collect();
    nodes.sort_by_key(|&node| (std::cmp::Reverse(bottom[node as usize]), node));
    let behind = |node: u32| {
        let reached = reachable_from(subject.csr, &[node]);
        reached.into_iter().filter(|&other| other != node && subject.is_task[other as usize]).count()
    };
    let counted = nodes.into_iter().take(WEIGHTIEST_MAX).map(|node| (node, behind(node)));
    counted.max_by_key(|&(node, count)| (count, std::cmp::Reverse(node))).filter(|&(_, count)| count > 0)
}

fn makespans(subject: &Subject<'_>) -> Result<Vec<(u32, u64)>, Cyclic> {
    let takes = |workers: u32| {
        let schedule = simulate(subject.csr, subject.durations, workers, Order::BottomLevel)?;
        Ok((workers, schedule.makespan))
    };
    if subject.csr.nodes() == 0 {
        return Ok(WORKERS.map(|workers| (workers, 0)).to_vec());
    }
    WORKERS.into_iter().map(takes).collect()
}
