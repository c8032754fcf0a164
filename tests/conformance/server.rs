//! A server of the test's own: a free port, a directory that goes away with it.

use std::fs::File;
use std::process::{Child, Stdio};

use partitur_tests::{Place, wait_for};

/// A running `partitur server`.
pub struct Server {
    place: Place,
    child: Child,
    address: String,
}

impl Server {
    /// Starts one, and waits until it listens.
    pub fn start() -> Server {
        Server::start_with(&[])
    }

    /// The same with further arguments.
    pub fn start_with(arguments: &[&str]) -> Server {
        let place = Place::new();
        let said = File::create(place.path().join("said")).expect("the directory takes a file");
        let mut command = place.command(&["server", "--listen", "127.0.0.1:0", "--data", "data"]);
        let child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .expect("the server starts");
        let address = wait_for("the server to listen", || address_in(&read(&place)));
        Server { place, child, address }
    }

    /// What the clients are configured with.
    pub fn api(&self) -> String {
        format!("http://{}/api", self.address)
    }

    /// A key that may do everything, as the clients are configured with it: id and secret.
    pub fn key(&self) -> (String, String) {
        let key =
            self.place.json(&["key", "--data", "data", "--json", "create", "client", "--role", "admin"]);
        let part = |name: &str| key[name].as_str().expect("it is told").to_owned();
        (part("id"), part("secret"))
    }

    /// What it has written to standard error.
    pub fn said(&self) -> String {
        read(&self.place)
    }

    /// Asks it to end, as a service manager does; it must do so by itself and in order.
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is our child");
        let ended = wait_for("the end of the server", || self.child.try_wait().expect("it is our child"));
        assert!(ended.success(), "{ended}: {}", self.said());
        assert!(!self.said().contains("panicked"), "{}", self.said());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that has failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(place: &Place) -> String {
    std::fs::read_to_string(place.path().join("said")).unwrap_or_default()
}

/// `… listens on http://127.0.0.1:40123 …`
fn address_in(said: &str) -> Option<String> {
    let (_, after) = said.split_once("http://")?;
    let (address, _) = after.split_once(char::is_whitespace)?;
    Some(address.to_owned())
}
