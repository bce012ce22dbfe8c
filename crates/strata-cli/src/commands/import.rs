//! `import`: records from lines of JSON, many commits at once, each key's in their order.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde_json::json;
use strata::{Durability, Error, ErrorKind, Guard, Handle, Imported, Lifetime, Set, Strata};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::args::Import;
use crate::failure::Failure;
use crate::line::{Job, Line, Record};
use crate::output::Out;
use crate::progress::Progress;

/// How many commits are under way at once: enough to share a barrier.
const PIPELINE: usize = 64;
/// The longest line, in bytes: several times what the longest value takes.
const MAX_LINE: u64 = 2 << 20;

/// A line of the input: its number, counted from one, and its text or why it has none.
type Read1 = (u64, Result<Vec<u8>, Error>);

/// What is imported. Opened before the store, so that a mistyped name makes none.
pub(crate) struct Input(Box<dyn Read + Send>);

impl Input {
    /// That file; standard input if none is named.
    pub(crate) fn open(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = file else { return Ok(Self(Box::new(io::stdin()))) };
        let failed = |error| Failure::File(path.to_owned(), error);
        let file = File::open(path).map_err(failed)?;
        // Opening a folder works; reading it does not.
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self(Box::new(file)))
    }
}

impl Default for Input {
    /// Nothing.
    fn default() -> Self {
        Self(Box::new(io::empty()))
    }
}

/// Imports every line that can be. The others are told on standard error, and the exit code is 1 (4 when all of them only
/// existed already).
pub(crate) async fn import(db: &Strata, import: &Import, input: Input, out: &mut Out) -> Result<(), Failure> {
    let lines = read(input);
    let guard = if import.if_absent { Guard::Absent } else { Guard::Any };
    let mut importer = Importer {
        handle: db.handle().clone(),
        guard,
        ack: import.ack,
        under_way: JoinSet::new(),
        keys: HashSet::new(),
        tally: Tally::default(),
        progress: Progress::counting("lines imported", None),
    };
    importer.run(lines, out).await?;
    importer.tally.tell(import.ack, out)
}

/// Reads lines on a thread of their own, so that waiting for input never keeps a finished commit from being told.
fn read(Input(input): Input) -> mpsc::Receiver<Read1> {
    let (sender, receiver) = mpsc::channel(PIPELINE);
    std::thread::spawn(move || {
        let mut input = BufReader::new(input);
        for number in 1.. {
            let line = match read_line(&mut input) {
                Ok(None) => return,
                Ok(Some(line)) => Ok(line),
                Err(error) => Err(error),
            };
            let last = matches!(&line, Err(error) if error.kind() == ErrorKind::Unavailable);
            // Nobody listens any more when the import has failed.
            if sender.blocking_send((number, line)).is_err() || last {
                return;
            }
        }
    });
    receiver
}

/// The next line without its end. One that is too long is read to its end and refused.
fn read_line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, Error> {
    let failed =
        |error: io::Error| Error::new(ErrorKind::Unavailable, "read line", "the input failed").because(error);
    let mut line = Vec::new();
    let read = input.take(MAX_LINE).read_until(b'\n', &mut line).map_err(failed)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if read as u64 == MAX_LINE && input.skip_until(b'\n').map_err(failed)? > 0 {
        let message = format!("the line has over {MAX_LINE} bytes; no value is that long");
        return Err(Error::new(ErrorKind::TooLarge, "read line", message));
    }
    Ok(Some(line))
}

/// What became of the lines.
#[derive(Debug, Default)]
struct Tally {
    lines: u64,
    imported: u64,
    expired: u64,
    existing: u64,
    broken: u64,
}

/// A commit that has ended: the number of its line, its keys, and whether they had not expired already.
type Ended = (u64, Vec<String>, Result<bool, Error>);

/// An import under way.
struct Importer {
    handle: Handle,
    guard: Guard,
    ack: bool,
    under_way: JoinSet<Ended>,
    /// The keys of commits under way: a second line of the same key waits for the first.
    keys: HashSet<String>,
    tally: Tally,
    progress: Progress,
}

impl Importer {
    async fn run(&mut self, mut lines: mpsc::Receiver<Read1>, out: &mut Out) -> Result<(), Failure> {
        let mut open = true;
        let mut waiting: Option<(u64, Vec<String>, Job)> = None;
        while open || waiting.is_some() || !self.under_way.is_empty() {
            let free = |keys: &[String]| keys.iter().all(|key| !self.keys.contains(key));
            if let Some((number, keys, job)) = waiting.take_if(|(_, keys, _)| free(keys)) {
                self.start(number, keys, job);
                continue;
            }
            let room = open && waiting.is_none() && self.under_way.len() < PIPELINE;
            tokio::select! {
                Some(done) = self.under_way.join_next() => {
                    let done = done.map_err(|error| Failure::Bad(format!("a commit was lost: {error}")))?;
                    self.finish(done, out)?;
                }
                line = lines.recv(), if room => match line {
                    Some((number, line)) => waiting = self.accept(number, line, out),
                    None => open = false,
                },
            }
        }
        Ok(())
    }

    /// Reads a line. Empty ones are passed over.
    fn accept(
        &mut self,
        number: u64,
        line: Result<Vec<u8>, Error>,
        out: &Out,
    ) -> Option<(u64, Vec<String>, Job)> {
        if line.as_ref().is_ok_and(|line| line.trim_ascii().is_empty()) {
            return None;
        }
        self.tally.lines += 1;
        match line.and_then(|line| Line::parse(&line)?.job()) {
            Ok(job) => Some((number, job.keys(), job)),
            Err(error) => {
                self.refuse(number, &error, out);
                None
            }
        }
    }

    fn start(&mut self, number: u64, keys: Vec<String>, job: Job) {
        self.keys.extend(keys.iter().cloned());
        let (handle, guard) = (self.handle.clone(), self.guard);
        self.under_way.spawn(async move {
            let stored = match job {
                Job::One(key, record) => store(&handle, guard, &key, record).await,
                Job::Batch(members) => commit(&handle, guard, members).await,
            };
            (number, keys, stored)
        });
    }

    fn finish(&mut self, (number, keys, stored): Ended, out: &mut Out) -> Result<(), Failure> {
        for key in &keys {
            self.keys.remove(key);
        }
        self.progress.step();
        match stored {
            Ok(true) => {
                self.tally.imported += 1;
                self.acknowledge(&keys, out)
            }
            Ok(false) => {
                self.tally.expired += 1;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Conflict && self.guard == Guard::Absent => {
                self.tally.existing += 1;
                tell(number, &error, out);
                Ok(())
            }
            // After these nothing more can be stored.
            Err(error)
                if matches!(error.kind(), ErrorKind::Poisoned | ErrorKind::ReadOnly | ErrorKind::Full) =>
            {
                Err(error.into())
            }
            Err(error) => {
                self.refuse(number, &error, out);
                Ok(())
            }
        }
    }

    /// Tells, at once, that the commit of these keys is durable.
    fn acknowledge(&self, keys: &[String], out: &mut Out) -> Result<(), Failure> {
        if !self.ack {
            return Ok(());
        }
        let mut tell = || {
            keys.iter().try_for_each(|key| out.either(&json!({ "ack": key }), key))?;
            out.flush()
        };
        // The reader has left in the middle of an import: that is not "done".
        tell().map_err(Failure::amid)
    }

    fn refuse(&mut self, number: u64, error: &Error, out: &Out) {
        self.tally.broken += 1;
        tell(number, error, out);
    }
}

/// Makes one change. False: it had expired already.
async fn store(handle: &Handle, guard: Guard, key: &str, record: Record) -> Result<bool, Error> {
    match record {
        Record::Exported(exported) => {
            handle.import(&exported, guard).await.map(|imported| matches!(imported, Imported::Stored(_)))
        }
        Record::Remove => {
            check_removes(guard)?;
            handle.remove(key).await.map(|_| true)
        }
        Record::Value { value, life, tags, durability } => {
            save(handle, guard, key, &value, life, tags.as_deref(), durability).await.map(|_| true)
        }
    }
}

/// Makes several changes in one commit.
async fn commit(handle: &Handle, guard: Guard, members: Vec<(String, Record)>) -> Result<bool, Error> {
    let mut writes = handle.writes();
    for (key, record) in members {
        writes = match record {
            Record::Value { value, life, tags, durability } => {
                writes.stage(save(handle, guard, &key, &value, life, tags.as_deref(), durability))
            }
            // Reading the line has refused exported records.
            Record::Remove | Record::Exported(_) => {
                check_removes(guard)?;
                writes.stage(handle.removal(&key))
            }
        };
    }
    writes.commit().await.map(|_| true)
}

fn check_removes(guard: Guard) -> Result<(), Error> {
    if guard == Guard::Any {
        return Ok(());
    }
    let message = "`--if-absent` leaves what exists, so nothing can be removed; import removals without it";
    Err(Error::new(ErrorKind::Invalid, "import", message))
}

/// A person's line on its way.
fn save<'h>(
    handle: &'h Handle,
    guard: Guard,
    key: &str,
    value: &serde_json::Value,
    life: Option<Lifetime>,
    tags: Option<&[String]>,
    durability: Option<Durability>,
) -> Set<'h> {
    let mut save = handle.set_as(strata::Codec::Json, key, value);
    if guard == Guard::Absent {
        save = save.if_absent();
    }
    if let Some(life) = life {
        save = save.lifetime(life);
    }
    if let Some(durability) = durability {
        save = save.durability(durability);
    }
    if tags.is_some_and(<[String]>::is_empty) {
        save = save.untagged();
    }
    for tag in tags.unwrap_or_default() {
        save = save.tag(tag);
    }
    save
}

/// Names a line that was not imported, on standard error.
fn tell(number: u64, error: &Error, out: &Out) {
    use std::io::Write as _;
    let text = if out.json {
        let kind = error.kind().to_string();
        json!({ "error": { "line": number, "kind": kind, "message": error.to_string() } }).to_string()
    } else {
        format!("line {number}: {error}")
    };
    // Nobody to tell if standard error is closed.
    let _ = writeln!(io::stderr(), "{text}");
}

impl Tally {
    /// Prints the counts (not among acknowledgements) and says how the import ended.
    fn tell(&self, ack: bool, out: &mut Out) -> Result<(), Failure> {
        let printed = self.print(ack, out);
        let Self { lines, existing, broken, .. } = self;
        match (broken, existing) {
            (0, 0) => printed,
            (0, existing) => {
                Err(Failure::Conflict(format!("{existing} of {lines} lines not imported: they exist")))
            }
            (broken, existing) => {
                Err(Failure::Bad(format!("{} of {lines} lines not imported", broken + existing)))
            }
        }
    }

    fn print(&self, ack: bool, out: &mut Out) -> Result<(), Failure> {
        let Self { lines, imported, expired, existing, broken } = self;
        if ack {
            return Ok(());
        }
        let object = json!({
            "lines": lines, "imported": imported, "expired": expired, "existing": existing, "broken": broken,
        });
        let dead = if *expired > 0 { format!(", {expired} had expired") } else { String::new() };
        out.either(&object, format!("imported {imported} of {lines}{dead}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_line_breaks_and_at_the_end() {
        let mut input = io::Cursor::new(b"one\n\ntwo".to_vec());
        let mut lines = Vec::new();
        while let Some(line) = read_line(&mut input).expect("a line") {
            lines.push(line);
        }
        assert_eq!(lines, [b"one".to_vec(), Vec::new(), b"two".to_vec()]);
    }

    #[test]
    fn s38_a_line_that_is_too_long_is_refused_and_the_next_is_read() {
        let mut text = vec![b'x'; usize::try_from(MAX_LINE).expect("small") + 10];
        text.extend_from_slice(b"\nnext\n");
        let mut input = io::Cursor::new(text);
        assert_eq!(read_line(&mut input).expect_err("long").kind(), ErrorKind::TooLarge);
        assert_eq!(read_line(&mut input).expect("a line"), Some(b"next".to_vec()));
        assert_eq!(read_line(&mut input).expect("the end"), None);
    }
}
