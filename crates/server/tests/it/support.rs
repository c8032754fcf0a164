//! A server of its own for each test, and a small client.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use partitur_server::settings::Settings;
use partitur_server::{Server, ServerError};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// A server at work.
pub struct Site {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServerError>>>,
    _dir: Option<tempfile::TempDir>,
}

impl Site {
    /// With an empty state.
    pub fn new() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let mut site = Site::on(dir.path());
        site._dir = Some(dir);
        site
    }

    /// With the state of this directory.
    pub fn on(dir: &std::path::Path) -> Site {
        Site::with(dir, &[])
    }

    /// With the state of this directory, and these settings.
    pub fn with(dir: &std::path::Path, settings: &[(&str, &str)]) -> Site {
        Site::read(dir, None, settings)
    }

    /// The same with a file of settings.
    pub fn by_file(dir: &std::path::Path, file: &std::path::Path, settings: &[(&str, &str)]) -> Site {
        Site::read(dir, Some(file), settings)
    }

    fn read(dir: &std::path::Path, file: Option<&std::path::Path>, settings: &[(&str, &str)]) -> Site {
        let (data, listen) = (dir.display().to_string(), "127.0.0.1:0");
        let own = [("data", data.as_str()), ("listen", listen), ("metrics_listen", "off")];
        let flags = own.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let server = Server::open(Settings::read(file, [], flags).unwrap()).unwrap();
        let address = server.address().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            server.run_until(|_| {}, async {
                let _ = stopped.await;
                Ok(())
            })
        });
        Site { address, stop: Some(stop), thread: Some(thread), _dir: None }
    }

    /// In a process of its own.
    pub fn elsewhere(address: SocketAddr) -> Site {
        Site { address, stop: None, thread: None, _dir: None }
    }

    /// Ends it, as a signal would.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, None)
    }

    pub fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path, Some(&body.to_string()))
    }

    pub fn put(&self, path: &str, body: Value) -> Reply {
        self.ask("PUT", path, Some(&body.to_string()))
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.ask("DELETE", path, None)
    }

    pub fn ask(&self, method: &str, path: &str, body: Option<&str>) -> Reply {
        let mut stream = self.send(method, path, body);
        Reply::read(&mut stream)
    }

    /// Asks with further lines in the head.
    pub fn ask_with(&self, head: &str, method: &str, path: &str, body: Option<&str>) -> Reply {
        Reply::read(&mut self.send_with(head, method, path, body))
    }

    /// Sends a request and reads nothing.
    pub fn send(&self, method: &str, path: &str, body: Option<&str>) -> TcpStream {
        self.send_with("", method, path, body)
    }

    /// The same with further lines in the head.
    pub fn send_with(&self, head: &str, method: &str, path: &str, body: Option<&str>) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n{head}\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    // What most tests need.

    /// Registers a workflow whose workers' tasks follow one another.
    pub fn teach(&self, name: &str, tasks: &[&str]) {
        let tasks: Vec<Value> = tasks.iter().map(|task| simple(task)).collect();
        self.teach_tasks(name, json!(tasks));
    }

    pub fn teach_tasks(&self, name: &str, tasks: Value) {
        let def = json!({"name": name, "version": 1, "schemaVersion": 2, "tasks": tasks});
        let reply = self.post("/api/metadata/workflow?overwrite=true", def);
        assert_eq!(reply.status, 200, "{}", reply.body);
    }

    pub fn start(&self, name: &str, input: Value) -> String {
        let reply = self.post("/api/workflow", json!({"name": name, "input": input}));
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    pub fn poll(&self, task_type: &str) -> Option<Value> {
        let reply = self.get(&format!("/api/tasks/poll/{task_type}?workerid=w"));
        match reply.status {
            200 => Some(reply.json()),
            204 => None,
            other => panic!("{other}: {}", reply.body),
        }
    }

    /// Waits for a task.
    pub fn take(&self, task_type: &str) -> Value {
        let reply = self.get(&format!("/api/tasks/poll/batch/{task_type}?workerid=w&count=1&timeout=5000"));
        reply
            .json()
            .as_array()
            .unwrap()
            .first()
            .cloned()
            .unwrap_or_else(|| panic!("no task `{task_type}` came"))
    }

    pub fn end(&self, task: &Value, status: &str, output: Value) -> Reply {
        self.post("/api/tasks", result(task, status, output))
    }

    pub fn run(&self, id: &str) -> Value {
        self.get(&format!("/api/workflow/{id}")).json()
    }

    /// Waits until a run stands so.
    pub fn await_status(&self, id: &str, status: &str) -> Value {
        for _ in 0..500 {
            let run = self.run(id);
            if run["status"] == status {
                return run;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} never was {status}: {}", id, self.run(id));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub fn simple(name: &str) -> Value {
    json!({"name": name, "taskReferenceName": name, "type": "SIMPLE", "inputParameters": {"x": "${workflow.input.x}"}})
}

pub fn result(task: &Value, status: &str, output: Value) -> Value {
    json!({
        "workflowInstanceId": task["workflowInstanceId"], "taskId": task["taskId"], "workerId": "w",
        "status": status, "outputData": output,
    })
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub kind: String,
    /// Its headers, names in small letters.
    pub head: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn read(stream: &mut TcpStream) -> Reply {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let status =
            line.split(' ').nth(1).unwrap_or_else(|| panic!("no status in {line:?}")).parse().unwrap();
        let mut head = Vec::new();
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                head.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        let kind = head.iter().find(|(name, _)| name == "content-type");
        let kind = kind.map(|(_, kind)| kind.to_ascii_lowercase()).unwrap_or_default();
        let mut body = String::new();
        reader.read_to_string(&mut body).unwrap();
        Reply { status, kind, head, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.body))
    }
}
