//! Linux 5.9 and later: `pidfd`, `close_range`, `epoll`, `/proc`.

mod guard;
mod poll;
mod pressure;
mod proc;
mod question;
mod spawn;
mod tree;
mod watch;

pub(crate) use guard::Guard;
pub use poll::Waker;
pub(crate) use poll::{Poller, Ready};
pub use pressure::PressureGauge;
pub(crate) use question::says_yes;
pub(crate) use spawn::{
    Child, Exit, Spawn, SpawnError, Spawner, Stage, Status, kill_group, reap, reap_now, spare,
};
pub(crate) use tree::{Instance, Marker, Strays, Tree, kill_strays};
pub(crate) use watch::{DirId, DirWatch};

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, SeekFrom, memfd_create, seek};

/// A file without a name that holds `content`, for a child's standard input: the child reads as much of it as it
/// likes, and nobody waits for it.
pub(crate) fn anonymous_file(content: &[u8]) -> io::Result<OwnedFd> {
    let fd = memfd_create("partitur-stdin", MemfdFlags::CLOEXEC)?;
    let mut rest = content;
    while !rest.is_empty() {
        let written = rustix::io::write(&fd, rest)?;
        rest = &rest[written..];
    }
    seek(&fd, SeekFrom::Start(0))?;
    Ok(fd)
}

/// A pipe of which our end, the first, never blocks.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((above_stdio(ours)?, above_stdio(theirs)?))
}

/// Descriptors 0 to 2 may be free in us; a child's pipe there would be overwritten while the child arranges its own.
fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    if fd.as_raw_fd() > 2 { Ok(fd) } else { Ok(rustix::io::fcntl_dupfd_cloexec(&fd, 3)?) }
}
