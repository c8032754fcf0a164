//! A pipeline: typed outputs between tasks, a retry, a batch, and a task that fails without stopping the rest.
//!
//! `cargo run -p partitur --example pipeline`

use std::time::Duration;

use partitur::flow::Backoff;
use partitur::prelude::*;

fn main() -> Result<(), partitur::flow::FlowError> {
    let mut flow = Flow::new();

    let retry =
        Retry { attempts: 3, base: Duration::from_millis(10), backoff: Backoff::Fixed, ..Retry::default() };
    let orders = flow
        .task("orders", |ctx| async move {
            if ctx.attempt() < 2 {
                return Err(Failure::new("http-503", "the shop is busy"));
            }
            Ok(vec![120u32, 80, 50, 250])
        })
        .retry(retry)
        .handle();
    let rate = flow.task("rate", |_| async { Ok("1.1".parse::<f64>()?) }).handle();
    let total = flow
        .task("total", move |ctx| async move {
            let sum: u32 = ctx.output_of(&orders)?.iter().sum();
            Ok(f64::from(sum) * ctx.output_of(&rate)?)
        })
        .after((orders, rate))
        .handle();

    // Three at a time: the next three start when these have ended.
    let squares = flow.batches("square", 3, 1..=9u32, |_, number| async move {
        if number == 5 { Err(Failure::new("unlucky", "five does not work")) } else { Ok(number * number) }
    });

    let outcome = flow.block_on()?;
    println!("total: {:?} after {} attempts", outcome.output(total), outcome.result(orders).attempts);
    println!("squares: {:?}", outcome.outputs(&squares));
    for failure in outcome.failures() {
        println!("{} failed: {}", failure.name, failure.error_message());
    }
    Ok(())
}
