//! What a shell script names: variables of its environment, and programs.
//!
//! This is no shell. What it does not see (a name that is put together, a program that another one starts) is not known,
//! and what it sees too much costs an execution at most.

/// Words after which a command follows.
const TRANSPARENT: [&str; 14] = [
    "if", "then", "else", "elif", "while", "until", "do", "time", "exec", "command", "!", "{", "nice", "env",
];

/// Variables that a shell sets itself.
const OWN: [&str; 9] = ["PWD", "OLDPWD", "SHLVL", "RANDOM", "LINENO", "PPID", "SECONDS", "IFS", "OPTARG"];

/// The variables that a script names, each once.
pub(crate) fn variables(script: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in script.match_indices('$') {
        let rest = &script[at + 1..];
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let length = rest.bytes().take_while(|&byte| byte == b'_' || byte.is_ascii_alphanumeric()).count();
        let name = &rest[..length];
        let is_name = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
        if is_name && !OWN.contains(&name) && !name.starts_with("PARTITUR_") && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// The words that stand where a command begins, each once, as far as they are plain.
pub(crate) fn programs(script: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_command = true;
    let mut rest = script;
    while let Some(first) = rest.chars().next() {
        match first {
            ' ' | '\t' => rest = &rest[1..],
            '\n' | ';' | '&' | '|' | '(' | ')' => {
                is_command = true;
                rest = &rest[1..];
            }
            '#' => rest = rest.find('\n').map_or("", |end| &rest[end..]),
            '<' | '>' => {
                // What follows is a file.
                let target = rest.trim_start_matches(['<', '>', '&', ' ', '\t']);
                rest = &target[word_length(target)..];
            }
            _ => {
                let length = word_length(rest);
                let word = &rest[..length];
                rest = &rest[length..];
                if is_command && !TRANSPARENT.contains(&word) && !is_assignment(word) {
                    is_command = false;
                    if is_plain(word) && !found.contains(&word) {
                        found.push(word);
                    }
                }
            }
        }
    }
    found
}

/// Up to the end of a word, quotes included.
fn word_length(text: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            Some('\'') if c != '\'' => {}
            _ if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' || c == '`' => quote = Some(c),
            None if c.is_whitespace() || ";&|()<>".contains(c) => return at,
            None => {}
        }
    }
    text.len()
}

fn is_assignment(word: &str) -> bool {
    let Some((name, _)) = word.split_once('=') else { return false };
    !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

fn is_plain(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+./".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_stand_where_a_command_begins() {
        let check = |script: &str, expected: &[&str]| assert_eq!(programs(script), expected, "{script}");
        check("cc -O2 -c a.c -o a.o", &["cc"]);
        check("A=1 B=x\\ y gcc -c a.c && ar r lib.a a.o | tee log", &["gcc", "ar", "tee"]);
        check("for f in *.c; do cc \"$f\"; done", &["for", "cc", "done"]);
        check("if test -f a; then\n  ./gen.sh 'not ; this' >out; fi", &["test", "./gen.sh", "fi"]);
        check("> out sort in # not this; nor this\n\"$CC\" x", &["sort"]);
        check("(cd dir && exec make)", &["cd", "make"]);
        check("", &[]);
    }

    #[test]
    fn variables_are_named_with_and_without_braces() {
        let script = "$CC ${CFLAGS:--O2} \"$HOME/$1\" $? $$ $PWD ${PARTITUR_TOKEN} $CC";
        assert_eq!(variables(script), ["CC", "CFLAGS", "HOME"]);
    }

    #[test]
    fn no_script_makes_it_panic_or_hang() {
        for script in ["$", "${", "'", "\"\\", ">", "> ", "é=1 ü $é", "a\\", "`", "#"] {
            programs(script);
            variables(script);
        }
    }
}
