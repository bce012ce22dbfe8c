//! A suite of `cargo xtask test`: whether durability `power` really asks the kernel to empty the disk's cache, seen from
//! outside with strace. (s33, p08)

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{During, Failure, Result, cargo, run as execute};
use crate::test::EVERYTHING;
use crate::workspace::Workspace;

const LINE: &[u8] = b"{\"key\":\"k000001\",\"value\":{\"name\":\"Ada\"},\"tags\":[\"t:1\"],\"ttl\":\"1h\"}\n";

/// One write, acknowledged at `power`, on a fresh store and on one that was there.
pub(crate) fn run(workspace: &Workspace) -> Result {
    // With the examples, or cargo would choose other features for shared dependencies and build them again.
    execute(cargo(&workspace.root).arg("build").args(EVERYTHING).args(["--bins", "--examples"]))?;
    let binary = workspace.target.join(format!("debug/strata{}", std::env::consts::EXE_SUFFIX));
    let scene = tempfile::tempdir().during("making a folder for a store")?;
    for which in ["a fresh store", "a store that was there"] {
        let calls = trace(&binary, scene.path())?;
        is_barred(&calls).map_err(|why| Failure::new(format!("{which}: {why}")))?;
        println!("{which}: written, synced, then acknowledged");
    }
    Ok(())
}

/// What strace saw, one call per line, with the path of each file.
fn trace(binary: &Path, scene: &Path) -> Result<String> {
    let calls = scene.join("calls");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-y", "-e", "trace=pwrite64,pwritev,fdatasync,fsync,write", "-o"]).arg(&calls);
    command.arg(binary).arg("--store").arg(format!("sled:{}", scene.join("db").display()));
    command.arg("--key-file").arg(scene.join("key")).args(["--durability", "power", "import", "--ack"]);
    for name in ["STRATA_STORE", "STRATA_KEY", "STRATA_PASSPHRASE"] {
        command.env_remove(name);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().during("starting strace")?;
    let input = child.stdin.take().ok_or_else(|| Failure::new("the input was not piped"))?;
    { input }.write_all(LINE).during("handing a line to the importer")?; // and closed
    let status = child.wait().during("waiting for the importer")?;
    if !status.success() {
        return Err(Failure::new(format!("the importer under strace ended with {status}")));
    }
    std::fs::read_to_string(&calls).during("reading what strace saw")
}

/// Whether a finished sync of the engine's file lies between its last write that matters and the acknowledgement.
fn is_barred(calls: &str) -> std::result::Result<(), &'static str> {
    let lines: Vec<&str> = calls.lines().collect();
    let told = lines.iter().position(|line| line.contains("write(1<") && line.contains("k000001"));
    let before = &lines[..told.ok_or("nothing was acknowledged")?];
    let wrote = before.iter().position(|line| line.contains("pwrite") && line.contains("/db/db>"));
    let after = &before[wrote.ok_or("it was acknowledged before anything was written")?..];
    let synced = after.iter().enumerate().any(|(at, line)| {
        let thread = line.split(' ').next().unwrap_or_default();
        is_sync(line) && (line.ends_with("= 0") || after[at..].iter().any(|later| is_end(later, thread)))
    });
    if synced { Ok(()) } else { Err("it was acknowledged without a sync of the file that it was written to") }
}

/// The start of a sync of the engine's file.
fn is_sync(line: &str) -> bool {
    line.contains("sync(") && line.contains("/db/db>") && !line.contains("resumed")
}

/// The end of a sync that strace saw begin on another line.
fn is_end(line: &str, thread: &str) -> bool {
    line.starts_with(thread) && line.contains("sync resumed>") && line.ends_with("= 0")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: &str = "7 pwrite64(5</tmp/db/db>, \"abc\", 3, 0) = 3\n";
    const SYNC: &str = "8 fdatasync(5</tmp/db/db>) = 0\n";
    const START: &str = "8 fdatasync(5</tmp/db/db> <unfinished ...>\n";
    const RESUMED: &str = "8 <... fdatasync resumed>) = 0\n";
    const TOLD: &str = "9 write(1</dev/null>, \"k000001\\n\", 8) = 8\n";

    #[test]
    fn a_sync_between_write_and_word_is_seen() {
        assert_eq!(is_barred(&[WRITE, SYNC, TOLD].concat()), Ok(()));
        assert_eq!(is_barred(&[WRITE, START, RESUMED, TOLD].concat()), Ok(()));
    }

    #[test]
    fn anything_less_is_found() {
        for calls in
            [&[WRITE, TOLD][..], &[SYNC, WRITE, TOLD], &[WRITE, TOLD, SYNC], &[WRITE, START, TOLD, RESUMED]]
        {
            assert!(is_barred(&calls.concat()).is_err(), "{calls:?}");
        }
        assert!(is_barred(&[WRITE, SYNC].concat()).is_err());
        let range = "8 sync_file_range(5</tmp/db/db>, 0, 4096, 7) = 0\n";
        let failed = "8 fdatasync(5</tmp/db/db>) = -1 EIO (Input/output error)\n";
        for poor in [range, failed, "8 fdatasync(6</tmp/db/conf>) = 0\n"] {
            assert!(is_barred(&[WRITE, poor, TOLD].concat()).is_err(), "{poor}");
        }
    }
}
