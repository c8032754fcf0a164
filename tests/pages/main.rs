//! The pages that `partitur graph` and `partitur report` write, in a real browser.
//!
//! `walk.mjs` folds, searches, moves and uses the keys, as a person does; no page may complain, or ask anybody for
//! anything. Chromium is looked for by name (`CHROMIUM` names another program); without it the test says that it was
//! skipped. `PAGES_PICTURES=DIRECTORY` keeps pictures of the pages, light and dark.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use partitur_tests::Place;

/// So many chains: large enough to be folded at first.
const CHAINS: usize = 200;

const SMALL: &str = "
name: small
tasks:
  load: { run: sleep 0.1 }
  parts: { needs: [load], for-each: [a, b], run: sleep 0.05 }
  bad: { needs: [load], run: sleep 0.05; exit 3 }
  last: { needs: [parts], run: 'true' }
";

fn wide() -> String {
    let mut flow = String::from("name: wide\ntasks:\n");
    for at in 0..CHAINS {
        let _ = writeln!(flow, "  fetch-{at}: {{ run: 'true' }}");
        let _ = writeln!(flow, "  build-{at}: {{ needs: [fetch-{at}], run: 'true' }}");
        let _ = writeln!(flow, "  check-{at}: {{ needs: [build-{at}], run: 'true' }}");
    }
    let all: Vec<String> = (0..CHAINS).map(|at| format!("check-{at}")).collect();
    flow + &format!("  report: {{ needs: [{}], run: 'true' }}\n", all.join(", "))
}

/// What the command writes to standard output, into a file.
fn page(place: &Place, name: &str, arguments: &[&str]) {
    let output = place.command(arguments).output().expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    place.write(name, output.stdout);
}

#[test]
fn graphs_and_reports_are_pages_that_a_person_can_use() {
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let there = Command::new(&chromium).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        // Past the test runner, which keeps for itself what a test says that succeeds.
        let words = format!("SKIPPED: there is no {chromium} to show pages in (tests/pages/main.rs)\n");
        let _ = std::io::stderr().write_all(words.as_bytes());
        return;
    }
    let place = Place::new();
    place.write("wide.yaml", wide());
    place.write("small.yaml", SMALL);
    // One of its tasks fails.
    let ran = place.command(&["run", "small.yaml", "-q"]).output().expect("the binary starts");
    assert_eq!(ran.status.code(), Some(1));
    page(&place, "wide.html", &["graph", "wide.yaml", "--format", "html"]);
    page(&place, "small.html", &["graph", "small.yaml", "--run", "1", "--format", "html"]);
    page(&place, "report.html", &["report", "1", "--html", "-"]);
    let mut node = Command::new("node");
    node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/pages/walk.mjs")).arg(chromium).arg(place.path());
    node.args(std::env::var_os("PAGES_PICTURES"));
    let walked = node.output().expect("node starts");
    let said = String::from_utf8_lossy(&walked.stdout);
    assert!(walked.status.success(), "{said}{}", String::from_utf8_lossy(&walked.stderr));
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), 6, "{said}");
}
