//! How long compiled sources take to evaluate, and sources to compile: `cargo bench -p partitur-expr`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use partitur_expr::{Expression, Lookup, Script, Step, Template, navigate};
use partitur_model::Payload;

const CONDITION: &str = "orders.output.rows > 0 and inputs.month != '2024-12'";

/// How loops are written in Conductor's definitions.
const SCRIPT: &str = "if ($.loop['iteration'] < $.value) { true; } else { false; }";

/// Heads as the engine has them: payloads that came as text.
struct World {
    inputs: Payload,
    orders: Payload,
    input: Payload,
}

impl Lookup for World {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        match head {
            "inputs" => navigate(&self.inputs, steps),
            "orders" => navigate(&self.orders, steps),
            "$" => navigate(&self.input, steps),
            _ => None,
        }
    }
}

fn world() -> World {
    let parse = |text| Payload::parse(text).expect("the benchmark's own JSON");
    World {
        inputs: parse(r#"{"regions": ["de", "fr"], "limit": 10, "month": "2024-11"}"#),
        orders: parse(r#"{"output": {"total": 1234.50, "note": "all imported", "rows": 100000}}"#),
        input: Payload::object([
            ("value", parse("5")),
            ("loop", parse(r#"{"iteration": 3, "1": {"task": {"done": true}}}"#)),
        ]),
    }
}

fn evaluate(criterion: &mut Criterion) {
    let world = world();
    let path = Template::parse("${orders.output.rows}").expect("a path");
    criterion.bench_function("resolve a path", |bench| bench.iter(|| black_box(&path).resolve(&world)));
    let text = Template::parse("out/${inputs.month}-${orders.output.rows}.csv").expect("a text");
    criterion.bench_function("resolve a text", |bench| bench.iter(|| black_box(&text).resolve_text(&world)));
    let condition = Expression::parse(CONDITION).expect("a condition");
    criterion.bench_function("a condition", |bench| bench.iter(|| black_box(&condition).truth(&world)));
    let script = Script::parse(SCRIPT).expect("a script");
    criterion.bench_function("a script", |bench| bench.iter(|| black_box(&script).evaluate(&world)));
}

fn compile(criterion: &mut Criterion) {
    criterion.bench_function("compile a condition", |bench| {
        bench.iter(|| Expression::parse(black_box(CONDITION)));
    });
    criterion.bench_function("compile a script", |bench| bench.iter(|| Script::parse(black_box(SCRIPT))));
    criterion.bench_function("compile a template", |bench| {
        bench.iter(|| Template::parse(black_box("out/${inputs.month}-${orders.output.rows}.csv")));
    });
}

criterion_group!(benches, evaluate, compile);
criterion_main!(benches);
