//! What `doctor` looks at: each thing with what was found, a verdict, and what to do.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use partitur_store::{Reader, RunFilter, StateDir, inspect};
use rustix::process::{Resource, getrlimit};

/// Below this, writing will soon be refused.
const FREE_MIN: u64 = 200_000_000;

/// Below this, one should look.
const FREE_LOW: u64 = 2_000_000_000;

/// Connections need files.
const FILES_LOW: u64 = 4_096;

/// A log that is so long is not being copied into the database.
const LOG_LONG: u64 = 256_000_000;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and may not for long.
    Doubtful,
    /// It does not work.
    Bad,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do, if anything.
    pub remedy: Option<&'static str>,
}

impl Check {
    fn good(name: &'static str, found: impl Into<String>) -> Check {
        Check { name, verdict: Verdict::Good, found: found.into(), remedy: None }
    }

    fn doubtful(name: &'static str, found: impl Into<String>, remedy: &'static str) -> Check {
        Check { name, verdict: Verdict::Doubtful, found: found.into(), remedy: Some(remedy) }
    }

    fn bad(name: &'static str, found: impl Into<String>, remedy: &'static str) -> Check {
        Check { name, verdict: Verdict::Bad, found: found.into(), remedy: Some(remedy) }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mark = match self.verdict {
            Verdict::Good => "ok  ",
            Verdict::Doubtful => "warn",
            Verdict::Bad => "BAD ",
        };
        let remedy = self.remedy.map_or_else(String::new, |remedy| format!("\n      {remedy}"));
        format!("{mark}  {:<12} {}{remedy}", self.name, self.found)
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        let verdict = match self.verdict {
            Verdict::Good => "good",
            Verdict::Doubtful => "doubtful",
            Verdict::Bad => "bad",
        };
        serde_json::json!({
            "check": self.name, "verdict": verdict, "found": self.found, "remedy": self.remedy,
        })
    }
}

/// Looks at everything.
pub fn examine(dir: &Path, listen: &str, full: bool) -> Vec<Check> {
    let mut checks = vec![directory(dir)];
    if dir.is_dir() {
        checks.extend([host(dir), database(dir, full), rows(dir), log(dir), disk(dir)]);
    }
    checks.extend([files(), port(listen), Check::good("version", env!("CARGO_PKG_VERSION"))]);
    checks
}

fn directory(dir: &Path) -> Check {
    let shown = dir.display().to_string();
    let Ok(found) = dir.metadata() else {
        return Check::bad(
            "directory",
            format!("{shown} is not there"),
            "name the directory with `--data DIR`",
        );
    };
    let mode = found.permissions().mode() & 0o777;
    if rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_err() {
        return Check::bad("directory", format!("{shown} cannot be written"), "run as the user who owns it");
    }
    if mode & 0o077 != 0 {
        let said = format!("{shown} is open to others (mode {mode:o})");
        return Check::doubtful("directory", said, "`chmod 700` it: payloads lie there");
    }
    Check::good("directory", shown)
}

fn host(dir: &Path) -> Check {
    match StateDir::open(dir).and_then(|state| state.try_host()) {
        Ok(Some(_)) => Check::good("host", "nobody is at work here"),
        Ok(None) => Check::good("host", "a process is at work here"),
        Err(error) => Check::bad("host", error.to_string(), "look at the rights of `host.lock`"),
    }
}

fn database(dir: &Path, full: bool) -> Check {
    let remedy = "restore a copy (`partitur restore`), and keep the damaged file";
    match inspect(&dir.join("partitur.db"), full) {
        Ok(found) => match found.faults.first() {
            Some(fault) => Check::bad("database", fault.clone(), remedy),
            None if found.format < found.known => {
                let said =
                    format!("format {} of an older version; this one has {}", found.format, found.known);
                Check::doubtful("database", said, "`partitur migrate --dry-run` says what a start will do")
            }
            None => Check::good("database", super::commands::described(&found)),
        },
        Err(error) => Check::bad("database", error.to_string(), error.hint()),
    }
}

/// Whether the rows are in this version's format: reading those of an older one would bring them up to date.
pub fn is_current(dir: &Path) -> bool {
    inspect(&dir.join("partitur.db"), false).is_ok_and(|found| found.format == found.known)
}

/// Whether the newest runs can be read.
fn rows(dir: &Path) -> Check {
    if !is_current(dir) {
        return Check::good("rows", "not looked at: they are of another format, or not there");
    }
    let read = Reader::open(dir.join("partitur.db"))
        .and_then(|reader| reader.runs(&RunFilter { limit: 10_000, ..RunFilter::default() }));
    match read {
        Ok(page) if page.quarantined.is_empty() => {
            Check::good("rows", format!("{} runs were read", page.runs.len()))
        }
        Ok(page) => {
            let first = &page.quarantined[0].reason;
            let said = format!("{} runs cannot be read, the first: {first}", page.quarantined.len());
            Check::bad("rows", said, "all others go on; restore these from a copy, or remove them")
        }
        Err(error) => Check::bad("rows", error.to_string(), error.hint()),
    }
}

fn log(dir: &Path) -> Check {
    let bytes = dir.join("partitur.db-wal").metadata().map_or(0, |file| file.len());
    let said = format!("{} MB", bytes / 1_000_000);
    if bytes < LOG_LONG {
        return Check::good("log", said);
    }
    Check::doubtful("log", said, "a program that reads the database keeps the log from being reset: close it")
}

fn disk(dir: &Path) -> Check {
    let Ok(found) = rustix::fs::statvfs(dir) else {
        return Check::doubtful("disk", "its free room is unknown", "look at it with `df`");
    };
    let free = found.f_bavail * found.f_frsize;
    let said = format!("{:.1} GB are free", free as f64 / 1e9);
    match free {
        0..FREE_MIN => Check::bad("disk", said, "make room, or set `retention_size`"),
        FREE_MIN..FREE_LOW => Check::doubtful("disk", said, "make room, or set `retention_size`"),
        FREE_LOW.. => Check::good("disk", said),
    }
}

fn files() -> Check {
    let most = getrlimit(Resource::Nofile).maximum;
    match most {
        Some(most) if most < FILES_LOW => {
            let said = format!("{most} open files at most");
            Check::doubtful("limits", said, "raise the limit (`LimitNOFILE=`): each connection needs one")
        }
        Some(most) => Check::good("limits", format!("{most} open files at most")),
        None => Check::good("limits", "as many open files as the system has"),
    }
}

/// The port is free, or a server of ours answers there.
fn port(listen: &str) -> Check {
    let Some(address) = listen.to_socket_addrs().ok().and_then(|mut all| all.next()) else {
        return Check::bad("port", format!("`{listen}` is no address"), "write it as 127.0.0.1:8080");
    };
    if TcpListener::bind(address).is_ok() {
        return Check::good("port", format!("{address} is free"));
    }
    let answer = TcpStream::connect_timeout(&address, Duration::from_secs(1)).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: doctor\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    match answer {
        Ok(answer) if answer.contains("\"healthy\":true") => {
            Check::good("port", format!("a healthy server answers at {address}"))
        }
        Ok(answer) if answer.contains("healthy") => {
            let said = format!("the server at {address} is not well");
            Check::bad("port", said, "`GET /health` says why")
        }
        Ok(_) | Err(_) => Check::bad(
            "port",
            format!("{address} is somebody else's"),
            "listen elsewhere (`--listen`), or stop whoever has it",
        ),
    }
}
