//! The log of a run: one file, to which the output of all its tasks is appended as it comes, in frames that say whose
//! it is. A file for each task would cost more than starting the task.
//!
//! A frame is a header of 32 bytes, little endian, and the bytes that were written:
//!
//! ```text
//! 0 "PL"   2 stream   3 zero   4 length u32   8 task u32   12 attempt u32   16 token u64   24 time (µs) u64
//! ```
//!
//! The last frame may be torn when its writer was killed. A reader waits for the rest; the next writer cuts it off.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use partitur_model::{FencingToken, TaskSeq, Timestamp};

const MAGIC: [u8; 2] = *b"PL";
const HEADER_BYTES: usize = 32;
/// No frame is longer; a header that says so is no header.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// So much is kept while the disk refuses to take it.
const PENDING_MAX: usize = 4 << 20;

/// Where bytes came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Us, about the attempt: a line for people.
    Note,
}

impl Stream {
    pub(crate) fn code(self) -> u8 {
        match self {
            Stream::Stdout => 1,
            Stream::Stderr => 2,
            Stream::Note => 3,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Stream> {
        [Stream::Stdout, Stream::Stderr, Stream::Note].into_iter().find(|stream| stream.code() == code)
    }
}

/// Whose bytes they are, and when they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which task of the run.
    pub task: TaskSeq,
    /// Which try.
    pub number: u32,
    /// Which attempt.
    pub token: FencingToken,
    /// Where they came from.
    pub stream: Stream,
    /// When they were read.
    pub time: Timestamp,
}

/// Bytes that an attempt has written at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whose they are.
    pub head: Head,
    /// What was written, secrets masked.
    pub bytes: Vec<u8>,
}

impl Head {
    fn encode(&self, length: usize) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..2].copy_from_slice(&MAGIC);
        header[2] = self.stream.code();
        header[4..8].copy_from_slice(&(length as u32).to_le_bytes());
        header[8..12].copy_from_slice(&self.task.0.to_le_bytes());
        header[12..16].copy_from_slice(&self.number.to_le_bytes());
        header[16..24].copy_from_slice(&self.token.0.to_le_bytes());
        header[24..].copy_from_slice(&self.time.micros().to_le_bytes());
        header
    }

    fn decode(header: &[u8; HEADER_BYTES]) -> Option<(Head, usize)> {
        let four = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let eight = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
        let length = four(4) as usize;
        if header[..2] != MAGIC || header[3] != 0 || length > FRAME_BYTES_MAX {
            return None;
        }
        let head = Head {
            stream: Stream::from_code(header[2])?,
            task: TaskSeq(four(8)),
            number: four(12),
            token: FencingToken(eight(16)),
            time: Timestamp::from_micros(eight(24)),
        };
        Some((head, length))
    }
}

/// Appends to a run's log. The file is created by the first output.
pub(crate) struct Writer {
    path: PathBuf,
    file: Option<File>,
    /// Not yet written: one write serves all that one look at the pipes has brought.
    pending: Vec<u8>,
    /// Where the next frame will begin.
    end: u64,
    /// The disk has refused too much; what comes is dropped, so that a full disk stops no task.
    broken: bool,
}

impl Writer {
    pub fn new(path: PathBuf) -> io::Result<Writer> {
        let mut writer = Writer { path, file: None, pending: Vec::new(), end: 0, broken: false };
        if writer.path.exists() {
            writer.open()?;
        }
        Ok(writer)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the next frame will begin.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Appends bytes, in several frames if they are many.
    pub fn append(&mut self, head: &Head, bytes: &[u8]) {
        for part in bytes.chunks(FRAME_BYTES_MAX) {
            self.pending.extend_from_slice(&head.encode(part.len()));
            self.pending.extend_from_slice(part);
            self.end += (HEADER_BYTES + part.len()) as u64;
        }
    }

    /// Hands everything to the system, so that readers see it. What it does not take is offered again the next time.
    ///
    /// # Errors
    /// The system did not take all of it.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let outcome = if self.broken { Err(io::ErrorKind::StorageFull.into()) } else { self.write_out() };
        self.broken |= outcome.is_err() && self.pending.len() > PENDING_MAX;
        if self.broken {
            self.pending.clear();
        }
        outcome
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            // `end` counts what is pending, which `open` knows nothing of.
            let end = self.end;
            self.open()?;
            self.end = end;
        }
        let file = self.file.as_mut().expect("opened above");
        let mut written = 0;
        let outcome = loop {
            match file.write(&self.pending[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(some) => written += some,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
            if written == self.pending.len() {
                break Ok(());
            }
        };
        self.pending.drain(..written);
        outcome
    }

    /// Opens the file and cuts off what a killed writer left half done.
    fn open(&mut self) -> io::Result<()> {
        if let Some(dir) = self.path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        let mut reader = Reader::open(&self.path)?;
        while reader.skip_frame()? {}
        if reader.offset() < file.metadata()?.len() {
            file.set_len(reader.offset())?;
        }
        self.end = reader.offset();
        self.file = Some(file);
        Ok(())
    }
}

/// Which frames a [`Reader`] yields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this task.
    pub task: Option<TaskSeq>,
    /// Only those of this attempt.
    pub token: Option<FencingToken>,
}

impl Filter {
    fn admits(self, head: &Head) -> bool {
        self.task.is_none_or(|task| task == head.task) && self.token.is_none_or(|token| token == head.token)
    }
}

/// Reads a run's log, also while it grows: when there is no further frame *yet*, ask again later.
pub struct Reader {
    file: BufReader<File>,
    /// Where the next frame begins.
    offset: u64,
    filter: Filter,
}

impl Reader {
    /// Opens a log at its beginning.
    ///
    /// # Errors
    /// The file cannot be opened; one that does not exist yet is a run without output so far.
    pub fn open(path: &Path) -> io::Result<Reader> {
        let file = BufReader::with_capacity(64 << 10, File::open(path)?);
        Ok(Reader { file, offset: 0, filter: Filter::default() })
    }

    /// Yields only certain frames.
    pub fn filter(mut self, filter: Filter) -> Reader {
        self.filter = filter;
        self
    }

    /// Goes on from an offset at which a frame begins, such as one of [`LogSpan`](partitur_model::record::LogSpan).
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        self.offset = offset;
        Ok(())
    }

    /// Where the next frame begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next frame that the filter admits; `None` if there is none yet.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else than frames.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        while let Some((head, length)) = self.header()? {
            if !self.filter.admits(&head) {
                if !self.pass(length)? {
                    return Ok(None);
                }
                continue;
            }
            let mut bytes = vec![0; length];
            return match self.file.read_exact(&mut bytes) {
                Ok(()) => {
                    self.offset += (HEADER_BYTES + length) as u64;
                    Ok(Some(Frame { head, bytes }))
                }
                Err(error) => self.torn(error).map(|()| None),
            };
        }
        Ok(None)
    }

    /// Passes one frame; tells whether there was a whole one.
    fn skip_frame(&mut self) -> io::Result<bool> {
        match self.header() {
            Ok(Some((_, length))) => self.pass(length),
            Ok(None) => Ok(false),
            // What is no frame was not written by us: it is cut off like a torn one.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn header(&mut self) -> io::Result<Option<(Head, usize)>> {
        let mut header = [0; HEADER_BYTES];
        match self.file.read_exact(&mut header) {
            Ok(()) => match Head::decode(&header) {
                Some(decoded) => Ok(Some(decoded)),
                None => {
                    let message = format!("no frame of output begins at {}", self.offset);
                    Err(io::Error::new(io::ErrorKind::InvalidData, message))
                }
            },
            Err(error) => self.torn(error).map(|()| None),
        }
    }

    /// Moves behind a frame's bytes without reading them, if they are all there.
    fn pass(&mut self, length: usize) -> io::Result<bool> {
        let end = self.offset + (HEADER_BYTES + length) as u64;
        if length > self.file.buffer().len() && end > self.file.get_ref().metadata()?.len() {
            self.seek(self.offset)?;
            return Ok(false);
        }
        self.file.seek_relative(length as i64)?;
        self.offset = end;
        Ok(true)
    }

    /// The file ends within a frame: back to its beginning, to try again when there is more.
    fn torn(&mut self, error: io::Error) -> io::Result<()> {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.seek(self.offset),
            _ => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(task: u32, token: u64) -> Head {
        Head {
            task: TaskSeq(task),
            number: 1,
            token: FencingToken(token),
            stream: Stream::Stdout,
            time: Timestamp::from_micros(7),
        }
    }

    fn all(reader: &mut Reader) -> Vec<(u32, Vec<u8>)> {
        std::iter::from_fn(|| reader.next_frame().unwrap())
            .map(|frame| (frame.head.task.0, frame.bytes))
            .collect()
    }

    #[test]
    fn what_the_disk_refuses_is_kept_and_written_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.log");
        let mut writer = Writer::new(path.clone()).unwrap();
        // A pipe that is full stands for the disk; it takes a part, and then no more.
        let (drain, full) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
        writer.file = Some(File::from(full));
        let lines: Vec<Vec<u8>> = (0..100_u8).map(|line| vec![line; 5_000]).collect();
        let (mut taken, mut refusals, mut buffer) = (Vec::new(), 0, vec![0; 1 << 20]);
        for line in &lines {
            writer.append(&head(1, 1), line);
            refusals += u32::from(writer.flush().is_err());
        }
        assert!(refusals > 10, "{refusals}");
        while taken.len() as u64 != writer.end() {
            let count = rustix::io::read(&drain, &mut buffer).unwrap();
            taken.extend_from_slice(&buffer[..count]);
            let _ = writer.flush();
        }
        std::fs::write(&path, taken).unwrap();
        let read: Vec<Vec<u8>> =
            all(&mut Reader::open(&path).unwrap()).into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(read, lines);
    }

    #[test]
    fn a_reader_follows_a_growing_log_and_sees_only_whom_it_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.log");
        let mut writer = Writer::new(path.clone()).unwrap();
        assert!(!path.exists(), "a run without output leaves no file");
        writer.append(&head(1, 10), b"one");
        writer.append(&head(2, 20), b"two");
        writer.flush().unwrap();
        let mut every = Reader::open(&path).unwrap();
        let mut second = Reader::open(&path).unwrap().filter(Filter { task: Some(TaskSeq(2)), token: None });
        assert_eq!(all(&mut every), [(1, b"one".to_vec()), (2, b"two".to_vec())]);
        assert_eq!(all(&mut second), [(2, b"two".to_vec())]);
        let from = writer.end();
        writer.append(&head(1, 11), b"three");
        writer.append(&head(2, 21), b"four");
        writer.flush().unwrap();
        assert_eq!(all(&mut every), [(1, b"three".to_vec()), (2, b"four".to_vec())]);
        assert_eq!(all(&mut second), [(2, b"four".to_vec())]);
        every.seek(from).unwrap();
        assert_eq!(all(&mut every).len(), 2);
        assert_eq!(every.offset(), writer.end());
    }

    #[test]
    fn wherever_a_writer_was_killed_the_next_one_goes_on_behind_the_last_whole_frame() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.log");
        let mut writer = Writer::new(path.clone()).unwrap();
        writer.append(&head(1, 1), b"whole");
        let whole = writer.end() as usize;
        writer.append(&head(1, 1), b"torn");
        writer.flush().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for cut in whole..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let mut early = Reader::open(&path).unwrap();
            assert_eq!(all(&mut early).len(), 1);
            let mut filtered =
                Reader::open(&path).unwrap().filter(Filter { task: Some(TaskSeq(9)), token: None });
            assert_eq!(all(&mut filtered).len(), 0);
            let mut next = Writer::new(path.clone()).unwrap();
            next.append(&head(2, 2), b"next");
            next.flush().unwrap();
            let mut reader = Reader::open(&path).unwrap();
            assert_eq!(all(&mut reader), [(1, b"whole".to_vec()), (2, b"next".to_vec())], "cut at {cut}");
        }
    }

    #[test]
    fn a_file_that_is_no_log_is_refused_and_large_output_is_split() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.log");
        std::fs::write(&path, "a".repeat(100)).unwrap();
        let error = Reader::open(&path).unwrap().next_frame().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        std::fs::remove_file(&path).unwrap();
        let mut writer = Writer::new(path.clone()).unwrap();
        writer.append(&head(1, 1), &vec![b'x'; FRAME_BYTES_MAX + 1]);
        writer.flush().unwrap();
        let lengths: Vec<usize> =
            all(&mut Reader::open(&path).unwrap()).iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(lengths, [FRAME_BYTES_MAX, 1]);
    }
}
