//! Ending sessions: one, others, all of a user, everybody's.

use std::sync::Arc;

use strata_core::conformance::{Fault, Stepped, Task, World as Meeting, block_on, every_schedule};
use strata_core::{ErrorKind, ReferenceStore, Store};

use super::{ada, audit, audited, auth, ids_of, named, opened, restore_rosters, rosters, sign_in};
use crate::{grounds, kind_of, raw, world, world_over};

#[test]
fn s14_one_session_ends() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let (token, session) = sign_in(&auth, &ada());
            let (kept, _) = sign_in(&auth, &ada());
            assert!(session.logout().await.expect("logout"));
            assert!(!session.logout().await.expect("once is enough"));
            assert!(opened(&auth, &token).is_none() && opened(&auth, &kept).is_some());
            assert_eq!(kind_of(session.set("n", &1_u8).await), ErrorKind::Gone);
            audited(&world.db);
            assert!(auth.revoke(kept.id()).await.expect("revoke"));
            assert!(!auth.revoke(kept.id()).await.expect("once is enough"));
            assert!(raw(&*world.faulty).await.is_empty(), "neither sessions nor rosters are left");
        });
    });
}

#[test]
fn s14_all_other_sessions_of_a_user_end() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let (kept, session) = sign_in(&auth, &ada());
            let (bob, _) = sign_in(&auth, &named("bob"));
            for _ in 0..5 {
                sign_in(&auth, &ada());
            }
            let siblings = session.siblings().await.expect("list");
            let current: Vec<_> = siblings.iter().filter(|info| info.current).map(|info| info.id).collect();
            assert_eq!((siblings.len(), current), (6, vec![kept.id()]));
            assert_eq!(session.logout_others().await.expect("logout"), 5);
            assert_eq!(session.logout_others().await.expect("logout"), 0);
            assert_eq!(ids_of(&auth, "ada"), [kept.id()]);
            assert!(opened(&auth, &bob).is_some());
            audited(&world.db);
        });
    });
}

#[test]
fn s14_all_sessions_of_a_user_end_in_one_commit() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            let tokens: Vec<_> = (0..20).map(|_| sign_in(&auth, &ada()).0).collect();
            let (bob, session) = sign_in(&auth, &named("bob"));
            let before = world.faulty.calls();
            assert_eq!(auth.revoke_user("ada").await.expect("revoke"), 20);
            assert_eq!(
                world.faulty.calls() - before,
                3,
                "tags and roster are read, all is committed at once"
            );
            assert!(tokens.iter().all(|token| opened(&auth, token).is_none()));
            assert!(opened(&auth, &bob).is_some());
            audited(&world.db);
            assert_eq!(session.logout_everywhere().await.expect("logout"), 1);
            assert!(opened(&auth, &bob).is_none());
            assert!(raw(&*world.faulty).await.is_empty());
        });
    });
}

/// Two stores in step by replication keep the later of two rosters: a session may live and be in none.
#[test]
fn s14_the_end_of_all_ends_what_the_roster_lost() {
    for ending in ["revoke user", "everywhere", "others"] {
        grounds::each(|world| {
            block_on(async {
                let auth = auth(&world);
                let (kept, session) = sign_in(&auth, &ada());
                let (listed, _) = sign_in(&auth, &ada());
                let (bob, _) = sign_in(&auth, &named("bob"));
                let earlier = rosters(&world.db).await;
                let (lost, _) = sign_in(&auth, &ada());
                restore_rosters(&world.db, &earlier).await;
                assert_eq!(audit(&world.db).await, [format!("{} lives and is not listed", lost.id())]);
                let ended = match ending {
                    "revoke user" => auth.revoke_user("ada").await,
                    "everywhere" => session.logout_everywhere().await,
                    _ => session.logout_others().await,
                };
                let spared = ending == "others";
                assert_eq!(ended.expect(ending), 3 - u64::from(spared), "{ending}");
                assert!(opened(&auth, &lost).is_none() && opened(&auth, &listed).is_none(), "{ending}");
                assert_eq!(opened(&auth, &kept).is_some(), spared, "{ending}");
                assert!(opened(&auth, &bob).is_some());
                audited(&world.db);
            });
        });
    }
}

/// Nobody is signed in, so no version of a roster guards the end of all: who signs in meanwhile is before it or after it all the same.
#[test]
fn s14_a_first_login_and_the_end_of_all_do_not_race_past_each_other() {
    let count = every_schedule(|| {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let world = world_over(Arc::clone(&store) as Arc<dyn Store>);
        let auth = auth(&world);
        let (signs_in, ends) = (auth.clone(), auth.clone());
        let tasks: Vec<Task> = vec![
            Box::pin(async move { drop(signs_in.login(&ada()).await.expect("login")) }),
            Box::pin(async move { _ = ends.revoke_user("ada").await.expect("revoke") }),
        ];
        let check = Box::new(move || audited(&world.db));
        Meeting { store, tasks, check }
    });
    assert!(count >= 6, "{count} schedules");
}

/// A session that no roster lists, and a commit that fails or whose answer is lost: success is told of what has ended alone.
#[test]
fn s35_the_end_of_what_the_roster_lost_is_not_told_before_it_is_true() {
    block_on(async {
        for fault in Fault::ALL {
            for nth in 1..=3 {
                let world = world();
                let auth = auth(&world);
                let (lost, _) = sign_in(&auth, &ada());
                restore_rosters(&world.db, &[]).await;
                world.faulty.arm(nth, fault);
                let ended = auth.revoke_user("ada").await;
                assert_eq!(world.faulty.disarm(), 1, "{fault:?} at call {nth}");
                match ended {
                    Ok(ended) => assert_eq!((ended, opened(&auth, &lost).is_none()), (1, true), "{fault:?}"),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{fault:?}"),
                }
                auth.revoke_user("ada").await.expect("revoke");
                assert!(raw(&*world.faulty).await.is_empty(), "{fault:?} at call {nth}");
            }
        }
    });
}

#[test]
fn s14_everybodys_sessions_end() {
    grounds::each(|world| {
        block_on(async {
            let auth = auth(&world);
            for n in 0..70 {
                sign_in(&auth, &named(&format!("user {}", n % 20)));
            }
            assert_eq!(auth.revoke_all().await.expect("revoke"), 70);
            assert!(raw(&*world.faulty).await.is_empty(), "neither sessions nor rosters are left");
            assert_eq!(auth.revoke_all().await.expect("revoke"), 0);
        });
    });
}
