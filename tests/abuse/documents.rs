//! Bodies that are no JSON, or more of it than anybody needs.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Site;
use crate::neighbour::beside;

/// Routes that read a body.
const ROUTES: [(&str, &str); 10] = [
    ("POST", "/api/workflow"),
    ("POST", "/api/workflow/calm"),
    ("POST", "/api/tasks"),
    ("POST", "/api/tasks/update-v2"),
    ("POST", "/api/metadata/workflow"),
    ("PUT", "/api/metadata/workflow"),
    ("POST", "/api/metadata/taskdefs"),
    ("POST", "/api/scheduler/schedules"),
    ("POST", "/v1/exchange"),
    ("POST", "/v1/runs"),
];

#[test]
fn what_is_no_json_is_the_clients_mistake() {
    let site = Site::new(&[]);
    let mut client = site.client();
    let texts: Vec<Vec<u8>> = [
        "",
        " ",
        "{",
        "}",
        "[",
        "\"",
        "\"a",
        "nul",
        "tru",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1,}",
        "[1,]",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":+1}",
        "{\"a\":0x1}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":-Infinity}",
        "{\"a\":1e}",
        "{} {}",
        "{}x",
        "// comment\n{\"a\":1",
        "{\"name\":\"calm\" /* c */}",
        "{\"name\":\"\\ud800\"}",
        "{\"name\":\"\\udc00\\ud800\"}",
        "{\"name\":\"\\u12\"}",
        "{\"name\":\"\\x41\"}",
        "{\"name\":\"a\nb\"}",
        "{\"name\":\"a\u{1}b\"}",
        "\u{feff}{\"name\":\"calm\"}",
        "<a/>",
        "name=calm&version=1",
        "--boundary\r\n",
        "%7B%7D",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .chain([
        b"\xff\xfe{\x00}\x00".to_vec(),
        b"{\"name\":\"\xff\xff\"}".to_vec(),
        b"{\"name\":\"\xc0\x80\"}".to_vec(),
        b"{\"name\":\"\xed\xa0\x80\"}".to_vec(),
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00".to_vec(),
        vec![0; 1_000],
    ])
    .collect();
    for (method, path) in ROUTES {
        for text in &texts {
            let reply = client.ask_text(method, path, text).expect("an answer");
            let shown = String::from_utf8_lossy(text).into_owned();
            // A body of nothing but spaces is no input, where there may be none.
            let may_be_empty = shown.trim().is_empty() && path == "/api/workflow/calm";
            // Nobody reads what stands under a name that means nothing here.
            let is_unread = shown.contains(['\\', '\u{fffd}']) && !path.starts_with("/api/workflow");
            if !may_be_empty && !is_unread {
                assert_eq!(reply.status, 400, "{path} {shown:?}: {reply:?}");
                assert!(reply.json()["message"].is_string(), "{path} {shown:?}: {reply:?}");
            }
        }
    }
    site.leave_in_peace();
}

#[test]
fn json_that_is_deep_or_endless_is_refused_and_occupies_nobody() {
    let site = Site::new(&[]);
    let mut client = site.client();
    let runs = beside(&site.server, || {
        for (open, close, depth) in
            [("[", "]", 200), ("{\"a\":", "}", 200), ("[", "]", 2_000_000), ("{\"a\":", "}", 700_000)]
        {
            let whole = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let input = format!("{{\"name\":\"calm\",\"input\":{{\"deep\":{whole}}}}}");
            let output = format!("{{\"taskId\":\"x\",\"outputData\":{whole}}}");
            for text in [&whole, &open.repeat(depth), &input, &output] {
                for (method, path) in ROUTES {
                    let reply = client.ask_text(method, path, text).expect("an answer");
                    // Nobody reads what stands under a name that means nothing here.
                    let is_unread = reply.status == 200 && path.starts_with("/v1");
                    assert!(is_unread || (400..500).contains(&reply.status), "{path} {depth}: {reply:?}");
                }
            }
        }
    });
    assert!(runs >= 5, "only {runs} runs");
    site.leave_in_peace();
}

/// No answer about these takes longer, and none of them makes the server larger than this.
const PATIENCE: Duration = Duration::from_secs(20);
const ROOM: u64 = 1 << 30;

#[test]
fn many_small_values_are_a_limit_of_their_own_or_cost_no_more_than_their_text() {
    let site = Site::new(&[]);
    let mut client = site.client();
    let many = format!("[{}[]]", "[],".repeat(2_000_000));
    let some = format!("[{}[]]", "[],".repeat(600_000));
    let names: String = (0..300_000).map(|at| format!("\"k{at}\":\"{at}\",")).collect();
    let names = format!("{{{names}\"z\":\"0\"}}");
    for text in [
        many.clone(),
        names.clone(),
        format!("{{\"name\":\"calm\",\"input\":{{\"a\":{many}}}}}"),
        format!("{{\"name\":\"calm\",\"taskToDomain\":{names}}}"),
        format!("{{\"name\":\"calm\",\"tasks\":{some},\"logs\":{some},\"cronSchedules\":{some}}}"),
        format!("{{\"name\":\"calm\",\"tasks\":[{{\"loopOver\":{many}}}]}}"),
        format!("{{\"name\":\"calm\",\"tasks\":[{{\"forkTasks\":{many}}}]}}"),
    ] {
        for (method, path) in ROUTES {
            let begun = Instant::now();
            let reply = client.ask_text(method, path, &text).expect("an answer");
            let shown = &text[..60];
            assert!(reply.status < 500, "{path} {shown}: {}", reply.status);
            assert!(begun.elapsed() < PATIENCE, "{path} {shown}: {:?}", begun.elapsed());
        }
    }
    assert!(site.server.memory_at_most() < ROOM, "it took {} bytes", site.server.memory_at_most());
    site.leave_in_peace();
}

#[test]
fn numbers_and_texts_are_kept_to_the_last_digit_or_refused() {
    let site = Site::new(&[]);
    let mut client = site.client();
    let values = [
        "0",
        "-0",
        "0.0",
        "-0.0",
        "1e400",
        "-1e400",
        "1e-400",
        "1E5",
        "1.0",
        "0.1",
        "100000000000000000000000000000",
        "123456789012345678901234567890.123456789012345678901234567890",
        "9007199254740993",
        "18446744073709551616",
        "-9223372036854775809",
        "\"\\u0000\"",
        "\"a\\u0000b\"",
        "\"\\ud83d\\ude00\"",
        "\"\\uffff\"",
        "\"\u{feff}\"",
        "\"\u{202e}\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\/\"",
        "\"\u{7f}\"",
    ];
    for value in values {
        let body = format!(
            "{{\"name\":\"calm\",\"taskToDomain\":{{\"calm\":\"nowhere\"}},\"input\":{{\"v\":{value}}}}}"
        );
        let reply = client.ask_text("POST", "/api/workflow", &body).expect("an answer");
        if reply.status == 400 {
            println!("{value} is refused: {}", reply.json()["message"]);
            continue;
        }
        assert_eq!(reply.status, 200, "{value}: {reply:?}");
        let shown = client.get(&format!("/api/workflow/{}", reply.body)).body;
        let is_text = value.starts_with('"');
        let same = shown.contains(&format!("\"v\":{value}")) || is_text && shown.contains(&plain(value));
        assert!(same, "{value} has become something else: {shown}");
    }
    site.leave_in_peace();
}

/// A text as one may write it, too.
fn plain(value: &str) -> String {
    let read: Result<String, _> = serde_json::from_str(value);
    read.map_or_else(|_| value.to_owned(), |text| format!("\"v\":{}", json!(text)))
}
