//! Real forks (s27): a child, its child, and the parent seal on, and no pair of epoch and counter repeats.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Command, exit};

use fork::{Fork, waitpid};
use strata_core::conformance::block_on;
use strata_core::{Envelope, Handle};

use super::*;

/// Set in the program that forks.
const ALONE: &str = "STRATA_TEST_FORKS";
/// Epoch and counter in a payload, behind scheme and key id.
const PAIR: std::ops::Range<usize> = Envelope::HEADER + 5..Envelope::HEADER + 25;
/// The epoch in a pair.
const EPOCH: usize = 16;

struct Family {
    store: Arc<dyn Store>,
    db: Handle,
    /// Where children leave the pairs they sealed under.
    folder: PathBuf,
}

impl Family {
    /// Seals a value and gives the pair it was sealed under.
    fn seal(&self) -> Vec<u8> {
        block_on(async {
            self.db.set("k", &7_u32).await.expect("set");
            assert_eq!(self.db.get::<u32>("k").await.expect("get"), Some(7));
            let record = self.store.get(&Key::new("k").expect("key")).await.expect("get").expect("there");
            record.payload.as_bytes()[PAIR].to_vec()
        })
    }

    /// Seals twice and leaves the pairs under `name`, in a child that first forks as many descendants as `deep` says.
    fn fork(&self, name: &str, deep: usize) {
        match fork::fork().expect("fork") {
            Fork::Parent(child) => {
                assert_eq!(waitpid(child).expect("wait"), 0, "the checks of {name} failed");
            }
            Fork::Child => {
                let done = catch_unwind(AssertUnwindSafe(|| {
                    assert_eq!(
                        block_on(self.db.get::<u32>("k").into_future()).expect("its parent's"),
                        Some(7)
                    );
                    let first = self.seal();
                    if deep > 0 {
                        self.fork(&format!("{name}-child"), deep - 1);
                    }
                    std::fs::write(self.folder.join(name), [first, self.seal()].concat()).expect("write");
                }));
                // Not back into the harness, which its parent runs.
                exit(i32::from(done.is_err()));
            }
        }
    }
}

#[test]
fn s27_a_real_child_seals_in_its_own_epoch_and_the_parent_in_its_old_one() {
    if std::env::var_os(ALONE).is_none() {
        // Only the thread that forks lives on in the child, so the forks are made where nothing else runs.
        let alone = Command::new(std::env::current_exe().expect("self"))
            .args(["--exact", "forks::s27_a_real_child_seals_in_its_own_epoch_and_the_parent_in_its_old_one"])
            .args(["--test-threads", "1"])
            .env(ALONE, "1")
            .output()
            .expect("child");
        let said = String::from_utf8_lossy(&alone.stdout);
        assert!(alone.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let store = store();
    let keys = Keys::keyset(Keyset::generate(&SystemRandom::new(), NOW).expect("keyset"));
    let opened = block_on(opened(&store, keys)).expect("open");
    let family = Family { db: handle(&store, &opened), store, folder: folder.path().to_owned() };

    let mut pairs = vec![family.seal()];
    for name in ["first", "second"] {
        family.fork(name, 1);
        pairs.push(family.seal());
    }
    assert!(pairs.iter().all(|pair| pair[..EPOCH] == pairs[0][..EPOCH]), "the parent is no child");
    for name in ["first", "first-child", "second", "second-child"] {
        let both = std::fs::read(folder.path().join(name)).expect("read");
        let (one, two) = both.split_at(PAIR.len());
        assert_eq!(one[..EPOCH], two[..EPOCH], "{name} drew one epoch");
        assert!(pairs.iter().all(|pair| pair[..EPOCH] != one[..EPOCH]), "{name} has an epoch of its own");
        pairs.extend([one.to_vec(), two.to_vec()]);
    }
    let distinct: std::collections::HashSet<&Vec<u8>> = pairs.iter().collect();
    assert_eq!((distinct.len(), pairs.len()), (11, 11));
}
