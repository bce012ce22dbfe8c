//! The report: `docs/benchmarks.md` and its plots, written from what was measured and from nothing else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::harness::Effort;
use crate::section::Section;
use crate::target::Target;
use crate::{machine, plot, reasons};

/// Writes the page and the plots. Only sections that were measured are in it.
pub fn write(sections: &[Section], effort: Effort) -> io::Result<PathBuf> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let plots = docs.join("benchmarks");
    fs::create_dir_all(&plots)?;
    for section in sections {
        fs::write(plots.join(format!("{}.svg", section.name)), plot::svg(section))?;
    }
    let page = docs.join("benchmarks.md");
    fs::write(&page, text(sections, effort, &machine::describe()))?;
    Ok(page)
}

fn text(sections: &[Section], effort: Effort, machine: &str) -> String {
    let mut out = head(effort, machine);
    out.push_str("## Targets\n\n| # | what | value | gate | aim | |\n|---|---|---:|---|---|---|\n");
    for target in sections.iter().flat_map(|section| &section.targets) {
        out.push_str(&target_line(target));
    }
    missed(&mut out, sections);
    out.push_str("\n## Tables\n");
    for section in sections {
        table(&mut out, section);
    }
    out
}

fn head(effort: Effort, machine: &str) -> String {
    let command = if effort.quick { "cargo xtask bench --quick -- --write" } else { "cargo xtask bench" };
    format!(
        "# Benchmarks\n\nWritten by `{command}`; do not edit. Machine: {machine}.\n\n\
         Values are ratios unless a unit is named. Floors are the parts Strata is made of, put together by hand; peers are other \
         libraries. They run interleaved in one process, in rotated order, {} rounds; one-thread cases count CPU time; a ratio is \
         the median of the rounds' ratios. Absolute times drift by a quarter from run to run, ratios by about a tenth. A *gate* has \
         to hold; an *aim* is what we want to show.\n\n",
        effort.rounds
    )
}

fn target_line(target: &Target) -> String {
    let Target { id, what, value, gate, note, .. } = target;
    let aim = target.aim.map_or_else(String::new, |aim| aim.to_string());
    let what = if note.is_empty() { (*what).to_owned() } else { format!("{what} ({note})") };
    format!("| {id} | {what} | {value:.2} | {gate} | {aim} | {} |\n", target.verdict())
}

fn missed(out: &mut String, sections: &[Section]) {
    let missed = |target: &&Target| !target.met() || target.aimed() == Some(false);
    let lines: Vec<String> = sections
        .iter()
        .flat_map(|section| &section.targets)
        .filter(missed)
        .map(|target| {
            let reason = reasons::reason(target.id).unwrap_or("not yet looked into");
            format!("- {}, {}: {reason}.\n", target.id, target.verdict())
        })
        .collect();
    if !lines.is_empty() {
        out.push_str("\n### What is missed, and why\n\n");
        out.extend(lines);
    }
}

fn table(out: &mut String, section: &Section) {
    let Section { name, title, how, unit, rows, .. } = section;
    // Writing to a string can't fail.
    let _ = write!(
        out,
        "\n### {title}\n\n{how}\n\n![{title}](benchmarks/{name}.svg)\n\n| case | {unit} |\n|---|---:|\n"
    );
    for row in rows {
        let _ = writeln!(out, "| {} | {} |", row.name, plot::number(row.value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::section::Row;

    fn section(value: f64) -> Section {
        Section {
            name: "t",
            title: "T",
            how: "So.".to_owned(),
            unit: "ns",
            rows: vec![Row::new("floor", 1.0), Row::new("strata", value)],
            targets: vec![Target::cost("p99", "cost", value, 2.0, Some(1.5))],
        }
    }

    #[test]
    fn the_page_has_targets_tables_and_what_is_missed() {
        let page = text(&[section(3.0)], Effort::FULL, "a machine");
        assert!(page.contains("| p99 | cost | 3.00 | ≤ 2 | ≤ 1.5 | not met |"), "{page}");
        assert!(page.contains("- p99, not met: not yet looked into."), "{page}");
        assert!(page.contains("| strata | 3.00 |") && page.contains("(benchmarks/t.svg)"), "{page}");
        assert!(!text(&[section(1.0)], Effort::FULL, "a machine").contains("missed, and why"));
        assert!(!page.ends_with("\n\n") && page.ends_with('\n'));
    }
}
