//! What the simulation has found, told by hand.

use std::time::Duration;

use partitur_engine::{Answer, Batch, BatchNo, Effect, Engine, Input, Options};
use partitur_model::Payload;
use partitur_model::definition::{Deduplicate, Definition, Node, Template};
use partitur_model::record::RunOptions;

use crate::lab::Lab;
use crate::script::*;

/// Tokens carry the number of the start: one that left no trace would be followed by one with the same tokens.
#[test]
fn nothing_is_handed_out_before_the_start_of_the_node_is_durable() {
    let mut lab = Lab::new();
    lab.submit(flow(graph("a -> b, c -> d", vec![task("b"), locked("d", "it")])));
    lab.script(
        "1s a ok => a succeeded, dispatch b#1
         2s c ok => c succeeded, dispatch d#1",
    );
    let mut engine = lab.recover(&mut Batch::new(BatchNo(1)));
    engine.step(lab.now, Input::Durable(BatchNo(1)), &mut Batch::new(BatchNo(2)));
    let mut batch = Batch::new(BatchNo(7));
    engine.step(lab.now, Input::AttemptsLost, &mut batch);
    let after = batch.effects().iter().filter_map(|effect| match effect {
        Effect::Dispatch { dispatch, after } => Some((&*dispatch.path, *after)),
        _ => None,
    });
    let after: Vec<_> = after.collect();
    assert_eq!(after, [("b", BatchNo(7)), ("d", BatchNo(7))], "what only this batch makes ready");
    let mut first = Batch::new(BatchNo(1));
    let mut boot = lab.boot();
    boot.runs[0].tasks.retain(|task| task.state.is_ended());
    let (engine, _) = Engine::new(Options::default(), boot, lab.now, &mut first);
    assert_eq!(engine.epoch(), 2);
    let released = first.effects().iter().filter_map(|effect| match effect {
        Effect::Dispatch { after, .. } => Some(*after),
        _ => None,
    });
    assert_eq!(released.collect::<Vec<_>>(), [BatchNo(1); 2], "ready before, and still not before the start");
}

#[test]
fn a_run_that_lives_again_begins_what_was_ready_when_it_was_cut_off() {
    let child = flow(graph("x", vec![]));
    check_in_memory(
        with_flow(flow(graph("s, a -> b", vec![sub("s", "child")])), "child", child),
        "dispatch a#1, dispatch 2:x#1",
        "1s pause =>
         2s a ok => a succeeded
         3s 2: x fail => 2:x failed, run 2:failed, s failed
         4s cancel => run cancelled
         5s 2: retry => dispatch 2:x#1, dispatch b#1",
    );
}

#[test]
fn a_loop_goes_back_to_the_iteration_of_a_sub_run_that_lives_again() {
    let body = graph("", vec![Node { optional: true, ..sub("t", "child") }]);
    let both = repeat_over("both", "[1,2]", body);
    check_in_memory(
        with_flow(flow(graph("both", vec![both])), "child", flow(graph("x", vec![]))),
        "dispatch 2:x#1",
        "1s 2: x fail => 2:x failed, run 2:failed, both#1/t failed, dispatch 3:x#1
         2s 3: x ok => 3:x succeeded, run 3:succeeded, both#2/t succeeded, both succeeded, run succeeded
         3s 2: retry => dispatch 2:x#1
         4s 2: x ok => 2:x succeeded, run 2:succeeded, both#1/t succeeded, dispatch 4:x#1
         5s 4: x ok => 4:x succeeded, run 4:succeeded, both#2/t succeeded, both succeeded, run succeeded",
    );
}

#[test]
fn a_run_stays_in_memory_until_its_attempts_of_before_are_known_to_be_dead() {
    let mut lab = Lab::new();
    lab.submit(flow(graph("a", vec![])));
    let mut lab = lab.snapshot();
    let run = lab.run_id(1);
    lab.input(Input::Evict(run));
    assert_eq!(lab.engine.resident().count(), 1);
    assert_eq!(lab.input(Input::AttemptsLost), ["dispatch a#1"]);
    lab.input(Input::Evict(run));
    assert_eq!(lab.engine.resident().count(), 0);
}

fn with_key(seconds: u64) -> Definition {
    let (key, window) = (Template("same".into()), Duration::from_secs(seconds));
    Definition { deduplicate: Some(Deduplicate { key, window }), ..flow(graph("a", vec![])) }
}

/// The run and whether it was there before, for each submission.
fn accepted(lab: &Lab) -> Vec<(u64, bool)> {
    let answers = lab.answers.iter().filter_map(|answer| match answer {
        Answer::Accepted { run, duplicate } => Some((run.number(), *duplicate)),
        Answer::Done | Answer::Updated { .. } | Answer::Refused(_) => None,
    });
    answers.collect()
}

#[test]
fn an_older_run_that_comes_back_does_not_take_the_place_of_a_newer_one() {
    let mut lab = Lab::new();
    lab.submit(with_key(10));
    lab.script("10s tick =>");
    lab.submit_again(Payload::object::<&str>([]), RunOptions::default());
    lab.evict_all();
    lab.script("11s 2: a ok => 2:a succeeded, run 2:succeeded");
    lab.script("12s a ok => a succeeded, run succeeded");
    lab.submit_again(Payload::object::<&str>([]), RunOptions::default());
    assert_eq!(accepted(&lab), [(1, false), (2, false), (2, true)]);
}

#[test]
fn equal_submissions_are_known_after_a_start_though_their_run_has_ended() {
    let mut lab = Lab::new();
    lab.submit(with_key(10));
    lab.script("1s a ok => a succeeded, run succeeded");
    let ended = &lab.rows.runs[&lab.run_id(1)];
    let key = ended.options.dedup_key.clone().expect("its document declares one");
    let mut boot = lab.boot();
    boot.runs.clear();
    boot.submitted = vec![(key, ended.id, ended.created)];
    lab.engine = Engine::new(Options::default(), boot, lab.now, &mut Batch::new(BatchNo(1))).0;
    lab.submit_again(Payload::object::<&str>([]), RunOptions::default());
    assert_eq!(accepted(&lab), [(1, false), (1, true)]);
}
