//! What tokens live through: sign-in, use, refresh, renewal, several accounts.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use strata_core::conformance::block_on;
use strata_core::{
    Atomicity, Batch, Capabilities, Committed, ErrorKind, Key, Listing, Page, Record, ReferenceStore, Result,
    Scan, Store,
};
use strata_session::security::{EndReason, SecurityEventKind};
use strata_session::tokens::{RefreshFailure, Renewal, TokenAnswer};

use super::{DAY, SECOND, scene, scene_in, text};
use crate::{MINUTE, grounds, kind_of, world_over};

#[test]
fn tokens_are_kept_used_and_refreshed() {
    grounds::each(|world| {
        let scene = scene_in(world);
        assert_eq!(kind_of(block_on(scene.tokens.access_token("ada"))), ErrorKind::Gone);
        scene.sign_in("ada");
        let calls = scene.world.faulty.calls();
        assert_eq!(scene.access("ada"), "access-1");
        assert_eq!(scene.world.faulty.calls(), calls + 1, "a valid token is one read and no write");
        scene.advance(13 * MINUTE + 59 * SECOND);
        assert_eq!((scene.access("ada").as_str(), scene.server.refreshes()), ("access-1", 0));
        scene.advance(SECOND);
        assert_eq!(
            (scene.access("ada").as_str(), scene.server.refreshes()),
            ("access-2", 1),
            "a minute early"
        );
        let info = block_on(scene.tokens.info("ada")).expect("info").expect("signed in");
        assert_eq!(info.generation, 2);
        assert_eq!(info.refresh_until, Some(scene.now().saturating_add(30 * DAY)), "its own life");
        scene.advance(29 * DAY);
        assert_eq!(scene.access("ada"), "access-3", "long after");
        scene.advance(31 * DAY);
        assert_eq!(
            kind_of(block_on(scene.tokens.access_token("ada"))),
            ErrorKind::Gone,
            "all of it has expired"
        );
        assert_eq!(scene.server.refreshes(), 2);
    });
}

#[test]
fn the_store_is_enough_for_the_next_run() {
    let scene = scene();
    scene.sign_in("ada");
    let later = scene.sibling();
    assert_eq!(text(&later, "ada"), "access-1");
    assert_eq!(block_on(later.accounts()).expect("accounts"), ["ada"]);
}

#[test]
fn a_refresh_token_that_is_not_rotated_stays() {
    let scene = scene();
    scene.server.state().keeps = true;
    scene.sign_in("ada");
    for serial in 2..6 {
        scene.advance(14 * MINUTE);
        assert_eq!(scene.access("ada"), format!("access-{serial}"));
    }
    let info = block_on(scene.tokens.info("ada")).expect("info").expect("signed in");
    let begun = scene.now().saturating_sub(4 * 14 * MINUTE);
    assert_eq!(info.refresh_until, Some(begun.saturating_add(30 * DAY)), "with the deadline it had");
    assert_eq!(info.id_until, None, "an id token of another answer is not of this generation");
}

#[test]
fn an_access_token_alone_is_used_to_its_end() {
    let scene = scene();
    block_on(scene.tokens.store("ada", TokenAnswer::new("only"))).expect("store");
    scene.advance(14 * MINUTE + 29 * SECOND);
    assert_eq!(scene.access("ada"), "only");
    scene.advance(SECOND);
    assert_eq!(
        kind_of(block_on(scene.tokens.access_token("ada"))),
        ErrorKind::Gone,
        "the skew before its end"
    );
    assert_eq!(scene.server.refreshes(), 0);
}

#[test]
fn an_offline_server_is_no_error_while_the_token_is_valid() {
    let scene = scene().due();
    scene.server.fails_with(RefreshFailure::OFFLINE);
    assert_eq!(scene.access("ada"), "access-1");
    assert_eq!(scene.access("ada"), "access-1");
    assert_eq!(scene.server.refreshes(), 1, "not asked again within a second");
    scene.advance(SECOND);
    scene.server.next_is(Err(RefreshFailure::Protocol("nonsense")));
    assert_eq!(scene.access("ada"), "access-1");
    assert_eq!(scene.server.refreshes(), 2);
    scene.advance(MINUTE);
    assert_eq!(kind_of(block_on(scene.tokens.access_token("ada"))), ErrorKind::Unavailable, "it has expired");
    scene.server.recovers();
    scene.advance(MINUTE);
    assert_eq!(scene.access("ada"), "access-2");
}

#[test]
fn the_server_says_when_to_come_back() {
    let scene = scene().due();
    scene.advance(MINUTE);
    scene.server.fails_with(RefreshFailure::Offline { retry_after: Some(10 * MINUTE) });
    let error = block_on(scene.tokens.access_token("ada")).expect_err("offline");
    assert!(error.kind() == ErrorKind::Unavailable && error.to_string().contains("600s"), "{error}");
    scene.server.recovers();
    scene.advance(599 * SECOND);
    let error = block_on(scene.tokens.access_token("ada")).expect_err("too early");
    assert!(error.to_string().contains("1s"), "{error}");
    assert!(
        matches!(block_on(scene.tokens.renew("ada")).expect("renew"), Renewal::Offline(_)),
        "nor by force"
    );
    assert_eq!(scene.server.refreshes(), 1);
    scene.advance(SECOND);
    assert_eq!(scene.access("ada"), "access-2");
}

#[test]
fn a_renewal_asks_now_and_tells_what_the_server_said() {
    let scene = scene();
    let renew = || block_on(scene.tokens.renew("ada")).expect("renew");
    assert!(matches!(renew(), Renewal::SignedOut));
    scene.server.state().subject = Some("u1".to_owned());
    scene.sign_in("ada");
    let Renewal::Renewed(renewed) = renew() else { panic!("renewed") };
    assert_eq!(renewed.subject.as_deref(), Some("u1"));
    assert_eq!(renewed.user.as_deref(), Some(&b"{\"serial\":2}"[..]));
    assert_eq!(scene.access("ada"), "access-2");
    scene.server.fails_with(RefreshFailure::OFFLINE);
    assert!(matches!(renew(), Renewal::Offline(error) if error.kind() == ErrorKind::Unavailable));
    assert!(matches!(renew(), Renewal::Offline(_)), "forced: no waiting unless the server asks for it");
    assert_eq!(scene.server.refreshes(), 3);
    assert_eq!(scene.access("ada"), "access-2", "offline logs nobody out");
    scene.server.fails_with(RefreshFailure::Invalid);
    assert!(matches!(renew(), Renewal::Invalid));
    assert!(matches!(renew(), Renewal::SignedOut));
}

#[test]
fn an_answer_for_another_user_is_refused() {
    let scene = scene();
    let mut events = scene.tokens.log().subscribe();
    scene.server.state().subject = Some("u1".to_owned());
    scene.sign_in("ada");
    scene.server.state().subject = Some("u2".to_owned());
    assert_eq!(kind_of(block_on(scene.tokens.renew("ada"))), ErrorKind::Denied);
    scene.advance(14 * MINUTE);
    assert_eq!(kind_of(block_on(scene.tokens.access_token("ada"))), ErrorKind::Denied);
    let info = block_on(scene.tokens.info("ada")).expect("info").expect("as it was");
    assert_eq!((info.generation, info.subject.as_deref()), (1, Some("u1")));
    let kinds: Vec<_> =
        std::iter::from_fn(|| events.try_next()).map(|event| event.expect("event").kind).collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    assert!(kinds[1..].iter().all(|kind| kind.to_string() == "invalid use (other user)"), "{kinds:?}");
}

#[test]
fn a_rejected_token_is_replaced_once() {
    let scene = scene();
    scene.sign_in("ada");
    let rejected = block_on(scene.tokens.access_token("ada")).expect("a token");
    for _ in 0..2 {
        let fresh = block_on(scene.tokens.access_token_after("ada", &rejected)).expect("another");
        assert_eq!((fresh.expose(), fresh.generation()), ("access-2", 2));
    }
    assert_eq!(scene.server.refreshes(), 1, "the second had its successor already");
}

#[test]
fn what_happens_is_told() {
    let scene = scene();
    let mut events = scene.tokens.log().subscribe();
    scene.sign_in("ada");
    scene.advance(14 * MINUTE);
    scene.access("ada");
    block_on(scene.tokens.clear("ada")).expect("clear");
    scene.sign_in("bob");
    scene.server.fails_with(RefreshFailure::Invalid);
    block_on(scene.tokens.renew("bob")).expect("renew");
    let told: Vec<_> = std::iter::from_fn(|| events.try_next())
        .map(|event| event.expect("event"))
        .map(|event| (event.kind, event.account.expect("the account")))
        .collect();
    let expected = [
        (SecurityEventKind::FamilyStarted, "ada"),
        (SecurityEventKind::TokenRotated, "ada"),
        (SecurityEventKind::FamilyEnded(EndReason::Logout), "ada"),
        (SecurityEventKind::FamilyStarted, "bob"),
        (SecurityEventKind::FamilyEnded(EndReason::RefusedByServer), "bob"),
    ];
    assert_eq!(told, expected.map(|(kind, account)| (kind, account.to_owned())));
}

/// A store of one key per commit that cannot be walked, as a keyring is.
#[derive(Debug)]
struct Narrow(ReferenceStore);

#[async_trait]
impl Store for Narrow {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.0.get(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        batch.validate(&self.capabilities(), self)?;
        self.0.commit(batch).await
    }

    async fn scan(&self, _scan: Scan) -> Result<Page> {
        panic!("a keyring cannot be walked")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { atomicity: Atomicity::Key, listing: Listing::None, ..self.0.capabilities() }
    }
}

impl fmt::Display for Narrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("narrow")
    }
}

#[test]
fn a_store_without_a_list_is_enough() {
    let scene = scene_in(world_over(Arc::new(Narrow(ReferenceStore::new()))));
    for account in ["ada", "bob", "eve"] {
        scene.sign_in(account);
    }
    scene.server.fails_with(RefreshFailure::OFFLINE);
    block_on(scene.tokens.clear("bob")).expect("clear");
    assert_eq!(block_on(scene.tokens.revoke_pending()).expect("drain").left, 1);
    assert_eq!(block_on(scene.tokens.accounts()).expect("accounts"), ["ada", "eve"]);
}
