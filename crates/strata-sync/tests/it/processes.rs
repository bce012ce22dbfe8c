//! Real processes in one folder, each with a handle and a bus of its own; any of them is killed, the first one too. What they share is a
//! folder of files, the truth: a file is made before its change is announced, and read anew by whoever is told to.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use strata_core::{Event, Handle, ManualClock, ReferenceStore, Subscription};
use strata_sync::{Group, LocalLink, Queue, SharedBus};
use tokio::sync::mpsc;

use crate::support::{System, Tokio, key};

const CHILD: &str = "STRATA_SYNC_PROCESS_TEST_FOLDER";
const DEADLINE: Duration = Duration::from_secs(30);

/// Not a test of its own: the child's side, which does something only when it is started as one.
#[test]
fn lives_until_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(live(folder.as_ref()));
}

/// Does what it is told on its standard input, and prints what it learns.
async fn live(folder: &Path) {
    let link = LocalLink::builder(folder.join("bus"), Arc::new(System), Arc::new(Tokio))
        .rescan(Duration::from_millis(200))
        .queue(Queue { messages: 32, bytes: 1 << 20 }) // small, so that a sleeper's overflows
        .join()
        .await
        .expect("joined");
    let clock = Arc::new(ManualClock::default());
    let group = Group::builder(link, &key(), Arc::new(System), Arc::clone(&clock) as _, Arc::new(Tokio))
        .beat(Duration::from_millis(500))
        .build()
        .expect("a group");
    let bus = SharedBus::new(group);
    let store = Arc::new(ReferenceStore::new());
    let handle = Handle::builder(store, clock).bus(Arc::new(bus.clone())).build().expect("a handle");
    let changes = handle.subscribe("*").expect("a subscription");
    let _running = bus.start(&handle, &Tokio);
    let (tell, told) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
        std::process::exit(0); // whoever started it is gone
    });
    tokio::join!(obey(folder, &handle, &bus, told), learn(folder, changes));
}

async fn obey(folder: &Path, handle: &Handle, bus: &SharedBus, mut told: mpsc::UnboundedReceiver<String>) {
    while let Some(line) = told.recv().await {
        match line.split_once(' ') {
            Some(("say", name)) => {
                fs::write(folder.join("truth").join(name), "").expect("written");
                handle.set(name, &0_u8).await.expect("set");
            }
            Some(("commit", name)) => {
                fs::write(folder.join("truth").join(name), "").expect("written");
                println!("\n~committed {name}");
            }
            _ => println!("\n~peers {}", bus.report().group.peers),
        }
    }
}

async fn learn(folder: &Path, mut changes: Subscription) {
    while let Some(event) = changes.next().await {
        let names = match event {
            Event::Change(change) => vec![change.key.as_str().to_owned()],
            Event::Lagged(_) => {
                let files = fs::read_dir(folder.join("truth")).expect("listed");
                files.map(|file| file.expect("listed").file_name().into_string().expect("text")).collect()
            }
        };
        for name in names {
            println!("\n~knows {name}");
        }
    }
}

/// A child, as its parent sees it.
struct Process {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    knows: BTreeSet<String>,
    peers: usize,
}

impl Process {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "processes::lives_until_killed", "--nocapture"])
            .env(CHILD, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let input = child.stdin.take().expect("piped");
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            let said = output.lines().map_while(Result::ok);
            said.filter_map(|line| Some(line.strip_prefix('~')?.to_owned()))
                .try_for_each(|line| tell.send(line))
        });
        Self { child, input, lines, knows: BTreeSet::new(), peers: 0 }
    }

    fn tell(&mut self, what: &str) {
        writeln!(self.input, "{what}").expect("the child lives");
    }

    /// Reads what it says until `done`.
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            let line =
                self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("{what}; it knows {:?}", self.knows));
            match line.split_once(' ') {
                Some(("peers", count)) => self.peers = count.parse().expect("a number"),
                Some((_, name)) => drop(self.knows.insert(name.to_owned())),
                None => {}
            }
        }
    }

    fn until_it_knows(&mut self, names: &[&str]) {
        self.until(&format!("waited for {names:?}"), |process| {
            names.iter().all(|name| process.knows.contains(*name))
        });
    }

    /// Asks until it has so many peers.
    fn until_peers(&mut self, count: usize) {
        let deadline = Instant::now() + DEADLINE;
        self.peers = usize::MAX;
        while self.peers != count {
            assert!(Instant::now() < deadline, "waited for {count} peers, there are {}", self.peers);
            self.peers = usize::MAX;
            self.tell("peers");
            self.until("asked for peers", |process| process.peers != usize::MAX);
        }
    }

    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("it ended");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn all_know(all: &mut [Process], names: &[&str]) {
    for process in all {
        process.until_it_knows(names);
    }
}

fn all_have_peers(all: &mut [Process], count: usize) {
    for process in all {
        process.until_peers(count);
    }
}

fn grounds() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("truth")).expect("made");
    let path = folder.path().to_owned();
    (folder, path)
}

#[test]
fn any_of_three_is_killed_the_first_one_too_and_the_others_stay_in_step() {
    let (_folder, path) = grounds();
    let mut all: Vec<Process> = Vec::new();
    for _ in 0..3 {
        all.push(Process::start(&path));
        let peers = all.len() - 1;
        all_have_peers(&mut all, peers);
    }
    for (place, name) in ["a", "b", "c"].into_iter().enumerate() {
        all[place].tell(&format!("say {name}"));
    }
    all_know(&mut all, &["a", "b", "c"]);

    // The first, between its commit and its announcement.
    let mut first = all.remove(0);
    first.tell("commit unsaid");
    first.until_it_knows(&["unsaid"]);
    first.kill();
    all_know(&mut all, &["unsaid"]);
    all_have_peers(&mut all, 1);

    // A newcomer, then one in the middle, in the middle of a burst.
    all.push(Process::start(&path));
    all_have_peers(&mut all, 2);
    all[2].tell("say newcomer");
    all_know(&mut all, &["newcomer"]);
    let mut middle = all.remove(1);
    for number in 0..200 {
        middle.tell(&format!("say burst-{number}"));
    }
    middle.until_it_knows(&["burst-3"]);
    middle.kill();
    all_have_peers(&mut all, 1);
    let truth: Vec<String> = fs::read_dir(path.join("truth"))
        .expect("listed")
        .map(|file| file.expect("listed").file_name().into_string().expect("text"))
        .collect();
    let truth: Vec<&str> = truth.iter().map(String::as_str).collect();
    assert!(truth.contains(&"burst-3"));
    all_know(&mut all, &truth);

    // Those who are left still hear each other.
    all[0].tell("say one");
    all[1].tell("say other");
    all_know(&mut all, &["one", "other"]);
    let deadline = Instant::now() + DEADLINE;
    while fs::read_dir(path.join("bus")).expect("listed").count() != 2 {
        assert!(Instant::now() < deadline, "the sockets of the killed are still there");
        std::thread::yield_now();
    }
}

#[test]
fn a_process_that_stands_still_holds_up_nobody_and_catches_up() {
    let (_folder, path) = grounds();
    let mut all: Vec<Process> = (0..3).map(|_| Process::start(&path)).collect();
    all_have_peers(&mut all, 2);
    let mut still = all.pop().expect("three");
    signal(&still, "-STOP");
    let names: Vec<String> = (0..600).map(|number| format!("meanwhile-{number}")).collect();
    for name in &names {
        all[0].tell(&format!("say {name}"));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    all_know(&mut all, &names);
    signal(&still, "-CONT");
    still.until_it_knows(&names);
    still.tell("say awake");
    all_know(&mut all, &["awake"]);
}

fn signal(process: &Process, signal: &str) {
    let status = Command::new("kill").args([signal, &process.child.id().to_string()]).status();
    assert!(status.expect("there is a kill").success());
}
