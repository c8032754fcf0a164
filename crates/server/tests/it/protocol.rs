//! Conductor's protocol, row by row: each is answered, or stands in the list as refused on purpose.

use crate::support::{Reply, Site};

/// A line of `protocol.txt`.
struct Row {
    line: &'static str,
    method: &'static str,
    path: String,
    is_refused: bool,
}

fn rows() -> impl Iterator<Item = Row> {
    let lines = include_str!("protocol.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let (row, reason) = line.split_once(" : ").map_or((line, ""), |(row, reason)| (row, reason.trim()));
        let [mark, method, path] = row.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("mark, method, path: {line}")
        };
        assert!(["M", "S", "X"].contains(&mark), "{line}");
        assert!(mark != "M" || reason.is_empty(), "what must be there is not refused: {line}");
        let path = path
            .strip_prefix('/')
            .filter(|path| path.starts_with('/'))
            .map_or_else(|| format!("/api{path}"), str::to_owned);
        Row { line, method, path: filled(&path), is_refused: !reason.is_empty() }
    })
}

/// With something in place of what varies.
fn filled(path: &str) -> String {
    let part = |part: &str| match part {
        "{number}" => "1".to_owned(),
        "{status}" => "COMPLETED".to_owned(),
        "{id}" | "{task}" => "00000000-0000-4000-8000-000000000000".to_owned(),
        other => other.trim_matches(['{', '}']).to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Whether a route leads there, whatever it says about things that are not there.
fn is_known(reply: &Reply) -> bool {
    let nowhere = reply.status == 404 && reply.body.contains("there is no such route");
    !nowhere && reply.status != 405 && reply.status != 501
}

#[test]
fn each_row_of_the_protocol_is_answered_or_refused_on_purpose() {
    let site = Site::new();
    let wrong: Vec<String> = rows()
        .filter_map(|row| {
            let reply = site.ask(row.method, &row.path, None);
            assert!(
                reply.status < 500 || reply.status == 501,
                "{}: {} {}",
                row.line,
                reply.status,
                reply.body
            );
            let known = is_known(&reply);
            (known == row.is_refused).then(|| format!("{} was answered with {}", row.line, reply.status))
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}
