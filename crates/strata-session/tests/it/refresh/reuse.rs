//! Reuse, found out and answered (s23, RFC 9700 section 4.14.2).

use strata_core::conformance::block_on;
use strata_core::{Batch, Durability, Guard, Keep, Op, Record, Store as _, Write};
use strata_session::refresh::{RefreshToken, Verdict};
use strata_session::security::{EndReason, Misuse, SecurityEventKind};

use super::{DAY, Ground, SECOND, copy, forged, ground, ground_in, unknown_family};
use crate::grounds;

/// The thief uses the stolen token first, the client later.
#[test]
fn s23_a_thief_who_is_first_loses_the_family_when_the_client_comes() {
    grounds::each(|world| {
        let ground = ground_in(world, |builder| builder);
        let token = ground.issue("ada");
        let stolen = copy(&token);
        let mut thief = ground.rotated(&stolen);
        for _ in 0..3 {
            ground.advance(DAY);
            thief = ground.rotated(&thief);
        }
        assert_eq!(ground.refused(&token), Verdict::StaleLineage);
        assert_eq!(ground.refused(&thief), Verdict::Unknown);
        ground.agrees(&["ada"]);
    });
}

/// The client is first, the thief later.
#[test]
fn s23_a_thief_who_is_late_ends_the_family() {
    let ground = ground();
    let token = ground.issue("ada");
    let other = ground.issue("ada");
    let stolen = copy(&token);
    let current = ground.rotated(&token);
    ground.advance(11 * SECOND);
    assert_eq!(ground.refused(&stolen), Verdict::RecentPrevious);
    assert_eq!(ground.refused(&current), Verdict::Unknown);
    ground.rotated(&other);
    ground.agrees(&["ada"]);
}

/// Whoever knows a family's id, and even a whole token but for one character, ends nothing.
#[test]
fn s23_garbage_ends_no_family() {
    let mut ground = ground();
    let (token, other) = (ground.issue("ada"), ground.issue("bob"));
    let token = ground.rotated(&token);
    let text = other.expose();
    let of_other: Vec<String> = text.split('.').map(str::to_owned).collect();
    ground.heard();
    let flip = |text: &mut String| {
        let end = if text.ends_with('A') { "Q" } else { "A" };
        text.replace_range(text.len() - 1.., end);
    };
    let forgeries = [
        forged(&token, |parts| parts[2] = "A".repeat(43)),
        forged(&token, |parts| parts[3] = "A".repeat(22)),
        forged(&token, |parts| flip(&mut parts[3])),
        forged(&token, |parts| {
            let begin = if parts[2].starts_with('A') { "B" } else { "A" };
            parts[2].replace_range(..1, begin);
        }),
        forged(&token, |parts| "00000000".clone_into(&mut parts[1])),
        forged(&token, |parts| "00000002".clone_into(&mut parts[1])),
        forged(&token, |parts| "ffffffff".clone_into(&mut parts[1])),
        forged(&token, |parts| parts[0].clone_from(&of_other[0])),
        forged(&token, |parts| parts[2].clone_from(&of_other[2])),
        forged(&token, |parts| parts[1..].clone_from_slice(&of_other[1..])),
        forged(&token, |parts| parts[0] = unknown_family().to_string()),
    ];
    let count = forgeries.len();
    for forgery in &forgeries {
        assert_eq!(ground.refused(forgery), Verdict::Unknown);
        assert!(!block_on(ground.tokens.end(forgery)).expect("end"));
        assert!(block_on(ground.tokens.inspect(forgery)).expect("inspect").is_none());
    }
    let heard = ground.heard();
    assert!(heard.iter().all(|kind| *kind == SecurityEventKind::InvalidUse(Misuse::UnknownToken)));
    assert!(heard.len() >= count, "each was announced");
    ground.rotated(&token);
    ground.rotated(&other);
}

/// The record of a token's family as it lies in the store.
fn backup(ground: &Ground, token: &RefreshToken) -> Record {
    let key = ground.tokens.handle().key(&token.family().to_string()).expect("a name");
    block_on(ground.world.faulty.get(&key)).expect("get").expect("it lives")
}

/// Puts a record back where it was, as a restored backup has it.
fn restore(ground: &Ground, token: &RefreshToken, record: &Record) {
    let key = ground.tokens.handle().key(&token.family().to_string()).expect("a name");
    let write = Write::Put {
        payload: record.payload.clone(),
        expiry: Keep::Set(record.expiry),
        tags: Keep::Set(record.tags.clone()),
    };
    let op = Op { key, guard: Guard::Any, write };
    let now = record.updated;
    block_on(ground.world.faulty.commit(Batch::one(now, Durability::Volatile, op))).expect("commit");
}

#[test]
fn s23_tokens_from_after_a_restored_backup_are_an_orphan_branch() {
    // Ahead of the restored line, beside it, and behind it.
    for steps in 0..3 {
        let ground = ground();
        let first = ground.issue("ada");
        let kept = backup(&ground, &first);
        let orphan = ground.rotated(&first);
        restore(&ground, &first, &kept);
        let mut line = copy(&first);
        for _ in 0..steps {
            line = ground.rotated(&line);
        }
        assert_eq!(ground.refused(&orphan), Verdict::OrphanBranch, "{steps} rotations since");
        assert_eq!(ground.refused(&line), Verdict::Unknown, "the family has ended");
        ground.agrees(&["ada"]);
    }
}

/// A logout with a token that must not be used ends the family as well, and says what it was.
#[test]
fn s23_an_old_token_at_a_logout_ends_its_family() {
    let mut ground = ground();
    let first = ground.issue("ada");
    let second = ground.rotated(&first);
    let third = ground.rotated(&second);
    ground.heard();
    assert!(block_on(ground.tokens.inspect(&first)).expect("inspect").is_none());
    assert!(block_on(ground.tokens.end(&first)).expect("end"));
    assert_eq!(
        ground.heard(),
        [
            SecurityEventKind::InvalidUse(Misuse::StaleLineage),
            SecurityEventKind::FamilyEnded(EndReason::Reuse)
        ]
    );
    assert_eq!(ground.refused(&third), Verdict::Unknown);
    // A retry of a logout, and the predecessor of a lost answer, are a logout like any other.
    let first = ground.issue("ada");
    ground.rotated(&first);
    ground.heard();
    assert!(block_on(ground.tokens.end(&first)).expect("end"));
    assert_eq!(ground.heard(), [SecurityEventKind::FamilyEnded(EndReason::Logout)]);
}
