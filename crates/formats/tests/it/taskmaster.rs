//! Files of Taskmaster: each shape and oddity that real ones have, in a file of our own.

use std::path::Path;

use partitur_formats::taskmaster::{
    Lowering, Order, Part, Reach, Role, Rule, Source, Standing, Status, check, codes, lower, next,
    next_as_taskmaster,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What is found, a line each: place, code, task, message.
fn findings(text: &str) -> String {
    let source = Source::parse("tasks.json", text.as_bytes()).unwrap();
    let found = check(&source, &source.backlog(), Rule::default());
    let line = |finding: &partitur_formats::taskmaster::Finding| {
        let at = source.locate(finding).unwrap();
        let (tag, task) = (&finding.tag, &finding.task);
        format!("{}:{} {} {tag}/{task} {}\n", at.line, at.column, finding.fault.code, finding.fault.message)
    };
    found.iter().map(line).collect()
}

/// The file after all safe changes.
fn mended(text: &str) -> String {
    let source = Source::parse("tasks.json", text.as_bytes()).unwrap();
    let found = check(&source, &source.backlog(), Rule::default());
    let safe = found.iter().filter_map(|finding| finding.edit.as_ref()).filter(|edit| edit.safe);
    String::from_utf8(source.edited(safe)).unwrap()
}

/// The ids of all tasks of all tags.
fn ids(text: &str) -> Vec<String> {
    let source = Source::parse("tasks.json", text.as_bytes()).unwrap();
    let backlog = source.backlog();
    let of = |tag: &partitur_formats::taskmaster::Tag<'_>| {
        tag.each().map(|task| format!("{}/{}", tag.name, tag.name_of(task))).collect::<Vec<_>>()
    };
    backlog.tags.iter().flat_map(of).collect()
}

/// What is ready in the first tag, the best first.
fn ready(text: &str, rule: Rule) -> Vec<String> {
    let source = Source::parse("tasks.json", text.as_bytes()).unwrap();
    let backlog = source.backlog();
    let tag = &backlog.tags[0];
    let references = tag.references();
    let standing = Standing::of(tag, &references, rule);
    let found = next(tag, &Order::of(tag, &references), &standing, &vec![1; tag.tasks.len()]);
    found.iter().map(|candidate| tag.name_of(candidate.task)).collect()
}

fn compat(text: &str) -> Option<String> {
    let source = Source::parse("tasks.json", text.as_bytes()).unwrap();
    let backlog = source.backlog();
    next_as_taskmaster(&backlog.tags[0]).map(|task| backlog.tags[0].name_of(task))
}

#[test]
fn every_shape_of_file_is_read() {
    let task = r#"{"id": 1, "title": "a"}"#;
    let tagged =
        format!(r#"{{"master": {{"tasks": [{task}], "metadata": {{}}}}, "sprint": {{"tasks": [{task}]}}}}"#);
    assert_eq!(ids(&tagged), ["master/1", "sprint/1"]);
    assert_eq!(ids(&format!(r#"{{"tasks": [{task}], "meta": {{"tasks": 3}}}}"#)), ["master/1"]);
    assert_eq!(
        ids(&format!(r#"{{"tasks": [{task}], "x": {{"tasks": [{task}], "created": ""}}}}"#)),
        ["master/1", "x/1"]
    );
    assert_eq!(ids(&format!("\u{feff}[{task}]")), ["master/1"]);
    assert_eq!(
        ids(&format!(r#"{{"version": "1.0", "tags": {{"a": {{}}}}, "a": {{"tasks": [{task}]}}}}"#)),
        ["a/1"]
    );
}

#[test]
fn ids_are_compared_as_they_are_written() {
    let text = r#"[
        {"id": "007", "subtasks": [{"id": 7.1}, {"id": 7.10}, {"id": "7.2", "dependencies": ["7.10", 2]}]},
        {"id": "task_001", "subtasks": [{"id": "task_001_1"}, {"id": "b", "dependencies": ["task_001_1"]}]},
        {"id": "ABC-12", "dependencies": ["7", "task_001", "7.1"]}
    ]"#;
    let all = ["7", "7.1", "7.10", "7.2", "task_001", "task_001.task_001_1", "task_001.b", "ABC-12"];
    assert_eq!(ids(text), all.map(|id| format!("master/{id}")));
    insta::assert_snapshot!(findings(text), @"2:102 P0156 master/7.2 subtask 7.2 depends on itself");
}

#[test]
fn what_a_dependency_means_depends_on_where_it_stands() {
    let text = r#"{"tasks": [
  {"id": 1},
  {"id": 2, "dependencies": [1, "5.1"]},
  {"id": 5, "dependencies": ["1"], "subtasks": [
    {"id": 1, "dependencies": []},
    {"id": 2, "dependencies": [1, "5.1", 2.0]},
    {"id": 3, "dependencies": [2, "4"]},
    {"id": 4, "dependencies": ["2", "9.1", 9]}
  ]},
  {"id": "9", "subtasks": [{"id": 2, "dependencies": [1]}]}
]}"#;
    insta::assert_snapshot!(findings(text), @r"
    6:35 P0157 master/5.2 subtask 5.2 depends on 5.1 twice
    6:42 P0155 master/5.2 subtask 5.2 depends on 2.0, which does not exist
    8:37 P0155 master/5.4 subtask 5.4 depends on 9.1, which does not exist
    8:44 P0160 master/5.4 subtask 5.4 depends on 9, which is no subtask of 5: task 9 is meant
    10:55 P0160 master/9.2 subtask 9.2 depends on 1, which is no subtask of 9: task 1 is meant
    ");
}

#[test]
fn cycles_are_told_apart_from_subtasks_that_wait_for_their_own_task() {
    let text = r#"{"tasks": [
  {"id": 1, "dependencies": [2]},
  {"id": 2, "dependencies": [3]},
  {"id": 3, "dependencies": [1]},
  {"id": 4, "subtasks": [{"id": 1, "dependencies": ["4"]}]},
  {"id": 5, "subtasks": [{"id": 1, "dependencies": ["6"]}]},
  {"id": 6, "dependencies": [5]},
  {"id": 7, "dependencies": ["7.1"], "subtasks": [{"id": 1}]},
  {"id": 8, "dependencies": [8, 8]}
]}"#;
    insta::assert_snapshot!(findings(text), @r"
    4:30 P0158 master/3 these wait for each other: 3 → 1 → 2 → 3
    5:53 P0159 master/4.1 these wait for each other (a task waits for its subtasks, and they for what it waits for): 4.1 → 4 → 4.1
    6:53 P0160 master/5.1 subtask 5.1 depends on 6, which is no subtask of 5: task 6 is meant
    7:30 P0159 master/6 these wait for each other (a task waits for its subtasks, and they for what it waits for): 6 → 5 → 5.1 → 6
    8:30 P0159 master/7 these wait for each other (a task waits for its subtasks, and they for what it waits for): 7 → 7.1 → 7
    9:30 P0156 master/8 task 8 depends on itself
    9:33 P0157 master/8 task 8 depends on 8 twice
    ");
}

#[test]
fn statuses_that_contradict_each_other_are_told() {
    let text = r#"{"tasks": [
  {"id": 1, "status": "done", "subtasks": [{"id": 1, "status": "pending"}, {"id": 2, "status": "completed"}]},
  {"id": 2, "status": "pending", "subtasks": [{"id": 1, "status": "done"}, {"id": 2, "status": "cancelled"}]},
  {"id": 3, "status": "done", "dependencies": [4]},
  {"id": 4, "status": "deferred"},
  {"id": 5, "status": "In_Progress", "dependencies": [4]},
  {"id": 6, "status": "todo", "priority": "P0"},
  {"id": 7, "priority": "HIGH", "dependencies": [6]}
]}"#;
    insta::assert_snapshot!(findings(text), @r"
    2:23 P0162 master/1 task 1 is done, and its subtasks are not: 1.1
    3:23 P0162 master/2 task 2 is pending, and all of its subtasks are done
    4:48 P0162 master/3 task 3 is done, and depends on 4, which is deferred
    5:23 P0163 master/4 task 4 is `deferred`, and open tasks wait for it: 5
    6:23 P0161 master/5 nobody knows the status `In_Progress`
    7:23 P0161 master/6 nobody knows the status `todo`
    7:23 P0163 master/6 task 6 is `todo`, and open tasks wait for it: 7
    7:43 P0161 master/6 nobody knows the priority `P0`
    8:25 P0161 master/7 nobody knows the priority `HIGH`
    ");
}

#[test]
fn what_is_no_task_and_no_list_is_told_where_it_stands() {
    let text = r#"{"a": {"tasks": {}}, "b": {"tasks": [
  7,
  {"title": "x", "dependencies": {"1": 1}},
  {"id": 1, "dependencies": [[1], null], "subtasks": "none"},
  {"id": 2, "id": 3, "subtasks": [{"id": 1, "subtasks": [{"id": 1}]}, {"id": "3.1"}]}
]}}"#;
    insta::assert_snapshot!(findings(text), @r"
    1:17 P0151 a/ the tasks of `a` are a mapping
    2:3 P0151 b/ a task is a single value
    3:3 P0153 b/[1] a task has no id
    3:34 P0151 b/[1] `dependencies` is a mapping
    4:30 P0151 b/1 a dependency is a list
    4:35 P0155 b/1 task 1 depends on null, which does not exist
    4:54 P0151 b/1 `subtasks` is a single value
    5:10 P0152 b/3 the key `id` is given twice
    5:57 P0151 b/3.1 a subtask has subtasks, which are not looked at
    5:78 P0154 b/3.1 task 3 has two subtasks 3.1
    ");
}

#[test]
fn a_file_without_tasks_is_none() {
    insta::assert_snapshot!(findings(r#"{"version": 1}"#), @"1:1 P0150 / this is no file of Taskmaster: it holds no list of tasks");
    insta::assert_snapshot!(findings("3"), @"1:1 P0150 / this is no file of Taskmaster: it holds no list of tasks");
    insta::assert_snapshot!(findings("{\"tasks\": []}"), @"");
    assert!(Source::parse("tasks.json", b"{\"tasks\": [").is_err());
}

#[test]
fn the_safe_changes_leave_every_other_byte() {
    let text = "\u{feff}{\"tasks\": [\r\n\t{\"id\": 1, \"dependencies\": [ 9 ,1, 2,2 , \"2\" ], \"x\" : 1.50},\r\n\t{ \"id\":2,\"dependencies\":[\r\n\t\t8,\r\n\t\t1\r\n\t], \"status\" : \"Pending\"},{\"id\": 3, \"dependencies\": [\n 8\n]}]}\n";
    let wanted = "\u{feff}{\"tasks\": [\r\n\t{\"id\": 1, \"dependencies\": [ 2 ], \"x\" : 1.50},\r\n\t{ \"id\":2,\"dependencies\":[\r\n\t\t1\r\n\t], \"status\" : \"pending\"},{\"id\": 3, \"dependencies\": []}]}\n";
    assert_eq!(mended(text), wanted);
    assert_eq!(mended(wanted), wanted);
}

#[test]
fn a_status_is_added_in_the_manner_of_the_other_keys() {
    let with = |text: &str| {
        let source = Source::parse("tasks.json", text.as_bytes()).unwrap();
        let bytes = source.with_status("master", "1", &Status::ALL, Status::Done).unwrap().unwrap();
        String::from_utf8(bytes).unwrap()
    };
    assert_eq!(
        with("[{\"id\": 1, \"title\": \"a\"}]"),
        "[{\"id\": 1, \"status\": \"done\", \"title\": \"a\"}]"
    );
    assert_eq!(with("[{\"id\":1}]"), "[{\"id\":1,\"status\":\"done\"}]");
    assert_eq!(
        with("[\n  {\n    \"title\" : \"a\",\n    \"id\" : 1\n  }\n]"),
        "[\n  {\n    \"title\" : \"a\",\n    \"id\" : 1,\n    \"status\" : \"done\"\n  }\n]"
    );
}

#[test]
fn a_status_that_somebody_else_has_changed_is_left() {
    use partitur_formats::taskmaster::StatusError;
    let source = Source::parse("tasks.json", b"[{\"id\": 1, \"status\": \"review\"}]").unwrap();
    let set = |task: &str, to| source.with_status("master", task, &[Status::Pending], to);
    let changed = StatusError::Changed { task: "1".to_owned(), found: Status::Review };
    assert_eq!(set("1", Status::Done), Err(changed));
    assert_eq!(set("1", Status::Review), Ok(None));
    assert_eq!(set("2", Status::Done), Err(StatusError::NoTask("2".to_owned())));
}

#[test]
fn what_can_be_done_becomes_a_document() {
    let text = r#"[
        {"id": 1, "title": "Read", "status": "done"},
        {"id": 2, "title": "Parse ${x}", "dependencies": [1], "subtasks": [{"id": 1}, {"id": 2, "dependencies": [1]}]},
        {"id": 3, "priority": "high", "dependencies": [2]},
        {"id": 4, "status": "blocked"}, {"id": 5, "dependencies": [4]}, {"id": 6, "dependencies": [99]}
    ]"#;
    let source = Source::parse("tasks.json", text.as_bytes()).unwrap();
    let backlog = source.backlog();
    let tag = &backlog.tags[0];
    let references = tag.references();
    let (order, standing) = (Order::of(tag, &references), Standing::of(tag, &references, Rule::default()));
    let reach = Reach::of(tag, &references, &order, &standing, Part::Open);
    let program = |task: u32, _: Role| vec!["echo".to_owned(), format!("${{task}} {}", tag.name_of(task))];
    let lowered = lower(
        tag,
        &order,
        &reach,
        &Lowering {
            name: "all".to_owned(),
            program: &program,
            locks: &|task| vec![format!("file:{task}")],
            millis: &vec![1000; tag.tasks.len()],
            attempts: 2,
            timeout: Some("5m".to_owned()),
        },
    );
    let document = crate::support::read("taskmaster.json", lowered.text.as_bytes(), &[]).unwrap();
    let scope = &document.definition.root;
    let name = |at: u32| scope.nodes[at as usize].name.clone();
    let edges: Vec<String> =
        scope.edges.iter().map(|edge| format!("{} → {}", name(edge.from), name(edge.to))).collect();
    assert_eq!(edges, ["2-begin → 2-1", "2-begin → 2-2", "2-1 → 2-2", "2-1 → 2", "2-2 → 2", "2 → 3"]);
    assert_eq!(reach.left_out.iter().map(|&task| tag.name_of(task)).collect::<Vec<_>>(), ["5", "6"]);
}

#[test]
fn the_best_of_what_is_ready_comes_first() {
    let text = r#"[
        {"id": 1, "status": "done"},
        {"id": 2, "dependencies": [1]},
        {"id": 3, "priority": "high"},
        {"id": 4, "priority": "high", "dependencies": [1]},
        {"id": 5, "dependencies": [4]}, {"id": 6, "dependencies": [5]},
        {"id": 7, "status": "in-progress", "priority": "low", "subtasks": [{"id": 1}, {"id": 2, "dependencies": [1]}]},
        {"id": 8, "status": "review", "subtasks": [{"id": 1}]},
        {"id": 9, "dependencies": [8]}, {"id": 10, "dependencies": ["10"]}, {"id": 11, "dependencies": [99]}
    ]"#;
    assert_eq!(ready(text, Rule::default()), ["7.1", "4", "3", "2"]);
}

#[test]
fn a_task_with_subtasks_is_begun_and_ended_around_them() {
    let text = r#"[
        {"id": 1},
        {"id": 2, "dependencies": [1], "subtasks": [{"id": 1}]},
        {"id": 3, "status": "pending", "subtasks": [{"id": 1, "status": "done"}]},
        {"id": 4, "dependencies": [3]},
        {"id": 5, "status": "cancelled"},
        {"id": 6, "dependencies": [5]}
    ]"#;
    assert_eq!(ready(text, Rule::default()), ["1", "4", "6"]);
    assert_eq!(ready(text, Rule { cancelled_satisfies: false }), ["1", "4"]);
}

#[test]
fn taskmasters_own_choice_is_reproduced() {
    let critical = r#"[{"id": 1, "priority": "high"}, {"id": 2, "priority": "critical"}]"#;
    assert_eq!(compat(critical).as_deref(), Some("2"));
    let cancelled = r#"[{"id": 1, "status": "cancelled"}, {"id": 2, "dependencies": [1]}]"#;
    assert_eq!(compat(cancelled), None);
    let completed = r#"[{"id": 1, "status": "completed"}, {"id": 2, "dependencies": [1]}]"#;
    assert_eq!(compat(completed), None);
    let subtasks_first = r#"[{"id": 1, "priority": "high"}, {"id": 2, "status": "in-progress", "subtasks": [
        {"id": 1, "status": "done"}, {"id": 2, "dependencies": [1]}, {"id": 3, "priority": "high", "dependencies": ["2.1"]}]}]"#;
    assert_eq!(compat(subtasks_first).as_deref(), Some("2.3"));
    let fewer_dependencies =
        r#"[{"id": 1, "status": "done"}, {"id": 2, "dependencies": [1]}, {"id": 10}, {"id": 4}]"#;
    assert_eq!(compat(fewer_dependencies).as_deref(), Some("4"));
    let exact_words =
        r#"[{"id": 1, "priority": "low"}, {"id": 2, "priority": "HIGH"}, {"id": 3, "priority": "high"}]"#;
    assert_eq!(compat(exact_words).as_deref(), Some("3"));
    // What it does not look at: that everything waits for 3.
    let unblocks = r#"[{"id": 2}, {"id": 3}, {"id": 4, "dependencies": [3]}]"#;
    assert_eq!(compat(unblocks).as_deref(), Some("2"));
    assert_eq!(ready(unblocks, Rule::default()), ["3", "2"]);
}

#[test]
fn a_diamond_of_many_layers_is_checked_at_once() {
    let task = |layer: u32, at: u32| {
        let before: Vec<u32> =
            if layer == 0 { Vec::new() } else { (0..4).map(|it| (layer - 1) * 4 + it).collect() };
        json!({"id": layer * 4 + at, "title": "x", "status": "pending", "dependencies": before})
    };
    let layers = |count: u32| {
        let tasks: Vec<Value> = (0..count).flat_map(|layer| (0..4).map(move |at| task(layer, at))).collect();
        json!({"master": {"tasks": tasks}}).to_string()
    };
    // A search without memory would look at 4 to the power of 100 ways.
    for count in [14, 100] {
        let text = layers(count);
        assert_eq!(findings(&text), "");
    }
}

#[test]
fn every_code_has_a_page_whose_example_gives_it() {
    for code in codes::ALL {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/errors/{code}.md"));
        let page = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{code} has no page"));
        let (_, rest) = page.split_once("```json refused\n").expect("an example");
        let (example, _) = rest.split_once("```").unwrap();
        let found = findings(example);
        assert!(!found.is_empty() && found.lines().all(|line| line.contains(code)), "{code}: {found}");
    }
}

/// JSON with spaces, as somebody may have written it by hand.
fn written(value: &Value, spaces: &mut impl Iterator<Item = &'static str>) -> String {
    let mut space = |out: &mut String| out.push_str(spaces.next().unwrap_or(" "));
    let mut out = String::new();
    space(&mut out);
    match value {
        Value::Array(parts) => {
            out.push('[');
            let parts: Vec<String> = parts.iter().map(|part| written(part, spaces)).collect();
            out += &parts.join(",");
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            let member = |(key, value): (&String, &Value)| {
                let key = written(&json!(key), spaces);
                format!("{key}:{}", written(value, spaces))
            };
            let parts: Vec<String> = members.iter().map(member).collect();
            out += &parts.join(",");
            out.push('}');
        }
        scalar => out += &scalar.to_string(),
    }
    out.push_str(spaces.next().unwrap_or(""));
    out
}

fn task(id: u32) -> impl Strategy<Value = Value> {
    let status = prop_oneof![
        Just(json!("pending")),
        Just(json!("in-progress")),
        Just(json!("done")),
        Just(Value::Null)
    ];
    let dependencies = proptest::collection::vec(0u32..8, 0..5);
    let foreign = prop_oneof![
        Just(json!({})),
        Just(json!({"x": [1.5, "\u{e9}\"\\,]}"]})),
        Just(json!({"estimate": "3d"}))
    ];
    (status, dependencies, foreign, any::<bool>()).prop_map(move |(status, dependencies, foreign, said)| {
        let mut task = json!({"id": id, "title": "a, \"b\" ]", "dependencies": dependencies});
        if said {
            task["status"] = status;
        }
        for (key, value) in foreign.as_object().unwrap() {
            task[key] = value.clone();
        }
        task
    })
}

const SPACES: [&str; 5] = ["", " ", "\n  ", "\t", "\r\n"];

fn file() -> impl Strategy<Value = (Value, String)> {
    let tasks = (1..6u32).prop_flat_map(|count| (0..count).map(task).collect::<Vec<_>>());
    (tasks, proptest::collection::vec(0..SPACES.len(), 0..40)).prop_map(|(tasks, spaces)| {
        let value = json!({"master": {"tasks": tasks, "metadata": {"x": 1}}});
        let mut spaces = spaces.into_iter().map(|at| SPACES[at]);
        let text = written(&value, &mut spaces);
        (value, text)
    })
}

proptest! {
    /// The oracle edits the value; the text is edited byte by byte and must read as the same.
    #[test]
    fn a_status_is_written_and_nothing_else_changes((mut value, text) in file(), at in 0usize..6) {
        let source = Source::parse("tasks.json", text.as_bytes()).unwrap();
        let count = value["master"]["tasks"].as_array().unwrap().len();
        let written = source.with_status("master", &at.to_string(), &Status::ALL, Status::Review);
        if at >= count {
            prop_assert!(written.is_err());
            return Ok(());
        }
        let bytes = written.unwrap().expect("no task was in review");
        value["master"]["tasks"][at]["status"] = json!("review");
        let edited = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&edited).unwrap(), value);
        // What is before and behind the one place is as it was.
        let same = text.bytes().zip(edited.bytes()).take_while(|(a, b)| a == b).count();
        let rest = text.bytes().rev().zip(edited.bytes().rev()).take_while(|(a, b)| a == b).count();
        prop_assert!(same + rest + "\"in-progress\"".len() >= text.len());
    }

    /// The oracle keeps of each list what exists, is another task, and was not there before.
    #[test]
    fn safe_changes_leave_what_can_be_waited_for((mut value, text) in file()) {
        let tasks = value["master"]["tasks"].as_array_mut().unwrap();
        let count = tasks.len() as u64;
        for (own, task) in (0..).zip(tasks) {
            let mut kept: Vec<u64> = Vec::new();
            for id in task["dependencies"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()) {
                if id < count && id != own && !kept.contains(&id) {
                    kept.push(id);
                }
            }
            task["dependencies"] = json!(kept);
        }
        let edited = mended(&text);
        prop_assert_eq!(serde_json::from_str::<Value>(&edited).unwrap(), value);
        prop_assert_eq!(mended(&edited), edited);
    }

    /// Without cycles everything can be done in the order of `next`, one after the other.
    #[test]
    fn doing_what_is_next_comes_to_an_end((value, _) in file()) {
        let mut value = value;
        let tasks = value["master"]["tasks"].as_array_mut().unwrap();
        let count = tasks.len();
        for (own, task) in (0u64..).zip(tasks.iter_mut()) {
            let earlier = task["dependencies"].as_array().unwrap().iter().filter(|id| id.as_u64().unwrap() < own);
            task["dependencies"] = json!(earlier.collect::<Vec<_>>());
            task["status"] = json!("pending");
        }
        for _ in 0..count {
            let ready = ready(&value.to_string(), Rule::default());
            let best: usize = ready.first().expect("something is ready").parse().unwrap();
            value["master"]["tasks"][best]["status"] = json!("done");
        }
        prop_assert!(ready(&value.to_string(), Rule::default()).is_empty());
    }
}
