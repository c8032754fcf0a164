//! Values in shell scripts: found, moved into variables, and named there in quotes that fit the place.
//!
//! A small lexer follows the shell's quoting. Where it cannot be sure that a value stays a value, it refuses: then
//! the author assigns the value to a variable first, which is always possible.

use partitur_model::definition::Template;
use partitur_model::{Fault, Place};

use crate::codes;
use crate::native::{HEADS, Names};
use crate::reader::nearest;

/// Shells whose quoting this module knows.
pub(crate) const NAMES: &[&str] = &["sh", "bash", "dash", "ash", "ksh", "zsh"];

/// No script is longer, in bytes: Linux takes no longer argument.
pub(crate) const SCRIPT_MAX: usize = 128 * 1024 - 1;

/// No `${…}` is longer, in bytes.
const REFERENCE_MAX: usize = 1_000;

/// So many values of one script are looked at.
const VALUES_MAX: usize = 1_000;

/// So deep quotes and brackets are followed.
const FRAMES_MAX: usize = 64;

/// Whether the program is a shell whose quoting this module knows.
pub(crate) fn is_posix(program: &str) -> bool {
    NAMES.contains(&program.rsplit('/').next().unwrap_or(program))
}

/// A script whose values have become variables.
pub(crate) struct Script {
    pub(crate) text: String,
    pub(crate) vars: Vec<(String, Template)>,
    pub(crate) refusals: Vec<Refusal>,
}

/// A `${…}` that cannot be given to the shell.
pub(crate) struct Refusal {
    /// Bytes of the script.
    start: usize,
    end: usize,
    why: Why,
}

enum Why {
    /// The place has no quotes that keep a value a value.
    Place(&'static str),
    UnknownHead {
        name: String,
        meant: Option<String>,
    },
    /// The expression has no end.
    Open,
    /// Something before has no end, so that the quoting is not known.
    Unclosed(&'static str),
    /// Not a shell that we know.
    Shell(String),
}

impl Refusal {
    pub(crate) fn into_fault(self, place: Place) -> Fault {
        let fault = |code, message: String, label: &str, hint: String| {
            Fault::error(code, place, message).label(label).hint(hint).within(self.start, self.end)
        };
        match self.why {
            Why::Place(what) => fault(
                codes::UNQUOTABLE,
                format!("a value cannot stand {what}"),
                "not possible here",
                "assign it to a variable first: `value=${…}` on a line of its own, then use `$value`"
                    .to_owned(),
            ),
            Why::UnknownHead { name, meant } => fault(
                codes::UNKNOWN_HEAD,
                format!("`${{{name}.…}}` names no task and nothing else that is known"),
                "unknown name",
                match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("known are the names of tasks, {}", HEADS.join(", ")),
                },
            ),
            Why::Open => fault(
                codes::UNQUOTABLE,
                "the `${` is not closed".to_owned(),
                "no `}`",
                "close it on the same line".to_owned(),
            ),
            Why::Unclosed(what) => fault(
                codes::UNQUOTABLE,
                format!("{what} before this value is not closed"),
                "quoting unknown",
                "close it; a value needs to know in which quotes it stands".to_owned(),
            ),
            Why::Shell(program) => fault(
                codes::UNQUOTABLE,
                format!("values cannot be written into a script for `{program}`"),
                "not a known shell",
                "hand the value over in `env:`, and read it there".to_owned(),
            ),
        }
    }
}

/// A `${head.rest}` of ours.
pub(crate) struct Reference {
    /// Bytes from `$` to behind `}`.
    pub(crate) length: usize,
}

/// What begins with `${` at the beginning of `text`.
enum Dollar<'s> {
    Ours(Reference),
    /// Ours by its head, but it has no end.
    Open,
    /// A name with a dot that nobody knows: no shell has such names either.
    Unknown(&'s str),
    /// The shell's.
    Theirs,
}

/// Looks at a text that begins with `${`.
fn dollar<'s>(text: &'s str, names: &Names<'_>) -> Dollar<'s> {
    let inner = &text[2..];
    let end = inner.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(inner.len());
    let head = &inner[..end];
    if !inner[end..].starts_with('.')
        || !inner[end + 1..].starts_with(|c: char| c.is_alphanumeric() || "_['*.$".contains(c))
    {
        return Dollar::Theirs;
    }
    if HEADS.contains(&head) || names.anywhere(head) {
        return match closing_brace(text) {
            Some(length) => Dollar::Ours(Reference { length }),
            None => Dollar::Open,
        };
    }
    if head.is_empty() || head.starts_with(|c: char| c.is_ascii_digit()) {
        Dollar::Theirs
    } else {
        Dollar::Unknown(head)
    }
}

/// Bytes up to and with the brace that closes the `${` at the beginning of `text`. Braces in quotes do not count.
fn closing_brace(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_u32, None);
    let mut brackets = 0_u32;
    for (at, c) in text.char_indices().take_while(|(at, _)| *at < REFERENCE_MAX) {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => match c {
                '[' => brackets += 1,
                ']' => brackets = brackets.saturating_sub(1),
                '\'' | '"' if brackets > 0 => quote = Some(c),
                '{' => depth += 1,
                '}' if depth == 1 => return Some(at + 1),
                '}' => depth -= 1,
                '\n' => return None,
                _ => {}
            },
        }
    }
    None
}

/// The words of a command that needs no shell: nothing in it is special, and what runs it cannot be told apart.
pub(crate) fn plain_words(text: &str, names: &Names<'_>) -> Option<Vec<String>> {
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

/// Moves the values of a script into variables.
pub(crate) fn lower(text: &str, shell: &[String], names: &Names<'_>) -> Script {
    if !text.contains("${") {
        return Script { text: text.to_owned(), vars: Vec::new(), refusals: Vec::new() };
    }
    let program = shell.first().map_or("", String::as_str);
    if !is_posix(program) {
        return foreign(text, program, names);
    }
    let mut lexer = Lexer::new(text, names);
    lexer.run();
    lexer.finish()
}

/// A script in a language that we do not know: it may not name values.
fn foreign(text: &str, program: &str, names: &Names<'_>) -> Script {
    let mut refusals = Vec::new();
    for (start, _) in text.match_indices("${") {
        if let Dollar::Ours(reference) = dollar(&text[start..], names) {
            let end = start + reference.length;
            refusals.push(Refusal { start, end, why: Why::Shell(program.to_owned()) });
        }
    }
    Script { text: text.to_owned(), vars: Vec::new(), refusals }
}

/// In which kind of text the lexer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// Commands: the script itself, `$(…)`, `(…)`.
    Commands {
        /// What closes it; nothing closes the script.
        close: Option<char>,
        /// `case`s without their `esac`: their patterns end in a lone `)`.
        cases: u32,
    },
    Double,
    /// Backticks.
    Backtick,
    /// `$((…))`, `((…))`, `$[…]`, `name[…]`: what stands there is computed.
    Arithmetic {
        close: char,
    },
    /// The shell's own `${…}`.
    Parameter,
    /// `[[ … ]]`, where some operators compute.
    Test,
}

impl Frame {
    /// The name of what is not closed, for people.
    fn noun(self) -> &'static str {
        match self {
            Frame::Commands { .. } => "a `(`",
            Frame::Double => "a `\"`",
            Frame::Backtick => "a backtick",
            Frame::Arithmetic { .. } => "an arithmetic expression",
            Frame::Parameter => "a `${`",
            Frame::Test => "a `[[`",
        }
    }
}

struct HereDocument {
    delimiter: String,
    strip_tabs: bool,
}

struct Lexer<'s> {
    text: &'s str,
    at: usize,
    names: &'s Names<'s>,
    frames: Vec<Frame>,
    /// A word can begin here, so that `#` begins a comment.
    word_start: bool,
    /// A command can begin here, so that `case` is a keyword.
    command_start: bool,
    pending: Vec<HereDocument>,
    out: String,
    vars: Vec<(String, Template)>,
    /// How many times a value was named.
    values: usize,
    refusals: Vec<Refusal>,
    /// The last value, for what turns out to be open at the end.
    last_value: Option<(usize, usize)>,
    /// From here on the quoting is not known, for shells differ.
    lost: Option<&'static str>,
}

impl<'s> Lexer<'s> {
    fn new(text: &'s str, names: &'s Names<'s>) -> Lexer<'s> {
        Lexer {
            text,
            at: 0,
            names,
            frames: vec![Frame::Commands { close: None, cases: 0 }],
            word_start: true,
            command_start: true,
            pending: Vec::new(),
            out: String::with_capacity(text.len() + 32),
            vars: Vec::new(),
            values: 0,
            refusals: Vec::new(),
            last_value: None,
            lost: None,
        }
    }

    fn run(&mut self) {
        while self.at < self.text.len() {
            if self.frames.len() > FRAMES_MAX || self.refusals.len() + self.values > VALUES_MAX {
                return self.give_up();
            }
            match self.frame() {
                Frame::Commands { close, cases } => self.in_commands(close, cases),
                Frame::Double => self.in_double(),
                Frame::Backtick => self.in_backticks(),
                Frame::Arithmetic { close } => self.in_arithmetic(close),
                Frame::Parameter => self.in_parameter(),
                Frame::Test => self.in_test(),
            }
        }
    }

    /// Leaves the rest alone: no author writes such a script by hand.
    fn give_up(&mut self) {
        let end = self.text.len();
        self.refusals.push(Refusal {
            start: self.at,
            end,
            why: Why::Place("in a script so full of quotes and values"),
        });
        self.at = end;
    }

    fn finish(mut self) -> Script {
        let open = (self.frames.len() > 1).then(|| self.frame().noun());
        if let (Some(what), Some((start, end)), true) = (open, self.last_value, self.refusals.is_empty()) {
            self.refusals.push(Refusal { start, end, why: Why::Unclosed(what) });
        }
        Script { text: self.out, vars: self.vars, refusals: self.refusals }
    }

    fn frame(&self) -> Frame {
        *self.frames.last().expect("the script's own frame is never closed")
    }

    fn rest(&self) -> &'s str {
        &self.text[self.at..]
    }

    fn copy(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.text.len());
        self.out.push_str(&self.text[self.at..end]);
        self.at = end;
    }

    /// Copies a backslash and the character after it.
    fn copy_escaped(&mut self) {
        let next = self.rest()[1..].chars().next().map_or(0, char::len_utf8);
        self.copy(1 + next);
    }

    fn copy_char(&mut self) -> char {
        let c = self.rest().chars().next().expect("the caller looked");
        self.copy(c.len_utf8());
        c
    }

    fn push(&mut self, frame: Frame, bytes: usize) {
        self.copy(bytes);
        self.frames.push(frame);
        self.word_start = true;
        self.command_start = true;
    }

    fn pop(&mut self, bytes: usize) {
        self.copy(bytes);
        self.frames.pop();
        self.word_start = false;
        self.command_start = false;
    }

    /// One character, or one thing that begins here, between commands and their words.
    fn in_commands(&mut self, close: Option<char>, cases: u32) {
        let rest = self.rest();
        let c = rest.chars().next().expect("the text is not at its end");
        match c {
            '\\' if rest.starts_with("\\\n") => self.copy(2),
            '\\' => {
                self.copy_escaped();
                self.in_word();
            }
            '\'' => self.single_quotes(),
            '"' => self.push(Frame::Double, 1),
            '`' => self.push(Frame::Backtick, 1),
            '$' => self.dollar(),
            '#' if self.word_start => self.copy(rest.find('\n').unwrap_or(rest.len())),
            '\n' => {
                self.copy(1);
                self.here_documents();
                self.between_commands();
            }
            ' ' | '\t' => {
                self.copy(1);
                self.word_start = true;
            }
            ';' | '&' | '|' => {
                self.copy(1);
                self.between_commands();
            }
            '(' if rest.starts_with("((") && self.command_start => {
                self.push(Frame::Arithmetic { close: ')' }, 1);
                self.push(Frame::Arithmetic { close: ')' }, 1);
            }
            '(' => self.push(Frame::Commands { close: Some(')'), cases: 0 }, 1),
            ')' if close.is_some() && cases == 0 => {
                self.pop(1);
                self.command_start = true;
            }
            ')' => {
                self.copy(1);
                self.between_commands();
            }
            '<' if rest.starts_with("<<<") => {
                self.copy(3);
                self.word_start = true;
            }
            '<' if rest.starts_with("<<") => self.here_document(),
            '<' | '>' => {
                self.copy(1);
                self.word_start = true;
            }
            '[' if self.command_start && rest.starts_with("[[") && rest[2..].starts_with([' ', '\t']) => {
                self.push(Frame::Test, 2);
            }
            '[' if self.is_subscript() => self.push(Frame::Arithmetic { close: ']' }, 1),
            _ => self.word(),
        }
    }

    fn in_word(&mut self) {
        self.word_start = false;
        self.command_start = false;
    }

    fn between_commands(&mut self) {
        self.word_start = true;
        self.command_start = true;
    }

    /// A word, or a part of one, of characters that are not special; keywords lead from command to command.
    fn word(&mut self) {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if length == 0 {
            let keeps_command = matches!(self.copy_char(), '{' | '!') && self.word_start;
            self.command_start &= keeps_command;
            self.word_start = false;
            return;
        }
        let whole =
            self.word_start && rest[length..].chars().next().is_none_or(|c| " \t\n;&|()<>".contains(c));
        let keyword = whole && self.command_start;
        match &rest[..length] {
            "case" if keyword => {
                self.count_case(1);
                self.command_start = false;
            }
            "esac" if keyword => {
                self.count_case(-1);
                self.command_start = false;
            }
            "then" | "do" | "else" | "elif" | "if" | "while" | "until" | "time" if keyword => {}
            _ => self.command_start = false,
        }
        self.copy(length);
        self.word_start = false;
    }

    fn count_case(&mut self, by: i32) {
        if let Some(Frame::Commands { cases, .. }) = self.frames.last_mut() {
            *cases = cases.saturating_add_signed(by);
        }
    }

    /// Whether the `[` here begins the subscript of an assignment: `name[…]=`.
    fn is_subscript(&self) -> bool {
        let before = self.out.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
        let line = self.rest().bytes().take(REFERENCE_MAX).take_while(|&byte| byte != b'\n').count();
        let line = &self.rest().as_bytes()[..line];
        before.len() < self.out.len() && line.windows(2).any(|pair| pair == b"]=" || pair == b"]+")
    }

    fn in_double(&mut self) {
        match self.rest().as_bytes()[0] {
            b'\\' => self.copy_escaped(),
            b'"' => self.pop(1),
            b'`' => self.push(Frame::Backtick, 1),
            b'$' => self.dollar(),
            _ => {
                self.copy_char();
            }
        }
    }

    fn in_backticks(&mut self) {
        match self.rest().as_bytes()[0] {
            b'\\' => self.copy_escaped(),
            b'`' => self.pop(1),
            b'$' if self.rest().starts_with("${") => self.dollar_brace(),
            _ => {
                self.copy_char();
            }
        }
    }

    fn in_arithmetic(&mut self, close: char) {
        let c = self.rest().chars().next().expect("the text is not at its end");
        match c {
            '\\' => self.copy_escaped(),
            '"' => self.push(Frame::Double, 1),
            '\'' => self.single_quotes(),
            '`' => self.push(Frame::Backtick, 1),
            '$' => self.dollar(),
            _ if c == close => self.pop(1),
            '(' => self.push(Frame::Arithmetic { close: ')' }, 1),
            '[' => self.push(Frame::Arithmetic { close: ']' }, 1),
            _ => {
                self.copy_char();
            }
        }
    }

    fn in_parameter(&mut self) {
        let c = self.rest().chars().next().expect("the text is not at its end");
        match c {
            '\\' => self.copy_escaped(),
            '}' => self.pop(1),
            '"' => self.push(Frame::Double, 1),
            '\'' if self.frames.contains(&Frame::Double) => {
                // Some shells take it as a quote here and some as itself.
                self.lost = Some("a `'` within `${…}` in double quotes");
                self.copy(1);
            }
            '\'' => self.single_quotes(),
            '`' => self.push(Frame::Backtick, 1),
            '$' => self.dollar(),
            _ => {
                self.copy_char();
            }
        }
    }

    fn in_test(&mut self) {
        let rest = self.rest();
        let c = rest.chars().next().expect("the text is not at its end");
        match c {
            '\\' => self.copy_escaped(),
            '"' => self.push(Frame::Double, 1),
            '\'' => self.single_quotes(),
            '`' => self.push(Frame::Backtick, 1),
            '$' => self.dollar(),
            ']' if rest.starts_with("]]") && self.out.ends_with([' ', '\t', '\n']) => self.pop(2),
            _ => {
                self.copy_char();
            }
        }
    }

    /// What a `$` begins outside of single quotes.
    fn dollar(&mut self) {
        let rest = self.rest();
        let quoted = self.frame() == Frame::Double;
        if rest.starts_with("${") {
            return self.dollar_brace();
        }
        if rest.starts_with("$((") {
            self.push(Frame::Arithmetic { close: ')' }, 2);
            return self.push(Frame::Arithmetic { close: ')' }, 1);
        }
        if rest.starts_with("$(") {
            return self.push(Frame::Commands { close: Some(')'), cases: 0 }, 2);
        }
        if rest.starts_with("$[") {
            return self.push(Frame::Arithmetic { close: ']' }, 2);
        }
        if rest.starts_with("$'") && !quoted {
            return self.ansi_quotes();
        }
        self.copy(if rest.starts_with("$$") { 2 } else { 1 });
        self.in_word();
    }

    fn dollar_brace(&mut self) {
        match dollar(self.rest(), self.names) {
            Dollar::Ours(reference) => self.value(reference.length),
            Dollar::Open => {
                let length = self.rest().lines().next().map_or(2, str::len);
                self.refuse(length, Why::Open);
            }
            Dollar::Unknown(head) => {
                let known = HEADS.iter().copied().chain(self.names.all());
                let meant = nearest(head, known).map(str::to_owned);
                self.refuse(2 + head.len(), Why::UnknownHead { name: head.to_owned(), meant });
            }
            Dollar::Theirs if self.frame() == Frame::Backtick => self.copy(2),
            Dollar::Theirs => self.push(Frame::Parameter, 2),
        }
        self.in_word();
    }

    fn refuse(&mut self, length: usize, why: Why) {
        self.refusals.push(Refusal { start: self.at, end: self.at + length, why });
        self.copy(length);
    }

    /// A value outside of single quotes.
    fn value(&mut self, length: usize) {
        if let Some(why) = self.obstacle() {
            return self.refuse(length, why);
        }
        let quoted = self.frame() == Frame::Double;
        let name = self.variable(length);
        let text = if quoted { format!("${{{name}}}") } else { format!("\"${{{name}}}\"") };
        self.out.push_str(&text);
    }

    /// Why a value cannot stand here, if it cannot.
    fn obstacle(&self) -> Option<Why> {
        if let Some(what) = self.lost {
            return Some(Why::Unclosed(what));
        }
        if self.frames.contains(&Frame::Backtick) {
            return Some(Why::Place("within backticks, which read their text twice"));
        }
        for frame in self.frames.iter().rev() {
            match frame {
                Frame::Commands { .. } => return None,
                Frame::Double | Frame::Backtick => {}
                Frame::Arithmetic { .. } => {
                    return Some(Why::Place("where the shell computes: its text would be executed"));
                }
                Frame::Parameter => return Some(Why::Place("within the shell's own `${…}`")),
                Frame::Test if self.test_computes() => {
                    return Some(Why::Place(
                        "within a `[[` that compares numbers: its text would be executed",
                    ));
                }
                Frame::Test => return None,
            }
        }
        None
    }

    /// Whether the `[[ … ]]` around this place compares numbers.
    fn test_computes(&self) -> bool {
        let from = self.text[..self.at].rfind("[[").unwrap_or(0);
        let to = self.rest().find("]]").map_or(self.text.len(), |found| self.at + found);
        ["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v"].iter().any(|op| self.text[from..to].contains(op))
    }

    /// The variable of the value here, which is passed over.
    fn variable(&mut self, length: usize) -> String {
        let source = &self.rest()[..length];
        self.values += 1;
        self.last_value = Some((self.at, self.at + length));
        self.at += length;
        if let Some((name, _)) = self.vars.iter().find(|(_, template)| template.0 == source) {
            return name.clone();
        }
        let name = format!("PARTITUR_VALUE_{}", self.vars.len() + 1);
        self.vars.push((name.clone(), Template::from(source)));
        name
    }

    /// From `'` to `'`. A value closes them, stands in double quotes, and opens them again.
    fn single_quotes(&mut self) {
        self.copy(1);
        self.in_word();
        loop {
            let rest = self.rest();
            match rest.as_bytes().first() {
                None => {
                    self.lost = Some("a `'`");
                    if let (Some((start, end)), true) = (self.last_value, self.refusals.is_empty()) {
                        self.refusals.push(Refusal { start, end, why: Why::Unclosed("a `'`") });
                    }
                    return;
                }
                Some(b'\'') => return self.copy(1),
                Some(b'$')
                    if rest.starts_with("$${")
                        && matches!(dollar(&rest[1..], self.names), Dollar::Ours(_)) =>
                {
                    self.at += 1;
                    self.copy(2);
                }
                Some(b'$') if rest.starts_with("${") => self.value_in_single_quotes(),
                Some(_) => {
                    self.copy_char();
                }
            }
        }
    }

    fn value_in_single_quotes(&mut self) {
        match dollar(self.rest(), self.names) {
            Dollar::Ours(reference) => match self.obstacle() {
                Some(why) => self.refuse(reference.length, why),
                None => {
                    let name = self.variable(reference.length);
                    self.out.push_str(&format!("'\"${{{name}}}\"'"));
                }
            },
            Dollar::Open | Dollar::Unknown(_) | Dollar::Theirs => self.copy(2),
        }
    }

    /// `$'…'`, which some shells know: there `\'` is no end.
    fn ansi_quotes(&mut self) {
        let inner = &self.rest()[2..];
        let length = inner.find('\'').map_or(inner.len(), |found| found + 1);
        if inner[..length].ends_with("\\'") {
            self.lost = Some("a `$'…'` with a quote in it");
        }
        for (at, _) in inner[..length].match_indices("${") {
            if let Dollar::Ours(reference) = dollar(&inner[at..], self.names) {
                let start = self.at + 2 + at;
                let why = Why::Place("within `$'…'`");
                self.refusals.push(Refusal { start, end: start + reference.length, why });
            }
        }
        self.copy(2 + length);
        self.in_word();
    }

    /// `<<EOF`: remembers what ends the document that begins on the next line.
    fn here_document(&mut self) {
        let rest = self.rest();
        let strip_tabs = rest.starts_with("<<-");
        let after = if strip_tabs { 3 } else { 2 };
        let blanks = rest[after..].len() - rest[after..].trim_start_matches([' ', '\t']).len();
        let word = &rest[after + blanks..];
        let length = word.find(|c: char| c.is_whitespace() || ";&|<>()".contains(c)).unwrap_or(word.len());
        let delimiter: String = word[..length].chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect();
        self.copy(after + blanks);
        if word[..length].contains("${") {
            self.refuse(length, Why::Place("in the delimiter of a here-document"));
        } else {
            self.copy(length);
        }
        self.pending.push(HereDocument { delimiter, strip_tabs });
        self.in_word();
    }

    /// The here-documents whose lines begin here.
    fn here_documents(&mut self) {
        for document in std::mem::take(&mut self.pending) {
            while self.at < self.text.len() {
                let line = self.rest().split_inclusive('\n').next().unwrap_or("");
                let text = line.strip_suffix('\n').unwrap_or(line);
                let text = if document.strip_tabs { text.trim_start_matches('\t') } else { text };
                let ends = text == document.delimiter;
                self.here_line(line);
                if ends {
                    break;
                }
            }
        }
    }

    fn here_line(&mut self, line: &str) {
        for (at, _) in line.match_indices("${") {
            if let Dollar::Ours(reference) = dollar(&line[at..], self.names) {
                let start = self.at + at;
                let why = Why::Place("within a here-document");
                self.refusals.push(Refusal { start, end: start + reference.length, why });
            }
        }
        self.copy(line.len());
    }
}
