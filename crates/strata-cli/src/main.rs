//! The `strata` command: a tour of the library and an operator's tools. What is said is in `args`, where a store is found in
//! `opening`, what is done in `commands` and `tour`, what is printed in `output` and `failure`.

mod args;
mod commands;
mod failure;
mod line;
mod location;
mod opening;
mod output;
mod progress;
mod tour;
mod words;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::failure::Failure;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.global.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell(json);
            ExitCode::from(failure.code())
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Io("can't start the runtime", error))?;
    runtime.block_on(commands::run(cli))
}

/// Tells what clap found: help and version on standard output, anything else as a failure.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nobody to tell if standard output is closed.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let json = std::env::args_os().any(|word| word == "--json");
    if json {
        let text = error.to_string();
        let message = text.trim().trim_start_matches("error: ");
        Failure::Usage(message.to_owned()).tell(true);
    } else {
        let _ = error.print();
    }
    ExitCode::from(2)
}
