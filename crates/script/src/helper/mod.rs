//! The life of a helper: it confines itself, and then answers one request after the other until the line is closed.
//!
//! Nothing here knows how long anything may take in the end: the pool kills.

mod cache;
mod javascript;
mod jq;
mod regex;
mod schema;

use std::io::{Read as _, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::ScriptError;
use crate::frame::{Asked, PREFIX, read_request, write_answer, write_ready};
use crate::{Language, Wanted, platform};

/// What became of a request, as JSON.
type Outcome = Result<String, ScriptError>;

/// Becomes a helper if that is what this process was started for, and returns otherwise. To be called first in `main`.
pub fn maybe_become_helper() {
    if platform::is_helper() {
        helper_main();
    }
}

/// Answers requests until nobody listens any more.
pub fn helper_main() -> ! {
    // What a panic has to say nobody would read.
    std::panic::set_hook(Box::new(|_| {}));
    let _ = serve();
    std::process::exit(0)
}

fn serve() -> Option<()> {
    let [parent, memory, result_max] = numbers()?;
    // SAFETY: whoever started us as a helper put the line there, and nobody else uses it.
    let mut line = UnixStream::from(unsafe { OwnedFd::from_raw_fd(0) });
    let mut evaluators = Evaluators::new(memory as usize, result_max as usize);
    platform::confine(parent as i32, memory)?;
    let (mut frame, mut answer) = (Vec::new(), Vec::new());
    write_ready(&mut answer);
    loop {
        line.write_all(&answer).ok()?;
        answer.clear();
        evaluators.prepare();
        read_frame(&mut line, &mut frame)?;
        let asked = read_request(&frame)?;
        platform::allow_cpu(asked.timeout);
        let (outcome, last) = evaluators.answer(&asked);
        write_answer(&outcome, last, &mut answer);
        if last {
            line.write_all(&answer).ok()?;
            return None;
        }
    }
}

fn numbers() -> Option<[u64; 3]> {
    let numbers: Vec<u64> = std::env::args().skip(2).map_while(|number| number.parse().ok()).collect();
    numbers.try_into().ok()
}

fn read_frame(line: &mut UnixStream, frame: &mut Vec<u8>) -> Option<()> {
    let mut length = [0; PREFIX];
    line.read_exact(&mut length).ok()?;
    // What one large request took is given back with the next small one.
    frame.clear();
    frame.shrink_to(64 * 1024);
    frame.resize(u32::from_le_bytes(length) as usize, 0);
    line.read_exact(frame).ok()
}

struct Evaluators {
    javascript: javascript::JavaScript,
    jq: jq::Jq,
    schema: schema::Schemas,
    regex: regex::Regexes,
    result_max: usize,
}

impl Evaluators {
    fn new(memory: usize, result_max: usize) -> Evaluators {
        Evaluators {
            javascript: javascript::JavaScript::new(memory),
            jq: jq::Jq::new(result_max),
            schema: schema::Schemas::new(),
            regex: regex::Regexes::new(),
            result_max,
        }
    }

    /// Makes ready, while nobody waits, what the next request will need.
    fn prepare(&mut self) {
        self.javascript.prepare();
    }

    /// The outcome, and whether this process should go no further.
    fn answer(&mut self, asked: &Asked<'_>) -> (Outcome, bool) {
        let answered = catch_unwind(AssertUnwindSafe(|| match asked.language {
            Language::JavaScript | Language::Lambda => self.javascript.answer(asked),
            Language::Jq => (self.jq.answer(asked), false),
            Language::Schema => (self.schema.answer(asked), false),
            Language::Regex => (self.regex.answer(asked), false),
            Language::ValueParam => (value_param(asked), false),
        }));
        let (outcome, last) = answered.unwrap_or_else(|_| (Err(failed("the evaluator itself failed")), true));
        (outcome.and_then(|json| within(json, self.result_max)), last)
    }
}

/// The member of the input that the source names.
fn value_param(asked: &Asked<'_>) -> Outcome {
    if asked.wanted == Wanted::Syntax {
        return Ok("null".to_owned());
    }
    let input = partitur_model::Payload::from(partitur_model::RawJson::trusted(asked.input));
    Ok(input.member(asked.source).unwrap_or_default().render())
}

fn within(json: String, max: usize) -> Outcome {
    if json.len() > max { Err(too_large(json.len(), max)) } else { Ok(json) }
}

fn too_large(bytes: usize, max: usize) -> ScriptError {
    ScriptError::TooLarge { subject: crate::error::Subject::Result, bytes, max }
}

/// A failure of which is not known where it happened.
fn failed(message: impl Into<String>) -> ScriptError {
    ScriptError::Runtime { message: message.into(), at: None }
}
