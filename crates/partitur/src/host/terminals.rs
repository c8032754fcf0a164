//! Terminals that have joined: lines in, lines out, over a Unix socket that only the owner may open.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use partitur_api::{Request, Response};
use partitur_worker::LocalExecutor;

/// The tag of the listening socket; terminals count up from above it.
pub(crate) const LISTENER: u64 = 1;
const FIRST_TERMINAL: u64 = 1000;

/// A line may be so long: a document and an environment fit many times over.
const LINE_MAX: usize = 256 << 20;
/// A terminal that does not read is dropped when so much waits for it.
const UNREAD_MAX: usize = 64 << 20;
/// More terminals are turned away.
const TERMINALS_MAX: usize = 256;

/// All terminals that have joined.
pub(crate) struct Terminals {
    listener: UnixListener,
    open: BTreeMap<u64, Terminal>,
    last: u64,
}

struct Terminal {
    stream: UnixStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Terminals {
    /// Listens at `path`; what an earlier host has left there goes.
    pub(crate) fn listen(path: &Path, executor: &mut LocalExecutor) -> io::Result<Terminals> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        executor.watch_fd(listener.as_fd(), LISTENER)?;
        Ok(Terminals { listener, open: BTreeMap::new(), last: FIRST_TERMINAL })
    }

    /// Somebody joins.
    pub(crate) fn accept(&mut self, executor: &mut LocalExecutor) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.open.len() >= TERMINALS_MAX || stream.set_nonblocking(true).is_err() {
                continue;
            }
            self.last += 1;
            if executor.watch_fd(stream.as_fd(), self.last).is_ok() {
                let terminal = Terminal { stream, incoming: Vec::new(), outgoing: Vec::new() };
                self.open.insert(self.last, terminal);
            }
        }
    }

    /// What a terminal has sent; `None` if it has gone.
    pub(crate) fn read(
        &mut self,
        tag: u64,
        executor: &mut LocalExecutor,
    ) -> Option<Vec<Result<Request, String>>> {
        let terminal = self.open.get_mut(&tag)?;
        let gone = terminal.fill();
        let requests = terminal.take_lines();
        if gone {
            self.close(tag, executor);
        }
        if gone && requests.is_empty() { None } else { Some(requests) }
    }

    /// Sends a line; a terminal that has gone or does not read is dropped.
    pub(crate) fn send(&mut self, tag: u64, response: &Response, executor: &mut LocalExecutor) {
        let Some(terminal) = self.open.get_mut(&tag) else { return };
        serde_json::to_writer(&mut terminal.outgoing, response).expect("responses are plain data");
        terminal.outgoing.push(b'\n');
        if terminal.drain().is_err() || terminal.outgoing.len() > UNREAD_MAX {
            self.close(tag, executor);
        }
    }

    /// Sends what could not be sent before. Says whether something is still waiting.
    pub(crate) fn flush(&mut self, executor: &mut LocalExecutor) -> bool {
        let stuck: Vec<u64> = self
            .open
            .iter_mut()
            .filter_map(|(&tag, terminal)| terminal.drain().is_err().then_some(tag))
            .collect();
        for tag in stuck {
            self.close(tag, executor);
        }
        self.open.values().any(|terminal| !terminal.outgoing.is_empty())
    }

    /// How many have joined.
    pub(crate) fn count(&self) -> usize {
        self.open.len()
    }

    fn close(&mut self, tag: u64, executor: &mut LocalExecutor) {
        executor.unwatch_fd(tag);
        self.open.remove(&tag);
    }
}

impl Terminal {
    /// Reads what is there. Says whether the terminal has gone.
    fn fill(&mut self) -> bool {
        let mut part = [0; 64 << 10];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => return true,
                Ok(count) => self.incoming.extend_from_slice(&part[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self.incoming.len() > LINE_MAX;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
    }

    fn take_lines(&mut self) -> Vec<Result<Request, String>> {
        let Some(end) = self.incoming.iter().rposition(|&byte| byte == b'\n') else { return Vec::new() };
        let rest = self.incoming.split_off(end + 1);
        let lines = std::mem::replace(&mut self.incoming, rest);
        lines
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).map_err(|error| format!("not a request: {error}")))
            .collect()
    }

    fn drain(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.outgoing.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
