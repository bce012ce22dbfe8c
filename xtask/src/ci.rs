//! `cargo xtask ci`: everything asked of a change, cheapest first, each step timed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::report::{Step, clock, run_steps};
use crate::run::{During, Failure, NO_BUS, Result, cargo, is_installed, run as execute};
use crate::test::EVERYTHING;
use crate::workspace::{Member, Workspace};
use crate::{features, secret_service, soak, test, tidy};

/// The version of cargo-deny whose verdicts are trusted.
const CARGO_DENY: &str = "0.20.2";

/// An example that runs longer than this hangs.
const LONGEST_EXAMPLE: Duration = Duration::from_mins(2);

/// Runs every step, up to the first that fails.
pub(crate) fn run(workspace: &Workspace) -> Result {
    let root = &workspace.root;
    run_steps(vec![
        Step::new("format", || execute(cargo(root).args(["fmt", "--all", "--check"]))),
        Step::new("tidy", || tidy::run(workspace)),
        Step::new("licences and sources", || deny(root)),
        Step::new("lints, benches included", || lints(root)),
        Step::new("tests, none skipped", || {
            test::run(workspace, &test::Arguments { require_all: true, suite: None })
        }),
        Step::new("hot paths, pinned", || {
            execute(cargo(root).args(["run", "--release", "-p", "strata-benches", "--", "pins"]))
        }),
        Step::new("a short soak, killed in the middle", || soak::run(workspace, &soak::Arguments::SHORT)),
        Step::new("examples", || examples(workspace)),
        Step::new("documentation", || documentation(root)),
        Step::new("features, one by one", || features::run(workspace)),
    ])
}

/// Tests that only `cargo xtask test` runs are no target of `--all-targets`, and named.
fn lints(root: &Path) -> Result {
    execute(&mut clippy(root))?;
    for (package, _) in secret_service::PACKAGES {
        let mut command = cargo(root);
        command.args(["clippy", "-p", package, "--all-features", "--test", secret_service::TEST]);
        execute(command.args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

fn clippy(root: &Path) -> Command {
    let mut command = cargo(root);
    command.args(["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]);
    command
}

fn deny(root: &Path) -> Result {
    if !is_installed("cargo-deny") {
        execute(cargo(root).args(["install", "--locked", "cargo-deny", "--version", CARGO_DENY]))?;
    }
    execute(cargo(root).args(["deny", "check", "bans", "licenses", "sources"]))
}

/// Libraries and binaries apart: the library `strata` and the binary `strata` would write the same pages.
fn documentation(root: &Path) -> Result {
    let document = |arguments: &[&str]| {
        let mut command = cargo(root);
        command.args(["doc", "--no-deps"]).args(EVERYTHING).args(arguments);
        execute(command.env("RUSTDOCFLAGS", "-D warnings"))
    };
    document(&["--bins", "--document-private-items"])?;
    document(&["--lib"])
}

/// Builds every example as the tests did, then runs each in an empty folder that is also its home, without a keyring.
fn examples(workspace: &Workspace) -> Result {
    execute(cargo(&workspace.root).arg("build").args(EVERYTHING).arg("--examples"))?;
    let named: Vec<(&str, &str)> = workspace.crates().flat_map(named_examples).collect();
    for (member, name) in &named {
        let program = workspace.target.join("debug/examples").join(name);
        run_example(&program)
            .map_err(|failure| Failure::new(format!("example {name} of {member}: {failure}")))?;
    }
    println!("{} examples ran", named.len());
    Ok(())
}

fn named_examples(member: &Member) -> impl Iterator<Item = (&str, &str)> {
    member.examples.iter().map(|example| (member.name.as_str(), example.as_str()))
}

fn run_example(program: &PathBuf) -> Result {
    println!("$ {}", program.display());
    let folder = tempfile::tempdir().during("making an empty folder")?;
    let start = Instant::now();
    let mut child = Command::new(program)
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env(NO_BUS.0, NO_BUS.1)
        .stdin(Stdio::null())
        .spawn()
        .during("starting it")?;
    let status = wait(&mut child, LONGEST_EXAMPLE)?;
    println!("  {status} after {}", clock(start.elapsed()));
    if status.success() { Ok(()) } else { Err(Failure::new(format!("ended with {status}"))) }
}

/// Waits for the child, but no longer than the limit; then it is ended.
fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait().during("waiting for it")? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().during("ending it")?;
    child.wait().during("waiting for its end")?;
    Err(Failure::new(format!("was still running after {}", clock(limit))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended() {
        let mut child =
            cargo(Path::new(".")).arg("--version").stdout(Stdio::null()).spawn().expect("cargo starts");
        assert!(wait(&mut child, Duration::from_mins(1)).expect("it ends by itself").success());
        let mut hanging = Command::new("cat").stdin(Stdio::piped()).spawn().expect("it starts");
        let failure = wait(&mut hanging, Duration::from_millis(20)).expect_err("nobody closes its input");
        assert_eq!(failure.to_string(), "was still running after 0:00.0");
    }

    #[test]
    fn lints_cover_benches_and_every_feature() {
        let words: Vec<_> = clippy(Path::new(".")).get_args().map(std::ffi::OsStr::to_owned).collect();
        for expected in ["--workspace", "--all-targets", "--all-features"] {
            assert!(words.iter().any(|word| word == expected), "{expected}");
        }
    }
}
