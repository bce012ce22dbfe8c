//! Whether the judge tells what was lost, invented or torn from what may be.

use super::*;

const VALUES: Mix = Mix { removals: 0, batches: 0 };

/// A ledger of one key with that many writes, all acknowledged with the promise.
fn written(times: usize, promise: Promise) -> Ledger {
    let mut ledger = Ledger::new(7, 1, VALUES);
    for _ in 0..times {
        ledger.next_line(&mut Dice::new(1), promise).expect("nothing is on its way");
        assert!(ledger.acknowledge("k000000"));
    }
    ledger
}

fn found(ledger: &Ledger, sequence: usize) -> Found {
    found_of(ledger, 0, sequence)
}

fn found_of(ledger: &Ledger, at: usize, sequence: usize) -> Found {
    Found { key: name(at), value: ledger.value(at, sequence), tags: Some(tags(at, sequence)) }
}

#[test]
fn a_line_carries_what_the_importer_needs() {
    let mut ledger = Ledger::new(7, 1, VALUES);
    let line = ledger.next_line(&mut Dice::new(1), Promise::Relaxed).expect("one key is free");
    assert_eq!(line.keys, 1);
    let line: Value = serde_json::from_str(&line.text).expect("JSON");
    assert_eq!((&line["key"], &line["tags"]), (&json!("k000000"), &json!(["s:1", "t:0"])));
    assert_eq!((&line["durability"], &line["value"]), (&json!("relaxed"), &ledger.value(0, 1)));
    assert!(ledger.next_line(&mut Dice::new(1), Promise::Kept).is_none(), "one write per key on its way");
}

#[test]
fn what_was_acknowledged_has_to_be_there() {
    let mut ledger = written(3, Promise::Kept);
    let older = found(&ledger, 2);
    assert!(!ledger.expects_nothing() && Ledger::new(7, 1, VALUES).expects_nothing());
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
    let stale = Found { tags: Some(tags(0, 2)), ..good.clone() };
    for bad in [flipped, stranger, future, tagless, stale] {
        assert_eq!(ledger.clone().judge(std::slice::from_ref(&bad)).invented, 1, "{bad:?}");
    }
    assert_eq!(ledger.judge(&[good.clone(), good]).invented, 1);
}

/// Sends one line of that mix and acknowledges its writes.
fn send(ledger: &mut Ledger, mix: Mix, acknowledge: bool) {
    ledger.mix = mix;
    let line = ledger.next_line(&mut Dice::new(1), Promise::Kept).expect("a key is free");
    for at in 0..ledger.keys.len() {
        if acknowledge && ledger.keys[at].waiting {
            assert!(ledger.acknowledge(&name(at)), "{}", line.text);
        }
    }
}

const REMOVAL: Mix = Mix { removals: 100, batches: 0 };
const BATCH: Mix = Mix { removals: 0, batches: 100 };

#[test]
fn an_acknowledged_removal_stays_unless_the_key_is_set_later() {
    let mut ledger = written(1, Promise::Kept);
    let first = found(&ledger, 1);
    send(&mut ledger, REMOVAL, true);
    assert_eq!(ledger.clone().judge(&[]), Verdict::default());
    assert_eq!(ledger.clone().judge(std::slice::from_ref(&first)).lost, 1, "it came back");
    let mut holds_removal = first.clone();
    holds_removal.value = ledger.value(0, 2);
    assert_eq!(ledger.clone().judge(&[holds_removal]).invented, 1);
    send(&mut ledger, VALUES, true);
    let third = found(&ledger, 3);
    assert_eq!(ledger.clone().judge(&[third]).recovered, 1);
    assert_eq!(ledger.judge(&[]).lost, 1, "set after the removal, and lost");
}

#[test]
fn a_removal_on_its_way_may_have_happened_and_then_stays() {
    let mut ledger = written(1, Promise::Kept);
    let first = found(&ledger, 1);
    send(&mut ledger, REMOVAL, false);
    ledger.writer_is_gone();
    assert_eq!(ledger.clone().judge(std::slice::from_ref(&first)).recovered, 1);
    assert_eq!(ledger.judge(&[]), Verdict::default());
    assert_eq!(ledger.judge(&[first]).lost, 1, "seen to be removed, it stays removed");
}

#[test]
fn a_batch_is_there_whole_or_not_at_all() {
    let mut ledger = Ledger::new(7, 2, BATCH);
    send(&mut ledger, BATCH, false);
    ledger.writer_is_gone();
    let both = [found_of(&ledger, 0, 1), found_of(&ledger, 1, 1)];
    assert_eq!(ledger.clone().judge(&[]), Verdict::default());
    assert_eq!(ledger.clone().judge(&both), Verdict { recovered: 2, ..Verdict::default() });
    for one in &both {
        let verdict = ledger.clone().judge(std::slice::from_ref(one));
        assert_eq!((verdict.torn, verdict.lost), (1, 0), "{:?}", verdict.examples);
    }
}

#[test]
fn a_batch_of_removals_is_torn_where_a_key_is_left() {
    let mut ledger = Ledger::new(7, 2, BATCH);
    send(&mut ledger, BATCH, true);
    let both = [found_of(&ledger, 0, 1), found_of(&ledger, 1, 1)];
    ledger.judge(&both);
    send(&mut ledger, Mix { removals: 100, batches: 100 }, false);
    ledger.writer_is_gone();
    assert_eq!(ledger.clone().judge(&both).torn, 0);
    assert_eq!(ledger.clone().judge(&[]).torn, 0);
    assert_eq!(ledger.clone().judge(&both[..1]).torn, 1);
}

#[test]
fn a_batch_that_never_happened_is_no_tear_when_a_key_is_written_later() {
    let mut ledger = Ledger::new(7, 2, BATCH);
    send(&mut ledger, BATCH, false);
    ledger.writer_is_gone();
    assert_eq!(ledger.judge(&[]), Verdict::default());
    send(&mut ledger, VALUES, true);
    let at = usize::from(ledger.keys[0].sent.len() < 2);
    let later = found_of(&ledger, at, 2);
    assert_eq!(ledger.judge(&[later]), Verdict { recovered: 1, ..Verdict::default() });
}

#[test]
fn all_kinds_of_lines_are_sent() {
    let (mut ledger, mut dice) = (Ledger::new(7, 300, Mix::FULL), Dice::new(3));
    let texts: Vec<Line> = std::iter::from_fn(|| ledger.next_line(&mut dice, Promise::Relaxed)).collect();
    assert_eq!(texts.iter().map(|line| line.keys).sum::<usize>(), 300);
    let count = |what: &str| texts.iter().filter(|line| line.text.contains(what)).count();
    assert!(count("\"batch\"") > 10 && count("\"remove\"") > 10 && count("relaxed") > 10);
    assert!(texts.iter().all(|line| line.keys == 1 || !line.text.contains("relaxed")));
}

#[test]
fn an_acknowledgement_of_nothing_is_refused() {
    let mut ledger = written(1, Promise::Kept);
    assert!(!ledger.acknowledge("k000000") && !ledger.acknowledge("k000001") && !ledger.acknowledge("else"));
}
