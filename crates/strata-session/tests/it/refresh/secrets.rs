//! Where the secrets of tokens come from, where they are not, and what opens nothing.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Handle, ManualClock, ReferenceStore};
use strata_session::refresh::{RefreshToken, RefreshTokens, Verdict};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

use super::{copy, forged, ground, unknown_family};
use crate::{hex, kind_of, raw};

fn part(token: &RefreshToken, index: usize) -> Vec<u8> {
    let text = token.expose();
    let part = text.split('.').nth(index).expect("four parts");
    URL_SAFE_NO_PAD.decode(part).expect("base64url")
}

fn secret_of(token: &RefreshToken) -> Vec<u8> {
    part(token, 2)
}

/// What an attacker who finds any of these would know of a secret.
fn forms_of(secret: &[u8]) -> [Vec<u8>; 6] {
    let (hex, list) = (hex(secret), format!("{secret:?}"));
    [
        secret.to_vec(),
        URL_SAFE_NO_PAD.encode(secret).into_bytes(),
        STANDARD.encode(secret).into_bytes(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        list.trim_matches(['[', ']']).as_bytes().to_vec(),
    ]
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn s01_ids_keys_and_secrets_are_the_generators_bytes_and_nothing_else() {
    let ground = ground();
    let token = ground.issue("ada");
    let next = ground.rotated(&token);
    let given = ground.world.random.given.lock().expect("lock").clone();
    let lengths: Vec<_> = given.iter().map(Vec::len).collect();
    assert_eq!(lengths, [16, 32, 32, 32], "an id, the key of the family's tags, and two secrets");
    assert_eq!(token.family().to_string(), hex(&given[0]));
    assert_eq!((secret_of(&token), secret_of(&next)), (given[2].clone(), given[3].clone()));
}

#[test]
fn s01_without_randomness_there_is_no_family() {
    let store = Arc::new(ReferenceStore::new());
    let db = Handle::builder(Arc::clone(&store) as _, Arc::new(ManualClock::default())).build();
    let tokens = RefreshTokens::new(&db.expect("a handle")).expect("a manager");
    assert_eq!(kind_of(block_on(tokens.issue("ada", ""))), ErrorKind::Unsupported);
    assert!(block_on(raw(&*store)).is_empty());
}

/// Whoever has a copy of an unsealed store finds the key of the tags, and no token that is worth anything: not the current one, and
/// not the successor that is kept for retries.
#[test]
fn s02_a_copied_store_opens_nothing() {
    let ground = ground();
    let first = ground.issue("ada");
    let second = ground.rotated(&first);
    let records = block_on(raw(&*ground.world.faulty));
    assert_eq!(records.len(), 2, "a family and a roster");
    let bytes: Vec<u8> = records.iter().flat_map(|record| record.payload.as_bytes().to_vec()).collect();
    for form in [&first, &second].into_iter().flat_map(|token| forms_of(&secret_of(token))) {
        assert!(!contains(&bytes, &form), "the store holds a secret");
    }
    let tag = |key: &[u8], generation: u32, secret: &[u8]| {
        let message = [b"strata refresh tag\0", &generation.to_be_bytes()[..], secret].concat();
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &message).as_ref()[..16].to_vec()
    };
    let is_key = |key: &&[u8]| tag(key, 0, &secret_of(&first)) == part(&first, 3);
    let key = bytes.windows(32).find(is_key).expect("the key of the tags, to one who knows a token");
    // Every run of 32 bytes as the secret of every generation near, under a good tag.
    let mut tried = 0;
    for secret in bytes.windows(32) {
        for generation in 0..3 {
            let forgery = forged(&second, |parts| {
                parts[1] = format!("{generation:08x}");
                parts[2] = URL_SAFE_NO_PAD.encode(secret);
                parts[3] = URL_SAFE_NO_PAD.encode(tag(key, generation, secret));
            });
            assert!(block_on(ground.tokens.inspect(&forgery)).expect("inspect").is_none());
            tried += 1;
        }
    }
    assert!(tried > 600, "{tried} forgeries");
    assert!(block_on(ground.tokens.inspect(&second)).expect("inspect").is_some());
}

#[test]
fn s02_neither_user_nor_family_can_be_read_off_names_and_tags() {
    let ground = ground();
    ground.issue("ada.lovelace");
    for record in block_on(raw(&*ground.world.faulty)) {
        assert!(!format!("{:?}", record.tags).contains("lovelace"));
    }
}

#[test]
fn s03_a_token_that_was_never_issued_is_not_adopted() {
    let ground = ground();
    let chosen = format!("{}.00000000.{}.{}", unknown_family(), "A".repeat(43), "A".repeat(22));
    assert_eq!(ground.refused(&RefreshToken::parse(&chosen).expect("well formed")), Verdict::Unknown);
    assert!(block_on(raw(&*ground.world.faulty)).is_empty(), "nothing was made of it");
}

#[test]
fn s03_malformed_tokens_reach_no_store() {
    let ground = ground();
    let token = ground.issue("ada");
    let before = ground.world.faulty.calls();
    let good = token.expose();
    for bad in [
        "",
        "a.b.c.d",
        &good[1..],
        &good.replace('.', "-"),
        &token.family().to_string(),
        &format!("{}\u{e9}", &good[2..]),
    ] {
        assert_eq!(kind_of(RefreshToken::parse(bad)), ErrorKind::Invalid);
    }
    assert_eq!(ground.world.faulty.calls(), before);
    ground.rotated(&good.parse().expect("a token"));
}

#[test]
fn s06_a_public_id_is_no_credential() {
    let ground = ground();
    let token = ground.issue("ada");
    let id = token.family().to_string();
    assert!(RefreshToken::parse(&id).is_err());
    let guess = format!("{id}.00000000.{}{}.{}", id, "A".repeat(11), "A".repeat(22));
    assert_eq!(ground.refused(&RefreshToken::parse(&guess).expect("well formed")), Verdict::Unknown);
    ground.rotated(&token);
}

/// Everything that is logged, as text.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<String>>);

impl Visit for Captured {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        writeln!(self.0.lock().expect("lock"), "{field}={value:?}").expect("a string takes it");
    }
}

impl Subscriber for Captured {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn s05_nothing_that_prints_holds_a_secret() {
    // Once unheard, so that no other test is the first to log. And while there is one subscriber only, `tracing` asks that of the
    // thread which logs first, which may be another test's and have none; with two it asks all.
    scene_of_everything();
    let _second = Dispatch::new(Captured::default());
    let logged = Captured::default();
    let heard = Dispatch::new(logged.clone());
    tracing::callsite::rebuild_interest_cache();
    let (mut printed, secrets) = tracing::dispatcher::with_default(&heard, scene_of_everything);
    let logged = logged.0.lock().expect("lock").clone();
    assert!(logged.contains("token rotated") && logged.contains("invalid use"), "{logged}");
    printed.push_str(&logged);
    for form in secrets.iter().flat_map(|secret| forms_of(secret)).filter(|form| form.is_ascii()) {
        assert!(!contains(printed.as_bytes(), &form), "printed");
    }
    assert_eq!(secrets.len(), 4, "the key of the tags and three secrets");
}

/// All that can be printed of every operation, and every secret that was drawn for it.
fn scene_of_everything() -> (String, Vec<Vec<u8>>) {
    let mut ground = ground();
    let token = ground.issue("ada");
    let mut printed = vec![format!("{:?} {:?} {:?}", ground.tokens, ground.list("ada"), token)];
    let rotation = ground.rotate(&token);
    let retry = ground.rotate(&token);
    printed.push(format!("{rotation:?} {retry:#?}"));
    let (second, _) = rotation.granted().expect("granted");
    let third = ground.rotated(&second);
    ground.world.faulty.arm(1, strata_core::conformance::Fault::Unavailable);
    let error = block_on(ground.tokens.rotate(&third)).expect_err("a fault");
    let malformed = RefreshToken::parse(&third.expose()[1..]).expect_err("malformed");
    printed.push(format!("{error:?} {error} {malformed:?} {malformed}"));
    printed.push(format!("{:?}", block_on(raw(&*ground.world.faulty))));
    printed.push(format!("{:?} {:?}", ground.rotate(&token), ground.rotate(&third)));
    printed.push(format!("{:?} {:?}", ground.heard(), copy(&third)));
    printed.push(format!("{:?}", RefreshTokens::builder(&ground.world.db)));
    // The first is the family's public id; the rest are the key of its tags and the secrets.
    let secrets = ground.world.random.given.lock().expect("lock")[1..].to_vec();
    (printed.join(" "), secrets)
}
