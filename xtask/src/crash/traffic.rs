//! What is written, and the judge of what is found afterwards.
//!
//! Every value is computed from seed, key and sequence, so any value found can be compared byte for byte with the one that
//! was sent, without keeping them. A key has at most one write on its way: the order of its writes is then certain, though
//! the importer commits many lines at once.

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

/// All keys, and what was sent and acknowledged of each.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    seed: u64,
    keys: Vec<Writes>,
}

/// The writes of one key. Sequences start at 1; the sequence is the place in `sent` plus one.
#[derive(Clone, Debug, Default)]
struct Writes {
    sent: Vec<Promise>,
    /// The newest sequence whose end is known.
    settled: usize,
    /// Whether the newest is on its way.
    waiting: bool,
    /// The smallest sequence that may be found; 0: the key may be absent.
    floor: usize,
}

/// What reading a store back found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) recovered: u64,
    pub(super) lost: u64,
    pub(super) invented: u64,
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
    pub(super) fn new(seed: u64, keys: usize) -> Self {
        Self { seed, keys: vec![Writes::default(); keys] }
    }

    /// The next line for the importer, or None when every key has a write on its way.
    pub(super) fn next_line(&mut self, dice: &mut Dice, promise: Promise) -> Option<String> {
        let start = dice.below(self.keys.len());
        let order = (start..self.keys.len()).chain(0..start);
        let at = order.into_iter().find(|at| !self.keys[*at].waiting)?;
        let writes = &mut self.keys[at];
        writes.sent.push(promise);
        writes.waiting = true;
        let sequence = writes.sent.len();
        let mut line =
            json!({ "key": name(at), "value": self.value(at, sequence), "tags": tags(at), "ttl": LIFETIME });
        if promise == Promise::Relaxed {
            line["durability"] = json!("relaxed");
        }
        Some(line.to_string())
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
        for (at, sequence) in seen.into_iter().enumerate() {
            let writes = &mut self.keys[at];
            if sequence < writes.floor {
                verdict.lose(&format!(
                    "{}: write {} was acknowledged, {sequence} was found",
                    name(at),
                    writes.floor
                ));
            } else if sequence > 0 {
                verdict.recovered += 1;
            }
            writes.floor = sequence;
        }
        verdict
    }

    /// Which write of which key this record is, down to its last byte.
    fn sequence_of(&self, found: &Found) -> Result<(usize, usize), String> {
        let at = place(&found.key).filter(|at| *at < self.keys.len()).ok_or("was never written")?;
        let sequence = found.value["sequence"].as_u64().and_then(|sequence| usize::try_from(sequence).ok());
        let sequence = sequence.filter(|sequence| (1..=self.keys[at].sent.len()).contains(sequence));
        let sequence = sequence.ok_or("holds a sequence that was never sent")?;
        if found.value != self.value(at, sequence) {
            return Err(format!("differs from write {sequence} in its bytes"));
        }
        if found.tags.as_ref().is_some_and(|found| *found != tags(at)) {
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
        let Some(promise) = self.sent.get(self.settled) else { return };
        self.settled += 1;
        if *promise == Promise::Kept {
            self.floor = self.settled;
        }
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

fn tags(at: usize) -> Value {
    json!([format!("t:{}", at % 17)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ledger of one key with that many writes, all acknowledged with the promise.
    fn written(times: usize, promise: Promise) -> Ledger {
        let mut ledger = Ledger::new(7, 1);
        for _ in 0..times {
            ledger.next_line(&mut Dice::new(1), promise).expect("nothing is on its way");
            assert!(ledger.acknowledge("k000000"));
        }
        ledger
    }

    fn found(ledger: &Ledger, sequence: usize) -> Found {
        Found { key: name(0), value: ledger.value(0, sequence), tags: Some(tags(0)) }
    }

    #[test]
    fn a_line_carries_what_the_importer_needs() {
        let mut ledger = Ledger::new(7, 1);
        let line = ledger.next_line(&mut Dice::new(1), Promise::Relaxed).expect("one key is free");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!((&line["key"], &line["tags"]), (&json!("k000000"), &json!(["t:0"])));
        assert_eq!((&line["durability"], &line["value"]), (&json!("relaxed"), &ledger.value(0, 1)));
        assert!(ledger.next_line(&mut Dice::new(1), Promise::Kept).is_none(), "one write per key on its way");
    }

    #[test]
    fn what_was_acknowledged_has_to_be_there() {
        let mut ledger = written(3, Promise::Kept);
        let older = found(&ledger, 2);
        assert!(!ledger.expects_nothing() && Ledger::new(7, 1).expects_nothing());
        assert_eq!(ledger.clone().judge(&[]).lost, 1);
        assert_eq!(ledger.clone().judge(&[older]).lost, 1);
        let newest = found(&ledger, 3);
        assert_eq!(ledger.judge(&[newest]), Verdict { recovered: 1, ..Verdict::default() });
    }

    #[test]
    fn what_was_on_its_way_may_be_there_or_not() {
        let mut ledger = written(1, Promise::Kept);
        ledger.next_line(&mut Dice::new(1), Promise::Kept).expect("the key is free again");
        ledger.writer_is_gone();
        for sequence in [1, 2] {
            let record = found(&ledger, sequence);
            assert_eq!(ledger.clone().judge(&[record]).lost, 0, "{sequence}");
        }
        let record = found(&ledger, 2);
        ledger.judge(&[record]);
        let older = found(&ledger, 1);
        assert_eq!(ledger.judge(&[older]).lost, 1, "once seen, it stays");
    }

    #[test]
    fn a_relaxed_write_may_be_lost_but_not_what_was_kept_before_it() {
        let mut ledger = written(2, Promise::Relaxed);
        assert_eq!(ledger.clone().judge(&[]).lost, 0);
        ledger.next_line(&mut Dice::new(1), Promise::Kept).expect("the key is free");
        assert!(ledger.acknowledge("k000000"));
        ledger.next_line(&mut Dice::new(1), Promise::Relaxed).expect("the key is free");
        assert!(ledger.acknowledge("k000000"));
        let (third, second) = (found(&ledger, 3), found(&ledger, 2));
        assert_eq!(ledger.clone().judge(&[third]).lost, 0);
        assert_eq!(ledger.judge(&[second]).lost, 1);
    }

    #[test]
    fn a_cut_expects_only_what_was_acknowledged_before_it() {
        let before = written(1, Promise::Kept);
        let mut after = before.clone();
        for promise in [Promise::Relaxed, Promise::Kept] {
            after.next_line(&mut Dice::new(1), promise).expect("the key is free");
            assert!(after.acknowledge("k000000"));
        }
        let floor = |count: usize| before.as_of(&after, ["k000000"; 2].into_iter().take(count)).keys[0].floor;
        assert_eq!([floor(0), floor(1), floor(2)], [1, 1, 3]);
        let newest = found(&after, 3);
        assert_eq!(
            before.as_of(&after, [].into_iter()).judge(&[newest]).invented,
            0,
            "sent before the cut or not"
        );
    }

    #[test]
    fn a_write_on_its_way_when_the_writer_died_settles_nothing_later() {
        let mut ledger = written(1, Promise::Kept);
        ledger.next_line(&mut Dice::new(1), Promise::Kept).expect("the key is free");
        ledger.writer_is_gone();
        assert!(!ledger.acknowledge("k000000"));
        ledger.next_line(&mut Dice::new(1), Promise::Kept).expect("the key is free");
        assert!(ledger.acknowledge("k000000"));
        assert_eq!(ledger.keys[0].floor, 3);
    }

    #[test]
    fn what_nobody_sent_is_invented() {
        let mut ledger = written(1, Promise::Kept);
        let good = found(&ledger, 1);
        let mut flipped = good.clone();
        flipped.value["body"] = json!("00");
        let stranger = Found { key: "k000009".to_owned(), ..good.clone() };
        let future = Found { value: ledger.value(0, 2), ..good.clone() };
        let tagless = Found { tags: Some(json!([])), ..good.clone() };
        for bad in [flipped, stranger, future, tagless] {
            assert_eq!(ledger.clone().judge(std::slice::from_ref(&bad)).invented, 1, "{bad:?}");
        }
        assert_eq!(ledger.judge(&[good.clone(), good]).invented, 1);
    }

    #[test]
    fn an_acknowledgement_of_nothing_is_refused() {
        let mut ledger = written(1, Promise::Kept);
        assert!(
            !ledger.acknowledge("k000000") && !ledger.acknowledge("k000001") && !ledger.acknowledge("else")
        );
    }
}
