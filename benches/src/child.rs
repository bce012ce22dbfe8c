//! Runs this program again, or a sister of it: for readings that need a fresh process.

use std::process::{Command, Stdio};

/// Runs this program with `arguments` and gives back the number it prints.
pub fn number(arguments: &[&str]) -> u64 {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    let text = output(command.args(arguments));
    text.trim().parse().unwrap_or_else(|_| panic!("the child printed `{text}` instead of a number"))
}

/// Builds and runs the program `allocations` of this package: each path and how many allocations it makes, and bytes.
pub fn allocations() -> Vec<(String, u64, u64)> {
    let text = counting(&[]);
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    text.lines().map(|text| line(text).unwrap_or_else(|| panic!("`allocations` printed `{text}`"))).collect()
}

/// The most bytes that the program `allocations` had in use at once while it did `what` with so many events.
pub fn peak(what: &str, events: u64) -> u64 {
    let text = counting(&["peak", what, &events.to_string()]);
    text.trim().parse().unwrap_or_else(|_| panic!("`allocations` printed `{text}` instead of a number"))
}

/// Builds and runs the program that counts allocations.
fn counting(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--quiet", "--release", "--bin", "allocations", "--manifest-path"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).arg("--").args(arguments);
    output(&mut command)
}

fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().expect("the child starts");
    assert!(output.status.success(), "the child ended with {}", output.status);
    String::from_utf8(output.stdout).expect("the child prints text")
}
