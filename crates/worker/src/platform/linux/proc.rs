//! What `/proc` says about processes.

use std::fs;
use std::io;

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
}

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
        })
    }
}

/// Every process that we may see.
pub(super) fn all() -> io::Result<Vec<Stat>> {
    let pids = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(Stat::read).collect())
}

/// The children of this process, orphans that fell to it included; `None` if the kernel does not tell.
pub(super) fn children() -> Option<Vec<i32>> {
    let own = std::process::id();
    let text = fs::read(format!("/proc/self/task/{own}/children")).ok()?;
    Some(text.split(|&byte| byte == b' ').filter_map(number).collect())
}

/// The environment with which a process was started, empty if it may not be read.
pub(super) fn environment(pid: i32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()
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
        let expected = Stat { pid: 42, parent: 7, group: 42, session: 41, born: 12345, zombie: true };
        assert_eq!(stat, expected);
    }

    #[test]
    fn we_find_ourselves() {
        let own = std::process::id() as i32;
        let found = all().unwrap().into_iter().find(|stat| stat.pid == own).unwrap();
        assert_eq!(Some(found), Stat::read(own));
        assert!(!found.zombie);
        assert_eq!(variable(b"A=1\0AB=2\0", "AB"), Some(&b"2"[..]));
    }
}
