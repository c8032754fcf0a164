//! Who may ask for what, over the wire.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Reply, Site, result, simple};

/// A server that wants keys, and the one that it has made for its owner.
struct Guarded {
    site: Site,
    admin: String,
    dir: tempfile::TempDir,
}

impl Guarded {
    fn new(settings: &[(&str, &str)]) -> Guarded {
        let dir = tempfile::tempdir().unwrap();
        let site = start(dir.path(), settings);
        // It is ready when it answers, and has made the key by then.
        assert_eq!(site.get("/readiness").status, 200);
        let admin = std::fs::read_to_string(dir.path().join("admin.key")).unwrap().trim().to_owned();
        Guarded { site, admin, dir }
    }

    fn ask(&self, key: &str, method: &str, path: &str, body: Option<Value>) -> Reply {
        let body = body.map(|body| body.to_string());
        self.site.ask_with(&format!("X-Authorization: {key}\r\n"), method, path, body.as_deref())
    }

    /// A key with these roles.
    fn key(&self, roles: &[&str]) -> Value {
        let wanted = json!({"name": roles.join("+"), "roles": roles});
        let reply = self.ask(&self.admin, "POST", "/v1/keys", Some(wanted));
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }

    fn token(&self, key: &Value) -> String {
        let asked = json!({"keyId": key["id"], "keySecret": key["secret"]});
        let reply = self.site.post("/api/token", asked);
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()["token"].as_str().unwrap().to_owned()
    }
}

fn start(dir: &Path, settings: &[(&str, &str)]) -> Site {
    // Tests ask faster than anybody without a key may.
    let own = [("auth", "keys"), ("limit_anonymous", "off")];
    Site::with(dir, &[&own, settings].concat())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn without_a_key_nothing_is_answered_but_what_is_open_to_all() {
    let guarded = Guarded::new(&[]);
    let routes = guarded.site.get("/api-docs").json();
    let mut asked = 0;
    for (path, operations) in routes["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let path = path.replace(['{', '}'], "");
            let reply = guarded.site.ask(&method.to_uppercase(), &path, Some("{}"));
            let is_open = operation["x-right"] == "open";
            assert_eq!(
                reply.status != 401,
                is_open || path == "/api/token",
                "{method} {path}: {}",
                reply.status
            );
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked}");
    let reply = guarded.site.get("/api/workflow/search");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    assert_eq!(reply.json()["error"], "UNAUTHORIZED");
}

#[test]
fn each_role_may_what_its_routes_need_and_no_more() {
    let guarded = Guarded::new(&[]);
    let routes = guarded.site.get("/api-docs").json();
    let rights = [
        ("viewer", vec!["open", "read"]),
        ("worker", vec!["open", "read", "work"]),
        ("operator", vec!["open", "read", "work", "start", "operate"]),
        ("developer", vec!["open", "read", "start", "define"]),
    ];
    for (role, rights) in rights {
        let key = guarded.key(&[role]);
        for (path, operations) in routes["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                // Nothing here has an id that somebody else has.
                let path = path.replace('{', "no-").replace('}', "");
                let reply = guarded.ask(text(&key["key"]), &method.to_uppercase(), &path, Some(json!([])));
                let may = rights.contains(&text(&operation["x-right"]));
                assert_eq!(reply.status != 403, may, "{role}: {method} {path}: {}", reply.body);
                assert_ne!(reply.status, 401, "{role}: {method} {path}");
                assert!(reply.status < 500 || reply.status == 501, "{role}: {method} {path}: {}", reply.body);
            }
        }
    }
}

#[test]
fn a_key_is_exchanged_for_a_token_as_the_clients_of_conductor_do() {
    let guarded = Guarded::new(&[]);
    let key = guarded.key(&["worker"]);
    let token = guarded.token(&key);
    let own = guarded.ask(&token, "GET", "/api/token/userInfo", None).json();
    assert_eq!((&own["name"], &own["roles"]), (&json!("worker"), &json!(["worker"])));
    let whole = json!({"keyId": key["id"], "keySecret": key["key"]});
    assert_eq!(guarded.site.post("/api/token", whole).status, 200, "the whole key as the secret");
    for (id, secret) in [
        (text(&key["id"]), "no"),
        ("ptk_0000000000000000", text(&key["secret"])),
        ("", ""),
        (text(&key["id"]), ""),
    ] {
        let reply = guarded.site.post("/api/token", json!({"keyId": id, "keySecret": secret}));
        assert_eq!((reply.status, &reply.json()["error"]), (401, &json!("INVALID_TOKEN")), "{id}");
    }
    assert_eq!(guarded.site.post("/api/token", json!({"keyId": 1})).status, 400);
}

#[test]
fn forged_expired_foreign_and_revoked_credentials_are_all_refused_and_clients_are_told_to_ask_anew() {
    let guarded = Guarded::new(&[("token_lifetime", "1s")]);
    let other = Guarded::new(&[]);
    let key = guarded.key(&["viewer"]);
    let refused = |credential: &str| {
        let reply = guarded.ask(credential, "GET", "/api/metadata/workflow", None);
        assert_eq!(reply.status, 401, "{credential}");
        assert!(!reply.body.contains(credential) || credential.is_empty(), "no credential is told back");
        text(&reply.json()["error"]).to_owned()
    };
    let token = guarded.token(&key);
    assert_eq!(guarded.ask(&token, "GET", "/api/metadata/workflow", None).status, 200);
    // Longer: the signature is over the time, too.
    let (head, mark) = token.rsplit_once('.').unwrap();
    let (id, _) = head.split_once('.').unwrap();
    assert_eq!(refused(&format!("{id}.ffffffffffff.{mark}")), "INVALID_TOKEN");
    assert_eq!(
        refused(&token.replace(text(&key["id"]), text(&guarded.key(&["admin"])["id"]))),
        "INVALID_TOKEN"
    );
    assert_eq!(refused(&other.token(&other.key(&["admin"]))), "INVALID_TOKEN");
    assert_eq!(refused(text(&other.key(&["admin"])["key"])), "INVALID_TOKEN");
    assert_eq!(refused("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."), "INVALID_TOKEN");
    assert_eq!(refused(&"a".repeat(20_000)), "INVALID_TOKEN");
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(refused(&token), "EXPIRED_TOKEN");
    let token = guarded.token(&key);
    let revoked = guarded.ask(&guarded.admin, "DELETE", &format!("/v1/keys/{}", text(&key["id"])), None);
    assert_eq!(revoked.status, 200);
    assert_eq!(refused(&token), "INVALID_TOKEN", "a token lives no longer than its key");
    assert_eq!(refused(text(&key["key"])), "INVALID_TOKEN");
}

#[test]
fn keys_and_tokens_hold_beyond_a_restart() {
    let mut guarded = Guarded::new(&[]);
    let key = guarded.key(&["viewer"]);
    let token = guarded.token(&key);
    guarded.site.stop();
    let before = std::fs::read(guarded.dir.path().join("admin.key")).unwrap();
    guarded.site = start(guarded.dir.path(), &[]);
    for credential in [token.as_str(), text(&key["key"]), &guarded.admin] {
        assert_eq!(guarded.ask(credential, "GET", "/api/metadata/workflow", None).status, 200);
    }
    let after = std::fs::read(guarded.dir.path().join("admin.key")).unwrap();
    assert_eq!(before, after, "there is one already");
}

#[test]
fn another_secret_takes_the_place_of_the_old_one_at_once_or_after_a_while() {
    let guarded = Guarded::new(&[]);
    let old = guarded.key(&["viewer"]);
    let rotate = |query: &str| {
        let path = format!("/v1/keys/{}/rotate{query}", text(&old["id"]));
        guarded.ask(&guarded.admin, "POST", &path, None).json()
    };
    let status = |key: &Value| guarded.ask(text(&key["key"]), "GET", "/v1/flows", None).status;
    let second = rotate("?overlap=1h");
    assert_eq!((status(&old), status(&second)), (200, 200));
    let third = rotate("");
    assert_eq!((status(&old), status(&second), status(&third)), (401, 401, 200));
}

#[test]
fn no_secret_is_told_twice_and_none_is_on_the_disk() {
    let guarded = Guarded::new(&[]);
    let key = guarded.key(&["admin"]);
    let (token, secret) = (guarded.token(&key), text(&key["secret"]));
    let list = guarded.ask(&token, "GET", "/v1/keys", None).body;
    assert!(list.contains(text(&key["id"])) && !list.contains(secret) && !list.contains("hash"));
    let config = guarded.ask(&token, "GET", "/api/admin/config", None).body;
    assert!(!config.contains(secret) && config.contains("limit_person"));
    for entry in std::fs::read_dir(guarded.dir.path()).unwrap().map(Result::unwrap) {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{}", entry.path().display());
    }
    let made = guarded.ask(&token, "POST", "/v1/keys", Some(json!({"name": "k", "roles": ["viewer"]})));
    assert_eq!(made.header("cache-control"), Some("no-store"));
}

#[test]
fn what_makes_no_sense_as_a_key_is_refused() {
    let guarded = Guarded::new(&[]);
    for wanted in [
        json!({"name": "", "roles": ["admin"]}),
        json!({"name": "x", "roles": []}),
        json!({"name": "x", "roles": ["root"]}),
        json!({"name": "x", "roles": ["admin"], "expires": "soon"}),
        json!({"name": "x", "roles": ["admin"], "expires": "0s"}),
        json!({"name": "x\u{1b}[2J", "roles": ["admin"]}),
        json!({"name": "x", "roles": ["viewer"], "hash": "00"}),
        json!({"name": "x"}),
    ] {
        let reply = guarded.ask(&guarded.admin, "POST", "/v1/keys", Some(wanted.clone()));
        assert_eq!(reply.status, 400, "{wanted}: {}", reply.body);
    }
    assert_eq!(guarded.ask(&guarded.admin, "DELETE", "/v1/keys/ptk_none", None).status, 404);
}

#[test]
fn a_poll_that_waits_gets_nothing_when_its_key_is_revoked_meanwhile() {
    let guarded = Guarded::new(&[]);
    let key = guarded.key(&["worker"]);
    let head = format!("X-Authorization: {}\r\n", text(&key["key"]));
    let path = "/api/tasks/poll/batch/work?count=1&timeout=4000&workerid=w";
    let mut waiting = guarded.site.send_with(&head, "GET", path, None);
    std::thread::sleep(Duration::from_millis(200));
    guarded.ask(&guarded.admin, "DELETE", &format!("/v1/keys/{}", text(&key["id"])), None);
    let def = json!({"name": "flow", "version": 1, "schemaVersion": 2, "tasks": [simple("work")]});
    assert_eq!(guarded.ask(&guarded.admin, "POST", "/api/metadata/workflow", Some(def)).status, 200);
    assert_eq!(
        guarded.ask(&guarded.admin, "POST", "/api/workflow", Some(json!({"name": "flow"}))).status,
        200
    );
    assert_eq!(Reply::read(&mut waiting).status, 401);
    let begun = Instant::now();
    let task = loop {
        let reply = guarded.ask(&guarded.admin, "GET", "/api/tasks/poll/work", None);
        if reply.status == 200 {
            break reply.json();
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "the task goes to somebody else at once");
    };
    let reply =
        guarded.ask(&guarded.admin, "POST", "/api/tasks", Some(result(&task, "COMPLETED", json!({}))));
    assert_eq!(reply.status, 200);
}

#[test]
fn whoever_may_start_may_not_bring_a_definition_along_and_does_not_say_who_it_is() {
    let guarded = Guarded::new(&[]);
    let operator = guarded.key(&["operator"]);
    let def = json!({"name": "flow", "version": 1, "schemaVersion": 2, "tasks": [simple("work")]});
    let start =
        |key: &Value, body: Value| guarded.ask(text(&key["key"]), "POST", "/api/workflow", Some(body));
    let with_def = json!({"name": "flow", "workflowDef": def});
    assert_eq!(start(&operator, with_def.clone()).status, 403);
    assert_eq!(start(&guarded.key(&["developer"]), with_def).status, 200);
    guarded.ask(&guarded.admin, "POST", "/api/metadata/workflow", Some(def));
    let run = start(&operator, json!({"name": "flow", "createdBy": "somebody else"}));
    let shown = guarded.ask(text(&operator["key"]), "GET", &format!("/api/workflow/{}", run.body), None);
    assert_eq!(shown.json()["createdBy"], "operator");
}

#[test]
fn on_an_open_server_there_are_no_keys_and_what_looks_like_one_means_nothing() {
    let site = Site::new();
    assert_eq!(site.post("/api/token", json!({"keyId": "a", "keySecret": "b"})).status, 404);
    assert_eq!(site.post("/v1/keys", json!({"name": "a", "roles": ["admin"]})).status, 404);
    let reply = site.ask_with("X-Authorization: nonsense\r\n", "GET", "/api/metadata/workflow", None);
    assert_eq!(reply.status, 200);
}

#[test]
fn whoever_comes_too_fast_is_told_when_to_come_again_and_others_are_not_slowed_down() {
    let limits = [("limit_anonymous", "3/min"), ("limit_person", "2/h"), ("limit_machine", "1000/s")];
    let guarded = Guarded::new(&limits);
    let person = {
        let wanted = json!({"name": "p", "roles": ["admin"], "person": true});
        guarded.ask(&guarded.admin, "POST", "/v1/keys", Some(wanted)).json()
    };
    let change = || guarded.ask(text(&person["key"]), "PUT", "/v1/flows/a", Some(json!({})));
    let statuses: Vec<u16> = (0..3).map(|_| change().status).collect();
    assert_eq!(statuses, [400, 400, 429]);
    let reply = change();
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1_700..=1_800).contains(&wait), "{wait}");
    assert_eq!(
        (reply.header("ratelimit-policy"), &reply.json()["retryable"]),
        (Some("2;w=3600"), &json!(true))
    );
    assert_eq!(guarded.ask(text(&person["key"]), "GET", "/v1/flows", None).status, 200, "looking is apart");
    assert_eq!(guarded.ask(&guarded.admin, "PUT", "/v1/flows/a", Some(json!({}))).status, 400);

    // Trying credentials is what anybody without a key does.
    let exchange =
        |secret: &str| guarded.site.post("/api/token", json!({"keyId": "ptk_x", "keySecret": secret}));
    assert_eq!(exchange("y").status, 401);
    let tried: Vec<u16> = (0..5).map(|_| guarded.ask("ptk_x.y", "GET", "/v1/flows", None).status).collect();
    assert_eq!(tried, [401, 401, 429, 429, 429]);
    assert_eq!(exchange("y").status, 429);
    (0..20).for_each(|_| drop(guarded.token(&person)));
    assert_eq!(guarded.site.get("/health").status, 200, "health is not limited");
    assert_eq!(guarded.ask(&guarded.admin, "GET", "/v1/flows", None).status, 200, "nor are those with a key");
    let metrics = guarded.ask(&guarded.admin, "GET", "/metrics", None).body;
    assert!(metrics.contains("partitur_requests_throttled_total{scope=\"ip\",class=\"anonymous\"} 4\n"));
    assert!(metrics.contains("partitur_auth_failures_total{reason=\"malformed\",method=\"token\"} 0\n"));
}

#[test]
fn a_worker_that_polls_all_the_time_is_not_slowed_down() {
    let guarded = Guarded::new(&[("limit_global", "10/s")]);
    let key = guarded.key(&["worker"]);
    for _ in 0..100 {
        assert_eq!(guarded.ask(text(&key["key"]), "GET", "/api/tasks/poll/none", None).status, 204);
    }
}

#[test]
fn so_many_follow_runs_at_once_as_the_settings_say() {
    let guarded = Guarded::new(&[("limit_streams", "2")]);
    let def = json!({"name": "flow", "version": 1, "schemaVersion": 2, "tasks": [simple("work")]});
    guarded.ask(&guarded.admin, "POST", "/api/metadata/workflow", Some(def));
    let run = guarded.ask(&guarded.admin, "POST", "/api/workflow", Some(json!({"name": "flow"}))).body;
    let path = format!("/v1/runs/{run}/events");
    let head = format!("X-Authorization: {}\r\n", guarded.admin);
    let follow = || guarded.site.send_with(&head, "GET", &path, None);
    let open = [follow(), follow()];
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(Reply::read(&mut follow()).status, 429);
    drop(open);
    std::thread::sleep(Duration::from_millis(300));
    let viewer = guarded.key(&["viewer"]);
    let _one =
        guarded.site.send_with(&format!("X-API-Key: {}\r\n", text(&viewer["key"])), "GET", &path, None);
}
