//! Every order in which the store calls and the network calls of two processes can meet, and drawn ones of three.

use std::sync::{Arc, Mutex};

use strata_core::conformance::{Stepped, Task, World, block_on, every_schedule, sampled_schedules};
use strata_core::{Error, ErrorKind, ReferenceStore, Store};
use strata_session::tokens::Tokens;

use super::{Scene, scene_in, whole};
use crate::world_over;

/// Processes whose access token is due, on one store, and what their calls came to.
struct Meeting {
    store: Arc<Stepped>,
    scene: Scene,
    said: Arc<Mutex<Vec<(&'static str, Result<String, Error>)>>>,
}

impl Meeting {
    fn new() -> Self {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let scene = scene_in(world_over(Arc::clone(&store) as Arc<dyn Store>)).due();
        Self { store, scene, said: Arc::default() }
    }

    /// An operation, by a process of its own unless it is `same`.
    fn task(&self, what: &'static str) -> Task {
        let tokens = if what == "same" { self.scene.tokens.clone() } else { self.scene.sibling() };
        let (said, server) = (Arc::clone(&self.said), Arc::clone(&self.scene.server));
        Box::pin(async move {
            let result = match what {
                "refresh" | "same" => tokens.access_token("ada").await.map(|token| token.expose().to_owned()),
                "clear" => tokens.clear("ada").await.map(|ended| ended.to_string()),
                "sign in" => tokens.store("ada", server.sign_in()).await.map(|()| String::new()),
                _ => unreachable!("no operation `{what}`"),
            };
            said.lock().expect("lock").push((what, result));
        })
    }

    fn world(self, tasks: Vec<Task>, check: impl FnOnce(&Self) + 'static) -> World {
        World { store: Arc::clone(&self.store), tasks, check: Box::new(move || check(&self)) }
    }

    /// What the operations of this name came to.
    fn of(&self, what: &str) -> Vec<Result<String, ErrorKind>> {
        let said = self.said.lock().expect("lock");
        let of = said.iter().filter(|(name, _)| *name == what);
        of.map(|(_, result)| result.as_ref().map(Clone::clone).map_err(Error::kind)).collect()
    }

    fn fresh(&self) -> Tokens {
        self.scene.sibling()
    }

    /// What the store holds, as a process that starts now finds it.
    fn stored(&self) -> Option<u32> {
        whole(&self.fresh(), &*self.store, "ada")
    }

    /// Sends what is queued, and says what the server has revoked by then.
    fn revoked(&self) -> Vec<String> {
        self.scene.advance(super::SECOND);
        block_on(self.fresh().revoke_pending()).expect("drain");
        self.scene.server.state().revoked.clone()
    }
}

fn world_of(operations: &'static [&'static str], check: fn(&Meeting)) -> World {
    let meeting = Meeting::new();
    let tasks = operations.iter().map(|operation| meeting.task(operation)).collect();
    meeting.world(tasks, check)
}

fn meet(operations: &'static [&'static str], check: fn(&Meeting)) -> usize {
    every_schedule(|| world_of(operations, check))
}

/// Both get a token, of one generation that the store holds whole; the rotated refresh token is the server's present one.
fn refreshed(end: &Meeting) {
    for token in end.of("refresh").into_iter().chain(end.of("same")) {
        assert_eq!(token.expect("a token"), "access-2");
    }
    assert_eq!(end.stored(), Some(2));
    assert_eq!(end.scene.server.present(), "refresh-2", "what the store holds can be exchanged");
}

#[test]
fn two_callers_of_one_process_are_one_call() {
    let count = meet(&["same", "same"], |end| {
        refreshed(end);
        assert_eq!(end.scene.server.refreshes(), 1);
    });
    assert!(count >= 100, "{count} schedules");
}

#[test]
fn two_processes_end_in_one_generation() {
    let count = meet(&["refresh", "refresh"], |end| {
        refreshed(end);
        assert!(end.scene.server.refreshes() <= 2, "at most one call each");
    });
    assert!(count >= 10_000, "{count} schedules");
}

/// While the holder of the lease gets on, the sibling's waiting is over with the holder's call, and there is one call.
#[test]
fn a_sibling_adopts_what_was_obtained() {
    let meeting = Meeting::new();
    let (one, two) = (meeting.fresh(), meeting.fresh());
    assert_eq!(super::text(&one, "ada"), "access-2");
    assert_eq!(super::text(&two, "ada"), "access-2");
    assert_eq!(meeting.scene.server.refreshes(), 1);
}

/// After a sign-out nothing is there and nothing comes back, and the server is told of whatever it gave meanwhile.
#[test]
fn s13_no_refresh_brings_back_what_was_cleared() {
    fn over(end: &Meeting) {
        assert!(end.stored().is_none(), "signed out");
        assert!(end.of("clear")[0].is_ok());
        for result in end.of("refresh") {
            assert!(matches!(result.as_deref(), Ok("access-2") | Err(ErrorKind::Gone)), "{result:?}");
        }
        let present = end.scene.server.present();
        let refreshes = end.scene.server.refreshes();
        let revoked = end.revoked();
        assert!(revoked.contains(&present), "{present} after {refreshes} refreshes, of {revoked:?}");
        let fresh = end.fresh();
        let after = block_on(fresh.access_token("ada")).expect_err("signed out");
        assert_eq!(after.kind(), ErrorKind::Gone);
        assert_eq!(end.scene.server.refreshes(), refreshes, "and nobody asks any more");
    }
    let count = meet(&["refresh", "clear"], over);
    assert!(count >= 100, "{count} schedules");
    let drawn = sampled_schedules(13, 4000, || world_of(&["refresh", "clear", "refresh"], over));
    assert!(drawn >= 2500, "{drawn} schedules");
}

/// A new sign-in stands, whole, whatever a refresh of the old tokens comes to.
#[test]
fn no_refresh_replaces_a_newer_sign_in() {
    fn stands(end: &Meeting) {
        assert!(end.of("sign in")[0].is_ok());
        let serial = end.stored().expect("signed in");
        assert!((2..=4).contains(&serial), "{serial}");
        let info = block_on(end.fresh().info("ada")).expect("info").expect("signed in");
        // A refresh that begins after the sign-in finds its token fresh.
        assert_eq!(info.generation, 1, "a refresh of the old tokens took the place of the sign-in");
    }
    let count = meet(&["refresh", "sign in"], stands);
    assert!(count >= 100, "{count} schedules");
    let drawn = sampled_schedules(14, 4000, || world_of(&["refresh", "sign in", "refresh"], stands));
    assert!(drawn >= 2500, "{drawn} schedules");
}

/// Sign-out, sign-in and refresh at once: signed in or out as those two say, and never mixed.
#[test]
fn sign_out_sign_in_and_refresh_do_not_mix() {
    let drawn = sampled_schedules(15, 4000, || {
        world_of(&["clear", "sign in", "refresh"], |end| {
            let info = block_on(end.fresh().info("ada")).expect("info");
            assert!(info.is_none_or(|info| info.generation == 1), "only a sign-in puts tokens there");
            end.stored();
            for result in end.of("refresh") {
                assert!(result.is_ok() || result == Err(ErrorKind::Gone), "{result:?}");
            }
        })
    });
    assert!(drawn >= 2500, "{drawn} schedules");
}
