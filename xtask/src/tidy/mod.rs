//! `cargo xtask tidy`: what the compiler does not check. Each rule is one function from the house to what it found.

mod arrows;
mod manifests;
mod sources;
mod texts;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use crate::run::{During, Failure, Result};
use crate::workspace::Workspace;

/// Everything the rules look at.
#[derive(Debug, Default)]
pub(crate) struct House {
    pub(crate) workspace: Workspace,
    pub(crate) files: Vec<File>,
    /// The packages that `strata-core` is built from when it is built alone.
    pub(crate) below_core: BTreeSet<String>,
}

/// A text file of the tree.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root, with `/` between.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// What stands behind the last dot of its name.
    fn ending(&self) -> &str {
        ending(&self.path)
    }
}

/// One place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    place: String,
    what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// A place where a rule does not apply, and why.
pub(crate) struct Except {
    path: &'static str,
    reason: &'static str,
}

/// Whether the list has a reasoned exception for the path.
fn is_excepted(list: &[Except], path: &str) -> bool {
    list.iter().any(|except| except.path == path && !except.reason.is_empty())
}

type Rule = fn(&House) -> Vec<Finding>;

/// Name and rule; the name is what a person reads.
const RULES: [(&str, Rule); 15] = [
    ("arrows between crates go down", arrows::go_down),
    ("core stands on nothing it must not know", arrows::core_is_the_ground),
    ("dependencies are declared once, with a reason", manifests::dependencies_have_reasons),
    ("members inherit their dependencies", manifests::members_inherit),
    ("declared dependencies are used", manifests::declared_is_used),
    ("every source begins by saying what it is", sources::begin_with_a_header),
    ("nothing is left unfinished", sources::nothing_unfinished),
    ("time is injected", sources::time_is_injected),
    ("features only add", sources::features_only_add),
    ("files are short", sources::files_are_short),
    ("lines end cleanly", texts::lines_end_cleanly),
    ("files end with a newline", texts::files_end_with_a_newline),
    ("the map fits on a page", texts::architecture_is_short),
    ("every crate has a readme", texts::crates_have_readmes),
    ("exceptions are needed", sources::exceptions_are_needed),
];

/// Applies every rule and prints what each found. Failure when any found something.
pub(crate) fn run(workspace: &Workspace) -> Result {
    let mut files = Vec::new();
    collect(&workspace.root, &workspace.root, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let below_core = workspace.built_from("strata-core")?;
    let house = House { workspace: workspace.clone(), files, below_core };
    let mut count = 0;
    for (name, rule) in RULES {
        let findings = rule(&house);
        println!("{} {name}", if findings.is_empty() { "ok  " } else { "BAD " });
        for finding in &findings {
            println!("       {finding}");
        }
        count += findings.len();
    }
    println!("{} rules, {} files", RULES.len(), house.files.len());
    if count == 0 { Ok(()) } else { Err(Failure::new(format!("tidy: {count} findings, listed above"))) }
}

/// Folders that are not ours to check: built, stored or fetched.
const SKIPPED_FOLDERS: [&str; 4] = ["target", ".git", "data", "node_modules"];
const TEXT_ENDINGS: [&str; 11] = ["rs", "toml", "md", "sh", "c", "js", "mjs", "html", "css", "yml", "json"];
const TEXT_NAMES: [&str; 4] = [".ci/run", ".gitignore", "LICENSE-MIT", "LICENSE-APACHE"];

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result {
    let entries = std::fs::read_dir(folder).during(format_args!("listing {}", folder.display()))?;
    for entry in entries {
        let path = entry.during(format_args!("listing {}", folder.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if path.is_dir() && !path.is_symlink() {
            if !SKIPPED_FOLDERS.contains(&&*name) {
                collect(root, &path, files)?;
            }
        } else if is_text(&relative) {
            let text = std::fs::read_to_string(&path).during(format_args!("reading {relative}"))?;
            files.push(File { path: relative, text });
        }
    }
    Ok(())
}

fn is_text(path: &str) -> bool {
    TEXT_NAMES.contains(&path) || TEXT_ENDINGS.contains(&ending(path))
}

fn ending(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, ending)| ending)
}

#[cfg(test)]
impl House {
    /// A house of these files and nothing else.
    fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        Self { files: files.iter().map(file).collect(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_known_by_their_names() {
        assert!(is_text("crates/strata/src/lib.rs") && is_text(".ci/run") && is_text("LICENSE-MIT"));
        assert!(!is_text("docs/plot.png") && !is_text("Cargo.lock") && !is_text("run"));
    }

    #[test]
    fn an_exception_without_a_reason_is_none() {
        let list = [Except { path: "a", reason: "measured" }, Except { path: "b", reason: "" }];
        assert!(is_excepted(&list, "a") && !is_excepted(&list, "b") && !is_excepted(&list, "c"));
    }

    #[test]
    fn the_tree_is_walked_without_what_is_built() {
        let folder = tempfile::tempdir().expect("a fresh folder");
        for (path, text) in [("src/a.rs", "//! A\n"), ("target/b.rs", ""), ("c.png", "")] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("inside")).expect("a new folder");
            std::fs::write(path, text).expect("a new file");
        }
        let mut files = Vec::new();
        collect(folder.path(), folder.path(), &mut files).expect("all of it can be read");
        assert_eq!(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["src/a.rs"]);
    }
}
