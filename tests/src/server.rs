//! A server that was started in a place.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::http::Client;
use crate::{Place, wait_for};

/// A running `partitur server`; its state is in the directory `data` of its place.
pub struct Server {
    child: Child,
    said: PathBuf,
    address: SocketAddr,
}

impl Server {
    /// Starts one on a free port, and waits until it listens.
    pub fn start(place: &Place) -> Server {
        Server::start_with(place, &[], |_| {})
    }

    /// The same with further arguments, and changes of the command before it is executed.
    pub fn start_with(place: &Place, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Server {
        let (child, said) = spawn(place, arguments, change);
        let mut server = Server { child, said, address: ([127, 0, 0, 1], 0).into() };
        server.address = wait_for("the server to listen", || server.listens());
        server
    }

    /// Starts one and kills it after this time, wherever it is by then.
    pub fn start_and_kill(place: &Place, after: std::time::Duration) {
        let (mut child, _) = spawn(place, &[], |_| {});
        std::thread::sleep(after);
        child.kill().expect("it is our child");
        child.wait().expect("it is our child");
    }

    fn listens(&mut self) -> Option<SocketAddr> {
        let ended = self.child.try_wait().expect("it is our child");
        assert!(ended.is_none(), "the server has ended: {ended:?}: {}", self.said());
        address_in(&self.said())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard error.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap_or_default()
    }

    /// How much of the memory of the machine it occupies, in bytes.
    pub fn memory(&self) -> u64 {
        self.kilobytes("VmRSS:")
    }

    /// How much it has occupied at most, in bytes.
    pub fn memory_at_most(&self) -> u64 {
        self.kilobytes("VmHWM:")
    }

    /// One of the sizes that the system knows of it, in bytes.
    fn kilobytes(&self, size: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(size)).expect("it lives");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes << 10
    }

    /// `kill -9`. Says what it had written.
    pub fn kill(mut self) -> String {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
        self.said()
    }

    /// Asks it to end, as a service manager does; it must do so by itself, in order and without a word of a panic.
    pub fn stop(mut self) {
        // SAFETY: the child is ours and has not been waited for, so the number is its own.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        let ended = self.wait();
        assert!(ended.success(), "{ended}: {}", self.said());
        assert!(!self.said().contains("panicked"), "{}", self.said());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the end of the server", || self.child.try_wait().expect("it is our child"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that has failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(place: &Place, arguments: &[&str], change: impl FnOnce(&mut Command)) -> (Child, PathBuf) {
    static STARTS: AtomicU32 = AtomicU32::new(0);
    let said = place.path().join(format!("said.{}", STARTS.fetch_add(1, Ordering::Relaxed)));
    let file = File::create(&said).expect("the directory takes a file");
    let mut command = place.command(&["server", "--listen", "127.0.0.1:0", "--data", "data"]);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    change(&mut command);
    (command.spawn().expect("the server starts"), said)
}

/// `… listens on http://127.0.0.1:40123 …`
fn address_in(said: &str) -> Option<SocketAddr> {
    let (_, after) = said.split_once("http://")?;
    let (address, _) = after.split_once(char::is_whitespace)?;
    address.parse().ok()
}
