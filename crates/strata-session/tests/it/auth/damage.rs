//! Records that cannot be read, and many tasks at once.

use std::sync::Arc;

use strata_adapter_memory::MemoryStore;
use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Store};
use strata_session::auth::{AtLimit, AuthSessions};

use super::{Claims, ada, audit, audited, auth, ids_of, opened, sign_in};
use crate::{grounds, kind_of, raw, world, world_over};

/// What cannot be read is an error, never "no session", and can be ended all the same.
#[test]
fn a_session_that_cannot_be_read_can_be_revoked() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let (token, session) = sign_in(&auth, &ada());
            let (other, _) = sign_in(&auth, &ada());
            let name = token.id().to_string();
            auth.handle().set(&name, &"something else".to_owned()).await.expect("set");
            assert_eq!(kind_of(auth.open(&token).await), ErrorKind::Mismatch);
            assert_eq!(kind_of(session.is_authenticated().await), ErrorKind::Mismatch);
            assert_eq!(kind_of(session.has_role("editor").await), ErrorKind::Mismatch);
            assert_eq!(kind_of(session.logout().await), ErrorKind::Mismatch);
            let mut infos = auth.infos();
            let (mut read, mut unread) = (0, 0);
            while let Some(info) = infos.next().await {
                *if info.is_ok() { &mut read } else { &mut unread } += 1;
            }
            assert_eq!((read, unread), (1, 1), "a walk goes on behind it");
            assert!(auth.revoke(token.id()).await.expect("revoke"));
            assert!(opened(&auth, &token).is_none() && opened(&auth, &other).is_some());
            assert_eq!(auth.revoke_user("ada").await.expect("revoke"), 1);
            assert!(raw(&*world.faulty).await.is_empty());
        });
    });
}

#[test]
fn the_end_of_everybodys_goes_by_what_cannot_be_read() {
    block_on(async {
        let world = world();
        let auth = auth(&world);
        let (token, _) = sign_in(&auth, &ada());
        sign_in(&auth, &ada());
        auth.handle().set(&token.id().to_string(), &1_u8).await.expect("set");
        assert_eq!(auth.revoke_all().await.expect("revoke"), 2);
        assert!(raw(&*world.faulty).await.is_empty());
    });
}

/// What else lies among the sessions does not keep them alive.
#[test]
fn s14_the_end_of_everybodys_goes_by_what_is_no_session() {
    block_on(async {
        let world = world();
        let auth = auth(&world);
        sign_in(&auth, &ada());
        for name in ["!", "z"] {
            auth.handle().set(name, &1_u8).await.expect("set");
        }
        assert_eq!(auth.revoke_all().await.expect("revoke"), 1);
        assert!(raw(&*world.faulty).await.is_empty());
    });
}

/// A roster that cannot be read, as after a key that was lost: no login, for nobody could end it; but every session can be ended, and
/// the end of all makes the roster anew.
#[test]
fn s14_a_roster_that_cannot_be_read_keeps_no_session_alive() {
    for ending in ["logout", "revoke", "revoke user", "everywhere", "revoke all"] {
        grounds::each(|world| {
            block_on(async {
                let auth = auth(&world);
                let (token, session) = sign_in(&auth, &ada());
                let (other, _) = sign_in(&auth, &ada());
                let rosters = world.db.namespace("auth").and_then(|home| home.namespace("roster"));
                let rosters = rosters.expect("a namespace");
                let name = rosters.keys("*").next().await.expect("one").expect("name");
                rosters.set(&name, &"something else".to_owned()).await.expect("set");
                assert_eq!(kind_of(auth.login(&ada()).await), ErrorKind::Mismatch);
                let mut events = auth.log().subscribe();
                let ended = match ending {
                    "logout" => session.logout().await.map(u64::from),
                    "revoke" => auth.revoke(token.id()).await.map(u64::from),
                    "revoke user" => auth.revoke_user("ada").await,
                    "everywhere" => session.logout_everywhere().await,
                    _ => auth.revoke_all().await,
                };
                let all = !["logout", "revoke"].contains(&ending);
                assert_eq!(ended.expect(ending), 1 + u64::from(all), "{ending}");
                assert_eq!(std::iter::from_fn(|| events.try_next()).count(), 1 + usize::from(all));
                assert!(opened(&auth, &token).is_none(), "{ending}");
                assert_eq!(opened(&auth, &other).is_none(), all, "{ending}");
                auth.revoke_user("ada").await.expect("revoke");
                assert!(raw(&*world.faulty).await.is_empty(), "{ending}");
                sign_in(&auth, &ada());
                audited(&world.db);
            });
        });
    }
}

/// A roster that somebody removed: the sessions live on and can each be ended; authenticating again lists them anew.
#[test]
fn a_roster_that_was_removed_is_made_anew() {
    block_on(async {
        let world = world();
        let auth = auth(&world);
        let (_, mut session) = sign_in(&auth, &ada());
        let (lost, _) = sign_in(&auth, &ada());
        world
            .db
            .namespace("auth")
            .expect("a namespace")
            .select()
            .prefix("roster:")
            .clear()
            .await
            .expect("clear");
        session.reauthenticate().await.expect("authenticate");
        assert_eq!(audit(&world.db).await, [format!("{} lives and is not listed", lost.id())]);
        assert_eq!(ids_of(&auth, "ada").len(), 2, "a list goes by the records");
        assert!(auth.revoke(lost.id()).await.expect("revoke"));
        audited(&world.db);
    });
}

/// Real tasks on real threads: as many logins and endings as the machine interleaves.
#[test]
fn s15_the_limit_holds_among_threads() {
    let stores: [fn() -> Arc<dyn Store>; 2] = [|| Arc::new(MemoryStore::new()), grounds::on_disk];
    for store in stores {
        let world = world_over(store());
        let builder = AuthSessions::<Claims>::builder(&world.db).parallel(5, AtLimit::EndOldest);
        let auth = builder.build().expect("a manager");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().expect("a runtime");
        runtime.block_on(async {
            let tasks: Vec<_> = (0..8)
                .map(|task| {
                    let auth = auth.clone();
                    tokio::spawn(async move {
                        for round in 0..10 {
                            let (_, mut session) = auth.login(&ada()).await.expect("login");
                            // Whatever comes of these: the session may have been displaced already.
                            let _ = match (task + round) % 4 {
                                0 => session.set("n", &1_u8).await,
                                1 => session.reauthenticate().await.map(drop),
                                2 => session.logout().await.map(drop),
                                _ => session.rotate().await.map(drop),
                            };
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
            assert_eq!(audit(&world.db).await, Vec::<String>::new());
            let living = auth.list("ada").await.expect("list").len();
            assert!((1..=5).contains(&living), "{living} live");
            for _ in 0..5 {
                auth.login(&ada()).await.expect("login");
            }
            assert_eq!(auth.list("ada").await.expect("list").len(), 5);
            assert_eq!(auth.revoke_user("ada").await.expect("revoke"), 5);
        });
        assert!(block_on(raw(&*world.faulty)).is_empty());
    }
}
