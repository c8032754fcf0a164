//! Calls to a server on this machine that answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use partitur_model::Payload;
use partitur_model::dispatch::{Ending, HttpCall, Work};

use crate::harness::{Harness, failure, output};

/// Answers by the path that is asked for, and remembers every request.
struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server { address: listener.local_addr().unwrap(), requests: Arc::default() };
        let requests = server.requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let requests = requests.clone();
                std::thread::spawn(move || while serve(&stream, &requests).is_some() {});
            }
        });
        server
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, requests: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    requests.lock().unwrap().push(format!("{head}{}", String::from_utf8_lossy(&body)));
    let path = head.split(' ').nth(1)?.to_owned();
    let answer = |status: &str, headers: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
    };
    let text = match path.as_str() {
        "/json" => {
            answer("200 OK", "Content-Type: application/json\r\nX-A: 1\r\nX-A: 2\r\n", "{\"a\": 0.10}")
        }
        "/text" => answer("201 Created", "Content-Type: text/plain\r\n", "{not json"),
        "/refuse" => answer("503 Busy", "", &"because ".repeat(1000)),
        "/loop" => answer("302 Found", "Location: /loop\r\n", ""),
        "/moved" => answer("302 Found", "Location: /json\r\n", ""),
        "/slow" => {
            std::thread::sleep(Duration::from_secs(30));
            return None;
        }
        "/endless" => {
            let mut stream = stream;
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").ok()?;
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
            while stream.write_all(chunk.as_bytes()).is_ok() {}
            return None;
        }
        _ => answer("404 Not Found", "", ""),
    };
    let mut stream = stream;
    stream.write_all(text.as_bytes()).ok()
}

fn call(harness: &mut Harness, method: &str, url: String, body: Option<&str>) -> Ending {
    let body = body.map(|body| Payload::parse(body).unwrap());
    let headers = vec![("X-Test".into(), "yes".into())];
    let dispatch = harness.work(Work::Http(HttpCall { method: method.into(), url, headers, body }));
    harness.run(dispatch)
}

#[test]
fn an_answer_becomes_the_result() {
    let (server, mut harness) = (Server::start(), Harness::new());
    let ending = call(&mut harness, "POST", server.url("/json"), Some("{\"x\": 1.0}"));
    let expected = "{\"status\":200,\"headers\":{\"content-length\":\"11\",\"content-type\":\"application/json\",\
                    \"x-a\":\"1, 2\"},\"body\":{\"a\": 0.10}}";
    assert_eq!(output(&ending), expected);
    let request = server.requests().remove(0);
    assert!(request.starts_with("POST /json HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"x\": 1.0}"), "{request}");
    let key = format!("idempotency-key: {}-1-{}\r\n", harness.run, partitur_model::FencingToken::first_of(2));
    assert!(request.contains(&key) && request.contains("x-test: yes\r\n"), "{request}");
    assert!(request.contains("content-type: application/json\r\n"), "{request}");
    let ending = call(&mut harness, "", server.url("/text"), Some("\"plain\""));
    assert!(output(&ending).ends_with("\"body\":\"{not json\"}"), "{ending:?}");
    let request = server.requests().remove(1);
    assert!(request.starts_with("GET /text") && request.ends_with("\r\n\r\nplain"), "{request}");
    assert!(output(&call(&mut harness, "GET", server.url("/moved"), None)).contains("\"status\":200"));
}

#[test]
fn every_failure_has_its_code_and_shows_no_credentials() {
    let (server, mut harness) = (Server::start(), Harness::new());
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let secret = "user:hush@";
    let table = [
        (server.url("/refuse"), "http-503"),
        (server.url("/missing?token=hush"), "http-404"),
        (server.url("/loop"), "http-redirect"),
        (server.url("/endless"), "output-too-large"),
        (format!("http://{secret}{refused}/"), "http-connect"),
        ("http://no-such-host.invalid/".into(), "http-connect"),
        ("ftp://host/".into(), "http-request"),
        ("nonsense".into(), "http-request"),
    ];
    for (url, code) in table {
        let ending = call(&mut harness, "GET", url.clone(), None);
        let (found, message) = failure(&ending);
        assert_eq!(found, code, "{url}: {message}");
        assert!(!message.contains("hush") && message.len() < 1200, "{message}");
    }
    let ending = call(&mut harness, "GET", server.url("/refuse"), None);
    let start = format!("GET {} answered 503: because because", server.url("/refuse"));
    assert!(failure(&ending).1.starts_with(&start), "{ending:?}");
}

#[test]
fn a_call_can_be_stopped_and_others_go_on_meanwhile() {
    let (server, mut harness) = (Server::start(), Harness::new());
    let slow = harness.work(Work::Http(HttpCall { url: server.url("/slow"), ..HttpCall::default() }));
    let attempt = slow.attempt;
    harness.executor.start(slow);
    assert!(call(&mut harness, "GET", server.url("/json"), None).result.is_ok());
    let began = Instant::now();
    harness.executor.stop(attempt);
    assert_eq!(failure(&harness.wait(attempt)).0, "stopped");
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(harness.executor.live(), 0);
}
