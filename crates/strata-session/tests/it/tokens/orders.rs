//! Every order in which the store calls and the network calls of two processes can meet, and drawn ones of three.

use std::sync::{Arc, Mutex};

use strata_core::conformance::{Fault, Stepped, Task, World, block_on, every_schedule, sampled_schedules};
use strata_core::{Error, ErrorKind, ReferenceStore, Store};
use strata_session::tokens::Tokens;

use super::{Scene, scene_in, whole};
use crate::world_over;

/// Processes whose access token is due, on one store, and what their calls came to.
struct Meeting {
    store: Arc<Stepped>,
    scene: Scene,
    said: Arc<Mutex<Vec<Said>>>,
}

/// An operation's name, and what it came to.
type Said = (&'static str, Result<String, Error>);

impl Meeting {
    fn new() -> Self {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let scene = scene_in(world_over(Arc::clone(&store) as Arc<dyn Store>)).due();
        Self { store, scene, said: Arc::default() }
    }

    /// An operation, by a process of its own unless it is `same`.
    fn task(&self, what: &'static str) -> Task {
        // `same` and `… here` are of one process.
        let here = what == "same" || what.ends_with("here");
        let tokens = if here { self.scene.tokens.clone() } else { self.scene.sibling() };
        let (said, server) = (Arc::clone(&self.said), Arc::clone(&self.scene.server));
        Box::pin(async move {
            let result = match what {
                "refresh" | "same" => tokens.access_token("ada").await.map(|token| token.expose().to_owned()),
                "clear" | "clear here" => tokens.clear("ada").await.map(|ended| ended.to_string()),
                "sign in" | "sign in here" => {
                    tokens.store("ada", server.sign_in()).await.map(|()| String::new())
                }
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
        of.map(|(_, result)| match result {
            Ok(text) => Ok(text.clone()),
            Err(error) => Err(error.kind()),
        })
        .collect()
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
        assert!(end.of("clear").into_iter().chain(end.of("clear here")).all(|cleared| cleared.is_ok()));
        for result in end.of("refresh").into_iter().chain(end.of("same")) {
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
    for pair in [&["refresh", "clear"], &["same", "clear here"]] {
        let count = meet(pair, over);
        assert!(count >= 100, "{count} schedules");
    }
    let drawn = sampled_schedules(13, 1000, || world_of(&["refresh", "clear", "refresh"], over));
    assert!(drawn >= 800, "{drawn} schedules");
}

/// A new sign-in stands, whole, whatever a refresh of the old tokens comes to.
#[test]
fn no_refresh_replaces_a_newer_sign_in() {
    fn stands(end: &Meeting) {
        assert!(end.of("sign in").into_iter().chain(end.of("sign in here")).all(|stored| stored.is_ok()));
        let serial = end.stored().expect("signed in");
        assert!((2..=4).contains(&serial), "{serial}");
        let info = block_on(end.fresh().info("ada")).expect("info").expect("signed in");
        // A refresh that begins after the sign-in finds its token fresh.
        assert_eq!(info.generation, 1, "a refresh of the old tokens took the place of the sign-in");
    }
    for pair in [&["refresh", "sign in"], &["same", "sign in here"]] {
        let count = meet(pair, stands);
        assert!(count >= 100, "{count} schedules");
    }
    let drawn = sampled_schedules(14, 1000, || world_of(&["refresh", "sign in", "refresh"], stands));
    assert!(drawn >= 800, "{drawn} schedules");
}

/// Sign-out, sign-in and refresh at once: signed in or out as those two say, and never mixed.
#[test]
fn sign_out_sign_in_and_refresh_do_not_mix() {
    let drawn = sampled_schedules(15, 1000, || {
        world_of(&["clear", "sign in", "refresh"], |end| {
            let info = block_on(end.fresh().info("ada")).expect("info");
            assert!(info.is_none_or(|info| info.generation == 1), "only a sign-in puts tokens there");
            end.stored();
            for result in end.of("refresh") {
                assert!(result.is_ok() || result == Err(ErrorKind::Gone), "{result:?}");
            }
        })
    });
    assert!(drawn >= 800, "{drawn} schedules");
}

/// One answer of the store is lost or one call fails, anywhere, while two processes meet. Whatever they are told, what is stored is whole,
/// and a process that starts afterwards goes on with a token that the server takes.
#[test]
fn lost_answers_among_two_processes_mix_nothing() {
    let faults = || Fault::ALL.into_iter().flat_map(|fault| (1..=16).map(move |nth| (fault, nth)));
    let mut tried = 0;
    for (fault, nth) in faults() {
        tried += sampled_schedules(nth, 40, || {
            let meeting = Meeting::new();
            meeting.scene.world.faulty.arm(nth, fault);
            let tasks = vec![meeting.task("refresh"), meeting.task("refresh")];
            meeting.world(tasks, |end| {
                end.scene.world.faulty.disarm();
                assert!(matches!(end.stored(), Some(1 | 2)), "whole, and not signed out");
                for result in end.of("refresh") {
                    match result {
                        Ok(token) => assert_eq!((token.as_str(), end.stored()), ("access-2", Some(2))),
                        Err(kind) => assert_eq!(kind, ErrorKind::Unavailable),
                    }
                }
                assert_eq!(super::text(&end.fresh(), "ada"), "access-2");
                assert_eq!((end.stored(), end.scene.server.present()), (Some(2), "refresh-2".to_owned()));
            })
        });
    }
    assert!(tried > 1500, "{tried} schedules");
}

/// The same with a sign-out: one that was acknowledged stands; one that was not can be repeated.
#[test]
fn s13_lost_answers_bring_back_nothing() {
    let mut tried = 0;
    for (fault, nth) in Fault::ALL.into_iter().flat_map(|fault| (1..=10).map(move |nth| (fault, nth))) {
        tried += sampled_schedules(nth, 40, || {
            let meeting = Meeting::new();
            meeting.scene.world.faulty.arm(nth, fault);
            let tasks = vec![meeting.task("refresh"), meeting.task("clear")];
            meeting.world(tasks, |end| {
                end.scene.world.faulty.disarm();
                let cleared = &end.of("clear")[0];
                assert!(cleared.is_err() || end.stored().is_none(), "acknowledged, and back again");
                block_on(end.fresh().clear("ada")).expect("clear");
                assert!(end.stored().is_none());
                let gone = block_on(end.fresh().access_token("ada")).expect_err("signed out");
                assert_eq!(gone.kind(), ErrorKind::Gone);
            })
        });
    }
    assert!(tried > 600, "{tried} schedules");
}
