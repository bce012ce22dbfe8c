//! `cargo xtask release`: package every crate in the order of its arrows and build each from its package. Nothing is
//! published without `--execute`.

use std::collections::BTreeSet;

use clap::Args;

use crate::run::{During, Failure, Result, cargo, output, run as execute};
use crate::workspace::{Member, Workspace};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Really publish. Without it, everything short of that is done.
    #[arg(long)]
    execute: bool,
}

/// Checks versions and changelog, packages, builds, and says what it would publish; with `--execute`, publishes.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result {
    let order = in_order(workspace)?;
    let version = one_version(&order)?;
    let changelog =
        std::fs::read_to_string(workspace.root.join("CHANGELOG.md")).during("reading CHANGELOG.md")?;
    if !has_entry(&changelog, version) {
        return Err(Failure::new(format!(
            "CHANGELOG.md has no entry `## {version}`; write what a user will notice"
        )));
    }
    package(workspace, &order)?;
    if arguments.execute {
        return execute(cargo(&workspace.root).arg("publish").args(selection(&order)));
    }
    println!(
        "\nEvery crate was built from its package. With --execute this would be published, in this order:"
    );
    for member in &order {
        println!("  {} {version}", member.name);
    }
    Ok(())
}

/// What is published, each after everything it stands on. Dev-dependencies count: they are resolved when packaged.
fn in_order(workspace: &Workspace) -> Result<Vec<&Member>> {
    let mut waiting: Vec<&Member> = workspace.members.iter().filter(|member| member.published).collect();
    let mut order: Vec<&Member> = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    while !waiting.is_empty() {
        let stands = |member: &&Member| below(member).all(|name| done.contains(name));
        let (ready, rest): (Vec<&Member>, Vec<&Member>) = waiting.into_iter().partition(stands);
        if ready.is_empty() {
            let names: Vec<&str> = rest.iter().map(|member| member.name.as_str()).collect();
            return Err(Failure::new(format!(
                "no order: {} wait for each other or for a crate that is not published",
                names.join(", ")
            )));
        }
        done.extend(ready.iter().map(|member| member.name.as_str()));
        order.extend(ready);
        waiting = rest;
    }
    Ok(order)
}

fn below(member: &Member) -> impl Iterator<Item = &str> {
    let local = member.dependencies.iter().filter(|to| to.local && to.name != member.name);
    local.map(|to| to.name.as_str())
}

fn one_version<'a>(members: &[&'a Member]) -> Result<&'a str> {
    let versions: BTreeSet<&str> = members.iter().map(|member| member.version.as_str()).collect();
    match versions.into_iter().collect::<Vec<_>>()[..] {
        [version] => Ok(version),
        ref several => {
            Err(Failure::new(format!("the crates carry several versions: {}", several.join(", "))))
        }
    }
}

/// Whether a heading of the changelog is that version, with or without a date behind it.
fn has_entry(changelog: &str, version: &str) -> bool {
    let headings = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    headings.map(|heading| heading.trim_start_matches('[')).any(|heading| {
        heading.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ']']))
    })
}

/// Packages all crates in one go: cargo orders them, and builds each from its own archive against the archives of the
/// others, so that none of them has to be on a registry yet. It does so in a fresh folder: cargo remembers what it unpacked by
/// folder, name and version, and would build yesterday's archive of a version that has changed since.
fn package(workspace: &Workspace, order: &[&Member]) -> Result {
    let changed = output(
        std::process::Command::new("git").args(["status", "--porcelain"]).current_dir(&workspace.root),
    )?;
    let fresh = tempfile::tempdir_in(&workspace.target).during("making a folder to package in")?;
    let mut command = cargo(&workspace.root);
    command.arg("package").args(selection(order)).env("CARGO_TARGET_DIR", fresh.path());
    if !changed.is_empty() {
        println!("note: the tree has uncommitted changes; they are packaged too, and would stop --execute");
        command.arg("--allow-dirty");
    }
    execute(&mut command)
}

fn selection(order: &[&Member]) -> Vec<String> {
    order.iter().flat_map(|member| ["-p".to_owned(), member.name.clone()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn member(name: &str, version: &str, below: &[&str]) -> Member {
        let arrow = |to: &&str| Dependency { name: (*to).to_owned(), local: true, ..Dependency::default() };
        let dependencies = below.iter().map(arrow).collect();
        Member {
            name: name.into(),
            version: version.into(),
            dependencies,
            published: true,
            ..Member::default()
        }
    }

    fn workspace(members: Vec<Member>) -> Workspace {
        Workspace { members, ..Workspace::default() }
    }

    #[test]
    fn a_crate_comes_after_what_it_stands_on() {
        let mut tool = member("xtask", "9.9.9", &[]);
        tool.published = false;
        let workspace = workspace(vec![
            member("a", "1.0.0", &["b", "c"]),
            member("b", "1.0.0", &["c"]),
            member("c", "1.0.0", &[]),
            tool,
        ]);
        let order = in_order(&workspace).expect("there is one");
        assert_eq!(order.iter().map(|member| member.name.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
        assert_eq!(one_version(&order).expect("they agree"), "1.0.0");
    }

    #[test]
    fn a_circle_has_no_order() {
        let circle = workspace(vec![member("a", "1.0.0", &["b"]), member("b", "1.0.0", &["a"])]);
        assert!(in_order(&circle).expect_err("they wait for each other").to_string().contains("a, b"));
    }

    #[test]
    fn versions_that_differ_are_refused() {
        let (a, b) = (member("a", "1.0.0", &[]), member("b", "1.0.1", &[]));
        assert!(one_version(&[&a, &b]).is_err());
    }

    #[test]
    fn the_changelog_needs_an_entry_for_exactly_this_version() {
        assert!(has_entry("# Changes\n\n## 0.1.0 (2025-11-23)\n", "0.1.0"));
        assert!(has_entry("## [0.1.0]\n", "0.1.0"));
        assert!(!has_entry("## 0.1.0-rc.1\n## 0.1.01\n### 0.1.0\n", "0.1.0"));
    }
}
