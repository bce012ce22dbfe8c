//! Tests of the seal: known answers, what is bound, nonces under threads, forks and changes of the keyset.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use proptest::prelude::*;
use strata_core::Timestamp;

use super::*;
use crate::fork::Detector;
use crate::room::Scheme;
use crate::{MasterKey, SystemRandom, hex};

const NOW: Timestamp = Timestamp::EPOCH;
const ID: KeyId = KeyId::new(0x0a1b_2c3d);
const HEADER: usize = 15;
const MODES: [Nonces; 2] = [Nonces::Counter, Nonces::Synthetic];

/// Counts upwards from a byte, so that epochs are known; each draw begins 16 later.
#[derive(Debug)]
struct Counting(AtomicU8);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        bytes.fill_with(|| self.0.fetch_add(1, Ordering::SeqCst));
        Ok(())
    }
}

#[derive(Debug)]
struct Broken;

impl Random for Broken {
    fn fill(&self, _bytes: &mut [u8]) -> Result<()> {
        Err(Error::new(ErrorKind::Unavailable, "draw random bytes", "none left; retry"))
    }
}

fn known_keyset() -> Keyset {
    let bytes = std::array::from_fn(|index| u8::try_from(index).expect("small"));
    Keyset::of(ID, MasterKey::new(&bytes).expect("key"), NOW)
}

fn sealer(drawing: Drawing) -> Sealer {
    Sealer::with_drawing(known_keyset(), drawing, Protection::Sealed, Arc::new(SystemRandom::new()))
        .expect("sealer")
}

fn header(flags: u8, cap: u64) -> Vec<u8> {
    let mut header = vec![1, 0, flags];
    header.extend_from_slice(&0xdead_beef_u32.to_le_bytes());
    header.extend_from_slice(&cap.to_le_bytes());
    header
}

fn seal_with(sealer: &Sealer, with: Option<KeyId>, key: &Key, body: &[u8]) -> Result<Vec<u8>> {
    let mut envelope = header(1, 1_767_225_600_000);
    envelope.resize(HEADER + sealer.room(), 0);
    envelope.extend_from_slice(body);
    sealer.seal(with, key, &mut envelope, HEADER)?;
    Ok(envelope)
}

fn seal(sealer: &Sealer, key: &Key, body: &[u8]) -> Vec<u8> {
    seal_with(sealer, None, key, body).expect("seal")
}

fn open(sealer: &Sealer, key: &Key, envelope: &[u8]) -> Result<Vec<u8>> {
    sealer.open(key, envelope, HEADER, &mut Vec::new()).map(<[u8]>::to_vec)
}

fn key(name: &str) -> Key {
    Key::new(name).expect("key")
}

/// Epoch and nonce, which must never repeat together.
fn pair(envelope: &[u8]) -> Vec<u8> {
    let scheme = if envelope[HEADER] == 1 { Scheme::Counter } else { Scheme::Synthetic };
    envelope[HEADER + 5..HEADER + scheme.room()].to_vec()
}

fn epoch(envelope: &[u8]) -> &[u8] {
    &envelope[HEADER + 5..HEADER + 21]
}

#[test]
fn s26_s37_envelopes_are_those_another_implementation_makes() {
    // Computed apart, with another implementation of HKDF, HMAC and AES-256-GCM, from docs alone.
    let golden = [
        (
            Nonces::Counter,
            vec![
                concat!(
                    "010001efbeadde00a8da769b010000013d2c1b0ae0e1e2e3e4e5e6e7e8e9eaebecedeeef00000000df437f9134",
                    "ce73a65b986f9ad3846fb014ae062ba7fe70fe0b73"
                ),
                concat!(
                    "010001efbeadde00a8da769b010000013d2c1b0ae0e1e2e3e4e5e6e7e8e9eaebecedeeef01000000953ae43be4",
                    "c2ba77e1d6c31de9a0a1c1f7e5c1c28cdf12838409"
                ),
            ],
        ),
        (
            Nonces::Synthetic,
            vec![concat!(
                "010001efbeadde00a8da769b010000023d2c1b0ae0e1e2e3e4e5e6e7e8e9eaebecedeeefe61a25dcddf4bcd067",
                "037a962bb5e7cdeed73a81c96f88af3734ece44575d7463a2558cd8586"
            )],
        ),
    ];
    for (nonces, envelopes) in golden {
        let random = Arc::new(Counting(AtomicU8::new(0xe0)));
        let sealer = Sealer::new(known_keyset(), nonces, Protection::Sealed, random).expect("sealer");
        for known in envelopes {
            let envelope = seal(&sealer, &key("cart:ada"), b"three teas");
            assert_eq!(hex::encode(&envelope), known);
            assert_eq!(sealer.sealed_under(&envelope, HEADER).expect("id"), ID);
        }
    }
}

#[test]
fn what_is_sealed_opens_in_every_mode_and_under_another_sealer() {
    for nonces in MODES {
        let writer = sealer(Drawing::new(nonces));
        for len in [0, 1, 16, 1000, 100_000] {
            let body = vec![7; len];
            let envelope = seal(&writer, &key("k"), &body);
            assert_eq!(envelope.len(), HEADER + writer.room() + len + 16);
            assert_eq!(open(&writer, &key("k"), &envelope).expect("own epoch"), body);
            for reads in MODES {
                let reader = sealer(Drawing::new(reads));
                assert_eq!(open(&reader, &key("k"), &envelope).expect("derived"), body);
                assert_eq!(open(&reader, &key("k"), &envelope).expect("kept"), body);
            }
        }
    }
}

#[test]
fn s26_s32_every_flipped_bit_of_an_envelope_is_an_error() {
    for nonces in MODES {
        let sealer = sealer(Drawing::new(nonces));
        let envelope = seal(&sealer, &key("k"), b"a value that is worth keeping");
        for bit in 0..envelope.len() * 8 {
            let mut flipped = envelope.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = open(&sealer, &key("k"), &flipped).expect_err("flipped");
            let expected = match bit / 8 {
                2 if bit % 8 == 0 => ErrorKind::Downgrade,
                HEADER if ![0b10, 0b01, 0].contains(&flipped[HEADER]) => ErrorKind::Newer,
                16..20 => ErrorKind::MissingKey,
                _ => ErrorKind::Corrupt,
            };
            assert_eq!(error.kind(), expected, "bit {bit}");
        }
        for len in 0..envelope.len() {
            let error = open(&sealer, &key("k"), &envelope[..len]).expect_err("cut");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "cut to {len}");
        }
    }
}

#[test]
fn s26_a_record_cannot_be_moved_or_given_a_later_cap() {
    for nonces in MODES {
        let sealer = sealer(Drawing::new(nonces));
        let envelope = seal(&sealer, &key("user:ada"), b"admin");
        for other in ["user:bob", "user:ad", "user:ada2", "ser:ada"] {
            assert_eq!(open(&sealer, &key(other), &envelope).expect_err("moved").kind(), ErrorKind::Corrupt);
        }
        let mut stretched = envelope.clone();
        stretched[..HEADER].copy_from_slice(&header(1, u64::MAX));
        assert_eq!(
            open(&sealer, &key("user:ada"), &stretched).expect_err("stretched").kind(),
            ErrorKind::Corrupt
        );
        let mut downgraded = header(0, 1_767_225_600_000);
        downgraded.extend_from_slice(b"admin");
        let error = open(&sealer, &key("user:ada"), &downgraded).expect_err("plaintext");
        assert_eq!(error.kind(), ErrorKind::Downgrade);
        assert_eq!(
            sealer.sealed_under(&downgraded, HEADER).expect_err("plaintext").kind(),
            ErrorKind::Downgrade
        );
    }
}

#[test]
fn an_envelope_without_room_or_mark_is_not_sealed() {
    let sealer = sealer(Drawing::new(Nonces::Counter));
    for mut bad in [header(1, 0), [header(0, 0), vec![0; 40]].concat()] {
        let before = bad.clone();
        let error = sealer.seal(None, &key("k"), &mut bad, HEADER).expect_err("refused");
        assert_eq!((error.kind(), bad), (ErrorKind::Invalid, before));
    }
}

#[test]
fn s27_every_open_has_an_epoch_of_its_own() {
    let epochs: HashSet<Vec<u8>> = (0..50)
        .map(|_| epoch(&seal(&sealer(Drawing::new(Nonces::Counter)), &key("k"), b"v")).to_vec())
        .collect();
    assert_eq!(epochs.len(), 50);
}

#[test]
fn s27_threads_over_many_epochs_never_repeat_a_pair() {
    const THREADS: usize = 4;
    const EACH: usize = 2000;
    for nonces in MODES {
        let sealer = sealer(Drawing { limit: 64, ..Drawing::new(nonces) });
        let (start, name) = (Barrier::new(THREADS), key("k"));
        let pairs: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let run = || {
                start.wait();
                (0..EACH).map(|_| pair(&seal(&sealer, &name, b"the same value"))).collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(run)).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("thread")).collect()
        });
        assert_eq!(pairs.iter().collect::<HashSet<_>>().len(), THREADS * EACH);
        let mut uses = std::collections::HashMap::new();
        for pair in &pairs {
            *uses.entry(pair[..16].to_vec()).or_insert(0) += 1;
        }
        assert!(
            uses.len() >= THREADS * EACH / 64 && uses.values().all(|used| *used <= 64),
            "the limit is kept"
        );
    }
}

#[test]
fn s27_a_forked_child_seals_in_its_own_epoch_and_reads_the_parents() {
    let forks = Arc::new(AtomicUsize::new(0));
    let detector = Detector::Injected(Arc::clone(&forks));
    let sealer = sealer(Drawing { detector, ..Drawing::new(Nonces::Counter) });
    let parent = seal(&sealer, &key("k"), b"parent");
    forks.fetch_add(1, Ordering::SeqCst);
    let child = seal(&sealer, &key("k"), b"child");
    assert_ne!(epoch(&parent), epoch(&child));
    assert_eq!(epoch(&child), epoch(&seal(&sealer, &key("k"), b"again")), "one new epoch, not one each");
    assert_eq!(open(&sealer, &key("k"), &parent).expect("parent's"), b"parent");
}

#[test]
fn s27_clones_of_a_running_machine_share_no_synthetic_nonce_for_different_values() {
    // The same draws and counts stand for one memory that goes on twice.
    let clone = || {
        let random = Arc::new(Counting(AtomicU8::new(0)));
        Sealer::new(known_keyset(), Nonces::Synthetic, Protection::Sealed, random).expect("sealer")
    };
    let (one, two) = (clone(), clone());
    let (first, second) = (seal(&one, &key("k"), b"one"), seal(&two, &key("k"), b"two"));
    assert_eq!(epoch(&first), epoch(&second));
    assert_ne!(pair(&first), pair(&second));
    assert_eq!(
        seal(&one, &key("k"), b"same"),
        seal(&two, &key("k"), b"same"),
        "equal bytes reveal only that"
    );
}

#[test]
fn s27_no_epoch_means_an_error_not_an_old_nonce() {
    let broken = Sealer::new(known_keyset(), Nonces::Counter, Protection::Sealed, Arc::new(Broken));
    assert_eq!(broken.expect_err("no epoch").kind(), ErrorKind::Unavailable);
}

#[test]
fn s28_keys_change_while_the_sealer_is_in_use() {
    let sealer = sealer(Drawing::new(Nonces::Counter));
    let old = seal(&sealer, &key("k"), b"old");
    let new = sealer.add(NOW).expect("add");
    assert_eq!(sealer.primary(), ID);
    let named = seal_with(&sealer, Some(new), &key("k"), b"named").expect("any live key seals");
    sealer.promote(new).expect("promote");
    let fresh = seal(&sealer, &key("k"), b"fresh");
    for (envelope, id, body) in [(&old, ID, "old"), (&named, new, "named"), (&fresh, new, "fresh")] {
        assert_eq!(sealer.sealed_under(envelope, HEADER).expect("id"), id);
        assert_eq!(open(&sealer, &key("k"), envelope).expect("any live key opens"), body.as_bytes());
    }
    assert_eq!(sealer.remove(new).expect_err("primary").kind(), ErrorKind::Invalid);
    sealer.remove(ID).expect("remove");
    assert_eq!(open(&sealer, &key("k"), &old).expect_err("gone").kind(), ErrorKind::MissingKey);
    let gone = seal_with(&sealer, Some(ID), &key("k"), b"x");
    assert_eq!(gone.expect_err("gone").kind(), ErrorKind::MissingKey);
    assert_eq!(sealer.list().len(), 1);
}

#[test]
fn s28_changes_and_drawn_epochs_do_not_undo_each_other() {
    let sealer = sealer(Drawing { limit: 8, ..Drawing::new(Nonces::Counter) });
    let name = key("k");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..500).for_each(|_| drop(seal(&sealer, &name, b"v"))));
        }
        scope.spawn(|| {
            for _ in 0..20 {
                let id = sealer.add(NOW).expect("add");
                sealer.promote(id).expect("promote");
            }
        });
    });
    let keys = sealer.list();
    assert_eq!(keys.len(), 21);
    assert!(keys[20].primary && keys[20].id == sealer.primary());
}

#[test]
fn s31_a_sealer_prints_no_secret() {
    let text = format!("{:?}", sealer(Drawing::new(Nonces::Synthetic)));
    assert!(text.contains("0a1b2c3d") || text.contains("KeyId"), "{text}");
    let bytes = (0..32).map(|byte: u8| byte.to_string()).collect::<Vec<_>>().join(", ");
    assert!(!text.contains(&bytes) && !text.contains("000102030405"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn s32_arbitrary_bytes_never_open_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), header in 0_usize..40) {
        let sealer = sealer(Drawing::new(Nonces::Counter));
        prop_assert!(sealer.open(&key("k"), &bytes, header, &mut Vec::new()).is_err());
        let _ = sealer.sealed_under(&bytes, header);
    }

    #[test]
    fn s26_any_value_under_any_name_opens_there_and_nowhere_else(body: Vec<u8>, name in "[a-z:]{1,300}", synthetic: bool) {
        let sealer = sealer(Drawing::new(MODES[usize::from(synthetic)]));
        let envelope = seal(&sealer, &key(&name), &body);
        prop_assert_eq!(open(&sealer, &key(&name), &envelope).expect("here"), body);
        let other = key(&format!("{name}x"));
        prop_assert!(open(&sealer, &other, &envelope).is_err());
    }
}
