//! Which system calls a helper may make: those of a computation that reads and writes one line. All others fail.

use std::mem::offset_of;

use libc::{seccomp_data, sock_filter};

/// Memory, time, signals, the line, and its end.
const ALLOWED: [libc::c_long; 24] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_close,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Lets only the calls through that are allowed, from now on. Kernels that cannot do that leave it at the other bounds.
pub(super) fn install() {
    let program = program(std::process::id());
    let length = program.len() as u16;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the program, which lives through the call.
    unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
}

fn program(own: u32) -> Vec<sock_filter> {
    let mut program = vec![
        load(offset_of!(seccomp_data, arch)),
        jump_unless(ARCHITECTURE, 1),
        jump_always(1),
        refuse(),
        load(offset_of!(seccomp_data, nr)),
    ];
    for call in ALLOWED {
        program.extend([jump_unless(call as u32, 1), allow()]);
    }
    // `abort` sends itself a signal, and what it may compute is set anew for each request; both for itself alone.
    for (call, process) in [(libc::SYS_tgkill, own), (libc::SYS_prlimit64, 0)] {
        program.extend([
            jump_unless(call as u32, 4),
            load(offset_of!(seccomp_data, args)),
            jump_unless(process, 1),
            allow(),
            refuse(),
        ]);
    }
    program.push(refuse());
    program
}

/// Loads the word at an offset of what is known about the call.
fn load(offset: usize) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, offset as u32)
}

/// Goes past so many instructions unless the word is equal.
fn jump_unless(equal: u32, past: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, past, equal)
}

fn jump_always(past: u32) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JA, 0, past)
}

fn allow() -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW)
}

fn refuse() -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32)
}

fn instruction(code: u32, jf: u8, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf, k }
}
