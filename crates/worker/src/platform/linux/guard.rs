//! A small process beside us that outlives a `kill -9` of us, and then kills what we left.
//!
//! The parent-death signal reaches only the children that we started ourselves: the two halves of `sh -c 'a | b'` would
//! go on. The guard waits at the end of a pipe whose other end only we hold. When that closes, it kills every process
//! that is marked with one of our runs, and ends.

use std::collections::HashSet;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use partitur_model::RunId;

use super::spawn::{leaders, wait};
use super::tree::kill_marked;

/// The guard of this process, as long as this lives.
pub(crate) struct Guard {
    pid: i32,
    word: Option<OwnedFd>,
}

/// What cannot be killed in this time cannot be killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A message: whether a run lives, and its id.
const MESSAGE_BYTES: usize = 17;

impl Guard {
    /// Starts the guard. A real fork, once: it needs our code, and no program of its own has to be found.
    pub fn start() -> io::Result<Guard> {
        let (theirs, ours) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let mut leaders = leaders();
        // SAFETY: the child is alone in its memory and never returns from `keep_watch`. What it calls allocates, which
        // the system's allocator allows after a fork, and takes no lock that another thread of ours may hold.
        let pid = unsafe { libc::fork() };
        match pid {
            -1 => Err(io::Error::last_os_error()),
            0 => keep_watch(theirs.as_raw_fd()),
            pid => {
                // So that it is not taken for a stray.
                leaders.insert(pid);
                Ok(Guard { pid, word: Some(ours) })
            }
        }
    }

    /// From now on it watches over this run, or no longer.
    pub fn tell(&self, run: RunId, lives: bool) {
        let mut message = [u8::from(lives); MESSAGE_BYTES];
        message[1..].copy_from_slice(&run.bits().to_le_bytes());
        let word = self.word.as_ref().expect("taken only by drop");
        // Fails only if somebody killed the guard; then a start after a crash finds what is left.
        let _ = rustix::io::write(word, &message);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.word = None;
        let _ = wait(self.pid, 0);
        leaders().remove(&self.pid);
    }
}

fn keep_watch(word: RawFd) -> ! {
    // SAFETY: system calls on values of our own; nobody else uses this process.
    unsafe {
        libc::setsid();
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
        libc::prctl(libc::PR_SET_NAME, c"partitur-guard".as_ptr());
        // Nothing of the owner's may stay open because of us: not its terminal, not its sockets, not its locks.
        libc::dup2(word, 0);
        libc::syscall(libc::SYS_close_range, 1_u32, u32::MAX, 0_u32);
        libc::chdir(c"/".as_ptr());
    }
    let mut runs: HashSet<u128> = HashSet::new();
    let mut message = [0_u8; MESSAGE_BYTES];
    while read_whole(&mut message) {
        let run = u128::from_le_bytes(message[1..].try_into().expect("sixteen bytes"));
        match message[0] {
            0 => drop(runs.remove(&run)),
            _ => drop(runs.insert(run)),
        }
    }
    if !runs.is_empty() {
        // Nobody is left to hear of a failure.
        let _ = kill_marked(&|run| runs.contains(&run.bits()), PATIENCE);
    }
    // SAFETY: ends this process, without what the owner has ordered for its own end.
    unsafe { libc::_exit(0) }
}

/// Messages are shorter than what a pipe takes at once, so they come whole or not at all.
fn read_whole(message: &mut [u8; MESSAGE_BYTES]) -> bool {
    loop {
        // SAFETY: reads into memory of ours, as much as there is.
        let count = unsafe { libc::read(0, message.as_mut_ptr().cast(), MESSAGE_BYTES) };
        match count {
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            count => return count == MESSAGE_BYTES as isize,
        }
    }
}
