//! Random histories against a small oracle of the rules, in memory.

use std::time::Duration;

use proptest::prelude::*;
use strata_core::conformance::block_on;
use strata_core::{Clock as _, Lifetime};
use strata_session::refresh::{RefreshToken, Rotation, Verdict};

use super::{Ground, HOUR, copy, forged, ground_with, same};

const GRACE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_hours(1);
const CAP: Duration = Duration::from_hours(3);
const LIMIT: usize = 3;
const USERS: [&str; 2] = ["ada", "bob"];

#[derive(Clone, Debug)]
enum Step {
    Issue(usize),
    /// Present the token this far from the newest of the family.
    Rotate {
        family: usize,
        back: usize,
    },
    /// Present something made up from it.
    Forge {
        family: usize,
        back: usize,
        how: usize,
    },
    Advance(Duration),
    Revoke(usize),
    End {
        family: usize,
        back: usize,
    },
    RevokeUser(usize),
    RevokeAll,
}

fn step() -> impl Strategy<Value = Step> {
    let family = 0..8_usize;
    let back = prop_oneof![6 => Just(0_usize), 3 => Just(1), 1 => 2..5_usize];
    let times = [1, 9_999, 10_000, 60_000, 59 * 60_000, 60 * 60_000].map(Duration::from_millis);
    prop_oneof![
        3 => (0..2_usize).prop_map(Step::Issue),
        12 => (family.clone(), back.clone()).prop_map(|(family, back)| Step::Rotate { family, back }),
        2 => (family.clone(), back.clone(), 0..4_usize)
            .prop_map(|(family, back, how)| Step::Forge { family, back, how }),
        5 => proptest::sample::select(times.to_vec()).prop_map(Step::Advance),
        1 => family.clone().prop_map(Step::Revoke),
        1 => (family, back).prop_map(|(family, back)| Step::End { family, back }),
        1 => prop_oneof![3 => (0..2_usize).prop_map(Step::RevokeUser), 1 => Just(Step::RevokeAll)],
    ]
}

/// A family as the rules have it. Times in milliseconds.
struct Line {
    user: &'static str,
    /// Every token of it, the newest last.
    tokens: Vec<RefreshToken>,
    ended: bool,
    begun: u64,
    rotated: u64,
}

impl Line {
    fn expires(&self) -> u64 {
        (self.rotated + millis(IDLE)).min(self.begun + millis(CAP))
    }

    fn lives(&self, now: u64) -> bool {
        !self.ended && now < self.expires()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("small")
}

/// What the rules say of a token so far back.
#[derive(Debug, PartialEq)]
enum Expected {
    Rotated,
    Retried,
    Refused(Verdict),
}

struct Oracle {
    ground: Ground,
    lines: Vec<Line>,
}

impl Oracle {
    fn new() -> Self {
        let life = Lifetime::idle(IDLE).at_most(CAP);
        let ground = ground_with(|builder| builder.lifetime(life).grace(GRACE).max_families(LIMIT));
        Self { ground, lines: Vec::new() }
    }

    fn now(&self) -> u64 {
        self.ground.world.clock.now().as_millis()
    }

    fn expected(&self, line: usize, back: usize) -> Expected {
        let (line, now) = (&self.lines[line], self.now());
        match back {
            _ if !line.lives(now) => Expected::Refused(Verdict::Unknown),
            0 => Expected::Rotated,
            1 if now < line.rotated + millis(GRACE) => Expected::Retried,
            1 => Expected::Refused(Verdict::RecentPrevious),
            _ => Expected::Refused(Verdict::StaleLineage),
        }
    }

    /// Families by any number, and tokens of them by any distance, as far as there are.
    fn pick(&self, family: usize, back: usize) -> Option<(usize, usize)> {
        let line = family % self.lines.len().max(1);
        let known = self.lines.get(line)?.tokens.len();
        Some((line, back.min(known - 1)))
    }

    fn token(&self, line: usize, back: usize) -> RefreshToken {
        let tokens = &self.lines[line].tokens;
        copy(&tokens[tokens.len() - 1 - back])
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Issue(user) => self.issue(USERS[user]),
            Step::Rotate { family, back } => {
                if let Some((line, back)) = self.pick(family, back) {
                    self.rotate(line, back);
                }
            }
            Step::Forge { family, back, how } => {
                if let Some((line, back)) = self.pick(family, back) {
                    self.forge(line, back, how);
                }
            }
            Step::Advance(time) => self.ground.advance(time),
            Step::Revoke(family) => {
                if let Some((line, _)) = self.pick(family, 0) {
                    let id = self.token(line, 0).family();
                    let ended = block_on(self.ground.tokens.revoke(id)).expect("revoke");
                    assert_eq!(ended, self.end(line));
                }
            }
            Step::End { family, back } => {
                if let Some((line, back)) = self.pick(family, back) {
                    let ended = block_on(self.ground.tokens.end(&self.token(line, back))).expect("end");
                    assert_eq!(ended, self.end(line));
                }
            }
            Step::RevokeUser(user) => {
                let ended = block_on(self.ground.tokens.revoke_user(USERS[user])).expect("revoke");
                assert_eq!(ended, self.end_all(|line| line.user == USERS[user]));
            }
            Step::RevokeAll => {
                let ended = block_on(self.ground.tokens.revoke_all()).expect("revoke");
                assert_eq!(ended, self.end_all(|_| true));
            }
        }
    }

    fn issue(&mut self, user: &'static str) {
        let now = self.now();
        let living: Vec<_> = (0..self.lines.len())
            .filter(|i| self.lines[*i].user == user && self.lines[*i].lives(now))
            .collect();
        if living.len() == LIMIT {
            self.lines[living[0]].ended = true;
        }
        let token = self.ground.issue(user);
        self.lines.push(Line { user, tokens: vec![token], ended: false, begun: now, rotated: now });
    }

    fn rotate(&mut self, line: usize, back: usize) {
        let (expected, now) = (self.expected(line, back), self.now());
        let family = &mut self.lines[line];
        let place = family.tokens.len() - 1 - back;
        match self.ground.rotate(&family.tokens[place]) {
            Rotation::Rotated { token, family: told } => {
                assert_eq!(expected, Expected::Rotated);
                family.tokens.push(token);
                family.rotated = now;
                assert_eq!(told.expires.as_millis(), family.expires());
            }
            Rotation::Retried { token, .. } => {
                assert_eq!(expected, Expected::Retried);
                assert!(same(&token, family.tokens.last().expect("one")));
            }
            Rotation::Refused(verdict) => {
                assert_eq!(expected, Expected::Refused(verdict));
                family.ended |= verdict.ends_family();
            }
        }
    }

    fn forge(&mut self, line: usize, back: usize, how: usize) {
        let token = self.token(line, back);
        let other = self.token((line + 1) % self.lines.len(), 0);
        let other: Vec<String> = other.expose().split('.').map(str::to_owned).collect();
        let forgery = forged(&token, |parts| match how {
            0 => parts[3] = "A".repeat(22),
            1 => parts[2] = "A".repeat(43),
            2 => "7fffffff".clone_into(&mut parts[1]),
            _ => parts[2..].clone_from_slice(&other[2..]),
        });
        if same(&forgery, &token) {
            return; // its only family, and its newest token
        }
        assert_eq!(self.ground.refused(&forgery), Verdict::Unknown);
    }

    /// Whether it was alive.
    fn end(&mut self, line: usize) -> bool {
        let lived = self.lines[line].lives(self.now());
        self.lines[line].ended = true;
        lived
    }

    fn end_all(&mut self, of: impl Fn(&Line) -> bool) -> u64 {
        (0..self.lines.len()).map(|line| u64::from(of(&self.lines[line]) && self.end(line))).sum()
    }

    /// The lists say what the rules say.
    fn agrees(&self) {
        let now = self.now();
        for user in USERS {
            let told: Vec<_> = self
                .ground
                .list(user)
                .into_iter()
                .map(|family| (family.id, family.generation as usize, family.expires.as_millis()))
                .collect();
            let ruled: Vec<_> = (self.lines.iter())
                .filter(|line| line.user == user && line.lives(now))
                .map(|line| (line.tokens[0].family(), line.tokens.len() - 1, line.expires()))
                .collect();
            assert_eq!(told, ruled);
        }
    }

    /// In the end each family that lives has exactly one token that rotates, and all others are refused.
    fn closes(mut self) {
        self.ground.advance(GRACE);
        for line in 0..self.lines.len() {
            for back in 0..self.lines[line].tokens.len() {
                let opens = block_on(self.ground.tokens.inspect(&self.token(line, back))).expect("inspect");
                assert_eq!(opens.is_some(), self.expected(line, back) == Expected::Rotated);
            }
        }
        for line in 0..self.lines.len() {
            for back in (0..self.lines[line].tokens.len()).rev() {
                self.rotate(line, back);
            }
        }
        self.agrees();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s23_histories_are_as_the_rules_say(steps in proptest::collection::vec(step(), 1..60)) {
        let mut oracle = Oracle::new();
        oracle.issue(USERS[0]);
        for step in &steps {
            oracle.take(step);
            oracle.agrees();
        }
        oracle.closes();
    }
}

/// The histories reach every verdict that needs no restored backup.
#[test]
fn the_rules_are_all_met() {
    let mut oracle = Oracle::new();
    oracle.issue(USERS[0]);
    oracle.rotate(0, 0);
    assert_eq!(oracle.expected(0, 1), Expected::Retried);
    oracle.rotate(0, 1);
    oracle.ground.advance(GRACE);
    assert_eq!(oracle.expected(0, 1), Expected::Refused(Verdict::RecentPrevious));
    oracle.rotate(0, 0);
    assert_eq!(oracle.expected(0, 2), Expected::Refused(Verdict::StaleLineage));
    oracle.ground.advance(HOUR);
    assert_eq!(oracle.expected(0, 0), Expected::Refused(Verdict::Unknown));
    oracle.agrees();
    oracle.closes();
}
