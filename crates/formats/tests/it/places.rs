//! Places that others name are found in the text.

use partitur_formats::render;
use partitur_model::{Fault, Place};

use crate::support::{read, yaml};

const TEXT: &str = r#"name: x
tasks:
  report.x: { run: a }
  report:
    needs: [load]
    when: { if: load.output.rows > 0, else: fail }
    run:
      - make
      - "a b ${load.output.rows}"
    locks: [file:x, { resource: 'gpu' }]
  load:
    when: env.A == 'b'
    run: |
      set -x

      echo "über" ${env.A}
  long:
    run: >-
      folded
      text
"#;

/// What is shown for a fault at the place.
fn shown(text: &str, place: &str, within: Option<(usize, usize)>) -> String {
    let faults = partitur_formats::read("flow.yaml", text.as_bytes(), &mut |_| Err(String::new()));
    let places = match faults {
        Ok(document) => document.places,
        Err(faults) => faults.places,
    };
    let mut fault = Fault::error("P0000", Place(place.to_owned()), "x");
    if let Some((start, end)) = within {
        fault = fault.within(start, end);
    }
    let at = places.locate_fault(&fault).expect("every place leads somewhere");
    let marked = places.text(at.file).unwrap()[at.span.start as usize..at.span.end as usize].to_owned();
    format!("{}:{} {marked}", at.line, at.column)
}

#[test]
fn every_place_leads_to_its_text_or_to_what_is_around_it() {
    for (place, wanted) in [
        ("name", "1:7 x"),
        ("tasks.report.needs[0]", "5:13 load"),
        ("tasks.report.needs", "5:12 [load]"),
        ("tasks.report.when", "6:11 { if: load.output.rows > 0, else: fail }"),
        ("tasks.report.run[1]", "9:9 \"a b ${load.output.rows}\""),
        ("tasks.report.run", "7:5 run"),
        ("tasks.report.locks[1]", "10:21 { resource: 'gpu' }"),
        ("tasks.report.locks[1].resource", "10:33 'gpu'"),
        ("tasks.report", "4:3 report"),
        ("tasks.report.x", "3:13 { run: a }"),
        ("tasks.report.retry.until", "4:3 report"),
        ("tasks.report.needs[7]", "5:12 [load]"),
        ("tasks.load.run", "13:5 run"),
        ("tasks", "2:1 tasks"),
        ("nowhere", "1:1 "),
        ("", "1:1 "),
    ] {
        assert_eq!(shown(TEXT, place, None), wanted, "{place}");
    }
}

#[test]
fn a_part_of_a_text_is_found_in_it() {
    for (place, within, wanted) in [
        ("tasks.load.when", (0, 5), "12:11 env.A"),
        ("tasks.report.when", (5, 11), "6:22 output"),
        ("tasks.report.run[1]", (4, 8), "9:14 ${lo"),
        ("tasks.load.run", (0, 3), "14:7 set"),
        ("tasks.load.run", (21, 29), "16:19 ${env.A}"),
        ("tasks.load.run", (5, 500), "14:12 x"),
        ("tasks.long.run", (0, 3), "18:5 run"),
        ("tasks.report.retry.until", (0, 3), "4:3 report"),
    ] {
        assert_eq!(shown(TEXT, place, Some(within)), wanted, "{place} {within:?}");
    }
}

#[test]
fn places_in_sub_flows_lead_to_their_files() {
    let files = [("sub/b.yaml", "tasks:\n  sum:\n    run: make sum\n")];
    let document = read("dir/a.yaml", b"tasks: { a: { flow: sub/b.yaml } }", &files).unwrap();
    let sum = &document.definition.flows["sub/b.yaml"].root.nodes[0];
    assert_eq!(sum.place.0, "sub/b.yaml#tasks.sum");
    let fault =
        Fault::error("P0000", sum.place.member("run"), "something is wrong").label("here").hint("mend it");
    insta::assert_snapshot!(render(&[fault], &document.places, false), @r"
    error[P0000]: something is wrong
      dir/sub/b.yaml:3:10   tasks.sum.run
      3 │     run: make sum
        │          ^^^^^^^^ here
      hint: mend it   (partitur explain P0000)
    ");
}

#[test]
fn a_long_line_is_shown_around_the_fault() {
    let text = format!(
        "tasks: {{ a: {{ run: x, env: {{ {} }} }}, b: {{ rum: x }} }}\n",
        (0..60).map(|n| format!("V{n}: {n}")).collect::<Vec<_>>().join(", ")
    );
    insta::assert_snapshot!(yaml(&text).unwrap_err(), @r"
    error[P0106]: a task has no key `rum`
      flow.yaml:1:559   tasks.b.rum
      1 │ …52: 52, V53: 53, V54: 54, V55: 55, V56: 56, V57: 57, V58: 58, V59: 59 } }, b: { rum: x } }
        │                                                                                  ^^^ unknown key
      hint: did you mean `run`?   (partitur explain P0106)
    ");
}

#[test]
fn a_record_reads_as_the_document_did() {
    let files = [("sub/b.yaml", "tasks: { sum: { run: make sum } }")];
    let document = read("/somewhere/dir/a.yaml", b"tasks: { a: { flow: sub/b.yaml } }", &files).unwrap();
    let elsewhere = read("a.yaml", b"tasks: { a: { flow: sub/b.yaml } }", &files).unwrap();
    let record = partitur_formats::definition_record(&document);
    assert_eq!(record.id, partitur_formats::definition_record(&elsewhere).id);
    assert_eq!(
        record.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        ["a.yaml", "sub/b.yaml"]
    );
    let again = partitur_formats::read_record(&record).unwrap();
    assert_eq!(again.definition, document.definition);
    let other = [("sub/b.yaml", "tasks: { sum: { run: make sums } }")];
    let other = read("a.yaml", b"tasks: { a: { flow: sub/b.yaml } }", &other).unwrap();
    assert_ne!(record.id, partitur_formats::definition_record(&other).id);
}
