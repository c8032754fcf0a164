//! Keys of a real server, from the command line and over the wire; and those who have none.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Command;

use partitur_tests::http::{self, Reply};
use partitur_tests::{Place, Server, wait_for};
use serde_json::{Value, json};

const WITH_KEYS: [&str; 2] = ["--set", "auth=keys"];

fn key(place: &Place, arguments: &[&str]) -> Value {
    place.json(&[&["key", "--data", "data", "--json"], arguments].concat())
}

fn ask(server: &Server, key: &str, method: &str, path: &str, body: &str) -> Reply {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nx-authorization: {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    server.client().exchange(request.as_bytes()).expect("an answer")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn keys_are_made_and_revoked_while_the_server_rests_and_while_it_runs() {
    let place = Place::new();
    let first = key(&place, &["create", "owner", "--role", "admin"]);
    let server = Server::start_with(&place, &WITH_KEYS, |_| {});
    assert!(!place.path().join("data/admin.key").exists(), "somebody may administer already");
    assert_eq!(ask(&server, text(&first["key"]), "GET", "/v1/keys", "").status, 200);

    let with_key = |arguments: &[&str]| {
        let mut command = place.command(&[&["key", "--data", "data", "--json"], arguments].concat());
        let ended = command.env("PARTITUR_API_KEY", text(&first["key"])).output().expect("it starts");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        serde_json::from_slice::<Value>(&ended.stdout).expect("JSON")
    };
    let second = with_key(&["create", "worker", "--role", "worker", "--expires", "1d"]);
    assert_eq!(ask(&server, text(&second["key"]), "GET", "/api/tasks/poll/none", "").status, 204);
    assert_eq!(ask(&server, text(&second["key"]), "GET", "/v1/keys", "").status, 403);
    let third = with_key(&["rotate", text(&second["id"])]);
    assert_eq!(ask(&server, text(&second["key"]), "GET", "/api/tasks/poll/none", "").status, 401);
    assert_eq!(ask(&server, text(&third["key"]), "GET", "/api/tasks/poll/none", "").status, 204);
    with_key(&["revoke", text(&second["id"])]);
    assert_eq!(ask(&server, text(&third["key"]), "GET", "/api/tasks/poll/none", "").status, 401);
    let refused = place.run(&["key", "--data", "data", "list"]);
    assert!(refused.stderr.contains("PARTITUR_API_KEY"), "{}", refused.stderr);
    server.stop();

    let states: Vec<Value> = key(&place, &["list"]).as_array().expect("a list").clone();
    let states: Vec<(&str, &str)> =
        states.iter().map(|key| (text(&key["name"]), text(&key["state"]))).collect();
    assert!(states.contains(&("owner", "live")) && states.contains(&("worker", "revoked")), "{states:?}");
}

#[test]
fn the_first_key_is_in_a_file_of_its_owner_and_nowhere_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let server = Server::start_with(&place, &WITH_KEYS, |_| {});
    let file = place.path().join("data/admin.key");
    let secret = std::fs::read_to_string(&file).expect("the file is there");
    assert_eq!(file.metadata().expect("it is").permissions().mode() & 0o777, 0o600);
    assert!(server.said().contains("admin.key") && !server.said().contains(secret.trim()));
    let listed = key(&place, &["list"]);
    assert_eq!(
        listed[0]["roles"],
        json!(["admin"]),
        "the command line finds server and key by the directory"
    );
    let environment = std::fs::read(format!("/proc/{}/environ", server.pid())).expect("it is ours");
    assert!(!String::from_utf8_lossy(&environment).contains(secret.trim()));
    server.stop();
}

#[test]
fn beyond_this_machine_only_with_keys() {
    let place = Place::new();
    let open = place.run(&["server", "--data", "data", "--listen", "0.0.0.0:0"]);
    assert!(open.code == Some(2) && open.stderr.contains("auth=keys"), "{open:?}");
    let arguments =
        ["server", "--data", "data", "--listen", "0.0.0.0:0", "--set", "auth=keys", "--check-config"];
    assert_eq!(place.run(&arguments).code, Some(0));
}

#[test]
fn every_spelling_of_a_path_is_judged_alike() {
    let place = Place::new();
    let server =
        Server::start_with(&place, &[&WITH_KEYS[..], &["--set", "limit_anonymous=off"]].concat(), |_| {});
    for path in [
        "/v1/keys",
        "/v1/keys/",
        "//v1/keys",
        "/v1//keys",
        "/v1/./keys",
        "/health/../v1/keys",
        "/v1/keys;a=b",
        "/v1/%6beys",
        "/V1/KEYS",
        "/v1/keys%2f",
        "/health/../../v1/keys",
        "/v1/keys?x=/health",
        "/v1/keys#/health",
        "http://test/v1/keys",
    ] {
        for method in ["GET", "HEAD", "POST", "OPTIONS", "get"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-original-url: /health\r\nx-forwarded-for: 127.0.0.1\r\ncontent-length: 0\r\n\r\n"
            );
            let status = status(&server, &request);
            assert!(matches!(status, 400 | 401 | 404 | 405), "{method} {path}: {status}");
        }
    }
    server.stop();
}

#[test]
fn heads_full_of_nonsense_are_refused_and_nothing_else_happens() {
    let place = Place::new();
    let server =
        Server::start_with(&place, &[&WITH_KEYS[..], &["--set", "limit_anonymous=off"]].concat(), |_| {});
    let at_first = server.memory();
    let long = "9".repeat(30_000);
    let credentials = [
        "ptk_",
        "ptt_",
        "ptt_..",
        "ptk_.",
        "Bearer",
        "Bearer ",
        "\u{fc}",
        "ptk_0123456789abcdef.",
        "null",
        "undefined",
        "' OR 1=1 --",
        "${env.HOME}",
        "../../admin.key",
        &long,
    ];
    for name in ["x-authorization", "authorization", "x-api-key"] {
        for credential in credentials {
            let request = format!(
                "GET /v1/keys HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{name}: {credential}\r\n\r\n"
            );
            let reply = server.client().exchange(request.as_bytes()).expect("an answer");
            assert_eq!(reply.status, 401, "{name}: {credential}");
        }
    }
    assert!(server.memory() < at_first + (32 << 20));
    assert!(!server.said().contains("OR 1=1"), "{}", server.said());
    server.stop();
}

#[test]
fn limits_change_while_the_server_runs_and_what_cannot_is_told() {
    let place = Place::new();
    place.write("server.toml", "auth = \"keys\"\nlimit_anonymous = \"off\"\n");
    let server = Server::start_with(&place, &["--settings", "server.toml"], |_| {});
    let ask = || server.client().get("/api/version").status;
    assert_eq!([ask(), ask(), ask()], [200; 3]);
    place.write("server.toml", "auth = \"keys\"\nlimit_anonymous = \"1/h\"\nhttp_threads = 2\n");
    hang_up(&server);
    wait_for("the new limit", || server.said().contains("from now on: limit_anonymous = 1/h").then_some(()));
    assert!(server.said().contains("from the next start on: http_threads = 2"), "{}", server.said());
    assert_eq!([ask(), ask()], [200, 429]);
    place.write("server.toml", "limit_anonymous = \"many\"\n");
    hang_up(&server);
    wait_for("the refusal", || server.said().contains("the settings stay as they were").then_some(()));
    assert_eq!(ask(), 429);
    server.stop();
}

/// That of the answer, whatever follows it.
fn status(server: &Server, request: &str) -> u16 {
    let mut stream = http::connect(server.address()).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{line:?}"))
}

fn hang_up(server: &Server) {
    let sent = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status();
    assert!(sent.expect("kill is there").success());
}
