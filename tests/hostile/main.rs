//! Tasks that behave badly hurt only themselves, and hostile values stay values.

use partitur_tests::{Ended, Place, living, wait_for};
use serde_json::{Value, json};

/// A chain of well-behaved tasks, beside which another does what it likes.
fn beside(name: &str, task: Value) -> Value {
    let mut tasks = json!({ name: task });
    for index in 0..20 {
        tasks[format!("good{index}")] = match index {
            0 => json!({ "run": ["./task", "work", "--ms", "5"] }),
            _ => json!({ "run": ["./task", "work", "--ms", "5"], "needs": [format!("good{}", index - 1)] }),
        };
    }
    json!({ "name": "beside", "tasks": tasks })
}

/// Runs it; the well-behaved tasks have all succeeded, and nothing of the others is left.
fn run_beside(place: &Place, name: &str, task: Value) -> Ended {
    place.write("flow.json", beside(name, task).to_string());
    let ended = place.run(&["run", "flow.json", "--json"]);
    let good = ended.tasks("success").into_iter().filter(|task| task.starts_with("good")).count();
    assert_eq!(good, 20, "{name}: {}\n{}", ended.stderr, tail(&ended.stdout));
    let left = living(place.path());
    assert!(left.is_empty(), "{name}: {left:#?}");
    ended
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..]
        .iter()
        .map(|line| line.chars().take(300).collect::<String>())
        .collect()
}

fn sh(script: &str) -> Value {
    json!({ "run": script })
}

#[test]
fn a_task_that_floods_its_output_fills_neither_memory_nor_disk() {
    let place = Place::new();
    let flood = "yes 'a line that says nothing, again and again' | head -c 200000000
yes | head -c 5000000 >&2
touch flooded
while [ ! -e seen ]; do sleep 0.01; done";
    place.write("flow.json", beside("flood", sh(flood)).to_string());
    let terminal = place.start(&["run", "flow.json", "-q"]);
    wait_for("the flood", || place.path().join("flooded").exists().then_some(()));
    let memory = place.json(&["status", "--json"])["status"]["memory_bytes"].as_u64().expect("a number");
    assert!(memory < 150 << 20, "the host has grown to {memory} bytes");
    place.write("seen", "");
    let ended = terminal.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let log = std::fs::metadata(place.state().join("runs/1.log")).expect("a log").len();
    assert!(log < 80 << 20, "the log has {log} bytes");
}

#[test]
fn tasks_that_fork_ignore_signals_or_close_their_pipes_hurt_only_themselves() {
    let place = Place::new();
    let forks = "for i in 1 2 3 4 5 6 7 8 9 10; do (trap '' TERM HUP; setsid sleep 1000 & sleep 1000) & done; echo done";
    assert_eq!(run_beside(&place, "bad", sh(forks)).tasks("success").len(), 21, "its own work is done");

    let closes = "exec 0<&- 1>&- 2>&-; sleep 0.05";
    assert_eq!(
        run_beside(&place, "bad", sh(closes)).tasks("success").len(),
        21,
        "nothing to say is no failure"
    );

    let mut ignores =
        sh("trap '' TERM HUP INT; (trap '' TERM; sleep 1000) & while true; do sleep 1000; done");
    ignores["timeout"] = json!("300ms");
    let ended = run_beside(&place, "bad", ignores);
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.tasks("timeout"), ["bad"], "{}", tail(&ended.stdout));

    let garbage = sh("head -c 100000 /dev/urandom; printf '\\033[2J\\0\\377'; head -c 3000000 /dev/zero >&2");
    assert_eq!(run_beside(&place, "bad", garbage).tasks("success").len(), 21);

    let kills = sh("kill -9 -$$ ; kill -9 $$");
    assert_eq!(run_beside(&place, "bad", kills).tasks("failure"), ["bad"]);
}

#[test]
fn a_task_cannot_reach_the_host_by_its_descriptors() {
    let place = Place::new();
    let mut list = sh("for fd in /proc/self/fd/*; do readlink \"$fd\" || true; done");
    list["output"] = json!("lines");
    let mut flow = beside("list", list);
    flow["outputs"] = json!({ "open": "${list.output}" });
    place.write("flow.json", flow.to_string());
    let ended = place.run(&["run", "flow.json", "--json"]);
    let open: Vec<Value> = ended.output()["open"].as_array().cloned().expect("a list");
    let is_own = |link: &str| link == "/dev/null" || link.starts_with("pipe:") || link.starts_with("/proc/");
    assert!(open.iter().all(|link| is_own(link.as_str().unwrap_or("?"))), "{open:?}");
}

/// Texts that mean something to a shell, to a parser, or to us.
const VALUES: &[&str] = &[
    "",
    " ",
    "plain",
    "two words",
    " leading and trailing ",
    "a\nb\n",
    "\n",
    "tab\there",
    "'",
    "\"",
    "'\"'\"'",
    "\\",
    "\\\\ \\n \\0",
    "$HOME ${HOME} $(touch pwned) `touch pwned`",
    "\"; touch pwned; echo \"",
    "'; touch pwned; echo '",
    "a & touch pwned | touch pwned && touch pwned || touch pwned",
    "> pwned",
    "$((1+1)) $[1+1]",
    "* ? [a-z] ~ ~root {a,b}",
    "!! !x #comment",
    "-n -e --help",
    "${inputs.value} $${inputs.value} ${self.output}",
    "%s %n %d",
    "=x a=b",
    "é ü 漢字 \u{1F600} \u{202e}",
    "\u{7f}\u{1b}[31m\r",
    "$'\\x41' $\"x\"",
    "<(touch pwned) >(touch pwned)",
    "EOF\ntouch pwned\n",
];

/// Where a value may stand in a script: what stands before, the place, and what is to be seen for the value `V`.
const CONTEXTS: &[(&str, &str)] = &[
    ("./task argv ${inputs.value}", "V"),
    ("./task argv \"${inputs.value}\"", "V"),
    ("./task argv '${inputs.value}'", "V"),
    ("./task argv x${inputs.value}y", "xVy"),
    ("./task argv \"x ${inputs.value} y\"", "x V y"),
    ("./task argv 'x '\"${inputs.value}\"' y'", "x V y"),
    ("./task argv --name=${inputs.value}", "--name=V"),
    ("./task argv 'say \"${inputs.value}\"'", "say \"V\""),
    ("./task argv \"it's ${inputs.value}\"", "it's V"),
    ("kept=${inputs.value}; ./task argv \"$kept\"", "V"),
    ("export KEPT=\"${inputs.value}\"; ./task argv \"$KEPT\"", "V"),
    ("f() { ./task argv \"$1\"; }; f ${inputs.value}", "V"),
    ("for one in ${inputs.value}; do ./task argv \"$one\"; done", "V"),
    ("if true; then ./task argv ${inputs.value}; fi", "V"),
    ("( ./task argv ${inputs.value} )", "V"),
    ("case ${inputs.value} in '') ./task argv '' ;; *) ./task argv ${inputs.value} ;; esac", "V"),
    ("./task argv \"$(printf '%sx' ${inputs.value})\"", "Vx"),
    ("./task argv \"$(printf '%sx' \"${inputs.value}\")\"", "Vx"),
    ("kept=kept.$$; printf '%s' ${inputs.value} > $kept; ./task argv \"$(cat $kept; echo x)\"", "Vx"),
];

/// The output of a flow to which all of the values are given.
fn with_values(place: &Place, mut flow: Value) -> Value {
    flow["inputs"] = json!({ "values": "list" });
    place.write("flow.json", flow.to_string());
    place.write("values.json", json!({ "values": VALUES }).to_string());
    let ended = place.run(&["run", "flow.json", "--json", "-j", "4", "--input-file", "values.json"]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stderr, tail(&ended.stdout));
    ended.output()
}

#[test]
fn hostile_values_arrive_unchanged_in_every_quoting_context_of_sh_and_bash() {
    let place = Place::new();
    let (mut tasks, mut outputs, mut expected) = (json!({}), json!({}), Vec::new());
    for shell in ["sh", "bash"] {
        for (place, (script, seen)) in CONTEXTS.iter().enumerate() {
            let task = format!("{shell}{place}");
            tasks[&task] = json!({
                "for-each": "${inputs.values}",
                "shell": shell,
                "run": script.replace("inputs.value", "each.value"),
            });
            outputs[&task] = json!(format!("${{{task}.output}}"));
            expected.push((task, *script, *seen));
        }
    }
    let output = with_values(&place, json!({ "tasks": tasks, "outputs": outputs }));
    for (task, script, seen) in expected {
        for (branch, value) in VALUES.iter().enumerate() {
            let argv = &output[&task][branch]["argv"];
            assert_eq!(argv, &json!([seen.replace('V', value)]), "{task}: {script} with {value:?}");
        }
    }
    assert!(!place.path().join("pwned").exists(), "a value was executed");
}

#[test]
fn hostile_values_arrive_unchanged_from_the_command_line() {
    let place = Place::new();
    let run = "./task argv ${inputs.value} \"${inputs.value}\" '${inputs.value}'";
    let flow = json!({
        "inputs": { "value": "string" },
        "tasks": { "say": { "run": run } },
        "outputs": { "said": "${say.output.argv}" },
    });
    place.write("flow.json", flow.to_string());
    for value in VALUES {
        let ended = place.run(&["run", "flow.json", "--json", "--input", &format!("value={value}")]);
        assert_eq!(ended.code, Some(0), "{value:?}: {}", ended.stderr);
        assert_eq!(ended.output()["said"], json!([value, value, value]), "{value:?}");
    }
    assert!(!place.path().join("pwned").exists(), "a value was executed");
}

#[test]
fn hostile_values_arrive_unchanged_as_arguments_variables_files_and_standard_input() {
    let place = Place::new();
    let flow = json!({
        "tasks": {
            "argv": { "for-each": "${inputs.values}", "run": ["./task", "argv", "${each.value}", "x${each.value}y"] },
            "variable": {
                "for-each": "${inputs.values}",
                "env": { "GIVEN": "${each.value}" },
                "run": "./task argv \"$GIVEN\"",
            },
            "stdin": { "for-each": "${inputs.values}", "stdin": "${each.value}x", "run": "./task argv \"$(cat)\"" },
        },
        "outputs": { "argv": "${argv.output}", "variable": "${variable.output}", "stdin": "${stdin.output}" },
    });
    let output = with_values(&place, flow);
    for (branch, value) in VALUES.iter().enumerate() {
        assert_eq!(output["argv"][branch]["argv"], json!([value, format!("x{value}y")]), "{value:?}");
        assert_eq!(output["variable"][branch]["argv"], json!([value]), "{value:?}");
        assert_eq!(output["stdin"][branch]["argv"], json!([format!("{value}x")]), "{value:?}");
    }
}

#[test]
fn where_a_value_could_be_executed_the_document_is_refused() {
    let place = Place::new();
    for script in [
        "echo `echo ${inputs.value}`",
        "cat <<EOF\n${inputs.value}\nEOF",
        "echo $((${inputs.value} + 1))",
        "echo ${x:-${inputs.value}}",
    ] {
        let flow = json!({ "inputs": { "value": "string" }, "tasks": { "a": { "run": script } } });
        place.write("flow.json", flow.to_string());
        let ended = place.run(&["run", "flow.json", "--input", "value=1"]);
        assert_eq!(ended.code, Some(3), "{script}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("error[P01"), "{script}: {}", ended.stderr);
    }
    assert!(!place.state().exists(), "what is refused leaves nothing");
}
