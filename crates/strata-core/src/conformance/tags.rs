//! Tags: the index says what records say, through replacement, keeping, death and removal.

use crate::batch::{Guard, Keep, Write};
use crate::error::ErrorKind;
use crate::expiry::Expiry;
use crate::key::{Key, Tag, Tags};
use crate::scan::Select;
use crate::store::Store;

use super::space::{Space, any, at, op, payload, put, put_with, tags as set};

/// A tag finds the records that carry it, all of them and no others, in key order.
pub async fn tags(store: &dyn Store) {
    let space = Space::new(store, "tags");
    through_a_life(&space).await;
    dead_records(&space).await;
    look_alikes(&space).await;
    full_sets(&space).await;
    if space.lists() {
        order(&space).await;
    }
}

fn retag(tags: Tags) -> Write {
    Write::Put { payload: payload("retagged"), expiry: Keep::Keep, tags: Keep::Set(tags) }
}

async fn through_a_life(space: &Space<'_>) {
    let key = space.key("life");
    let (a, b, c) = (space.tag("a"), space.tag("b"), space.tag("c"));
    let steps = [
        ("set", put_with("tagged", Expiry::NEVER, set(&[&a, &b])), set(&[&a, &b])),
        ("kept", put("kept"), set(&[&a, &b])),
        ("replaced", retag(set(&[&b, &c])), set(&[&b, &c])),
        ("kept by a new expiry", Write::Expire(Expiry::at(at(50))), set(&[&b, &c])),
        ("dropped", retag(Tags::none()), Tags::none()),
        ("set again", retag(set(&[&a])), set(&[&a])),
    ];
    for (what, write, wanted) in steps {
        space.write(at(0), &key, write).await;
        let record = space.found(&key).await;
        assert_eq!(record.tags, wanted, "tags {what}");
        space.agrees(what, &key, Some(&record), &[&a, &b, &c]).await;
    }
    let record = space.found(&key).await;
    let wrong = vec![op(&key, Guard::Absent, retag(set(&[&b])))];
    space.refused("a guarded change of tags", at(1), wrong, ErrorKind::Conflict).await;
    space.agrees("after a refused change of tags", &key, Some(&record), &[&a, &b, &c]).await;
    space.apply(at(2), any(&key, Write::Remove)).await;
    space.agrees("after a removal", &key, None, &[&a, &b, &c]).await;
    space.write(at(3), &key, put("again")).await;
    let record = space.found(&key).await;
    assert!(record.tags.is_empty(), "a new life has no tags of an earlier one");
    space.agrees("in a new life", &key, Some(&record), &[&a, &b, &c]).await;
}

/// A dead record is still found by its tags; whoever replaces it inherits none.
async fn dead_records(space: &Space<'_>) {
    let (key, tag) = (space.key("dead"), space.tag("dead"));
    space.write(at(0), &key, put_with("dead", Expiry::at(at(5)), set(&[&tag]))).await;
    let record = space.found(&key).await;
    space.apply(at(9), any(&key, Write::Check)).await;
    space.agrees("dead and not removed", &key, Some(&record), &[&tag]).await;
    space.write(at(9), &key, put("reborn")).await;
    let reborn = space.found(&key).await;
    assert!(
        reborn.tags.is_empty() && reborn.expiry == Expiry::NEVER,
        "a dead record's metadata was inherited"
    );
    assert_eq!(reborn.created, at(9), "a dead record's age was inherited");
    space.agrees("replaced after death", &key, Some(&reborn), &[&tag]).await;
}

/// Tags and keys that an index which glues them together, with a separator or none, could take for one another.
async fn look_alikes(space: &Space<'_>) {
    for (number, glue) in ["", ":", "/", "|", "%", "~", "é"].into_iter().enumerate() {
        let inner = space.text(&format!("inner{number}"));
        let short = space.key(&format!("alike{number}"));
        let long = Key::new(&[&inner, glue, short.as_str()].concat()).expect("a valid name");
        let tag = space.tag(&format!("glued{number}"));
        let longer = Tag::new(&[tag.as_str(), glue, &inner].concat()).expect("a valid tag");
        space.write(at(0), &long, put_with("alike", Expiry::NEVER, set(&[&tag]))).await;
        space.write(at(0), &short, put_with("alike", Expiry::NEVER, set(&[&longer]))).await;
        let kept = space.found(&long).await;
        space.agrees("beside a look-alike", &long, Some(&kept), &[&tag, &longer]).await;
        let record = space.found(&short).await;
        space.agrees("beside a look-alike", &short, Some(&record), &[&tag, &longer]).await;
        space.apply(at(1), any(&short, Write::Remove)).await;
        space.agrees("after a look-alike was removed", &long, Some(&kept), &[&tag, &longer]).await;
    }
    if space.lists() {
        assert_eq!(space.keys(Select::Tag(space.tag("glued"))).await, [], "half a tag finds nothing");
    }
}

/// 32 tags of 128 bytes.
async fn full_sets(space: &Space<'_>) {
    let key = space.key("full");
    let full: Vec<Tag> = (0..Tags::MAX_COUNT)
        .map(|number| Tag::new(&format!("{:x<128}", space.text(&format!("full{number:02}")))))
        .collect::<Result<_, _>>()
        .expect("128 bytes are allowed");
    let all: Vec<&Tag> = full.iter().collect();
    space.write(at(0), &key, put_with("full", Expiry::NEVER, set(&all))).await;
    let record = space.found(&key).await;
    assert_eq!(record.tags.as_slice().len(), Tags::MAX_COUNT, "32 tags come back");
    space.agrees("with 32 tags of 128 bytes", &key, Some(&record), &all).await;
    space.write(at(1), &key, retag(set(&all[..1]))).await;
    let record = space.found(&key).await;
    space.agrees("after 31 of them were dropped", &key, Some(&record), &all).await;
}

async fn order(space: &Space<'_>) {
    let tag = space.tag("order");
    let mut keys: Vec<Key> = ["b", "a", "c:d", "c", "C", "é", "zz", "z"]
        .iter()
        .map(|name| space.key(&format!("order:{name}")))
        .collect();
    for key in &keys {
        space.write(at(0), key, put_with("order", Expiry::NEVER, set(&[&tag]))).await;
    }
    keys.sort();
    for limit in [1, 2, 3, 8, 100] {
        let walked = space.walk(Select::Tag(tag.clone()), limit).await;
        let walked: Vec<Key> = walked.into_iter().map(|(key, _)| key).collect();
        assert_eq!(walked, keys, "a walk by tag, {limit} at a time, is in key order");
    }
}
