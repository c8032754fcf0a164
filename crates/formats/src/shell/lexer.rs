//! Follows the quoting of a script, frame by frame.

use partitur_model::definition::Template;

use super::reference::{Dollar, REFERENCE_MAX, dollar};
use super::{Refusal, Script, Why};
use crate::native::{HEADS, Names};
use crate::reader::nearest;

/// So many values of one script are looked at.
const VALUES_MAX: usize = 1_000;

/// So deep quotes and brackets are followed.
const FRAMES_MAX: usize = 64;

/// In which kind of text the lexer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
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

pub(super) struct HereDocument {
    pub(super) delimiter: String,
    pub(super) strip_tabs: bool,
}

pub(super) struct Lexer<'s> {
    pub(super) text: &'s str,
    pub(super) at: usize,
    pub(super) names: &'s Names,
    pub(super) frames: Vec<Frame>,
    /// A word can begin here, so that `#` begins a comment.
    pub(super) word_start: bool,
    /// A command can begin here, so that `case` is a keyword.
    pub(super) command_start: bool,
    pub(super) pending: Vec<HereDocument>,
    pub(super) out: String,
    pub(super) vars: Vec<(String, Template)>,
    /// How many times a value was named.
    pub(super) values: usize,
    pub(super) refusals: Vec<Refusal>,
    /// The last value, for what turns out to be open at the end.
    pub(super) last_value: Option<(usize, usize)>,
    /// From here on the quoting is not known, for shells differ.
    pub(super) lost: Option<&'static str>,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(text: &'s str, names: &'s Names) -> Lexer<'s> {
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

    pub(super) fn run(&mut self) {
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

    pub(super) fn finish(mut self) -> Script {
        let open = (self.frames.len() > 1).then(|| self.frame().noun());
        if let (Some(what), Some((start, end)), true) = (open, self.last_value, self.refusals.is_empty()) {
            self.refusals.push(Refusal { start, end, why: Why::Unclosed(what) });
        }
        Script { text: self.out, vars: self.vars, refusals: self.refusals }
    }

    pub(super) fn frame(&self) -> Frame {
        *self.frames.last().expect("the script's own frame is never closed")
    }

    pub(super) fn rest(&self) -> &'s str {
        &self.text[self.at..]
    }

    pub(super) fn copy(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.text.len());
        self.out.push_str(&self.text[self.at..end]);
        self.at = end;
    }

    /// Copies a backslash and the character after it.
    pub(super) fn copy_escaped(&mut self) {
        let next = self.rest()[1..].chars().next().map_or(0, char::len_utf8);
        self.copy(1 + next);
    }

    pub(super) fn copy_char(&mut self) -> char {
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

    pub(super) fn in_word(&mut self) {
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
}
