//! What tasks hold while they run, and the names of it.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use partitur_model::definition::ClaimMode;

/// A claim of a task: it starts when it gets all of its claims at once, and holds them until its attempt has ended.
/// Tasks never wait for one lock while they hold another, so locks cannot deadlock.
///
/// Names are `file:path`, `dir:path` (with everything below), `service:name`, or any other name, of which there are
/// as many units as [`Flow::capacity`](super::Flow::capacity) says, else one.
///
/// ```
/// use partitur::prelude::*;
/// let mut flow = Flow::new();
/// flow.capacity("gpu", 4);
/// flow.task("train", |_| async { Ok(()) }).locks([Lock::units("gpu", 2), Lock::shared("dir:data")]);
/// flow.task("clean", |_| async { Ok(()) }).locks([Lock::exclusive("file:data/orders.csv")]);
/// assert!(flow.block_on().unwrap().is_success());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    pub(super) resource: String,
    pub(super) mode: ClaimMode,
    pub(super) units: u32,
}

impl Lock {
    /// Nobody else.
    pub fn exclusive(resource: &str) -> Lock {
        Lock { resource: normalised(resource), mode: ClaimMode::Exclusive, units: 1 }
    }

    /// Together with others that claim it shared.
    pub fn shared(resource: &str) -> Lock {
        Lock { mode: ClaimMode::Shared, ..Lock::exclusive(resource) }
    }

    /// So many units of a counted resource.
    pub fn units(resource: &str, units: u32) -> Lock {
        Lock { units, ..Lock::exclusive(resource) }
    }
}

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceLock {
    /// What; paths are absolute.
    pub resource: String,
    /// Alone or together with others.
    pub mode: ClaimMode,
    /// How many units of a counted resource.
    pub units: u32,
    /// By whom: `agent#2`, or the name of a task without an agent.
    pub locked_by: String,
    /// For how long.
    pub held_for: Duration,
}

/// One name for one file: absolute, without `..`, and without links as far as the path exists.
fn normalised(resource: &str) -> String {
    let prefix = ["file:", "dir:"].into_iter().find(|prefix| resource.starts_with(prefix));
    let Some(prefix) = prefix else { return resource.to_owned() };
    let path = absolute(Path::new(&resource[prefix.len()..]));
    format!("{prefix}{}", path.display())
}

fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut real = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                real.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => real.push(part),
        }
        // At each step, because `..` after a link leads out of what the link points to.
        real = real.canonicalize().unwrap_or(real);
    }
    real
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_to_one_file_are_one_name() {
        let here = std::env::current_dir().unwrap().canonicalize().unwrap();
        let expected = format!("file:{}", here.join("no-such/file").display());
        for path in ["no-such/file", "./no-such/./file", "other/../no-such/file", "no-such/x/../file"] {
            assert_eq!(Lock::exclusive(&format!("file:{path}")).resource, expected);
        }
        assert_eq!(Lock::shared("dir:/").resource, "dir:/");
        assert_eq!(Lock::units("gpu/../x", 2).resource, "gpu/../x");
    }

    #[test]
    fn a_link_is_what_it_points_to() {
        let own = Path::new("/proc/self/cwd").canonicalize().unwrap();
        assert_eq!(Lock::shared("dir:/proc/self/cwd").resource, format!("dir:{}", own.display()));
    }
}
