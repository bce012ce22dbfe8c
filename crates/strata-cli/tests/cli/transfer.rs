//! Export and import: sealed, readable, broken, acknowledged.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::{Run, Shell, lines};

#[test]
fn s31_exports_are_sealed_unless_asked_and_come_back_either_way() {
    let shell = Shell::new();
    shell.done(&["set", "a", "{\"n\":0.1}", "--ttl", "1h", "--tag", "t"]);
    shell.done(&["set", "b", "secret words"]);
    let described = |shell: &Shell| {
        let mut listed = shell.json(&["ls", "--long"]);
        for entry in &mut listed {
            let entry = entry.as_object_mut().expect("an object");
            // These begin anew with an import, or run.
            entry.retain(|word, _| {
                !["version", "created", "updated", "sealed_under", "ttl_ms"].contains(&word.as_str())
            });
        }
        listed
    };
    let sealed = shell.done(&["export"]);
    assert!(!sealed.contains("secret words") && sealed.lines().count() == 2);
    let readable = shell.done(&["--plaintext", "export"]);
    assert!(readable.contains("secret words") && readable.contains("{\"n\":0.1}"));
    assert_eq!(shell.done(&["export", "--plaintext", "b*"]).lines().count(), 1);
    for lines in [&sealed, &readable] {
        let other = Shell::new();
        std::fs::copy(shell.at("key"), other.at("key")).expect("the same key");
        let import = other.import(lines, &[]);
        assert_eq!((import.code, import.out.as_str()), (0, "imported 2 of 2\n"), "{import:?}");
        assert_eq!(described(&other), described(&shell));
        assert_eq!(other.done(&["get", "b"]), "secret words\n");
        assert_eq!(other.run(&["import", other.at("lines").to_str().expect("text"), "--if-absent"]).code, 4);
    }
    let stranger = Shell::new().import(&sealed, &[]);
    assert_eq!(stranger.code, 1, "sealed lines need their key: {stranger:?}");
    assert!(
        stranger.err.contains("line 1: ") && stranger.err.contains("2 of 2 lines not imported"),
        "{stranger:?}"
    );
}

#[test]
fn broken_lines_are_named_and_the_others_imported() {
    let shell = Shell::new();
    let mut lines = Vec::new();
    for number in 1..=100 {
        let line = match number {
            17 => "{\"key\":\"broken".to_owned(),
            40 => json!({ "key": "", "value": 1 }).to_string(),
            99 => json!({ "key": "k", "value": 1, "expire_at": "2001-01-01T00:00:00Z" }).to_string(),
            _ => json!({ "key": format!("k{number}"), "value": number }).to_string(),
        };
        lines.push(line);
    }
    let run = shell.import(&lines.join("\n"), &[]);
    assert_eq!(run.code, 1);
    for says in ["line 17: ", "line 40: ", "line 99: ", "3 of 100 lines not imported"] {
        assert!(run.err.contains(says), "{says}: {run:?}");
    }
    assert_eq!(run.out, "imported 97 of 100\n");
    assert_eq!(shell.done(&["ls"]).lines().count(), 97);

    std::fs::write(shell.at("raw"), b"{\"key\":\"x\",\"value\":\"\xff\"}\n\n{\"key\":\"y\",\"value\":1}")
        .expect("write");
    let raw = Run::of(shell.command().args(["--json", "import"]).arg(shell.at("raw")));
    assert_eq!(raw.code, 1);
    let told: Vec<Value> = raw.err.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!((&told[0]["error"]["line"], &told[1]["error"]["kind"]), (&json!(1), &json!("Bad")));
    assert_eq!(shell.done(&["get", "y"]), "1\n");
}

#[test]
fn an_input_that_cannot_be_read_is_named_and_makes_no_store() {
    let shell = Shell::new();
    shell.run(&["import", "/no/such/file"]).fails(1, "`/no/such/file`: No such file");
    let folder = shell.at("").display().to_string();
    shell.run(&["import", &folder]).fails(1, &format!("`{folder}`: is a directory"));
    assert!(!shell.at("data").exists() && !shell.at("key").exists(), "nothing was made for it");
}

#[test]
fn an_export_under_an_unknown_key_is_refused_once() {
    let shell = Shell::with_value();
    shell.done(&["set", "b", "1"]);
    let run = shell.run(&["export", "--key-id", "deadbeef"]);
    run.fails(1, "deadbeef is not in the keyset");
    assert_eq!((run.err.lines().count(), run.out.as_str()), (1, ""));
}

#[test]
fn lines_of_one_key_keep_their_order_and_each_is_acknowledged() {
    let shell = Shell::new();
    let lines = lines(
        600,
        |number| json!({ "key": format!("k{}", number % 7), "value": number, "durability": "relaxed" }),
    );
    let run = shell.import(&lines, &["--ack"]);
    assert_eq!((run.code, run.out.lines().count()), (0, 600), "{run:?}");
    for key in 0..7 {
        let last = (0..600).filter(|number| number % 7 == key).max().expect("some");
        assert_eq!(shell.json(&["get", &format!("k{key}")]), [json!(last)]);
    }
    let acks = shell.json(&["import", shell.at("lines").to_str().expect("text"), "--ack"]);
    assert!(acks.len() == 600 && acks.iter().all(|ack| ack["ack"].is_string()));
}

#[test]
fn an_import_whose_reader_leaves_says_nothing_and_is_not_done() {
    let shell = Shell::new();
    let mut child = shell.command();
    child.args(["import", "--ack"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell.done(&["set", "first", "1"]);
    let mut child = child.spawn().expect("run");
    let mut stdin = child.stdin.take().expect("a pipe");
    drop(child.stdout.take());
    // Ends when the child has ended and nobody reads.
    while writeln!(stdin, "{}", json!({ "key": "k", "value": 1 })).is_ok() {}
    let ended = Run::from(child.wait_with_output().expect("wait"));
    assert_eq!((ended.code, ended.err.as_str()), (1, ""));
}

#[test]
fn removals_and_batches_are_imported_and_each_key_is_acknowledged() {
    let shell = Shell::with_value();
    let lines = [
        json!({ "batch": [{ "key": "b", "value": 2, "tags": ["t"] }, { "key": "c", "value": 3 }, { "key": "a", "remove": true }] }),
        json!({ "key": "c", "remove": true }),
        json!({ "key": "c", "value": 4 }),
        json!({ "key": "never", "remove": true }),
    ];
    let lines = lines.map(|line| line.to_string()).join("\n");
    let run = shell.import(&lines, &["--ack"]);
    let mut acks: Vec<&str> = run.out.lines().collect();
    acks.sort_unstable();
    assert_eq!((run.code, acks), (0, vec!["a", "b", "c", "c", "c", "never"]), "{run:?}");
    assert_eq!(shell.done(&["ls"]), "b\nc\n");
    assert_eq!((shell.done(&["get", "c"]), shell.done(&["ls", "--tag", "t"])), ("4\n".into(), "b\n".into()));
}

#[test]
fn a_batch_with_a_line_that_is_refused_changes_nothing() {
    let shell = Shell::with_value();
    for broken in [
        json!({ "key": "", "value": 1 }),
        json!({ "key": "b", "value": 1 }),
        json!({ "key": "c", "value": 1, "ttl": "0s" }),
    ] {
        let line = json!({ "batch": [{ "key": "a", "remove": true }, { "key": "b", "value": 1 }, broken] });
        let run = shell.import(&line.to_string(), &["--ack"]);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{run:?}");
        assert!(run.err.starts_with("line 1: "), "{run:?}");
        assert_eq!(shell.done(&["ls"]), "a\n");
    }
    let line = json!({ "batch": [{ "key": "a", "value": 2 }, { "key": "b", "value": 1 }] }).to_string();
    assert_eq!(shell.import(&line, &["--if-absent"]).code, 4);
    assert_eq!(shell.done(&["ls"]), "a\n");
    let removal = shell.import(&json!({ "key": "a", "remove": true }).to_string(), &["--if-absent"]);
    assert!(removal.code == 1 && removal.err.contains("without it"), "{removal:?}");
}
