//! Waiting for many things at once.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

/// A set of descriptors, each with a tag; says which of them can be read or have ended.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

/// Something can be read, or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready(pub u64);

const EVENTS_MAX: usize = 256;

impl Poller {
    pub fn new() -> io::Result<Poller> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Poller { epoll, events: Vec::with_capacity(EVENTS_MAX) })
    }

    pub fn add(&self, fd: impl AsFd, tag: u64) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, epoll::EventData::new_u64(tag), epoll::EventFlags::IN)?)
    }

    /// Must come before the descriptor is closed: while a child on its way to `exec` holds a copy, closing ours
    /// leaves the registration alive, and it fires for whoever has the number next.
    pub fn remove(&self, fd: impl AsFd) {
        // Fails only if it was never added, and then there is nothing to remove.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// Waits until something is ready, at most `timeout`; forever if `None`.
    pub fn wait(&mut self, timeout: Option<Duration>, out: &mut Vec<Ready>) -> io::Result<()> {
        self.events.clear();
        // Rounded up to what `epoll_wait` counts in, or the last millisecond before a timer would be spent spinning.
        let timeout = timeout.map(|timeout| {
            let millis = timeout.as_micros().div_ceil(1000).min(86_400_000) as i64;
            Timespec { tv_sec: millis / 1000, tv_nsec: (millis % 1000) * 1_000_000 }
        });
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        out.extend(self.events.iter().map(|event| Ready({ event.data }.u64())));
        Ok(())
    }
}

/// Makes a waiting [`LocalExecutor::poll`](crate::LocalExecutor::poll) return, from any thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(crate) fn new() -> io::Result<Waker> {
        Ok(Waker(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Wakes. Any number of calls before the owner looks count as one.
    pub fn wake(&self) {
        // Fails only when the counter is full, and then it is awake.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    /// Takes back what woke us.
    pub(crate) fn reset(&self) {
        let _ = rustix::io::read(&*self.0, &mut [0_u8; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
