//! Connections that are slow, broken, endless, or many.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use partitur_tests::http::{Reply, connect, is_closed_within};
use serde_json::json;

use crate::neighbour::beside;
use crate::{Site, simple, workflow};

/// So many at once.
const MANY: usize = 2_000;

fn open(site: &Site) -> TcpStream {
    connect(site.server.address()).expect("it listens")
}

/// Sends bytes and reads all that comes; if nothing comes, says that there are no more. Nothing if the connection was cut.
fn say(site: &Site, bytes: &[u8]) -> String {
    let mut stream = open(site);
    // It may have heard enough before the end.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a time that is not zero");
    let _ = stream.read_to_end(&mut answer);
    if answer.is_empty() {
        answer.extend(cut(stream));
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Nothing more will be sent.
fn cut(mut stream: TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time that is not zero");
    // The other side may have been first.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// The status of the first answer; nothing if there is none.
fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

#[test]
fn heads_that_come_slowly_are_cut_off_and_nobody_waits_for_them() {
    let site = Site::new(&["header_timeout=1s"]);
    let runs = beside(&site.server, || {
        let mut slow: Vec<TcpStream> = (0..200).map(|_| open(&site)).collect();
        let begun = Instant::now();
        for (at, byte) in b"GET /health HTTP/1.1\r\nhost: t\r\nx-slow: ".iter().enumerate() {
            for stream in &mut slow {
                let _ = stream.write_all(&[*byte]);
            }
            std::thread::sleep(Duration::from_millis(if at < 10 { 150 } else { 5 }));
        }
        let closed = slow
            .iter_mut()
            .filter_map(|stream| is_closed_within(stream, Duration::from_secs(10)).then_some(()));
        assert_eq!(closed.count(), 200);
        assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    });
    assert!(runs >= 10, "only {runs} runs");
    site.leave_in_peace();
}

#[test]
fn bodies_that_come_slowly_are_cut_off_and_nobody_waits_for_them() {
    let site = Site::new(&["body_timeout=1s"]);
    let runs = beside(&site.server, || {
        let mut slow: Vec<TcpStream> = (0..200).map(|_| open(&site)).collect();
        for stream in &mut slow {
            let head = "POST /api/workflow HTTP/1.1\r\nhost: t\r\ncontent-length: 1000\r\n\r\n{\"name\":\"";
            stream.write_all(head.as_bytes()).expect("it listens");
        }
        for _ in 0..10 {
            slow.iter_mut().for_each(|stream| drop(stream.write_all(b"x")));
            std::thread::sleep(Duration::from_millis(150));
        }
        for stream in &mut slow {
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(matches!(status(&answer), Some(408) | None), "{answer}");
        }
    });
    assert!(runs >= 10, "only {runs} runs");
    site.leave_in_peace();
}

#[test]
fn requests_that_are_cut_off_anywhere_change_nothing() {
    let site = Site::new(&[]);
    let mut client = site.client();
    let body = json!({"name": "calm", "correlationId": "cut", "input": {}}).to_string();
    let request = format!(
        "POST /api/workflow HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for length in 0..request.len() {
        let mut stream = open(&site);
        stream.write_all(&request.as_bytes()[..length]).expect("it listens");
        let answer = String::from_utf8_lossy(&cut(stream)).into_owned();
        assert!(status(&answer).is_none_or(|status| (400..500).contains(&status)), "{length}: {answer}");
    }
    let found = client.get("/api/workflow/calm/correlated/cut?includeClosed=true").json();
    assert_eq!(found, json!([]));
    site.leave_in_peace();
}

#[test]
fn what_is_too_large_is_refused_before_it_is_there() {
    let site = Site::new(&[]);
    let long = "x".repeat(40 << 10);
    let head = format!("GET /health HTTP/1.1\r\nhost: t\r\nx-long: {long}{long}\r\n\r\n");
    assert!(matches!(status(&say(&site, head.as_bytes())), Some(431) | None));
    let many: String = (0..5_000).map(|at| format!("x-{at}: y\r\n")).collect();
    let head = format!("GET /health HTTP/1.1\r\nhost: t\r\n{many}\r\n");
    assert!(matches!(status(&say(&site, head.as_bytes())), Some(431) | None));
    let url = format!("GET /api/workflow/{} HTTP/1.1\r\nhost: t\r\n\r\n", "x".repeat(9_000));
    assert_eq!(status(&say(&site, url.as_bytes())), Some(414));
    let announced = "POST /api/workflow HTTP/1.1\r\nhost: t\r\ncontent-length: 99999999999\r\n\r\n{";
    assert_eq!(status(&say(&site, announced.as_bytes())), Some(413));
    // Nobody has announced these, and there is no end of them.
    let before = site.server.memory();
    for _ in 0..3 {
        let mut stream = open(&site);
        stream
            .write_all(b"POST /api/workflow HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n")
            .expect("it listens");
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let taken = (0..1_000).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
        assert!(taken < 1_000, "it has taken 64 MB");
    }
    assert!(site.server.memory() < before + (100 << 20), "{before} {}", site.server.memory());
    site.leave_in_peace();
}

#[test]
fn what_is_no_request_is_refused() {
    let site = Site::new(&[]);
    let post = "POST /api/workflow HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";
    let nonsense = [
        "\r\n\r\n\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1} this is no TLS\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET /health\r\n\r\n".to_owned(),
        "GET /health HTTP/3.7\r\nhost: t\r\n\r\n".to_owned(),
        "GET /health HTTP/1.1 HTTP/1.1\r\nhost: t\r\n\r\n".to_owned(),
        "GET health HTTP/1.1\r\nhost: t\r\n\r\n".to_owned(),
        "GET /health HTTP/1.1\r\nhost : t\r\n\r\n".to_owned(),
        "GET /health HTTP/1.1\r\nho st: t\r\n\r\n".to_owned(),
        "GET /health HTTP/1.1\r\n: t\r\n\r\n".to_owned(),
        "GET /health HTTP/1.1\r\nhost: t\0\r\n\r\n".to_owned(),
        "GET /health HTTP/1.1\r\nhost: t\r\nx: a\r\n b\r\n\r\n".to_owned(),
        "G\u{1}T /health HTTP/1.1\r\nhost: t\r\n\r\n".to_owned(),
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        // Bodies whose length is anybody's guess.
        format!("{post}content-length: -1\r\n\r\n{{}}"),
        format!("{post}content-length: 1e3\r\n\r\n{{}}"),
        format!("{post}content-length: +2\r\n\r\n{{}}"),
        format!("{post}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}x"),
        format!("{post}content-length: 2, 3\r\n\r\n{{}}x"),
        format!("{post}content-length: 99999999999999999999999999\r\n\r\n{{}}"),
        format!(
            "{post}transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
        ),
        format!("{post}transfer-encoding: gzip\r\n\r\n{{}}"),
        format!("{post}transfer-encoding: chunked, gzip\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
        // Chunks.
        format!("{post}transfer-encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n"),
        format!("{post}transfer-encoding: chunked\r\n\r\n-2\r\n{{}}\r\n0\r\n\r\n"),
        format!("{post}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{{}}\r\n0\r\n\r\n"),
        format!("{post}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{{}}\r\n0\r\n\r\n"),
        format!("{post}transfer-encoding: chunked\r\n\r\n2\r\n{{}}GET / HTTP/1.1\r\n\r\n"),
        format!("{post}transfer-encoding: chunked\r\n\r\n2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(100_000)),
        format!(
            "{post}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nx: {}\r\n\r\n",
            "y".repeat(100_000)
        ),
    ];
    for bytes in nonsense {
        let answer = say(&site, bytes.as_bytes());
        let shown: String = bytes.chars().take(200).collect();
        assert!(status(&answer).is_none_or(|status| (400..500).contains(&status)), "{shown:?}: {answer}");
        assert!(!answer.contains("smuggled"), "{answer}");
    }
    site.leave_in_peace();
}

#[test]
fn older_and_unusual_ways_to_ask_are_understood() {
    let site = Site::new(&[]);
    let old = say(&site, b"GET /api/version HTTP/1.0\r\n\r\n");
    assert!(old.starts_with("HTTP/1.0 200"), "{old}");
    let whole = format!(
        "GET http://{}/health HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n",
        site.server.address()
    );
    assert_eq!(status(&say(&site, whole.as_bytes())), Some(200));
    let upgrade = b"GET /health HTTP/1.1\r\nhost: t\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    assert_eq!(status(&say(&site, upgrade)), Some(200));
    let expects = b"POST /api/workflow/calm HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let answer = say(&site, expects);
    assert!(answer.contains("HTTP/1.1 200"), "{answer}");
    for method in ["HEAD", "OPTIONS", "TRACE", "PATCH", "BREW"] {
        let answer = say(
            &site,
            format!("{method} /api/workflow HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").as_bytes(),
        );
        assert!(matches!(status(&answer), Some(200..500)), "{method}: {answer}");
        assert!(!answer.to_lowercase().contains("access-control-allow"), "{answer}");
    }
    site.leave_in_peace();
}

#[test]
fn requests_that_are_sent_ahead_are_answered_in_order_up_to_the_first_that_is_none() {
    let site = Site::new(&[]);
    let mut stream = open(&site);
    let many: String =
        (0..500).map(|at| format!("GET /api/queue-{at} HTTP/1.1\r\nhost: t\r\n\r\n")).collect();
    stream
        .write_all(
            format!("{many}GET /api/version HTTP/1.1\r\nhost: t\r\n\r\n\u{1}\u{2}\u{3} / nonsense\r\n\r\n")
                .as_bytes(),
        )
        .expect("it listens");
    let mut reader = BufReader::new(stream);
    for _ in 0..500 {
        assert_eq!(Reply::read(&mut reader).expect("an answer").0.status, 404);
    }
    assert_eq!(Reply::read(&mut reader).expect("an answer").0.status, 200);
    assert_eq!(Reply::read(&mut reader).expect("an answer").0.status, 400);
    assert!(is_closed_within(reader.get_mut(), Duration::from_secs(5)));
    site.leave_in_peace();
}

#[test]
fn thousands_of_idle_connections_disturb_nobody_and_are_closed_in_the_end() {
    let site = Site::new(&["header_timeout=3s"]);
    let mut idle = Vec::new();
    let runs = beside(&site.server, || {
        idle.extend((0..MANY).map(|_| open(&site)));
        // Some have said something; what it is to become is open.
        let said = [
            &b""[..],
            b"P",
            b"PRI * HTTP/2.0\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n",
            b"GET /he",
        ];
        for (at, stream) in idle.iter_mut().enumerate() {
            stream.write_all(said[at % said.len()]).expect("it listens");
        }
        std::thread::sleep(Duration::from_millis(1_000));
    });
    assert!(runs >= 5, "only {runs} runs beside {MANY} connections");
    let memory = site.server.memory();
    assert!(memory < site.at_first + (100 << 20), "{} -> {memory}", site.at_first);
    for (at, stream) in idle.iter_mut().enumerate() {
        assert!(is_closed_within(stream, Duration::from_secs(20)), "{at} is kept for ever");
    }
    site.leave_in_peace();
}

#[test]
fn long_polls_that_are_given_up_at_once_take_no_task() {
    let site = Site::new(&[]);
    let mut client = site.client();
    assert_eq!(
        client.post("/api/metadata/workflow", &workflow("given-up", json!([simple("given-up")]))).status,
        200
    );
    let poll =
        b"GET /api/tasks/poll/batch/given-up?workerid=gone&count=10&timeout=5000 HTTP/1.1\r\nhost: t\r\n\r\n";
    let mut gone: Vec<TcpStream> = (0..MANY).map(|_| open(&site)).collect();
    gone.iter_mut().for_each(|stream| stream.write_all(poll).expect("it listens"));
    let runs = beside(&site.server, || std::thread::sleep(Duration::from_millis(1_500)));
    assert!(runs >= 3, "only {runs} runs beside {MANY} polls");
    // All of them leave, and nobody is left who could take what comes now.
    drop(gone);
    std::thread::sleep(Duration::from_millis(500));
    let ids: Vec<String> =
        (0..50).map(|_| client.post("/api/workflow", &json!({"name": "given-up"})).body).collect();
    let begun = Instant::now();
    let tasks = client.get("/api/tasks/poll/batch/given-up?workerid=here&count=100&timeout=5000").json();
    let tasks = tasks.as_array().expect("a list");
    assert_eq!(tasks.len(), ids.len(), "all of them, in {:?}", begun.elapsed());
    assert!(tasks.iter().all(|task| task["pollCount"] == 1), "nobody had them before");
    finish(&mut client, tasks);
    site.leave_in_peace();
}

#[test]
fn tasks_that_come_while_polls_are_given_up_are_handed_out_once() {
    let site = Site::new(&[]);
    let mut client = site.client();
    assert_eq!(
        client.post("/api/metadata/workflow", &workflow("racing", json!([simple("racing")]))).status,
        200
    );
    let poll =
        b"GET /api/tasks/poll/batch/racing?workerid=gone&count=1&timeout=5000 HTTP/1.1\r\nhost: t\r\n\r\n";
    let mut handed = 0;
    let mut wanted = 0;
    for round in 0..20 {
        let mut polls: Vec<TcpStream> = (0..20).map(|_| open(&site)).collect();
        polls.iter_mut().for_each(|stream| stream.write_all(poll).expect("it listens"));
        std::thread::scope(|scope| {
            let starts = scope.spawn(|| {
                let mut client = site.client();
                (0..10).for_each(|_| {
                    assert_eq!(client.post("/api/workflow", &json!({"name": "racing"})).status, 200)
                });
            });
            std::thread::sleep(Duration::from_micros(300 * round));
            // Those are gone by the time their answers come; these read theirs.
            let here = polls.split_off(10);
            drop(polls);
            starts.join().expect("it does not panic");
            handed += here.into_iter().map(taken).sum::<usize>();
        });
        wanted += 10;
    }
    // What went to nobody is there at once; what the connection had taken already is with those who are gone.
    let rest = client.get("/api/tasks/poll/batch/racing?workerid=here&count=1000&timeout=200").json();
    let rest = rest.as_array().expect("a list").len();
    assert!(handed + rest <= wanted, "{handed} and {rest} of {wanted}");
    let queues = client.get("/api/tasks/queue/all").json();
    assert_eq!(queues.get("racing"), None, "nothing is stuck in between: {queues}");
    site.leave_in_peace();
}

/// How many tasks a poll has brought so far.
fn taken(stream: TcpStream) -> usize {
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a time that is not zero");
    match Reply::read(&mut BufReader::new(stream)) {
        Ok((reply, _)) => reply.json().as_array().expect("a list").len(),
        Err(_) => 0,
    }
}

fn finish(client: &mut partitur_tests::http::Client, tasks: &[serde_json::Value]) {
    for task in tasks {
        let result = json!({
            "workflowInstanceId": task["workflowInstanceId"], "taskId": task["taskId"], "status": "COMPLETED",
        });
        assert_eq!(client.post("/api/tasks", &result).status, 200);
    }
}
