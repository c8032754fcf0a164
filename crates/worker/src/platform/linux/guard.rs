//! A small process beside us that outlives a `kill -9` of us, and then clears away what we left.
//!
//! The parent-death signal reaches only the children that we started ourselves: the two halves of `sh -c 'a | b'` would
//! go on. The guard waits at the end of a pipe whose other end only we hold. When that closes, it kills every process
//! that bears our mark, removes the private directories with their secrets, and ends. A successor that is at work on
//! the same runs by then has a mark of its own.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::spawn::{leaders, wait};
use super::tree::{Instance, Strays, kill_strays};
use crate::private;

/// The guard of an executor, as long as this lives.
pub(crate) struct Guard {
    pid: i32,
    pipe: Option<OwnedFd>,
}

/// What cannot be killed in this time cannot be killed.
const PATIENCE: Duration = Duration::from_secs(10);

impl Guard {
    /// Starts the guard. A real fork, once: it needs our code, and no program of its own has to be found.
    pub fn start(instance: &Instance) -> io::Result<Guard> {
        let (theirs, ours) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let mut leaders = leaders();
        // SAFETY: the child is alone in its memory and never returns from `keep_watch`. What it calls allocates, which
        // the system's allocator allows after a fork, as must any other; and it takes no lock that another thread of ours
        // may hold.
        let pid = unsafe { libc::fork() };
        match pid {
            -1 => Err(io::Error::last_os_error()),
            0 => keep_watch(theirs.as_raw_fd(), instance),
            pid => {
                // So that it is not taken for a stray.
                leaders.insert(pid);
                Ok(Guard { pid, pipe: Some(ours) })
            }
        }
    }
}

impl Guard {
    /// There is nothing to clear away, so it need not look.
    pub fn dismiss(&self) {
        // Fails only if it is gone.
        let _ = self.pipe.as_ref().map(|pipe| rustix::io::write(pipe, b"."));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = wait(self.pid, 0);
        leaders().remove(&self.pid);
    }
}

fn keep_watch(pipe: RawFd, instance: &Instance) -> ! {
    // SAFETY: system calls on values of our own; nobody else uses this process.
    unsafe {
        libc::setsid();
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
        libc::prctl(libc::PR_SET_NAME, c"partitur-guard".as_ptr());
        // Nothing of the owner's may stay open because of us: not its terminal, not its sockets, not its locks.
        libc::dup2(pipe, 0);
        libc::syscall(libc::SYS_close_range, 1_u32, u32::MAX, 0_u32);
        libc::chdir(c"/".as_ptr());
        // Returns when the other end has closed, or says that all is well.
        let mut word = 0_u8;
        loop {
            match libc::read(0, (&raw mut word).cast(), 1) {
                -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                1 => libc::_exit(0),
                _ => break,
            }
        }
    }
    // Nobody is left to hear of a failure.
    let _ = kill_strays(&Strays::OfInstance(instance), PATIENCE);
    private::remove_dirs_of(instance);
    // SAFETY: ends this process, without what the owner has ordered for its own end.
    unsafe { libc::_exit(0) }
}
