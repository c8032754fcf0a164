//! The server, as the clients of Conductor meet it: their own programs, and the recorded answers of the real one.
//!
//! `python/` and `javascript/` hold programs against the published clients, which are installed once below the target
//! directory; `openapi/` makes requests up from the document of the routes; `compare/` replays scripts and compares
//! what becomes of them with `recorded/`, which the real server said. `README.md` tells how to run one of them alone.

mod sdk;
mod server;

use std::process::{Command, Output};

use server::Server;

/// The directory of this file.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance");

#[test]
fn the_programs_of_the_python_client_succeed() {
    let server = Server::start();
    let mut command = Command::new(sdk::python());
    command.arg(format!("{HERE}/python/run.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    succeeds(&mut command, &server);
    server.stop();
}

#[test]
fn the_python_client_signs_in_and_again_when_its_token_is_over() {
    let server = Server::start_with(&["--set", "auth=keys", "--set", "token_lifetime=2s"]);
    let (id, secret) = server.key();
    let mut command = Command::new(sdk::python());
    command.arg(format!("{HERE}/python/run.py")).args(["simple", "workers", "sub_workflow", "signals"]);
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("CONDUCTOR_AUTH_KEY", id)
        .env("CONDUCTOR_AUTH_SECRET", secret);
    succeeds(&mut command, &server);
    server.stop();
}

#[test]
fn the_programs_of_the_javascript_client_succeed() {
    let server = Server::start();
    let mut command = Command::new("node");
    command.arg(format!("{HERE}/javascript/run.mjs")).env("CONFORMANCE_SDK", sdk::javascript());
    succeeds(&mut command, &server);
    server.stop();
}

#[test]
fn runs_are_what_the_real_server_made_of_them() {
    let server = Server::start();
    let mut command = Command::new(sdk::python());
    command.arg(format!("{HERE}/compare/compare.py")).arg("check").arg(server.api());
    succeeds(command.env("PYTHONDONTWRITEBYTECODE", "1"), &server);
    server.stop();
}

#[test]
fn no_request_that_can_be_made_from_the_document_of_the_routes_is_answered_with_a_fault_of_the_server() {
    let server = Server::start();
    let mut command = Command::new("python3");
    command.arg(format!("{HERE}/openapi/generated.py")).env("SCHEMATHESIS", sdk::schemathesis());
    succeeds(&mut command, &server);
    server.stop();
}

/// Runs programs against a server; fails with what they print of those that failed.
fn succeeds(command: &mut Command, server: &Server) {
    let Output { status, stdout, stderr } =
        command.env("CONDUCTOR_SERVER_URL", server.api()).output().expect("the programs start");
    let said = String::from_utf8_lossy(&stdout);
    let failed = said.split_inclusive('\n').filter(|line| !line.starts_with("ok ")).collect::<String>();
    assert!(status.success(), "{failed}{}{}", String::from_utf8_lossy(&stderr), server.said());
    assert!(said.contains("ok "), "nothing was run: {said}");
    println!("{said}");
}
