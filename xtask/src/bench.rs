//! `cargo xtask bench`: the harness of ratios, then, unless in a hurry, the criterion benches.

use clap::Args;

use crate::run::{Result, cargo, run as execute};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Fewer rounds and no criterion benches: to see that it runs, not to be quoted.
    #[arg(long)]
    quick: bool,
    /// Handed to the harness as they are.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Runs the harness in `benches/`, which writes docs/benchmarks.md, then the criterion benches.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result {
    let mut harness = cargo(&workspace.root);
    harness.args(["run", "--release", "-p", "strata-benches", "--"]);
    if arguments.quick {
        harness.arg("--quick");
    }
    // A missed gate is a failure of the whole, but no reason to leave the rest unmeasured.
    let gates = execute(harness.args(&arguments.rest));
    if !arguments.quick {
        execute(cargo(&workspace.root).args(["bench", "-p", "strata-benches"]))?;
    }
    gates
}
