//! Stores that refuse: foreign, locked, under other keys; keys and where they come from; the tour.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{Run, Shell, lines};

#[test]
fn s36_what_is_no_store_is_left_as_it_is() {
    let shell = Shell::new();
    shell.run(&["ls"]).fails(3, "there is no store");
    assert!(!shell.at("data").exists(), "looking creates nothing");
    std::fs::create_dir(shell.at("data")).expect("folder");
    std::fs::write(shell.at("data/letter.txt"), "dear Ada").expect("write");
    shell.run(&["set", "k", "1"]).fails(1, "data");
    let left: Vec<_> = std::fs::read_dir(shell.at("data")).expect("list").collect();
    assert_eq!(left.len(), 1, "the foreign folder is untouched");
    let kind = Run::of(shell.command().args(["--json", "set", "k", "1"]));
    let error: Value = serde_json::from_str(&kind.err).expect("json");
    assert_eq!(error["error"]["kind"], "Foreign", "{kind:?}");
}

#[test]
fn s36_a_store_that_another_process_has_is_locked() {
    let shell = Shell::with_value();
    let mut child = shell
        .command()
        .args(["import", "--ack"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run");
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "{}", json!({ "key": "b", "value": 1 })).expect("write");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert_eq!(lines.next().expect("an ack").expect("text"), "b", "acknowledged while more may come");
    shell.run(&["ls"]).fails(1, "process");
    drop(stdin);
    assert!(child.wait().expect("wait").success());
    assert_eq!(shell.done(&["ls"]), "a\nb\n");
}

#[test]
fn s30_wrong_and_missing_keys_are_told_apart() {
    let shell = Shell::new();
    let with = |phrase: &str, words: &[&str]| {
        Run::of(
            shell
                .bare()
                .env("STRATA_STORE", shell.store())
                .env("STRATA_PASSPHRASE", phrase)
                .arg("--json")
                .args(words),
        )
    };
    let kind = |run: &Run| serde_json::from_str::<Value>(&run.err).expect("json")["error"]["kind"].clone();
    assert_eq!(with("correct horse battery", &["set", "k", "1"]).code, 0);
    assert_eq!(with("correct horse battery", &["get", "k"]).out, "1\n");
    let wrong = with("incorrect horse battery", &["get", "k"]);
    assert_eq!((wrong.code, kind(&wrong)), (1, json!("WrongKey")), "{wrong:?}");
    assert!(!wrong.err.contains("horse"), "no passphrase is repeated");
    let none = Run::of(shell.command().args(["--json", "get", "k"]));
    assert_eq!((none.code, kind(&none)), (1, json!("MissingKey")), "{none:?}");
    assert!(!shell.at("key").exists(), "no key is made for a store that has one");
    let open =
        Run::of(shell.bare().env("STRATA_STORE", shell.store()).args(["--json", "--plaintext", "get", "k"]));
    assert_eq!((open.code, kind(&open)), (1, json!("MissingKey")), "{open:?}");
}

#[test]
fn a_store_without_encryption_says_so_each_time() {
    let shell = Shell::new();
    let plain = |words: &[&str]| {
        Run::of(shell.bare().env("STRATA_STORE", shell.store()).arg("--plaintext").args(words))
    };
    assert_eq!(plain(&["set", "k", "1"]).code, 0);
    assert_eq!(plain(&["get", "k"]).out, "1\n");
    shell.run(&["get", "k"]).fails(1, "plaintext");
    assert!(plain(&["export"]).out.contains("\"value\":1"));
    plain(&["keyset", "list"]).fails(2, "not encrypted");
}

#[test]
fn keys_come_from_the_environment_or_the_users_folder() {
    let shell = Shell::new();
    let key = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
    let with = |words: &[&str]| {
        Run::of(shell.bare().env("STRATA_STORE", shell.store()).env("STRATA_KEY", key).args(words))
    };
    assert_eq!(with(&["set", "k", "1"]).code, 0);
    assert_eq!(with(&["get", "k"]).out, "1\n");
    let malformed =
        Run::of(shell.bare().env("STRATA_STORE", shell.store()).env("STRATA_KEY", "hunter2").arg("ls"));
    assert_ne!(malformed.code, 0);
    assert!(!malformed.err.contains("hunter2"), "{malformed:?}");

    let auto = |words: &[&str]| {
        Run::of(shell.bare().args(["--store", &format!("sled:{}", shell.at("auto").display())]).args(words))
    };
    let set = auto(&["set", "k", "1"]);
    assert_eq!(set.code, 0);
    assert!(set.err.contains("note: ") && set.err.contains("drawn now"), "{set:?}");
    let again = auto(&["get", "k"]);
    assert_eq!((again.out.as_str(), again.err.as_str()), ("1\n", ""));
}

#[test]
#[cfg(all(unix, not(target_os = "macos")))]
fn without_a_keyring_the_users_folder_keeps_the_keys_and_the_command_says_so() {
    let shell = Shell::new();
    let run = |words: &[&str]| Run::of(shell.with_keyring().env("STRATA_STORE", shell.store()).args(words));
    let set = run(&["set", "k", "1"]);
    assert_eq!(set.code, 0, "{set:?}");
    assert!(set.err.starts_with("note: ") && set.err.contains("(file: "), "{set:?}");
    let key = std::fs::read_dir(shell.at(".local/share/strata/keys")).expect("a folder").count();
    assert_eq!((key, run(&["get", "k"]).out.as_str()), (1, "1\n"));
    let named = Run::of(
        shell.with_keyring().arg("--no-keyring").env("STRATA_STORE", shell.store()).args(["get", "k"]),
    );
    assert_eq!(named.out, "1\n", "{named:?}");
}

#[test]
fn keys_are_rotated_step_by_step() {
    let shell = Shell::with_value();
    let list = || shell.json(&["keyset", "list"]);
    let old = list()[0]["id"].as_str().expect("an id").to_owned();
    let new = shell.json(&["keyset", "add"])[0]["added"].as_str().expect("an id").to_owned();
    shell.done(&["keyset", "promote", &new]);
    shell.run(&["keyset", "retire", &old]).fails(1, "rekey");
    shell.run(&["keyset", "retire", &new]).fails(1, "primary");
    assert_eq!(shell.json(&["keyset", "rekey"])[0]["moved"], 1);
    shell.done(&["keyset", "retire", &old]);
    assert!(list().len() == 1 && list()[0]["primary"] == json!(true) && list()[0]["id"] == json!(new));
    assert_eq!(shell.done(&["get", "a"]), "1\n");
    shell.run(&["keyset", "promote", &old]).fails(1, "not in the keyset");
    assert_eq!(shell.run(&["keyset", "promote", "xyz"]).code, 2);
}

#[test]
fn a_key_that_is_missing_from_the_file_is_named() {
    let shell = Shell::with_value();
    std::fs::copy(shell.at("key"), shell.at("old-key")).expect("copy");
    let old = shell.json(&["keyset", "list"])[0]["id"].as_str().expect("an id").to_owned();
    let new = shell.json(&["keyset", "add"])[0]["added"].as_str().expect("an id").to_owned();
    shell.done(&["keyset", "promote", &new]);
    shell.done(&["set", "b", "2"]);
    std::fs::copy(shell.at("old-key"), shell.at("key")).expect("copy");
    assert_eq!(shell.done(&["get", "a"]), "1\n", "what is under {old} opens");
    let run = shell.run(&["get", "b"]);
    assert!(run.code == 1 && run.err.starts_with("warning: the keys given are not all"), "{run:?}");
    assert!(run.err.lines().all(|line| line.contains(&new)) && run.err.contains("\nerror: "), "{run:?}");
    let check = shell.run(&["check"]);
    assert_eq!(check.code, 1);
    assert!(check.out.contains("problem: ") && check.out.contains(&new), "{check:?}");
    let verdict = check.err.lines().last().expect("a verdict");
    assert!(
        verdict.contains(&format!("bring the one that has {new}")),
        "nobody is told to remove it: {check:?}"
    );
    let warned = Run::of(shell.command().args(["--json", "ls"]));
    let warning: Value = serde_json::from_str(&warned.err).expect("json");
    assert!(warning["warning"]["message"].as_str().is_some_and(|text| text.contains(&new)), "{warned:?}");
    let export = shell.run(&["export"]);
    assert!(export.code == 1 && export.out.lines().count() == 1, "{export:?}");
}

#[test]
fn a_check_whose_reader_leaves_still_says_that_something_is_wrong() {
    let shell = Shell::with_value();
    std::fs::copy(shell.at("key"), shell.at("old-key")).expect("copy");
    let new = shell.json(&["keyset", "add"])[0]["added"].as_str().expect("an id").to_owned();
    shell.done(&["keyset", "promote", &new]);
    // More than is written at once.
    let lines = lines(200, |number| json!({ "key": format!("key-{number:090}"), "value": 1 }));
    assert_eq!(shell.import(&lines, &[]).code, 0);
    std::fs::copy(shell.at("old-key"), shell.at("key")).expect("copy");
    let mut child =
        shell.command().arg("check").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("run");
    drop(child.stdout.take());
    let ended = Run::from(child.wait_with_output().expect("wait"));
    assert!(ended.code == 1 && ended.err.contains("200 problems"), "{ended:?}");
}

#[test]
fn keys_that_cannot_be_used_make_no_store() {
    let shell = Shell::new();
    let refused = |command: &mut Command, says: &str| {
        let run = Run::of(command.args(["set", "a", "1"]));
        assert!(run.code != 0 && run.err.contains(says), "{run:?}");
        assert!(!shell.at("data").exists(), "nothing is left of it");
    };
    let bare = || {
        let mut command = shell.bare();
        command.env("STRATA_STORE", shell.store());
        command
    };
    refused(bare().env("STRATA_KEY", "abc"), "32 bytes");
    std::fs::write(shell.at("bad"), "no key").expect("write");
    std::fs::set_permissions(shell.at("bad"), std::fs::Permissions::from_mode(0o600)).expect("chmod");
    refused(bare().arg("--key-file").arg(shell.at("bad")), "32 bytes");
    refused(bare().arg("--key-file").arg(shell.at("data/key")), "lies in the data folder");
    refused(bare().env("STRATA_PASSPHRASE", "x"), "passphrase");
    refused(bare().env("XDG_DATA_HOME", shell.at("data")), "lies in the data folder");
}

#[test]
fn looking_begins_no_store() {
    let shell = Shell::new();
    // What is left when a store was made and its keys then were not.
    strata::SledConfig::new(shell.at("data")).open().expect("a store without header");
    for words in [&["ls"][..], &["stats"], &["get", "k"], &["rm", "k"], &["check"], &["sweep"]] {
        shell.run(words).fails(3, "there is no store");
        let user = Run::of(shell.bare().env("STRATA_STORE", shell.store()).args(words));
        user.fails(3, "`set`, `import` and `serve` create one");
        Run::of(shell.bare().env("STRATA_STORE", shell.store()).arg("--plaintext").args(words))
            .fails(3, "there is no store");
    }
    assert!(!shell.at("key").exists() && !shell.at(".local").exists(), "no key was drawn");
    shell.done(&["set", "k", "1"]);
    assert_eq!(shell.done(&["get", "k"]), "1\n", "the first to write decided about the keys");
}

#[test]
fn a_missing_folder_and_an_empty_one_are_told_alike() {
    let shell = Shell::new();
    let missing = shell.run(&["ls"]);
    std::fs::create_dir(shell.at("data")).expect("folder");
    let empty = shell.run(&["ls"]);
    missing.fails(3, "there is no store");
    assert_eq!((empty.code, empty.err), (missing.code, missing.err));
}

#[test]
fn the_tour_holds_from_end_to_end() {
    let shell = Shell::new();
    let tour = Run::of(shell.bare().arg("tour"));
    assert_eq!(tour.code, 0, "{tour:?}");
    assert!(tour.out.lines().count() >= 17 && tour.out.contains("✓ kill -9") && !tour.out.contains('✗'));
    let told = Run::of(shell.bare().args(["--json", "tour"]));
    let steps: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let (end, steps) = steps.split_last().expect("steps");
    assert!(steps.iter().all(|step| step["held"] == json!(true)), "{steps:?}");
    assert_eq!(end["steps"], json!(steps.len()));
}
