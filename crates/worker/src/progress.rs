//! How a task says how far it is: a line `::progress 0.4 message` on its output, or a line `0.4 message` appended to
//! the file `$PARTITUR_PROGRESS`. Without a number, the line is a sign of life and nothing more.
//!
//! Such lines are addressed to us: they are taken out of the output, so that `output: json` and a progress bar can
//! live together.

use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// With this a line of output begins that is addressed to us.
const PREFIX: &[u8] = b"::progress";

/// No line is longer; what follows is no line of ours.
const LINE_BYTES_MAX: usize = 4 << 10;

/// Reports about one attempt are at least so far apart.
const PAUSE: Duration = Duration::from_millis(100);

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Word {
    /// It is so far.
    Progress(f32, String),
    /// It is alive.
    Alive,
}

/// Reads what follows the prefix, or a line of the file.
pub(crate) fn read_line(line: &[u8]) -> Word {
    let line = String::from_utf8_lossy(line);
    let line = line.trim();
    let (number, message) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match number.parse::<f32>() {
        Ok(fraction) if fraction.is_finite() => {
            Word::Progress(fraction.clamp(0.0, 1.0), message.trim().to_owned())
        }
        Ok(_) | Err(_) => Word::Alive,
    }
}

/// Takes the lines that are addressed to us out of a stream.
#[derive(Debug)]
pub(crate) struct LineFilter {
    /// The beginning of a line that may be for us.
    held: Vec<u8>,
    at_line_start: bool,
}

impl Default for LineFilter {
    fn default() -> LineFilter {
        LineFilter { held: Vec::new(), at_line_start: true }
    }
}

impl LineFilter {
    /// The next bytes: appends to `out` those that are not for us, to `words` what those say that are.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>, words: &mut Vec<Word>) {
        let begins = self.at_line_start && bytes.first() == Some(&b':');
        if self.held.is_empty() && !begins && memchr::memmem::find(bytes, b"\n:").is_none() {
            // Nearly all output: no line in it begins like ours.
            out.extend_from_slice(bytes);
            self.at_line_start = bytes.last().map_or(self.at_line_start, |&byte| byte == b'\n');
            return;
        }
        while !bytes.is_empty() {
            let line_ends = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            let (part, rest) = bytes.split_at(line_ends);
            bytes = rest;
            if self.at_line_start || !self.held.is_empty() {
                self.held.extend_from_slice(part);
                self.judge(out, words);
            } else {
                out.extend_from_slice(part);
            }
            self.at_line_start = part.ends_with(b"\n");
        }
    }

    /// There are no more.
    pub fn finish(&mut self, out: &mut Vec<u8>, words: &mut Vec<Word>) {
        match words_of(&self.held) {
            Some(line) => words.push(read_line(line)),
            None => out.extend_from_slice(&self.held),
        }
        self.held.clear();
    }

    fn judge(&mut self, out: &mut Vec<u8>, words: &mut Vec<Word>) {
        let whole = self.held.ends_with(b"\n");
        let may_be_ours = match self.held.len() <= PREFIX.len() && !whole {
            true => PREFIX.starts_with(&self.held),
            false => words_of(&self.held).is_some() && self.held.len() <= LINE_BYTES_MAX,
        };
        if !may_be_ours {
            out.append(&mut self.held);
        } else if whole {
            self.finish(out, words);
        }
    }
}

/// What follows the prefix, if the line is for us.
fn words_of(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(PREFIX)?;
    rest.first().is_none_or(u8::is_ascii_whitespace).then_some(rest)
}

/// The file to which an attempt appends lines for us.
#[derive(Debug)]
pub(crate) struct ProgressFile {
    path: PathBuf,
    /// So far its lines have been read.
    offset: u64,
}

impl ProgressFile {
    pub fn new(path: PathBuf) -> ProgressFile {
        ProgressFile { path, offset: 0 }
    }

    /// The last of the lines that are new; of a flood of lines those before it do not matter.
    pub fn read(&mut self) -> Option<Word> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&self.path).ok()?;
        let found = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
        if found.len() < self.offset {
            // Written anew instead of appended to.
            self.offset = 0;
        }
        let from = self.offset.max(found.len().saturating_sub(LINE_BYTES_MAX as u64));
        let mut bytes = [0; LINE_BYTES_MAX];
        let length = file.read_at(&mut bytes, from).ok()?;
        let lines_end = memchr::memrchr(b'\n', &bytes[..length])?;
        self.offset = from + lines_end as u64 + 1;
        let last_begins = memchr::memrchr(b'\n', &bytes[..lines_end]).map_or(0, |at| at + 1);
        Some(read_line(&bytes[last_begins..lines_end]))
    }
}

/// Lets the newest word through, ten times a second.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: Option<Instant>,
    waiting: Option<Word>,
}

impl Throttle {
    /// A word has come; an older one that has not been let through is forgotten, unless the new one says less.
    pub fn push(&mut self, word: Word) {
        match (&self.waiting, &word) {
            (Some(Word::Progress(..)), Word::Alive) => {}
            (None | Some(Word::Alive | Word::Progress(..)), Word::Progress(..) | Word::Alive) => {
                self.waiting = Some(word);
            }
        }
    }

    /// The word that may go now.
    pub fn pop(&mut self, now: Instant) -> Option<Word> {
        if self.last.is_some_and(|last| last + PAUSE > now) {
            return None;
        }
        let word = self.waiting.take()?;
        self.last = Some(now);
        Some(word)
    }

    /// The word that waits, due or not.
    pub fn pop_last(&mut self) -> Option<Word> {
        self.waiting.take()
    }

    /// When the word that waits may go.
    pub fn due(&self) -> Option<Instant> {
        self.waiting.as_ref().and(self.last).map(|last| last + PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filtered<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (String, Vec<Word>) {
        let (mut filter, mut out, mut words) = (LineFilter::default(), Vec::new(), Vec::new());
        for piece in pieces {
            filter.push(piece, &mut out, &mut words);
        }
        filter.finish(&mut out, &mut words);
        (String::from_utf8_lossy(&out).into_owned(), words)
    }

    #[test]
    fn lines_for_us_leave_the_output() {
        let (out, words) = filtered([
            &b"a\n::progress 0.4 half  way \n::progress\n::progression\nb ::progress 1\n::pro"[..],
        ]);
        assert_eq!(out, "a\n::progression\nb ::progress 1\n::pro");
        assert_eq!(words, [Word::Progress(0.4, "half  way".into()), Word::Alive]);
    }

    #[test]
    fn numbers_are_brought_into_range() {
        let said: Vec<Word> = ["7", "-1 x", "NaN", "0,5", ""].map(|line| read_line(line.as_bytes())).into();
        let progress = |fraction, message: &str| Word::Progress(fraction, message.into());
        assert_eq!(said, [progress(1.0, ""), progress(0.0, "x"), Word::Alive, Word::Alive, Word::Alive]);
    }

    #[test]
    fn a_file_is_read_by_whole_lines_appended_or_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("progress");
        let mut file = ProgressFile::new(path.clone());
        let mut read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            file.read()
        };
        assert_eq!(read("0.1"), None, "a line ends with a line feed");
        assert_eq!(read("0.1\n0.2 b\n0.3"), Some(Word::Progress(0.2, "b".into())));
        assert_eq!(read("0.1\n0.2 b\n0.3\n"), Some(Word::Progress(0.3, String::new())));
        assert_eq!(read("\n"), Some(Word::Alive));
        let flood = "0.5\n".repeat(10_000);
        assert_eq!(read(&flood), Some(Word::Progress(0.5, String::new())));
    }

    #[test]
    fn a_flood_of_reports_becomes_ten_a_second_and_the_newest_survives() {
        let start = Instant::now() + Duration::from_secs(1);
        let (mut throttle, mut passed) = (Throttle::default(), Vec::new());
        for step in 0..1000 {
            throttle.push(Word::Progress(step as f32, String::new()));
            passed.extend(throttle.pop(start + Duration::from_millis(step)));
        }
        assert_eq!(passed.len(), 10);
        throttle.push(Word::Alive);
        assert_eq!(throttle.pop(start + Duration::from_secs(9)), Some(Word::Progress(999.0, String::new())));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_pieces_end(
            lines in prop::collection::vec("(::progress 0\\.5 m|::progress|::prog|x|:|)", 0..6),
            cuts in prop::collection::vec(0..90_usize, 0..6),
        ) {
            let text = lines.join("\n");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            cuts.insert(0, 0);
            cuts.push(text.len());
            let pieces = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]);
            prop_assert_eq!(filtered(pieces), filtered([text.as_bytes()]));
        }
    }
}
