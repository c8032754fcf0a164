//! Checks that no compiler makes: `cargo run -p xtask -- tidy`.

mod imports;
mod licences;
mod metadata;
mod pages;

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy(),
        _ => {
            eprintln!(
                "usage: cargo run -p xtask -- tidy\n\nChecks who imports whom, that every error has its page, and the licences of dependencies."
            );
            ExitCode::from(2)
        }
    }
}

fn tidy() -> ExitCode {
    let metadata = metadata::read();
    let mut problems = imports::problems(&metadata);
    problems.extend(pages::problems(&metadata.root));
    problems.extend(licences::problems(&metadata));
    for problem in &problems {
        eprintln!("tidy: {problem}");
    }
    if problems.is_empty() {
        println!("tidy: imports, error pages and licences are in order");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
