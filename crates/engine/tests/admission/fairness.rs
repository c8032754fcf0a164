//! Nobody starves: neither a class, nor a wide request, nor a writer among readers.

use partitur_engine::admission::{Admission, Aging, Fifo, Options, Ticket};
use partitur_model::change::BatchNo;
use partitur_model::definition::Priority;

use crate::rig::{at, decide, greedy, offer, task, ticket};

/// One slot; each class always has a ticket waiting. How many turns each class got.
fn turns(options: Options, count: usize) -> [usize; 4] {
    let mut admission = Admission::new(options);
    let mut got = [0; 4];
    let mut number = 0;
    let mut offer = |admission: &mut Admission, class: Priority| {
        number += 1;
        let ticket = Ticket { class, ..ticket(admission, number * 4 + class as u32, at(0.0), &["slots"]) };
        admission.offer(at(0.0), ticket, BatchNo(0));
    };
    Priority::ALL.into_iter().for_each(|class| offer(&mut admission, class));
    for _ in 0..count {
        let [started] = decide(&mut admission, at(100.0))[..] else { panic!("one slot, one start") };
        admission.release(at(100.0), task(started));
        let class = Priority::ALL[started as usize % 4];
        got[class as usize] += 1;
        offer(&mut admission, class);
    }
    got
}

#[test]
fn classes_share_turns_by_their_weights() {
    assert_eq!(turns(Options::default(), 2222), [2000, 200, 20, 2]);
}

#[test]
fn strict_priority_gives_one_turn_in_a_hundred_to_the_old() {
    let options = Options { order: Box::new(Fifo), aging: Aging::Strict, ..Options::default() };
    let got = turns(options, 1000);
    assert_eq!(got[0] + got[1..].iter().sum::<usize>(), 1000);
    assert!(got[0] >= 990, "{got:?}");
}

#[test]
fn an_old_ticket_of_a_low_class_gets_its_turn_under_strict_priority() {
    let mut admission =
        Admission::new(Options { order: Box::new(Fifo), aging: Aging::Strict, ..Options::default() });
    let low = Ticket { class: Priority::Low, ..ticket(&mut admission, 1, at(0.0), &["slots"]) };
    admission.offer(at(0.0), low, BatchNo(0));
    let mut before = 0;
    for number in 2..1000 {
        let now = at(f64::from(number));
        let ticket = Ticket { class: Priority::Critical, ..ticket(&mut admission, number, now, &["slots"]) };
        admission.offer(now, ticket, BatchNo(0));
        let [started] = decide(&mut admission, now)[..] else { panic!("one slot, one start") };
        if started == 1 {
            break;
        }
        before += 1;
        admission.release(now, task(started));
    }
    assert_eq!(before, 99);
}

#[test]
fn a_class_that_could_not_start_for_long_gets_one_turn_at_once_not_all_it_missed() {
    let mut admission = Admission::new(greedy());
    offer(&mut admission, 1, at(0.0), &["db"]);
    decide(&mut admission, at(0.0));
    for number in 2..12 {
        let low = Ticket {
            class: Priority::Low,
            ..ticket(&mut admission, number, at(0.0), &["slots", "db shared"])
        };
        admission.offer(at(0.0), low, BatchNo(0));
    }
    let mut started = Vec::new();
    for number in 100..5000 {
        let high =
            Ticket { class: Priority::Critical, ..ticket(&mut admission, number, at(0.0), &["slots"]) };
        admission.offer(at(0.0), high, BatchNo(0));
        if number == 4990 {
            admission.release(at(0.0), task(1));
        }
        let [one] = decide(&mut admission, at(0.0))[..] else { panic!("one slot, one start") };
        admission.release(at(0.0), task(one));
        started.push(one);
    }
    assert_eq!(started[4890..].iter().filter(|&&number| number < 12).count(), 1);
}

/// Two narrow tasks whose holds overlap for ever, and a wide one. When the wide one started, in seconds.
fn wide_against_narrow(options: Options) -> Option<u32> {
    let mut admission = Admission::new(options);
    for second in 0..200 {
        let now = at(f64::from(second));
        if second == 10 {
            offer(&mut admission, 1, now, &["a", "b"]);
        }
        // `a` is taken anew in even seconds, `b` in odd ones, each for two.
        let name = if second % 2 == 0 { "a" } else { "b" };
        admission.release(now, task(100 + second - 2));
        offer(&mut admission, 100 + second, now, &[name]);
        if decide(&mut admission, now).contains(&1) {
            return Some(second);
        }
    }
    None
}

#[test]
fn a_wide_request_waits_for_ever_without_reservations_and_a_bounded_time_with_them() {
    assert_eq!(wide_against_narrow(greedy()), None);
    let started = wide_against_narrow(Options { lock_aging_factor: 5.0, ..Options::default() });
    assert!(started.is_some_and(|second| second <= 10 + 5 * 2 + 3), "{started:?}");
}

#[test]
fn a_task_of_several_slots_gets_them_among_tasks_of_one() {
    let heavy_starts = |options| {
        let mut admission = Admission::new(options);
        admission.set_capacity("slots", 2);
        (0..200).find(|&second| {
            let now = at(f64::from(second));
            if second == 10 {
                offer(&mut admission, 1, now, &["slots*2"]);
            }
            admission.release(now, task(98 + second));
            offer(&mut admission, 100 + second, now, &["slots", &format!("file:/out/{second}")]);
            decide(&mut admission, now).contains(&1)
        })
    };
    assert_eq!(heavy_starts(greedy()), None);
    assert!(heavy_starts(Options { lock_aging_factor: 5.0, ..Options::default() }).is_some());
}

/// Readers that overlap for ever, and one who wants it alone. When that one started, in seconds.
fn alone_against_many(options: Options, alone: &str, many: &str) -> Option<u32> {
    let mut admission = Admission::new(options);
    for second in 0..200 {
        let now = at(f64::from(second));
        if second == 10 {
            offer(&mut admission, 1, now, &[alone]);
        }
        admission.release(now, task(100 + second - 2));
        offer(&mut admission, 100 + second, now, &[many]);
        if decide(&mut admission, now).contains(&1) {
            return Some(second);
        }
    }
    None
}

#[test]
fn whoever_wants_alone_what_others_share_stops_newcomers_once_over_age() {
    for (alone, many) in [
        ("service:billing", "service:billing shared"),
        ("file:/src/a", "dir:/src shared"),
        ("dir:/src shared", "file:/src/a/b"),
        ("dir:/", "file:/src/a/b shared"),
    ] {
        if !many.ends_with('b') {
            assert_eq!(alone_against_many(greedy(), alone, many), None, "{alone} against {many}");
        }
        let options = Options { lock_aging_factor: 5.0, ..Options::default() };
        let started = alone_against_many(options, alone, many);
        assert!(
            started.is_some_and(|second| second <= 10 + 5 * 2 + 3),
            "{alone} against {many}: {started:?}"
        );
    }
}

#[test]
fn a_long_queue_at_one_lock_keeps_the_order_of_classes() {
    let mut admission = Admission::new(Options::default());
    let mut started = Vec::new();
    for number in 1..200 {
        let low = Ticket { class: Priority::Low, ..ticket(&mut admission, number, at(0.0), &["db"]) };
        admission.offer(at(0.0), low, BatchNo(0));
    }
    for number in 200..300 {
        let high = Ticket { class: Priority::Critical, ..ticket(&mut admission, number, at(0.0), &["db"]) };
        admission.offer(at(0.0), high, BatchNo(0));
    }
    for second in 0..100 {
        started.extend(decide(&mut admission, at(f64::from(second))));
        admission.release(at(f64::from(second + 1)), task(*started.last().unwrap()));
    }
    assert_eq!(started, (200..300).collect::<Vec<_>>());
}
