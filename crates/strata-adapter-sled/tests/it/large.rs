//! Values that do not fit one entry, tags that do not fit a note, batches that do not fit a piece.

use strata_core::{Expiry, Guard, KeyPrefix, Op, Payload, Select, Write};

use super::{assert_clean, at, done, folder, get, idle, key, op, open, put, walk};

fn bytes(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|index| u8::try_from(index % 251).expect("under 251") ^ seed).collect()
}

#[test]
fn large_values_come_back_and_leave_nothing_behind() {
    let folder = folder();
    let store = open(folder.path());
    for len in [5_900, 5_928, 5_929, 6_000, 6_001, 12_000, 12_001, 1 << 20] {
        done(&store, [put("a", &bytes(len, 1), idle(60, 0), &["t"])]);
        assert_eq!(get(&store, "a").expect("there").payload, Payload::from(bytes(len, 1)), "{len} bytes");
        assert_clean(&store);
    }
    let version = get(&store, "a").expect("there").version;
    done(
        &store,
        [Op { key: key("a"), guard: Guard::Version(version), write: Write::Expire(Expiry::at(at(9))) }],
    );
    let record = get(&store, "a").expect("there");
    assert_eq!((record.payload.len(), record.expiry), (1 << 20, Expiry::at(at(9))));
    assert_eq!(store.check().expect("readable").chunks, (1_u64 << 20).div_ceil(6_000));

    done(&store, [put("a", b"small", Expiry::NEVER, &[])]);
    assert_eq!(store.check().expect("readable").chunks, 0);
    done(
        &store,
        [put("a", &bytes(20_000, 2), Expiry::NEVER, &[]), put("b", &bytes(20_000, 3), Expiry::NEVER, &[])],
    );
    assert_eq!(walk(&store, &Select::Prefix(KeyPrefix::all()), 1), ["a", "b"]);
    assert_eq!(get(&store, "b").expect("there").payload, Payload::from(bytes(20_000, 3)));
    done(&store, [op("a", Write::Remove), op("b", Write::Remove)]);
    let check = store.check().expect("readable");
    assert_eq!((check.records, check.chunks, check.is_clean()), (0, 0, true));
}

#[test]
fn a_large_value_can_slide() {
    let folder = folder();
    let store = open(folder.path());
    done(&store, [put("a", &bytes(20_000, 1), idle(60, 0), &[])]);
    done(&store, [op("a", Write::Slide(at(500)))]);
    let record = get(&store, "a").expect("there");
    assert_eq!(record.payload, Payload::from(bytes(20_000, 1)));
    assert_eq!(record.expiry.deadline(), Some(at(500)));
    assert_clean(&store);
}

#[test]
fn the_longest_tags_and_the_widest_batch_fit() {
    let folder = folder();
    let store = open(folder.path());
    let tags =
        |seed: char| -> Vec<String> { (0..32).map(|number| format!("{seed}{number:0>127}")).collect() };
    for seed in ['a', 'b'] {
        let tags = tags(seed);
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        done(&store, [put("tagged", &bytes(5_000, 1), idle(60, 0), &tags)]);
        assert_eq!(walk(&store, &super::tag(tags[31]), 10), ["tagged"]);
        assert_clean(&store);
    }
    let names: Vec<String> = (0..1024).map(|number| format!("{number:0>500}")).collect();
    done(&store, names.iter().map(|name| put(name, &bytes(700, 1), idle(60, 0), &["t"])));
    assert_eq!(walk(&store, &super::tag("t"), 1000).len(), 1024);
    assert_clean(&store);
    done(&store, names.iter().map(|name| op(name, Write::Remove)));
    assert_eq!(store.check().expect("readable").records, 1);
    assert_clean(&store);
}
