//! What it costs to write the task that a worker polls, and to read what it says.

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use partitur_conductor::render::Renderer;
use partitur_conductor::wire::{self, TaskResult, WorkflowDef};
use partitur_conductor::{NoTaskDefs, freeze, lower};
use partitur_model::definition::Kind;
use partitur_model::record::{Served, ServerOptions, TaskRecord, TaskState, UndoState, Usage};
use partitur_model::{FencingToken, Payload, RunId, TaskSeq, Timestamp};
use std::hint::black_box;

fn definition() -> WorkflowDef {
    let text = r#"{"name":"five steps","tasks":[{"name":"work","taskReferenceName":"one","inputParameters":{
        "order":"${workflow.input.order}","step":1}}]}"#;
    freeze(&wire::read(text.as_bytes()).expect("it is a definition"), &NoTaskDefs)
}

fn polled_task() -> TaskRecord {
    let input = Payload::parse(r#"{"order":{"id":7,"lines":[1,2,3]},"step":1}"#).expect("it is JSON");
    let served = Served {
        input,
        worker: Some("worker-1".into()),
        polls: 1,
        updated: Timestamp::from_millis(1_795_279_042_156),
        ..Served::default()
    };
    TaskRecord {
        run: RunId::new(0, 123, 456),
        seq: TaskSeq(1),
        node: "one".into(),
        scope: None,
        path: "one".into(),
        state: TaskState::Running { token: FencingToken(1), deadline: Timestamp::MAX, lease: Timestamp::MAX },
        generation: 1,
        attempt: 1,
        losses: 0,
        ready: Timestamp::from_millis(1_795_279_041_996),
        started: Some(Timestamp::from_millis(1_795_279_042_134)),
        ended: None,
        output: None,
        error: None,
        items: None,
        iteration: 0,
        child: None,
        undo: UndoState::None,
        cached: false,
        log: None,
        usage: Usage::default(),
        served: Some(Box::new(served)),
    }
}

fn polled(c: &mut Criterion) {
    let renderer = Renderer::new(Arc::new(definition()), Arc::new(NoTaskDefs));
    let (task, options) =
        (polled_task(), ServerOptions { correlation: Some("c1".into()), ..ServerOptions::default() });
    c.bench_function("write a polled task", |b| {
        b.iter(|| {
            let mut out = String::new();
            renderer.polled(black_box(&task), "work", Some(&options), &mut out);
            out
        });
    });
}

fn result(c: &mut Criterion) {
    let text = br#"{"workflowInstanceId":"aa27541f-ba1a-4dd4-9394-91d0c9740404","taskId":"ae51be11-0b8e-48e0-a10f-836a46dcb70f",
        "workerId":"worker-1","status":"COMPLETED","outputData":{"sum":12.50,"lines":[1,2,3]},"logs":[],"callbackAfterSeconds":0}"#;
    c.bench_function("read a task result", |b| b.iter(|| wire::read::<TaskResult>(black_box(text))));
}

/// Making the branches of a dynamic fork.
fn fork(c: &mut Criterion) {
    let text = r#"{"name":"wide","tasks":[
        {"name":"f","taskReferenceName":"f","type":"FORK_JOIN_DYNAMIC","inputParameters":{"forkTaskInputs":"${workflow.input.all}"}},
        {"name":"j","taskReferenceName":"j","type":"JOIN"}]}"#;
    let def = freeze(&wire::read(text.as_bytes()).expect("it is a definition"), &NoTaskDefs);
    let definition = lower(&def).expect("it is in order");
    let Kind::Expand(expand) = &definition.root.nodes[0].kind else { unreachable!("it is a dynamic fork") };
    let inputs: Vec<String> = (0..1_000).map(|number| format!(r#"{{"number":{number}}}"#)).collect();
    let input = format!(r#"{{"forkTaskName":"work","forkTaskInputs":[{}]}}"#, inputs.join(","));
    let input = Payload::parse(&input).expect("it is JSON");
    c.bench_function("expand 1,000 branches", |b| b.iter(|| expand.expander.0.branches(black_box(&input))));
}

criterion_group!(benches, polled, result, fork);
criterion_main!(benches);
