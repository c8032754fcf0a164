//! What other task runners got wrong, by name.

use std::time::Duration;

use partitur_engine::admission::{Admission, Blocker, Options, Ticket};
use partitur_model::change::BatchNo;
use partitur_model::definition::{BreakerSpec, ClaimMode, Priority};
use partitur_model::record::BreakerState;

use crate::rig::{at, decide, greedy, offer, request, task, ticket};

/// Nobody starts.
const NONE: [u32; 0] = [];

fn with_limit_of_two() -> Admission {
    let mut admission = Admission::new(Options::default());
    admission.set_capacity("slots", 16);
    admission.set_capacity("run:1", 2);
    for number in 1..=6 {
        offer(&mut admission, number, at(0.0), &["slots", "run:1"]);
    }
    assert_eq!(decide(&mut admission, at(0.0)), [1, 2]);
    admission
}

#[test]
fn the_limit_holds_after_a_failure() {
    let mut admission = with_limit_of_two();
    admission.release(at(1.0), task(1));
    assert_eq!(decide(&mut admission, at(1.0)), [3]);
    assert_eq!(decide(&mut admission, at(1.0)), NONE);
}

#[test]
fn the_limit_holds_when_a_task_is_retried() {
    let mut admission = with_limit_of_two();
    admission.release(at(1.0), task(1));
    offer(&mut admission, 1, at(1.0), &["slots", "run:1"]);
    assert_eq!(decide(&mut admission, at(1.0)), [3], "a retry waits like everybody else");
    assert_eq!(admission.holders().len(), 2);
}

#[test]
fn the_limit_holds_after_a_cancel_and_its_slot_comes_back_once() {
    let mut admission = with_limit_of_two();
    admission.withdraw(task(3));
    admission.withdraw(task(1));
    assert_eq!(decide(&mut admission, at(1.0)), NONE, "withdrawing a holder frees nothing");
    for _ in 0..3 {
        admission.release(at(1.0), task(1));
        admission.release(at(1.0), task(3));
    }
    assert_eq!(decide(&mut admission, at(1.0)), [4]);
}

#[test]
fn a_task_that_waits_for_a_lock_holds_no_slot() {
    let mut admission = Admission::new(Options::default());
    admission.set_capacity("slots", 2);
    offer(&mut admission, 1, at(0.0), &["slots", "db"]);
    offer(&mut admission, 2, at(0.0), &["slots", "db"]);
    offer(&mut admission, 3, at(0.0), &["slots"]);
    assert_eq!(decide(&mut admission, at(0.0)), [1, 3]);
}

#[test]
fn two_tasks_that_want_two_locks_in_opposite_order_both_get_them() {
    let mut admission = Admission::new(Options::default());
    offer(&mut admission, 1, at(0.0), &["a", "b"]);
    offer(&mut admission, 2, at(0.0), &["b", "a"]);
    assert_eq!(decide(&mut admission, at(0.0)), [1]);
    admission.release(at(1.0), task(1));
    assert_eq!(decide(&mut admission, at(1.0)), [2]);
}

#[test]
fn a_capacity_may_shrink_below_what_is_held() {
    let mut admission = with_limit_of_two();
    admission.set_capacity("run:1", 1);
    admission.release(at(1.0), task(1));
    assert_eq!(decide(&mut admission, at(1.0)), NONE);
    admission.release(at(2.0), task(2));
    assert_eq!(decide(&mut admission, at(2.0)), [3]);
    admission.set_capacity("run:1", 3);
    assert_eq!(decide(&mut admission, at(3.0)), [4, 5]);
}

#[test]
fn an_undeclared_name_has_the_capacity_of_its_longest_declared_prefix() {
    let mut admission = Admission::new(Options::default());
    let before = admission.resource("tenant:early");
    admission.set_capacity("tenant:*", 2);
    admission.set_capacity("tenant:big-*", 5);
    admission.set_capacity("tenant:big-one", 9);
    let capacities = ["tenant:a", "tenant:big-x", "tenant:big-one", "other"].map(|name| {
        let id = admission.resource(name);
        admission.capacity(id)
    });
    assert_eq!(capacities, [2, 5, 9, 1]);
    assert_eq!(admission.capacity(before), 2);
}

#[test]
fn a_request_for_more_than_there_is_can_never_be_met() {
    let mut admission = Admission::new(Options::default());
    admission.set_capacity("gpu", 2);
    let fits = request(&mut admission, "gpu*2");
    let too_much = request(&mut admission, "gpu*3");
    assert_eq!(admission.impossible(&[fits]), None);
    assert_eq!(
        admission.impossible(&[fits, too_much]).as_deref(),
        Some("3 units of `gpu` are wanted, and there are only 2")
    );
}

#[test]
fn a_task_never_waits_for_itself() {
    let mut admission = Admission::new(Options::default());
    offer(&mut admission, 1, at(0.0), &["dir:/src shared", "file:/src/a", "db", "db", "db shared"]);
    assert_eq!(decide(&mut admission, at(0.0)), [1]);
    offer(&mut admission, 2, at(0.0), &["file:/src/b shared"]);
    offer(&mut admission, 3, at(0.0), &["file:/src/b"]);
    offer(&mut admission, 4, at(0.0), &["dir:/src shared"]);
    assert_eq!(decide(&mut admission, at(0.0)), [2]);
}

#[test]
fn durable_tasks_start_before_fresh_ones() {
    let mut admission = Admission::new(Options::default());
    admission.set_capacity("slots", 2);
    for (number, batch) in [(3, 6), (1, 7), (2, 7)] {
        let ticket = ticket(&mut admission, number, at(0.0), &["slots"]);
        admission.offer(at(0.0), ticket, BatchNo(batch));
    }
    admission.settle(BatchNo(6));
    let mut grants = Vec::new();
    admission.decide(at(1.0), &mut grants);
    let seen: Vec<_> = grants.iter().map(|grant| (grant.task.task.0, grant.fresh, grant.waited)).collect();
    assert_eq!(seen, [(3, false, Duration::from_secs(1)), (1, true, Duration::from_secs(1))]);
}

#[test]
fn a_breaker_parks_its_tasks_and_lets_three_probes_through() {
    let mut admission = Admission::new(Options::default());
    admission.declare_breaker(&BreakerSpec::named("erp"));
    for _ in 0..5 {
        admission.breaker_report(at(1.0), "erp", false);
    }
    for number in 1..=5 {
        let ticket = Ticket { breaker: Some("erp".into()), ..ticket(&mut admission, number, at(2.0), &[]) };
        admission.offer(at(2.0), ticket, BatchNo(0));
    }
    assert_eq!(decide(&mut admission, at(2.0)), NONE);
    assert_eq!(admission.wake(), Some(at(61.0)));
    assert!(
        matches!(admission.blocked_on(task(1)), Some(Blocker::Breaker(_, Some(until))) if until == at(61.0))
    );
    assert_eq!(decide(&mut admission, at(61.0)), [1, 2, 3]);
    assert_eq!(admission.wake(), None);
    admission.release(at(62.0), task(1));
    assert_eq!(decide(&mut admission, at(62.0)), [4], "a probe that was cancelled makes room for another");
    admission.breaker_report(at(63.0), "erp", true);
    let record = admission.breaker_report(at(63.0), "erp", true).unwrap();
    assert_eq!(record.state, BreakerState::Closed { failures: 0 });
    assert_eq!(decide(&mut admission, at(63.0)), [5]);
}

#[test]
fn a_rate_is_used_up_by_starting_and_comes_back_with_time() {
    let mut admission = Admission::new(Options::default());
    admission.set_rate("api", 2, Duration::from_secs(10));
    for number in 1..=4 {
        offer(&mut admission, number, at(0.0), &["api"]);
    }
    assert_eq!(decide(&mut admission, at(0.0)), [1, 2]);
    admission.release(at(1.0), task(1));
    assert_eq!(decide(&mut admission, at(1.0)), NONE);
    assert_eq!(admission.wake(), Some(at(10.0)));
    assert_eq!(decide(&mut admission, at(10.0)), [3, 4]);
    assert_eq!(admission.wake(), None);
}

#[test]
fn who_waits_for_whom_is_visible() {
    let mut admission = Admission::new(greedy());
    offer(&mut admission, 1, at(0.0), &["dir:/src shared"]);
    decide(&mut admission, at(0.0));
    offer(&mut admission, 2, at(1.0), &["file:/src/a"]);
    decide(&mut admission, at(2.0));
    let [wait] = &admission.waits(at(3.0))[..] else { panic!("one waits") };
    let Blocker::Resource(id) = wait.blocked_on else { panic!("it waits for a resource") };
    assert_eq!(admission.name(id), "dir:/src");
    assert_eq!((wait.since, &wait.held_by[..], wait.reserves), (at(1.0), &[task(1)][..], false));
    let [hold] = &admission.holders()[..] else { panic!("one holds") };
    assert_eq!((hold.since, hold.claims.len(), hold.claims[0].mode), (at(0.0), 1, ClaimMode::Shared));
}

#[test]
fn an_adopted_attempt_holds_what_it_held() {
    let mut admission = Admission::new(Options::default());
    let adopted = ticket(&mut admission, 1, at(0.0), &["db"]);
    admission.adopt(adopted);
    offer(&mut admission, 2, at(1.0), &["db"]);
    assert_eq!(decide(&mut admission, at(1.0)), NONE);
    assert!(admission.holds(task(1)) && admission.is_waiting(task(2)));
    admission.release(at(2.0), task(1));
    assert_eq!(decide(&mut admission, at(2.0)), [2]);
}

#[test]
fn inside_a_class_the_longest_path_starts_first() {
    let mut admission = Admission::new(Options::default());
    for (number, level) in [(1, 1.0), (2, 5.0), (3, 5.0), (4, 9.0)] {
        let ticket = Ticket { level, ..ticket(&mut admission, number, at(0.0), &["slots"]) };
        admission.offer(at(0.0), ticket, BatchNo(0));
    }
    let critical = Ticket { class: Priority::Critical, ..ticket(&mut admission, 5, at(0.0), &["slots"]) };
    admission.offer(at(0.0), critical, BatchNo(0));
    let mut started = Vec::new();
    for _ in 0..5 {
        started.extend(decide(&mut admission, at(0.0)));
        let last = *started.last().unwrap();
        admission.release(at(0.0), task(last));
    }
    assert_eq!(started, [5, 4, 2, 3, 1]);
}

#[test]
fn what_is_offered_after_a_settlement_is_fresh_again() {
    let mut admission = Admission::new(Options::default());
    admission.set_capacity("slots", 2);
    admission.settle(BatchNo(u64::MAX));
    let ticket = ticket(&mut admission, 1, at(0.0), &["slots"]);
    admission.offer(at(0.0), ticket, BatchNo(1));
    let mut grants = Vec::new();
    admission.decide(at(0.0), &mut grants);
    assert!(grants[0].fresh);
}

#[test]
fn a_breaker_and_a_resource_of_the_same_name_are_two_things() {
    let mut admission = Admission::new(Options::default());
    let both =
        Ticket { breaker: Some("erp".into()), ..ticket(&mut admission, 1, at(0.0), &["breaker:erp", "erp"]) };
    admission.offer(at(0.0), both, BatchNo(0));
    assert_eq!(decide(&mut admission, at(0.0)), [1]);
    offer(&mut admission, 2, at(0.0), &["erp"]);
    assert_eq!(decide(&mut admission, at(0.0)), NONE);
}

#[test]
fn names_that_nobody_uses_are_forgotten_and_all_others_stand() {
    let mut admission = Admission::new(Options::default());
    admission.set_capacity("declared", 2);
    offer(&mut admission, 1, at(0.0), &["dir:/kept", "token:kept"]);
    offer(&mut admission, 2, at(0.0), &["file:/kept/x"]);
    assert_eq!(decide(&mut admission, at(0.0)), [1]);
    for number in 3..3_000 {
        let (file, token) = (format!("file:/data/{number}"), format!("token:{number}"));
        offer(&mut admission, number, at(1.0), &[&file, &token]);
        assert_eq!(decide(&mut admission, at(1.0)), [number]);
        admission.release(at(1.0), task(number));
        if number % 100 == 0 {
            admission.forget_unused();
            admission.check();
        }
    }
    admission.forget_unused();
    // `/`, `/kept`, `/kept/x`, and the two that are no paths; a file and the directory it may be have one cell.
    assert!(admission.names() < 10, "{}", admission.names());
    let declared = admission.resource("declared");
    assert_eq!(admission.capacity(declared), 2);
    offer(&mut admission, 3_001, at(2.0), &["token:kept"]);
    assert_eq!(decide(&mut admission, at(2.0)), NONE);
    admission.release(at(3.0), task(1));
    assert_eq!(decide(&mut admission, at(3.0)), [2, 3_001]);
    admission.check();
}
