//! What the process says with its exit code.

use std::process::ExitCode;

/// How a command ended, for scripts. The numbers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it should; a run succeeded.
    Success = 0,
    /// A run failed, took too long, or was rolled back.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The document is missing or faulty, or does not take these inputs.
    Faulty = 3,
    /// A run was cancelled or interrupted.
    Cancelled = 4,
    /// A rollback failed; `partitur rollback` tries again.
    RollbackFailed = 5,
    /// It was refused: no such run or task, or not in this state.
    Refused = 6,
    /// The state directory or the disk cannot be used.
    State = 7,
    /// A server cannot be reached, or does not answer as it should.
    Unreachable = 8,
    /// A fault of Partitur itself.
    Internal = 70,
}

impl Exit {
    /// All of them.
    pub const ALL: [Exit; 10] = [
        Exit::Success,
        Exit::Failed,
        Exit::Usage,
        Exit::Faulty,
        Exit::Cancelled,
        Exit::RollbackFailed,
        Exit::Refused,
        Exit::State,
        Exit::Unreachable,
        Exit::Internal,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means.
    pub fn about(self) -> &'static str {
        match self {
            Exit::Success => "success",
            Exit::Failed => "the run failed, took too long, or was rolled back",
            Exit::Usage => "the command line is wrong",
            Exit::Faulty => "the document is missing or faulty, or does not take these inputs",
            Exit::Cancelled => "the run was cancelled or interrupted",
            Exit::RollbackFailed => "the rollback failed; `partitur rollback` tries again",
            Exit::Refused => "refused: no such run or task, or it is not in this state",
            Exit::State => "the state directory or the disk cannot be used",
            Exit::Unreachable => "the server cannot be reached, or does not answer as it should",
            Exit::Internal => "a fault of Partitur itself",
        }
    }

    /// All of them as a table, for `--help`.
    pub fn table() -> String {
        let rows = Exit::ALL.iter().map(|exit| format!("  {:>2}  {}", exit.code(), exit.about()));
        format!("Exit codes:\n{}", rows.collect::<Vec<_>>().join("\n"))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
