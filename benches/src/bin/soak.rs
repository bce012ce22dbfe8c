//! Drives the service over loopback and compares what is there in the end with what was acknowledged. Ends with 1 where anything
//! was lost, doubled or came back, or was answered as a service in good health does not. `cargo xtask soak` builds the service and
//! runs this.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use strata_benches::soak::{self, Plan};

/// How hard, and for how long.
#[derive(Debug, Parser)]
struct Options {
    /// The program with the command `serve`.
    #[arg(long)]
    binary: PathBuf,
    /// How long to go on.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Sessions open at once, at most.
    #[arg(long, default_value_t = 2000)]
    sessions: usize,
    /// Clients that use sessions at once.
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// Kill the service in the middle and start it again.
    #[arg(long)]
    kill: bool,
    /// Repeats the choices (not the timing) of an earlier run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let plan = Plan {
        binary: options.binary,
        time: Duration::from_secs(options.seconds),
        sessions: options.sessions,
        clients: options.clients,
        kill: options.kill,
        seed: options.seed,
    };
    match soak(&plan) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

fn soak(plan: &Plan) -> Result<bool, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("making a folder for its data: {error}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting a runtime: {error}"))?;
    let report = runtime.block_on(soak::run(plan, folder.path()))?;
    println!("\n{}", report.text());
    println!("{}", if report.is_clean() { "nothing lost, nothing back" } else { "FAILED, see BAD above" });
    Ok(report.is_clean())
}
