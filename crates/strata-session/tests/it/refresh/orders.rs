//! Every order in which the store calls of a few operations can meet (s13, s23): clients, a thief, retries, revocations, sign-ins.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use strata_core::conformance::{
    Fault, Faulty, Stepped, Task, World, block_on, every_distinct_schedule, every_schedule,
};
use strata_core::{ErrorKind, ReferenceStore, Store};
use strata_session::refresh::{RefreshToken, RefreshTokens, Rotation, Verdict};

use super::{Ground, SECOND, copy, ground_in, same};
use crate::{grounds, world_over};

/// A family that several operations meet on, and what became of them.
pub(super) struct Meeting {
    pub(super) store: Arc<Stepped>,
    answers: Arc<Faulty>,
    pub(super) ground: Ground,
    pub(super) first: RefreshToken,
    pub(super) said: Arc<Said>,
}

#[derive(Default)]
pub(super) struct Said {
    /// Every token that was handed out.
    pub(super) handed: Mutex<Vec<RefreshToken>>,
    /// An ending has been acknowledged.
    pub(super) over: AtomicBool,
    /// A token was refused as misused, or a logout met one.
    pub(super) misused: AtomicBool,
    rotations: Mutex<u32>,
}

impl Meeting {
    pub(super) fn new(limit: usize) -> Self {
        let answers = Arc::new(Faulty::new(Arc::new(ReferenceStore::new()) as Arc<dyn Store>));
        let store = Stepped::over(Arc::clone(&answers) as _);
        let world = world_over(Arc::clone(&store) as Arc<dyn Store>);
        let ground = ground_in(world, |builder| builder.max_families(limit));
        let first = ground.issue("ada");
        Self { store, answers, ground, first, said: Arc::default() }
    }

    /// Somebody who has the first token, and rotates it and then each successor, so many times. An error is answered by another try.
    pub(super) fn client(&self, rotations: usize) -> Task {
        let (tokens, said) = (self.ground.tokens.clone(), Arc::clone(&self.said));
        let mut token = copy(&self.first);
        Box::pin(async move {
            for _ in 0..rotations {
                let Some(next) = said.rotate(&tokens, &token).await else { return };
                said.handed.lock().expect("lock").push(copy(&next));
                token = next;
            }
        })
    }

    /// What ends the family, and is not taken back.
    pub(super) fn ending(&self, what: &'static str) -> Task {
        let (tokens, said, first) = (self.ground.tokens.clone(), Arc::clone(&self.said), copy(&self.first));
        Box::pin(async move {
            match what {
                "revoke" => drop(tokens.revoke(first.family()).await.expect("revoke")),
                "revoke user" => drop(tokens.revoke_user("ada").await.expect("revoke")),
                "revoke all" => drop(tokens.revoke_all().await.expect("revoke")),
                "end" => drop(tokens.end(&first).await.expect("end")),
                "issue" => {
                    let (token, _) = tokens.issue("ada", "tablet").await.expect("issue");
                    said.handed.lock().expect("lock").push(token);
                }
                _ => unreachable!("no ending `{what}`"),
            }
            said.over.store(true, Ordering::SeqCst);
        })
    }

    pub(super) fn world(self, tasks: Vec<Task>, check: impl FnOnce(&Self) + 'static) -> World {
        World { store: Arc::clone(&self.store), tasks, check: Box::new(move || check(&self)) }
    }

    /// The tokens of the family that are known to anybody, each once.
    fn known(&self) -> Vec<RefreshToken> {
        let handed = self.said.handed.lock().expect("lock");
        let mut texts: Vec<_> = handed
            .iter()
            .chain([&self.first])
            .filter(|token| token.family() == self.first.family())
            .map(|token| token.expose().to_string())
            .collect();
        texts.sort();
        texts.dedup();
        texts.iter().map(|text| RefreshToken::parse(text).expect("a token")).collect()
    }

    /// What has to hold in the end: the family has exactly one live token among all that were handed out, or has ended and has none; and
    /// every other token is refused. Says whether it lives.
    pub(super) fn one_line_or_none(&self) -> bool {
        let lives = self.ground.list("ada").iter().any(|family| family.id == self.first.family());
        self.ground.agrees(&["ada"]);
        self.ground.advance(11 * SECOND);
        let opens =
            |token: &RefreshToken| block_on(self.ground.tokens.inspect(token)).expect("inspect").is_some();
        let (good, bad): (Vec<_>, Vec<_>) = self.known().into_iter().partition(opens);
        assert_eq!(good.len(), usize::from(lives), "exactly one live line or none");
        if let Some(good) = good.first() {
            let next = self.ground.rotated(good);
            assert!(opens(&next), "the line goes on");
        }
        for token in &bad {
            self.ground.rotate(token).granted().expect_err("handed out, and not of the line");
        }
        if !bad.is_empty() {
            assert!(good.iter().all(|token| !opens(token)), "a token of another line ends the family");
        }
        self.ground.agrees(&["ada"]);
        lives
    }
}

impl Said {
    /// One rotation as a client makes it: tried again when the store fails. Nobody is granted anything after the family has ended.
    pub(super) async fn rotate(&self, tokens: &RefreshTokens, token: &RefreshToken) -> Option<RefreshToken> {
        let late = self.over.load(Ordering::SeqCst);
        let rotation = loop {
            match tokens.rotate(token).await {
                Ok(rotation) => break rotation,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
            }
        };
        match rotation {
            Rotation::Rotated { token, .. } => {
                assert!(!late, "rotated after the family had ended");
                *self.rotations.lock().expect("lock") += 1;
                Some(token)
            }
            Rotation::Retried { token, .. } => {
                assert!(!late, "retried after the family had ended");
                Some(token)
            }
            Rotation::Refused(verdict) => {
                assert!(!late || verdict == Verdict::Unknown, "{verdict} of a family that had ended");
                self.misused.fetch_or(verdict.ends_family(), Ordering::SeqCst);
                None
            }
        }
    }
}

fn world_of(clients: &[usize], endings: &[&'static str], check: fn(&Meeting)) -> World {
    let meeting = Meeting::new(100);
    let clients = clients.iter().map(|rotations| meeting.client(*rotations));
    let tasks = clients.chain(endings.iter().map(|what| meeting.ending(what))).collect();
    meeting.world(tasks, check)
}

/// Runs these clients and endings in every order.
fn meet(clients: &[usize], endings: &[&'static str], check: fn(&Meeting)) -> usize {
    every_schedule(|| world_of(clients, endings, check))
}

/// The same in every order that can make a difference, where there are many.
fn meet_distinctly(clients: &[usize], endings: &[&'static str], check: fn(&Meeting)) -> usize {
    every_distinct_schedule(|| world_of(clients, endings, check))
}

/// Two tabs with one token: both go on with the same successor, one rotation was made, and nobody is signed out.
#[test]
fn s23_two_clients_with_one_token_share_one_line() {
    let count = meet(&[1, 1], &[], |end| {
        assert!(end.one_line_or_none_after_equal_answers());
    });
    assert!(count >= 20, "{count} schedules");
    let count = meet_distinctly(&[1, 1, 1], &[], |end| {
        assert!(end.one_line_or_none_after_equal_answers());
    });
    assert_eq!(count, 66, "schedules");
}

impl Meeting {
    /// All were handed the same token, by one rotation.
    fn one_line_or_none_after_equal_answers(&self) -> bool {
        assert_eq!(*self.said.rotations.lock().expect("lock"), 1, "one rotation, the rest are retries");
        assert_eq!(self.known().len(), 2, "one successor for all");
        assert!(!self.said.misused.load(Ordering::SeqCst));
        self.one_line_or_none()
    }
}

/// A client and a thief who copied its token, each going on with what it gets: one line, or, where one used a token behind the
/// other, none.
#[test]
fn s23_a_client_and_a_thief_have_one_line_or_none() {
    for (clients, least) in [(&[2, 1][..], 61), (&[2, 2], 270), (&[3, 2], 965)] {
        let count = meet(clients, &[], |end| {
            let lives = end.one_line_or_none();
            assert_eq!(lives, !end.said.misused.load(Ordering::SeqCst), "it ends by misuse, and by it only");
        });
        assert!(count >= least, "{clients:?}: {count} schedules");
    }
}

/// Whatever ends a family, nothing in flight brings it back, and whoever comes later is refused.
#[test]
fn s13_a_family_that_was_ended_stays_ended() {
    fn over(end: &Meeting) {
        assert!(!end.one_line_or_none(), "it has ended");
    }
    for (ending, least) in [("revoke", 35), ("end", 35), ("revoke user", 20), ("revoke all", 70)] {
        let count = meet(&[1], &[ending], over);
        assert!(count >= least, "{ending}: {count} schedules");
    }
    for (clients, endings, all) in [
        (&[1, 1][..], &["revoke"][..], 82),
        (&[1, 1], &["revoke user"], 82),
        (&[2], &["revoke", "revoke user"], 254),
        // A client, a thief with its token, and a revocation.
        (&[2, 2], &["revoke"], 808),
        (&[2, 2], &["revoke all"], 2311),
    ] {
        let count = meet_distinctly(clients, endings, over);
        assert_eq!(count, all, "schedules of {clients:?} {endings:?}");
    }
}

/// Two clients with one token, an answer that is lost, and the retry: in every order, the answer lost being that of every call in turn,
/// before and after it was made. With a revocation: `lines`.
#[test]
fn s23_clients_lost_answers_and_retries_in_every_order() {
    let mut total = 0;
    for fault in [Fault::LostAnswer, Fault::Unavailable] {
        for nth in 1..=5 {
            total += every_schedule(|| {
                let meeting = Meeting::new(100);
                meeting.answers.arm(nth, fault);
                let tasks = vec![meeting.client(1), meeting.client(1)];
                meeting.world(tasks, |end| {
                    end.answers.disarm();
                    assert!(end.one_line_or_none_after_retries());
                })
            });
        }
    }
    assert!(total >= 422, "{total} schedules");
}

impl Meeting {
    /// All have the same token in the end, whoever's rotation or retry it came from.
    fn one_line_or_none_after_retries(&self) -> bool {
        assert_eq!(self.known().len(), 2, "one successor for all");
        assert!(!self.said.misused.load(Ordering::SeqCst));
        self.one_line_or_none()
    }
}

/// The limit holds under sign-ins at once, and the family that has to go is gone for good, whatever it does meanwhile.
#[test]
fn s15_the_limit_holds_under_sign_ins_at_once() {
    let count = every_schedule(|| {
        let meeting = Meeting::new(1);
        let tasks = vec![meeting.ending("issue"), meeting.client(1)];
        meeting.world(tasks, |end| {
            assert!(!end.one_line_or_none(), "it made room");
            assert_eq!(end.ground.list("ada").len(), 1);
        })
    });
    assert!(count >= 35, "{count} schedules");
    let count = every_schedule(|| {
        let meeting = Meeting::new(1);
        let tasks = vec![meeting.sign_in(), meeting.sign_in()];
        meeting.world(tasks, |end| {
            assert_eq!(end.ground.list("ada").len(), 1, "one is left of three");
            end.ground.agrees(&["ada"]);
        })
    });
    assert!(count >= 70, "{count} schedules");
}

/// A sign-in and the end of all of a user's: it is ended, or it begins afterwards and lives; never half.
#[test]
fn s14_a_sign_in_meets_the_end_of_all() {
    let count = every_schedule(|| {
        let meeting = Meeting::new(100);
        let tasks = vec![meeting.sign_in(), meeting.ending("revoke user")];
        meeting.world(tasks, |end| {
            assert!(end.ground.list("ada").len() <= 1);
            assert!(!end.one_line_or_none(), "the one before was ended");
        })
    });
    assert!(count >= 20, "{count} schedules");
    let count = every_schedule(|| {
        let meeting = Meeting::new(100);
        let tasks = vec![meeting.sign_in(), meeting.ending("revoke all")];
        meeting.world(tasks, |end| {
            assert!(!end.one_line_or_none(), "the one before was ended");
        })
    });
    assert!(count >= 70, "{count} schedules");
}

impl Meeting {
    fn sign_in(&self) -> Task {
        let tokens = self.ground.tokens.clone();
        Box::pin(async move { drop(tokens.issue("ada", "tablet").await.expect("issue")) })
    }
}

/// The same with real threads, over each store: one rotation, and the same successor for all.
#[test]
fn s23_many_threads_with_one_token_share_one_line() {
    grounds::each(|world| {
        let ground = ground_in(world, |builder| builder);
        let mut token = ground.issue("ada");
        for round in 1..=5 {
            let rotate = || block_on(ground.tokens.rotate(&token)).expect("rotate");
            let rotations: Vec<_> = thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(rotate)).collect();
                threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
            });
            let made = rotations.iter().filter(|rotation| matches!(rotation, Rotation::Rotated { .. }));
            assert_eq!(made.count(), 1, "one was made, the rest are retries");
            let tokens: Vec<_> =
                rotations.into_iter().map(|rotation| rotation.granted().expect("granted").0).collect();
            assert!(tokens.iter().all(|token| same(token, &tokens[0])));
            assert_eq!(ground.list("ada")[0].generation, round);
            token = copy(&tokens[0]);
        }
    });
}

/// Rotations and an end of all at once, with real threads: nothing is left, and nothing comes back.
#[test]
fn s13_threads_that_rotate_do_not_outlive_a_revocation() {
    grounds::each(|world| {
        let ground = ground_in(world, |builder| builder);
        let firsts: Vec<_> = (0..6).map(|_| ground.issue("ada")).collect();
        let until_refused = |first: &RefreshToken| {
            let mut token = copy(first);
            while let Ok((next, _)) = block_on(ground.tokens.rotate(&token)).expect("rotate").granted() {
                token = next;
            }
        };
        thread::scope(|scope| {
            for first in &firsts {
                scope.spawn(|| until_refused(first));
            }
            assert_eq!(block_on(ground.tokens.revoke_user("ada")).expect("revoke"), 6);
        });
        assert!(ground.list("ada").is_empty());
        ground.agrees(&["ada"]);
    });
}
