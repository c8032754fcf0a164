//! HTTP/2 without TLS, spoken from the first byte: well, and badly.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use partitur_tests::http::{connect, is_closed_within};

use crate::Site;
use crate::neighbour::beside;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Kinds of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// `GET` of this path, with names from the static table and nothing compressed.
fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, path.len() as u8];
    block.extend(path.as_bytes());
    block.extend([0x01, 4]);
    block.extend(b"test");
    block
}

fn open(site: &Site) -> TcpStream {
    let mut stream = connect(site.server.address()).expect("it listens");
    stream.write_all(PREFACE).expect("it listens");
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).expect("it listens");
    stream
}

/// The next frame: kind, stream, body.
fn next(stream: &mut TcpStream) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), body))
}

#[test]
fn whoever_begins_with_http_2_is_answered_in_it() {
    let site = Site::new(&[]);
    let mut stream = open(&site);
    for id in [1, 3, 5] {
        stream
            .write_all(&frame(HEADERS, END_HEADERS | END_STREAM, id, &get("/api/version")))
            .expect("it listens");
    }
    let mut answered = Vec::new();
    while answered.len() < 3 {
        let (kind, id, body) = next(&mut stream).expect("an answer");
        assert_ne!(kind, GOAWAY, "{body:?}");
        if kind == HEADERS {
            // `:status: 200` has a number of its own.
            assert_eq!(body[0], 0x88, "{body:?}");
            answered.push(id);
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 3, 5]);
    drop(stream);
    site.leave_in_peace();
}

#[test]
fn frames_that_make_no_sense_or_no_end_are_cut_off_and_disturb_nobody() {
    let site = Site::new(&["header_timeout=2s"]);
    let ask = |id| frame(HEADERS, END_HEADERS | END_STREAM, id, &get("/health"));
    let attacks: Vec<(&str, Vec<u8>)> = vec![
        ("noise", vec![0xff; 10_000]),
        ("a frame that is too large", frame(DATA, 0, 1, &vec![0; 100_000])),
        ("data of no stream", frame(DATA, 0, 1, b"x")),
        ("an even stream", ask(2)),
        ("a stream that is zero", ask(0)),
        ("names that are not in the table", frame(HEADERS, END_HEADERS, 1, &[0xff; 100])),
        ("a window beyond all measure", frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes())),
        ("a window that does not grow", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("a ping of another length", frame(PING, 0, 0, &[0; 3])),
        ("settings of another length", frame(SETTINGS, 0, 0, &[0; 5])),
        ("streams that are opened and reset", rapid_reset()),
        ("a head that does not end", endless_head()),
        ("many settings", frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1]).repeat(20_000)),
        ("many pings", frame(PING, 0, 0, &[0; 8]).repeat(20_000)),
        ("frames of no known kind", frame(0xee, 0, 1, b"what").repeat(1_000)),
    ];
    let before = site.server.memory();
    let runs = beside(&site.server, || {
        for (name, bytes) in &attacks {
            let mut stream = open(&site);
            // It may have heard enough before the end.
            let _ = stream.write_all(bytes);
            let _ = stream.write_all(&ask(99_999));
            is_closed_within(&mut stream, Duration::from_millis(300));
            let memory = site.server.memory();
            assert!(memory < before + (100 << 20), "{name}: {before} -> {memory}");
        }
    });
    assert!(runs >= 5, "only {runs} runs");
    site.leave_in_peace();
}

fn rapid_reset() -> Vec<u8> {
    let mut bytes = Vec::new();
    for id in (1..40_000).step_by(2) {
        bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, id, &get("/api/workflow/search")));
        bytes.extend(frame(RST_STREAM, 0, id, &[0, 0, 0, 8]));
    }
    bytes
}

fn endless_head() -> Vec<u8> {
    let mut bytes = frame(HEADERS, 0, 1, &get("/health"));
    let mut field = vec![0x00, 1, b'x', 127, 0x80 | 65, 30];
    field.extend(vec![b'y'; 127 + 65 + (30 << 7)]);
    for _ in 0..4_000 {
        bytes.extend(frame(CONTINUATION, 0, 1, &field));
    }
    bytes
}
