//! What a process is given by name: its environment, and the program that a name stands for.

use std::collections::HashMap;
use std::ffi::{CString, OsStr, OsString, c_char};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::ptr;

use partitur_model::record::TaskError;

use crate::secret::holds_secret;

/// Where programs are looked for when the environment does not say.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The environment that all processes of a run share. Laid out once: a process copies pointers.
#[derive(Default)]
pub(crate) struct Environment {
    entries: Vec<CString>,
    by_name: HashMap<Vec<u8>, usize>,
}

impl Environment {
    /// From names and values; later ones win. What no process could be given is left out.
    pub fn new<'a>(variables: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>) -> Environment {
        let mut environment = Environment::default();
        for (name, value) in variables {
            let Ok(entry) = entry(name, value) else { continue };
            match environment.by_name.get(name.as_bytes()) {
                Some(&at) => environment.entries[at] = entry,
                None => {
                    environment.by_name.insert(name.as_bytes().to_vec(), environment.entries.len());
                    environment.entries.push(entry);
                }
            }
        }
        environment
    }

    /// What the processes of a run share that works in `dir`: variables that hold secrets are left out.
    pub fn of_run(variables: &[(OsString, OsString)], dir: &Path) -> Environment {
        let shared = variables.iter().filter(|(name, _)| !holds_secret(name));
        let shared = shared.map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        let here = (OsStr::new("PWD"), dir.as_os_str());
        Environment::new(shared.chain(std::iter::once(here)))
    }

    /// This environment with some variables set or replaced; later ones win.
    pub fn with(&self, variables: &[(&OsStr, &OsStr)]) -> Result<Block<'_>, TaskError> {
        let mut pointers: Vec<*const c_char> = Vec::with_capacity(self.entries.len() + variables.len() + 1);
        pointers.extend(self.entries.iter().map(|entry| entry.as_ptr()));
        let mut added: Vec<(&OsStr, usize)> = Vec::new();
        let mut own = Vec::with_capacity(variables.len());
        for &(name, value) in variables {
            let entry = entry(name, value)?;
            let known = self.by_name.get(name.as_bytes()).copied();
            let known = known.or_else(|| added.iter().find(|(other, _)| *other == name).map(|&(_, at)| at));
            match known {
                Some(at) => pointers[at] = entry.as_ptr(),
                None => {
                    added.push((name, pointers.len()));
                    pointers.push(entry.as_ptr());
                }
            }
            own.push(entry);
        }
        pointers.push(ptr::null());
        Ok(Block { pointers, _own: own, _base: self })
    }

    /// All names and values.
    pub fn pairs(&self) -> HashMap<Vec<u8>, Vec<u8>> {
        let value = |(name, at): (&Vec<u8>, &usize)| {
            let entry = self.entries[*at].as_bytes();
            (name.clone(), entry[name.len() + 1..].to_vec())
        };
        self.by_name.iter().map(value).collect()
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let entry = self.entries[*self.by_name.get(name.as_bytes())?].as_bytes();
        Some(OsStr::from_bytes(&entry[name.len() + 1..]))
    }
}

/// An environment as the system takes it: pointers, the last one null.
pub(crate) struct Block<'a> {
    pointers: Vec<*const c_char>,
    // What the pointers point to.
    _own: Vec<CString>,
    _base: &'a Environment,
}

impl Block<'_> {
    pub fn pointers(&self) -> &[*const c_char] {
        &self.pointers
    }
}

fn entry(name: &OsStr, value: &OsStr) -> Result<CString, TaskError> {
    let refuse = |why: &str| {
        let name = name.to_string_lossy();
        TaskError::terminal("start-environment", format!("the variable `{name}` {why}"))
    };
    if name.is_empty() || name.as_bytes().contains(&b'=') {
        return Err(refuse("has no name that a process could be given"));
    }
    let mut text = OsString::with_capacity(name.len() + value.len() + 2);
    text.push(name);
    text.push("=");
    text.push(value);
    // The value may be a secret, so it is not shown.
    CString::new(text.into_vec()).map_err(|_| refuse("holds a zero byte, which no process can be given"))
}

/// The program that a name stands for: itself if it holds a slash, else the first of that name on the path.
pub(crate) fn find_program(name: &str, path: Option<&OsStr>, dir: &Path) -> Result<CString, TaskError> {
    let nul = |_| TaskError::terminal("start-argument", "the program's name holds a zero byte");
    if name.is_empty() {
        return Err(TaskError::terminal(
            "start-not-found",
            "there is no program to start: its name is empty",
        ));
    }
    if name.contains('/') {
        return CString::new(name).map_err(nul);
    }
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    let mut forbidden = None;
    for place in path.as_bytes().split(|&byte| byte == b':') {
        // An empty entry is the working directory, as in every shell.
        let candidate = dir.join(OsStr::from_bytes(place)).join(name);
        if candidate.metadata().is_ok_and(|found| found.is_file()) {
            match rustix::fs::access(&candidate, rustix::fs::Access::EXEC_OK) {
                Ok(()) => return CString::new(candidate.into_os_string().into_vec()).map_err(nul),
                Err(_) => forbidden = Some(candidate),
            }
        }
    }
    Err(match forbidden {
        Some(found) => TaskError::terminal(
            "start-permission",
            format!("permission denied: `{}` is not executable", found.display()),
        ),
        None => TaskError::terminal("start-not-found", format!("program `{name}` not found on PATH")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn texts(block: &Block<'_>) -> Vec<String> {
        let (end, entries) = block.pointers().split_last().unwrap();
        assert!(end.is_null());
        // SAFETY: every pointer but the last points into the block, which lives.
        entries.iter().map(|&entry| unsafe { CStr::from_ptr(entry) }.to_str().unwrap().to_owned()).collect()
    }

    fn os<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<(&'a OsStr, &'a OsStr)> {
        pairs.iter().map(|&(name, value)| (OsStr::new(name), OsStr::new(value))).collect()
    }

    #[test]
    fn a_variable_stands_there_once_and_the_last_value_wins() {
        let base = Environment::new(os(&[("A", "1"), ("B", "2"), ("A", "3")]));
        let block = base.with(&os(&[("B", "4"), ("C", "5"), ("C", "6")])).unwrap();
        assert_eq!(texts(&block), ["A=3", "B=4", "C=6"]);
        assert_eq!(base.get("A"), Some(OsStr::new("3")));
    }

    #[test]
    fn what_no_process_can_be_given_is_an_error_that_does_not_show_the_value() {
        let base = Environment::default();
        let message = |name, value| base.with(&os(&[(name, value)])).err().unwrap().message;
        assert_eq!(
            message("A", "hush\0"),
            "the variable `A` holds a zero byte, which no process can be given"
        );
        assert_eq!(message("A=B", "x"), "the variable `A=B` has no name that a process could be given");
    }

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("plain"), "").unwrap();
        let find = |name: &str| {
            let path = OsString::from(format!("/nowhere::{}", "/bin"));
            find_program(name, Some(&path), dir.path()).map_err(|error| error.code)
        };
        assert_eq!(find("sh"), Ok(c"/bin/sh".to_owned()));
        assert_eq!(find("./x"), Ok(c"./x".to_owned()));
        assert_eq!(find("no-such-program"), Err("start-not-found".into()));
        assert_eq!(find("plain"), Err("start-permission".into()));
        assert_eq!(find(""), Err("start-not-found".into()));
    }
}
