use partitur_model::Place;
use partitur_model::definition::{Claim, ClaimMode, Template};

use super::*;
use crate::testing::{month_end, story};

/// `orders` and `stock` want the same lock if `locked` is 2, and none if it is 0.
fn reviewed(slots: Option<u32>, locked: usize) -> Review {
    let (run, mut tasks, mut definition) = month_end();
    for node in &mut definition.root.nodes[1..=locked] {
        node.claims.push(Claim {
            resource: Template::from("file:erp.db"),
            mode: ClaimMode::Exclusive,
            units: 1,
            expires: None,
            place: Place::root(),
        });
    }
    tasks[1].usage.cpu_micros = 3_000_000;
    tasks[1].usage.rss_max = 40_000_000;
    tasks[2].usage.rss_max = 50_000_000;
    let usual =
        [("orders".to_owned(), Duration::from_secs(2)), ("close".to_owned(), Duration::from_millis(950))];
    let surroundings = Surroundings { slots, processors: 2, usual: usual.into() };
    Review::of(&story(&run, &tasks, &definition), &surroundings)
}

#[test]
fn a_wait_belongs_to_what_stood_in_the_way() {
    let with_places = reviewed(Some(4), 2).queued;
    assert_eq!(with_places, Queued { claims: Duration::from_secs(6), ..Queued::default() });
    assert_eq!(reviewed(Some(4), 0).queued, Queued { overhead: Duration::from_secs(6), ..Queued::default() });
    let without = reviewed(None, 0);
    // As far as anybody knows there was one place, and `orders` had it all the time.
    assert_eq!(without.queued, Queued { slots: Duration::from_secs(6), ..Queued::default() });
    assert_eq!(without.crowded(), Duration::from_secs(6));
}

#[test]
fn what_was_used_is_told_in_shares_of_what_there_was() {
    let usage = reviewed(Some(4), 2).usage;
    assert_eq!((usage.most, usage.mean), (1, 1.0));
    assert_eq!((usage.places, usage.processors, usage.memory), (0.25, 0.125, 50_000_000));
}

#[test]
fn the_advice_names_what_the_time_went_into() {
    let lines: Vec<String> = reviewed(Some(4), 2).advice.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    `stock` took 3.0s of the run (25 %), and everything waited for it: make it shorter, or split it
    tasks waited 6.0s for locks and resources, `stock` longest (6.0s): hold them for a shorter time, share them for reading, or raise the limit
    `orders` took 6.0s, usually 2.0s
    ");
}

#[test]
fn the_review_reads_as_a_page() {
    insta::assert_snapshot!(reviewed(None, 0).text(), @r"
    month-end succeeded after 12.0s

      tasks          4 succeeded
      time saved     none: one after the other would have taken 12.0s
      critical path  12.0s: load 2.0s → stock 3.0s (after 6.0s in the queue) → close 1.0s
      at best        9.0s with a place for every task and no lock in the way
      parallelism    1.0 at once while any ran, 1 at most
      used           100 % of one place, 12 % of the processors, 50.0 MB of memory at most
      waits          places 6.0s (all tasks together)

      at work, of at most 1
      ████████████████████████████████████████████████████████████

      what would help
      • `stock` took 3.0s of the run (25 %), and everything waited for it: make it shorter, or split it
      • for 6.0s the only place was taken while more was ready: a higher --concurrency would help, if the machine can bear it
      • `orders` took 6.0s, usually 2.0s
    ");
}

#[test]
fn scripts_get_every_figure() {
    let told = reviewed(Some(4), 2).json();
    assert_eq!(told["at_best_ms"], 9_000);
    assert_eq!(told["queued"]["claims_ms"], 6_000);
    assert_eq!(told["slow"][0]["task"], "orders");
    assert_eq!(told["tasks"].as_array().map(Vec::len), Some(4));
}
