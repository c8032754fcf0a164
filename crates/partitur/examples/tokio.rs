//! A flow inside a tokio program, whose tasks use tokio's timers.
//!
//! `cargo run -p partitur --example tokio`

use std::sync::Arc;
use std::time::Duration;

use partitur::flow::FlowError;
use partitur::prelude::*;

fn main() -> Result<(), FlowError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(flow())
}

async fn flow() -> Result<(), FlowError> {
    // The threads of the flow are not tokio's: they enter the runtime once, and every task finds it there.
    let tokio = tokio::runtime::Handle::current();
    let options = Options {
        within: Some(Arc::new(move |work| {
            let _entered = tokio.enter();
            work();
        })),
        ..Options::default()
    };

    let mut flow = Flow::new();
    let first = flow
        .task("first", |_| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok("hello")
        })
        .handle();
    let second = flow
        .task("second", move |ctx| async move {
            let greeting = ctx.output_of(&first)?;
            // What blocks or computes for long belongs on tokio's own threads for it.
            Ok(tokio::task::spawn_blocking(move || format!("{greeting}, world")).await?)
        })
        .after(first)
        .timeout(Duration::from_secs(5))
        .handle();

    let outcome = flow.run_with(options).await?;
    println!("{:?}", outcome.output(second));
    Ok(())
}
