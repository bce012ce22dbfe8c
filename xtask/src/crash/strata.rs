//! Drives the release binary: an import that can be watched and killed, and reading a store back.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::random::Dice;
use super::traffic::{Found, Ledger, Promise};
use crate::run::{During, Failure, Result};

/// The binary, the store it works on, and the key of that store.
#[derive(Clone, Debug)]
pub(super) struct Strata {
    pub(super) binary: PathBuf,
    pub(super) store: PathBuf,
    pub(super) key: PathBuf,
    /// Set for the process that writes: the recorder of `power`.
    pub(super) environment: Vec<(&'static str, PathBuf)>,
}

/// What is written while the importer lives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// `process` or `power`.
    pub(super) durability: &'static str,
    /// Of a hundred lines, how many are relaxed.
    pub(super) relaxed: usize,
    /// How long to write, counted from the start of the process.
    pub(super) time: Duration,
    /// About so many writes at most, so that a recording stays small.
    pub(super) lines: usize,
    pub(super) end: End,
}

/// How the importer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Killed,
    InputClosed,
}

/// Writes sent and not yet acknowledged. More than the importer commits at once, so that it never waits for us.
const IN_FLIGHT: usize = 128;

/// An importer that does not end this long after its input was closed hangs.
const LONGEST_END: Duration = Duration::from_mins(1);

impl Strata {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--store").arg(format!("sled:{}", self.store.display()));
        command.arg("--key-file").arg(&self.key).args(arguments);
        for name in ["STRATA_STORE", "STRATA_KEY", "STRATA_PASSPHRASE"] {
            command.env_remove(name); // what the caller uses otherwise has no place here
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    /// Whether `check` is content; if not, its last words.
    pub(super) fn check(&self) -> Result<std::result::Result<(), String>> {
        let output = self.command(&["check"]).output().during("starting `strata check`")?;
        if output.status.success() {
            return Ok(Ok(()));
        }
        let said = [output.stdout, output.stderr].concat();
        Ok(Err(format!("check ended with {}: {}", output.status, tail(&said))))
    }

    /// Every record, or the last words of an export that failed.
    pub(super) fn export(&self) -> Result<std::result::Result<Vec<Found>, String>> {
        let output = self.command(&["export", "--plaintext"]).output().during("starting `strata export`")?;
        if !output.status.success() {
            return Ok(Err(format!("export ended with {}: {}", output.status, tail(&output.stderr))));
        }
        Ok(read_export(&output.stdout))
    }

    /// Lets an importer write as planned. Gives the number of writes that were acknowledged.
    pub(super) fn import(&self, ledger: &mut Ledger, dice: &mut Dice, plan: &Plan) -> Result<u64> {
        let log = self.store.with_extension("stderr");
        let errors = File::create(&log).during("making a file for what the importer says")?;
        let mut command = self.command(&["--durability", plan.durability, "import", "--ack"]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let start = Instant::now();
        let mut child =
            command.stdin(Stdio::piped()).stderr(errors).spawn().during("starting `strata import`")?;
        let result = converse(&mut child, ledger, dice, plan, start);
        if result.is_err() {
            let _ = child.kill(); // it may have ended by itself; the failure is told below
        }
        let status = child.wait().during("waiting for the importer")?;
        let said = || tail(&std::fs::read(&log).unwrap_or_default());
        let count = result.map_err(|failure| Failure::new(format!("{failure}; it said: {}", said())))?;
        ledger.writer_is_gone();
        if plan.end == End::InputClosed && !status.success() {
            return Err(Failure::new(format!("the importer ended with {status}: {}", said())));
        }
        Ok(count)
    }
}

/// Writes lines and reads acknowledgements until the plan says stop; then ends the importer and reads what is left.
fn converse(
    child: &mut Child,
    ledger: &mut Ledger,
    dice: &mut Dice,
    plan: &Plan,
    start: Instant,
) -> Result<u64> {
    let (mut acks, reader) = read_acks(child)?;
    let (lines, writer) = write_lines(child)?;
    let mut count = 0;
    let mut sent = 0;
    while start.elapsed() < plan.time && acks.open {
        while sent < plan.lines && sent < count + IN_FLIGHT {
            let promise = if dice.percent(plan.relaxed) { Promise::Relaxed } else { Promise::Kept };
            let Some(line) = ledger.next_line(dice, promise) else { break };
            if lines.send(line.text).is_err() {
                break; // the writer met a closed pipe: the importer is gone, which the acknowledgements will show
            }
            sent += line.keys;
        }
        if sent >= plan.lines && count == sent {
            break;
        }
        count += acks.wait(ledger, plan.time.saturating_sub(start.elapsed()))?;
    }
    if !acks.open {
        return Err(Failure::new("the importer ended before it was told to"));
    }
    drop(lines);
    if plan.end == End::Killed {
        child.kill().during("killing the importer")?;
    }
    let limit = Instant::now() + LONGEST_END;
    while acks.open && Instant::now() < limit {
        count += acks.wait(ledger, limit.saturating_duration_since(Instant::now()))?;
    }
    if acks.open {
        return Err(Failure::new(format!("the importer did not end within {LONGEST_END:?}")));
    }
    for thread in [reader, writer] {
        thread.join().map_err(|_| Failure::new("a thread of the harness panicked"))?;
    }
    Ok(count as u64)
}

/// Acknowledged keys, as they come.
struct Acks {
    keys: Receiver<String>,
    open: bool,
}

impl Acks {
    /// Waits for at least one, no longer than the limit, then takes all there are. Gives how many.
    fn wait(&mut self, ledger: &mut Ledger, limit: Duration) -> Result<usize> {
        let first = match self.keys.recv_timeout(limit) {
            Ok(key) => key,
            Err(RecvTimeoutError::Timeout) => return Ok(0),
            Err(RecvTimeoutError::Disconnected) => {
                self.open = false;
                return Ok(0);
            }
        };
        let mut count = 0;
        for key in std::iter::once(first).chain(self.keys.try_iter()) {
            if !ledger.acknowledge(&key) {
                return Err(Failure::new(format!(
                    "`{key}` was acknowledged, but no write of it was on its way"
                )));
            }
            count += 1;
        }
        Ok(count)
    }
}

fn read_acks(child: &mut Child) -> Result<(Acks, JoinHandle<()>)> {
    let output =
        child.stdout.take().ok_or_else(|| Failure::new("the output of the importer was not piped"))?;
    let (sender, keys) = channel();
    let reader = std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        // A line without its end was cut off by the kill: nobody has read it as an acknowledgement.
        while output.read_line(&mut line).is_ok_and(|length| length > 0) && line.ends_with('\n') {
            if sender.send(line.trim().to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    Ok((Acks { keys, open: true }, reader))
}

fn write_lines(child: &mut Child) -> Result<(std::sync::mpsc::Sender<String>, JoinHandle<()>)> {
    let mut input: ChildStdin =
        child.stdin.take().ok_or_else(|| Failure::new("the input of the importer was not piped"))?;
    let (sender, lines) = channel::<String>();
    let writer = std::thread::spawn(move || {
        for mut line in lines {
            line.push('\n');
            if input.write_all(line.as_bytes()).is_err() {
                return; // the importer is gone
            }
        }
    });
    Ok((sender, writer))
}

/// The records of an export: every line that has a key. Others describe the export itself.
fn read_export(text: &[u8]) -> std::result::Result<Vec<Found>, String> {
    let mut found = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let value: Value =
            serde_json::from_slice(line).map_err(|error| format!("a line of the export: {error}"))?;
        if let Some(key) = value["key"].as_str() {
            let tags = value.get("tags").cloned();
            found.push(Found { key: key.to_owned(), value: value["value"].clone(), tags });
        }
    }
    Ok(found)
}

/// The last of what a program said, on one line.
fn tail(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join(" | ")
}

/// Copies a store, so that looking at it does not change it.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result {
    std::fs::create_dir_all(to).during(format_args!("making {}", to.display()))?;
    for entry in std::fs::read_dir(from).during(format_args!("listing {}", from.display()))? {
        let entry = entry.during(format_args!("listing {}", from.display()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            std::fs::copy(&source, &target).during(format_args!("copying {}", source.display()))?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::traffic::Mix;
    use super::*;

    /// A program that stands in for the binary: a shell script.
    fn stand_in(folder: &Path, script: &str) -> Strata {
        let binary = folder.join("strata.sh");
        std::fs::write(&binary, format!("#!/bin/sh\n{script}\n")).expect("a new file");
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o700)).expect("it is ours");
        Strata { binary, store: folder.join("db"), key: folder.join("key"), environment: Vec::new() }
    }

    /// The stand-in knows no other lines.
    const VALUES: Mix = Mix { removals: 0, batches: 0 };

    const FAITHFUL: &str = r#"while read -r line; do echo "$line" >> "$(dirname "$0")/kept"
        key=${line#*\"key\":\"}; echo "${key%%\"*}"; done"#;

    fn plan(end: End) -> Plan {
        Plan { durability: "process", relaxed: 0, time: Duration::from_secs(30), lines: 300, end }
    }

    #[test]
    fn what_an_importer_acknowledges_is_counted_and_found() {
        for end in [End::InputClosed, End::Killed] {
            let folder = tempfile::tempdir().expect("a fresh folder");
            let strata = stand_in(folder.path(), FAITHFUL);
            let mut ledger = Ledger::new(1, 40, VALUES);
            let count = strata.import(&mut ledger, &mut Dice::new(1), &plan(end)).expect("it writes");
            assert_eq!(count, 300);
            let kept = std::fs::read(folder.path().join("kept")).expect("it wrote");
            let mut found = read_export(&kept).expect("the lines that were sent");
            found.reverse(); // the newest of each key
            let mut newest: Vec<Found> = Vec::new();
            for record in found {
                if newest.iter().all(|known| known.key != record.key) {
                    newest.push(record);
                }
            }
            let verdict = ledger.judge(&newest);
            assert_eq!(
                (verdict.lost, verdict.invented, verdict.recovered),
                (0, 0, 40),
                "{:?}",
                verdict.examples
            );
        }
    }

    #[test]
    fn an_importer_that_ends_too_early_is_told_with_its_last_words() {
        let folder = tempfile::tempdir().expect("a fresh folder");
        let strata = stand_in(folder.path(), "echo the store is locked >&2; exit 3");
        let failure = strata.import(&mut Ledger::new(1, 4, VALUES), &mut Dice::new(1), &plan(End::Killed));
        let failure = failure.expect_err("it wrote nothing").to_string();
        assert!(failure.contains("ended before it was told to") && failure.contains("locked"), "{failure}");
    }

    #[test]
    fn an_importer_that_acknowledges_what_was_not_sent_is_caught() {
        let folder = tempfile::tempdir().expect("a fresh folder");
        let strata = stand_in(folder.path(), "echo k009999; cat > /dev/null");
        let failure = strata.import(&mut Ledger::new(1, 4, VALUES), &mut Dice::new(1), &plan(End::Killed));
        assert!(failure.expect_err("nobody sent it").to_string().contains("k009999"));
    }

    #[test]
    fn an_export_is_read_without_its_heading() {
        let text = b"{\"format\":1}\n{\"key\":\"k000001\",\"value\":{\"a\":1},\"tags\":[\"t:1\"]}\n";
        let found = read_export(text).expect("JSON lines");
        assert_eq!((found.len(), found[0].key.as_str()), (1, "k000001"));
        assert!(read_export(b"{").is_err());
    }
}
