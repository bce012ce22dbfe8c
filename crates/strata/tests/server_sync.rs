//! Documents in step with a server, over stores on disk: edits made offline survive kill -9 of their process, wherever it strikes, and reach
//! the server once.
#![cfg(all(feature = "sled", feature = "crypto", feature = "ttl", feature = "session"))]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use strata::native::TokioTimer;
use strata::session::document::{
    Documents, Policies, Policy, ServerSynced, SyncAnswer, SyncFailure, SyncRequest, SyncTransport, Synced,
};
use strata::{Keys, Strata};

const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
const FOLDER: &str = "STRATA_SERVER_SYNC_KILL_TEST_FOLDER";
const MODE: &str = "STRATA_SERVER_SYNC_KILL_TEST_MODE";

/// What a transport of the child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// There is no network.
    Offline,
    /// The request is on its way when the process dies.
    Asked,
    /// The server has taken it, and the answer is on its way.
    Taken,
    /// All goes well, again and again.
    Online,
}

const MODES: [Mode; 4] = [Mode::Offline, Mode::Asked, Mode::Taken, Mode::Online];

#[derive(Debug)]
struct Wire {
    server: Documents,
    mode: Mode,
}

#[async_trait]
impl SyncTransport for Wire {
    async fn sync(&self, request: &SyncRequest, _: Option<&str>) -> Result<SyncAnswer, SyncFailure> {
        if self.mode == Mode::Offline {
            return Err(SyncFailure::OFFLINE);
        }
        if self.mode == Mode::Asked {
            acknowledge("under way");
            std::future::pending::<()>().await;
        }
        let answer = self.server.sync("ada", request).await.map_err(|_| SyncFailure::Unanswered)?;
        if self.mode == Mode::Taken {
            acknowledge("under way");
            std::future::pending::<()>().await;
        }
        Ok(answer)
    }

    async fn logout(&self, _: Option<&str>) -> Result<(), SyncFailure> {
        Err(SyncFailure::OFFLINE)
    }
}

fn acknowledge(what: &str) {
    println!("acknowledged {what}");
    std::io::stdout().flush().expect("somebody listens");
}

async fn opened(path: &Path) -> Strata {
    let keys = Keys::bytes(&KEY).expect("a key");
    strata::builder().sled(path).keys(keys).without_sweeper().open().await.expect("open")
}

/// The client and the server, each on a store of its own.
async fn both(folder: &Path, mode: Mode) -> (Strata, Strata, ServerSynced, Documents) {
    let (here, there) = (opened(&folder.join("client")).await, opened(&folder.join("server")).await);
    let server = there.documents().expect("a server");
    let wire = Arc::new(Wire { server: server.clone(), mode });
    let policies = Policies::default().at("sum", Policy::Sum).expect("policies");
    let client = ServerSynced::builder(&here, wire, Arc::new(TokioTimer)).policies(policies).build();
    (here, there, client.expect("a client"), server)
}

/// Adds one to the sum and notes the number of the edit, in one edit.
async fn edit(client: &ServerSynced, number: u64) {
    let edit = client.edit(|document| {
        let sum = "sum".parse()?;
        let so_far: u64 = document.get(&sum)?.unwrap_or(0);
        document.set(&sum, &(so_far + 1))?;
        document.set(&"last".parse()?, &number)
    });
    edit.await.expect("edit");
}

/// Not a test of its own: the child's side, which does something only when it is started as one.
#[tokio::test]
async fn edits_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mode: usize = std::env::var(MODE).expect("set with the folder").parse().expect("a number");
    let (_here, _there, client, _) = both(folder.as_ref(), MODES[mode]).await;
    client.begin(None).await.expect("begin");
    let start: u64 = client.get("last").await.expect("get").unwrap_or(0);
    for number in start + 1.. {
        edit(&client, number).await;
        acknowledge(&number.to_string());
        if number % 5 == 0 {
            client.sync().await.expect("sync");
        }
    }
}

fn child(folder: &Path, mode: usize) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "edits_until_killed", "--nocapture"])
        .env(FOLDER, folder)
        .env(MODE, mode.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts")
}

/// Kills the child after so many lines, or once its request is under way, and gives the last edit it acknowledged.
fn run(folder: &Path, mode: usize, lines: usize) -> u64 {
    let mut child = child(folder, mode);
    let told = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut told = told.filter_map(|line| Some(line.rsplit_once("acknowledged ")?.1.to_owned()));
    let mut last = 0;
    let mut note = |line: &str| last = line.parse().unwrap_or(last);
    for _ in 0..lines {
        let line = told.next().expect("the child acknowledges");
        note(&line);
        if line == "under way" {
            break;
        }
    }
    child.kill().expect("killed");
    // What was in the pipe was acknowledged as well.
    told.for_each(|line| note(&line));
    child.wait().expect("it ended");
    last
}

#[tokio::test]
async fn edits_survive_a_kill_and_reach_the_server_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut last = 0;
    // Offline; killed while asking; while the answer travels; in the middle of syncs; offline again.
    for (mode, lines) in [(0, 1), (0, 33), (1, 9), (2, 9), (2, 9), (3, 40), (1, 9), (0, 12)] {
        last = run(folder.path(), mode, lines).max(last);
        let (here, there, client, _) = both(folder.path(), Mode::Offline).await;
        let found: u64 = client.get("last").await.expect("get").expect("a session with edits");
        let sum: u64 = client.get("sum").await.expect("get").expect("a sum");
        // One edit may have been made and not acknowledged.
        assert!(found == last || found == last + 1, "{last} was acknowledged, {found} is there");
        assert_eq!(sum, found, "an edit is torn, or counted twice, in mode {mode}");
        last = found;
        assert_eq!(client.sync().await.expect("sync"), Synced::Waiting(SyncFailure::OFFLINE));
        drop(client);
        here.close().await.expect("close");
        there.close().await.expect("close");
    }
    let (_here, _there, client, server) = both(folder.path(), Mode::Online).await;
    for _ in 0..2 {
        assert_eq!(client.sync().await.expect("sync"), Synced::InStep);
    }
    let at_server = server.read("ada").await.expect("read").expect("a document");
    assert_eq!(at_server, client.document().await.expect("read").expect("a session"));
    assert_eq!(at_server.get::<u64>(&"sum".parse().expect("a path")).expect("get"), Some(last));
}

/// A logout that was acknowledged stands after a restart, and is told then.
#[tokio::test]
async fn a_logout_survives_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (here, there, client, _) = both(folder.path(), Mode::Offline).await;
    assert!(client.begin(Some("secret")).await.expect("begin"), "a sealed store keeps credentials");
    edit(&client, 1).await;
    assert!(client.logout().await.expect("logout"));
    drop(client);
    here.close().await.expect("close");
    there.close().await.expect("close");
    let (_here, _there, client, _) = both(folder.path(), Mode::Offline).await;
    assert!(client.document().await.expect("read").is_none());
    assert_eq!(client.sync().await.expect("sync"), Synced::NoSession);
    assert_eq!(client.tell_logouts().await.expect("tell").left, 1);
}
