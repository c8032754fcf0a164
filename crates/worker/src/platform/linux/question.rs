//! Asking a command whether a service is up: a short process with the environment and in the directory of the service.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::proc;

/// Who has not answered by then has said no.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at one that is being asked.
const PAUSE: Duration = Duration::from_millis(5);

/// Whether the command succeeds, as a process that belongs to the tree of `leader`: it bears its marks, and goes with it.
pub(crate) fn says_yes(leader: i32, argv: &[String], env: &[(String, String)]) -> bool {
    let (Some((program, arguments)), Some(environment)) = (argv.split_first(), proc::environment(leader))
    else {
        return false;
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir(format!("/proc/{leader}/cwd"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.envs(environment.split(|&byte| byte == 0).filter_map(variable)).envs(env.iter().cloned());
    // SAFETY: one system call. In our session it would count as one of us, and outlive us.
    let command = unsafe { command.pre_exec(|| Ok(rustix::process::setsid().map(|_| ())?)) };
    let Ok(mut asked) = command.spawn() else { return false };
    let until = Instant::now() + PATIENCE;
    loop {
        match asked.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < until => std::thread::sleep(PAUSE),
            Ok(None) => {
                let _ = asked.kill();
                let _ = asked.wait();
                return false;
            }
            // It has gone with its service.
            Err(_) => return false,
        }
    }
}

fn variable(entry: &[u8]) -> Option<(OsString, OsString)> {
    let at = entry.iter().position(|&byte| byte == b'=').filter(|&at| at > 0)?;
    Some((OsString::from_vec(entry[..at].to_vec()), OsString::from_vec(entry[at + 1..].to_vec())))
}
