//! Rules over `Cargo.toml` files, read as text: comments matter here, and a parser would drop them.

use std::collections::BTreeSet;

use super::{File, Finding, House};

/// A dependency as written, its lines joined, its comment apart.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    name: String,
    value: String,
    comment: String,
}

/// Every entry of `[workspace.dependencies]` says behind itself what it is for.
pub(super) fn dependencies_have_reasons(house: &House) -> Vec<Finding> {
    let silent = |entry: &Entry| entry.comment.is_empty();
    let what =
        |entry: &Entry| Finding::new("Cargo.toml", format!("`{}` does not say what it is for", entry.name));
    declared(house).iter().filter(|entry| silent(entry)).map(what).collect()
}

/// A member takes every dependency, its features aside, from the workspace.
pub(super) fn members_inherit(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in members(house) {
        let own = entries(&file.text, is_member_section).into_iter().filter(|entry| !inherits(entry));
        findings.extend(own.map(|entry| {
            Finding::new(&file.path, format!("`{}` is not taken with `workspace = true`", entry.name))
        }));
    }
    findings
}

/// What the workspace declares, some member takes.
pub(super) fn declared_is_used(house: &House) -> Vec<Finding> {
    let taken = members(house).flat_map(|file| entries(&file.text, is_member_section));
    let taken: BTreeSet<String> = taken.map(|entry| entry.name).collect();
    let unused = declared(house).into_iter().filter(|entry| !taken.contains(&entry.name));
    unused.map(|entry| Finding::new("Cargo.toml", format!("no member takes `{}`", entry.name))).collect()
}

fn declared(house: &House) -> Vec<Entry> {
    let root = house.files.iter().filter(|file| file.path == "Cargo.toml");
    root.flat_map(|file| entries(&file.text, |section| section == "workspace.dependencies")).collect()
}

/// The manifests of members. `fuzz/` is a workspace of its own and cannot inherit.
fn members(house: &House) -> impl Iterator<Item = &File> {
    house.files.iter().filter(|file| file.path.ends_with("/Cargo.toml") && !file.path.starts_with("fuzz/"))
}

fn is_member_section(section: &str) -> bool {
    let last = section.rsplit('.').next().unwrap_or_default();
    matches!(last, "dependencies" | "dev-dependencies" | "build-dependencies")
}

fn inherits(entry: &Entry) -> bool {
    entry.value.replace(' ', "").contains("workspace=true")
}

/// The entries of all sections the filter wants. `name.workspace = true` is `name` with `workspace = true`; a
/// section of its own, `[dependencies.name]`, is one entry.
fn entries(text: &str, wanted: impl Fn(&str) -> bool) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    let mut inside = false;
    let mut open = 0;
    let mut own_section = false;
    for line in text.lines() {
        let (code, comment) = split_comment(line);
        if open == 0 && code.starts_with('[') {
            let section = code.trim_matches(['[', ']']);
            inside = wanted(section);
            own_section = section.rsplit_once('.').is_some_and(|(outer, _)| !inside && wanted(outer));
            if let (true, Some((_, name))) = (own_section, section.rsplit_once('.')) {
                found.push(Entry {
                    name: name.to_owned(),
                    value: String::new(),
                    comment: comment.to_owned(),
                });
            }
            continue;
        }
        if code.is_empty() || !(inside || own_section) {
            continue;
        }
        match found.last_mut() {
            Some(last) if open > 0 || own_section => last.extend(code, comment),
            _ => found.push(Entry::begin(code, comment)),
        }
        open += nesting(code);
    }
    found
}

impl Entry {
    fn begin(code: &str, comment: &str) -> Self {
        let (left, right) = code.split_once('=').unwrap_or((code, ""));
        let (name, key) = left.trim().split_once('.').unwrap_or((left.trim(), ""));
        let value =
            if key.is_empty() { right.trim().to_owned() } else { format!("{key} = {}", right.trim()) };
        Self { name: name.trim_matches('"').to_owned(), value, comment: comment.to_owned() }
    }

    fn extend(&mut self, code: &str, comment: &str) {
        self.value.push_str(code);
        self.comment.push_str(comment);
    }
}

/// How many brackets a line leaves open.
fn nesting(code: &str) -> i32 {
    code.chars().map(|c| i32::from(matches!(c, '[' | '{')) - i32::from(matches!(c, ']' | '}'))).sum()
}

/// The line without its comment, and the comment without its `#`.
fn split_comment(line: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return (line[..at].trim(), line[at + 1..].trim()),
            _ => {}
        }
    }
    (line.trim(), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "[workspace.dependencies]\nserde = \"1#\" # any value\nring = { version = \"0.17\", features = [\n  \
                        \"std\",\n] }\n[profile.dev]\ndebug = 1\n";

    #[test]
    fn an_entry_without_a_reason_is_found() {
        let found = dependencies_have_reasons(&House::of(&[("Cargo.toml", ROOT)]));
        assert_eq!(found, [Finding::new("Cargo.toml", "`ring` does not say what it is for")]);
        let better = ROOT.replace("] }", "] } # the cipher");
        assert!(dependencies_have_reasons(&House::of(&[("Cargo.toml", &better)])).is_empty());
    }

    #[test]
    fn a_member_with_a_version_of_its_own_is_found() {
        let member = "[dependencies]\nserde.workspace = true\nring = { workspace = true, features = [\"std\"] }\n\
                      [target.'cfg(unix)'.dev-dependencies]\nlibc = \"0.2\"\n[lints]\nworkspace = true\n";
        let found = members_inherit(&House::of(&[("crates/a/Cargo.toml", member)]));
        assert_eq!(
            found,
            [Finding::new("crates/a/Cargo.toml", "`libc` is not taken with `workspace = true`")]
        );
    }

    #[test]
    fn a_dependency_with_a_section_of_its_own_is_read() {
        let own = "[dependencies.ring]\nversion = \"0.17\"\nfeatures = [\"std\"]\n";
        assert_eq!(members_inherit(&House::of(&[("crates/a/Cargo.toml", own)])).len(), 1);
        let inherited = "[dependencies.ring]\nworkspace = true\nfeatures = [\"std\"]\n";
        assert!(members_inherit(&House::of(&[("crates/a/Cargo.toml", inherited)])).is_empty());
    }

    #[test]
    fn a_declaration_nobody_takes_is_found() {
        let member = "[dev-dependencies]\nserde.workspace = true\n";
        let found = declared_is_used(&House::of(&[("Cargo.toml", ROOT), ("crates/a/Cargo.toml", member)]));
        assert_eq!(found, [Finding::new("Cargo.toml", "no member takes `ring`")]);
    }
}
