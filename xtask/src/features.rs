//! `cargo xtask features`: each crate alone, with its default features, with none, with each by itself, with all. A
//! crate that builds only beside another, or only with a feature on, is found here and nowhere else.

use std::process::Stdio;
use std::time::Instant;

use crate::report::{Table, clock};
use crate::run::{During, Failure, Result, cargo};
use crate::workspace::{Member, Workspace};

/// One way to build one crate.
#[derive(Debug, PartialEq, Eq)]
struct Set {
    name: String,
    arguments: Vec<String>,
}

impl Set {
    fn new(name: &str, arguments: &[&str]) -> Self {
        Self { name: name.to_owned(), arguments: arguments.iter().map(ToString::to_string).collect() }
    }
}

/// Checks every crate under `crates/` with every set; a warning is a failure. Prints a table.
pub(crate) fn run(workspace: &Workspace) -> Result {
    let mut table = Table::new(&["crate", "features", "result", "time"]);
    let mut failures = Vec::new();
    for member in workspace.crates() {
        for set in sets(member) {
            let start = Instant::now();
            let complaint = check(workspace, member, &set)?;
            let result = if complaint.is_some() { "FAILED" } else { "ok" };
            table.row(&[&member.name, &set.name, result, &clock(start.elapsed())]);
            failures.extend(complaint.map(|text| format!("{} with {}:\n{text}", member.name, set.name)));
        }
    }
    for failure in &failures {
        println!("{failure}");
    }
    println!("{}", table.text());
    if failures.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("features: {} sets fail", failures.len())))
    }
}

/// The sets that differ for this crate.
fn sets(member: &Member) -> Vec<Set> {
    let own: Vec<&str> =
        member.features.iter().map(String::as_str).filter(|name| *name != "default").collect();
    let mut sets = vec![Set::new("none", &["--no-default-features"])];
    if own.len() < member.features.len() {
        sets.push(Set::new("default", &[]));
    }
    sets.extend(own.iter().map(|name| Set::new(name, &["--no-default-features", "--features", name])));
    if own.len() > 1 {
        sets.push(Set::new("all", &["--all-features"]));
    }
    sets
}

/// What the compiler complains about, if anything.
fn check(workspace: &Workspace, member: &Member, set: &Set) -> Result<Option<String>> {
    let mut command = cargo(&workspace.root);
    command.args(["check", "--quiet", "-p", &member.name]).args(&set.arguments).stdout(Stdio::null());
    let output = command.output().during(format_args!("checking {}", member.name))?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((!output.status.success() || complaint.contains("warning")).then_some(complaint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(features: &[&str]) -> Vec<String> {
        let features = features.iter().map(ToString::to_string).collect();
        sets(&Member { features, ..Member::default() }).into_iter().map(|set| set.name).collect()
    }

    #[test]
    fn a_crate_without_features_is_checked_once() {
        assert_eq!(names(&[]), ["none"]);
    }

    #[test]
    fn every_feature_is_tried_alone_and_all_together() {
        assert_eq!(names(&["power"]), ["none", "power"]);
        assert_eq!(names(&["crypto", "default", "sled"]), ["none", "default", "crypto", "sled", "all"]);
    }

    #[test]
    fn a_feature_alone_comes_without_the_default_ones() {
        let member = Member { features: vec!["power".to_owned()], ..Member::default() };
        assert_eq!(sets(&member)[1].arguments, ["--no-default-features", "--features", "power"]);
    }
}
