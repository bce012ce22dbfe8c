//! Beginning and end of sessions: kinds, lifetimes, rotation, destruction, lists and revocation.

use std::sync::Arc;
use std::time::Duration;

use strata_core::conformance::{Fault, block_on};
use strata_core::{
    ChangeKind, Durability, ErrorKind, Event, Handle, Lifetime, ManualClock, ReferenceStore, Ttl,
};
use strata_session::{SessionId, SessionKind, Sessions};

use crate::{MINUTE, created, kind_of, opened, raw, world};

#[test]
fn s07_s08_a_session_dies_of_idleness_and_at_its_cap() {
    block_on(async {
        let world = world();
        let life = Lifetime::idle(30 * MINUTE).at_most(60 * MINUTE);
        let sessions = Sessions::builder(&world.db).lifetime(life).build().expect("a manager");
        let (token, session) = sessions.create().await.expect("create");
        world.clock.advance(30 * MINUTE);
        assert!(opened(&sessions, &token).is_none());
        assert_eq!(kind_of(session.get::<u8>("n").await), ErrorKind::Gone);
        assert_eq!(kind_of(session.set("n", &1_u8).await), ErrorKind::Gone);

        let (token, session) = sessions.create().await.expect("create");
        for minute in 1..60_u32 {
            world.clock.advance(MINUTE);
            session.set("minute", &minute).await.expect("constant activity");
            assert!(opened(&sessions, &token).is_some(), "minute {minute}");
        }
        world.clock.advance(MINUTE);
        assert!(opened(&sessions, &token).is_none());
        assert_eq!(kind_of(session.list().await), ErrorKind::Gone);
        world.clock.advance(Duration::from_millis(1));
        assert_eq!(kind_of(session.set("n", &1_u8).await), ErrorKind::Gone);
    });
}

#[test]
fn rotation_keeps_values_and_expiry_and_ends_the_old_token() {
    block_on(async {
        let world = world();
        let (old, mut session) = world.sessions.create().await.expect("create");
        let mut stale = session.clone();
        session.set("n", &7_u8).await.expect("set");
        let cap = session.info().await.expect("info").expiry.not_after();
        world.clock.advance(MINUTE);
        let new = session.rotate().await.expect("rotate");
        assert_eq!(new.id(), old.id());
        assert_ne!(*new.expose(), *old.expose());
        assert!(opened(&world.sessions, &old).is_none());
        let again = opened(&world.sessions, &new).expect("the new token opens it");
        assert_eq!(again.get::<u8>("n").await.expect("get"), Some(7));
        assert_eq!(again.info().await.expect("info").expiry.not_after(), cap, "the cap is that of the start");
        assert_eq!(session.get::<u8>("n").await.expect("the rotating one goes on"), Some(7));
        assert_eq!(kind_of(stale.get::<u8>("n").await), ErrorKind::Gone);
        assert_eq!(kind_of(stale.set("n", &8_u8).await), ErrorKind::Gone);
        assert_eq!(kind_of(stale.rotate().await), ErrorKind::Gone);
        assert_eq!(kind_of(stale.destroy().await), ErrorKind::Gone, "a replaced token ends nothing");
        assert_eq!(again.get::<u8>("n").await.expect("get"), Some(7));
    });
}

#[test]
fn a_replaced_token_keeps_nothing_alive() {
    block_on(async {
        let world = world();
        let (_, mut session) = world.sessions.create().await.expect("create");
        let stale = session.clone();
        session.rotate().await.expect("rotate");
        let name = session.id().to_string();
        world.clock.advance(20 * MINUTE);
        assert_eq!(kind_of(stale.get::<u8>("n").await), ErrorKind::Gone);
        assert_eq!(kind_of(stale.clear().await), ErrorKind::Gone);
        let left = world.sessions.handle().ttl(&name).await.expect("ttl");
        assert_eq!(left, Ttl::Left(10 * MINUTE));
        session.get::<u8>("n").await.expect("get");
        let left = world.sessions.handle().ttl(&name).await.expect("ttl");
        assert_eq!(left, Ttl::Left(30 * MINUTE), "its own is activity");
    });
}

#[test]
fn a_destroyed_session_is_gone_for_everybody() {
    block_on(async {
        let world = world();
        let (token, mut session) = world.sessions.create().await.expect("create");
        let other = session.clone();
        session.set("n", &7_u8).await.expect("set");
        assert!(session.destroy().await.expect("destroy"));
        assert!(!other.destroy().await.expect("ended already"));
        assert!(opened(&world.sessions, &token).is_none());
        assert_eq!(kind_of(other.set("n", &8_u8).await), ErrorKind::Gone);
        assert_eq!(kind_of(other.set_as(strata_core::Codec::Json, "n", &8_u8).await), ErrorKind::Gone);
        assert_eq!(kind_of(other.update("n", |_: Option<u8>| Some(9)).await), ErrorKind::Gone);
        assert_eq!(kind_of(other.remove("n").await), ErrorKind::Gone);
        assert_eq!(kind_of(other.clear().await), ErrorKind::Gone);
        assert_eq!(kind_of(session.rotate().await), ErrorKind::Gone);
        assert_eq!(kind_of(other.get::<u8>("n").await), ErrorKind::Gone);
        assert_eq!(kind_of(other.list().await), ErrorKind::Gone);
        assert_eq!(kind_of(other.info().await), ErrorKind::Gone);
        assert!(raw(&*world.faulty).await.is_empty(), "nothing is left of it");
    });
}

#[test]
fn s06_operators_list_and_revoke_by_public_id() {
    block_on(async {
        let world = world();
        let (first, _) = world.sessions.create().await.expect("create");
        let (second, session) = world.sessions.create().await.expect("create");
        let mut ids = world.sessions.ids().collect().await.expect("ids");
        ids.sort_unstable();
        let mut wanted = vec![first.id(), second.id()];
        wanted.sort_unstable();
        assert_eq!(ids, wanted);
        assert!(world.sessions.info(first.id()).await.expect("info").is_some());
        assert!(world.sessions.revoke(first.id()).await.expect("revoke"));
        assert!(!world.sessions.revoke(first.id()).await.expect("revoked already"));
        assert!(opened(&world.sessions, &first).is_none());
        session.set("n", &1_u8).await.expect("the other goes on");
        assert_eq!(world.sessions.revoke_all().await.expect("revoke"), 1);
        assert!(opened(&world.sessions, &second).is_none());
        assert_eq!(kind_of(session.set("n", &1_u8).await), ErrorKind::Gone);
        world.sessions.handle().set("something else", &1_u8).await.expect("set");
        assert_eq!(kind_of(world.sessions.ids().collect().await), ErrorKind::Foreign);
    });
}

#[test]
fn namespaces_do_not_see_each_other() {
    let world = world();
    let admin = Sessions::builder(&world.db).namespace("admin").build().expect("a manager");
    let (token, _) = created(&world.sessions);
    assert!(opened(&admin, &token).is_none());
    assert!(block_on(admin.ids().collect()).expect("ids").is_empty());
    assert!(!block_on(admin.revoke(token.id())).expect("revoke"));
    assert!(opened(&world.sessions, &token).is_some());
    assert_eq!(kind_of(Sessions::builder(&world.db).namespace("a:b").build()), ErrorKind::Invalid);
}

#[test]
fn a_life_without_end_is_refused() {
    let world = world();
    for life in [Lifetime::FOREVER, Lifetime::idle(Duration::ZERO), Lifetime::ttl(MINUTE).with_idle(MINUTE)] {
        assert_eq!(
            kind_of(Sessions::builder(&world.db).lifetime(life).build()),
            ErrorKind::Invalid,
            "{life:?}"
        );
    }
    assert!(Sessions::builder(&world.db).lifetime(Lifetime::ttl(MINUTE)).build().is_ok());
}

#[test]
fn kinds_refuse_stores_that_do_not_keep_their_promise() {
    let volatile = world().db;
    let build = |db: &Handle, kind| Sessions::builder(db).kind(kind).build().map(drop);
    assert!(build(&volatile, SessionKind::Browser).is_ok());
    let error = build(&volatile, SessionKind::Persistent).expect_err("lost at exit");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(kind_of(build(&volatile, SessionKind::Secure)), ErrorKind::Downgrade);
    assert_eq!(kind_of(build(&volatile, SessionKind::Distributed)), ErrorKind::Unsupported);

    let keeping = kept::handle(Durability::Process);
    assert!(build(&keeping, SessionKind::Persistent).is_ok());
    let error = build(&keeping, SessionKind::Browser).expect_err("kept beyond exit");
    assert!(error.message().contains("use a store in memory"), "{error}");
}

mod kept {
    //! A store that says it keeps what it is given.

    use async_trait::async_trait;
    use strata_core::{Batch, Capabilities, Committed, Key, Page, Record, Result, Scan, Store};

    use super::{Arc, Durability, Handle, ManualClock, ReferenceStore};

    #[derive(Debug)]
    struct Kept(ReferenceStore, Durability);

    pub(super) fn handle(durability: Durability) -> Handle {
        let store = Arc::new(Kept(ReferenceStore::new(), durability));
        Handle::builder(store, Arc::new(ManualClock::default())).build().expect("a handle")
    }

    #[async_trait]
    #[deny(clippy::missing_trait_methods)]
    impl Store for Kept {
        async fn get(&self, key: &Key) -> Result<Option<Record>> {
            self.0.get(key).await
        }

        async fn commit(&self, batch: Batch) -> Result<Committed> {
            self.0.commit(batch).await
        }

        async fn scan(&self, scan: Scan) -> Result<Page> {
            self.0.scan(scan).await
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities { durability: self.1, ..self.0.capabilities() }
        }
    }

    impl std::fmt::Display for Kept {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("kept")
        }
    }
}

#[test]
fn subscribers_hear_of_sessions_by_id() {
    block_on(async {
        let world = world();
        let mut changes = world.sessions.handle().subscribe("*").expect("subscribe");
        let (_, mut session) = world.sessions.create().await.expect("create");
        session.rotate().await.expect("rotate");
        session.destroy().await.expect("destroy");
        let mut kinds = Vec::new();
        while let Some(Event::Change(change)) = changes.try_next() {
            assert_eq!(change.key.as_str(), format!("session:{}", session.id()));
            kinds.push(change.kind);
        }
        assert_eq!(kinds, [ChangeKind::Created, ChangeKind::Updated, ChangeKind::Removed]);
    });
}

#[test]
fn an_outage_is_an_error_and_not_an_ended_session() {
    block_on(async {
        let world = world();
        let (token, session) = world.sessions.create().await.expect("create");
        world.faulty.arm_from(1, Fault::Unavailable);
        assert_eq!(kind_of(world.sessions.open(&token).await), ErrorKind::Unavailable);
        assert_eq!(kind_of(session.get::<u8>("n").await), ErrorKind::Unavailable);
        assert_eq!(kind_of(session.set("n", &1_u8).await), ErrorKind::Unavailable);
        assert_eq!(kind_of(session.destroy().await), ErrorKind::Unavailable);
        assert_eq!(kind_of(world.sessions.create().await), ErrorKind::Unavailable);
        let id: SessionId = token.id();
        assert_eq!(kind_of(world.sessions.revoke(id).await), ErrorKind::Unavailable);
        world.faulty.disarm();
        assert!(opened(&world.sessions, &token).is_some());
    });
}
