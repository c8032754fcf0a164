//! What of a process's output is its result, and what is kept to explain its failure. Everything here is bounded.

use partitur_model::definition::OutputMode;
use partitur_model::record::TaskError;
use partitur_model::{Payload, RawJson};

/// A result may be so large.
pub(crate) const RESULT_BYTES_MAX: usize = 16 << 20;

/// So much of the end of standard error is kept to explain a failure.
const TAIL_BYTES: usize = 4 << 10;

/// Gathers what the result is made of, as standard output comes in.
#[derive(Debug)]
pub(crate) enum Capture {
    /// Nothing.
    Nothing,
    /// The last line, as long as it may be an object.
    LastLine(LastLine),
    /// Everything.
    All {
        /// How it becomes a result.
        form: Form,
        /// So far.
        bytes: Vec<u8>,
        /// It was more than it may be.
        overflown: bool,
    },
}

/// How the whole output becomes a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Lines,
    Json,
}

impl Capture {
    pub fn new(mode: OutputMode) -> Capture {
        let all = |form| Capture::All { form, bytes: Vec::new(), overflown: false };
        match mode {
            OutputMode::Auto => Capture::LastLine(LastLine::default()),
            OutputMode::Text => all(Form::Text),
            OutputMode::Lines => all(Form::Lines),
            OutputMode::Json => all(Form::Json),
            OutputMode::None => Capture::Nothing,
        }
    }

    /// The next bytes of standard output.
    pub fn push(&mut self, new: &[u8]) {
        match self {
            Capture::Nothing => {}
            Capture::LastLine(last) => last.push(new),
            Capture::All { bytes, overflown, .. } => {
                *overflown |= bytes.len() + new.len() > RESULT_BYTES_MAX;
                match overflown {
                    true => *bytes = Vec::new(),
                    false => bytes.extend_from_slice(new),
                }
            }
        }
    }

    /// The result of a process that succeeded. `file` is what it wrote to `$PARTITUR_OUTPUT`, which counts only where
    /// the mode is automatic.
    pub fn result(self, file: Option<Vec<u8>>) -> Result<Option<Payload>, TaskError> {
        match (self, file) {
            (Capture::Nothing, _) => Ok(None),
            (Capture::LastLine(_), Some(file)) => json(&file, "the file $PARTITUR_OUTPUT").map(Some),
            (Capture::LastLine(last), None) => Ok(last.object()),
            (Capture::All { overflown: true, .. }, _) => Err(too_large("standard output")),
            (Capture::All { form, bytes, .. }, _) => form.result(bytes).map(Some),
        }
    }

    /// Whether the result may stand in a file.
    pub fn reads_file(&self) -> bool {
        match self {
            Capture::LastLine(_) => true,
            Capture::Nothing | Capture::All { .. } => false,
        }
    }
}

impl Form {
    fn result(self, bytes: Vec<u8>) -> Result<Payload, TaskError> {
        match self {
            Form::Text => {
                let text = String::from_utf8_lossy(&bytes);
                Ok(Payload::string(text.strip_suffix('\n').unwrap_or(&text)))
            }
            Form::Lines => {
                let text = String::from_utf8_lossy(&bytes);
                let lines: Vec<serde_json::Value> = text.lines().map(serde_json::Value::from).collect();
                Ok(Payload::from(&serde_json::Value::Array(lines)))
            }
            Form::Json => json(&bytes, "standard output"),
        }
    }
}

/// The error of a result that is larger than it may be.
pub(crate) fn too_large(place: &str) -> TaskError {
    let message = format!(
        "{place} is larger than the {} MiB that a result may have: write it to a file and yield the file's name",
        RESULT_BYTES_MAX >> 20
    );
    TaskError::terminal("output-too-large", message)
}

fn json(bytes: &[u8], place: &str) -> Result<Payload, TaskError> {
    let invalid = |why: String| TaskError::new("output-invalid", format!("{place} is no JSON value: {why}"));
    let text = std::str::from_utf8(bytes).map_err(|error| invalid(error.to_string()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    RawJson::parse(text).map(Payload::from).map_err(|error| invalid(error.to_string()))
}

/// The last line that is not blank, as long as it looks like an object.
#[derive(Debug, Default)]
pub(crate) struct LastLine {
    /// The last whole line; empty if it is no object.
    whole: Vec<u8>,
    /// The line that has begun.
    begun: Begun,
}

#[derive(Debug, Default)]
enum Begun {
    /// Nothing but white space.
    #[default]
    Blank,
    /// It may be an object.
    Object(Vec<u8>),
    /// It is something else, or too long.
    Other,
}

impl LastLine {
    /// Looks at the end of what comes first: of a flood of lines only the last matters.
    fn push(&mut self, bytes: &[u8]) {
        let Some(lines_end) = memchr::memrchr(b'\n', bytes) else {
            return self.extend(bytes);
        };
        let lines = bytes[..lines_end].trim_ascii_end();
        match memchr::memrchr(b'\n', lines) {
            Some(before) => {
                self.begun = Begun::Blank;
                self.extend(&lines[before + 1..]);
            }
            None => self.extend(lines),
        }
        match std::mem::take(&mut self.begun) {
            Begun::Blank => {}
            Begun::Object(line) => self.whole = line,
            Begun::Other => self.whole.clear(),
        }
        self.extend(&bytes[lines_end + 1..]);
    }

    fn extend(&mut self, part: &[u8]) {
        match &mut self.begun {
            Begun::Other => {}
            Begun::Object(line) if line.len() + part.len() > RESULT_BYTES_MAX => self.begun = Begun::Other,
            Begun::Object(line) => line.extend_from_slice(part),
            Begun::Blank => {
                let text = part.trim_ascii_start();
                match text.first() {
                    None => {}
                    Some(b'{') => self.begun = Begun::Object(text.to_vec()),
                    Some(_) => self.begun = Begun::Other,
                }
            }
        }
    }

    fn object(self) -> Option<Payload> {
        let line = match self.begun {
            Begun::Blank => self.whole,
            Begun::Object(line) => line,
            Begun::Other => return None,
        };
        json(&line, "the last line").ok()
    }
}

/// The end of a stream.
#[derive(Debug, Default)]
pub(crate) struct Tail(Vec<u8>);

impl Tail {
    /// The next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        let old = (self.0.len() + new.len()).saturating_sub(TAIL_BYTES);
        self.0.drain(..old);
        self.0.extend_from_slice(new);
    }

    /// The last line that is not blank, without control characters, at most 300 characters of it.
    pub fn last_line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.0);
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
        Some(line.chars().filter(|character| !character.is_control()).take(300).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(mode: OutputMode, pieces: &[&[u8]], file: Option<&[u8]>) -> Result<Option<String>, String> {
        let mut capture = Capture::new(mode);
        pieces.iter().for_each(|piece| capture.push(piece));
        let result = capture.result(file.map(<[u8]>::to_vec));
        result.map(|output| output.map(|payload| payload.render())).map_err(|error| error.code)
    }

    #[test]
    fn each_mode_finds_its_result() {
        use OutputMode::{Auto, Json, Lines, Text};
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(result(Auto, &[b"hello\n{\"a\":", b" 1}\n", b"\n"], None), some("{\"a\": 1}"));
        assert_eq!(result(Auto, &[b"{\"a\":1}\nlast"], None), Ok(None));
        assert_eq!(result(Auto, &[b"{\"a\":1}\nno {\n"], None), Ok(None));
        assert_eq!(result(Auto, &[b"[1]\n"], None), Ok(None), "a list is no object");
        assert_eq!(result(Auto, &[b"x\n{\"a\":1}\n\n \n"], None), some("{\"a\":1}"));
        assert_eq!(result(Auto, &[b"{\"a\":1}", b"\n\n", b"\n"], None), some("{\"a\":1}"));
        assert_eq!(result(Auto, &[b"{broken\n"], None), Ok(None));
        assert_eq!(result(Auto, &[b"{\"a\":1}"], Some(b"[2]\n")), some("[2]"));
        assert_eq!(result(Auto, &[b"{\"a\":1}"], Some(b"")), Err("output-invalid".into()));
        assert_eq!(result(Text, &[b"a\nb", b"\n"], Some(b"1")), some("\"a\\nb\""));
        assert_eq!(result(Text, &[b"\xff"], None), some("\"\u{fffd}\""));
        assert_eq!(result(Lines, &[b"a\r\n\nb"], None), some("[\"a\",\"\",\"b\"]"));
        assert_eq!(result(Lines, &[], None), some("[]"));
        assert_eq!(result(Json, &[b" 0.10 \n"], None), some("0.10"));
        assert_eq!(result(Json, &[b"\xff"], None), Err("output-invalid".into()));
        assert_eq!(result(OutputMode::None, &[b"{}"], Some(b"{}")), Ok(None));
    }

    #[test]
    fn what_is_too_large_is_an_error_and_is_not_kept() {
        let chunk = vec![b'x'; 1 << 20];
        let mut capture = Capture::new(OutputMode::Text);
        (0..40).for_each(|_| capture.push(&chunk));
        assert!(matches!(&capture, Capture::All { bytes, .. } if bytes.capacity() == 0));
        assert_eq!(capture.result(None).unwrap_err().code, "output-too-large");
        let mut endless = Capture::new(OutputMode::Auto);
        endless.push(b"{");
        (0..40).for_each(|_| endless.push(&chunk));
        assert_eq!(endless.result(None), Ok(None));
    }

    #[test]
    fn a_tail_keeps_the_last_line() {
        let mut tail = Tail::default();
        (0..10_000).for_each(|line| tail.push(format!("line {line}\n\n").as_bytes()));
        assert_eq!(tail.last_line().as_deref(), Some("line 9999"));
        tail.push(b"\x1b[31mred\x07\n");
        assert_eq!(tail.last_line().as_deref(), Some("[31mred"));
    }
}
