//! Prefixes: exactly the keys that begin with the bytes given, in the order of bytes, system records included.

use crate::batch::Write;
use crate::key::{Key, KeyPrefix};
use crate::scan::Select;
use crate::store::Store;

use super::space::{Space, any, at, put};

/// Names that differ where an index could go wrong: separators, case, patterns, the ends of the alphabet.
const NAMES: [&str; 20] = [
    "a",
    "a:",
    "a:1",
    "a:2",
    "a;",
    "ab",
    "A",
    "a*",
    "a?",
    "a%",
    "a\\",
    "b",
    "é",
    "éa",
    "ê",
    "z",
    "~",
    "\u{7ff}",
    "\u{ffff}",
    "\u{10ffff}",
];

/// A prefix finds the keys that begin with it, all of them and no others, in the order of their bytes.
pub async fn prefixes(store: &dyn Store) {
    let space = Space::new(store, "prefixes");
    if !space.lists() {
        // That every selection but named keys is refused then is checked among the refusals.
        return;
    }
    let mut keys: Vec<Key> = NAMES.iter().map(|name| space.key(name)).collect();
    for key in &keys {
        space.write(at(0), key, put("prefix")).await;
    }
    keys.sort();
    for name in NAMES.into_iter().chain(["", "a:1x", "aa", "\u{10fffe}"]) {
        same(&space, name, &keys).await;
    }
    after_removals(&space, keys).await;
    long_names(&space).await;
    system_records(&space).await;
}

/// The prefix `name` finds what a filter over `keys` finds.
async fn same(space: &Space<'_>, name: &str, keys: &[Key]) {
    let prefix = KeyPrefix::new(&space.text(name)).expect("prefixes of the suite are valid");
    let wanted: Vec<&Key> = keys.iter().filter(|key| prefix.matches(key)).collect();
    for limit in [1, 3, 1000] {
        let found = space.walk(Select::Prefix(prefix.clone()), limit).await;
        let found: Vec<&Key> = found.iter().map(|(key, _)| key).collect();
        assert_eq!(found, wanted, "keys that begin with {:?}, {limit} at a time", prefix.as_str());
    }
}

async fn after_removals(space: &Space<'_>, mut keys: Vec<Key>) {
    for _ in 0..keys.len() / 2 {
        let key = keys.remove(keys.len() / 2);
        space.apply(at(1), any(&key, Write::Remove)).await;
    }
    same(space, "", &keys).await;
    same(space, "a", &keys).await;
}

/// A key of 512 bytes is its own prefix, and nothing else is.
async fn long_names(space: &Space<'_>) {
    let name = |last: char| format!("{:x<511}{last}", space.text("long"));
    let keys = ['a', 'b'].map(|last| Key::new(&name(last)).expect("512 bytes are allowed"));
    for key in &keys {
        space.write(at(0), key, put("long")).await;
    }
    for key in &keys {
        let prefix = KeyPrefix::new(key.as_str()).expect("512 bytes are allowed");
        assert_eq!(space.keys(Select::Prefix(prefix)).await, std::slice::from_ref(key));
    }
    let shared = KeyPrefix::new(&name('a')[..511]).expect("511 bytes are allowed");
    assert_eq!(space.keys(Select::Prefix(shared)).await, keys);
}

async fn system_records(space: &Space<'_>) {
    let key = Key::system(&space.text("system")).expect("a valid name");
    space.write(at(0), &key, put("system")).await;
    let system = KeyPrefix::new(Key::SYSTEM_PREFIX).expect("a valid prefix");
    for prefix in [KeyPrefix::all(), system] {
        let found = space.walk(Select::Prefix(prefix.clone()), 1000).await;
        let times = found.iter().filter(|(other, _)| *other == key).count();
        assert_eq!(times, 1, "{prefix:?} includes the store's own records");
        assert!(found.is_sorted_by(|(a, _), (b, _)| a < b), "{prefix:?} is in key order");
    }
    space.apply(at(1), any(&key, Write::Remove)).await;
    assert_eq!(space.get(&key).await, None, "a system record can be removed");
}
