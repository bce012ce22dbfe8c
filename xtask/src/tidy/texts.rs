//! Rules over every text file, and over which texts there must be.

use super::{File, Finding, House};

/// The map of the code is read in one go, or not at all.
const LONGEST_MAP: usize = 150;
const MAP: &str = "docs/architecture.md";

/// No line ends with blanks.
pub(super) fn lines_end_cleanly(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &house.files {
        let blank = file.text.lines().enumerate().filter(|(_, line)| line.ends_with([' ', '\t', '\r']));
        findings.extend(
            blank.map(|(at, _)| Finding::new(format!("{}:{}", file.path, at + 1), "ends with blanks")),
        );
    }
    findings
}

/// Every file that is not empty ends with exactly one newline.
pub(super) fn files_end_with_a_newline(house: &House) -> Vec<Finding> {
    let clean = |text: &str| text.is_empty() || (text.ends_with('\n') && !text.ends_with("\n\n"));
    let unclean = house.files.iter().filter(|file| !clean(&file.text));
    unclean.map(|file| Finding::new(&file.path, "does not end with exactly one newline")).collect()
}

/// `docs/architecture.md` is there and has at most [`LONGEST_MAP`] lines.
pub(super) fn architecture_is_short(house: &House) -> Vec<Finding> {
    match find(house, MAP).map(|file| file.text.lines().count()) {
        None => vec![Finding::new(MAP, "is missing")],
        Some(count) if count > LONGEST_MAP => {
            vec![Finding::new(MAP, format!("has {count} lines, more than {LONGEST_MAP}"))]
        }
        Some(_) => Vec::new(),
    }
}

/// The root and every crate under `crates/` have a `README.md` that is more than a title.
pub(super) fn crates_have_readmes(house: &House) -> Vec<Finding> {
    let crates = house.workspace.crates().map(|member| format!("{}/README.md", member.folder));
    let expected = crates.chain(["README.md".to_owned()]);
    let says_something = |path: &str| find(house, path).is_some_and(|file| file.text.lines().count() > 1);
    expected
        .filter(|path| !says_something(path))
        .map(|path| Finding::new(path, "is missing, or only a title"))
        .collect()
}

fn find<'a>(house: &'a House, path: &str) -> Option<&'a File> {
    house.files.iter().find(|file| file.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Member, Workspace};

    #[test]
    fn blanks_at_the_end_of_a_line_are_found() {
        let found = lines_end_cleanly(&House::of(&[("a.md", "clean\nnot clean \n")]));
        assert_eq!(found, [Finding::new("a.md:2", "ends with blanks")]);
        assert_eq!(lines_end_cleanly(&House::of(&[("a.md", "a\t\n")])).len(), 1);
    }

    #[test]
    fn a_file_without_its_last_newline_is_found() {
        for (text, expected) in [("a\n", 0), ("", 0), ("a", 1), ("a\n\n", 1)] {
            assert_eq!(files_end_with_a_newline(&House::of(&[("a", text)])).len(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_map_that_is_missing_or_long_is_found() {
        let lines = |count| "x\n".repeat(count);
        assert_eq!(architecture_is_short(&House::default()).len(), 1);
        assert_eq!(architecture_is_short(&House::of(&[(MAP, &lines(LONGEST_MAP))])).len(), 0);
        assert_eq!(architecture_is_short(&House::of(&[(MAP, &lines(LONGEST_MAP + 1))])).len(), 1);
    }

    #[test]
    fn a_crate_without_a_readme_is_found() {
        let member = Member { name: "a".into(), folder: "crates/a".into(), ..Member::default() };
        let workspace = Workspace { members: vec![member], ..Workspace::default() };
        let files = House::of(&[("README.md", "# A\n\nText.\n"), ("crates/a/README.md", "# a\n")]).files;
        let found = crates_have_readmes(&House { workspace, files, ..House::default() });
        assert_eq!(found, [Finding::new("crates/a/README.md", "is missing, or only a title")]);
    }
}
