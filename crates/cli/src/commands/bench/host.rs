//! The server that is measured: one that runs already, or one that is started for the purpose.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::line::Line;

/// Where the server is, and its process if it is ours.
pub(super) struct Host {
    pub address: SocketAddr,
    own: Option<Own>,
}

struct Own {
    child: Child,
    dir: PathBuf,
}

/// What processes have used so far.
#[derive(Clone, Copy)]
pub(super) struct Used {
    server: Option<u64>,
    client: u64,
}

/// What they have used meanwhile, in microseconds of processor time.
#[derive(Clone, Copy)]
pub(super) struct Spent {
    pub server: Option<u64>,
    pub client: u64,
}

impl Host {
    /// The server at the address, or one of our own in a temporary directory.
    pub(super) fn find(address: Option<SocketAddr>) -> io::Result<Host> {
        match address {
            Some(address) => Ok(Host { address, own: None }),
            None => Host::start(),
        }
    }

    fn start() -> io::Result<Host> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let dir = std::env::temp_dir().join(format!("partitur-bench-{}", std::process::id()));
        let child = spawn(address, &dir)?;
        let host = Host { address, own: Some(Own { child, dir }) };
        host.wait_until_ready()?;
        Ok(host)
    }

    /// Kills our server and starts it anew with what it has left; says how long it took from there until it was ready.
    pub(super) fn again(&mut self) -> io::Result<Duration> {
        let own = self.own.as_mut().ok_or_else(|| io::Error::other("the server is not ours"))?;
        own.child.kill()?;
        own.child.wait()?;
        let begun = Instant::now();
        own.child = spawn(self.address, &own.dir)?;
        self.wait_until_ready()?;
        Ok(begun.elapsed())
    }

    fn wait_until_ready(&self) -> io::Result<()> {
        let begun = Instant::now();
        let is_ready = || {
            let mut line = Line::open(self.address)?;
            line.demand("GET", "/readiness", "")
        };
        while is_ready().is_err() {
            if begun.elapsed() > Duration::from_secs(120) {
                return Err(io::Error::other("the server does not come"));
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// What both have used so far; of a server elsewhere that is not known.
    pub(super) fn used(&self) -> Used {
        let server = self.own.as_ref().map(|own| cpu_micros(&own.child.id().to_string()));
        Used { server, client: cpu_micros("self") }
    }

    /// What both have used since then.
    pub(super) fn since(&self, before: Used) -> Spent {
        let now = self.used();
        Spent {
            server: now.server.zip(before.server).map(|(now, before)| now - before),
            client: now.client - before.client,
        }
    }

    /// Resident memory of the server, in MiB: now, and at its highest.
    pub(super) fn memory(&self) -> Option<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.own.as_ref()?.child.id())).ok()?;
        let mib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
        };
        Some((mib("VmRSS:")?, mib("VmHWM:")?))
    }
}

impl Spent {
    /// What the server has used for each of so many, as text.
    pub(super) fn server_each(&self, count: u64) -> String {
        self.server.map_or_else(|| "?".to_owned(), |micros| format!("{:.1}", each(micros, count)))
    }

    /// What the client has used for each of so many.
    pub(super) fn client_each(&self, count: u64) -> String {
        format!("{:.1}", each(self.client, count))
    }
}

fn spawn(address: SocketAddr, dir: &Path) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .arg("server")
        .arg("--listen")
        .arg(address.to_string())
        .arg("--data")
        .arg(dir)
        .stdin(Stdio::null())
        .spawn()
}

fn each(micros: u64, count: u64) -> f64 {
    micros as f64 / count.max(1) as f64
}

impl Drop for Own {
    fn drop(&mut self) {
        // It is ours, and nothing in it is worth keeping.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The processor time of a process so far.
fn cpu_micros(process: &str) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
    // The kernel counts in hundredths of a second wherever we run.
    ticks * 10_000
}
