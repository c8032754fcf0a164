//! Waiting costs nothing. In a binary of its own, because it measures the whole process.

use std::time::Duration;

use partitur::prelude::*;

#[test]
fn workers_that_have_nothing_to_do_use_no_processor_time() {
    for concurrency in [None, Some(6)] {
        let mut flow = Flow::new();
        for name in ["a", "b", "c", "d", "e", "f"] {
            let wait = |ctx: TaskContext| async move {
                ctx.sleep(Duration::from_millis(1500)).await;
                Ok(())
            };
            flow.task(name, wait);
        }
        let before = processor_ticks();
        let options = Options { threads: Some(4), concurrency, ..Options::default() };
        assert!(flow.block_on_with(options).unwrap().is_success());
        // A tick is 10 ms. Workers that wake each other for nothing use 9 to 30, busy ones 150 each.
        let used = processor_ticks() - before;
        assert!(used <= 6, "{used} ticks");
    }
}

/// User and system time of this process.
fn processor_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}
