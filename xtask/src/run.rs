//! Running other programs: printed before they run, their failure turned into a sentence.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// The result of every task.
pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

/// Why a task failed, in one sentence for a person.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says what was being done when the system refused.
pub(crate) trait During<T> {
    fn during(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> During<T> for std::result::Result<T, E> {
    fn during(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}

/// What `cargo run` tells a program about its own package. Handed on, it would make build scripts that watch
/// it (`ring` has one) run again each time a task and a plain cargo command alternate.
const OWN_PACKAGE: [&str; 5] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];

/// What tests and examples are told of the session bus: that there is none. Should one of them ever ask for the system's keyring, it finds
/// no keyring of the developer's to write into. (Only where keyrings are reached by that bus; elsewhere the tests' own care has to do.)
pub(crate) const NO_BUS: (&str, &str) = ("DBUS_SESSION_BUS_ADDRESS", "disabled:");

/// The cargo that runs this task, started at the root of the workspace.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if OWN_PACKAGE.iter().any(|own| name.to_string_lossy().starts_with(own)) {
            command.env_remove(name);
        }
    }
    command.current_dir(root).stdin(Stdio::null());
    command
}

/// Runs a command whose output goes to the terminal. Failure when it cannot start or does not exit with 0.
pub(crate) fn run(command: &mut Command) -> Result {
    println!("$ {}", shown(command));
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(Failure(format!("`{}` ended with {status}", shown(command)))) }
}

/// Runs a command quietly and gives its standard output; its standard error goes to the terminal.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| cannot_start(command, &error))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Failure(format!("`{}` ended with {}", shown(command), output.status)))
}

/// Whether a program of that name can be found.
pub(crate) fn is_installed(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path)
        .any(|folder| folder.join(format!("{program}{}", std::env::consts::EXE_SUFFIX)).is_file())
}

/// The command as somebody would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command, error: &io::Error) -> Failure {
    Failure(format!("`{}` could not be started: {error}", shown(command)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_is_named() {
        let root = std::env::temp_dir();
        let failure = run(cargo(&root).arg("no-such-task")).expect_err("cargo has no such task");
        assert!(failure.to_string().starts_with("`cargo no-such-task` ended with"), "{failure}");
    }

    #[test]
    fn a_program_that_is_missing_is_not_installed() {
        assert!(!is_installed("no-such-program-anywhere"));
    }

    #[test]
    fn a_nested_cargo_does_not_hear_of_this_package() {
        let removed = cargo(Path::new(".")).get_envs().filter(|(_, value)| value.is_none()).count();
        assert!(removed >= 3, "cargo sets more than that for every program it runs, found {removed}");
    }
}
