//! Limits: what just fits is taken, what is one over is refused whole, and every name that can be formed can be stored.

use crate::batch::{Keep, Op, Write};
use crate::error::ErrorKind;
use crate::key::Key;
use crate::record::Payload;
use crate::store::Store;

use super::space::{Space, any, at, put};

/// Payloads up to this size are really made; a store that allows more is not tried at its limit.
const LARGEST_PAYLOAD: usize = 32 << 20;
/// Batches up to this many operations are really made.
const LARGEST_BATCH: usize = 8192;

/// The largest payload and batch are taken, larger ones refused with nothing written; long and odd names are names.
pub async fn limits(store: &dyn Store) {
    let space = Space::new(store, "limits");
    names(&space).await;
    payloads(&space).await;
    if space.batches() {
        batches(&space).await;
        twice_in_a_batch(&space).await;
    }
}

async fn names(space: &Space<'_>) {
    let lengths = [61, 62, 63, 64, 127, 128, 255, 256, 511, Key::MAX_BYTES];
    let padded = lengths.map(|length| format!("{:x<length$}", space.text("n")));
    let odd = [
        "é",
        "\u{10ffff}",
        " ",
        "  ",
        "a b",
        "*",
        "?",
        "\\",
        "%00",
        "..",
        "/",
        "//",
        "'",
        "\"",
        ";--",
        "${x}",
        "~",
    ];
    let odd = odd.map(|name| space.text(name));
    let keys: Vec<Key> =
        padded.iter().chain(&odd).map(|name| Key::new(name).expect("a name that is allowed")).collect();
    for key in &keys {
        space.write(at(0), key, put(key.as_str())).await;
    }
    for key in &keys {
        let record = space.found(key).await;
        let same = record.payload == super::space::payload(key.as_str());
        assert!(same, "`{key}` gave the record of another key");
        space.agrees("a name at its limits", key, Some(&record), &[]).await;
    }
}

fn bytes(size: usize) -> Write {
    Write::Put { payload: Payload::from(vec![0x5a; size]), expiry: Keep::Keep, tags: Keep::Keep }
}

async fn payloads(space: &Space<'_>) {
    let most = space.store.capabilities().max_payload;
    assert!(most >= 1024, "a store that holds less than a kilobyte per record holds no session");
    let key = space.key("payload");
    if most > LARGEST_PAYLOAD {
        space.write(at(0), &key, bytes(LARGEST_PAYLOAD)).await;
        assert!(
            space.found(&key).await.payload.len() == LARGEST_PAYLOAD,
            "a payload under the limit was cut"
        );
        return;
    }
    space
        .refused(
            "a payload one byte over the limit",
            at(0),
            vec![any(&key, bytes(most + 1))],
            ErrorKind::TooLarge,
        )
        .await;
    space.agrees("after a payload that was too large", &key, None, &[]).await;
    space.write(at(1), &key, bytes(most)).await;
    let record = space.found(&key).await;
    assert!(record.payload == Payload::from(vec![0x5a; most]), "the largest payload came back as another");
    let over = vec![any(&key, bytes(most + 1))];
    space.refused("a payload one byte over the limit, over another,", at(2), over, ErrorKind::TooLarge).await;
    assert!(space.found(&key).await == record, "a refused payload changed the record");
    if space.batches() {
        let beside = space.key("beside");
        let ops = vec![any(&beside, put("beside")), any(&key, bytes(most + 1))];
        space.refused("a batch with a payload that is too large", at(2), ops, ErrorKind::TooLarge).await;
        space.agrees("beside a payload that was too large", &beside, None, &[]).await;
    }
    space.apply(at(3), any(&key, Write::Remove)).await;
}

async fn batches(space: &Space<'_>) {
    let most = space.store.capabilities().max_batch;
    let ops = |count: usize| -> Vec<Op> {
        (0..count).map(|number| any(&space.key(&format!("batch:{number:05}")), put("batch"))).collect()
    };
    if most <= LARGEST_BATCH {
        space
            .refused("a batch one operation over the limit", at(0), ops(most + 1), ErrorKind::TooLarge)
            .await;
        if space.lists() {
            assert_eq!(
                space.keys(space.prefix("batch:")).await,
                [],
                "a batch that was too large wrote something"
            );
        }
    }
    let count = most.min(LARGEST_BATCH);
    let committed = super::space::must("the largest batch", space.commit(at(1), ops(count)).await);
    assert_eq!(committed.outcomes.len(), count, "one outcome per operation");
    for op in ops(count) {
        assert!(space.get(&op.key).await.is_some(), "`{}` is missing from the largest batch", op.key);
    }
    let removals = ops(count).into_iter().map(|op| any(&op.key, Write::Remove)).collect();
    super::space::must("removing the largest batch", space.commit(at(2), removals).await);
    if space.lists() {
        assert_eq!(space.keys(space.prefix("batch:")).await, [], "the largest batch was not removed whole");
    }
}

async fn twice_in_a_batch(space: &Space<'_>) {
    let (key, other) = (space.key("twice"), space.key("once"));
    let ops = vec![any(&key, put("one")), any(&other, put("other")), any(&key, Write::Remove)];
    space.refused("a key twice in one batch", at(0), ops, ErrorKind::Invalid).await;
    for key in [&key, &other] {
        space.agrees("after a batch that names a key twice", key, None, &[]).await;
    }
}
