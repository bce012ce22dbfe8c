//! Random walks: any operations at any times, held against a plain model of what should live and until when.

use std::time::Duration;

use proptest::prelude::*;
use strata_core::conformance::block_on;
use strata_core::{ErrorKind, Timestamp};
use strata_session::SessionToken;
use strata_session::auth::{AtLimit, AuthSessions};

use super::{Auth, Claims, Signed, named};
use crate::{World, world};

const HOUR: Duration = Duration::from_hours(1);
const LIMIT: usize = 3;
const USERS: [&str; 2] = ["ada", "bob"];

#[derive(Clone, Debug)]
enum Step {
    Login { user: usize, remember: bool },
    Touch(usize),
    Extend(usize, u64),
    Set(usize),
    Reauthenticate(usize),
    Rotate(usize),
    Logout(usize),
    Others(usize),
    RevokeUser(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..64_usize;
    prop_oneof![
        4 => (0..2_usize, any::<bool>()).prop_map(|(user, remember)| Step::Login { user, remember }),
        3 => which.clone().prop_map(Step::Touch),
        2 => (which.clone(), 0..120_u64).prop_map(|(which, minutes)| Step::Extend(which, minutes)),
        1 => which.clone().prop_map(Step::Set),
        1 => which.clone().prop_map(Step::Reauthenticate),
        1 => which.clone().prop_map(Step::Rotate),
        1 => which.clone().prop_map(Step::Logout),
        1 => which.prop_map(Step::Others),
        1 => (0..2_usize).prop_map(Step::RevokeUser),
        4 => (1..70_u64).prop_map(Step::Pass),
        1 => Just(Step::Pass(12 * 60)),
    ]
}

/// A session as it should be.
struct Modelled {
    user: usize,
    token: SessionToken,
    session: Signed,
    begun: Timestamp,
    remembered: bool,
    deadline: Timestamp,
    cap: Timestamp,
    ended: bool,
}

struct Walk {
    world: World,
    auth: Auth,
    all: Vec<Modelled>,
}

impl Modelled {
    fn lives(&self, now: Timestamp) -> bool {
        !self.ended && now < self.deadline
    }

    /// Activity that earns at least so much is written down.
    fn slide(&mut self, now: Timestamp, by: Duration, least: Duration) {
        let target = now.saturating_add(by).min(self.cap);
        if !self.remembered && target > self.deadline && target.since(self.deadline) >= least {
            self.deadline = target;
        }
    }

    fn renew(&mut self, now: Timestamp) {
        let (idle, cap) = if self.remembered { (30 * 24 * HOUR, 30 * 24 * HOUR) } else { (HOUR, 24 * HOUR) };
        (self.deadline, self.cap) = (now.saturating_add(idle), now.saturating_add(cap));
    }
}

impl Walk {
    fn new() -> Self {
        let world = world();
        let auth = AuthSessions::<Claims>::builder(&world.db).parallel(LIMIT, AtLimit::EndOldest).build();
        Self { auth: auth.expect("a manager"), world, all: Vec::new() }
    }

    fn now(&self) -> Timestamp {
        self.world.db.clock().now()
    }

    async fn login(&mut self, user: usize, remember: bool) {
        let now = self.now();
        let claims = named(USERS[user]);
        let login = self.auth.login(&claims);
        let login = if remember { login.remember() } else { login };
        let (token, session) = login.await.expect("login");
        let living: Vec<usize> =
            (0..self.all.len()).filter(|at| self.all[*at].user == user && self.all[*at].lives(now)).collect();
        // In the order they began: the first is the oldest.
        for at in living.iter().take((living.len() + 1).saturating_sub(LIMIT)) {
            self.all[*at].ended = true;
        }
        let mut modelled = Modelled {
            user,
            token,
            session,
            begun: now,
            remembered: remember,
            deadline: now,
            cap: now,
            ended: false,
        };
        modelled.renew(now);
        self.all.push(modelled);
    }

    /// One act in one session: done if it lives, refused if not.
    async fn act(&mut self, step: &Step, which: usize) {
        let now = self.now();
        if self.all.is_empty() {
            return;
        }
        let at = which % self.all.len();
        let one = &mut self.all[at];
        let lived = one.lives(now);
        let result = match step {
            Step::Touch(_) => one.session.touch().await,
            Step::Extend(_, minutes) => one.session.extend(Duration::from_mins(*minutes)).await.map(drop),
            Step::Set(_) => one.session.set("n", &now.as_millis()).await,
            Step::Reauthenticate(_) => one.session.reauthenticate().await.map(|token| one.token = token),
            Step::Rotate(_) => one.session.rotate().await.map(|token| one.token = token),
            Step::Others(_) => one.session.logout_others().await.map(drop),
            _ => one.session.logout().await.map(|done| assert_eq!(done, lived)),
        };
        if !lived {
            let refused = result.is_err_and(|error| error.kind() == ErrorKind::Gone);
            assert!(refused || matches!(step, Step::Logout(_)), "{step:?} on what has ended");
            return;
        }
        result.expect("it lives");
        match step {
            Step::Touch(_) => one.slide(now, HOUR, HOUR / 10),
            Step::Extend(_, minutes) => {
                one.slide(now, Duration::from_mins((*minutes).min(60)), Duration::ZERO);
            }
            Step::Set(_) | Step::Rotate(_) => one.slide(now, HOUR, Duration::ZERO),
            Step::Reauthenticate(_) => one.renew(now),
            Step::Logout(_) => one.ended = true,
            _ => {
                let user = one.user;
                for (number, other) in self.all.iter_mut().enumerate() {
                    other.ended |= number != at && other.user == user;
                }
            }
        }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Login { user, remember } => self.login(*user, *remember).await,
            Step::Pass(minutes) => self.world.clock.advance(Duration::from_mins(*minutes)),
            Step::RevokeUser(user) => {
                let now = self.now();
                let mut lived = 0;
                for one in self.all.iter_mut().filter(|one| one.user == *user) {
                    lived += u64::from(one.lives(now));
                    one.ended = true;
                }
                assert_eq!(self.auth.revoke_user(USERS[*user]).await.expect("revoke"), lived);
            }
            Step::Touch(which)
            | Step::Extend(which, _)
            | Step::Set(which)
            | Step::Reauthenticate(which)
            | Step::Rotate(which)
            | Step::Logout(which)
            | Step::Others(which) => self.act(step, *which).await,
        }
    }

    /// The store and the model agree: who lives, until when, and in how many sessions.
    async fn check(&self) {
        let now = self.now();
        for (number, user) in USERS.iter().enumerate() {
            let listed = self.auth.list(user).await.expect("list");
            let mut expected: Vec<_> = self
                .all
                .iter()
                .filter(|one| one.user == number && one.lives(now))
                .map(|one| (one.begun, one.token.id(), one.deadline, one.cap))
                .collect();
            expected.sort();
            let found: Vec<_> =
                listed.iter().map(|info| (info.created, info.id, info.expires, info.latest)).collect();
            assert_eq!(found, expected, "{user}");
            assert!(found.len() <= LIMIT);
        }
        for one in &self.all {
            assert_eq!(self.auth.open(&one.token).await.expect("open").is_some(), one.lives(now));
        }
        let mut wrong = super::audit(&self.world.db).await;
        // What died by idleness is in the roster until room is needed.
        wrong.retain(|wrong| !wrong.contains("is listed and dead"));
        assert_eq!(wrong, Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sessions_live_and_end_as_the_model_says(steps in prop::collection::vec(step(), 1..60)) {
        block_on(async {
            let mut walk = Walk::new();
            for step in &steps {
                walk.step(step).await;
                walk.check().await;
            }
        });
    }
}
