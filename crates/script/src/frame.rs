//! What pool and helper say to each other: frames of a length and so many bytes.
//!
//! The helper is not trusted: a script may have taken it over. So everything that it says is checked.

use std::time::Duration;

use partitur_model::Payload;

use crate::error::{Place, ScriptError, Subject};
use crate::{Language, Request, Wanted};

/// The length that precedes each frame.
pub(crate) const PREFIX: usize = 4;

/// Language, question, milliseconds, length of the source.
const REQUEST_HEAD: usize = 1 + 1 + 4 + 4;

/// Kind, whether it is the last, two numbers.
pub(crate) const ANSWER_HEAD: usize = 1 + 1 + 8 + 8;

/// No message is longer, in bytes.
pub(crate) const MESSAGE_MAX: usize = 8 * 1024;

/// A request as the helper reads it.
pub(crate) struct Asked<'a> {
    pub language: Language,
    pub wanted: Wanted,
    pub timeout: Duration,
    pub source: &'a str,
    pub input: &'a str,
}

/// Appends a request to `out`; `input` is its input as JSON.
pub(crate) fn write_request(request: &Request, input: &str, out: &mut Vec<u8>) {
    framed(out, |out| {
        out.push(request.language.code());
        out.push(u8::from(request.wanted == Wanted::Syntax));
        let millis = u32::try_from(request.timeout.as_millis()).unwrap_or(u32::MAX);
        out.extend(millis.to_le_bytes());
        out.extend((request.source.len() as u32).to_le_bytes());
        out.extend(request.source.as_bytes());
        out.extend(input.as_bytes());
    });
}

/// Reads what [`write_request`] wrote.
pub(crate) fn read_request(frame: &[u8]) -> Option<Asked<'_>> {
    let (head, body) = frame.split_at_checked(REQUEST_HEAD)?;
    let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
    let (source, input) = body.split_at_checked(number(6) as usize)?;
    Some(Asked {
        language: Language::from_code(head[0])?,
        wanted: if head[1] == 1 { Wanted::Syntax } else { Wanted::Value },
        timeout: Duration::from_millis(number(2).into()),
        source: std::str::from_utf8(source).ok()?,
        input: std::str::from_utf8(input).ok()?,
    })
}

/// What a helper says.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    /// It is there and listens.
    Ready,
    /// What became of the oldest request.
    Answer {
        outcome: Result<Payload, ScriptError>,
        /// The helper ends now: what it went through may have left traces.
        last: bool,
    },
}

const READY: u8 = 0;
const VALUE: u8 = 1;
const SYNTAX: u8 = 2;
const RUNTIME: u8 = 3;
const TIMEOUT: u8 = 4;
const MEMORY: u8 = 5;
const LARGE: u8 = 6;

/// Appends that the helper is ready.
pub(crate) fn write_ready(out: &mut Vec<u8>) {
    framed(out, |out| write_answer_head(out, READY, false, [0, 0]));
}

/// Appends an answer to `out`; the value is JSON.
pub(crate) fn write_answer(outcome: &Result<String, ScriptError>, last: bool, out: &mut Vec<u8>) {
    framed(out, |out| {
        let (kind, numbers, text) = match outcome {
            Ok(json) => (VALUE, [0, 0], json.as_str()),
            Err(ScriptError::Syntax { message, at }) => (SYNTAX, place_numbers(*at), message.as_str()),
            Err(ScriptError::Runtime { message, at }) => (RUNTIME, place_numbers(*at), message.as_str()),
            Err(ScriptError::Timeout { .. }) => (TIMEOUT, [0, 0], ""),
            Err(ScriptError::Memory { message }) => (MEMORY, [0, 0], message.as_str()),
            Err(ScriptError::TooLarge { bytes, max, .. }) => (LARGE, [*bytes as u64, *max as u64], ""),
            Err(ScriptError::Busy { .. } | ScriptError::Unavailable { .. }) => {
                unreachable!("only pools are busy or unavailable")
            }
        };
        write_answer_head(out, kind, last, numbers);
        out.extend(if kind == VALUE { text.as_bytes() } else { shortened(text).as_bytes() });
    });
}

/// Scripts may throw whole books.
fn shortened(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_MAX)]
}

/// Reads what a helper said; nothing if it is none of what helpers say. `timeout` is that of the oldest request.
pub(crate) fn read_answer(frame: &[u8], timeout: Duration) -> Option<Said> {
    let (head, text) = frame.split_at_checked(ANSWER_HEAD)?;
    let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
    let text = std::str::from_utf8(text).ok()?;
    let (message, at) = (text.to_owned(), place(number(2), number(10)));
    let outcome = match head[0] {
        READY => return Some(Said::Ready),
        VALUE => Payload::parse(text).map_err(|error| ScriptError::Runtime {
            message: format!("the result cannot be kept: {error}"),
            at: None,
        }),
        SYNTAX => Err(ScriptError::Syntax { message, at }),
        RUNTIME => Err(ScriptError::Runtime { message, at }),
        TIMEOUT => Err(ScriptError::Timeout { after: timeout }),
        MEMORY => Err(ScriptError::Memory { message }),
        LARGE => Err(ScriptError::TooLarge {
            subject: Subject::Result,
            bytes: number(2) as usize,
            max: number(10) as usize,
        }),
        _ => return None,
    };
    Some(Said::Answer { outcome, last: head[1] == 1 })
}

/// The first whole frame of `bytes`, without its length, or the length that is refused.
pub(crate) fn first_frame(bytes: &[u8], max: usize) -> Result<Option<&[u8]>, usize> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else { return Ok(None) };
    let length = u32::from_le_bytes(*prefix) as usize;
    if length > max { Err(length) } else { Ok(rest.get(..length)) }
}

fn framed(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; PREFIX]);
    write(out);
    let length = (out.len() - start - PREFIX) as u32;
    out[start..start + PREFIX].copy_from_slice(&length.to_le_bytes());
}

fn write_answer_head(out: &mut Vec<u8>, kind: u8, last: bool, numbers: [u64; 2]) {
    out.extend([kind, u8::from(last)]);
    out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

fn place_numbers(at: Option<Place>) -> [u64; 2] {
    at.map_or([0, 0], |at| [at.line.into(), at.column.into()])
}

/// Lines count from one: zero is no place.
fn place(line: u64, column: u64) -> Option<Place> {
    let (line, column) = (u32::try_from(line).ok()?, u32::try_from(column).ok()?);
    (line > 0).then_some(Place { line, column })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(1234);

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let request = Request::value(7, Language::Jq, ".ä", Payload::Null, TIMEOUT);
        let mut bytes = Vec::new();
        write_request(&request, r#"{"a":0.10}"#, &mut bytes);
        let asked = read_request(first_frame(&bytes, 1000).unwrap().unwrap()).unwrap();
        assert_eq!((asked.language, asked.wanted, asked.timeout), (Language::Jq, Wanted::Value, TIMEOUT));
        assert_eq!((asked.source, asked.input), (".ä", r#"{"a":0.10}"#));
    }

    #[test]
    fn every_outcome_is_read_as_it_was_written() {
        let at = Some(Place { line: 3, column: 9 });
        for outcome in [
            Ok(r#"[1,"zwei"]"#.to_owned()),
            Err(ScriptError::Syntax { message: "unexpected".into(), at }),
            Err(ScriptError::Runtime { message: "böse".into(), at: None }),
            Err(ScriptError::Timeout { after: TIMEOUT }),
            Err(ScriptError::Memory { message: "all gone".into() }),
            Err(ScriptError::TooLarge { subject: Subject::Result, bytes: 11, max: 10 }),
        ] {
            let mut bytes = Vec::new();
            write_answer(&outcome, true, &mut bytes);
            let said = read_answer(first_frame(&bytes, 1000).unwrap().unwrap(), TIMEOUT).unwrap();
            let outcome = outcome.map(|json| Payload::parse(&json).unwrap());
            assert_eq!(said, Said::Answer { outcome, last: true });
        }
    }

    #[test]
    fn what_a_helper_makes_up_is_refused() {
        assert_eq!(first_frame(&[255, 255, 255, 255, 0], 1000), Err(u32::MAX as usize));
        assert_eq!(first_frame(&[2, 0, 0, 0, 9], 1000), Ok(None));
        assert_eq!(read_answer(&[VALUE], TIMEOUT), None);
        assert_eq!(read_answer(&[99; ANSWER_HEAD], TIMEOUT), None);
        let mut bytes = Vec::new();
        write_answer(&Ok("no JSON".into()), false, &mut bytes);
        let said = read_answer(first_frame(&bytes, 1000).unwrap().unwrap(), TIMEOUT);
        assert!(matches!(said, Some(Said::Answer { outcome: Err(ScriptError::Runtime { .. }), .. })));
    }
}
