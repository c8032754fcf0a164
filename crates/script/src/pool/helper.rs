//! A helper as the pool sees it: a process, a line to it, and what it was asked and has not answered.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus};
use std::time::Instant;

use super::pace::{Pace, Work};
use super::{Job, Settings};
use crate::frame::{ANSWER_HEAD, MESSAGE_MAX, PREFIX, Said, first_frame, read_answer, write_request};
use crate::platform;

/// So many requests are on their way to a helper, so that it never waits for the next one.
const IN_FLIGHT_MAX: usize = 8;

/// A line with so many bytes on their way is full.
const UNSENT_MAX: usize = 64 * 1024;

/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;

/// Where a helper stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// It takes requests as they come.
    Fast,
    /// What it works on takes long, and there was no place in the slow lane. It takes no more.
    Stalled,
    /// It works off its one slow request, after others, and ends with it.
    Slow,
}

pub(super) struct Helper {
    child: Child,
    line: UnixStream,
    unsent: VecDeque<u8>,
    unread: Vec<u8>,
    pub in_flight: VecDeque<Job>,
    pub lane: Lane,
    pub is_ready: bool,
    /// What it does about the first in flight; or that it has nothing to do, or is being started.
    pub work: Work,
}

/// A line is broken, or what came over it makes no sense.
pub(super) struct Broken;

impl Helper {
    pub fn start(settings: &Settings, now: Instant) -> io::Result<Helper> {
        let (child, line) = platform::spawn(settings.memory, settings.result_max)?;
        Ok(Helper {
            child,
            line,
            unsent: VecDeque::new(),
            unread: Vec::new(),
            in_flight: VecDeque::new(),
            lane: Lane::Fast,
            is_ready: false,
            work: Work::begin(now),
        })
    }

    /// Whether it may be asked more: in the fast lane, and a request that is on trial stays alone.
    pub fn has_room(&self) -> bool {
        let is_trial = self.in_flight.front().is_some_and(Job::is_on_trial);
        self.lane == Lane::Fast
            && !is_trial
            && self.in_flight.len() < IN_FLIGHT_MAX
            && self.unsent.len() < UNSENT_MAX
    }

    /// How the first in flight is getting on, if there is one.
    pub fn pace(&mut self, now: Instant) -> Option<Pace> {
        let timeout = self.in_flight.front().filter(|_| self.is_ready)?.request.timeout;
        Some(self.work.judge(now, timeout, || platform::computed(&self.child)))
    }

    /// Whether it has something to do for an owner.
    pub fn has_asked(&self, owner: u64) -> bool {
        self.in_flight.iter().any(|job| job.request.owner == owner)
    }

    /// Asks for one more; `input` is that of the job, as JSON.
    pub fn ask(&mut self, job: Job, input: &str, now: Instant) -> Result<(), Broken> {
        if self.in_flight.is_empty() && self.is_ready {
            self.work = Work::begin(now);
        }
        let mut frame = Vec::with_capacity(PREFIX + 16 + job.request.source.len() + input.len());
        write_request(&job.request, input, &mut frame);
        self.in_flight.push_back(job);
        self.unsent.extend(frame);
        self.send()
    }

    /// Sends what the line takes.
    pub fn send(&mut self) -> Result<(), Broken> {
        while !self.unsent.is_empty() {
            match self.line.write(self.unsent.as_slices().0) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Broken),
            }
        }
        Ok(())
    }

    /// Whether something is left to be sent.
    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Takes in what has come. Broken only when all that came before is taken.
    pub fn receive(&mut self) -> Result<(), Broken> {
        loop {
            let start = self.unread.len();
            self.unread.resize(start + READ_BYTES, 0);
            let read = self.line.read(&mut self.unread[start..]);
            self.unread.truncate(start + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Err(Broken),
                Ok(read) if read == READ_BYTES => {}
                // What comes later is announced later.
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Broken),
            }
        }
    }

    /// The next thing that was said in full.
    pub fn hear(&mut self, settings: &Settings) -> Result<Option<Said>, Broken> {
        let timeout = self.in_flight.front().map(|job| job.request.timeout).unwrap_or_default();
        let frame_max = settings.result_max.max(MESSAGE_MAX) + ANSWER_HEAD;
        let Some(frame) = first_frame(&self.unread, frame_max).map_err(|_| Broken)? else { return Ok(None) };
        let said = read_answer(frame, timeout).ok_or(Broken)?;
        let taken = PREFIX + frame.len();
        self.unread.drain(..taken);
        Ok(Some(said))
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    /// Others go first from now on.
    pub fn make_slow(&mut self) {
        platform::make_slower(&self.child);
        self.lane = Lane::Slow;
    }

    /// Kills it. What it has not answered remains in `in_flight`.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        platform::kill(&mut self.child)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.kill();
    }
}
