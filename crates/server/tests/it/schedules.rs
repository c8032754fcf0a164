//! Runs that are started by the clock.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::restart::process;
use crate::support::{Site, simple};

fn noop(site: &Site) {
    site.teach_tasks("w", json!([{"name": "n", "taskReferenceName": "n", "type": "NOOP"}]));
}

fn every_second(name: &str) -> Value {
    json!({"name": name, "cronExpression": "* * * * * *", "zoneId": "Europe/Berlin",
           "startWorkflowRequest": {"name": "w", "input": {"x": 1}, "correlationId": "c"}})
}

fn executions(site: &Site, schedule: &str) -> Vec<Value> {
    let path = format!("/api/scheduler/search/executions?query=scheduleName%3D{schedule}&size=1000");
    site.get(&path).json()["results"].as_array().unwrap().clone()
}

fn await_executions(site: &Site, schedule: &str, count: usize) -> Vec<Value> {
    for _ in 0..400 {
        let found = executions(site, schedule);
        if found.len() >= count {
            return found;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("`{schedule}` started {} times", executions(site, schedule).len());
}

#[test]
fn a_schedule_starts_runs_that_know_who_started_them_until_it_is_paused() {
    let site = Site::new();
    noop(&site);
    let kept = site.post("/api/scheduler/schedules", every_second("s")).json();
    assert_eq!((&kept["paused"], &kept["zoneId"]), (&json!(false), &json!("Europe/Berlin")));
    let execution = await_executions(&site, "s", 2).remove(0);
    assert_eq!(execution["state"], "EXECUTED");
    let scheduled = execution["scheduledTime"].as_u64().unwrap();
    assert!(scheduled.is_multiple_of(1000) && execution["executionTime"].as_u64().unwrap() >= scheduled);
    let run = site.await_status(execution["workflowId"].as_str().unwrap(), "COMPLETED");
    let input = json!({"x": 1, "_startedByScheduler": "s", "_scheduledTime": scheduled,
        "_executedTime": execution["executionTime"], "_executionId": execution["executionId"],
        "_schedulerCron": "* * * * * * Europe/Berlin"});
    assert_eq!((&run["input"], &run["correlationId"]), (&input, &json!("c")));

    assert_eq!(site.put("/api/scheduler/schedules/s/pause?reason=lunch", json!(null)).status, 200);
    let paused = site.get("/api/scheduler/schedules/s").json();
    assert_eq!((&paused["pausedReason"], paused.get("nextRunTime")), (&json!("lunch"), None));
    let before = executions(&site, "s").len();
    std::thread::sleep(Duration::from_millis(1_300));
    assert_eq!(executions(&site, "s").len(), before);
    assert_eq!(site.get("/api/scheduler/schedules/s/resume").status, 200);
    assert_eq!(site.put("/api/scheduler/schedules/s/resume", json!(null)).status, 404);
    await_executions(&site, "s", before + 1);
}

#[test]
fn what_cannot_be_started_is_noted_and_the_schedule_goes_on() {
    let site = Site::new();
    assert_eq!(site.post("/api/scheduler/schedules", every_second("s")).status, 200);
    let failed = await_executions(&site, "s", 2).remove(0);
    assert_eq!((&failed["state"], failed.get("workflowId")), (&json!("FAILED"), None));
    assert!(failed["reason"].as_str().unwrap().contains("no such workflow"), "{failed}");
    assert_eq!(site.delete("/api/scheduler/schedules/s").status, 200);
    assert_eq!(site.get("/api/scheduler/schedules/s").status, 404);
    assert_eq!(site.delete("/api/scheduler/schedules/s").status, 200);
}

#[test]
fn a_schedule_that_means_nothing_is_refused() {
    let site = Site::new();
    for (change, told) in [
        (json!({"cronExpression": "* * * * *"}), "6 fields"),
        (json!({"zoneId": "Mars/Olympus"}), "time zone"),
        (json!({"name": ""}), "name"),
        (json!({"startWorkflowRequest": null}), "what is started"),
    ] {
        let mut schedule = every_second("s");
        schedule.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let reply = site.post("/api/scheduler/schedules", schedule);
        assert!(reply.status == 400 && reply.body.contains(told), "{}", reply.body);
    }
    let next = |query: &str| site.get(&format!("/api/scheduler/nextFewSchedules?{query}"));
    let times = next(
        "cronExpression=0%200%2012%20*%20*%20*&scheduleStartTime=1800000000000&scheduleEndTime=1800200000000",
    );
    assert_eq!(times.json(), json!([1800014400000_u64, 1800100800000_u64, 1800187200000_u64]));
    assert_eq!(next("cronExpression=bad").status, 400);
}

#[test]
fn schedules_are_found_paused_in_bulk_and_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::on(dir.path());
    noop(&site);
    for name in ["b", "a", "c"] {
        let mut schedule = every_second(name);
        schedule["cronExpression"] = json!("@yearly");
        schedule["cronSchedules"] =
            json!([{"cronExpression": "0 0 9 * * *", "zoneId": "Asia/Tokyo"}, {"cronExpression": "@daily"}]);
        assert_eq!(site.post("/api/scheduler/schedules", schedule).status, 200);
    }
    let answer = site.put("/api/scheduler/bulk/pause", json!(["a", "x"])).json();
    assert_eq!(answer["bulkSuccessfulResults"], json!(["a"]));
    assert_eq!(answer["bulkErrorResults"]["x"], "Schedule 'x' not found");
    site.stop();
    let site = Site::on(dir.path());
    let found = site.get("/api/scheduler/schedules/search?sort=name:DESC&size=2").json();
    let names: Vec<&Value> =
        found["results"].as_array().unwrap().iter().map(|found| &found["name"]).collect();
    assert_eq!((&found["totalHits"], names), (&json!(3), vec![&json!("c"), &json!("b")]));
    let paused = site.get("/api/scheduler/schedules/search?paused=true").json();
    assert_eq!((&paused["totalHits"], &paused["results"][0]["name"]), (&json!(1), &json!("a")));
    assert_eq!(site.get("/api/scheduler/schedules?workflowName=other").json(), json!([]));
}

#[test]
fn each_time_starts_one_run_however_often_the_server_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for round in 0..4 {
        let (mut child, site) = process(dir.path(), port);
        if round == 0 {
            site.teach_tasks("w", json!([simple("t")]));
            for number in 0..20 {
                let mut schedule = every_second(&format!("s{number}"));
                schedule["runCatchupScheduleInstances"] = json!(true);
                assert_eq!(site.post("/api/scheduler/schedules", schedule).status, 200);
            }
        }
        // Not always at the same distance from a whole second.
        std::thread::sleep(Duration::from_millis(1_000 + 137 * round));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (mut child, site) = process(dir.path(), port);
    site.get("/api/scheduler/admin/pause");
    std::thread::sleep(Duration::from_millis(300));
    let (mut all, mut runs) = (0, 0);
    for number in 0..20 {
        let executions = executions(&site, &format!("s{number}"));
        let mut times: Vec<u64> =
            executions.iter().map(|execution| execution["scheduledTime"].as_u64().unwrap() / 1000).collect();
        times.sort_unstable();
        assert!(times.windows(2).all(|pair| pair[0] + 1 == pair[1]), "s{number}: {times:?}");
        let ids: BTreeSet<&str> =
            executions.iter().filter_map(|execution| execution["workflowId"].as_str()).collect();
        assert_eq!(ids.len(), executions.len());
        (all, runs) = (all + times.len(), runs + ids.len());
    }
    assert!(all >= 60, "{all}");
    let found = site.get("/api/workflow/search?size=0").json();
    assert_eq!(found["totalHits"], runs, "no run is started that is not noted");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn labels_stay_with_their_schedule_and_change_none_of_its_times() {
    let site = Site::new();
    noop(&site);
    let hourly = json!({"name": "s", "cronExpression": "0 0 * * * *", "startWorkflowRequest": {"name": "w"}});
    let next = site.post("/api/scheduler/schedules", hourly.clone()).json()["nextRunTime"].clone();
    let [red, blue] = ["red", "blue"].map(|colour| json!({"key": "colour", "value": colour}));
    let tags = "/api/scheduler/schedules/s/tags";
    assert_eq!(site.put(tags, json!([red, blue])).status, 200);
    assert_eq!(site.put(tags, json!([red])).status, 200, "once more is none more");
    assert_eq!(site.get(tags).json(), json!([blue, red]));
    assert_eq!(site.get("/api/scheduler/schedules/s").json()["nextRunTime"], next);
    let found = |tag: &str| site.get(&format!("/api/scheduler/schedules/tags?tag={tag}")).json();
    assert_eq!((found("colour:red")[0]["name"].clone(), found("colour:green")), (json!("s"), json!([])));
    // Who replaces the schedule and does not speak of labels has not taken them away.
    assert_eq!(site.post("/api/scheduler/schedules", hourly).json()["tags"], json!([blue, red]));
    assert_eq!(site.ask("DELETE", tags, Some(&json!([blue, red]).to_string())).status, 200);
    assert_eq!(site.get(tags).json(), json!([]));
    assert_eq!(site.get("/api/scheduler/schedules/none/tags").status, 404);
}
