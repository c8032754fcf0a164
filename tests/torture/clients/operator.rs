//! Wants something of runs: looks how one stands, and does what comes next in the plan for it.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Hand, Life};
use crate::judge;
use crate::kinds::Kind;
use crate::ledger::{Asked, Plan, Run};

/// Operates for as long as the server lives.
pub fn live(mut hand: Hand<'_>) -> Life {
    while hand.shared.goes_on() {
        let open: Vec<usize> = {
            let ledger = hand.shared.ledger();
            ledger.open().filter(|&at| ledger.runs[at].id.is_some()).collect()
        };
        if !open.is_empty() {
            let at = open[hand.dice.below(open.len())];
            step(&mut hand, at)?;
        }
        std::thread::sleep(Duration::from_micros(hand.dice.below(3_000) as u64));
    }
    Ok(())
}

/// What may come next.
enum Next {
    Nothing,
    Pause,
    Resume,
    Terminate,
    Remove,
    Restart,
    /// From this task.
    Rerun(String),
    /// This task is left out.
    Skip(&'static str),
    Retry,
    Tell,
    /// This task waits for a word.
    Say(&'static str),
}

fn step(hand: &mut Hand<'_>, at: usize) -> Life {
    let id = hand.shared.ledger().runs[at].id.clone().expect("only runs with an id are operated");
    let reply = hand.client.ask("GET", &format!("/api/workflow/{id}"), None)?;
    let next = {
        let mut ledger = hand.shared.ledger();
        judge::run(&mut ledger, at, &reply);
        if reply.status != 200 {
            return Ok(());
        }
        let finishes = hand.shared.finishes();
        next(&ledger.runs[at], &reply.json(), finishes || hand.dice.once_in(3), finishes)
    };
    match next {
        Next::Nothing => Ok(()),
        Next::Pause => pause(hand, at, &id, true),
        Next::Resume => pause(hand, at, &id, false),
        Next::Terminate => terminate(hand, at, &id),
        Next::Remove => remove(hand, at, &id),
        Next::Restart => restart(hand, at, &id),
        Next::Rerun(task) => rerun(hand, at, &id, &task),
        Next::Skip(reference) => skip(hand, at, &id, reference),
        Next::Retry => retry(hand, at, &id),
        Next::Tell => tell(hand, at, &id),
        Next::Say(reference) => say(hand, at, &id, reference),
    }
}

/// What comes next in the plan for a run that stands so; `due` says whether its time has come.
fn next(run: &Run, shown: &Value, due: bool, finishes: bool) -> Next {
    let status = shown["status"].as_str().expect("a run has a status");
    let stands = |reference: &str| {
        let tasks = shown["tasks"].as_array().expect("a run has tasks");
        tasks.iter().any(|task| task["referenceTaskName"] == reference && task["status"] == "IN_PROGRESS")
    };
    if status == "PAUSED" {
        return if due || finishes { Next::Resume } else { Next::Nothing };
    }
    if run.kind == Kind::Revived && status == "FAILED" {
        return Next::Retry;
    }
    let says = status == "RUNNING" && run.kind == Kind::Waits && due;
    if let Some(reference) = ["word", "hand"].into_iter().find(|reference| says && stands(reference)) {
        return Next::Say(reference);
    }
    let running = status == "RUNNING";
    match run.plan {
        _ if !due => Next::Nothing,
        Plan::PauseAndResume if running && !run.wishes.resumed => Next::Pause,
        Plan::Variables if running && run.wishes.told.len() < 3 => Next::Tell,
        Plan::Terminate if running => Next::Terminate,
        Plan::Remove => Next::Remove,
        Plan::Restart
            if status == "COMPLETED" && run.wishes.restart.as_ref().is_none_or(|asked| !asked.done) =>
        {
            Next::Restart
        }
        Plan::Rerun if status == "COMPLETED" && run.wishes.rerun.as_ref().is_none_or(|asked| !asked.done) => {
            last_of_a_worker(shown).map_or(Next::Nothing, Next::Rerun)
        }
        Plan::Skip if running && run.wishes.skips == 0 => run.kind.last().map_or(Next::Nothing, Next::Skip),
        Plan::Nothing
        | Plan::PauseAndResume
        | Plan::Variables
        | Plan::Terminate
        | Plan::Restart
        | Plan::Rerun
        | Plan::Skip => Next::Nothing,
    }
}

/// The id of the last task that a worker has done.
fn last_of_a_worker(shown: &Value) -> Option<String> {
    let rows = shown["tasks"].as_array()?.iter().rev();
    let mut done = rows.filter(|row| row["status"] == "COMPLETED" && row["taskType"] == row["taskDefName"]);
    Some(done.next()?["taskId"].as_str()?.to_owned())
}

/// Writes something about a run down.
fn note(hand: &Hand<'_>, at: usize, write: impl FnOnce(&mut Run)) {
    write(&mut hand.shared.ledger().runs[at]);
}

fn pause(hand: &mut Hand<'_>, at: usize, id: &str, wanted: bool) -> Life {
    note(hand, at, |run| {
        run.wishes.pause = Some(Asked::now(wanted));
        run.wishes.resumed |= !wanted;
    });
    let path = if wanted { "pause" } else { "resume" };
    let status = operate(hand, "PUT", path, id)?;
    match status {
        200 => note(hand, at, |run| run.wishes.pause = Some(Asked { what: wanted, done: true })),
        // It has come to its end in between.
        409 => note(hand, at, |run| run.wishes.pause = None),
        _ => panic!("{path} {id}: {status}"),
    }
    Ok(())
}

/// Wants something of one run by itself, or of it and of one that nobody knows; how that was answered.
fn operate(hand: &mut Hand<'_>, method: &str, what: &str, id: &str) -> io::Result<u16> {
    if hand.dice.once_in(2) {
        let status = hand.change(method, &format!("/api/workflow/{id}/{what}"), None)?.status;
        // Both mean that it is done.
        return Ok(if status == 204 { 200 } else { status });
    }
    let many = json!([id, "00000000-0000-4000-8000-000000000000"]);
    let reply = hand.must(method, &format!("/api/workflow/bulk/{what}"), Some(&many))?.json();
    let done = reply["bulkSuccessfulResults"].as_array().unwrap_or_else(|| panic!("{reply}"));
    let refused = reply["bulkErrorResults"].as_object().unwrap_or_else(|| panic!("{reply}"));
    assert_eq!(done.len() + refused.len(), 2, "{what} {many}: {reply}");
    Ok(if done.contains(&json!(id)) { 200 } else { 409 })
}

fn terminate(hand: &mut Hand<'_>, at: usize, id: &str) -> Life {
    let why = hand.shared.ledger().mark();
    note(hand, at, |run| run.wishes.terminate = Some(Asked::now(why.clone())));
    let reply = hand.change("DELETE", &format!("/api/workflow/{id}?reason={why}"), None)?;
    match reply.status {
        200 => note(hand, at, |run| run.wishes.terminate = Some(Asked { what: why, done: true })),
        409 => {}
        _ => panic!("terminate {id}: {reply:?}"),
    }
    Ok(())
}

fn remove(hand: &mut Hand<'_>, at: usize, id: &str) -> Life {
    note(hand, at, |run| run.wishes.remove = Some(Asked::now(())));
    hand.must("DELETE", &format!("/api/workflow/{id}/remove"), None)?;
    note(hand, at, |run| run.wishes.remove = Some(Asked { what: (), done: true }));
    Ok(())
}

fn restart(hand: &mut Hand<'_>, at: usize, id: &str) -> Life {
    let times = 1 + hand.shared.ledger().runs[at].wishes.restart.as_ref().map_or(0, |asked| asked.what);
    note(hand, at, |run| {
        run.wishes.restart = Some(Asked::now(times));
        run.seen = Default::default();
        run.wishes.words.clear();
        run.wishes.told.clear();
    });
    assert_eq!(operate(hand, "POST", "restart", id)?, 200, "restart {id}");
    note(hand, at, |run| run.wishes.restart = Some(Asked { what: times, done: true }));
    Ok(())
}

/// Goes on once more from a task, which keeps its id.
fn rerun(hand: &mut Hand<'_>, at: usize, id: &str, task: &str) -> Life {
    note(hand, at, |run| {
        run.wishes.rerun = Some(Asked::now(()));
        run.seen = Default::default();
    });
    if let Some(task) = hand.shared.ledger().tasks.get_mut(task) {
        task.rerun = true;
    }
    let from = json!({ "reRunFromTaskId": task });
    hand.must("POST", &format!("/api/workflow/{id}/rerun"), Some(&from))?;
    note(hand, at, |run| run.wishes.rerun = Some(Asked { what: (), done: true }));
    Ok(())
}

/// Leaves a task out that would have yielded the same; it may be too late for that.
fn skip(hand: &mut Hand<'_>, at: usize, id: &str, reference: &str) -> Life {
    let mut output = json!({});
    note(hand, at, |run| {
        run.wishes.skips += 1;
        output = json!({ "n": run.kind.output(&run.given)["n"] });
    });
    let path = format!("/api/workflow/{id}/skiptask/{reference}");
    let reply = hand.change("PUT", &path, Some(&json!({ "taskInput": {}, "taskOutput": output })))?;
    assert!(matches!(reply.status, 200 | 400 | 409), "skip {reference} of {id}: {reply:?}");
    Ok(())
}

fn retry(hand: &mut Hand<'_>, at: usize, id: &str) -> Life {
    note(hand, at, |run| {
        run.wishes.retry = Some(Asked::now(()));
        run.seen.ended = None;
    });
    assert_eq!(operate(hand, "POST", "retry", id)?, 200, "retry {id}");
    note(hand, at, |run| run.wishes.retry = Some(Asked { what: (), done: true }));
    Ok(())
}

fn tell(hand: &mut Hand<'_>, at: usize, id: &str) -> Life {
    let word = hand.shared.ledger().mark();
    note(hand, at, |run| run.wishes.told.push(Asked::now(word.clone())));
    let reply =
        hand.change("POST", &format!("/api/workflow/{id}/variables"), Some(&json!({ "told": word })))?;
    match reply.status {
        200 => note(hand, at, |run| run.wishes.told.last_mut().expect("it was noted").done = true),
        409 => note(hand, at, |run| drop(run.wishes.told.pop())),
        _ => panic!("variables of {id}: {reply:?}"),
    }
    Ok(())
}

/// Ends a task that waits: as a signal to the run, or by its name.
fn say(hand: &mut Hand<'_>, at: usize, id: &str, reference: &'static str) -> Life {
    let word = hand.shared.ledger().mark();
    note(hand, at, |run| {
        run.wishes.words.entry(reference.to_owned()).or_default().push(Asked::now(word.clone()));
    });
    let path = match hand.dice.below(3) {
        0 if reference == "word" => format!("/api/tasks/{id}/COMPLETED/signal"),
        1 => format!("/api/queue/update/{id}/{reference}/COMPLETED"),
        _ => format!("/api/tasks/{id}/{reference}/COMPLETED"),
    };
    hand.must("POST", &path, Some(&json!({ "word": word })))?;
    note(hand, at, |run| {
        let words = run.wishes.words.get_mut(reference).expect("it was noted");
        words.last_mut().expect("it was noted").done = true;
    });
    Ok(())
}
