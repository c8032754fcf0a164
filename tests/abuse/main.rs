//! The server against clients that do what no client should: nothing that they send is answered with a fault of the server,
//! makes it grow without end, or disturbs the others.

mod connections;
mod disk;
mod documents;
mod fields;
mod http2;
mod keys;
mod names;
mod neighbour;
mod scripts;

use std::time::{Duration, Instant};

use partitur_tests::http::Client;
use partitur_tests::{Place, Server};
use serde_json::{Value, json};

/// A server under attack.
struct Site {
    server: Server,
    /// Its memory before anything happened.
    at_first: u64,
    place: Place,
}

/// It may need so much more than at first, and a build for tests needs some more.
const GROWTH: u64 = 96 << 20;

/// What a server does not need any more it has given back after this time.
const GIVES_BACK: Duration = Duration::from_secs(10);

impl Site {
    /// With these settings (`name=value`).
    fn new(settings: &[&str]) -> Site {
        let place = Place::new();
        // What is still open at the end was left open on purpose, and will not end by itself.
        let settings = settings.iter().chain(&["drain_timeout=1s"]);
        let arguments: Vec<&str> = settings.flat_map(|setting| ["--set", setting]).collect();
        let server = Server::start_with(&place, &arguments, |_| {});
        let mut client = server.client();
        neighbour::teach(&mut client);
        neighbour::bring_one_run_to_its_end(&mut client);
        let at_first = server.memory();
        Site { server, at_first, place }
    }

    fn client(&self) -> Client {
        self.server.client()
    }

    /// It has not grown, still works, has not complained, and ends in order.
    fn leave_in_peace(self) {
        let mut client = self.client();
        let (begun, most) = (Instant::now(), 2 * self.at_first + GROWTH);
        // What was freed is given back a little later, while other things happen.
        while self.server.memory() >= most && begun.elapsed() < GIVES_BACK {
            neighbour::bring_one_run_to_its_end(&mut client);
        }
        let memory = self.server.memory();
        assert!(memory < most, "it has grown from {} to {memory} bytes", self.at_first);
        neighbour::bring_one_run_to_its_end(&mut client);
        let health = client.get("/health");
        assert_eq!((health.status, &health.json()["healthy"]), (200, &json!(true)), "{health:?}");
        let said = self.server.said();
        assert!(!said.contains("panicked") && !said.contains("incident"), "{said}");
        self.server.stop();
    }
}

/// A workflow of one worker's task.
fn workflow(name: &str, tasks: Value) -> Value {
    json!({"name": name, "version": 1, "schemaVersion": 2, "ownerEmail": "a@b.cd", "tasks": tasks})
}

/// A worker's task.
fn simple(name: &str) -> Value {
    json!({"name": name, "taskReferenceName": name, "type": "SIMPLE", "inputParameters": {}})
}
