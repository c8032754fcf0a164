//! `kill -9` of the server between the commit of what others are to be told and its being heard, again and again: of each run
//! whose start was acknowledged everything is told, under one key for each moment, in order.
//!
//! `CALLBACK_KILLS=1000 cargo test -p partitur-tests --test callbacks` kills so often.

mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partitur_tests::{Dice, Place, Server, number, wait_for};
use serde_json::{Value, json};

use receiver::{Receiver, Told};

const MOMENTS: [&str; 3] = ["run.started", "task.completed", "run.completed"];

fn start(place: &Place) -> Server {
    Server::start_with(place, &["--set", "callback_pause=20ms", "--set", "metrics_listen=off"], |_| {})
}

fn starts(receiver: &Receiver) -> Value {
    let to = format!("http://{}/", receiver.address);
    let callback = json!({"to": to, "states": ["started", "task-completed", "completed"]});
    json!({"runs": vec![json!({"name": "quick", "callbacks": [callback]}); 3]})
}

/// Starts runs until the server is gone; those whose starts were acknowledged.
fn keep_starting(server: &Server, receiver: &Receiver, stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let mut client = server.client();
    while !stop.load(Ordering::Relaxed) {
        let Ok(reply) = client.ask("POST", "/v1/runs", Some(&starts(receiver))) else { break };
        let Ok(answer) = serde_json::from_str::<Value>(&reply.body) else { break };
        let runs = answer["runs"].as_array().into_iter().flatten();
        acknowledged.extend(runs.filter_map(|run| run["run"].as_str().map(str::to_owned)));
        // More than the receiver can hear, and not much more.
        std::thread::sleep(Duration::from_millis(5));
    }
    acknowledged
}

/// Tells what could not be told until now, by hand, until nothing is left to tell.
fn settle(server: &Server) {
    let mut client = server.client();
    wait_for("everything to be told", || {
        let dead: Value =
            serde_json::from_str(&client.get("/v1/callbacks?state=dead&size=1000").body).ok()?;
        for callback in dead["callbacks"].as_array()? {
            let path = format!("/v1/callbacks/{}/retry", callback["id"].as_str()?);
            assert_eq!(client.post(&path, &json!({})).status, 200);
        }
        let system: Value = serde_json::from_str(&client.get("/v1/system").body).ok()?;
        (system["callbacks"] == json!({"waiting": 0, "dead": 0})).then_some(())
    });
}

#[test]
fn what_happened_to_acknowledged_runs_is_told_however_often_the_server_is_killed() {
    let kills = number("CALLBACK_KILLS", 25);
    let (place, receiver, mut dice) = (Place::new(), Receiver::start(), Dice::new(7));
    let task = json!({"name": "n", "taskReferenceName": "n", "type": "NOOP"});
    let def = json!({"name": "quick", "version": 1, "schemaVersion": 2, "tasks": [task]});
    let server = start(&place);
    assert_eq!(server.client().post("/api/metadata/workflow", &def).status, 200);
    drop(server.kill());

    let acknowledged = Mutex::new(BTreeSet::new());
    let mut amid = 0;
    for _ in 0..kills {
        let server = start(&place);
        let stop = AtomicBool::new(false);
        let moment = Duration::from_millis(dice.between(5, 250) as u64);
        std::thread::scope(|scope| {
            let starting = scope.spawn(|| keep_starting(&server, &receiver, &stop));
            std::thread::sleep(moment);
            let pid = server.pid() as i32;
            // SAFETY: a signal to a child of ours that was not waited for.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            stop.store(true, Ordering::Relaxed);
            let runs = starting.join().expect("it has not panicked");
            acknowledged.lock().expect("nobody panics with it").extend(runs);
        });
        let told = receiver.told().len();
        let said = server.kill();
        assert!(!said.contains("panicked") && !said.contains("set aside"), "{said}");
        amid += usize::from(told < 3 * acknowledged.lock().expect("nobody panics with it").len());
    }
    let server = start(&place);
    settle(&server);
    server.stop();

    let (runs, told) = (acknowledged.into_inner().expect("nobody panics with it"), receiver.told());
    judge(&runs, &told);
    let again = told.iter().filter(|told| told.heard).count() - heard(&told).len();
    println!(
        "{kills} kills, {amid} of them with something still to be told; {} runs acknowledged,",
        runs.len()
    );
    println!("{} callbacks came, {again} of them a second time after they were heard", told.len());
    assert!(
        runs.len() > kills && amid * 2 > kills,
        "{} runs, {amid} of {kills} kills met something",
        runs.len()
    );
}

/// Which moments were heard, and where they first were.
fn heard(told: &[Told]) -> BTreeMap<(&str, &str), usize> {
    let mut heard = BTreeMap::new();
    for (at, told) in told.iter().enumerate().filter(|(_, told)| told.heard) {
        heard.entry((told.run.as_str(), told.kind.as_str())).or_insert(at);
    }
    heard
}

fn judge(runs: &BTreeSet<String>, told: &[Told]) {
    let heard = heard(told);
    for run in runs {
        let at = MOMENTS.map(|moment| heard.get(&(run.as_str(), moment)).copied());
        assert!(at.iter().all(Option::is_some), "{run}: {at:?}");
        let keys: BTreeSet<&str> =
            told.iter().filter(|told| told.run == *run).map(|told| told.key.as_str()).collect();
        assert_eq!(keys.len(), MOMENTS.len(), "{run}: one key for each moment: {keys:?}");
    }
    let mut keys: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for told in told {
        let known = *keys.entry(&told.key).or_insert((&told.run, &told.kind));
        assert_eq!(known, (told.run.as_str(), told.kind.as_str()), "one moment for each key");
    }
}
