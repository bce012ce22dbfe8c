//! Rules over Rust files: headers, what may not be left in them, where time may come from, how long they may be.

use super::{Except, File, Finding, House, is_excepted};

/// A file has one subject; past this many lines it likely has two.
const LONGEST: usize = 600;

/// Files that may be longer.
const LONG: [Except; 0] = [];

/// What unfinished work looks like. Written in two parts, or this file would find itself.
const UNFINISHED: [&str; 5] = [
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[", "ignore"),
    concat!("dbg", "!("),
    concat!("assert!(", "true)"),
];

/// Where `not(feature = …)` may stand: there it gives a poorer answer, never another one.
const SUBTRACTING: [Except; 2] = [
    Except {
        path: "crates/strata-adapter-sled/src/lib.rs",
        reason: "forbids `unsafe` where `power`, its one user, is off",
    },
    Except {
        path: "crates/strata-adapter-sled/src/barrier.rs",
        reason: "without `power` the self-test answers that there is no real barrier, and the store declares less",
    },
];

/// The crates that are handed time instead of asking for it. (`docs/architecture.md`, invariant 1)
const TIMELESS: [&str; 4] =
    ["crates/strata-core/", "crates/strata-crypto/", "crates/strata-ttl/", "crates/strata-session/"];

/// Where a timeless crate may name a clock.
const CLOCKS: [Except; 0] = [];

/// Ways to ask for time. `SystemTime` as the type of a stored value asks nobody.
const TIMES: [&str; 4] = ["Instant", "SystemTime::now", "tokio::time", "thread::sleep"];

/// The first line that is not empty starts with `//!`.
pub(super) fn begin_with_a_header(house: &House) -> Vec<Finding> {
    let headless = |file: &&File| !first_line(&file.text).is_some_and(|line| line.starts_with("//! "));
    let what = |file: &File| Finding::new(&file.path, "does not begin with `//!` and what lives here");
    rust(house).filter(headless).map(what).collect()
}

fn first_line(text: &str) -> Option<&str> {
    text.lines().find(|line| !line.trim().is_empty())
}

/// No marker of unfinished work outside comments.
pub(super) fn nothing_unfinished(house: &House) -> Vec<Finding> {
    let search = |file| UNFINISHED.iter().flat_map(move |mark| lines_with(file, |line| line.contains(mark)));
    rust(house).flat_map(search).map(|(place, line)| Finding::new(place, format!("`{line}`"))).collect()
}

/// Core, crypto, ttl and session name no clock and no timer.
pub(super) fn time_is_injected(house: &House) -> Vec<Finding> {
    let found = rust(house).filter(|file| !is_excepted(&CLOCKS, &file.path)).flat_map(clocks_named);
    found
        .map(|(place, line)| {
            Finding::new(place, format!("`{line}`: time is handed in here, never asked for"))
        })
        .collect()
}

fn clocks_named(file: &File) -> Vec<(String, &str)> {
    if !TIMELESS.iter().any(|folder| file.path.starts_with(folder)) {
        return Vec::new();
    }
    lines_with(file, |line| TIMES.iter().any(|time| has_word(line, time)))
}

/// No code of a crate exists only while a feature is absent.
pub(super) fn features_only_add(house: &House) -> Vec<Finding> {
    let shipped = rust(house).filter(|file| file.path.starts_with("crates/"));
    let found = shipped.filter(|file| !is_excepted(&SUBTRACTING, &file.path)).flat_map(subtracting);
    found.map(|(place, line)| Finding::new(place, format!("`{line}`: a feature takes this away"))).collect()
}

fn subtracting(file: &File) -> Vec<(String, &str)> {
    lines_with(file, |line| line.replace(' ', "").contains("not(feature="))
}

/// No file is longer than [`LONGEST`] lines.
pub(super) fn files_are_short(house: &House) -> Vec<Finding> {
    let long = rust(house).filter(|file| is_long(file) && !is_excepted(&LONG, &file.path));
    long.map(|file| {
        let count = file.text.lines().count();
        Finding::new(
            &file.path,
            format!("has {count} lines, more than {LONGEST}: which two subjects are in it?"),
        )
    })
    .collect()
}

fn is_long(file: &File) -> bool {
    file.text.lines().count() > LONGEST
}

/// An exception whose file no longer needs it is taken back.
pub(super) fn exceptions_are_needed(house: &House) -> Vec<Finding> {
    let mut findings = stale(house, &LONG, is_long);
    findings.extend(stale(house, &CLOCKS, |file| !clocks_named(file).is_empty()));
    findings.extend(stale(house, &SUBTRACTING, |file| !subtracting(file).is_empty()));
    findings
}

fn stale(house: &House, list: &[Except], needs: impl Fn(&File) -> bool) -> Vec<Finding> {
    let needed = |except: &Except| house.files.iter().any(|file| file.path == except.path && needs(file));
    let unneeded = list.iter().filter(|except| !needed(except));
    unneeded.map(|except| Finding::new(except.path, "no longer needs its exception; remove it")).collect()
}

fn rust(house: &House) -> impl Iterator<Item = &File> {
    house.files.iter().filter(|file| file.ending() == "rs")
}

/// Place and text of each line that the test wants, comments left out.
fn lines_with(file: &File, wanted: impl Fn(&str) -> bool) -> Vec<(String, &str)> {
    let code = file.text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let found = code.filter(|(_, line)| !line.starts_with("//") && wanted(line));
    found.map(|(number, line)| (format!("{}:{number}", file.path), line)).collect()
}

/// Whether the word stands in the line, not as a part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        !inside(line[..at].chars().next_back()) && !inside(line[at + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(rule: fn(&House) -> Vec<Finding>, path: &str, text: &str) -> usize {
        rule(&House::of(&[(path, text)])).len()
    }

    #[test]
    fn a_file_without_a_header_is_found() {
        let rule = begin_with_a_header;
        assert_eq!(count(rule, "a.rs", "\n//! What lives here.\n"), 0);
        assert_eq!(count(rule, "a.rs", "// A plain comment.\n//! Too late.\n"), 1);
        assert_eq!(count(rule, "a.rs", "//!\n//! Nothing on the first line.\n"), 1);
        assert_eq!(count(rule, "a.rs", ""), 1);
        assert_eq!(count(rule, "a.md", "no Rust"), 0);
    }

    #[test]
    fn unfinished_work_is_found_outside_comments() {
        for mark in UNFINISHED {
            assert_eq!(count(nothing_unfinished, "a.rs", &format!("fn f() {{ {mark} }}\n")), 1, "{mark}");
            assert_eq!(count(nothing_unfinished, "a.rs", &format!("// about {mark}\n")), 0, "{mark}");
        }
    }

    #[test]
    fn a_clock_in_a_timeless_crate_is_found() {
        let code = "let now = Instant::now();\n";
        assert_eq!(count(time_is_injected, "crates/strata-ttl/src/clock.rs", code), 1);
        assert_eq!(count(time_is_injected, "crates/strata/src/clock.rs", code), 0);
        assert_eq!(
            count(time_is_injected, "crates/strata-core/src/a.rs", "let instantly = Instantaneous;\n"),
            0
        );
        assert_eq!(
            count(time_is_injected, "crates/strata-core/src/a.rs", "tokio::time::sleep(d).await;\n"),
            1
        );
    }

    #[test]
    fn code_that_a_feature_removes_is_found() {
        let code = "#[cfg(not(feature = \"sled\"))]\nfn f() {}\n";
        assert_eq!(count(features_only_add, "crates/strata/src/lib.rs", code), 1);
        assert_eq!(count(features_only_add, "benches/src/main.rs", code), 0);
        assert_eq!(count(features_only_add, "crates/strata/src/lib.rs", "#[cfg(feature = \"sled\")]\n"), 0);
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(count(files_are_short, "a.rs", &"x\n".repeat(LONGEST)), 0);
        assert_eq!(count(files_are_short, "a.rs", &"x\n".repeat(LONGEST + 1)), 1);
    }

    #[test]
    fn an_exception_that_is_no_longer_needed_is_found() {
        let list = [Except { path: "a.rs", reason: "one table" }];
        let house = House::of(&[("a.rs", "short\n")]);
        assert_eq!(
            stale(&house, &list, is_long),
            [Finding::new("a.rs", "no longer needs its exception; remove it")]
        );
        assert!(stale(&house, &list, |_| true).is_empty());
    }
}
