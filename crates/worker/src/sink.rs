//! The one place through which the output of an attempt goes: lines for us are taken out, secrets masked, and what
//! remains is written to the log, shown to observers and searched for the result.

use std::sync::Arc;

use partitur_model::definition::OutputMode;
use partitur_model::record::LogSpan;
use partitur_model::{AttemptId, Timestamp};

use crate::capture::{Capture, Tail};
use crate::executor::WorkerEvent;
use crate::log::{Head, Stream, Writer};
use crate::mask::{MaskedStream, Masker};
use crate::progress::{LineFilter, Throttle, Word};

/// Takes the output of one attempt.
pub(crate) struct Sink {
    attempt: AttemptId,
    number: u32,
    masker: Option<Arc<Masker>>,
    stdout: Channel,
    stderr: Channel,
    /// So many bytes may still be logged.
    budget: u64,
    /// There was more, and a note says so.
    truncated: bool,
    span: Option<LogSpan>,
    /// What it has said about its progress.
    pub throttle: Throttle,
    /// What its result is made of.
    pub capture: Capture,
    tail: Tail,
}

#[derive(Default)]
struct Channel {
    filter: LineFilter,
    masked: MaskedStream,
}

/// Where output goes.
pub(crate) struct Outlets<'a> {
    pub log: &'a mut Writer,
    pub events: &'a mut Vec<WorkerEvent>,
}

impl Sink {
    pub fn new(
        attempt: AttemptId,
        number: u32,
        masker: Option<Arc<Masker>>,
        mode: OutputMode,
        budget: u64,
    ) -> Sink {
        Sink {
            attempt,
            number,
            masker,
            stdout: Channel::default(),
            stderr: Channel::default(),
            budget,
            truncated: false,
            span: None,
            throttle: Throttle::default(),
            capture: Capture::new(mode),
            tail: Tail::default(),
        }
    }

    /// The next bytes of a stream; none means that it has ended.
    pub fn push(&mut self, stream: Stream, bytes: &[u8], outlets: &mut Outlets<'_>) {
        let channel = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
            Stream::Note => return self.emit(Stream::Note, bytes.to_vec(), outlets),
        };
        let (mut plain, mut words) = (Vec::with_capacity(bytes.len()), Vec::new());
        match bytes {
            [] => channel.filter.finish(&mut plain, &mut words),
            bytes => channel.filter.push(bytes, &mut plain, &mut words),
        }
        if let Some(masker) = &self.masker {
            plain = match bytes {
                [] => {
                    let mut rest = channel.masked.push(masker, &plain);
                    rest.extend(channel.masked.finish(masker));
                    rest
                }
                _ => channel.masked.push(masker, &plain),
            };
        }
        words.into_iter().for_each(|word| self.say(word));
        self.take(stream, plain, outlets);
    }

    /// It has said something about its progress.
    pub fn say(&mut self, word: Word) {
        self.throttle.push(match (word, &self.masker) {
            (Word::Progress(fraction, message), Some(masker)) => {
                Word::Progress(fraction, masker.mask_text(&message))
            }
            (word @ (Word::Progress(..) | Word::Alive), _) => word,
        });
    }

    /// Whether the log lacks something of its output.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Where its output stands in the log.
    pub fn span(&self) -> Option<LogSpan> {
        self.span
    }

    /// The last line that it wrote to standard error, to explain a failure.
    pub fn last_words(&self) -> Option<String> {
        self.tail.last_line()
    }

    /// A text that the attempt left elsewhere, masked.
    pub fn masked(&self, text: Vec<u8>) -> Vec<u8> {
        match &self.masker {
            Some(masker) => masker.mask(&text),
            None => text,
        }
    }

    fn take(&mut self, stream: Stream, mut bytes: Vec<u8>, outlets: &mut Outlets<'_>) {
        if bytes.is_empty() {
            return;
        }
        match stream {
            Stream::Stdout => self.capture.push(&bytes),
            Stream::Stderr | Stream::Note => self.tail.push(&bytes),
        }
        let room = self.budget.min(bytes.len() as u64);
        self.budget -= room;
        let cut = room < bytes.len() as u64;
        bytes.truncate(room as usize);
        self.emit(stream, bytes, outlets);
        if cut && !self.truncated {
            self.truncated = true;
            let note = b"the rest of the output is not kept: there is more than an attempt may write\n";
            self.emit(Stream::Note, note.to_vec(), outlets);
        }
    }

    /// Logs and shows bytes as they are.
    pub fn emit(&mut self, stream: Stream, bytes: Vec<u8>, outlets: &mut Outlets<'_>) {
        if bytes.is_empty() {
            return;
        }
        let from = outlets.log.end();
        outlets.log.append(&self.head(stream), &bytes);
        let to = outlets.log.end();
        self.span = Some(LogSpan { from: self.span.map_or(from, |span| span.from), to });
        outlets.events.push(WorkerEvent::Output { attempt: self.attempt, stream, bytes });
    }

    fn head(&self, stream: Stream) -> Head {
        Head { task: self.attempt.task, number: self.number, token: self.attempt.token, stream, time: now() }
    }
}

/// The time for people.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 is a clock that was never set.
    Timestamp::ZERO + since.unwrap_or_default()
}
