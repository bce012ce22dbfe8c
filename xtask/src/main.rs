//! Development tasks of Strata, run as `cargo xtask <task>`. Nothing here is shipped.
//!
//! One file per task; `run`, `report` and `workspace` are what they share.

mod barrier;
mod bench;
mod browser;
mod ci;
mod crash;
mod features;
mod release;
mod report;
mod run;
mod secret_service;
mod soak;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Development tasks of Strata.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test, then say which suites were skipped, for want of what.
    Test(test::Arguments),
    /// Everything continuous integration asks for, stopping at the first failure.
    Ci,
    /// Check what compilers do not: arrows between crates, headers, manifests, texts.
    Tidy,
    /// Check every crate alone, with each feature alone, with none and with all.
    Features,
    /// Measure; writes docs/benchmarks.md.
    Bench(bench::Arguments),
    /// Kill the release binary, or cut its power, while it writes, and look for lost writes.
    Crash(crash::Arguments),
    /// Load the service with thousands of sessions, and compare what is there with what it acknowledged.
    Soak(soak::Arguments),
    /// Package and build every crate as it would be published.
    Release(release::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match Workspace::read().and_then(|workspace| perform(&arguments.task, &workspace)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nFAILED: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task, workspace: &Workspace) -> run::Result {
    match task {
        Task::Test(arguments) => test::run(workspace, arguments),
        Task::Ci => ci::run(workspace),
        Task::Tidy => tidy::run(workspace),
        Task::Features => features::run(workspace),
        Task::Bench(arguments) => bench::run(workspace, arguments),
        Task::Crash(arguments) => crash::run(workspace, arguments),
        Task::Soak(arguments) => soak::run(workspace, arguments),
        Task::Release(arguments) => release::run(workspace, arguments),
    }
}
