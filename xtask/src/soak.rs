//! `cargo xtask soak`: the release binary's service under thousands of sessions, nothing lost and nothing back. The clients and
//! what they know are in `strata-benches`; here the service is built and they are started.

use std::path::PathBuf;

use clap::Args;

use crate::run::{During, Result, cargo, run as execute};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// How long to go on.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Sessions open at once, at most.
    #[arg(long)]
    sessions: Option<usize>,
    /// Kill the service in the middle and start it again.
    #[arg(long)]
    kill: bool,
    /// The program to soak, instead of building `target/release/strata`.
    #[arg(long)]
    binary: Option<PathBuf>,
}

impl Arguments {
    /// What continuous integration can wait for.
    pub(crate) const SHORT: Self = Self { seconds: 20, sessions: None, kill: true, binary: None };
}

/// Builds the service, then runs the clients against it. Failure when anything was lost or came back.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result {
    let binary = match &arguments.binary {
        Some(binary) => binary.canonicalize().during("the program to soak")?,
        None => build(workspace)?,
    };
    let mut command = cargo(&workspace.root);
    command.args(["run", "--release", "-p", "strata-benches", "--bin", "soak", "--"]);
    command.arg("--binary").arg(binary).args(["--seconds", &arguments.seconds.to_string()]);
    if let Some(sessions) = arguments.sessions {
        command.args(["--sessions", &sessions.to_string()]);
    }
    if arguments.kill {
        command.arg("--kill");
    }
    execute(&mut command)
}

fn build(workspace: &Workspace) -> Result<PathBuf> {
    execute(cargo(&workspace.root).args(["build", "--release", "-p", "strata-cli"]))?;
    Ok(workspace.target.join(format!("release/strata{}", std::env::consts::EXE_SUFFIX)))
}
