//! `docs/cli.md` says what `--help` says.

use std::path::Path;

use crate::support::Place;

const INTRODUCTION: &str = "# The command line

`partitur COMMAND --help` shows what stands here; this page is made from it, and a test fails when it is stale
(`PARTITUR_UPDATE_DOCS=1 cargo test -p partitur-cli` writes it anew).

Standard output is data, standard error is talk. Colours are used on a terminal only, and never if `NO_COLOR` is set.
State lies in `.partitur` beside the document; every other command finds it in the current directory or above.
`RUN` is a run's number, its id or the beginning of it, or `last`.
";

#[test]
fn the_page_of_the_command_line_is_up_to_date() {
    let place = Place::new("");
    let help = |args: &[&str]| place.expect(0, args).out.trim_end().to_owned();
    let top = help(&["--help"]);
    let mut page = format!("{INTRODUCTION}\n```text\n{top}\n```\n");
    for command in commands(&top) {
        let told = help(&[command, "--help"]);
        page += &format!("\n## partitur {command}\n\n```text\n{told}\n```\n");
        for action in actions(&told) {
            let told = help(&[command, action, "--help"]);
            page += &format!("\n### partitur {command} {action}\n\n```text\n{told}\n```\n");
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    if std::env::var_os("PARTITUR_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/cli.md is stale: write it with PARTITUR_UPDATE_DOCS=1");
}

#[test]
fn every_command_has_an_example() {
    let place = Place::new("");
    let top = place.expect(0, &["--help"]).out;
    for command in commands(&top).into_iter().filter(|command| *command != "version") {
        let help = place.expect(0, &[command, "--help"]).out;
        assert!(help.contains("Examples:\n  "), "{command} has none");
        for action in actions(&help) {
            let own = place.expect(0, &[command, action, "--help"]).out;
            let has = own.contains("Examples:\n  ") || help.contains(&format!("partitur {command} {action}"));
            assert!(has, "{command} {action} has none");
        }
    }
}

fn commands(help: &str) -> Vec<&str> {
    let commands = actions(help);
    assert!(!commands.is_empty(), "there are commands");
    commands
}

/// What can be done with a command. A description that is broken goes on in the next line, far to the right.
fn actions(help: &str) -> Vec<&str> {
    let Some(list) = help.split("Commands:\n").nth(1) else { return Vec::new() };
    let list = list.split("\n\n").next().unwrap_or_default();
    let names = list.lines().filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
}
