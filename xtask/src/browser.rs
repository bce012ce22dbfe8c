//! A suite of `cargo xtask test`: the console of `strata serve` in a real browser. The tests are in `xtask/browser`; here the binary is
//! built and they are started. They print their counts as cargo's tests do.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::run::{Failure, NO_BUS, Result, cargo, is_installed, run as execute};
use crate::test::{EVERYTHING, Watch};
use crate::workspace::Workspace;

/// Names the browser, where it is not found by itself.
const VARIABLE: &str = "CHROMIUM";

/// What Chromium is called, by those who package it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The tests, below the root of the workspace.
const FOLDER: &str = "xtask/browser";

/// Runs the tests against the debug binary, in fresh folders.
pub(crate) fn run(workspace: &Workspace, watch: Watch<'_>) -> Result {
    // With the examples, or cargo would choose other features for shared dependencies and build them again.
    execute(cargo(&workspace.root).arg("build").args(EVERYTHING).args(["--bins", "--examples"]))?;
    let binary = workspace.target.join(format!("debug/strata{}", std::env::consts::EXE_SUFFIX));
    let browser = browser().ok_or_else(|| Failure::new("there was a browser a moment ago"))?;
    println!("\nthe console, in {}:", browser.display());
    let mut command = Command::new("node");
    command.arg(workspace.root.join(FOLDER).join("run.mjs"));
    command.arg("--binary").arg(binary).arg("--browser").arg(browser);
    command.arg("--screenshots").arg(workspace.target.join("screenshots"));
    command.env(NO_BUS.0, NO_BUS.1).stdin(Stdio::null()).stdout(Stdio::piped());
    watch(&mut command)
}

/// Whether there is a browser.
pub(crate) fn is_there() -> bool {
    browser().is_some()
}

/// Whether what drives the browser was fetched.
pub(crate) fn has_driver() -> bool {
    let packages = concat!(env!("CARGO_MANIFEST_DIR"), "/browser/node_modules");
    PathBuf::from(packages).join("playwright-core/package.json").is_file()
}

/// The browser that is named, else the first that is installed.
fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    let name = NAMES.into_iter().find(|name| is_installed(name))?;
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// The tests, as cargo is told of this package.
    fn folder() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/browser"))
    }

    #[test]
    fn every_file_of_tests_is_run() {
        let runner = fs::read_to_string(folder().join("run.mjs")).expect("the runner");
        let tests = fs::read_dir(folder().join("tests")).expect("the tests");
        let names: Vec<_> = tests.map(|file| file.expect("a file").file_name()).collect();
        assert!(names.len() > 5, "{names:?}");
        for name in names {
            let name = name.to_string_lossy();
            assert!(runner.contains(&format!("import \"./tests/{name}\";")), "run.mjs does not run {name}");
        }
    }

    #[test]
    fn the_lock_names_no_registry() {
        let lock = fs::read_to_string(folder().join("package-lock.json")).expect("the lock");
        assert!(
            lock.contains("integrity") && !lock.contains("://"),
            "write it with --omit-lockfile-registry-resolved"
        );
    }
}
