//! Commands that need no shell.

use super::reference::{Dollar, dollar};
use crate::native::Names;

/// The words of a command that needs no shell: nothing in it is special, and what runs it cannot be told apart.
pub(crate) fn plain_words(text: &str, names: &Names) -> Option<Vec<String>> {
    if text.bytes().any(|byte| !(is_plain(byte) || b" \t\n=".contains(&byte))) && !text.contains("${") {
        return None;
    }
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut rest = text.trim_matches([' ', '\t', '\n']);
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("${") {
            let Dollar::Ours(reference) = dollar(rest, names) else { return None };
            word.push_str(&rest[..reference.length]);
            rest = &rest[reference.length..];
            continue;
        }
        match c {
            ' ' | '\t' => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            _ if c.is_ascii() && is_plain(c as u8) => word.push(c),
            // In the first word this would be an assignment.
            '=' if !words.is_empty() => word.push(c),
            _ => return None,
        }
        rest = &rest[c.len_utf8()..];
    }
    words.push(word);
    let first = words[0].as_str();
    // A program that a value names is looked up by the shell, which knows builtins.
    (!first.contains("${") && !first.contains('%') && !is_builtin(first)).then_some(words)
}

/// Letters that are themselves, wherever they stand in a script.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./:,@%+".contains(&byte)
}

/// Words that mean something to a shell of the POSIX family before it looks for a program.
fn is_builtin(word: &str) -> bool {
    const WORDS: &[&str] = &[
        ".",
        ":",
        "alias",
        "bg",
        "bind",
        "break",
        "builtin",
        "caller",
        "case",
        "cd",
        "command",
        "compgen",
        "complete",
        "compopt",
        "continue",
        "coproc",
        "declare",
        "dirs",
        "disown",
        "do",
        "done",
        "echo",
        "elif",
        "else",
        "enable",
        "esac",
        "eval",
        "exec",
        "exit",
        "export",
        "false",
        "fc",
        "fg",
        "fi",
        "for",
        "function",
        "getopts",
        "hash",
        "help",
        "history",
        "if",
        "in",
        "jobs",
        "kill",
        "let",
        "local",
        "logout",
        "mapfile",
        "popd",
        "print",
        "printf",
        "pushd",
        "pwd",
        "read",
        "readarray",
        "readonly",
        "return",
        "select",
        "set",
        "shift",
        "shopt",
        "source",
        "suspend",
        "test",
        "then",
        "time",
        "times",
        "trap",
        "true",
        "type",
        "typeset",
        "ulimit",
        "umask",
        "unalias",
        "unset",
        "until",
        "wait",
        "whence",
        "while",
    ];
    WORDS.binary_search(&word).is_ok()
}
