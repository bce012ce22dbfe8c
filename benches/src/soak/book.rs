//! What the clients of a soak share: the oracle, the tokens, and every answer counted.

use std::collections::{BTreeMap, HashSet};

use super::client::{Reply, SignedIn};
use super::dice::Dice;
use super::oracle::{Answer, Life, Oracle, SessionIndex, UserIndex};

/// Kinds of requests, as the table names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A sign-in.
    Login,
    /// An addition that begins a visitor's session.
    Visit,
    /// An addition to a value.
    Add,
    /// A read of a value.
    Read,
    /// Who am I.
    Me,
    /// The list of one's sessions.
    List,
    /// A read with a token that was ended.
    Dead,
    /// The end of one's own session.
    Logout,
    /// The end of another session of one's own.
    Revoke,
    /// The end of all sessions but this.
    Others,
    /// The end of all sessions.
    Everywhere,
    /// Everything looked at once more at the end.
    Check,
}

/// All answers by kind and status; those nobody expected apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often each kind was answered with each status; 0 is no answer.
    pub answers: BTreeMap<(Kind, u16), u64>,
    /// Of them, those that a service in good health does not give.
    pub unexpected: BTreeMap<(Kind, u16), u64>,
}

impl Tally {
    /// Counts an answer. While the service was down, none is expected.
    pub fn count(&mut self, kind: Kind, reply: &Reply, was_down: bool) {
        *self.answers.entry((kind, reply.status)).or_default() += 1;
        let is_excused = was_down && reply.answer() == Answer::Unknown;
        if !is_excused && !is_expected(kind, reply.status) {
            *self.unexpected.entry((kind, reply.status)).or_default() += 1;
        }
    }

    /// All answers.
    pub fn total(&self) -> u64 {
        self.answers.values().sum()
    }
}

/// Whether a 401 is right is the oracle's to say. A session that somebody else ended first is not found.
fn is_expected(kind: Kind, status: u16) -> bool {
    match status {
        200..=299 => true,
        401 => kind != Kind::Login,
        404 => kind == Kind::Revoke,
        429 => kind == Kind::Login,
        _ => false,
    }
}

/// Everything known, behind one lock.
#[derive(Debug)]
pub struct Book {
    /// What may be answered.
    pub oracle: Oracle,
    /// What was answered.
    pub tally: Tally,
    /// Tokens in the order of their sessions.
    tokens: Vec<SignedIn>,
    /// Users' sessions not known to have ended.
    open: Vec<SessionIndex>,
    /// Visitors' sessions, which nobody ends.
    visitors: Vec<SessionIndex>,
    /// Sessions known to have ended.
    dead: Vec<SessionIndex>,
    dice: Dice,
}

impl Book {
    /// Nothing has happened.
    pub fn new(users: usize, seed: u64) -> Self {
        Self {
            oracle: Oracle::new(users),
            tally: Tally::default(),
            tokens: Vec::new(),
            open: Vec::new(),
            visitors: Vec::new(),
            dead: Vec::new(),
            dice: Dice::new(seed),
        }
    }

    /// A new session of a user and its token.
    pub fn keep(&mut self, session: SessionIndex, token: SignedIn) {
        self.tokens.push(token);
        debug_assert_eq!(self.tokens.len(), session.at() + 1);
        self.open.push(session);
    }

    /// A new session of a visitor and its cookie.
    pub fn keep_visitor(&mut self, session: SessionIndex, token: SignedIn) {
        self.tokens.push(token);
        debug_assert_eq!(self.tokens.len(), session.at() + 1);
        self.visitors.push(session);
    }

    /// The token of a session.
    pub fn token(&self, session: SessionIndex) -> SignedIn {
        self.tokens[session.at()].clone()
    }

    /// How many sessions were ever opened.
    pub fn opened(&self) -> usize {
        self.tokens.len()
    }

    /// How many of users are open now.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// How many of visitors are open now.
    pub fn visitors(&self) -> usize {
        self.visitors.len()
    }

    /// One of the visitors' sessions.
    pub fn any_visitor(&mut self) -> Option<SessionIndex> {
        let at = self.dice.below(self.visitors.len());
        self.visitors.get(at).copied()
    }

    /// One of the users' sessions not known to have ended.
    pub fn any_open(&mut self) -> Option<SessionIndex> {
        while !self.open.is_empty() {
            let at = self.dice.below(self.open.len());
            let session = self.open[at];
            if self.oracle.life(session) != Life::Ended {
                return Some(session);
            }
            self.dead.push(self.open.swap_remove(at));
        }
        None
    }

    /// One of the sessions known to have ended.
    pub fn any_dead(&mut self) -> Option<SessionIndex> {
        let at = self.dice.below(self.dead.len());
        self.dead.get(at).copied()
    }

    /// A session of the user that is sure to live.
    pub fn a_living(&self, user: UserIndex) -> Option<SignedIn> {
        let lives = |session: &SessionIndex| {
            self.oracle.user(*session) == user && self.oracle.life(*session) == Life::Alive
        };
        self.open.iter().copied().find(lives).map(|session| self.token(session))
    }

    /// The public ids that a list of the user's sessions had.
    pub fn was_listed(&mut self, user: UserIndex, ids: &HashSet<&str>) {
        let Self { oracle, tokens, .. } = self;
        oracle.listed(user, |session| ids.contains(tokens[session.at()].id.as_str()));
    }

    /// Another open session of the same user.
    pub fn sibling(&mut self, of: SessionIndex) -> Option<SessionIndex> {
        let user = self.oracle.user(of);
        let life = |session| self.oracle.life(session);
        let is_sibling = |other: &SessionIndex| {
            *other != of && self.oracle.user(*other) == user && life(*other) == Life::Alive
        };
        let siblings: Vec<SessionIndex> = self.open.iter().copied().filter(is_sibling).collect();
        let at = self.dice.below(siblings.len());
        siblings.get(at).copied()
    }

    /// A user with fewer open sessions than that, the one with the fewest.
    pub fn user_with_room(&self, users: usize, most: usize) -> Option<UserIndex> {
        let mut counts = vec![0; users]; // visitors are not among them
        for session in &self.open {
            counts[self.oracle.user(*session).0] += 1;
        }
        let (user, count) = counts.into_iter().enumerate().min_by_key(|(_, count)| *count)?;
        (count < most).then_some(UserIndex(user))
    }

    /// A choice.
    pub fn below(&mut self, bound: usize) -> usize {
        self.dice.below(bound)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::client::Token;
    use super::*;

    fn reply(status: u16) -> Reply {
        Reply { status, body: Value::Null, cookie: None, retry_after: None }
    }

    fn book() -> (Book, SessionIndex) {
        let mut book = Book::new(2, 7);
        let session = open(&mut book, UserIndex(0));
        (book, session)
    }

    fn open(book: &mut Book, user: UserIndex) -> SessionIndex {
        let sent = book.oracle.login_sent(user);
        let session = book.oracle.logged_in(sent);
        book.keep(
            session,
            SignedIn { token: Token::Bearer(String::new()), id: format!("i{}", session.at()) },
        );
        session
    }

    #[test]
    fn only_what_a_healthy_service_says_is_expected() {
        let mut tally = Tally::default();
        tally.count(Kind::Add, &reply(200), false);
        tally.count(Kind::Add, &reply(503), false);
        tally.count(Kind::Add, &reply(0), true);
        tally.count(Kind::Add, &reply(0), false);
        tally.count(Kind::Add, &reply(404), true);
        tally.count(Kind::Login, &reply(401), false);
        tally.count(Kind::Revoke, &reply(404), false);
        assert_eq!(tally.total(), 7);
        let expected =
            [((Kind::Login, 401), 1), ((Kind::Add, 0), 1), ((Kind::Add, 404), 1), ((Kind::Add, 503), 1)];
        assert_eq!(tally.unexpected, BTreeMap::from(expected));
    }

    #[test]
    fn ended_sessions_move_to_the_dead() {
        let (mut book, session) = book();
        assert_eq!((book.any_open(), book.any_dead()), (Some(session), None));
        let end = book.oracle.end_sent(session);
        book.oracle.ended(&end, Answer::Done);
        assert_eq!((book.any_open(), book.any_dead()), (None, Some(session)));
        assert_eq!((book.opened(), book.open()), (1, 0));
    }

    #[test]
    fn siblings_and_room_are_of_the_same_user() {
        let (mut book, first) = book();
        assert_eq!(book.sibling(first), None);
        assert_eq!(book.user_with_room(2, 1), Some(UserIndex(1)));
        let stranger = open(&mut book, UserIndex(1));
        assert_eq!((book.sibling(first), book.user_with_room(2, 1)), (None, None));
        let second = open(&mut book, UserIndex(0));
        assert_eq!((book.sibling(first), book.sibling(stranger)), (Some(second), None));
        assert_eq!(book.token(second).id, "i2");
    }
}
