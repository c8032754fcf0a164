//! Which processes live: the only witness is `/proc`.

use std::path::Path;

/// A process that lives, and cannot be mistaken for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it was born, in ticks since boot.
    pub born: u64,
    /// For people.
    pub command: String,
}

impl Process {
    /// Whether it still lives.
    pub fn lives(&self) -> bool {
        born(self.pid) == Some(self.born)
    }
}

/// The processes of all tasks that were started in this directory: those that bear its name and that of a run.
pub fn living(place: &Path) -> Vec<Process> {
    let mark = format!("TEST_PLACE={}", place.display());
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| task_of(pid, mark.as_bytes())).collect()
}

fn task_of(pid: i32, mark: &[u8]) -> Option<Process> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut entries = environment.split(|&byte| byte == 0);
    let is_task = entries.any(|entry| entry.starts_with(b"PARTITUR_RUN_ID="));
    if !is_task || !environment.split(|&byte| byte == 0).any(|entry| entry == mark) {
        return None;
    }
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    Some(Process { pid, born: born(pid)?, command })
}

/// When a process was born; nothing if it is dead, even if nobody has asked for its end yet.
fn born(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may contain anything.
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    let born = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(born)
}
