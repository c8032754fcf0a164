//! Starts runs, in every way in which one can, and again under the same key if no answer came.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Hand, Life};
use crate::kinds::{Given, KINDS};
use crate::ledger::Plan;

/// So many runs are under way.
const OPEN: usize = 14;

/// Starts what is missing, for as long as the server lives.
pub fn live(mut hand: Hand<'_>) -> Life {
    again(&mut hand)?;
    while hand.shared.goes_on() && !hand.shared.finishes() {
        if hand.shared.ledger().open().count() >= OPEN {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        }
        match hand.dice.below(5) {
            0 => many(&mut hand)?,
            1 => waiting(&mut hand)?,
            _ => one(&mut hand)?,
        }
    }
    Ok(())
}

/// What has a key and no answer is started again: it is the same run.
fn again(hand: &mut Hand<'_>) -> Life {
    let unknown: Vec<usize> = {
        let ledger = hand.shared.ledger();
        let is_unknown = |at: &usize| ledger.runs[*at].id.is_none() && ledger.runs[*at].key.is_some();
        ledger.open().filter(is_unknown).collect()
    };
    unknown.into_iter().try_for_each(|at| send(hand, at))
}

fn want(hand: &mut Hand<'_>) -> usize {
    let kind = KINDS[hand.dice.below(KINDS.len())];
    let given = Given::random(&mut hand.dice);
    let plans = [
        Plan::PauseAndResume,
        Plan::Variables,
        Plan::Terminate,
        Plan::Remove,
        Plan::Restart,
        Plan::Rerun,
        Plan::Skip,
    ];
    let plan = if hand.dice.once_in(2) { Plan::Nothing } else { plans[hand.dice.below(plans.len())] };
    let keyed = hand.dice.once_in(3);
    hand.shared.ledger().want(kind, given, plan, keyed)
}

fn request(hand: &Hand<'_>, at: usize) -> Value {
    let ledger = hand.shared.ledger();
    let run = &ledger.runs[at];
    let mut request = json!({
        "name": run.kind.name(), "version": 1, "correlationId": run.correlation, "input": run.kind.input(&run.given),
    });
    if let Some(key) = &run.key {
        request["idempotencyKey"] = json!(key);
        request["idempotencyStrategy"] = json!("RETURN_EXISTING");
    }
    request
}

fn one(hand: &mut Hand<'_>) -> Life {
    let at = want(hand);
    send(hand, at)
}

fn send(hand: &mut Hand<'_>, at: usize) -> Life {
    let reply = hand.must("POST", "/api/workflow", Some(&request(hand, at)))?;
    learn(hand, at, &reply.body);
    Ok(())
}

/// Several in one request of the native protocol.
fn many(hand: &mut Hand<'_>) -> Life {
    let wanted: Vec<usize> = (0..3).map(|_| want(hand)).collect();
    let runs: Vec<Value> = wanted.iter().map(|&at| request(hand, at)).collect();
    let reply = hand.must("POST", "/v1/runs", Some(&json!({ "runs": runs })))?.json();
    for (place, at) in wanted.into_iter().enumerate() {
        let id = reply["runs"][place]["run"].as_str().unwrap_or_else(|| panic!("{reply}"));
        learn(hand, at, id);
    }
    Ok(())
}

/// And waits a little for its first task.
fn waiting(hand: &mut Hand<'_>) -> Life {
    let at = want(hand);
    let name = hand.shared.ledger().runs[at].kind.name();
    let path = format!("/api/workflow/execute/{name}/1?waitForSeconds=1&waitUntilTaskRef=a,z");
    let shown = hand.must("POST", &path, Some(&request(hand, at)))?.json();
    learn(hand, at, shown["workflowId"].as_str().unwrap_or_else(|| panic!("{shown}")));
    Ok(())
}

fn learn(hand: &Hand<'_>, at: usize, id: &str) {
    let mut ledger = hand.shared.ledger();
    let others = ledger.runs.iter().filter(|run| run.id.as_deref() == Some(id));
    let others: Vec<String> = others.map(|run| run.correlation.clone()).collect();
    let run = &mut ledger.runs[at];
    assert!(
        others.iter().all(|other| *other == run.correlation),
        "{id} is {} and {others:?}",
        run.correlation
    );
    assert!(
        run.id.as_deref().is_none_or(|known| known == id),
        "{} is {:?} and {id}",
        run.correlation,
        run.id
    );
    run.id = Some(id.to_owned());
}
