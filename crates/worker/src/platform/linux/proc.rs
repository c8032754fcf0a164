//! What `/proc` says about processes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::LazyLock;

/// A process as it was a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub pid: i32,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
    /// In clock ticks since boot: with the number, names a process for ever.
    pub born: u64,
    pub zombie: bool,
    /// A thread of the kernel's own.
    pub kernel: bool,
}

/// The kernel's mark of its own threads, among the flags of a process.
const KERNEL_THREAD: u32 = 0x0020_0000;

impl Stat {
    pub fn read(pid: i32) -> Option<Stat> {
        Stat::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// `pid (name) state parent group session …`; the name may hold anything, parentheses and line feeds too.
    fn parse(text: &[u8]) -> Option<Stat> {
        let name_ends = text.iter().rposition(|&byte| byte == b')')?;
        let pid = number(text.split(|&byte| byte == b' ').next()?)?;
        let rest: Vec<&[u8]> = text.get(name_ends + 2..)?.split(|&byte| byte == b' ').collect();
        let field = |at: usize| rest.get(at).copied().and_then(number::<i32>);
        Some(Stat {
            pid,
            parent: field(1)?,
            group: field(2)?,
            session: field(3)?,
            born: rest.get(19).copied().and_then(number)?,
            zombie: matches!(*rest.first()?, b"Z" | b"X"),
            kernel: rest.get(6).copied().and_then(number::<u32>)? & KERNEL_THREAD != 0,
        })
    }
}

/// Every process that we may see.
pub(super) fn all() -> io::Result<Vec<Stat>> {
    let mut all = BTreeMap::new();
    visit(|some| all.extend(some.into_iter().map(|stat| (stat.pid, stat))))?;
    Ok(all.into_values().collect())
}

/// Looks at every process that we may see, those included that are born while we look: the list alone misses the child
/// of a process that ended between being listed and being read. They come by groups, the eldest first; one may be met
/// twice.
pub(super) fn visit(mut look: impl FnMut(Vec<Stat>)) -> io::Result<()> {
    'anew: loop {
        let mut known = last_born();
        let pids = fs::read_dir("/proc")?.flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        look(pids.filter_map(Stat::read).collect());
        loop {
            let last = last_born();
            if last == known {
                return Ok(());
            }
            if last < known {
                // The numbers have begun anew.
                continue 'anew;
            }
            look((known + 1..=last).filter(|&pid| is_process(pid)).filter_map(Stat::read).collect());
            known = last;
        }
    }
}

/// The highest number that was given since the numbers began anew: the last word of the load.
fn last_born() -> i32 {
    let text = fs::read("/proc/loadavg").unwrap_or_default();
    text.rsplit(|&byte| byte == b' ').next().and_then(number).unwrap_or_default()
}

/// Threads have numbers too, and are found under them though they are not listed.
fn is_process(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let group = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    group.is_some_and(|group| group.trim().parse() == Ok(pid))
}

/// The children of this process, orphans that fell to it included; `None` if the kernel does not tell.
pub(super) fn children() -> Option<Vec<i32>> {
    // Asked at the end of every attempt, and opening a file of `/proc` costs more than reading it.
    static LIST: LazyLock<Option<File>> =
        LazyLock::new(|| File::open(format!("/proc/self/task/{}/children", std::process::id())).ok());
    let list = LIST.as_ref()?;
    let mut text = Vec::new();
    let mut part = [0; 256];
    loop {
        let length = list.read_at(&mut part, text.len() as u64).ok()?;
        text.extend_from_slice(&part[..length]);
        if length + NUMBER_MAX < part.len() {
            // There was room for a further one: it was all there is.
            break;
        }
    }
    Some(text.split(|&byte| byte == b' ').filter_map(number).collect())
}

/// So long a number of a process may be, with the blank behind it.
const NUMBER_MAX: usize = 12;

/// The environment with which a process was started, empty if it may not be read. Nothing if that cannot be said yet:
/// whoever becomes another program has neither environment nor arguments for a moment.
pub(super) fn environment(pid: i32) -> Option<Vec<u8>> {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}"));
    match read("environ") {
        Ok(environment) if environment.is_empty() => match read("cmdline") {
            Ok(arguments) if arguments.is_empty() => None,
            // By now it may have one.
            Ok(_) | Err(_) => Some(read("environ").unwrap_or_default()),
        },
        Ok(environment) => Some(environment),
        Err(_) => Some(Vec::new()),
    }
}

/// The value of a variable in an environment.
pub(super) fn variable<'a>(environment: &'a [u8], name: &str) -> Option<&'a [u8]> {
    environment
        .split(|&byte| byte == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let text = b"42 (a) S 1 (b) Z 7 42 41 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0";
        let stat = Stat::parse(text).unwrap();
        let expected =
            Stat { pid: 42, parent: 7, group: 42, session: 41, born: 12345, zombie: true, kernel: false };
        assert_eq!(stat, expected);
    }

    #[test]
    fn we_find_ourselves() {
        let own = std::process::id() as i32;
        let found = all().unwrap().into_iter().find(|stat| stat.pid == own).unwrap();
        assert_eq!(Some(found), Stat::read(own));
        assert!(!found.zombie && !found.kernel);
        let environment = environment(own).unwrap();
        assert_eq!(
            variable(&environment, "PATH").map(<[u8]>::len),
            std::env::var("PATH").ok().map(|path| path.len())
        );
        assert_eq!(variable(b"A=1\0AB=2\0", "AB"), Some(&b"2"[..]));
    }
}
