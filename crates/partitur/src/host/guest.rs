//! The side of a terminal that has joined a host.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use partitur_api::{Request, Response};

/// A connection to the host.
pub(crate) struct Guest {
    stream: UnixStream,
    incoming: BufReader<UnixStream>,
    line: String,
    /// Events that came while an answer was awaited.
    pub(crate) early: VecDeque<Response>,
}

impl Guest {
    /// Joins the host that listens at `path`.
    pub(crate) fn join(path: &Path) -> io::Result<Guest> {
        let stream = UnixStream::connect(path)?;
        let incoming = BufReader::new(stream.try_clone()?);
        Ok(Guest { stream, incoming, line: String::new(), early: VecDeque::new() })
    }

    /// Sends a request without waiting for what it brings.
    pub(crate) fn send(&mut self, request: &Request) -> io::Result<()> {
        let mut line = serde_json::to_vec(request).map_err(io::Error::other)?;
        line.push(b'\n');
        self.stream.write_all(&line)
    }

    /// Sends a request and waits for its answer; events that come first are kept.
    pub(crate) fn ask(&mut self, request: &Request) -> io::Result<Response> {
        self.send(request)?;
        self.stream.set_read_timeout(None)?;
        loop {
            match self.receive()? {
                Some(response @ (Response::Event(_) | Response::End { .. })) => {
                    self.early.push_back(response)
                }
                Some(response) => return Ok(response),
                None => {}
            }
        }
    }

    /// The next line, or nothing within the time.
    pub(crate) fn next(&mut self, timeout: Duration) -> io::Result<Option<Response>> {
        if let Some(response) = self.early.pop_front() {
            return Ok(Some(response));
        }
        self.stream.set_read_timeout(Some(timeout.max(Duration::from_millis(1))))?;
        self.receive()
    }

    /// The next line; `None` when the time set for reading is over. What was read of a line is kept for the next call.
    fn receive(&mut self) -> io::Result<Option<Response>> {
        match self.incoming.read_line(&mut self.line) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) if !self.line.ends_with('\n') => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {
                let response = serde_json::from_str(&self.line).map_err(io::Error::other);
                self.line.clear();
                response.map(Some)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            },
        }
    }
}
