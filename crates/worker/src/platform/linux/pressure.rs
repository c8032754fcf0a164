//! How hard the machine is pressed: stalls of processors and memory (PSI), and memory in use, of the control group in
//! which this process is and of those around it, and of the whole machine.
//!
//! Source: the kernel's `Documentation/accounting/psi.rst` and `admin-guide/cgroup-v2.rst`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use partitur_model::Pressure;

/// Without PSI, a look at who wants to run stands for the time since the last; so much of it counts.
const SAMPLE_WEIGHT: f32 = 0.3;

/// Looks at the machine. What it says of stalls holds for the time since its last look.
#[derive(Debug)]
pub struct PressureGauge {
    root: PathBuf,
    /// The control group of this process and those around it, the innermost first.
    groups: Vec<PathBuf>,
    last: Option<Last>,
    waiting: f32,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    at: Instant,
    processors: Option<u64>,
    memory: Option<u64>,
}

impl PressureGauge {
    /// Of the machine on which this process runs.
    pub fn new() -> PressureGauge {
        PressureGauge::at(Path::new("/"))
    }

    fn at(root: &Path) -> PressureGauge {
        PressureGauge { groups: groups(root), root: root.to_owned(), last: None, waiting: 0.0 }
    }

    /// How it is now.
    pub fn look(&mut self) -> Pressure {
        self.look_at(Instant::now())
    }

    fn look_at(&mut self, now: Instant) -> Pressure {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let current = Last { at: now, processors: self.stalled("cpu"), memory: self.stalled("memory") };
        let since = |then: Option<u64>, now: Option<u64>, before: Instant| {
            let span = current.at.saturating_duration_since(before).as_micros().max(1) as f32;
            Some((now?.saturating_sub(then?) as f32 / span).min(1.0))
        };
        let last = self.last.replace(current);
        let processors = last.and_then(|last| since(last.processors, current.processors, last.at));
        let memory_stall = last.and_then(|last| since(last.memory, current.memory, last.at));
        let processors = match (processors, current.processors) {
            (Some(share), _) => share,
            (None, Some(_)) => 0.0,
            (None, None) => self.sampled(cores),
        };
        let tightest = self.memory().into_iter().max_by(|a, b| a.share().total_cmp(&b.share()));
        let tightest = tightest.unwrap_or(InUse { used: 0, limit: 0 });
        Pressure {
            cores,
            processors,
            memory: tightest.share(),
            memory_stall: memory_stall.unwrap_or(0.0),
            memory_used: tightest.used,
            memory_limit: tightest.limit,
        }
    }

    /// Microseconds in which somebody was stalled, since ever: of our own group, else of the machine.
    fn stalled(&self, what: &str) -> Option<u64> {
        let own = self.groups.first().map(|group| group.join(format!("{what}.pressure")));
        let all = self.root.join("proc/pressure").join(what);
        own.into_iter().chain([all]).find_map(|file| total(&fs::read_to_string(file).ok()?))
    }

    /// Whether more want to run than can, smoothed over the last looks.
    fn sampled(&mut self, cores: u32) -> f32 {
        let text = fs::read_to_string(self.root.join("proc/stat")).unwrap_or_default();
        let wanting = text.lines().find_map(|line| line.strip_prefix("procs_running ")?.trim().parse().ok());
        let short = if wanting.unwrap_or(0_u32) > cores { 1.0 } else { 0.0 };
        self.waiting += (short - self.waiting) * SAMPLE_WEIGHT;
        self.waiting
    }

    /// Every limit on memory that there is.
    fn memory(&self) -> Vec<InUse> {
        let mut limits: Vec<InUse> = self.groups.iter().filter_map(|group| in_group(group)).collect();
        let machine = fs::read_to_string(self.root.join("proc/meminfo")).unwrap_or_default();
        let field = |name: &str| {
            let line = machine.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib << 10)
        };
        if let (Some(limit), Some(free)) = (field("MemTotal:"), field("MemAvailable:")) {
            limits.push(InUse { used: limit.saturating_sub(free), limit });
        }
        limits
    }
}

impl Default for PressureGauge {
    fn default() -> PressureGauge {
        PressureGauge::new()
    }
}

/// Memory in use, of so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InUse {
    used: u64,
    limit: u64,
}

impl InUse {
    fn share(&self) -> f32 {
        if self.limit == 0 { 0.0 } else { (self.used as f64 / self.limit as f64) as f32 }
    }
}

/// What a control group may have: above `memory.high` its tasks are slowed down, above `memory.max` they are killed.
fn in_group(group: &Path) -> Option<InUse> {
    let number = |file: &str| fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok();
    let limit = [number("memory.high"), number("memory.max")].into_iter().flatten().min()?;
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let cached = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok());
    // Pages of files that nobody has used lately are given back when somebody wants memory.
    Some(InUse { used: number("memory.current")?.saturating_sub(cached.unwrap_or(0)), limit })
}

/// The directories of the control groups (version 2) in which this process is.
fn groups(root: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let Some(own) = text.lines().find_map(|line| line.strip_prefix("0::")) else { return Vec::new() };
    let mounts = [root.join("sys/fs/cgroup"), root.join("sys/fs/cgroup/unified")];
    let Some(mount) = mounts.into_iter().find(|mount| mount.join("cgroup.controllers").exists()) else {
        return Vec::new();
    };
    let own = Path::new(own.trim().trim_start_matches('/'));
    own.ancestors().map(|group| mount.join(group)).filter(|group| group.is_dir()).collect()
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=1234`
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    line.split(' ').find_map(|field| field.strip_prefix("total=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: &str = "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:   12582912 kB\n";

    #[test]
    fn the_tightest_limit_around_us_counts_without_pages_that_can_go() {
        let root = machine(&[
            ("proc/meminfo", MEMINFO),
            ("proc/self/cgroup", "0::/build/ours\n"),
            ("sys/fs/cgroup/cgroup.controllers", "cpu memory\n"),
            ("sys/fs/cgroup/build/memory.max", "max\n"),
            ("sys/fs/cgroup/build/memory.high", "1000000\n"),
            ("sys/fs/cgroup/build/memory.current", "900000\n"),
            ("sys/fs/cgroup/build/memory.stat", "anon 1\ninactive_file 100000\n"),
            ("sys/fs/cgroup/build/ours/memory.max", "4000000\n"),
            ("sys/fs/cgroup/build/ours/memory.current", "900000\n"),
        ]);
        let seen = PressureGauge::at(root.path()).look();
        assert_eq!((seen.memory, seen.memory_used, seen.memory_limit), (0.8, 800_000, 1_000_000));
        let bare = machine(&[("proc/meminfo", MEMINFO)]);
        let seen = PressureGauge::at(bare.path()).look();
        assert_eq!((seen.memory, seen.memory_limit), (0.25, 16 << 30));
    }

    #[test]
    fn stalls_are_those_since_the_last_look_of_our_own_group_first() {
        let stalled =
            |micros: u64| format!("some avg10=1.00 avg60=0.00 avg300=0.00 total={micros}\nfull x\n");
        let root = machine(&[
            ("proc/pressure/cpu", &stalled(5)),
            ("proc/pressure/memory", &stalled(0)),
            ("proc/self/cgroup", "3:memory:/x\n0::/ours\n"),
            ("sys/fs/cgroup/unified/cgroup.controllers", ""),
            ("sys/fs/cgroup/unified/ours/cpu.pressure", &stalled(1_000_000)),
        ]);
        let mut gauge = PressureGauge::at(root.path());
        let begin = Instant::now();
        assert_eq!(gauge.look_at(begin).processors, 0.0);
        let write = |path: &str, micros| fs::write(root.path().join(path), stalled(micros)).unwrap();
        write("sys/fs/cgroup/unified/ours/cpu.pressure", 1_750_000);
        write("proc/pressure/memory", 100_000);
        let seen = gauge.look_at(begin + Duration::from_secs(1));
        assert_eq!((seen.processors, seen.memory_stall), (0.75, 0.1));
    }

    #[test]
    fn this_machine_says_something() {
        let seen = PressureGauge::new().look();
        assert!(seen.cores >= 1 && (0.0..=1.0).contains(&seen.processors));
        assert!(seen.memory > 0.0 && seen.memory <= 1.0 && seen.memory_limit > 1 << 20, "{seen:?}");
    }
}
