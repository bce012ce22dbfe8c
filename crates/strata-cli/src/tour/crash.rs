//! Sudden death: a child process is killed in mid-writing, and what it acknowledged is there.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use strata::Keys;

use super::ground::Ground;
use super::{Told, held};
use crate::failure::Failure;

/// How many acknowledgements the child lives to give.
const ACKNOWLEDGED: usize = 200;

/// Runs this program again as `import --ack`, kills it while it writes, and looks for everything it acknowledged.
pub(super) async fn kill(ground: &Ground) -> Told {
    let (data, key) = (ground.at("killed"), ground.key());
    let lines = {
        let (data, key) = (data.clone(), key.clone());
        tokio::task::spawn_blocking(move || write_and_die(&data, &key))
            .await
            .map_err(|error| Failure::Bad(error.to_string()))??
    };
    let db = strata::builder().sled(&data).keys(Keys::file(key)).open().await?;
    for line in &lines {
        let value: Option<serde_json::Value> = db.get(line).await?;
        held(value == Some(json!(line)), &format!("`{line}` was acknowledged, so it is there"))?;
    }
    let stored = db.select().count().await?;
    let check = db.check(|_| ()).await?;
    held(check.is_clean(), "indexes equal records after the kill")?;
    db.close().await?;
    Ok(format!("{} acknowledged and all there, {stored} in all, check clean", lines.len()))
}

/// The keys that were acknowledged before the child was killed.
fn write_and_die(data: &Path, key: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error| Failure::Io("can't run the child process", error);
    let program = std::env::current_exe().map_err(failed)?;
    let mut store = OsString::from("sled:");
    store.push(data);
    let mut child = Command::new(program)
        .args([OsStr::new("--store"), &store])
        .args([OsStr::new("--key-file"), key.as_os_str()])
        .args(["--durability", "process", "import", "--ack"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let lines = talk(&mut child);
    // Killed already if all went well; the kill of a dead child is no failure.
    let _ = child.kill();
    let status = child.wait().map_err(failed)?;
    held(!status.success(), "the child did not live to the end of its work")?;
    lines
}

/// Feeds the child without end, and kills it when it has acknowledged enough.
fn talk(child: &mut Child) -> Result<Vec<String>, Failure> {
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (mut stdin, stdout) = pipes.ok_or_else(|| Failure::Bad("the child has no pipes".to_owned()))?;
    let feeder = std::thread::spawn(move || {
        // Ends when the child is dead and nobody reads.
        for number in 0_u64.. {
            let key = format!("killed:{number:06}");
            let line = json!({ "key": key, "value": key, "tags": ["killed"], "ttl": "1h" });
            if writeln!(stdin, "{line}").is_err() {
                return;
            }
        }
    });
    let mut lines = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { break };
        lines.push(line);
        if lines.len() == ACKNOWLEDGED {
            child.kill().map_err(|error| Failure::Io("can't kill the child process", error))?;
        }
    }
    let _ = feeder.join();
    held(lines.len() >= ACKNOWLEDGED, "the child acknowledged 200 writes")?;
    Ok(lines)
}
