//! The built `strata` binary, driven as a shell drives it: exit codes, bad input, stores that refuse, transfer, JSON, the tour.

mod analytics;
mod input;
mod serve;
mod sessions;
mod stores;
mod transfer;
mod values;

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
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

    /// The binary, in an environment that says nothing, and where nobody's keyring can be reached.
    fn bare(&self) -> Command {
        let mut command = self.with_keyring();
        command.env("STRATA_NO_KEYRING", "1");
        command
    }

    /// The same, but it looks for a keyring, on a bus that is not there.
    fn with_keyring(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
        command.env_clear().env("HOME", self.0.path()).stdin(Stdio::null());
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", self.at("no-bus").display()));
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
