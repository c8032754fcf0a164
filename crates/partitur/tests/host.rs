//! Documents run by a host: real processes, a real database.

use std::path::Path;

use partitur::host::{Followed, Notice, Session, Settings, environment, load};
use partitur_api::{Event, EventKind, Submit};

/// What happened to a run.
struct Told {
    events: Vec<Event>,
    followed: Followed,
}

impl Told {
    fn ends(&self) -> Vec<String> {
        self.events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::TaskEnded { task, outcome, .. } => Some(format!("{task} {outcome}")),
                EventKind::Run { state, ended: true, .. } => Some(format!("run {state}")),
                _ => None,
            })
            .collect()
    }

    fn output(&self) -> serde_json::Value {
        let output = self.events.iter().find_map(|event| match &event.kind {
            EventKind::Run { output, ended: true, .. } => output.clone(),
            _ => None,
        });
        output.unwrap_or_default()
    }
}

fn submission(dir: &Path, document: &str, input: &str) -> Submit {
    let file = dir.join("flow.yaml");
    std::fs::write(&file, document).unwrap();
    let loaded = load(&file).unwrap();
    Submit {
        definition: (&loaded.record).into(),
        input: input.to_owned(),
        labels: vec![("dir".into(), loaded.dir.to_string_lossy().into_owned())],
        env: environment(),
        ..Submit::default()
    }
}

fn run(dir: &Path, document: &str, input: &str) -> Told {
    let mut session = Session::enter(Settings::new(dir.join(".partitur")), &[]).unwrap();
    let accepted = session.submit(submission(dir, document, input)).unwrap();
    let mut events = Vec::new();
    let followed = session
        .follow(accepted.run, None, &mut |notice| {
            if let Notice::Event(event) = notice {
                events.push(event);
            }
        })
        .unwrap();
    Told { events, followed }
}

#[test]
fn a_document_runs_and_yields_its_outputs() {
    let dir = tempfile::tempdir().unwrap();
    let told = run(
        dir.path(),
        r#"
name: sums
inputs:
  month: { type: string }
tasks:
  load:
    run: printf '{"rows":%s}' 42
  fan:
    for-each: [de, fr]
    key: ${each.value}
    run: echo "{\"region\":\"${each.value}\",\"month\":\"${inputs.month}\"}"
  report:
    needs: [load, fan]
    when: load.output.rows > 40
    run: [printf, "%s", "${fan.output[1].region}"]
    output: text
outputs:
  rows: ${load.output.rows}
  last: ${report.output}
"#,
        r#"{"month":"2026-01"}"#,
    );
    assert_eq!(told.followed, Followed::Ended);
    let mut ends = told.ends();
    assert_eq!(ends.pop().as_deref(), Some("run succeeded"));
    ends.sort();
    assert_eq!(ends, ["fan success", "fan[de] success", "fan[fr] success", "load success", "report success"]);
    assert_eq!(told.output().to_string(), r#"{"last":"fr","rows":42}"#);
}

#[test]
fn hostile_values_stay_values_in_a_shell_string() {
    let dir = tempfile::tempdir().unwrap();
    let hostile = r#"a"; touch pwned; echo '$(touch pwned) `touch pwned` \ $HOME"#;
    let input = serde_json::json!({ "value": hostile });
    let told = run(
        dir.path(),
        r#"
inputs:
  value: { type: string }
tasks:
  say:
    run: printf '%s' "${inputs.value}" | cat
    output: text
outputs:
  said: ${say.output}
"#,
        &input.to_string(),
    );
    assert_eq!(told.output()["said"], hostile);
    assert!(!dir.path().join("pwned").exists());
}

#[test]
fn a_failed_run_with_rollback_undoes_what_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let told = run(
        dir.path(),
        r#"
on-failure: rollback
tasks:
  a:
    run: touch a.txt
    undo: rm a.txt
  b:
    needs: [a]
    run: touch b.txt
    undo: rm b.txt
  c:
    needs: [b]
    run: exit 3
"#,
        "{}",
    );
    assert_eq!(told.ends(), ["a success", "b success", "c failure", "run rolled back"]);
    assert!(!dir.path().join("a.txt").exists() && !dir.path().join("b.txt").exists());
}

#[test]
fn the_state_of_an_ended_run_is_found_again_by_the_next_host() {
    let dir = tempfile::tempdir().unwrap();
    let document = "tasks:\n  a:\n    run: test -e ready\n  b:\n    needs: [a]\n    run: 'true'\n";
    let told = run(dir.path(), document, "{}");
    assert_eq!(told.ends(), ["a failure", "b skipped", "run failed"]);
    std::fs::write(dir.path().join("ready"), "").unwrap();
    let mut session = Session::enter(Settings::new(dir.path().join(".partitur")), &[]).unwrap();
    session.command(1, partitur_api::Command::Retry).unwrap();
    let mut ends = Vec::new();
    session
        .follow(1, None, &mut |notice| {
            if let Notice::Event(Event { kind: EventKind::TaskEnded { task, outcome, .. }, .. }) = notice {
                ends.push(format!("{task} {outcome}"));
            }
        })
        .unwrap();
    assert!(!ends.iter().any(|end| end.contains("failure")), "{ends:?}");
}

#[test]
fn a_flow_may_start_a_flow_that_starts_another() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("inner.yaml"),
        "inputs:\n  n: { type: integer }\ntasks:\n  say:\n    run: echo '{\"n\":${inputs.n}}'\noutputs:\n  n: ${say.output.n}\n",
    )
    .unwrap();
    std::fs::write(
        dir.path().join("middle.yaml"),
        "tasks:\n  deeper:\n    flow: inner.yaml\n    with: { n: 7 }\noutputs:\n  n: ${deeper.output.n}\n",
    )
    .unwrap();
    let told =
        run(dir.path(), "tasks:\n  outer:\n    flow: middle.yaml\noutputs:\n  n: ${outer.output.n}\n", "{}");
    assert_eq!(told.output()["n"], 7, "{:?}", told.ends());
}

#[test]
fn who_joins_a_host_that_dies_before_it_answers_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "tasks:\n  a:\n    run: 'true'\n", "{}");
    let state = partitur_store::StateDir::open(dir.path().join(".partitur")).unwrap();
    let lock = state.try_host().unwrap().expect("nobody hosts");
    let door = std::os::unix::net::UnixListener::bind(state.path().join("host.sock")).unwrap();
    let dying = std::thread::spawn(move || {
        // Somebody comes in; then everything closes at once, the listening socket first.
        let guest = door.accept().unwrap();
        drop((door, guest, lock));
    });
    let session = Session::enter(Settings::new(state.path()), &[1]).unwrap();
    assert!(session.is_host());
    dying.join().unwrap();
}
