//! Bad input, exit codes and forms of output.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::{Run, Shell, lines, long};

#[test]
fn s38_bad_names_and_sizes_are_usage_errors_or_too_large() {
    let shell = Shell::with_value();
    shell.run(&["set", "", "1"]).fails(2, "empty");
    shell.run(&["set", &long(513), "1"]).fails(2, "at most 512");
    shell.run(&["set", "a\nb", "1"]).fails(2, "control character");
    shell.run(&["set", "~strata:header", "1"]).fails(2, "belong to the store");
    shell.run(&["set", "b", "1", "--tag", ""]).fails(2, "the tag is empty");
    shell.run(&["set", "b", "1", "--tag", &long(129)]).fails(2, "at most 128");
    shell.run(&["get", "\u{1}"]).fails(2, "control character");
    assert_eq!(shell.done(&["ls"]), "a\n", "nothing of this was stored");
    // Longer than an argument may be, so it comes in a file.
    let line = json!({ "key": "b", "value": long(300_000) });
    let run = shell.import(&line.to_string(), &[]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("line 1: ") && run.err.contains("262144"), "{run:?}");
    assert_eq!(shell.done(&["ls"]), "a\n");
}

#[test]
fn lives_that_cannot_be_are_refused() {
    let shell = Shell::with_value();
    let refused = |words: &[&str], says: &str| {
        let run = shell.run(&[&["set", "b", "1"], words].concat());
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.err.contains(says), "{run:?}");
    };
    refused(&["--ttl", "0s"], "zero");
    refused(&["--ttl", "soon"], "whole numbers");
    refused(&["--ttl", "99999999999999999999d"], "too long");
    refused(&["--ttl", "9999999w"], "year 9999");
    refused(&["--ttl", "9999999w", "--sliding"], "year 9999");
    refused(&["--sliding"], "--ttl");
    refused(&["--expire-at", "2001-01-01T00:00:00Z"], "deadline has passed");
    refused(&["--expire-at", "1901-01-01T00:00:00Z"], "before 1970");
    refused(&["--expire-at", "tomorrow"], "RFC 3339");
    assert_eq!(shell.done(&["ls"]), "a\n");
}

#[test]
fn words_that_do_not_fit_are_usage_errors() {
    let shell = Shell::with_value();
    for words in [&["frobnicate"][..], &["get"], &["set", "k"], &["ls", "--limit", "many"], &[]] {
        assert_eq!(shell.run(words).code, 2, "{words:?}");
    }
    for store in ["", "data", "sled:", "redis://localhost"] {
        assert_eq!(Run::of(shell.bare().args(["--store", store, "ls"])).code, 2, "{store}");
    }
    Run::of(shell.bare().arg("ls")).fails(2, "--store sled:DIR");
    Run::of(shell.command().args(["--plaintext", "ls"])).fails(2, "exclude each other");
    let both = Run::of(
        shell
            .bare()
            .envs([
                ("STRATA_STORE", shell.store().as_str()),
                ("STRATA_KEY", "x"),
                ("STRATA_PASSPHRASE", "correct horse"),
            ])
            .arg("ls"),
    );
    both.fails(2, "both STRATA_KEY and STRATA_PASSPHRASE");
    assert_eq!(Run::of(shell.bare().arg("--help")).code, 0);
    assert_eq!(Run::of(shell.bare().arg("--version")).code, 0);
}

#[test]
fn arguments_that_are_no_text_are_usage_errors() {
    let shell = Shell::with_value();
    let bytes = OsStr::from_bytes(b"caf\xe9");
    // The command begins with `--key-file` and its path.
    for (words, place) in
        [(vec![OsStr::new("get"), bytes], 4), (vec![OsStr::new("set"), OsStr::new("k"), bytes], 5)]
    {
        let output = shell.command().args(words).output().expect("run");
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.starts_with(&format!("error: argument {place} (`caf\u{fffd}`) is not text (UTF-8)")),
            "{said}"
        );
        assert!(said.contains("base64"), "{said}");
    }
    let output = shell.command().arg(bytes).output().expect("run");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("unrecognized subcommand"));
    let mut store = std::ffi::OsString::from("sled:");
    store.push(bytes);
    assert_eq!(
        shell.bare().arg("--store").arg(store).arg("ls").output().expect("run").status.code(),
        Some(2)
    );
    let output =
        shell.bare().env("STRATA_STORE", shell.store()).env("STRATA_PASSPHRASE", bytes).arg("ls").output();
    assert_eq!(output.expect("run").status.code(), Some(2));
}

#[test]
fn numbers_and_checks_come_as_json_too() {
    let shell = Shell::with_value();
    let stats = &shell.json(&["stats"])[0];
    assert_eq!((&stats["protection"], &stats["key_provider"]), (&json!("Sealed"), &json!("file")));
    assert_eq!(stats["durability"], "process");
    assert!(stats["records"].as_u64() >= Some(2) && stats["bytes"].is_u64(), "{stats}");
    let check = &shell.json(&["check"])[0];
    assert_eq!((&check["opened"], &check["problem_count"]), (&json!(1), &json!(0)));
    assert_eq!(shell.json(&["sweep"]), [json!({ "removed": 0 })]);
    assert_eq!(shell.json(&["ls"]), [json!({ "key": "a" })]);
    assert!(shell.done(&["stats"]).contains("protection"));
    assert!(shell.done(&["ls", "--long"]).starts_with("KEY  "));
    let usage = Run::of(shell.command().args(["--json", "get"]));
    let error: Value = serde_json::from_str(&usage.err).expect("json");
    assert_eq!((usage.code, &error["error"]["kind"]), (2, &json!("Usage")));
    let missing = Run::of(shell.command().args(["--json", "get", "nope"]));
    let error: Value = serde_json::from_str(&missing.err).expect("json");
    assert_eq!((missing.code, &error["error"]["kind"]), (3, &json!("NotFound")));
}

#[test]
fn durability_is_what_was_asked_or_refused() {
    let shell = Shell::new();
    for level in ["relaxed", "process"] {
        shell.done(&["--durability", level, "set", "k", "1"]);
        assert_eq!(shell.json(&["--durability", level, "stats"])[0]["durability"], level);
    }
    if cfg!(target_os = "linux") {
        shell.done(&["--durability", "power", "set", "k", "2"]);
        assert_eq!(shell.json(&["stats"])[0]["highest_durability"], "power");
    }
    assert_eq!(shell.run(&["--durability", "eternal", "ls"]).code, 2);
    let memory =
        Run::of(shell.bare().args(["--store", "memory:", "--durability", "process", "set", "k", "1"]));
    memory.fails(1, "volatile");
    assert_eq!(Run::of(shell.bare().args(["--store", "memory:", "set", "k", "1"])).code, 0);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let shell = Shell::new();
    let lines = lines(
        5000,
        |number| json!({ "key": format!("key-{number:060}"), "value": 1, "durability": "relaxed" }),
    );
    assert_eq!(shell.import(&lines, &[]).code, 0);
    for words in [&["ls"][..], &["ls", "--long"], &["export"]] {
        let mut child =
            shell.command().args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("run");
        let mut first = String::new();
        BufReader::with_capacity(64, child.stdout.take().expect("a pipe"))
            .read_line(&mut first)
            .expect("a line");
        let ended = Run::from(child.wait_with_output().expect("wait"));
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{words:?}");
    }
}

#[test]
fn a_reader_that_leaves_in_mid_removal_is_told_that_it_is_not_done() {
    let shell = Shell::new();
    let name = |number: u32| format!("key-{number:090}");
    assert_eq!(shell.import(&lines(400, |number| json!({ "key": name(number), "value": 1 })), &[]).code, 0);
    let mut child = shell.command();
    child.arg("rm").args((0..400).map(name)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("run");
    drop(child.stdout.take());
    let ended = Run::from(child.wait_with_output().expect("wait"));
    assert_eq!((ended.code, ended.err.as_str()), (1, ""));
    assert!(shell.done(&["ls"]).lines().count() > 0, "it was not done");
}

#[test]
fn values_that_would_be_changed_are_refused() {
    let shell = Shell::with_value();
    shell.run(&["set", "b", "18446744073709551616"]).fails(2, "beyond 64 bits");
    shell.run(&["set", "b", "{\"a\":1,\"a\":2}"]).fails(2, "a name twice");
    shell.run(&["set", "b", "1e400"]).fails(2, "too large");
    let run = shell.import("{\"key\":\"b\",\"value\":{\"a\":1,\"a\":2}}", &[]);
    assert!(run.code == 1 && run.err.contains("duplicate field"), "{run:?}");
    let run = shell.import("{\"key\":\"b\",\"value\":-9223372036854775809}", &[]);
    assert!(run.code == 1 && run.err.contains("beyond 64 bits"), "{run:?}");
    assert_eq!(shell.done(&["ls"]), "a\n");
    for exact in ["18446744073709551615", "-9223372036854775808", "\"18446744073709551616\""] {
        shell.done(&["set", "b", exact]);
        assert_eq!(shell.json(&["get", "b"])[0].to_string(), exact);
    }
}

#[test]
fn records_that_are_the_stores_own_are_counted_as_such() {
    let shell = Shell::with_value();
    assert!(shell.done(&["check"]).contains("records (dead ones and the store's own included)"));
    let old = shell.json(&["keyset", "list"])[0]["id"].as_str().expect("an id").to_owned();
    let new = shell.json(&["keyset", "add"])[0]["added"].as_str().expect("an id").to_owned();
    shell.done(&["keyset", "promote", &new]);
    assert!(shell.done(&["keyset", "rekey"]).contains("records (the store's own included)"));
    assert!(shell.done(&["keyset", "retire", &old]).contains("living records (the store's own included)"));
}
