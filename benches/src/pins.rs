//! Instructions and allocations of the hot paths, pinned: [`check`] compares them with `pins.json`, [`update`] writes it anew.
//!
//! Instructions are counted by callgrind, as the difference of a long and a short run, without those of `ring`: it chooses its
//! code by the processor, and another one under valgrind than outside. They are compared only under the compiler that the
//! pins were made with. Allocations are exact.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::harness::precise;
use crate::spin::Path;
use crate::{child, machine};

/// How far a count of instructions may be off.
const ALLOWED: f64 = 0.02;
const SHORT: u64 = 1000;
const LONG: u64 = 3000;

/// What the hot paths cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pins {
    /// The compiler that the counts of instructions belong to.
    compiler: String,
    /// Per path and call; empty where valgrind is missing.
    instructions: BTreeMap<String, u64>,
    /// Per path and call.
    allocations: BTreeMap<String, u64>,
}

/// Counts and compares; prints a line per pin. Whether all hold.
pub fn check() -> bool {
    let text = std::fs::read_to_string(file()).expect("benches/pins.json can be read");
    let pinned: Pins = serde_json::from_str(&text).expect("benches/pins.json is what `pins --update` wrote");
    let findings = compare(&pinned, &count());
    for (_, line) in &findings {
        println!("{line}");
    }
    findings.iter().all(|(holds, _)| *holds)
}

/// Counts and writes the pins. Without valgrind those of instructions are lost, so that is refused.
pub fn update() {
    let pins = count();
    assert!(!pins.instructions.is_empty(), "valgrind is missing: install it to pin instructions");
    let text = serde_json::to_string_pretty(&pins).expect("pins are plain") + "\n";
    std::fs::write(file(), &text).expect("benches/pins.json can be written");
    print!("{text}");
}

fn file() -> PathBuf {
    FilePath::new(env!("CARGO_MANIFEST_DIR")).join("pins.json")
}

fn count() -> Pins {
    let allocations = child::allocations().into_iter().map(|(path, count, _)| (path, count)).collect();
    let instructions = if has_valgrind() {
        Path::STRATA.into_iter().map(|path| (path.name().to_owned(), instructions(path))).collect()
    } else {
        BTreeMap::new()
    };
    Pins { compiler: machine::compiler(), instructions, allocations }
}

/// A line for each pin, and whether it holds.
fn compare(pinned: &Pins, found: &Pins) -> Vec<(bool, String)> {
    let mut lines: Vec<_> = pinned
        .allocations
        .iter()
        .map(|(path, pin)| line(path, "allocations", *pin, found.allocations.get(path).copied(), 0.0))
        .collect();
    if found.instructions.is_empty() {
        lines.push((true, "instructions: skipped, valgrind is missing".to_owned()));
    } else if found.compiler != pinned.compiler {
        let Pins { compiler, .. } = pinned;
        lines.push((
            true,
            format!("instructions: skipped, they are pinned for {compiler}, this is {}", found.compiler),
        ));
    } else {
        let counts = pinned.instructions.iter();
        lines.extend(counts.map(|(path, pin)| {
            line(path, "instructions", *pin, found.instructions.get(path).copied(), ALLOWED)
        }));
    }
    lines
}

fn line(path: &str, what: &str, pin: u64, found: Option<u64>, allowed: f64) -> (bool, String) {
    let Some(found) = found else { return (false, format!("{path:<5} {what:<12} not counted")) };
    let holds = (precise(found) - precise(pin)).abs() <= allowed * precise(pin);
    let verdict = if holds { "holds" } else { "CHANGED: find out why, then run `pins --update`" };
    (holds, format!("{path:<5} {what:<12} {found:>6}  pinned {pin:>6}  {verdict}"))
}

fn has_valgrind() -> bool {
    let probe =
        Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}

/// Instructions of one call.
fn instructions(path: Path) -> u64 {
    let count = |times| callgrind(path, times);
    (count(LONG) - count(SHORT)) / (LONG - SHORT)
}

fn callgrind(path: Path, times: u64) -> u64 {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe().expect("this program has a path"))
        .args(["spin", path.name(), &times.to_string()])
        .stderr(Stdio::null())
        .status();
    let status = status.expect("valgrind starts");
    assert!(status.success(), "callgrind of `{}` ended with {status}", path.name());
    sum(&std::fs::read_to_string(out).expect("callgrind wrote its counts"))
}

/// All instructions in callgrind's file but those of `ring`.
fn sum(text: &str) -> u64 {
    let (mut total, mut counted, mut called) = (0, true, false);
    for line in text.lines() {
        if let Some(function) = line.strip_prefix("fn=") {
            counted = !is_ring(function);
        } else if line.starts_with("calls=") {
            // The next line repeats what the called function has cost.
            called = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            let cost: u64 = line.split(' ').nth(1).and_then(|cost| cost.parse().ok()).unwrap_or(0);
            total += if counted && !called { cost } else { 0 };
            called = false;
        }
    }
    total
}

/// Whether a function is of `ring`; `String::…` is not.
fn is_ring(function: &str) -> bool {
    let begins_word =
        |at: usize| !function[..at].ends_with(|last: char| last.is_alphanumeric() || last == '_');
    function.match_indices("ring::").chain(function.match_indices("ring_core")).any(|(at, _)| begins_word(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_instructions_are_summed_without_those_of_ring() {
        let text = "events: Ir\n\nfn=strata::get\n0 10\ncfn=ring::open\ncalls=1 0\n0 500\n0 5\n\nfn=ring::open\n0 500\n\n\
                    fn=<alloc::string::String as core::clone::Clone>::clone\n0 7\nfn=_ring_core_0_17_aes\n12 400\n";
        // An assembler name may carry an underscore of the platform in front: counted as not ours only where it stands alone.
        assert_eq!(sum(text), 10 + 5 + 7 + 400);
        assert_eq!(sum(&text.replace("_ring_core", "ring_core")), 22);
        assert!(is_ring("<ring::aead::LessSafeKey>::open_within") && !is_ring("alloc::string::String::push"));
    }

    fn pins(instructions: u64, allocations: u64, compiler: &str) -> Pins {
        let of = |count| BTreeMap::from([("get".to_owned(), count)]);
        Pins { compiler: compiler.to_owned(), instructions: of(instructions), allocations: of(allocations) }
    }

    #[test]
    fn allocations_are_exact_and_instructions_nearly() {
        let holds = |found: &Pins| compare(&pins(1000, 3, "a"), found).iter().all(|(holds, _)| *holds);
        assert!(holds(&pins(1020, 3, "a")) && holds(&pins(980, 3, "a")));
        assert!(!holds(&pins(1021, 3, "a")) && !holds(&pins(979, 3, "a")));
        assert!(!holds(&pins(1000, 4, "a")) && !holds(&pins(1000, 2, "a")));
        assert!(holds(&pins(5000, 3, "b")) && !holds(&pins(5000, 4, "b")));
        assert!(holds(&Pins { instructions: BTreeMap::new(), ..pins(0, 3, "a") }));
    }
}
