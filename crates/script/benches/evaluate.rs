//! How long one evaluation takes, from submission to answer, and how many there are in a second:
//! `cargo bench -p partitur-script`.

use std::sync::mpsc;

use criterion::{Criterion, Throughput, criterion_group};
use partitur_model::Payload;
use partitur_script::{Language, Pool, Request, Settings, TIMEOUT_CONDUCTOR, maybe_become_helper};

const CONDITION: &str = "if ($.loop['iteration'] < $.value) { true; } else { false; }";
const INPUT: &str = r#"{"loop":{"iteration":3},"value":5}"#;
const BATCH: u64 = 256;

fn request(language: Language, source: &str, input: &str) -> Request {
    let input = Payload::parse(input).expect("the benchmark's own JSON");
    Request::value(1, language, source, input, TIMEOUT_CONDUCTOR)
}

fn one(criterion: &mut Criterion) {
    let pool = Pool::new(Settings::default()).expect("a pool");
    let items: Vec<String> = (0..50).map(|n| format!(r#"{{"id":{n},"name":"item {n}"}}"#)).collect();
    let items = format!(r#"{{"items":[{}]}}"#, items.join(","));
    for (name, language, source, input) in [
        ("a condition", Language::JavaScript, CONDITION, INPUT),
        (
            "a function",
            Language::Lambda,
            "return {n: $.items.map(i => i.id).reduce((a, b) => a + b)}",
            items.as_str(),
        ),
        ("jq over 50 items", Language::Jq, "[.items[] | select(.id > 10) | .name]", items.as_str()),
        ("a schema", Language::Schema, r#"{"type":"object","required":["items"]}"#, items.as_str()),
    ] {
        let request = request(language, source, input);
        criterion.bench_function(name, |bench| {
            bench.iter(|| pool.evaluate(request.clone()).expect("a value"));
        });
    }
}

fn many(criterion: &mut Criterion) {
    let pool = Pool::new(Settings::default()).expect("a pool");
    let request = request(Language::JavaScript, CONDITION, INPUT);
    let mut group = criterion.benchmark_group("pipelined");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("conditions", |bench| {
        bench.iter(|| {
            let (sender, receiver) = mpsc::channel();
            for _ in 0..BATCH {
                let sender = sender.clone();
                pool.submit(request.clone(), move |outcome| sender.send(outcome).expect("we listen"));
            }
            drop(sender);
            assert_eq!(receiver.iter().filter(Result::is_ok).count() as u64, BATCH);
        });
    });
    group.finish();
}

fn start(criterion: &mut Criterion) {
    let request = request(Language::JavaScript, CONDITION, INPUT);
    criterion.bench_function("the first evaluation of a pool", |bench| {
        bench.iter(|| {
            Pool::new(Settings::default()).expect("a pool").evaluate(request.clone()).expect("a value")
        });
    });
}

criterion_group!(benches, one, many, start);

fn main() {
    maybe_become_helper();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
