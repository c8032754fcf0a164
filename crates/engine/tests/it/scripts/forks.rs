//! Forks: many branches, joins, forks that close, and going back into them.

use partitur_model::Payload;
use partitur_model::definition::{Concurrency, Items, Node, Template, TemplateTree, Trigger};

use crate::lab::Lab;
use crate::script::*;

#[test]
fn one_branch_of_ten_thousand_fails_and_is_retried() {
    let fan = each("fan", r#""${list.output.all}""#, graph("", vec![task("fan")]));
    let mut lab = Lab::with_concurrency(100_000);
    (lab.recovers, lab.checks) = (false, false);
    lab.submit(flow(graph("list -> fan -> z", vec![task("list"), fan])));
    let numbers: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let told = lab.text_input(&format!(r#"list ok {{"all":[{}]}}"#, numbers.join(",")));
    assert_eq!(told.len(), 10_001);
    for number in (0..10_000).filter(|number| *number != 4_711) {
        lab.text_input(&format!("fan[{number}] ok"));
    }
    lab.script(
        "1s fan[4711] fail => fan[4711] failed, fan failed, z skipped, run failed
         2s retry => dispatch fan[4711]#1
         3s fan[4711] ok => fan[4711] succeeded, fan succeeded, dispatch z#1
         4s z ok => z succeeded, run succeeded",
    );
    (lab.recovers, lab.checks) = (true, true);
    lab.text_input("tick");
}

#[test]
fn a_fork_that_fails_fast_cancels_its_other_branches() {
    let fan = forking(each("fan", r#"["a","b","c"]"#, graph("p -> q", vec![])), |fan| fan.fail_fast = true);
    check_with(
        flow(graph("fan -> z, fan -! mend", vec![fan])),
        2,
        "dispatch fan[a]/p#1, dispatch fan[b]/p#1",
        "1s fan[a]/p fail => fan[a]/p failed, fan[a]/q cancelled, stop fan[b]/p, fan[b]/q cancelled, fan[c]/p cancelled, fan[c]/q cancelled
         2s fan[b]/p ok => fan[b]/p cancelled, fan failed, z skipped, dispatch mend#1
         3s mend ok => mend succeeded, run failed
         4s retry => dispatch fan[a]/p#1, dispatch fan[b]/p#1
         5s fan[a]/p ok => fan[a]/p succeeded, dispatch fan[c]/p#1
         6s crash => dispatch fan[a]/q#1, dispatch fan[b]/p#1
         7s fan[b]/p ok => fan[b]/p succeeded, dispatch fan[c]/p#1
         8s fan[c]/p ok => fan[c]/p succeeded, dispatch fan[b]/q#1
         9s fan[a]/q ok => fan[a]/q succeeded, dispatch fan[c]/q#1
         10s fan[b]/q ok => fan[b]/q succeeded
         11s fan[c]/q ok => fan[c]/q succeeded, fan succeeded, mend skipped, dispatch z#1
         12s z ok => z succeeded, run succeeded",
    );
}

#[test]
fn cancelling_a_fork_cancels_what_is_in_it() {
    let inner = each("inner", "[1,2]", graph("", vec![task("inner")]));
    let fan = each("fan", r#"["a","b"]"#, graph("p -> inner", vec![task("p"), inner]));
    check(
        flow(graph("fan -> z, side", vec![fan])),
        "dispatch fan[a]/p#1, dispatch fan[b]/p#1, dispatch side#1",
        "1s fan[a]/p ok => fan[a]/p succeeded, dispatch fan[a]/inner[1]#1, dispatch fan[a]/inner[2]#1
         2s cancel fan => stop fan[a]/inner[1], stop fan[a]/inner[2], stop fan[b]/p, fan[b]/inner cancelled
         3s fan[a]/inner[1] ok => fan[a]/inner[1] cancelled
         4s fan[a]/inner[2] fail => fan[a]/inner[2] cancelled, fan[a]/inner cancelled
         5s fan[b]/p fail => fan[b]/p cancelled, fan cancelled, z skipped
         6s side ok => side succeeded, run failed
         7s rerun fan => dispatch fan[a]/p#1, dispatch fan[b]/p#1
         8s cancel fan[a]/p => stop fan[a]/p
         9s fan[a]/p fail => fan[a]/p cancelled, fan[a]/inner skipped
         10s fan[b]/p fail => fan[b]/p failed, fan[b]/inner skipped, fan failed, z skipped, run failed",
    );
}

#[test]
fn so_many_branches_at_once_and_no_more() {
    let fan = forking(each("fan", "[1,2,3]", graph("", vec![task("fan")])), |fan| fan.max_parallel = Some(2));
    check(
        flow(graph("fan", vec![fan])),
        "dispatch fan[1]#1, dispatch fan[2]#1",
        "1s fan[1] fail => fan[1] failed, dispatch fan[3]#1
         2s crash => dispatch fan[2]#1, dispatch fan[3]#1
         3s fan[2] ok => fan[2] succeeded
         4s fan[3] ok => fan[3] succeeded, fan failed, run failed
         5s retry => dispatch fan[1]#1
         6s cancel => stop fan[1]
         7s fan[1] fail => fan[1] cancelled, fan cancelled, run cancelled
         8s retry => dispatch fan[1]#1",
    );
}

#[test]
fn who_waits_longest_is_who_waits_longest_after_a_crash_too() {
    let inner = |name: &str| repeat_over(name, "[1]", graph("", vec![locked("work", "it")]));
    let fan = each("fan", r#"["x"]"#, graph("", vec![inner("one"), inner("two")]));
    check(
        flow(graph("p -> fan, q -> fan", vec![task("p"), task("q"), fan, locked("holder", "it")])),
        "dispatch p#1, dispatch q#1, dispatch holder#1",
        "1s p ok => p succeeded
         2s q ok => q succeeded
         3s holder ok => holder succeeded, dispatch fan[x]/one#1/work#1
         4s fan[x]/one#1/work ok => fan[x]/one#1/work succeeded, fan[x]/one succeeded, dispatch fan[x]/two#1/work#1",
    );
}

#[test]
fn who_needs_only_the_first_waits_since_the_first_has_arrived() {
    let first = Node { trigger: Trigger::Any, ..locked("first", "it") };
    let root = graph(
        "holder, a -> first, b -> first, c -> d",
        vec![locked("holder", "it"), first, locked("d", "it")],
    );
    check(
        flow(root),
        "dispatch a#1, dispatch b#1, dispatch c#1, dispatch holder#1",
        "1s a ok => a succeeded
         2s c ok => c succeeded
         3s b ok => b succeeded
         4s holder ok => holder succeeded, dispatch first#1
         5s first ok => first succeeded, dispatch d#1",
    );
}

#[test]
fn a_run_has_slots_of_its_own() {
    let mut definition = flow(graph("a, b, c", vec![]));
    definition.concurrency = Some(Concurrency { min: 1, max: 2 });
    check(
        definition,
        "dispatch a#1, dispatch b#1",
        "1s pause => 
         2s a ok => a succeeded
         3s unpause => dispatch c#1
         4s b fail => b failed
         5s c ok => c succeeded, run failed",
    );
}

#[test]
fn branches_of_a_matrix_and_of_batches() {
    let grid = forking(each("grid", "[]", graph("", vec![task("grid")])), |grid| {
        let axis = |text: &str| TemplateTree(Payload::parse(text).expect("JSON"));
        let axes = vec![("os".into(), axis(r#"["l","m"]"#)), ("db".into(), axis("[1,2]"))];
        grid.items = Items::Matrix(axes);
        grid.key = Some(Template("${matrix.os}${matrix.db}".into()));
    });
    let packs = forking(each("packs", "[1,2,3]", graph("", vec![task("packs")])), |packs| {
        (packs.batch, packs.key) = (Some(2), None);
    });
    check(
        flow(graph("grid, packs", vec![grid, packs])),
        "dispatch grid[l1]#1, dispatch packs[0]#1, dispatch grid[l2]#1, dispatch packs[1]#1, dispatch grid[m1]#1, dispatch grid[m2]#1",
        "1s grid[l1] ok => grid[l1] succeeded
         2s packs[1] ok => packs[1] succeeded",
    );
}

#[test]
fn equal_keys_are_made_unique() {
    let fan = each("fan", r#"["x","x","y"]"#, graph("", vec![task("fan")]));
    check(
        flow(graph("fan", vec![fan])),
        "dispatch fan[x]#1, dispatch fan[x~2]#1, dispatch fan[y]#1",
        "1s fan[x~2] fail => fan[x~2] failed
         2s fan[x] ok => fan[x] succeeded
         3s fan[y] ok => fan[y] succeeded, fan failed, run failed
         4s retry => dispatch fan[x~2]#1",
    );
}

#[test]
fn a_join_fails_with_the_first_or_waits_for_all() {
    let nodes = || vec![task("a"), task("b"), join("fast", false), join("slow", true)];
    let text = "a -* fast, b -* fast, a -* slow, b -* slow, fast -> f, slow -> s, slow -! mend";
    check(
        flow(graph(text, nodes())),
        "dispatch a#1, dispatch b#1",
        "1s a fail => a failed, fast failed, f skipped
         2s b ok => b succeeded, slow failed, s skipped, dispatch mend#1
         3s mend ok => mend succeeded, run failed
         4s retry => dispatch a#1
         5s a ok => a succeeded, fast succeeded, slow succeeded, mend skipped, dispatch f#1, dispatch s#1
         6s f ok => f succeeded
         7s s ok => s succeeded, run succeeded
         8s rerun b => dispatch b#1
         9s b ok => b succeeded, fast succeeded, slow succeeded, mend skipped, dispatch f#1, dispatch s#1",
    );
}

#[test]
fn an_optional_failure_is_none_for_join_and_run() {
    let optional = Node { optional: true, ..task("a") };
    check(
        flow(graph("a -* j, b -* j, j -> z, a -> next", vec![optional, task("b"), join("j", false)])),
        "dispatch a#1, dispatch b#1",
        "1s a fail => a failed, dispatch next#1
         2s b ok => b succeeded, j succeeded, dispatch z#1
         3s next ok => next succeeded
         4s z ok => z succeeded, run succeeded",
    );
}

#[test]
fn the_output_of_a_join_is_that_of_its_predecessors() {
    let mut definition = flow(graph("a -* j, b -* j", vec![task("a"), task("b"), join("j", true)]));
    definition.outputs = vec![("both".into(), Template("${j.output}".into()))];
    let mut lab = Lab::new();
    lab.submit(definition);
    lab.text_input(r#"b ok {"n":2}"#);
    lab.text_input(r#"a ok {"n":1}"#);
    assert_eq!(lab.output(1), r#"{"both":{"a":{"n":1},"b":{"n":2}}}"#);
}

#[test]
fn a_branch_that_is_rerun_leaves_the_others_alone() {
    let fan = each("fan", r#"["a","b"]"#, graph("p -> q", vec![]));
    check(
        flow(graph("fan -> z", vec![fan])),
        "dispatch fan[a]/p#1, dispatch fan[b]/p#1",
        "1s fan[a]/p ok => fan[a]/p succeeded, dispatch fan[a]/q#1
         2s fan[b]/p ok => fan[b]/p succeeded, dispatch fan[b]/q#1
         3s fan[a]/q ok => fan[a]/q succeeded
         4s fan[b]/q fail => fan[b]/q failed, fan failed, z skipped, run failed
         5s rerun fan[a]/q => dispatch fan[a]/q#1
         6s fan[a]/q ok => fan[a]/q succeeded, fan failed, z skipped, run failed
         7s retry => dispatch fan[b]/q#1
         8s fan[b]/q ok => fan[b]/q succeeded, fan succeeded, dispatch z#1
         9s z ok => z succeeded, run succeeded",
    );
}

#[test]
fn a_fork_without_a_list_fails_with_a_reason() {
    let fan = each("fan", r#""${a.output.nothing}""#, graph("", vec![task("fan")]));
    let mut lab = Lab::new();
    lab.submit(flow(graph("a -> fan -> z", vec![task("a"), fan])));
    lab.script("1s a ok => a succeeded, fan failed, z skipped, run failed");
    let fan = lab.rows.tasks.values().find(|task| &*task.path == "fan").unwrap();
    assert_eq!(fan.error.as_ref().unwrap().code, "not-a-list");
}
