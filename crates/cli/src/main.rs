//! The binary `partitur`: reads the command line, calls what lies below, and shows what became of it.
//!
//! `commands/` has a file for each command; `progress/` is what a run looks like while it is followed; `exit` is what
//! the process says with its exit code. Standard output is data, standard error is talk.
//!
//! Not here: what a run does. Begin with [`commands::Command`].

mod commands;
mod document;
mod examination;
mod exit;
mod failure;
mod follow;
mod host;
mod ink;
mod output;
mod place;
mod plan;
mod progress;
mod records;
mod remote;
mod settings;
mod shape;
mod summary;
mod undeclared;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use commands::Cli;
use exit::Exit;
use failure::Failure;

/// The system's allocator takes a quarter of what the host's thread computes, and three times the page faults. Version 2
/// takes no locks, which the guard relies on: it is forked while other threads allocate. No huge pages: in a virtual
/// machine whose host takes back what is free, each costs milliseconds.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything else: scripts are evaluated in processes of this binary.
    partitur_script::maybe_become_helper();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let colour = cli.global.color.for_stream(&std::io::stderr());
    match cli.command.run(&cli.global) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            report(&failure, colour);
            failure.exit().into()
        }
    }
}

fn report(failure: &Failure, colour: bool) {
    if let Failure::Faulty(rendered) = failure {
        eprint!("{rendered}");
    }
    for line in failure.lines() {
        eprintln!("{}", line.whole(colour));
    }
}

/// What clap has to say: help is an answer, everything else a wrong command line.
fn refuse(error: &clap::Error) -> ExitCode {
    // Whoever has closed the other end does not want to read it.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Success.into(),
        _ => Exit::Usage.into(),
    }
}
