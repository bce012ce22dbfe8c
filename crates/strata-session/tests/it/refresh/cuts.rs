//! Callers that give up at any point (s23, s35): the future of each operation is dropped at each poll, before and after each store call.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use strata_core::conformance::block_on;
use strata_core::{Batch, Capabilities, Committed, Key, Page, Record, ReferenceStore, Result, Scan, Store};
use strata_session::refresh::{RefreshToken, Verdict};

use super::{Ground, SECOND, ground_over, same};

/// A store whose calls rest once before they are made and once after, so that they can be given up at either point.
#[derive(Debug)]
struct Resting {
    inner: ReferenceStore,
    rests: AtomicBool,
}

impl Resting {
    async fn rest(&self) {
        let mut rest = self.rests.load(Ordering::SeqCst);
        poll_fn(|_| if std::mem::take(&mut rest) { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for Resting {
    async fn get(&self, key: &Key) -> Result<Option<Record>> {
        self.rest().await;
        let answer = self.inner.get(key).await;
        self.rest().await;
        answer
    }

    async fn commit(&self, batch: Batch) -> Result<Committed> {
        self.rest().await;
        let answer = self.inner.commit(batch).await;
        self.rest().await;
        answer
    }

    async fn scan(&self, scan: Scan) -> Result<Page> {
        self.rest().await;
        let answer = self.inner.scan(scan).await;
        self.rest().await;
        answer
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

impl fmt::Display for Resting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resting({})", self.inner)
    }
}

/// Polls a future this often and drops it. Says whether it had ended by then.
fn cut<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
    }
    None
}

/// Prepares, acts with the store resting until after so many polls, and checks; for each number of polls until the action ends by
/// itself. Says how many cuts there were.
fn each_cut<T, P>(
    prepare: impl Fn(&Ground) -> P,
    act: &impl AsyncFn(&Ground, &P) -> T,
    check: impl Fn(&Ground, &P),
) -> usize {
    for polls in 0.. {
        let store = Arc::new(Resting { inner: ReferenceStore::new(), rests: AtomicBool::new(false) });
        let ground = ground_over(Arc::clone(&store) as _);
        let prepared = prepare(&ground);
        store.rests.store(true, Ordering::SeqCst);
        let ended = cut(act(&ground, &prepared), polls).is_some();
        store.rests.store(false, Ordering::SeqCst);
        check(&ground, &prepared);
        ground.agrees(&["ada"]);
        if ended {
            return polls;
        }
    }
    unreachable!("operations end")
}

/// Two tokens of one line, of which the second is current.
fn two(ground: &Ground) -> (RefreshToken, RefreshToken) {
    let first = ground.issue("ada");
    let second = ground.rotated(&first);
    (first, second)
}

#[test]
fn s23_a_rotation_cut_anywhere_is_retried_to_one_line() {
    let cuts = each_cut(
        |ground| ground.issue("ada"),
        &async |ground, token| ground.tokens.rotate(token).await.map(drop),
        |ground, token| {
            let (second, _) = ground.rotate(token).granted().expect("the client tries again");
            assert!(same(&ground.retried(token), &second));
            let third = ground.rotated(&second);
            assert_eq!(ground.refused(token), Verdict::StaleLineage);
            assert_eq!(ground.refused(&third), Verdict::Unknown);
        },
    );
    assert_eq!(cuts, 5, "before and after the read and the commit, and not at all");
}

/// The same without a second try: the line goes on from one of the two tokens, never from both.
#[test]
fn s23_a_rotation_cut_anywhere_leaves_the_old_token_or_its_successor() {
    let cuts = each_cut(
        |ground| ground.issue("ada"),
        &async |ground, token| ground.tokens.rotate(token).await.map(drop),
        |ground, token| {
            let generation = ground.list("ada")[0].generation;
            ground.advance(11 * SECOND);
            match generation {
                0 => drop(ground.rotated(token)),
                // The answer was given up on and nobody came for it in time.
                _ => assert_eq!(ground.refused(token), Verdict::RecentPrevious),
            }
        },
    );
    assert_eq!(cuts, 5);
}

#[test]
fn s35_a_misuse_cut_anywhere_is_answered_when_it_comes_again() {
    let cuts = each_cut(
        |ground| {
            let (first, second) = two(ground);
            (first, ground.rotated(&second))
        },
        &async |ground, (stale, _)| ground.tokens.rotate(stale).await.map(drop),
        |ground, (stale, current)| {
            assert!(matches!(ground.refused(stale), Verdict::StaleLineage | Verdict::Unknown));
            assert_eq!(ground.refused(current), Verdict::Unknown);
        },
    );
    assert_eq!(cuts, 7);
}

#[test]
fn s35_beginnings_and_endings_cut_anywhere_are_whole() {
    let prepare = |ground: &Ground| ground.issue("ada");
    let over = |ground: &Ground, token: &RefreshToken| {
        let ended = block_on(ground.tokens.end(token)).expect("end");
        assert!(!ended || ground.list("ada").is_empty());
        assert_eq!(ground.refused(token), Verdict::Unknown);
    };
    let cuts = [
        each_cut(
            prepare,
            &async |ground, _| ground.tokens.issue("ada", "").await.map(drop),
            |ground, token| {
                assert!((1..=2).contains(&ground.list("ada").len()));
                ground.rotated(token);
            },
        ),
        each_cut(prepare, &async |ground, token| ground.tokens.end(token).await, over),
        each_cut(prepare, &async |ground, token| ground.tokens.revoke(token.family()).await, over),
        each_cut(prepare, &async |ground, _| ground.tokens.revoke_user("ada").await, over),
    ];
    assert_eq!(cuts, [5, 7, 7, 7]);
    // Between a page of families and the rosters an entry may stand for nothing; the call is repeated.
    let cuts = each_cut(prepare, &async |ground, _| ground.tokens.revoke_all().await, |ground, token| {
        block_on(ground.tokens.revoke_all()).expect("again");
        over(ground, token);
    });
    assert!(cuts >= 13, "{cuts} cuts");
}
