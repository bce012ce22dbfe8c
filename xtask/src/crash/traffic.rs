//! What is written, and the judge of what is found afterwards.
//!
//! Every value is computed from seed, key and sequence, so any value found can be compared byte for byte with the one that
//! was sent, without keeping them. A key has at most one write on its way: the order of its writes is then certain, though
//! the importer commits many lines at once. Some writes are removals, and some lines are batches, whose writes have to be there
//! together or not at all.

use serde_json::{Value, json};

use super::random::Dice;

/// How long records live: longer than any run of the harness.
const LIFETIME: &str = "48h";

/// What an acknowledgement of a write promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// It is there afterwards.
    Kept,
    /// It may be lost, as if it had never been sent.
    Relaxed,
}

/// What the lines ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mix {
    /// Of a hundred writes, how many remove their key.
    pub(super) removals: usize,
    /// Of a hundred lines, how many are batches of two to five writes.
    pub(super) batches: usize,
}

impl Mix {
    /// All kinds, values most of all.
    pub(super) const FULL: Self = Self { removals: 10, batches: 15 };
}

/// A line for the importer.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    /// How many acknowledgements it brings.
    pub(super) keys: usize,
}

/// All keys, and what was sent and acknowledged of each.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    seed: u64,
    mix: Mix,
    keys: Vec<Writes>,
    /// The batches sent since the store was last read back: place and sequence of each write.
    batches: Vec<Vec<(usize, usize)>>,
}

/// A write that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    promise: Promise,
    removes: bool,
}

/// The writes of one key. Sequences start at 1; the sequence is the place in `sent` plus one.
#[derive(Clone, Debug, Default)]
struct Writes {
    sent: Vec<Sent>,
    /// The newest sequence whose end is known.
    settled: usize,
    /// Whether the newest is on its way.
    waiting: bool,
    /// The smallest sequence that may be found; 0: the key may be absent. If this or a later one is a removal, it may be absent
    /// just so.
    floor: usize,
}

/// What reading a store back found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) recovered: u64,
    pub(super) lost: u64,
    pub(super) invented: u64,
    /// Batches of which a part is there.
    pub(super) torn: u64,
    /// The first few bad ones, in words.
    pub(super) examples: Vec<String>,
}

/// A record as the export prints it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) key: String,
    pub(super) value: Value,
    /// None: the export does not say.
    pub(super) tags: Option<Value>,
}

impl Ledger {
    pub(super) fn new(seed: u64, keys: usize, mix: Mix) -> Self {
        Self { seed, mix, keys: vec![Writes::default(); keys], batches: Vec::new() }
    }

    /// The next line for the importer, or None when every key has a write on its way. The promise is that of a value alone:
    /// removals and batches are always as durable as the importer was told.
    pub(super) fn next_line(&mut self, dice: &mut Dice, promise: Promise) -> Option<Line> {
        let wanted = if dice.percent(self.mix.batches) { 2 + dice.below(4) } else { 1 };
        let promise = if wanted == 1 { promise } else { Promise::Kept };
        let mut writes = Vec::new();
        let mut batch = Vec::new();
        while writes.len() < wanted
            && let Some(at) = self.free(dice)
        {
            let (sequence, write) = self.send(at, promise, dice);
            writes.push(write);
            batch.push((at, sequence));
        }
        let keys = writes.len();
        let text = match wanted {
            1 => writes.pop()?.to_string(),
            _ if keys == 0 => return None,
            _ => json!({ "batch": writes }).to_string(),
        };
        if wanted > 1 {
            self.batches.push(batch);
        }
        Some(Line { text, keys })
    }

    /// A key without a write on its way.
    fn free(&self, dice: &mut Dice) -> Option<usize> {
        let start = dice.below(self.keys.len());
        (start..self.keys.len()).chain(0..start).find(|at| !self.keys[*at].waiting)
    }

    /// Notes a write of that key, and gives its sequence and its line.
    fn send(&mut self, at: usize, promise: Promise, dice: &mut Dice) -> (usize, Value) {
        let removes = dice.percent(self.mix.removals);
        let promise = if removes { Promise::Kept } else { promise };
        let writes = &mut self.keys[at];
        writes.sent.push(Sent { promise, removes });
        writes.waiting = true;
        let sequence = writes.sent.len();
        if removes {
            return (sequence, json!({ "key": name(at), "remove": true }));
        }
        let (value, tags) = (self.value(at, sequence), tags(at, sequence));
        let mut line = json!({ "key": name(at), "value": value, "tags": tags, "ttl": LIFETIME });
        if promise == Promise::Relaxed {
            line["durability"] = json!("relaxed");
        }
        (sequence, line)
    }

    /// Notes that the importer said a key is written. False: nothing of that key was on its way.
    pub(super) fn acknowledge(&mut self, key: &str) -> bool {
        let Some(writes) = place(key).and_then(|at| self.keys.get_mut(at)) else { return false };
        if !writes.waiting {
            return false;
        }
        writes.waiting = false;
        writes.settle_next();
        true
    }

    /// The writer is gone: what was on its way has happened or not, and will not any more.
    pub(super) fn writer_is_gone(&mut self) {
        for writes in &mut self.keys {
            writes.waiting = false;
            writes.settled = writes.sent.len();
        }
    }

    /// What may be expected after only these acknowledgements, of all that were sent since this ledger: `after` is the
    /// same ledger once the writer was gone.
    pub(super) fn as_of<'a>(&self, after: &Self, acknowledged: impl Iterator<Item = &'a str>) -> Self {
        let mut then = self.clone();
        for (writes, later) in then.keys.iter_mut().zip(&after.keys) {
            writes.sent.clone_from(&later.sent);
        }
        then.batches.clone_from(&after.batches);
        for at in acknowledged.filter_map(place) {
            if let Some(writes) = then.keys.get_mut(at) {
                writes.settle_next();
            }
        }
        then
    }

    /// Whether nothing was ever acknowledged, or seen.
    pub(super) fn expects_nothing(&self) -> bool {
        self.keys.iter().all(|writes| writes.floor == 0)
    }

    /// Compares what was found with what may be there. What is found is from then on expected to stay.
    pub(super) fn judge(&mut self, found: &[Found]) -> Verdict {
        let mut verdict = Verdict::default();
        let mut seen: Vec<usize> = vec![0; self.keys.len()];
        for record in found {
            match self.sequence_of(record) {
                Ok((at, _)) if seen[at] != 0 => verdict.invent(&format!("{} is there twice", record.key)),
                Ok((at, sequence)) => seen[at] = sequence,
                Err(why) => verdict.invent(&format!("{} {why}", record.key)),
            }
        }
        self.judge_batches(&seen, &mut verdict);
        for (at, sequence) in seen.into_iter().enumerate() {
            self.keys[at].judge(at, sequence, &mut verdict);
        }
        verdict
    }

    /// Looks for batches that are there in part. What was sent until now is then settled, so none is looked at twice.
    fn judge_batches(&mut self, seen: &[usize], verdict: &mut Verdict) {
        for batch in std::mem::take(&mut self.batches) {
            let happened = |(at, sequence): &(usize, usize)| self.keys[*at].happened(*sequence, seen[*at]);
            let (mut done, mut undone) = (Vec::new(), Vec::new());
            for write in &batch {
                match happened(write) {
                    Some(true) => done.push(write),
                    Some(false) => undone.push(write),
                    None => {}
                }
            }
            if let (Some((at, sequence)), Some((other, without))) = (done.first(), undone.first()) {
                verdict.tear(&format!(
                    "write {sequence} of {} is there, write {without} of {}, committed with it, is not",
                    name(*at),
                    name(*other)
                ));
            }
        }
    }

    /// Which write of which key this record is, down to its last byte.
    fn sequence_of(&self, found: &Found) -> Result<(usize, usize), String> {
        let at = place(&found.key).filter(|at| *at < self.keys.len()).ok_or("was never written")?;
        let sequence = found.value["sequence"].as_u64().and_then(|sequence| usize::try_from(sequence).ok());
        let sequence = sequence.filter(|sequence| (1..=self.keys[at].sent.len()).contains(sequence));
        let sequence = sequence.ok_or("holds a sequence that was never sent")?;
        if self.keys[at].sent[sequence - 1].removes {
            return Err(format!("holds write {sequence}, which was a removal"));
        }
        if found.value != self.value(at, sequence) {
            return Err(format!("differs from write {sequence} in its bytes"));
        }
        if found.tags.as_ref().is_some_and(|found| *found != tags(at, sequence)) {
            return Err("has other tags than were sent".to_owned());
        }
        Ok((at, sequence))
    }

    /// The value of one write: mostly some hundred bytes, at times long enough to be stored in pieces.
    fn value(&self, at: usize, sequence: usize) -> Value {
        let mut dice = Dice::new(self.seed ^ ((at as u64) << 32) ^ sequence as u64);
        let words = if dice.percent(3) { 500 + dice.below(1000) } else { 1 + dice.below(60) };
        let body = (0..words).map(|_| format!("{:016x}", dice.next())).collect::<Vec<_>>().concat();
        json!({ "sequence": sequence, "body": body })
    }
}

impl Writes {
    /// The oldest write that was not settled was acknowledged.
    fn settle_next(&mut self) {
        let Some(sent) = self.sent.get(self.settled) else { return };
        self.settled += 1;
        if sent.promise == Promise::Kept {
            self.floor = self.settled;
        }
    }

    /// The removals that may be the reason why nothing is found.
    fn removals(&self) -> impl Iterator<Item = usize> {
        (self.floor.max(1)..=self.sent.len()).filter(|sequence| self.sent[sequence - 1].removes)
    }

    /// Whether that write took place, by what was found of the key (0: nothing). None: it cannot be told.
    fn happened(&self, sequence: usize, found: usize) -> Option<bool> {
        if found > 0 {
            return Some(found >= sequence);
        }
        let never = (self.floor == 0).then_some(0);
        let (earlier, later): (Vec<usize>, Vec<usize>) =
            never.into_iter().chain(self.removals()).partition(|state| *state < sequence);
        match (earlier.is_empty(), later.is_empty()) {
            (true, false) => Some(true),
            (false, false) => None,
            // With no reason at all the key was lost, and this write with it.
            (_, true) => Some(false),
        }
    }

    /// Compares what was found of the key (0: nothing) with what may be there.
    fn judge(&mut self, at: usize, found: usize, verdict: &mut Verdict) {
        // The latest that explains it: nothing sent until now may be found any more.
        let state = if found == 0 { self.removals().last().unwrap_or(0) } else { found };
        if state < self.floor {
            let what = if self.sent[self.floor - 1].removes { "removal" } else { "write" };
            verdict.lose(&format!("{}: {what} {} was acknowledged, {found} was found", name(at), self.floor));
        } else if found > 0 {
            verdict.recovered += 1;
        }
        self.floor = state;
    }
}

impl Verdict {
    fn lose(&mut self, what: &str) {
        self.lost += 1;
        self.example(format!("lost: {what}"));
    }

    fn invent(&mut self, what: &str) {
        self.invented += 1;
        self.example(format!("invented: {what}"));
    }

    fn tear(&mut self, what: &str) {
        self.torn += 1;
        self.example(format!("torn: {what}"));
    }

    fn example(&mut self, what: String) {
        if self.examples.len() < 3 {
            self.examples.push(what);
        }
    }
}

fn name(at: usize) -> String {
    format!("k{at:06}")
}

fn place(key: &str) -> Option<usize> {
    key.strip_prefix('k').filter(|digits| digits.len() == 6)?.parse().ok()
}

/// One that stays and one that changes with each write, so that index entries come and go.
fn tags(at: usize, sequence: usize) -> Value {
    json!([format!("s:{}", sequence % 5), format!("t:{}", at % 17)])
}

#[cfg(test)]
#[path = "traffic_tests.rs"]
mod tests;
