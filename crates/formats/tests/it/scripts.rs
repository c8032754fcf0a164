//! Values in scripts: whatever they are, they arrive unchanged and are never executed.

use std::path::Path;
use std::process::Command;

use partitur_model::definition::{Kind, Program};
use proptest::prelude::*;

use crate::support::{refused, yaml};

/// Values that have hurt people.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "a b",
    "  a  b  ",
    "*",
    "?",
    "[a-z]*",
    "$(touch pwned)",
    "`touch pwned`",
    "${HOME}",
    "$HOME",
    "$$",
    "'",
    "\"",
    "\\",
    "\\\\",
    "\\'",
    "'\"'\"'",
    "a'b\"c",
    "; touch pwned",
    "\ntouch pwned\n",
    "a\nb",
    "a\n",
    "&& touch pwned",
    "| touch pwned",
    "> pwned",
    "< /dev/null",
    "& touch pwned &",
    "-n",
    "-e",
    "--",
    "-",
    "#x",
    "# x",
    "~",
    "~root",
    "!",
    "!!",
    "é€\u{1f3b5}",
    "%s%n",
    "\t",
    "{a,b}",
    "(",
    ")",
    "x)",
    "esac",
    "EOF",
    "\\n",
    "\\c",
    "a[$(touch pwned)]",
    "${inputs.v}",
    "PARTITUR_VALUE_1",
    "=",
    "a=b",
    "\u{7f}",
    "\r\n",
    "}",
    "${",
];

/// Scripts that print `<before>value<after>`, and what stands before and after. `@` is the value.
const CONTEXTS: &[(&str, &str, &str)] = &[
    ("printf '%s' @", "", ""),
    ("printf '%s' \"@\"", "", ""),
    ("printf '%s' '@'", "", ""),
    ("printf '%s' a@b", "a", "b"),
    ("printf '%s' \"a @ b\"", "a ", " b"),
    ("printf '%s' 'a @ b'", "a ", " b"),
    ("printf '%s' \"it's '@'\"", "it's '", "'"),
    ("printf '%s' 'say \"@\"'", "say \"", "\""),
    ("printf '%s' 'it'\"'\"'s @'", "it's ", ""),
    ("printf '%s' \\'@\\'", "'", "'"),
    ("printf '%s' \"\\\"@\\\"\"", "\"", "\""),
    ("x=@; printf '%s' \"$x\"", "", ""),
    ("x=\"@\" ; printf '%s' \"$x\"", "", ""),
    ("printf '%s' \"$(printf '%s' @; echo .)\"", "", "."),
    ("printf '%s' \"$(printf '%s' \"@\"; echo .)\"", "", "."),
    ("printf '%s' \"$(printf '%s' '@'; echo .)\"", "", "."),
    ("printf '%s' \"$(printf '%s' \"$(printf '%s' @; echo .)\")\"", "", "."),
    ("printf '%s' @ # a comment with a ' and @", "", ""),
    ("# it's a comment: \"@\nprintf '%s' @", "", ""),
    ("if true; then printf '%s' @; fi", "", ""),
    ("for f in @; do printf '%s' \"$f\"; done", "", ""),
    ("f() { printf '%s' \"$1\"; }\nf @", "", ""),
    ("set -- @ b; [ $# = 2 ]; printf '%s' \"$1\"", "", ""),
    ("true && (printf '%s' @)", "", ""),
    ("case @ in nothing) ;; esac; printf '%s' @", "", ""),
    ("case @ in @) printf '%s' \"@\";; esac", "", ""),
    ("printf '%s' \"$(case x in x) printf '%s' \"@\";; esac; echo .)\"", "", "."),
    ("printf '%s' \"$(case x in (x) printf '%s' @;; esac; echo .)\"", "", "."),
    ("printf '%s' \"$(if true; then case x in a) :;; x) printf '%s' '@';; esac; fi; echo .)\"", "", "."),
    ("cat > /dev/null <<EOF\nit's $(echo \"a\") `echo b`\nEOF\nprintf '%s' @", "", ""),
    ("cat > /dev/null <<-'EOF' && printf '%s' @\n\ta ' \" $(\n\tEOF\n", "", ""),
    ("printf '%s' \"${NOTHING:-x}\" > /dev/null; printf '%s' @", "", ""),
    ("n=$((1 + (2 * 3))); printf '%s' @", "", ""),
    ("[ x@ = x@ ]; printf '%s' @", "", ""),
    ("echo `echo \"it's\"` > /dev/null; printf '%s' @", "", ""),
    ("printf '%s' a\\\n@", "a", ""),
    ("{ printf '%s' @; } 2>&1", "", ""),
    ("printf '%s' @ | cat", "", ""),
    ("printf '%s' $$ > /dev/null; printf '%s' @", "", ""),
    ("printf '%s' $# > /dev/null; printf '%s' @", "", ""),
    ("echo a#b > /dev/null; printf '%s' @", "", ""),
];

/// The same, for shells with more syntax.
const BASH_CONTEXTS: &[(&str, &str, &str)] = &[
    ("[[ @ == nothing ]] || printf '%s' @", "", ""),
    ("[[ x@ == \"x@\" ]] && printf '%s' @", "", ""),
    ("cat > /dev/null <<< @; printf '%s' \"@\"", "", ""),
    ("a=(@ z); printf '%s' \"${a[0]}\"", "", ""),
    ("a[1]=@; printf '%s' \"${a[1]}\"", "", ""),
    ("printf '%s' $'a\\tb' @ | sed 's/^a\tb//'", "", ""),
    ("cat <(printf '%s' @)", "", ""),
];

fn lowered(script: &str, shell: &str) -> Result<(String, Vec<(String, String)>), String> {
    let quoted = serde_json::Value::from(script).to_string();
    let text = format!(
        r#"{{"inputs": {{"v": "string"}}, "tasks": {{"a": {{"shell": "{shell}", "run": {quoted}}}}}}}"#
    );
    let document = crate::support::read("flow.json", text.as_bytes(), &[])?;
    let Kind::Command(command) = &document.definition.root.nodes[0].kind else { panic!("a command") };
    let Program::Shell { script, vars, .. } = &command.program else { panic!("a script") };
    Ok((script.clone(), vars.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect()))
}

fn run(shell: &str, script: &str, variable: Option<&str>, value: &str, dir: &Path) -> std::process::Output {
    let mut command = Command::new(shell);
    command.args(["-e", "-c", script]).current_dir(dir);
    command.envs(variable.map(|variable| (variable, value)));
    command.output().expect("the shell starts")
}

fn arrives(shell: &str, contexts: &[(&str, &str, &str)]) {
    let dir = tempfile::tempdir().unwrap();
    for (context, before, after) in contexts {
        let script = context.replace('@', "${inputs.v}");
        let (script, vars) = lowered(&script, shell).unwrap_or_else(|faults| panic!("{context}\n{faults}"));
        assert_eq!(vars.len(), 1, "{script}");
        assert_eq!(vars[0].1, "${inputs.v}");
        for value in HOSTILE {
            let output = run(shell, &script, Some(&vars[0].0), value, dir.path());
            let (out, err) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert_eq!(out, format!("{before}{value}{after}"), "{shell}: {context} → {script}\n{err}");
            assert_eq!(
                std::fs::read_dir(dir.path()).unwrap().count(),
                0,
                "{shell}: {context} with {value:?} left a file"
            );
        }
    }
}

#[test]
fn a_value_arrives_unchanged_in_every_quoting_context() {
    arrives("/bin/sh", CONTEXTS);
}

#[test]
fn a_value_arrives_unchanged_in_bash_too() {
    if Path::new("/bin/bash").exists() {
        arrives("/bin/bash", CONTEXTS);
        arrives("/bin/bash", BASH_CONTEXTS);
    }
}

#[test]
fn a_place_without_quotes_is_refused() {
    for script in [
        "echo `echo @`",
        "echo \"`echo @`\"",
        "echo $((@ + 1))",
        "echo $((1 + (@)))",
        "echo \"$((@))\"",
        "((x = @))",
        "echo $[@]",
        "cat <<EOF\n@\nEOF",
        "cat <<'EOF'\n@\nEOF",
        "cat <<-EOF\n\t@\n\tEOF",
        "cat <<@\n",
        "echo ${x:-@}",
        "echo \"${x:-@}\"",
        "echo \"${x:-\"@\"}\"",
        "[[ @ -eq 1 ]]",
        "a[@]=1",
        "echo $'@'",
        "echo $'it\\'s' @",
        "echo 'open @",
        "echo \"open @",
        "echo $(open @",
    ] {
        let faults = lowered(&script.replace('@', "${inputs.v}"), "bash").expect_err(script);
        assert!(faults.contains("P0118"), "{script}\n{faults}");
    }
}

#[test]
fn what_is_the_shells_stays_the_shells() {
    for script in [
        "echo $HOME ${HOME} ${x:-1} ${#x} ${x%.*} ${arr[0]} $1 ${10} $@",
        "echo '${foo.bar}' `x` $((1+2)) <<EOF\n${HOME}\nEOF",
        "awk '{ print $1 }' < ${FILE}",
        "echo \\${inputs.v}",
        "echo 'unclosed",
    ] {
        let (lowered, vars) = lowered(script, "sh").unwrap();
        assert_eq!((lowered.as_str(), vars.len()), (script, 0));
    }
}

#[test]
fn a_doubled_dollar_in_single_quotes_is_text() {
    let (script, vars) = lowered("node -e 'console.log(`$${inputs.v}`)' ${inputs.v}", "sh").unwrap();
    assert_eq!(script, "node -e 'console.log(`${inputs.v}`)' \"${PARTITUR_VALUE_1}\"");
    assert_eq!(vars.len(), 1);
}

#[test]
fn each_value_has_one_variable() {
    let (script, vars) =
        lowered("echo ${inputs.v} \"${inputs.v}\" ${env.HOME} ${inputs['a}b']}", "sh").unwrap();
    insta::assert_snapshot!(script, @r#"echo "${PARTITUR_VALUE_1}" "${PARTITUR_VALUE_1}" "${PARTITUR_VALUE_2}" ${inputs['a}b']}"#);
    assert_eq!(vars.len(), 2);
}

#[test]
fn a_slip_of_the_pen_is_found_before_the_shell_finds_it() {
    insta::assert_snapshot!(
        refused("tasks:\n  load: { run: make }\n  tell:\n    needs: [load]\n    run: |\n      set -x\n      ./tell \"rows: ${laod.output.rows}\" | cat\n"),
        @r#"
        error[P0119]: `${laod.…}` names no task and nothing else that is known
          flow.yaml:7:21   tasks.tell.run
          7 │       ./tell "rows: ${laod.output.rows}" | cat
            │                     ^^^^^^ unknown name
          hint: did you mean `load`?   (partitur explain P0119)
        "#
    );
}

#[test]
fn other_languages_take_no_values_in_their_text() {
    insta::assert_snapshot!(
        refused("tasks:\n  a:\n    shell: [python3, -c]\n    run: print(\"${inputs.v}\")\n"),
        @r#"
        error[P0118]: values cannot be written into a script for `python3`
          flow.yaml:4:17   tasks.a.run
          4 │     run: print("${inputs.v}")
            │                 ^^^^^^^^^^^ not a known shell
          hint: hand the value over in `env:`, and read it there   (partitur explain P0118)
        "#
    );
    assert!(yaml("tasks:\n  a:\n    shell: [python3, -c]\n    run: print(f\"{x}\")\n").is_ok());
}

/// Fragments of which scripts are made at random; `@` is the value.
const FRAGMENTS: &[&str] = &[
    "@",
    "@",
    "@",
    "echo ",
    " ",
    "\"",
    "\"",
    "'",
    "$(",
    ")",
    "`",
    "$((",
    "))",
    "${x:-",
    "}",
    "\\",
    "#",
    "\n",
    ";",
    "&&",
    "|",
    "case x in ",
    "x)",
    ";;",
    " esac",
    "<<EOF\n",
    "\nEOF\n",
    "[[ ",
    " ]]",
    "-eq",
    "(",
    "a[",
    "]=",
    "$'",
    "$\"",
    "if true; then ",
    "; fi",
    "{ ",
    "; }",
    "x=",
    "> /dev/null",
    "printf %s ",
    "for i in ",
    "; do ",
    "; done",
    "<<<",
    "$[",
    "$",
    "eval_",
    "\t",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the script: if it is accepted, no value is ever executed.
    #[test]
    fn no_accepted_script_executes_a_value(picks in prop::collection::vec(0..FRAGMENTS.len(), 1..14)) {
        let script: String = picks.iter().map(|&pick| FRAGMENTS[pick]).collect();
        let script = script.replace('@', "${inputs.v}");
        for shell in ["/bin/sh", "/bin/bash"].into_iter().filter(|shell| Path::new(shell).exists()) {
            let Ok((lowered, vars)) = lowered(&script, shell) else { continue };
            let Some((variable, _)) = vars.first() else { continue };
            let dir = tempfile::tempdir().unwrap();
            // Never a script that reads a terminal or waits: standard input is empty, and words are short.
            for value in ["$(touch pwned)", "`touch pwned`", "; touch pwned;", "a[$(touch pwned)]", "\" ; touch pwned; \"", "x'; touch pwned; '"] {
                run(shell, &lowered, Some(variable), value, dir.path());
                prop_assert!(!dir.path().join("pwned").exists(), "{shell}: {script:?} → {lowered:?} executed {value:?}");
            }
        }
    }
}
