//! Links: queues that are bounded and say so, and the folder where processes of one machine meet, with everything in it that should not be.

use std::fs;
use std::io::{ErrorKind as IoErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use strata_core::ErrorKind;
use strata_sync::{Heard, InProcess, Link, LocalBuilder, LocalLink, LocalReport, Queue};
use tempfile::TempDir;

use crate::support::{Beats, System, Tokio, poll};

/// One number of a report.
type Count = fn(&LocalReport) -> u64;

const DEADLINE: Duration = Duration::from_secs(20);

fn folder() -> (TempDir, PathBuf) {
    let above = tempfile::tempdir().expect("a folder");
    let path = above.path().join("bus");
    (above, path)
}

fn prepared(path: &Path) -> LocalBuilder {
    LocalLink::builder(path, Arc::new(System), Arc::new(Tokio)).rescan(Duration::from_millis(100))
}

async fn joined(path: &Path) -> LocalLink {
    prepared(path).join().await.expect("joined")
}

/// What a link hears next, other than losses.
async fn next(link: &LocalLink) -> Heard {
    tokio::time::timeout(DEADLINE, link.next()).await.expect("in time").expect("open")
}

/// Waits until the report is as it has to be.
async fn until(link: &LocalLink, what: &str, done: impl Fn(&LocalReport) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done(&link.report()) {
        assert!(Instant::now() < deadline, "{what}: {:?}", link.report());
        tokio::task::yield_now().await;
    }
}

/// Two that know each other.
async fn two(path: &Path) -> (LocalLink, LocalLink) {
    let (one, other) = (joined(path).await, joined(path).await);
    assert!(matches!(next(&one).await, Heard::Joined(_)));
    assert!(matches!(next(&other).await, Heard::Joined(_)));
    (one, other)
}

fn bytes(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

/// Whether two still hear each other, whatever else happened.
async fn hear_each_other(one: &LocalLink, other: &LocalLink) {
    for (from, to) in [(one, other), (other, one)] {
        from.broadcast(bytes("still there?"));
        while !matches!(next(to).await, Heard::Message { bytes, .. } if &*bytes == b"still there?") {}
    }
}

/// The names of the sockets in a folder.
fn sockets(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).expect("listed");
    entries.map(|entry| entry.expect("listed").file_name().into_string().expect("text")).collect()
}

/// Somebody with a socket of this name, who never answers there.
fn mute(path: &Path, name: u64) -> UnixListener {
    UnixListener::bind(path.join(format!("m-{name:016x}"))).expect("bound")
}

/// A greeting as members make it.
fn greeting(name: u64) -> Vec<u8> {
    [&b"strata\0\x01"[..], &name.to_be_bytes()].concat()
}

/// Reads until the other side has closed.
fn is_closed(mut stream: UnixStream) -> bool {
    stream.set_read_timeout(Some(DEADLINE)).expect("set");
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => error.kind() == IoErrorKind::ConnectionReset,
    }
}

#[test]
fn members_of_a_process_come_and_go_and_nobody_hears_itself() {
    let hub = InProcess::new();
    let (one, other) = (hub.join(), hub.join());
    assert_eq!(poll(one.next()), Some(Some(Heard::Joined(other.member()))));
    assert_eq!(poll(other.next()), Some(Some(Heard::Joined(one.member()))));
    one.broadcast(bytes("all"));
    one.send(other.member(), bytes("you"));
    one.send(one.member(), bytes("me"));
    for text in ["all", "you"] {
        let heard = Heard::Message { from: one.member(), bytes: bytes(text) };
        assert_eq!(poll(other.next()), Some(Some(heard)));
    }
    assert_eq!(poll(one.next()), None);
    let gone = one.member();
    drop(one);
    assert_eq!(poll(other.next()), Some(Some(Heard::Left(gone))));
}

#[test]
fn queues_are_bounded_in_messages_and_bytes_and_say_what_they_lost() {
    for (queue, held) in [
        (Queue { messages: 3, bytes: 1000 }, 3),
        (Queue { messages: 1000, bytes: 25 }, 2),
        (Queue { messages: 0, bytes: 0 }, 1),
    ] {
        let hub = InProcess::with_queue(queue);
        let (one, other) = (hub.join(), hub.join());
        assert!(matches!(poll(other.next()), Some(Some(Heard::Joined(_)))));
        for round in 0..2 {
            (0..100).for_each(|_| one.broadcast(bytes("ten bytes!")));
            assert_eq!(poll(other.next()), Some(Some(Heard::Lost)), "round {round}");
            for _ in 0..held {
                assert!(matches!(poll(other.next()), Some(Some(Heard::Message { .. }))), "{queue:?}");
            }
            assert_eq!(poll(other.next()), None, "{queue:?}");
        }
    }
}

#[test]
fn members_who_come_and_go_fill_no_queue() {
    let hub = InProcess::new();
    let sleeper = hub.join();
    for _ in 0..10_000 {
        let passer_by = hub.join();
        passer_by.broadcast(bytes("hello"));
    }
    let heard: Vec<_> = std::iter::from_fn(|| poll(sleeper.next()).flatten()).collect();
    assert_eq!(heard, [Heard::Lost], "nobody is here, and something was said");
}

#[tokio::test]
async fn processes_meet_in_a_folder_and_notice_who_leaves() {
    let (_above, path) = folder();
    let (one, other) = two(&path).await;
    let third = joined(&path).await;
    assert!(matches!(next(&one).await, Heard::Joined(_)));
    assert!(matches!(next(&other).await, Heard::Joined(_)));
    third.broadcast(bytes("hello"));
    let Heard::Message { from, bytes } = next(&one).await else { panic!("a message") };
    assert_eq!(&*bytes, b"hello");
    one.send(from, Arc::clone(&bytes));
    for _ in 0..2 {
        assert!(matches!(next(&third).await, Heard::Joined(_)));
    }
    assert!(matches!(next(&third).await, Heard::Message { .. }));
    assert!(matches!(next(&other).await, Heard::Message { .. }));
    drop(one);
    assert!(matches!(next(&third).await, Heard::Left(_)));
    assert!(matches!(next(&other).await, Heard::Left(_)));
    hear_each_other(&third, &other).await;
    drop((third, other));
    assert_eq!(fs::read_dir(&path).expect("listed").count(), 0, "nobody left a socket");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_full_folder_is_refused_with_the_way_out_and_has_room_when_one_leaves() {
    let (_above, path) = folder();
    let mut links = Vec::new();
    for _ in 0..3 {
        links.push(prepared(&path).members(3).join().await.expect("joined"));
    }
    let error = prepared(&path).members(3).join().await.expect_err("full");
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(error.message().contains("raise `members`"), "{error}");
    assert_eq!(fs::read_dir(&path).expect("listed").count(), 3, "who was refused left nothing");
    for link in &links {
        until(link, "the others are there", |report| report.peers == 2).await;
    }
    drop(links.pop());
    let newcomer = prepared(&path).members(3).join().await.expect("room again");
    until(&newcomer, "it found the others", |report| report.peers == 2).await;
}

#[tokio::test]
async fn sockets_of_the_killed_take_no_room_and_are_removed() {
    let (_above, path) = folder();
    let first = joined(&path).await;
    for name in 0..5 {
        // A socket file whose process is gone.
        drop(UnixListener::bind(path.join(format!("m-{name:016x}"))).expect("bound"));
        drop(UnixListener::bind(path.join(format!("n-{name:016x}"))).expect("bound"));
    }
    let second = prepared(&path).members(2).join().await.expect("there is room");
    until(&second, "they found each other", |report| report.peers == 1).await;
    hear_each_other(&first, &second).await;
    assert_eq!(fs::read_dir(&path).expect("listed").count(), 2);
    assert!(first.report().removed + second.report().removed >= 10);
}

#[tokio::test]
async fn folders_that_will_not_do_are_refused_with_the_way_out() {
    let (above, path) = folder();
    let refused = async |path: &Path, kind: ErrorKind, says: &str| {
        let error = prepared(path).join().await.expect_err(says);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(says), "{error}");
    };
    refused(&above.path().join("x".repeat(120)), ErrorKind::Invalid, "XDG_RUNTIME_DIR").await;
    refused(&above.path().join("missing/bus"), ErrorKind::Invalid, "its parent has to exist").await;
    fs::write(above.path().join("file"), "").expect("written");
    refused(&above.path().join("file"), ErrorKind::Foreign, "name a folder").await;
    fs::create_dir(&path).expect("made");
    for mode in [0o755, 0o710, 0o701, 0o770] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        refused(&path, ErrorKind::Denied, "chmod 700").await;
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("set");
    std::os::unix::fs::symlink(&path, above.path().join("link")).expect("linked");
    refused(&above.path().join("link"), ErrorKind::Foreign, "link").await;
    for name in ["notes.txt", "m-0123", "m-0123456789ABCDEF", "m-0123456789abcdef", "x-0123456789abcdef"] {
        fs::write(path.join(name), "").expect("written");
        refused(&path, ErrorKind::Foreign, name).await;
        fs::remove_file(path.join(name)).expect("removed");
    }
    assert_eq!(fs::read_dir(&path).expect("listed").count(), 0, "who was refused left nothing");
    let link = joined(&path).await;
    fs::write(path.join("later.txt"), "").expect("written");
    until(&link, "it is counted", |report| report.foreign > 0).await;
    for options in
        [prepared(&path).members(1), prepared(&path).max_message(1), prepared(&path).stall(Duration::ZERO)]
    {
        assert_eq!(options.join().await.expect_err("refused").kind(), ErrorKind::Invalid);
    }
}

#[test]
fn a_folder_of_another_user_is_refused() {
    // Whoever runs the tests: the root folder is root's, and nobody is root and not.
    let above = tempfile::tempdir().expect("a folder");
    let theirs = above.path().join("theirs");
    fs::create_dir(&theirs).expect("made");
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o700)).expect("set");
    let path = match std::os::unix::fs::chown(&theirs, Some(12_345), None) {
        Ok(()) => theirs,
        Err(_) => PathBuf::from("/"), // not root, so root's will do
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let error = runtime.block_on(prepared(&path).join()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.message().contains("folder of your own"), "{error}");
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let (_above, path) = folder();
    let error = strata_core::conformance::block_on(prepared(&path).join()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn garbage_and_lengths_that_lie_end_only_their_own_connection() {
    let (_above, path) = folder();
    let link = prepared(&path).max_message(1 << 20).join().await.expect("joined");
    let socket = path.join(&sockets(&path)[0]);
    let _mutes = [mute(&path, 1), mute(&path, 2), mute(&path, 3)];
    let oversized = [greeting(1), (64_u32 << 20).to_be_bytes().to_vec(), vec![7; 1000]].concat();
    let cases: [(Vec<u8>, Count); 4] = [
        (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n".to_vec(), |report| report.garbage),
        (greeting(2)[..9].to_vec(), |report| report.ended),
        (oversized, |report| report.oversized),
        ([greeting(3), vec![0, 0, 0, 9, 1, 2]].concat(), |report| report.ended),
    ];
    for (sent, count) in cases {
        let before = count(&link.report());
        let mut stream = UnixStream::connect(&socket).expect("connected");
        stream.write_all(&sent).expect("written");
        stream.shutdown(std::net::Shutdown::Write).expect("half closed");
        until(&link, "it is counted", |report| count(report) > before).await;
        assert!(tokio::task::spawn_blocking(|| is_closed(stream)).await.expect("ended"));
    }
    let own = u64::from_str_radix(socket.to_str().expect("text").rsplit_once('-').expect("a name").1, 16);
    let mut mirror = UnixStream::connect(&socket).expect("connected");
    mirror.write_all(&greeting(own.expect("a number"))).expect("written");
    until(&link, "it is counted", |report| report.turned_away == 1).await;
    let other = joined(&path).await;
    until(&link, "it knows the newcomer", |report| report.peers == 1).await;
    hear_each_other(&link, &other).await;
}

#[tokio::test]
async fn who_stands_still_within_a_frame_is_given_up() {
    let (_above, path) = folder();
    let beats = Beats::default();
    let link =
        LocalLink::builder(&path, Arc::new(System), Arc::new(beats.clone())).join().await.expect("joined");
    let socket = path.join(&sockets(&path)[0]);
    let mutes = [mute(&path, 1), mute(&path, 2)];
    for sent in
        [b"str".to_vec(), [greeting(1), vec![0, 0]].concat(), [greeting(2), vec![0, 0, 0, 9, 1]].concat()]
    {
        let before = link.report().stalled;
        let mut stream = UnixStream::connect(&socket).expect("connected");
        stream.write_all(&sent).expect("written");
        let deadline = Instant::now() + DEADLINE;
        while link.report().stalled == before {
            assert!(Instant::now() < deadline, "{:?}", link.report());
            beats.tell(); // time passes
            tokio::task::yield_now().await;
        }
        assert!(tokio::task::spawn_blocking(|| is_closed(stream)).await.expect("ended"));
    }
    drop(mutes);
    // Between frames, a peer may be silent for as long as it likes.
    let other =
        LocalLink::builder(&path, Arc::new(System), Arc::new(beats.clone())).join().await.expect("joined");
    until(&link, "it is here", |report| report.peers == 1).await;
    until(&other, "it is here", |report| report.peers == 1).await;
    for _ in 0..50 {
        beats.tell();
        tokio::task::yield_now().await;
    }
    hear_each_other(&link, &other).await;
    assert_eq!(other.report().stalled, 0);
}

#[tokio::test]
async fn a_slow_reader_is_told_of_its_loss_and_nobodys_memory_grows() {
    let (_above, path) = folder();
    let queue = Queue { messages: 16, bytes: 1 << 20 };
    let sender = prepared(&path).queue(queue).join().await.expect("joined");
    let sleeper = prepared(&path).queue(queue).join().await.expect("joined");
    let reader = joined(&path).await;
    for link in [&sender, &sleeper, &reader] {
        until(link, "all are there", |report| report.peers == 2).await;
    }
    let payload: Arc<[u8]> = vec![7; 100_000].into();
    (0..100).for_each(|_| sender.broadcast(Arc::clone(&payload)));
    until(&sender, "the queue for a peer was full", |report| report.unsent > 0).await;
    for _ in 0..400 {
        sender.broadcast(Arc::clone(&payload));
        tokio::task::yield_now().await;
    }
    until(&sleeper, "the queue of the sleeper was full", |report| report.unread > 0).await;
    let mut losses = 0;
    let mut messages = 0;
    sender.broadcast(bytes("the end"));
    loop {
        match next(&sleeper).await {
            Heard::Lost => losses += 1,
            Heard::Message { bytes, .. } if &*bytes == b"the end" => break,
            Heard::Message { .. } => messages += 1,
            _ => {}
        }
        // The end may have been lost with the rest; it is said until it is heard.
        sender.broadcast(bytes("the end"));
    }
    assert!(losses > 0 && messages < 500, "{losses} losses, {messages} messages");
    hear_each_other(&sender, &reader).await;
}

#[tokio::test]
async fn what_a_sender_cannot_hold_is_loss_to_its_peer() {
    let (_above, path) = folder();
    let one = prepared(&path).queue(Queue { messages: 4, bytes: 1000 }).join().await.expect("joined");
    let other = joined(&path).await;
    for link in [&one, &other] {
        assert!(matches!(next(link).await, Heard::Joined(_)));
    }
    (0..100).for_each(|_| one.broadcast(bytes("burst")));
    assert_eq!(one.report().unsent, 96);
    assert_eq!(next(&other).await, Heard::Lost);
    for _ in 0..4 {
        assert!(matches!(next(&other).await, Heard::Message { .. }));
    }
    assert_eq!((other.report().unread, poll(other.next())), (0, None));
}

#[tokio::test]
async fn a_message_that_no_frame_holds_is_loss_and_breaks_nothing() {
    let (_above, path) = folder();
    let (one, other) = two(&path).await;
    one.broadcast(vec![0; LocalBuilder::DEFAULT_MAX_MESSAGE + 1].into());
    assert_eq!(next(&other).await, Heard::Lost);
    one.broadcast(Arc::from([]));
    assert_eq!(next(&other).await, Heard::Lost);
    assert_eq!(one.report().unsent, 2);
    one.broadcast(vec![1; LocalBuilder::DEFAULT_MAX_MESSAGE].into());
    assert!(
        matches!(next(&other).await, Heard::Message { bytes, .. } if bytes.len() == LocalBuilder::DEFAULT_MAX_MESSAGE)
    );
}

#[tokio::test]
async fn a_socket_or_folder_that_somebody_removed_is_made_again() {
    let (_above, path) = folder();
    let (one, other) = two(&path).await;
    fs::remove_dir_all(&path).expect("removed");
    let deadline = Instant::now() + DEADLINE;
    while fs::read_dir(&path).map_or(0, Iterator::count) != 2 {
        assert!(Instant::now() < deadline, "they did not come back");
        tokio::task::yield_now().await;
    }
    hear_each_other(&one, &other).await;
    let newcomer = joined(&path).await;
    until(&newcomer, "it found both", |report| report.peers == 2).await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_again_at_once() {
    let (_above, path) = folder();
    let hour = Duration::from_hours(1);
    let one = prepared(&path).rescan(hour).join().await.expect("joined");
    let other = prepared(&path).rescan(hour).join().await.expect("joined");
    for link in [&one, &other] {
        assert!(matches!(next(link).await, Heard::Joined(_)));
    }
    // Somebody takes the name of `other`: the connection that `one` has of it counts as broken.
    let names = sockets(&path);
    for (target, claimed) in [(&names[0], &names[1]), (&names[1], &names[0])] {
        let claimed = u64::from_str_radix(&claimed[2..], 16).expect("a name");
        let mut stream = UnixStream::connect(path.join(target)).expect("connected");
        stream.write_all(&greeting(claimed)).expect("written");
    }
    for link in [&one, &other] {
        assert_eq!(next(link).await, Heard::Lost);
    }
    // Each ends in the other's giving up both, and in new ones.
    let deadline = Instant::now() + DEADLINE;
    let mut heard = [false; 2];
    while heard != [true; 2] {
        assert!(Instant::now() < deadline, "they lost each other: {heard:?}");
        for (place, (from, to)) in [(&one, &other), (&other, &one)].into_iter().enumerate() {
            // What is said while they find each other may be lost.
            from.broadcast(bytes("back?"));
            heard[place] |= matches!(poll(to.next()), Some(Some(Heard::Message { .. })));
        }
        tokio::task::yield_now().await;
    }
    hear_each_other(&one, &other).await;
    assert!(one.report().ended + other.report().ended < 50, "they kept breaking: {:?}", one.report());
}
