//! Agents at work: several instances of one agent, locks, progress, a deadline, and figures for each agent.
//!
//! `cargo run -p partitur --example agents`

use std::time::Duration;

use partitur::prelude::*;

fn main() -> Result<(), partitur::flow::FlowError> {
    let mut flow = Flow::new();
    flow.on_progress(|progress| println!("{:<24} {:>4.0} %", progress.instance, progress.fraction * 100.0));

    let api = flow
        .task("api", |ctx| work(ctx, 30))
        .agent("backend_specialist")
        .locks([Lock::exclusive("service:database")])
        .handle();
    let migration = flow
        .task("migration", |ctx| work(ctx, 20))
        .agent("backend_specialist")
        .priority(Priority::High)
        .locks([Lock::exclusive("service:database")])
        .handle();
    let view = flow.task("view", |ctx| work(ctx, 25)).agent("frontend_specialist").handle();
    flow.task("stuck", |ctx| work(ctx, 60_000)).agent("problematic_agent");
    flow.task("release notes", |_| async { Ok(()) }).after([api, migration, view]).agent("writer");

    let handle = flow.start(Options { concurrency: Some(10), ..Options::default() })?;
    if !handle.wait_all(Duration::from_millis(500)) {
        let running: Vec<_> =
            handle.running_instances().into_iter().map(|running| running.instance).collect();
        println!("still running: {}", running.join(", "));
        println!("cancelled: {}", handle.cancel_tasks(&["problematic_agent"]));
    }
    let outcome = handle.join();

    for result in outcome.results() {
        match result.error_message() {
            "" => println!("{:<14} confidence {:?} {:?}", result.name, result.confidence, result.evidence),
            message => println!("{:<14} {message}", result.name),
        }
    }
    for (agent, figures) in outcome.metrics().agents {
        let rate = figures.success_rate().unwrap_or_default() * 100.0;
        println!("{agent}: {} tasks, {rate:.0} % succeeded", figures.tasks);
    }
    Ok(())
}

/// What an agent would do, in two steps.
async fn work(ctx: TaskContext, millis: u64) -> Result<(), Failure> {
    for done in [0.5, 1.0] {
        ctx.sleep(Duration::from_millis(millis)).await;
        ctx.progress(done);
    }
    ctx.confidence(0.9);
    ctx.evidence(format!("{} ran its tests", ctx.instance()));
    Ok(())
}
