//! The built `strata` binary, driven as a shell drives it: exit codes, bad input, stores that refuse, transfer, JSON, the tour.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with a store, and a user without a home of their own.
struct Shell(TempDir);

impl Shell {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// With one value, `a` = 1.
    fn with_value() -> Self {
        let shell = Self::new();
        shell.done(&["set", "a", "1"]);
        shell
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn store(&self) -> String {
        format!("sled:{}", self.at("data").display())
    }

    /// The binary, in an environment that says nothing.
    fn bare(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
        command.env_clear().env("HOME", self.0.path()).stdin(Stdio::null());
        command
    }

    /// The binary on this store with its key file.
    fn command(&self) -> Command {
        let mut command = self.bare();
        command.env("STRATA_STORE", self.store()).arg("--key-file").arg(self.at("key"));
        command
    }

    fn run(&self, words: &[&str]) -> Run {
        Run::of(self.command().args(words))
    }

    /// Runs what has to succeed, and gives what it printed.
    fn done(&self, words: &[&str]) -> String {
        let run = self.run(words);
        assert_eq!(run.code, 0, "{words:?}: {run:?}");
        run.out
    }

    /// The same with `--json`, every line read.
    fn json(&self, words: &[&str]) -> Vec<Value> {
        let run = Run::of(self.command().arg("--json").args(words));
        assert_eq!(run.code, 0, "{words:?}: {run:?}");
        run.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Imports lines, and gives how it ended.
    fn import(&self, lines: &str, words: &[&str]) -> Run {
        std::fs::write(self.at("lines"), lines).expect("write");
        let file = self.at("lines").display().to_string();
        self.run(&[&["import", &file], words].concat())
    }
}

/// How a run ended.
#[derive(Debug)]
struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn of(command: &mut Command) -> Self {
        Self::from(command.output().expect("run"))
    }

    /// Asserts the exit code and that standard error is one line that says something.
    fn fails(&self, code: i32, says: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains(says), "{says:?} in {self:?}");
        assert!(self.err.starts_with("error: ") && !self.err.contains("panicked"), "{self:?}");
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("ended by itself"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// Import lines, one for each number.
fn lines(count: u32, line: impl Fn(u32) -> Value) -> String {
    (0..count).map(|number| line(number).to_string()).collect::<Vec<_>>().join("\n")
}

/// A value of `len` bytes.
fn long(len: usize) -> String {
    "x".repeat(len)
}

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
fn bad_names_and_values_are_usage_errors_or_too_large() {
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
    for words in
        [vec![OsStr::new("get"), bytes], vec![OsStr::new("set"), OsStr::new("k"), bytes], vec![bytes]]
    {
        let output = shell.command().args(words).output().expect("run");
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.starts_with("error: ") && !said.contains("panicked"), "{said}");
    }
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
fn exports_come_back_sealed_and_readable() {
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
    shell.run(&["import", "/no/such/file"]).fails(1, "can't open the file");
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
fn keys_are_rotated_step_by_step() {
    let shell = Shell::with_value();
    let list = || shell.json(&["keyset", "list"]);
    let old = list()[0]["id"].as_str().expect("an id").to_owned();
    let new = shell.json(&["keyset", "add"])[0]["added"].as_str().expect("an id").to_owned();
    shell.done(&["keyset", "promote", &new]);
    shell.run(&["keyset", "retire", &old]).fails(2, "rekey");
    shell.run(&["keyset", "retire", &new]).fails(2, "primary");
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
    run.fails(1, &new);
    let check = shell.run(&["check"]);
    assert_eq!(check.code, 1);
    assert!(check.out.contains("problem: ") && check.out.contains(&new), "{check:?}");
    let export = shell.run(&["export"]);
    assert!(export.code == 1 && export.out.lines().count() == 1, "{export:?}");
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

/// Ends a child that was started here.
fn end(child: &mut Child) {
    child.kill().expect("kill");
    child.wait().expect("wait");
}

/// The store through the library, as another program would use it.
fn library<T>(shell: &Shell, work: impl AsyncFnOnce(&strata::Strata) -> T) -> T {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    runtime.block_on(async {
        let keys = strata::Keys::file(shell.at("key"));
        let db =
            strata::builder().sled(shell.at("data")).keys(keys).without_sweeper().open().await.expect("open");
        let done = work(&db).await;
        db.close().await.expect("close");
        done
    })
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
