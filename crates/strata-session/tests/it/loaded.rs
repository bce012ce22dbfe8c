//! Sessions with what one read found: one read, one commit, and nothing lost, forged or brought back.

use std::sync::{Arc, Mutex};

use strata_core::conformance::{Stepped, Task, World as Scene, block_on, every_distinct_schedule};
use strata_core::{ErrorKind, ReferenceStore, Store};
use strata_session::SessionToken;
use strata_session::auth::{AuthSessions, User};

use crate::{MINUTE, created, kind_of, opened, raw, world, world_over};

#[test]
fn several_values_change_in_one_commit() {
    block_on(async {
        let world = world();
        let (_, session) = world.sessions.create().await.expect("create");
        let before = world.faulty.calls();
        let count = session
            .edit(|edit| {
                edit.set("a", &1_u32)?;
                edit.update("b", |b: Option<u32>| Some(b.unwrap_or(0) + 2))?;
                assert_eq!(edit.get::<u32>("a")?, Some(1), "what was changed is seen");
                Ok(edit.list().len())
            })
            .await
            .expect("edit");
        assert_eq!((count, world.faulty.calls() - before), (2, 2), "a read and a commit");
        let refused = session.edit(|edit| {
            edit.set("a", &9_u32)?;
            edit.set("", &0_u32)
        });
        assert_eq!(kind_of(refused.await), ErrorKind::Invalid);
        assert_eq!(session.get::<u32>("a").await.expect("get"), Some(1), "what is refused is not written");
        let hidden = session.edit(|edit| edit.set("~own", &1_u32));
        assert_eq!(kind_of(hidden.await), ErrorKind::Invalid, "names of Strata's own are out of reach");
    });
}

#[test]
fn a_session_begins_with_its_first_value_or_not_at_all() {
    block_on(async {
        let world = world();
        let (token, _) = world.sessions.create_with(|edit| edit.set("n", &1_u32)).await.expect("create");
        assert_eq!(world.faulty.calls(), 1, "one commit");
        let session = opened(&world.sessions, &token).expect("alive");
        assert_eq!(session.get::<u32>("n").await.expect("get"), Some(1));
        let refused = world.sessions.create_with(|edit| edit.set("", &1_u32)).await;
        assert_eq!(kind_of(refused), ErrorKind::Invalid);
        assert_eq!(raw(&*world.faulty).await.len(), 1);
    });
}

#[test]
fn a_request_costs_one_read_and_one_commit() {
    block_on(async {
        let world = world();
        let (token, session) = created(&world.sessions);
        session.set("n", &1_u32).await.expect("set");
        let before = world.faulty.calls();
        let mut loaded = world.sessions.load(&token).await.expect("load").expect("alive");
        assert_eq!(loaded.draft().get::<u32>("n").expect("get"), Some(1));
        loaded.draft_mut().update("n", |n: Option<u32>| n.map(|n| n + 1)).expect("update");
        loaded.draft_mut().set("m", &5_u32).expect("set");
        assert_eq!(session.get::<u32>("m").await.expect("get"), None, "nothing is stored before the commit");
        loaded.commit().await.expect("commit");
        loaded.commit().await.expect("nothing to do");
        assert_eq!(world.faulty.calls() - before, 3, "one read and one commit, beside the look above");
        assert_eq!(session.get::<u32>("n").await.expect("get"), Some(2));
        loaded.draft_mut().set("m", &5_u32).expect("set");
        assert!(!loaded.draft().is_changed(), "no change");
    });
}

#[test]
fn a_change_of_a_loaded_session_keeps_its_cap_and_renews_its_idle_time() {
    block_on(async {
        let world = world();
        let (token, session) = created(&world.sessions);
        let cap = session.info().await.expect("info").expiry.not_after();
        world.clock.advance(20 * MINUTE);
        let mut loaded = world.sessions.load_quietly(&token).await.expect("load").expect("alive");
        loaded.draft_mut().set("n", &1_u32).expect("set");
        loaded.commit().await.expect("commit");
        world.clock.advance(20 * MINUTE);
        assert_eq!(session.info().await.expect("alive").expiry.not_after(), cap);
        assert!(world.sessions.load_quietly(&token).await.expect("load").is_some());
        world.clock.advance(10 * MINUTE);
        assert!(world.sessions.load(&token).await.expect("load").is_none(), "a quiet look was no activity");
    });
}

#[test]
fn s13_a_loaded_session_that_has_ended_is_not_brought_back() {
    block_on(async {
        let world = world();
        let (token, session) = created(&world.sessions);
        let mut loaded = world.sessions.load(&token).await.expect("load").expect("alive");
        loaded.draft_mut().set("n", &1_u32).expect("set");
        session.destroy().await.expect("destroy");
        assert_eq!(kind_of(loaded.commit().await), ErrorKind::Gone);
        assert!(raw(&*world.faulty).await.is_empty());
    });
}

#[test]
fn s04_a_loaded_session_whose_token_was_replaced_writes_nothing() {
    block_on(async {
        let world = world();
        let (token, mut session) = created(&world.sessions);
        let mut loaded = world.sessions.load(&token).await.expect("load").expect("alive");
        loaded.draft_mut().set("n", &1_u32).expect("set");
        let fresh = session.rotate().await.expect("rotate");
        assert_eq!(kind_of(loaded.commit().await), ErrorKind::Gone);
        assert!(world.sessions.load(&token).await.expect("load").is_none());
        let found = world.sessions.load(&fresh).await.expect("load").expect("alive");
        assert_eq!(found.draft().get::<u32>("n").expect("get"), None);
        assert!(world.sessions.load_quietly(&token).await.expect("load").is_none());
    });
}

/// Three requests that have read the same version, and one that ends or rotates the session.
#[test]
fn commits_of_loaded_sessions_lose_nothing_in_any_order() {
    let count = every_distinct_schedule(|| {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let world = world_over(Arc::clone(&store) as Arc<dyn Store>);
        let (token, _) = created(&world.sessions);
        let token = Arc::new(token);
        let tasks = (0..3).map(|_| adding(&world.sessions, &token)).collect();
        let sessions = world.sessions;
        let check = Box::new(move || {
            let session = opened(&sessions, &token).expect("alive");
            assert_eq!(block_on(session.get::<u32>("n")).expect("get"), Some(3));
        });
        Scene { store, tasks, check }
    });
    assert!(count >= 20, "{count} schedules");
}

fn adding(sessions: &strata_session::Sessions, token: &Arc<SessionToken>) -> Task {
    let (sessions, token) = (sessions.clone(), Arc::clone(token));
    Box::pin(async move {
        let mut loaded = sessions.load(&token).await.expect("load").expect("alive");
        loaded.draft_mut().update("n", |n: Option<u32>| Some(n.unwrap_or(0) + 1)).expect("update");
        loaded.commit().await.expect("commit");
        let seen = loaded.draft().get::<u32>("n").expect("get");
        assert!(seen.is_some_and(|n| n <= 3), "what was stored is what is seen");
    })
}

/// A new token and values in one commit: in every order with another's change both are there.
#[test]
fn a_new_token_takes_changes_along() {
    let count = every_distinct_schedule(|| {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let world = world_over(Arc::clone(&store) as Arc<dyn Store>);
        let (token, session) = created(&world.sessions);
        let mut loaded = block_on(world.sessions.load(&token)).expect("load").expect("alive");
        loaded.draft_mut().set("a", &1_u32).expect("set");
        let given = Arc::new(Mutex::new(None));
        let (giving, set) = (Arc::clone(&given), Arc::new(Mutex::new(false)));
        let setting = Arc::clone(&set);
        let rotate: Task = Box::pin(async move {
            let token = loaded.rotate().await.expect("rotate");
            *giving.lock().expect("lock") = Some(token);
        });
        let other: Task = Box::pin(async move {
            *setting.lock().expect("lock") = session.set("b", &1_u32).await.is_ok();
        });
        let check = Box::new(move || {
            let token = given.lock().expect("lock").take().expect("rotated");
            let session = opened(&world.sessions, &token).expect("alive");
            assert_eq!(block_on(session.get::<u32>("a")).expect("get"), Some(1));
            let there = block_on(session.get::<u32>("b")).expect("get").is_some();
            assert_eq!(there, *set.lock().expect("lock"), "acknowledged and there, or neither");
        });
        Scene { store, tasks: vec![rotate, other], check }
    });
    assert!(count >= 3, "{count} schedules");
}

#[test]
fn a_loaded_user_is_judged_by_that_read() {
    block_on(async {
        let world = world();
        let users: AuthSessions = AuthSessions::new(&world.db).expect("a manager");
        let (token, mut session) = users.login(&User::new("ada").role("reader")).await.expect("login");
        let before = world.faulty.calls();
        let mut loaded = users.load(&token).await.expect("load").expect("alive");
        assert!(loaded.has_role("reader") && !loaded.has_permission("write") && loaded.user_id() == "ada");
        assert_eq!(loaded.require_fresh(MINUTE).expect("fresh").user(), "ada");
        assert!(!loaded.is_touch_due() && loaded.info().current);
        assert_eq!(world.faulty.calls() - before, 1, "one read for all of it");
        world.clock.advance(30 * MINUTE);
        assert!(loaded.is_touch_due());
        assert_eq!(kind_of(loaded.require_fresh(MINUTE)), ErrorKind::StepUp);
        loaded.draft_mut().set("n", &1_u32).expect("set");
        let fresh =
            session.change_user(|user| _ = user.roles.insert("admin".to_owned())).await.expect("change");
        assert_eq!(kind_of(loaded.reload().await), ErrorKind::Gone, "the token was replaced");
        assert_eq!(kind_of(loaded.commit().await), ErrorKind::Gone);
        let mut loaded = users.load(&fresh).await.expect("load").expect("alive");
        loaded.draft_mut().set("n", &2_u32).expect("set");
        session.set("m", &3_u32).await.expect("set");
        loaded.reload().await.expect("reload");
        assert_eq!(loaded.draft().get::<u32>("m").expect("get"), Some(3));
        loaded.commit().await.expect("commit");
        assert_eq!(session.get::<u32>("n").await.expect("get"), Some(2));
        assert!(session.has_role("admin").await.expect("role"), "a change of values leaves the user alone");
        assert!(users.load(&token).await.expect("load").is_none());
        session.logout().await.expect("logout");
        assert!(users.load(&fresh).await.expect("load").is_none());
    });
}
