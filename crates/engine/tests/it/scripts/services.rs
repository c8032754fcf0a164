//! Services live as long as others need them.

use partitur_model::definition::{Command, Kind, Node, OnFailure, Service};

use crate::script::*;

/// A service of this name, which is up when it says so, within ten seconds.
fn service(node: Node) -> Node {
    let service = Service { within: std::time::Duration::from_secs(10), ..Service::default() };
    let command = Command { service: Some(Box::new(service)), ..Command::default() };
    Node { kind: Kind::Command(command), ..node }
}

#[test]
fn those_that_need_it_begin_when_it_is_up_and_it_ends_after_the_last_of_them() {
    check(
        flow(graph("db -> a -> after, db -> b", vec![service(task("db"))])),
        "dispatch db#1",
        "1s up db => dispatch a#1, dispatch b#1
         2s up db =>
         3s b ok => b succeeded
         4s a ok => a succeeded, stop db, dispatch after#1
         5s db fail signal-15 => db succeeded
         6s after ok => after succeeded, run succeeded",
    );
}

#[test]
fn it_holds_no_slot() {
    check_with(
        flow(graph("db -> a", vec![service(task("db"))])),
        1,
        "dispatch db#1",
        "1s up db => dispatch a#1
         2s a ok => a succeeded, stop db
         3s db ok => db succeeded, run succeeded",
    );
}

#[test]
fn services_of_services_end_one_after_the_other() {
    check(
        flow(graph("db -> web -> test", vec![service(task("db")), service(task("web"))])),
        "dispatch db#1",
        "1s up db => dispatch web#1
         2s up web => dispatch test#1
         3s test ok => test succeeded, stop web
         4s web ok => web succeeded, stop db
         5s db ok => db succeeded, run succeeded",
    );
}

#[test]
fn one_that_nobody_names_lives_until_all_others_have_ended() {
    check(
        flow(graph("a -> b, log", vec![service(task("log"))])),
        "dispatch a#1, dispatch log#1",
        "1s up log =>
         2s a ok => a succeeded, dispatch b#1
         3s b fail => b failed, stop log
         4s log ok => log succeeded, run failed",
    );
}

#[test]
fn its_end_before_that_is_a_failure_of_those_that_need_it() {
    check(
        flow(graph("db -> a, db -> b, x -> b, a -> c", vec![service(task("db"))])),
        "dispatch db#1, dispatch x#1",
        "1s up db => dispatch a#1
         2s db ok => db failed, stop a
         3s a fail => a cancelled, c skipped
         4s x ok => x succeeded, b skipped, run failed
         5s retry => dispatch db#1
         6s up db => dispatch a#1, dispatch b#1
         7s a ok => a succeeded, dispatch c#1
         8s b ok => b succeeded, stop db
         9s db ok => db succeeded
         10s c ok => c succeeded, run succeeded",
    );
}

#[test]
fn a_retry_brings_it_back_and_who_has_not_begun_waits_for_it() {
    check(
        flow(graph("db -> a, db -> b, x -> b", vec![service(retried("db", 3))])),
        "dispatch db#1, dispatch x#1",
        "1s up db => dispatch a#1
         2s db fail =>
         3s x ok => x succeeded
         4s tick => dispatch db#2
         5s up db => dispatch b#1
         6s b ok => b succeeded
         7s a ok => a succeeded, stop db
         8s db ok => db succeeded, run succeeded",
    );
}

#[test]
fn one_that_is_not_up_in_time_has_failed() {
    check(
        flow(graph("db -> a", vec![service(task("db"))])),
        "dispatch db#1",
        "10s tick => stop db
         11s db fail signal-15 => db timedout, a skipped, run failed",
    );
}

#[test]
fn after_a_crash_it_begins_again_before_those_that_need_it() {
    check(
        flow(graph("db -> a", vec![service(task("db"))])),
        "dispatch db#1",
        "1s up db => dispatch a#1
         2s crash => dispatch db#1
         3s up db => dispatch a#1
         4s a ok => a succeeded, stop db
         5s crash => db succeeded, run succeeded",
    );
}

#[test]
fn when_one_that_needed_it_is_done_again_so_is_the_service() {
    check(
        flow(graph("db -> a, db -> b", vec![service(task("db"))])),
        "dispatch db#1",
        "1s up db => dispatch a#1, dispatch b#1
         2s a ok => a succeeded
         3s b fail => b failed, stop db
         4s db ok => db succeeded, run failed
         5s retry => dispatch db#1
         6s up db => dispatch b#1
         7s b ok => b succeeded, stop db
         8s db ok => db succeeded, run succeeded
         9s rerun a => dispatch db#1
         10s up db => dispatch a#1
         11s a ok => a succeeded, stop db
         12s db ok => db succeeded, run succeeded",
    );
}

#[test]
fn one_that_nobody_needs_does_not_begin() {
    check(
        flow(graph("x -> a, y -> db, db -> a", vec![service(task("db"))])),
        "dispatch y#1, dispatch x#1",
        "1s x fail => x failed, a skipped
         2s y ok => y succeeded, db skipped, run failed",
    );
}

#[test]
fn branches_wait_for_the_service_of_their_container() {
    let list = each("list", "[1, 2]", graph("part -> then", vec![]));
    check(
        flow(graph("db -> list", vec![service(retried("db", 3)), list])),
        "dispatch db#1",
        "1s up db => dispatch list[1]/part#1, dispatch list[2]/part#1
         2s db fail =>
         3s list[1]/part ok => list[1]/part succeeded
         4s tick => dispatch db#2
         5s up db => dispatch list[1]/then#1
         6s list[2]/part ok => list[2]/part succeeded, dispatch list[2]/then#1
         7s list[1]/then ok => list[1]/then succeeded
         8s list[2]/then ok => list[2]/then succeeded, list succeeded, stop db
         9s db ok => db succeeded, run succeeded",
    );
}

#[test]
fn it_ends_with_its_run_and_lives_through_a_pause() {
    let mut fails_fast = flow(graph("db -> a, x", vec![service(task("db"))]));
    fails_fast.on_failure = OnFailure::FailFast;
    check(
        fails_fast,
        "dispatch db#1, dispatch x#1",
        "1s pause =>
         2s up db =>
         3s unpause => dispatch a#1
         4s x fail => x failed, stop db, stop a
         5s a fail => a cancelled
         6s db ok => db cancelled, run failed
         7s retry => dispatch db#1, dispatch x#1
         8s up db => dispatch a#1
         9s x ok => x succeeded
         10s a ok => a succeeded, stop db
         11s db ok => db succeeded, run succeeded",
    );
}
