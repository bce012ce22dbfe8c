//! One value and many: from `set` to `rm`, guards, lives, filters, expiry.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::{Shell, end, library, lines};

#[test]
fn a_value_lives_from_set_to_rm() {
    let shell = Shell::new();
    shell.done(&["set", "cart", r#"{"tea":2}"#, "--tag", "user:ada"]);
    shell.done(&["set", "word", "two words"]);
    assert_eq!(shell.done(&["get", "cart"]), "{\"tea\":2}\n");
    assert_eq!(shell.done(&["get", "word"]), "two words\n");
    assert_eq!(shell.json(&["get", "word"]), [json!("two words")]);
    assert_eq!(shell.done(&["ls"]), "cart\nword\n");
    assert_eq!(shell.done(&["ls", "--tag", "user:ada"]), "cart\n");
    assert_eq!(shell.done(&["ls", "w*", "--limit", "1"]), "word\n");
    assert_eq!(shell.done(&["ls", "--limit", "0"]), "");
    shell.done(&["rm", "cart"]);
    shell.run(&["get", "cart"]).fails(3, "`cart` is not there");
    let rm = shell.run(&["rm", "word", "cart"]);
    rm.fails(3, "`cart`");
    assert_eq!(rm.out, "removed word\nnot there cart\n");
}

#[test]
fn a_value_from_standard_input_and_one_that_looks_like_an_option() {
    let shell = Shell::new();
    let mut child = shell
        .command()
        .args(["set", "k", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("run");
    child.stdin.take().expect("a pipe").write_all(b"[1,2]").expect("write");
    assert!(child.wait().expect("wait").success());
    assert_eq!(shell.json(&["get", "k"]), [json!([1, 2])]);
    shell.done(&["set", "k", "-7"]);
    assert_eq!(shell.json(&["get", "k"]), [json!(-7)]);
}

#[test]
fn guards_end_with_conflict_or_not_found() {
    let shell = Shell::with_value();
    shell.run(&["set", "a", "2", "--if-absent"]).fails(4, "exists already");
    let version = shell.json(&["ls", "--long"])[0]["version"].to_string();
    shell.done(&["set", "a", "2", "--if-version", &version]);
    shell.run(&["set", "a", "3", "--if-version", &version]).fails(4, "changed by somebody else");
    shell.run(&["set", "b", "3", "--if-version", &version]).fails(3, "ended or never was");
    assert_eq!(shell.done(&["get", "a"]), "2\n");
}

#[test]
fn lives_are_told_moved_and_dropped() {
    let shell = Shell::new();
    let left = |key: &str| shell.json(&["ttl", key])[0]["ttl_ms"].clone();
    shell.done(&["set", "k", "1", "--ttl", "1h", "--sliding", "--expire-at", "9999-01-01T00:00:00Z"]);
    assert!((3_500_000..=3_600_000).contains(&left("k").as_u64().expect("a number")));
    let listed = shell.json(&["ls", "--long"]);
    assert_eq!(
        (&listed[0]["idle_ms"], &listed[0]["not_after"]),
        (&json!(3_600_000), &json!("9999-01-01T00:00:00Z"))
    );
    shell.done(&["touch", "k"]);
    shell.done(&["set", "k", "2"]);
    assert!(left("k").is_u64(), "a set that says nothing about expiry keeps it");
    shell.done(&["ttl", "k", "--set", "2h"]);
    assert!(left("k").as_u64().expect("a number") > 3_600_000);
    shell.done(&["persist", "k"]);
    assert_eq!(shell.done(&["ttl", "k"]), "never\n");
    for words in [["ttl", "gone"], ["touch", "gone"], ["persist", "gone"]] {
        shell.run(&words).fails(3, "`gone` is not there");
    }
}

#[test]
fn clear_needs_a_filter_and_combines_them() {
    let shell = Shell::new();
    let lines = lines(
        20,
        |number| json!({ "key": format!("n:{number}"), "value": 1, "tags": [format!("t{}", number % 2)] }),
    );
    assert_eq!(shell.import(&lines, &[]).code, 0);
    assert_eq!(shell.run(&["clear"]).code, 2);
    assert_eq!(shell.done(&["clear", "--prefix", "n:1", "--tag", "t0"]), "removed 5\n");
    assert_eq!(shell.done(&["clear", "--older-than", "1h"]), "removed 0\n");
    assert_eq!(shell.done(&["clear", "--expired"]), "removed 0\n");
    assert_eq!(shell.done(&["clear", "--glob", "n:?"]), "removed 10\n");
    assert_eq!(shell.done(&["ls"]).lines().count(), 5);
}

#[test]
fn values_of_other_programs_are_named_and_carried() {
    let shell = Shell::with_value();
    library(&shell, async |db| db.set("pair", &(7_u64, "x".to_owned())).await).expect("set");
    let get = shell.done(&["get", "pair"]);
    assert!(get.starts_with("<bincode value, ") && get.contains("read it with its type"), "{get}");
    assert_eq!(shell.json(&["get", "pair"])[0]["codec"], "bincode");
    assert!(shell.done(&["ls", "--long"]).contains("bincode"));
    let lines = shell.done(&["export", "--plaintext"]);
    let other = Shell::new();
    assert_eq!(other.import(&lines, &[]).code, 0, "{lines}");
    let pair = library(&other, async |db| db.get::<(u64, String)>("pair").await).expect("get");
    assert_eq!(pair, Some((7, "x".to_owned())));
}

#[test]
fn the_dead_are_swept_or_cleared() {
    let shell = Shell::new();
    for command in [&["sweep"][..], &["clear", "--expired"]] {
        shell.done(&["set", "short", "1", "--ttl", "1ms"]);
        shell.done(&["set", "long", "1", "--ttl", "1h"]);
        shell.run(&["get", "short"]).fails(3, "`short` is not there");
        assert_eq!(shell.done(command), "removed 1\n");
        assert_eq!(shell.done(command), "removed 0\n");
        assert_eq!(shell.done(&["ls"]), "long\n");
    }
}

#[test]
fn watch_shows_what_dies_and_ends_when_told() {
    let shell = Shell::new();
    shell.done(&["set", "short", "1", "--ttl", "300ms"]);
    shell.done(&["set", "long", "1", "--ttl", "1h"]);
    let mut child = shell
        .command()
        .args(["--json", "watch", "--for", "30s"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("run");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let event: Value = serde_json::from_str(&lines.next().expect("an event").expect("text")).expect("json");
    assert_eq!((&event["key"], &event["change"]), (&json!("short"), &json!("expired")));
    end(&mut child);
    assert_eq!(shell.done(&["watch", "--for", "1ms"]), "");
    assert_eq!(shell.done(&["ls"]), "long\n");
}

#[test]
fn s12_a_bogus_future_is_warned_of_and_reset() {
    use strata::Span as _;
    let shell = Shell::with_value();
    shell.done(&["set", "b", "1", "--ttl", "1d"]);
    let future = strata::native::wall().saturating_add(3650.days());
    library(&shell, async |db| strata::ttl::Watermark::under(db).reset(future).await).expect("reset");
    let dead = shell.run(&["get", "b"]);
    assert_eq!(dead.code, 3, "time goes on from the watermark: {dead:?}");
    assert!(dead.err.starts_with("warning: the watermark is"), "{dead:?}");
    let reset = shell.json(&["sweep", "--reset-watermark"]);
    assert!(reset[0]["before"].as_str() > reset[0]["watermark"].as_str(), "{reset:?}");
    let alive = shell.run(&["get", "b"]);
    assert_eq!(
        (alive.code, alive.out.as_str(), alive.err.as_str()),
        (0, "1\n", ""),
        "resetting sweeps nothing"
    );
}
