//! `cargo xtask test`: every test there is, and a plain word about each suite that this machine cannot run.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use clap::Args;

use crate::barrier;
use crate::browser;
use crate::report::Table;
use crate::run::{During, Failure, NO_BUS, Result, cargo, is_installed, shown};
use crate::secret_service;
use crate::workspace::Workspace;

#[derive(Debug, Default, Args)]
pub(crate) struct Arguments {
    /// A suite that cannot run here is a failure.
    #[arg(long)]
    pub(crate) require_all: bool,
    /// Only suites with this in their name.
    #[arg(long, value_name = "TEXT")]
    pub(crate) suite: Option<String>,
}

/// What every invocation on the whole workspace names, so that all of them share one build.
pub(crate) const EVERYTHING: [&str; 4] = ["--workspace", "--exclude", "strata-benches", "--all-features"];

/// Tests that run together.
struct Suite {
    name: &'static str,
    how: How,
    needs: &'static [Need],
}

enum How {
    /// `cargo test` with these arguments.
    Cargo(&'static [&'static str]),
    /// One test that drives a program from outside.
    Here(fn(&Workspace) -> Result),
    /// Tests that need something around them, each run handed to the second argument.
    Within(fn(&Workspace, Watch<'_>) -> Result),
}

/// Runs one command and counts the tests in what it prints.
pub(crate) type Watch<'w> = &'w mut dyn FnMut(&mut Command) -> Result;

/// Something a machine may lack.
struct Need {
    what: &'static str,
    is_there: fn() -> bool,
    way: &'static str,
}

/// Each needs a build of its own only where it says something that the first does not.
const SUITES: [Suite; 6] = [
    Suite { name: "the workspace, all features", how: How::Cargo(&EVERYTHING), needs: &[] },
    Suite {
        name: "the store on disk, without `power`",
        how: How::Cargo(&["-p", "strata-adapter-sled"]),
        needs: &[],
    },
    Suite {
        name: "what measures the workspace",
        how: How::Cargo(&["-p", "strata-benches", "--lib"]),
        needs: &[],
    },
    Suite { name: "a barrier that the kernel sees", how: How::Here(barrier::run), needs: &[STRACE] },
    Suite {
        name: "the keyring, over a private Secret Service",
        how: How::Within(secret_service::run),
        needs: &[BUS, KEYRING],
    },
    Suite {
        name: "the console, in a browser",
        how: How::Within(browser::run),
        needs: &[NODE, BROWSER, DRIVER],
    },
];

/// Tests inside the suites above that leave themselves out where something is missing. They cannot tell so themselves: what
/// a passing test prints is not shown.
const PARTS: [(&str, Need); 1] = [("a full disk and a read-only one, in strata-adapter-sled", SMALL_DISK)];

const STRACE: Need =
    Need { what: "strace", is_there: || is_installed("strace"), way: "apt-get install -y strace" };

const BUS: Need = Need {
    what: "dbus-daemon and dbus-send",
    is_there: || is_installed("dbus-daemon") && is_installed("dbus-send"),
    way: "apt-get install -y --no-install-recommends dbus",
};

const KEYRING: Need = Need {
    what: "gnome-keyring-daemon",
    is_there: || is_installed("gnome-keyring-daemon"),
    way: "apt-get install -y --no-install-recommends gnome-keyring",
};

const NODE: Need = Need {
    what: "node, version 20 or later",
    is_there: || is_installed("node"),
    way: "apt-get install -y --no-install-recommends nodejs npm",
};

const BROWSER: Need = Need {
    what: "chromium",
    is_there: browser::is_there,
    way: "apt-get install -y --no-install-recommends chromium, or name one in the variable CHROMIUM",
};

const DRIVER: Need = Need {
    what: "playwright-core, which drives the browser",
    is_there: browser::has_driver,
    way: "npm ci --prefix xtask/browser",
};

const SMALL_DISK: Need = Need {
    what: "the right to mount a tmpfs",
    is_there: may_mount,
    way: "run as root, or: unshare --user --map-root-user --mount cargo xtask test",
};

/// What came of one suite.
enum Outcome {
    Passed(Counts),
    Failed(Counts, Failure),
    Skipped(&'static Need),
}

/// Tests by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Runs all suites, then says what passed, failed and was skipped.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result {
    let wanted = arguments.suite.as_deref().unwrap_or_default();
    let suites = SUITES.iter().filter(|suite| suite.name.contains(wanted));
    let outcomes: Vec<(&str, Outcome)> =
        suites.map(|suite| (suite.name, run_suite(workspace, suite))).collect();
    if outcomes.is_empty() {
        return Err(Failure::new(format!("no suite has `{wanted}` in its name")));
    }
    let skipped = missing(&outcomes, &PARTS);
    println!("\n{}", summary(&outcomes, &skipped));
    verdict(&outcomes, &skipped, arguments.require_all)
}

fn run_suite(workspace: &Workspace, suite: &Suite) -> Outcome {
    if let Some(need) = suite.needs.iter().find(|need| !(need.is_there)()) {
        return Outcome::Skipped(need);
    }
    let mut counts = Counts::default();
    let result = match suite.how {
        How::Cargo(arguments) => watch(&mut cargo_test(workspace, arguments), &mut counts),
        How::Here(action) => {
            println!("\n{}:", suite.name);
            let result = action(workspace);
            counts.add_one(result.is_ok());
            result
        }
        How::Within(action) => action(workspace, &mut |command| watch(command, &mut counts)),
    };
    match result {
        Ok(()) => Outcome::Passed(counts),
        Err(failure) => Outcome::Failed(counts, failure),
    }
}

fn cargo_test(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut command = cargo(&workspace.root);
    command.arg("test").args(arguments).arg("--no-fail-fast").env(NO_BUS.0, NO_BUS.1).stdout(Stdio::piped());
    command
}

/// Runs the tests, hands their output on and counts the results in it.
fn watch(command: &mut Command, counts: &mut Counts) -> Result {
    let name = shown(command);
    println!("$ {name}");
    let mut child = command.spawn().during(format_args!("starting `{name}`"))?;
    let output = child.stdout.take().ok_or_else(|| Failure::new("the output of the tests was not piped"))?;
    for line in BufReader::new(output).lines() {
        let line = line.during("reading what the tests print")?;
        counts.add(&line);
        println!("{line}");
    }
    let status = child.wait().during(format_args!("waiting for `{name}`"))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{name}` ended with {status}"))) }
}

impl Counts {
    fn add_one(&mut self, passed: bool) {
        self.passed += u64::from(passed);
        self.failed += u64::from(!passed);
    }

    /// Adds what a line like `test result: ok. 3 passed; 0 failed; 0 ignored; …` says.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let words: Vec<&str> = result.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].parse::<u64>() else { continue };
            match pair[1] {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

/// What was not run, and the need it was not run for.
fn missing<'a>(
    outcomes: &[(&'a str, Outcome)],
    parts: &'a [(&'static str, Need)],
) -> Vec<(&'a str, &'a Need)> {
    let suites = outcomes.iter().filter_map(|(name, outcome)| match outcome {
        Outcome::Skipped(need) => Some((*name, *need)),
        Outcome::Passed(_) | Outcome::Failed(..) => None,
    });
    let parts = parts.iter().filter(|(_, need)| !(need.is_there)()).map(|(name, need)| (*name, need));
    suites.chain(parts).collect()
}

fn summary(outcomes: &[(&str, Outcome)], skipped: &[(&str, &Need)]) -> String {
    let mut table = Table::new(&["suite", "result", "passed", "failed", "ignored"]);
    for (name, outcome) in outcomes {
        let (result, counts) = match outcome {
            Outcome::Passed(counts) => ("ok", *counts),
            Outcome::Failed(counts, _) => ("FAILED", *counts),
            Outcome::Skipped(_) => ("skipped", Counts::default()),
        };
        let Counts { passed, failed, ignored } = counts;
        table.row(&[name, result, &passed.to_string(), &failed.to_string(), &ignored.to_string()]);
    }
    let mut lines = vec![table.text()];
    lines.extend(
        skipped.iter().map(|(name, need)| {
            format!("skipped: {name}, for want of {}. To get it: {}", need.what, need.way)
        }),
    );
    if skipped.is_empty() {
        lines.push("Nothing was skipped.".to_owned());
    }
    lines.join("\n")
}

fn verdict(outcomes: &[(&str, Outcome)], skipped: &[(&str, &Need)], require_all: bool) -> Result {
    for (name, outcome) in outcomes {
        match outcome {
            Outcome::Failed(_, failure) => return Err(Failure::new(format!("{name}: {failure}"))),
            Outcome::Passed(Counts { passed: 0, .. }) => {
                return Err(Failure::new(format!("{name}: not one test ran")));
            }
            Outcome::Passed(_) | Outcome::Skipped(_) => {}
        }
    }
    match skipped {
        [(name, need), ..] if require_all => Err(Failure::new(format!(
            "{name} was skipped for want of {}; to get it: {}",
            need.what, need.way
        ))),
        _ => Ok(()),
    }
}

/// Whether a tmpfs can be mounted, found out by mounting one.
fn may_mount() -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let quiet = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).arg(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    quiet("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs"]) && quiet("umount", &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    static ABSENT: Need = Need { what: "a unicorn", is_there: || false, way: "believe" };
    const PASSED: Outcome = Outcome::Passed(Counts { passed: 1, failed: 0, ignored: 0 });

    #[test]
    fn tests_reach_no_keyring_of_the_developers() {
        let command = cargo_test(&Workspace::default(), &[]);
        let told = command.get_envs().find(|(name, _)| *name == "DBUS_SESSION_BUS_ADDRESS");
        assert_eq!(told.and_then(|(_, address)| address), Some("disabled:".as_ref()));
    }

    #[test]
    fn results_are_added_up() {
        let mut counts = Counts::default();
        counts.add(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        counts.add("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out");
        counts.add("test it_passed ... ok");
        assert_eq!(counts, Counts { passed: 4, failed: 2, ignored: 1 });
    }

    #[test]
    fn a_skip_is_told_and_fails_only_when_all_is_required() {
        let outcomes = [("first", PASSED), ("second", Outcome::Skipped(&ABSENT))];
        let skipped = missing(&outcomes, &[]);
        let said = summary(&outcomes, &skipped);
        assert!(said.ends_with("skipped: second, for want of a unicorn. To get it: believe"), "{said}");
        verdict(&outcomes, &skipped, false).expect("a skip is no failure by itself");
        let failure = verdict(&outcomes, &skipped, true).expect_err("everything was required");
        assert_eq!(failure.to_string(), "second was skipped for want of a unicorn; to get it: believe");
    }

    #[test]
    fn a_part_that_leaves_itself_out_is_told_too() {
        let parts = [("a part", Need { what: "luck", is_there: || false, way: "wait" })];
        assert_eq!(missing(&[("first", PASSED)], &parts).len(), 1);
    }

    #[test]
    fn a_failed_suite_and_one_without_tests_fail() {
        let failed = [("first", Outcome::Failed(Counts::default(), Failure::new("broken")))];
        assert_eq!(verdict(&failed, &[], false).expect_err("it failed").to_string(), "first: broken");
        let empty = [("first", Outcome::Passed(Counts::default()))];
        assert!(verdict(&empty, &[], false).is_err());
    }
}
