//! Does tasks, well and badly: it dies with tasks in its hands, answers late, twice, in two voices at once, or says that it
//! is not done yet.

use std::io;
use std::time::Duration;

use partitur_tests::http::{Client, Reply};
use serde_json::{Value, json};

use super::{Hand, Life, now};
use crate::kinds::QUEUES;

/// What becomes of a task.
enum Manner {
    /// It is done, and that is all.
    Well,
    /// It is done, and said twice.
    Again,
    /// It is done, and two say so at once.
    Together,
    /// It is done after somebody else may have got it.
    Late,
    /// Nobody ever hears of it.
    Never,
    /// It is given back first.
    Later,
    /// A line is written to its log first.
    Told,
}

/// Works for as long as the server lives.
pub fn live(mut hand: Hand<'_>) -> Life {
    let name = format!("worker{}", hand.dice.below(100));
    let mut late: Vec<(i64, Value)> = Vec::new();
    while hand.shared.goes_on() {
        let tasks = take(&mut hand, &name)?;
        for task in tasks {
            let mut next = Some(task);
            while let Some(task) = next {
                next = work(&mut hand, task, &mut late)?;
            }
        }
        while let Some(at) = late.iter().position(|(due, _)| *due <= now()) {
            let (_, task) = late.remove(at);
            end(&mut hand, &task)?;
        }
    }
    Ok(())
}

fn take(hand: &mut Hand<'_>, name: &str) -> io::Result<Vec<Value>> {
    let queue = QUEUES[hand.dice.below(QUEUES.len())];
    let tasks: Vec<Value> = match hand.dice.below(4) {
        0 => {
            let reply = hand.client.ask("GET", &format!("/api/tasks/poll/{queue}?workerid={name}"), None)?;
            (reply.status == 200).then(|| reply.json()).into_iter().collect()
        }
        1 => {
            let exchange = json!({"worker": name, "type": queue, "take": 2, "wait": 20});
            let reply = hand.client.ask("POST", "/v1/exchange", Some(&exchange))?.json();
            let tasks = reply["tasks"].as_array().unwrap_or_else(|| panic!("{reply}"));
            tasks.iter().map(as_polled).collect()
        }
        _ => {
            let path = format!("/api/tasks/poll/batch/{queue}?workerid={name}&count=2&timeout=20");
            let reply = hand.client.ask("GET", &path, None)?.json();
            reply.as_array().unwrap_or_else(|| panic!("{reply}")).clone()
        }
    };
    let mut ledger = hand.shared.ledger();
    tasks.iter().for_each(|task| ledger.handed(task, queue, now()));
    Ok(tasks)
}

/// A task of the native protocol, in Conductor's words.
fn as_polled(task: &Value) -> Value {
    let tries = task["attempt"].as_i64().expect("attempts are counted");
    json!({
        "workflowInstanceId": task["run"], "taskId": task["task"], "referenceTaskName": task["name"],
        "inputData": task["input"], "retryCount": tries - 1,
    })
}

/// Does a task; its answer may bring the next one.
fn work(hand: &mut Hand<'_>, task: Value, late: &mut Vec<(i64, Value)>) -> io::Result<Option<Value>> {
    std::thread::sleep(Duration::from_micros(hand.dice.below(4_000) as u64));
    match manner(hand) {
        Manner::Well => return end(hand, &task),
        Manner::Again => {
            end(hand, &task)?;
            return end(hand, &task);
        }
        Manner::Together => return together(hand, &task),
        Manner::Late => late.push((now() + 100 * hand.dice.below(30) as i64, task)),
        Manner::Never => {}
        Manner::Later => {
            let mut result = result(hand, &task, "IN_PROGRESS");
            result["callbackAfterSeconds"] = json!(hand.dice.below(2));
            send(hand, &task, &result)?;
        }
        Manner::Told => {
            log(hand, &task)?;
            return end(hand, &task);
        }
    }
    Ok(None)
}

fn manner(hand: &mut Hand<'_>) -> Manner {
    if hand.shared.finishes() {
        return Manner::Well;
    }
    match hand.dice.below(40) {
        0 | 1 => Manner::Again,
        2 | 3 => Manner::Together,
        4 | 5 => Manner::Late,
        6 => Manner::Never,
        7 | 8 => Manner::Later,
        9..=11 => Manner::Told,
        _ => Manner::Well,
    }
}

/// How a task that is done ends: as it is told to.
fn verdict(hand: &Hand<'_>, task: &Value) -> &'static str {
    let input = &task["inputData"];
    match input["fails"].as_str() {
        Some("always") => "FAILED_WITH_TERMINAL_ERROR",
        Some("times") if task["retryCount"].as_i64() < input["times"].as_i64() => "FAILED",
        Some("until-wanted") => {
            let mut ledger = hand.shared.ledger();
            let id = task["workflowInstanceId"].as_str().expect("a task has a run");
            let wanted = ledger.run(id).is_some_and(|run| run.wishes.retry.is_some());
            if wanted { "COMPLETED" } else { "FAILED_WITH_TERMINAL_ERROR" }
        }
        Some(_) | None => "COMPLETED",
    }
}

/// A result, written down before it goes.
fn result(hand: &Hand<'_>, task: &Value, status: &'static str) -> Value {
    let id = task["taskId"].as_str().expect("a task has an id");
    let (number, mark) = hand.shared.ledger().sends(id, status);
    let n = task["inputData"]["n"].as_i64().unwrap_or_else(|| panic!("it was given no number: {task}"));
    json!({
        "workflowInstanceId": task["workflowInstanceId"], "taskId": id, "workerId": "w", "status": status,
        "outputData": {"n": n + 1, "mark": mark}, "reasonForIncompletion": mark, "number": number,
    })
}

fn send(hand: &mut Hand<'_>, task: &Value, result: &Value) -> Life {
    let reply = hand.change("POST", "/api/tasks", Some(result))?;
    judge(hand, task, result, &reply);
    Ok(())
}

/// The result is taken, unless somebody has removed the run.
fn judge(hand: &Hand<'_>, task: &Value, result: &Value, reply: &Reply) {
    let id = task["workflowInstanceId"].as_str().expect("a task has a run");
    let mut ledger = hand.shared.ledger();
    match reply.status {
        200 | 204 => {
            let number = result["number"].as_u64().expect("it was counted") as usize;
            ledger.sent(task["taskId"].as_str().expect("a task has an id"), number, now());
        }
        404 => assert!(ledger.may_be_gone(id), "{result}: {reply:?}"),
        _ => panic!("{result}: {reply:?}"),
    }
}

/// Says how it ended, in one of the ways in which one can; the answer may bring another task.
fn end(hand: &mut Hand<'_>, task: &Value) -> io::Result<Option<Value>> {
    let result = result(hand, task, verdict(hand, task));
    match hand.dice.below(5) {
        0 | 1 => {
            let reply = hand.change("POST", "/api/tasks/update-v2", Some(&result))?;
            judge(hand, task, &result, &reply);
            if reply.status == 200 && !reply.body.is_empty() {
                let next = reply.json();
                let queue = next["taskDefName"].as_str().expect("a task has a type");
                hand.shared.ledger().handed(&next, queue, now());
                return Ok(Some(next));
            }
        }
        2 => {
            let done = json!({
                "run": result["workflowInstanceId"], "task": result["taskId"], "status": result["status"],
                "output": result["outputData"], "reason": result["reasonForIncompletion"],
            });
            let mut reply =
                hand.must("POST", "/v1/exchange", Some(&json!({"worker": "w", "done": [done]})))?;
            if let Some(refused) = reply.json()["refused"][0]["status"].as_u64() {
                reply.status = refused as u16;
            }
            judge(hand, task, &result, &reply);
        }
        _ => send(hand, task, &result)?,
    }
    Ok(None)
}

/// Two connections say at the same time that it is done, and each brings another output.
fn together(hand: &mut Hand<'_>, task: &Value) -> io::Result<Option<Value>> {
    let verdict = verdict(hand, task);
    let (mine, others) = (result(hand, task, verdict), result(hand, task, verdict));
    let address = hand.client.address();
    let said = std::thread::scope(|scope| {
        let other = scope.spawn(|| Client::new(address).ask("POST", "/api/tasks", Some(&others)));
        let said = hand.change("POST", "/api/tasks", Some(&mine));
        (said, other.join().expect("a client does not panic"))
    });
    for (reply, result) in [(said.0, &mine), (said.1, &others)] {
        judge(hand, task, result, &reply?);
    }
    Ok(None)
}

fn log(hand: &mut Hand<'_>, task: &Value) -> Life {
    let id = task["taskId"].as_str().expect("a task has an id");
    let line = hand.shared.ledger().mark();
    hand.shared.ledger().writes(id, &line);
    let reply = hand.client.ask_text("POST", &format!("/api/tasks/{id}/log"), &line)?;
    match reply.status {
        200 => hand.shared.ledger().written(id, &line),
        404 => {
            let run = task["workflowInstanceId"].as_str().expect("a task has a run");
            assert!(hand.shared.ledger().may_be_gone(run), "{task}: {reply:?}");
        }
        _ => panic!("{task}: {reply:?}"),
    }
    Ok(())
}
