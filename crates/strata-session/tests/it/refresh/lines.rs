//! Two clients, a lost answer and a revocation, in every order that can make a difference: exactly one live line or none remains (s23).
//!
//! An answer can be lost between the store and the server, and between the server and the client. Each client, and who revokes, is served by a
//! server process of its own, whose store loses the answer to one of its calls, each in turn.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use strata_core::conformance::{Fault, Faulty, Task, World, every_distinct_schedule};
use strata_core::{Clock, ErrorKind, Handle, Random, Store};
use strata_session::refresh::RefreshTokens;

use super::copy;
use super::orders::Meeting;

/// Whose store loses an answer, and which of its calls it is that of.
#[derive(Clone, Copy, Debug)]
enum Lost {
    Client(u64),
    Revocation(u64),
}

impl Meeting {
    /// A server process of its own, whose store loses the answer to its call of this number; zero: to none.
    fn process(&self, nth: u64) -> RefreshTokens {
        let faulty = Arc::new(Faulty::new(Arc::clone(&self.store) as Arc<dyn Store>));
        faulty.arm(nth, Fault::LostAnswer);
        let world = &self.ground.world;
        let db = Handle::builder(faulty, Arc::clone(&world.clock) as Arc<dyn Clock>);
        let db = db.random(Arc::clone(&world.random) as Arc<dyn Random>).build().expect("a handle");
        RefreshTokens::new(&db).expect("a manager")
    }

    /// A client with the first token, at this process, that rotates so many times. Of the first rotations it loses so many answers, and asks
    /// again each time.
    fn client_at(&self, tokens: RefreshTokens, mut lost: usize, rotations: usize) -> Task {
        let (said, mut token) = (Arc::clone(&self.said), copy(&self.first));
        Box::pin(async move {
            let mut left = rotations;
            while left > 0 {
                let Some(next) = said.rotate(&tokens, &token).await else { return };
                if lost > 0 {
                    lost -= 1;
                    continue;
                }
                said.handed.lock().expect("lock").push(copy(&next));
                (token, left) = (next, left - 1);
            }
        })
    }

    /// A revocation at this process, which is not tried again.
    fn revocation_at(&self, tokens: RefreshTokens) -> Task {
        let (said, id) = (Arc::clone(&self.said), self.first.family());
        Box::pin(async move {
            match tokens.revoke(id).await {
                Ok(_) => said.over.store(true, Ordering::SeqCst),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
            }
        })
    }
}

/// One line or none; none after a revocation that was acknowledged, or where a token was used behind the line.
fn one_or_none(end: &Meeting) {
    let lives = end.one_line_or_none();
    let [over, misused] = [&end.said.over, &end.said.misused].map(|flag| flag.load(Ordering::SeqCst));
    assert!(!(lives && over), "revoked, and alive");
    assert!(!(lives && misused), "misused, and alive");
}

fn lost_by_the_store(lost: Lost) -> World {
    let meeting = Meeting::new(100);
    let (client, revocation) = match lost {
        Lost::Client(nth) => (nth, 0),
        Lost::Revocation(nth) => (0, nth),
    };
    let tasks = vec![
        meeting.client_at(meeting.process(client), 0, 1),
        meeting.client_at(meeting.process(0), 0, 1),
        meeting.revocation_at(meeting.process(revocation)),
    ];
    meeting.world(tasks, one_or_none)
}

#[test]
fn s23_two_clients_a_lost_answer_of_the_store_and_a_revocation() {
    let lost = (1..=4).map(Lost::Client).chain((1..=3).map(Lost::Revocation));
    let count: usize = lost.map(|lost| every_distinct_schedule(|| lost_by_the_store(lost))).sum();
    assert_eq!(count, 574, "schedules");
}

/// The answer to a client is lost on the network: it asks again, and goes on with what it gets; the other is a copy of it, or a thief.
#[test]
fn s23_two_clients_a_lost_answer_of_the_server_and_an_ending() {
    for ([rotations, others], ending, all) in [
        ([1, 1], "revoke", 124),
        ([1, 1], "revoke user", 124),
        ([1, 1], "end", 124),
        ([2, 1], "revoke", 382),
        ([2, 2], "revoke", 1107),
    ] {
        let count = every_distinct_schedule(|| {
            let meeting = Meeting::new(100);
            let tasks = vec![
                meeting.client_at(meeting.process(0), 1, rotations),
                meeting.client_at(meeting.process(0), 0, others),
                meeting.ending(ending),
            ];
            meeting.world(tasks, |end| assert!(!end.one_line_or_none(), "it was ended"))
        });
        assert_eq!(count, all, "schedules of {rotations} and {others} rotations and `{ending}`");
    }
}

/// Without a revocation, each client going on with what it gets: a line lives unless one of them was behind it.
#[test]
fn s23_two_clients_and_a_lost_answer_of_the_server() {
    let count = every_distinct_schedule(|| {
        let meeting = Meeting::new(100);
        let tasks =
            vec![meeting.client_at(meeting.process(0), 1, 2), meeting.client_at(meeting.process(0), 0, 2)];
        meeting.world(tasks, |end| {
            let misused = end.said.misused.load(Ordering::SeqCst);
            assert_eq!(end.one_line_or_none(), !misused, "it ends by misuse, and by it only");
        })
    });
    assert_eq!(count, 42, "schedules");
}
