//! Conductor's own user interface before our server.
//!
//! `walk.mjs` visits its pages as a person does, in a real browser (`browser.mjs`), with runs in every state
//! (`site.mjs`). No request may fail and no page may complain, and what the pages ask is what `calls.txt` says. The
//! interface is not part of this repository: `CONDUCTOR_UI` names the directory of its files, and without it only what
//! the pages ask is asked, without a browser. `README.md` tells where the files are to be had.

mod editor;

use std::io::Write as _;
use std::process::{Command, Output};

use partitur_tests::{Place, Server};

/// The directory of this file.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ui");

#[test]
fn what_the_pages_ask_is_answered() {
    let place = Place::new();
    let server = Server::start(&place);
    let mut node = walk(&["--ask", &format!("http://{}", server.address()), &calls()]);
    let said = succeeds(&mut node, &server);
    assert!(said.lines().count() > 20, "it asked for little: {said}");
    server.stop();
}

#[test]
fn every_page_is_shown_and_nothing_goes_wrong_on_any() {
    let Some(files) = std::env::var_os("CONDUCTOR_UI") else {
        // Past the test runner, which keeps for itself what a test says that succeeds.
        let words =
            "SKIPPED: CONDUCTOR_UI names no directory with Conductor's user interface (tests/ui/README.md)\n";
        let _ = std::io::stderr().write_all(words.as_bytes());
        return;
    };
    let place = Place::new();
    let server = Server::start(&place);
    let files = files.into_string().expect("a path in UTF-8");
    let mut node = walk(&[&files, &format!("http://{}", server.address()), &calls()]);
    node.args(std::env::var_os("UI_PICTURES")).env("UI_EDITOR", editor::installed());
    println!("{}", succeeds(&mut node, &server));
    server.stop();
}

fn walk(arguments: &[&str]) -> Command {
    let mut node = Command::new("node");
    node.arg(format!("{HERE}/walk.mjs")).args(arguments);
    node
}

fn calls() -> String {
    format!("{HERE}/calls.txt")
}

/// Runs the program; fails with what it says is wrong.
fn succeeds(node: &mut Command, server: &Server) -> String {
    let Output { status, stdout, stderr } = node.output().expect("node starts");
    let said = String::from_utf8_lossy(&stdout).into_owned();
    let wrong: String = said.split_inclusive('\n').filter(|line| !line.starts_with("ok ")).collect();
    assert!(status.success(), "{wrong}{}{}", String::from_utf8_lossy(&stderr), server.said());
    said
}
