//! The server itself is killed while it keeps time, removes what is old, treats many runs, and lends locks.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::Duration;

use partitur_tests::http::Client;
use partitur_tests::{Dice, Place, Server, wait_for};
use serde_json::{Value, json};

/// Runs that end by themselves, and are to go.
const OLD: usize = 4_000;

/// Runs that a job is about.
const HELD: usize = 500;

/// What has succeeded goes soon; what has ended otherwise stays.
const SETTINGS: [&str; 4] = ["--set", "retention=1s", "--set", "retention_failed=off"];

/// What the kills met.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    amid_job: usize,
    amid_retention: usize,
    amid_locks: usize,
    amid_schedules: usize,
    amid_any: usize,
}

#[test]
fn a_server_that_is_killed_amid_its_upkeep_finishes_it_and_does_nothing_twice() {
    let (kills, mut house) = (crate::kills(), House::new());
    let mut tally = Tally::default();
    while tally.kills < kills {
        house.live(&mut tally);
    }
    println!("{tally:?}; {} jobs, {} locks", house.jobs.len(), house.tokens.len());
    assert!(tally.amid_any * 10 >= tally.kills * 6, "{tally:?}");
    assert!(tally.amid_job > 0 && tally.amid_retention > 0 && tally.amid_locks > 0, "{tally:?}");
    house.finish();
}

/// One directory of state, and what is known of it.
struct House {
    place: Place,
    dice: Dice,
    /// All jobs, and what they do.
    jobs: BTreeMap<String, &'static str>,
    /// The lock that is held by us.
    lock: Option<(String, u64)>,
    tokens: Vec<u64>,
}

impl House {
    fn new() -> House {
        let place = Place::new();
        // While everything is brought in, nothing goes.
        let server = Server::start(&place);
        let mut client = server.client();
        teach(&mut client);
        start_many(&mut client, "old", OLD);
        start_many(&mut client, "held", HELD);
        for name in ["one", "other"] {
            let schedule = json!({
                "name": name, "cronExpression": "* * * * * *", "runCatchupScheduleInstances": true,
                "startWorkflowRequest": {"name": "tick", "version": 1},
            });
            let reply = client.post("/api/scheduler/schedules", &schedule);
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        wait_for("the end of the runs that are to go", || {
            (count(&mut client, "old", "RUNNING") == 0).then_some(())
        });
        server.kill();
        sleep(Duration::from_secs(1));
        House { place, dice: crate::dice(), jobs: BTreeMap::new(), lock: None, tokens: Vec::new() }
    }

    /// One life of a server, to its kill.
    fn live(&mut self, tally: &mut Tally) {
        let server = Server::start_with(&self.place, &SETTINGS, |_| {});
        let mut client = server.client();
        self.judge(&mut client);
        let is_running = self.go_on_with_jobs(&mut client);
        self.go_on_with_locks(&mut client);
        sleep(Duration::from_millis(self.dice.below(120) as u64));
        let job = is_running && running(&mut client).is_some();
        let (old, lock) = (count(&mut client, "old", "COMPLETED") > 0, self.lock.is_some());
        // The time of both schedules has come while the server lived, or will have when the next one does.
        let due = count(&mut client, "tick", "RUNNING") > 0;
        server.kill();
        tally.kills += 1;
        tally.amid_job += usize::from(job);
        tally.amid_retention += usize::from(old);
        tally.amid_locks += usize::from(lock);
        tally.amid_schedules += usize::from(due);
        tally.amid_any += usize::from(job || old);
    }

    /// If no job is at work, the next one begins: what one has done the next undoes.
    fn go_on_with_jobs(&mut self, client: &mut Client) -> bool {
        if running(client).is_some() {
            return true;
        }
        let action = ["pause", "resume", "terminate", "restart"][self.jobs.len() % 4];
        let reply = client.post("/v1/bulk", &json!({"action": action, "query": "workflowType=held"}));
        assert_eq!(reply.status, 202, "{reply:?}");
        let job = reply.json();
        assert_eq!(job["total"], HELD, "{job}");
        self.jobs.insert(job["job"].as_str().expect("a name").to_owned(), action);
        true
    }

    /// A lock outlives the server; nobody else gets it, and each has a larger token.
    fn go_on_with_locks(&mut self, client: &mut Client) {
        let wish = json!({"holder": "us", "claims": [{"resource": "service:billing"}], "lease": 60_000});
        if let Some((id, _)) = &self.lock {
            let refused = client.post("/v1/locks", &wish);
            assert_eq!(refused.status, 409, "it is held: {refused:?}");
            assert_eq!(client.ask("PUT", &format!("/v1/locks/{id}"), None).expect("an answer").status, 200);
            if self.dice.once_in(2) {
                return;
            }
            assert_eq!(
                client.ask("DELETE", &format!("/v1/locks/{id}"), None).expect("an answer").status,
                200
            );
            self.lock = None;
        }
        let held = client.post("/v1/locks", &wish);
        assert_eq!(held.status, 200, "{held:?}");
        let held = held.json();
        let token = held["token"].as_u64().expect("a number");
        assert!(self.tokens.iter().all(|before| *before < token), "{token} after {:?}", self.tokens);
        self.tokens.push(token);
        self.lock = Some((held["id"].as_str().expect("an id").to_owned(), token));
    }

    /// What must hold whenever a server has started.
    fn judge(&self, client: &mut Client) {
        let shown = client.get("/v1/locks").json();
        let held: Vec<u64> = shown["locks"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|lock| lock["token"].as_u64())
            .collect();
        if let Some((_, token)) = &self.lock {
            assert!(held.contains(token), "{token} was held: {shown}");
        }
        for name in self.jobs.keys() {
            let job = client.get(&format!("/v1/bulk/{name}")).json();
            let number = |field: &str| job[field].as_u64().unwrap_or_else(|| panic!("{field}: {job}"));
            assert_eq!(number("done") + number("failed"), number("position"), "{job}");
            assert_eq!(number("failed"), 0, "{job}");
        }
        each_time_once(client);
    }

    /// Everything comes to its end, and is as if nobody had been killed.
    fn finish(self) {
        let server = Server::start_with(&self.place, &SETTINGS, |_| {});
        let mut client = server.client();
        wait_for("the end of the jobs", || running(&mut client).is_none().then_some(()));
        for (name, action) in &self.jobs {
            let job = client.get(&format!("/v1/bulk/{name}")).json();
            assert_eq!((&job["state"], &job["done"]), (&json!("ended"), &json!(HELD)), "{action}: {job}");
        }
        let status = match self.jobs.values().nth_back(0) {
            Some(&"pause") => "PAUSED",
            Some(&"terminate") => "TERMINATED",
            Some(_) | None => "RUNNING",
        };
        assert_eq!(count(&mut client, "held", status), HELD as u64);
        wait_for("what is old to go", || (count(&mut client, "old", "COMPLETED") == 0).then_some(()));
        let started = each_time_once(&mut client);
        let stands = count(&mut client, "tick", "RUNNING");
        assert!(stands >= started as u64, "{started} were started, and {stands} are there");
        self.judge(&mut client);
        let said = server.said();
        assert!(!said.contains("panicked") && !said.contains("set aside"), "{said}");
        server.stop();
        let verified = self.place.run(&["doctor", "--data", "data"]);
        assert!(!verified.stdout.contains("damaged"), "{verified:?}");
    }
}

/// Each second of each schedule has started one run, without a gap; says how many.
fn each_time_once(client: &mut Client) -> usize {
    let found = client.get("/api/scheduler/search/executions?size=1000").json();
    let mut times: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut runs = BTreeSet::new();
    let executions = found["results"].as_array().expect("a list");
    for execution in executions {
        assert_eq!(execution["state"], "EXECUTED", "{execution}");
        let name = execution["scheduleName"].as_str().expect("a name").to_owned();
        times.entry(name).or_default().push(execution["scheduledTime"].as_i64().expect("a time"));
        let run = execution["workflowId"].as_str().expect("a run").to_owned();
        assert!(runs.insert(run), "{execution} has another's run");
    }
    for (name, mut times) in times {
        times.sort_unstable();
        for pair in times.windows(2) {
            assert_eq!(pair[1] - pair[0], 1_000, "{name}: {times:?}");
        }
    }
    executions.len()
}

fn teach(client: &mut Client) {
    let set = json!([{"name": "set", "taskReferenceName": "set", "type": "SET_VARIABLE", "inputParameters": {"x": 1}}]);
    let held = |name: &str| json!([{"name": name, "taskReferenceName": name, "type": "SIMPLE"}]);
    for (name, tasks) in [("old", set), ("held", held("nobody")), ("tick", held("nobody-either"))] {
        let definition = json!({
            "name": name, "version": 1, "schemaVersion": 2, "ownerEmail": "a@b.cd", "tasks": tasks,
        });
        assert_eq!(client.post("/api/metadata/workflow", &definition).status, 200);
    }
}

fn start_many(client: &mut Client, name: &str, count: usize) {
    let some: Vec<Value> = (0..250).map(|_| json!({"name": name, "version": 1})).collect();
    for _ in 0..count / some.len() {
        let reply = client.post("/v1/runs", &json!({"runs": some}));
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

/// The job that is at work.
fn running(client: &mut Client) -> Option<Value> {
    let jobs = client.get("/v1/bulk").json();
    jobs["jobs"].as_array().expect("a list").iter().find(|job| job["state"] == "running").cloned()
}

fn count(client: &mut Client, name: &str, status: &str) -> u64 {
    let path = format!("/api/workflow/search?size=1&query=workflowType%3D{name}%20AND%20status%3D{status}");
    client.get(&path).json()["totalHits"].as_u64().expect("a number")
}
