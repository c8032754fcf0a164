//! Words for people: what was meant, lists, the beginnings of long texts.

use partitur_model::Fault;
use partitur_model::fault::did_you_mean;

/// Adds the known word that was probably meant.
pub(crate) fn with_meant<'a>(fault: Fault, wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Fault {
    match nearest(wanted, known) {
        Some(meant) => fault.hint(format!("did you mean `{meant}`?")),
        None => fault,
    }
}

/// The known word that was probably meant. Of many thousand, only the first of a similar length are compared.
pub(crate) fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const CANDIDATES_MAX: usize = 5_000;
    const LENGTH_MAX: usize = 200;
    if wanted.len() > LENGTH_MAX {
        return None;
    }
    let similar = |name: &&str| name.len().abs_diff(wanted.len()) <= wanted.len() / 3 + 1;
    did_you_mean(wanted, known.into_iter().filter(similar).take(CANDIDATES_MAX))
}

/// What other tools call our keys.
pub(super) fn usual_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "command" | "cmd" | "script" | "shell_command" | "exec" => "run",
        "depends_on" | "dependsOn" | "depends-on" | "deps" | "dependencies" | "after" | "requires" => "needs",
        "if" | "condition" => "when",
        "retries" | "maxRetries" | "max_retries" => "retry",
        "cwd" | "workdir" | "working-directory" | "working_dir" => "dir",
        "environment" => "env",
        "jobs" | "steps" | "targets" => "tasks",
        "parameters" | "params" | "vars" => "inputs",
        "strategy" => "matrix",
        "foreach" | "for_each" | "forEach" | "loop-over" => "for-each",
        "max" | "max_parallel" | "maxParallel" | "parallel" => "max-parallel",
        "lock" | "mutex" | "semaphore" => "locks",
        "jobs-max" | "max-concurrency" | "parallelism" => "concurrency",
        "rollback" | "compensate" | "compensation" => "undo",
        "enum" | "choices" | "options" => "one-of",
        _ => return None,
    })
}

/// `a`, `b` or `c`, in backticks.
pub(crate) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The beginning of a text, for messages.
pub(crate) fn shorten(text: &str) -> String {
    const MAX: usize = 60;
    let line = text.lines().next().unwrap_or("");
    if line.len() == text.len() && text.chars().count() <= MAX {
        return text.to_owned();
    }
    let mut short: String = line.chars().take(MAX).collect();
    short.push('…');
    short
}
