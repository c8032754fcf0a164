//! What the system says about this process. All that is particular to Linux in the metrics is here.

use std::fs;
use std::path::{Path, PathBuf};

use super::text::Text;

/// The usual figures of a process, under their usual names; what cannot be read is left out.
pub(super) fn write(out: &mut Text) {
    let plain = |value: f64| [(String::new(), value)];
    if let Some(stat) = Stat::read() {
        out.counter("process_cpu_seconds_total", "Time on processors.", plain(stat.cpu_seconds));
        out.gauge("process_virtual_memory_bytes", "Address space.", plain(stat.virtual_bytes));
        out.gauge("process_resident_memory_bytes", "Memory that is occupied.", plain(stat.resident_bytes));
        out.gauge("process_threads", "Threads.", plain(stat.threads));
        if let Some(booted) = booted() {
            out.gauge("process_start_time_seconds", "Since when.", plain(booted + stat.started_seconds));
        }
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        out.gauge("process_open_fds", "Descriptors in use.", plain(open.count() as f64));
    }
    if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        out.gauge("process_max_fds", "Descriptors at most.", plain(most as f64));
    }
    if let Some(limit) = memory_limit() {
        out.gauge("partitur_memory_limit_bytes", "Memory that its group may occupy.", plain(limit));
    }
    if let Some(share) = memory_pressure() {
        let about = "Share of the last ten seconds in which somebody waited for memory.";
        out.gauge("partitur_memory_pressure_ratio", about, plain(share));
    }
}

/// Bytes of memory that this process occupies.
pub fn resident_bytes() -> Option<u64> {
    Stat::read().map(|stat| stat.resident_bytes as u64)
}

struct Stat {
    cpu_seconds: f64,
    virtual_bytes: f64,
    resident_bytes: f64,
    threads: f64,
    /// After the start of the machine.
    started_seconds: f64,
}

impl Stat {
    fn read() -> Option<Stat> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the program may hold blanks and parentheses; what follows it does not.
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.trim().parse::<f64>().ok();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        Some(Stat {
            cpu_seconds: (field(14)? + field(15)?) / ticks,
            threads: field(20)?,
            started_seconds: field(22)? / ticks,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * rustix::param::page_size() as f64,
        })
    }
}

/// When the machine was started, in seconds since 1970.
fn booted() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// Of the group of this process, or of one above it.
fn memory_limit() -> Option<f64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/').to_owned();
    let root = Path::new("/sys/fs/cgroup");
    let own: PathBuf = root.join(own);
    let up = own.ancestors().take_while(|dir| dir.starts_with(root));
    let limits = up.filter_map(|dir| fs::read_to_string(dir.join("memory.max")).ok()?.trim().parse().ok());
    limits.reduce(f64::min)
}

fn memory_pressure() -> Option<f64> {
    let text = fs::read_to_string("/proc/pressure/memory").ok()?;
    let some = text.lines().find(|line| line.starts_with("some "))?;
    let percent: f64 = some.split("avg10=").nth(1)?.split(' ').next()?.parse().ok()?;
    Some(percent / 100.0)
}
