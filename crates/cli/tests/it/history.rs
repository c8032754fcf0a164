//! The metric log and what is shown of it.

use crate::support::{Place, settings};

#[test]
fn the_course_of_runs_is_kept_as_lines_and_shown() {
    let place =
        Place::new("name: day\ntasks: { a: { run: 'true' }, b: { needs: [a], run: test -e good } }\n");
    place.expect(1, &["run", "flow.yaml"]);
    place.write("good", "");
    place.expect(0, &["run", "flow.yaml", "--new"]);
    let lines = place.expect(0, &["history", "--json"]).out;
    let of = |line: &str, key: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()[key].clone();
    let told: Vec<_> =
        lines.lines().map(|line| (of(line, "outcome"), of(line, "failed"), of(line, "v"))).collect();
    assert_eq!(told, [("failed".into(), 1.into(), 1.into()), ("succeeded".into(), 0.into(), 1.into())]);
    let mut settings = settings();
    settings.add_filter("[▁-█]{2}", "[bars]");
    settings.add_filter(r"\d\.\d\b", "[count]");
    settings.bind(|| {
        insta::assert_snapshot!(place.expect(0, &["history", "day"]).out, @r"
    day  2 runs, 1 succeeded
      took     [bars]  [time]  mean [time]
      at once  [bars]  [count]  mean [count]
      ✓ run 2     [moment]  [time]  2 tasks  [count] at once
      ✗ run 1     [moment]  [time]  2 tasks  [count] at once  1 failed
    ")
    });
    place.expect(6, &["history", "night"]);
}
