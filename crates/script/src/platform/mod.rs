//! All that is particular to Linux: starting a helper, confining it, waking a thread that waits for descriptors.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod filter;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};

/// The first argument of a process that is to be a helper.
const HELPER: &str = "--partitur-script-helper";

/// Whether this process was started to be a helper.
pub(crate) fn is_helper() -> bool {
    std::env::args_os().nth(1).is_some_and(|first| first == HELPER)
}

/// What a helper may have beside the memory of a script: input, result, and what both take while they are read.
const MEMORY_FACTOR: u64 = 4;

/// Starts this binary once more, as a helper, and returns our end of the line to it. By `posix_spawn`, which copies
/// nothing of ours: so all that confines the helper is done by itself, before it listens.
///
/// It must be the thread that stays longest: when it ends, the helper is killed.
pub(crate) fn spawn(memory: usize, result_max: usize) -> io::Result<(Child, UnixStream)> {
    if is_helper() {
        // Each helper would start helpers, and those would.
        return Err(io::Error::other("this program does not call `maybe_become_helper` first"));
    }
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = Command::new("/proc/self/exe")
        .arg(HELPER)
        .args(
            [u64::from(std::process::id()), memory as u64, result_max as u64]
                .map(|number| number.to_string()),
        )
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Not reached by Ctrl-C, but in our session: whoever looks for strays knows it by that.
        .process_group(0)
        .spawn()?;
    Ok((child, ours))
}

/// Kills a helper and takes its end.
pub(crate) fn kill(child: &mut Child) -> Option<ExitStatus> {
    // Fails only if it has ended, which is what we want.
    let _ = child.kill();
    child.wait().ok()
}

/// How long a child has computed, in its whole life.
pub(crate) fn computed(child: &Child) -> Duration {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: writes a number of our own.
    let error = unsafe { libc::clock_getcpuclockid(child.id() as libc::pid_t, &raw mut clock) };
    // A child that is gone computes nothing; its line says so soon.
    if error == 0 { read_clock(clock) } else { Duration::ZERO }
}

/// How long this process has computed.
pub(crate) fn computed_here() -> Duration {
    read_clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn read_clock(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes a structure of our own.
    match unsafe { libc::clock_gettime(clock, &raw mut time) } {
        0 => Duration::new(time.tv_sec as u64, time.tv_nsec as u32),
        _ => Duration::ZERO,
    }
}

/// How much less than others a slow helper gets: a third. With much less, a busy machine would make a script that
/// takes long into one that takes too long.
const SLOW_NICE: i32 = 5;

/// From now on others go first.
pub(crate) fn make_slower(child: &Child) {
    if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
        // A kindness to others; nothing rests on it.
        let _ = rustix::process::setpriority_process(Some(pid), SLOW_NICE);
    }
}

/// Confines this process, for good: it dies with `parent`, can open nothing, start nothing, reach no other process,
/// and grow by little.
/// Returns nothing if it cannot be confined, and then must not go on.
pub(crate) fn confine(parent: i32, memory: u64) -> Option<()> {
    let size = memory_size()?;
    // SAFETY: system calls on values of our own.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != parent {
            // It died before the line above, so that nobody will send the signal.
            return None;
        }
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::prctl(libc::PR_SET_NAME, c"partitur-script".as_ptr());
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32);
        if libc::chdir(c"/".as_ptr()) != 0 {
            return None;
        }
    }
    limit(libc::RLIMIT_CORE, 0)?;
    limit(libc::RLIMIT_FSIZE, 0)?;
    // No further descriptor: no file, no socket.
    limit(libc::RLIMIT_NOFILE, 3)?;
    limit(libc::RLIMIT_NPROC, 0)?;
    limit(libc::RLIMIT_AS, size + memory * MEMORY_FACTOR)?;
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    filter::install();
    Some(())
}

/// From now on this process may compute for so long. The pool ends whatever takes too long; this is for the case that
/// the pool itself stands still.
pub(crate) fn allow_cpu(time: Duration) {
    let soft = computed_here().as_secs() + time.as_secs() + 2;
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: reads a structure of our own.
    unsafe { libc::setrlimit(libc::RLIMIT_CPU, &raw const limit) };
}

/// How much address space this process has already, in bytes.
fn memory_size() -> Option<u64> {
    let pages: u64 = fs::read_to_string("/proc/self/statm").ok()?.split(' ').next()?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

fn limit(resource: libc::__rlimit_resource_t, most: u64) -> Option<()> {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: reads a structure of our own.
    (unsafe { libc::setrlimit(resource, &raw const limit) } == 0).then_some(())
}

/// Wakes a thread that waits for descriptors.
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub fn new() -> io::Result<Bell> {
        Ok(Bell(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    pub fn ring(&self) {
        // Fails only if it rings already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    pub fn silence(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
