//! `concurrency: least..most`, on the machine on which the test runs.

use partitur_api::{Event, EventKind};

use crate::support::Place;

/// So many processors there are, at least two.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}

fn document() -> String {
    let most = 8 * cores();
    let items: Vec<String> = (0..16 * cores()).map(|item| item.to_string()).collect();
    format!(
        "
concurrency: 1..{most}
tasks:
  burn:
    for-each: [{}]
    run: timeout 0.5 sh -c 'while :; do :; done' || true
",
        items.join(", ")
    )
}

#[test]
fn tasks_that_keep_every_processor_busy_get_fewer_places_and_are_told_why() {
    let place = Place::new(&document());
    let gave = place.expect(0, &["run", "flow.yaml", "--json"]);
    let events = gave.out.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok());
    let told: Vec<(u32, String)> = events
        .filter_map(|event| match event.kind {
            EventKind::Limit { limit, min, max, reason } => {
                assert!((min..=max).contains(&limit), "{limit} of {min}..{max}");
                Some((limit, reason))
            }
            EventKind::Run { .. }
            | EventKind::TaskReady { .. }
            | EventKind::TaskWaits { .. }
            | EventKind::TaskStarted { .. }
            | EventKind::TaskDecided { .. }
            | EventKind::TaskProgress { .. }
            | EventKind::Output { .. }
            | EventKind::TaskRetries { .. }
            | EventKind::TaskEnded { .. }
            | EventKind::UndoEnded { .. }
            | EventKind::TaskServes { .. }
            | EventKind::Notice { .. } => None,
        })
        .collect();
    assert!(told[0].1.starts_with("there are"), "{told:?}");
    let lowered = told.windows(2).filter(|two| two[1].0 < two[0].0).collect::<Vec<_>>();
    assert!(lowered.iter().any(|two| two[1].1.starts_with("processors are short")), "{told:?}");
    // It is nowhere near what the document allows at most.
    assert!(told.last().unwrap().0 <= 2 * cores() as u32, "{told:?}");
}
