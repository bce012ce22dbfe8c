//! The clients: some sign in and out, some add and read, one ends all sessions of a user now and then.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::book::{Book, Kind};
use super::client::{Account, Client, Reply};
use super::oracle::{Answer, SessionIndex, UserIndex};

/// The value that everything is added to.
pub const VALUE: &str = "soak";

/// Sessions of one user at once. The service ends a user's oldest session at its hundredth: stay well below.
pub const MOST_OF_ONE_USER: usize = 80;

/// Up to this choice of a hundred, a session is added to or read.
const ADD_OR_READ: usize = 79;

/// Beyond the choices: a visitor comes.
const VISIT: usize = 100;

/// With fewer sessions open, none is ended but by the one who ends all.
const FEW: usize = 12;

/// Between two ends of all sessions of a user.
const SWEEP_EVERY: Duration = Duration::from_secs(4);

/// The state of the service as the one who starts and kills it knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Whether requests should be answered.
    pub up: bool,
    /// How often it was killed.
    pub kills: u32,
    /// Whether the soak is over.
    pub over: bool,
}

/// What each client has.
#[derive(Clone, Debug)]
pub struct Shared {
    /// Who can sign in.
    pub accounts: Arc<[Account]>,
    /// Sessions that are to be open at once.
    pub sessions: usize,
    /// What is known.
    pub book: Arc<Mutex<Book>>,
    /// Where to ask.
    pub client: Client,
    /// Whether to.
    pub phase: watch::Receiver<Phase>,
}

impl Shared {
    /// Signs in while there is room, twice as often as it ends a session; else ends one.
    pub async fn come_and_go(mut self) {
        while self.goes_on().await {
            let user = {
                let mut book = self.book.lock();
                let room = book.open() < self.sessions && (book.below(3) > 0 || book.open() < FEW);
                room.then(|| book.user_with_room(self.accounts.len(), MOST_OF_ONE_USER)).flatten()
            };
            match user {
                Some(user) => self.login(user).await,
                None => self.leave().await,
            }
        }
    }

    /// Adds, reads and looks, as fast as it is answered.
    pub async fn use_sessions(mut self) {
        while self.goes_on().await {
            let (session, choice) = self.choose();
            match (session, choice) {
                (None, VISIT) => self.visit().await,
                (None, _) => tokio::task::yield_now().await,
                (Some(session), 0..50) => self.add(session).await,
                (Some(session), 50..=ADD_OR_READ) => self.read(session).await,
                (Some(session), 80..92) => self.look(session, Kind::Me, "/api/me").await,
                (Some(session), 92..96) => self.look(session, Kind::List, "/api/sessions").await,
                _ => self.knock_as_the_dead().await,
            }
        }
    }

    /// A session and what to do with it. Visitors' sessions are only added to and read.
    fn choose(&self) -> (Option<SessionIndex>, usize) {
        let mut book = self.book.lock();
        let choice = book.below(100);
        match book.below(3) {
            0 if book.open() + book.visitors() < self.sessions => (None, VISIT),
            1 if book.visitors() > 0 => (book.any_visitor(), choice.min(ADD_OR_READ)),
            _ => (book.any_open(), choice),
        }
    }

    /// Ends all sessions of a user now and then, every second time but the one that asks.
    pub async fn sweep(mut self) {
        let mut every = tokio::time::interval(SWEEP_EVERY);
        every.tick().await;
        let mut spares = false;
        while self.goes_on().await {
            tokio::select! {
                _ = every.tick() => {}
                _ = self.phase.wait_for(|phase| phase.over) => return,
            }
            let session = self.book.lock().any_open();
            if let Some(session) = session {
                self.end_all(session, spares).await;
                spares = !spares;
            }
        }
    }

    /// Waits until the service is up. False once the soak is over.
    async fn goes_on(&mut self) -> bool {
        let phase = self.phase.wait_for(|phase| phase.up || phase.over).await;
        phase.is_ok_and(|phase| !phase.over)
    }

    /// Counts the answer. `before` is the phase when the request was sent.
    fn count(&self, kind: Kind, reply: &Reply, before: Phase) {
        let now = *self.phase.borrow();
        self.book.lock().tally.count(kind, reply, !now.up || now.kills != before.kills);
    }

    fn now(&self) -> Phase {
        *self.phase.borrow()
    }

    async fn login(&self, user: UserIndex) {
        let before = self.now();
        let sent = self.book.lock().oracle.login_sent(user);
        let (reply, signed_in) = self.client.login(&self.accounts[user.0]).await;
        self.count(Kind::Login, &reply, before);
        if let Some(token) = signed_in {
            let mut book = self.book.lock();
            let session = book.oracle.logged_in(sent);
            book.keep(session, token);
        } else if reply.status == 429 {
            tokio::time::sleep(reply.retry_after.unwrap_or(Duration::from_secs(1))).await;
        }
    }

    async fn visit(&self) {
        let before = self.now();
        let user = UserIndex(self.accounts.len()); // nobody's: what ends users' sessions does not end these
        let begins = self.book.lock().oracle.login_sent(user);
        let (reply, begun) = self.client.visit(VALUE).await;
        self.count(Kind::Visit, &reply, before);
        if let Some(token) = begun {
            let mut book = self.book.lock();
            let session = book.oracle.logged_in(begins);
            book.keep_visitor(session, token);
            let sent = book.oracle.add_sent(session);
            book.oracle.added(sent, Answer::Done, reply.value());
        }
    }

    async fn add(&self, session: SessionIndex) {
        let before = self.now();
        let (sent, token) = {
            let mut book = self.book.lock();
            (book.oracle.add_sent(session), book.token(session).token)
        };
        let reply = self.client.add(&token, VALUE).await;
        self.count(Kind::Add, &reply, before);
        let value = reply.value().filter(|_| reply.answer() == Answer::Done);
        self.book.lock().oracle.added(sent, reply.answer(), value);
    }

    async fn read(&self, session: SessionIndex) {
        self.read_as(session, Kind::Read).await;
    }

    /// Reads the value and compares it with what is known.
    pub async fn read_as(&self, session: SessionIndex, kind: Kind) {
        let before = self.now();
        let (sent, token) = {
            let book = self.book.lock();
            (book.oracle.sent(session), book.token(session).token)
        };
        let reply = self.client.read(&token, VALUE).await;
        self.count(kind, &reply, before);
        let mut book = self.book.lock();
        match (reply.answer(), reply.value()) {
            (Answer::Done, Some(value)) => book.oracle.read(sent, value),
            (answer, _) => book.oracle.answered(sent, answer),
        }
    }

    /// Compares the list of a user's sessions with what is known, where the user has a session to ask with. For quiet times only.
    pub async fn check_list(&self, user: UserIndex) {
        let before = self.now();
        let Some(token) = self.book.lock().a_living(user).map(|token| token.token) else { return };
        let reply = self.client.get(&token, "/api/sessions").await;
        self.count(Kind::Check, &reply, before);
        let listed: HashSet<&str> = reply.ids().collect();
        self.book.lock().was_listed(user, &listed);
    }

    async fn look(&self, session: SessionIndex, kind: Kind, path: &str) {
        let before = self.now();
        let (sent, token) = {
            let book = self.book.lock();
            (book.oracle.sent(session), book.token(session).token)
        };
        let mut reply = self.client.get(&token, path).await;
        if kind == Kind::Me && reply.status == 200 && reply.body["session"].is_null() {
            reply.status = 401; // a visitor without a session may ask who he is
        }
        self.count(kind, &reply, before);
        self.book.lock().oracle.answered(sent, reply.answer());
    }

    /// Asks with a token that was ended.
    async fn knock_as_the_dead(&self) {
        let session = self.book.lock().any_dead();
        if let Some(session) = session {
            self.read_as(session, Kind::Dead).await;
        }
    }

    /// Ends one session: its own logout, or by another one of the same user.
    async fn leave(&self) {
        let (session, sibling, by_other) = {
            let mut book = self.book.lock();
            let Some(session) = book.any_open() else { return };
            (session, book.sibling(session), book.below(2) == 0)
        };
        match sibling.filter(|_| by_other) {
            Some(sibling) => self.revoke(session, sibling).await,
            None => self.logout(session).await,
        }
    }

    async fn logout(&self, session: SessionIndex) {
        let before = self.now();
        let (sent, end, token) = {
            let mut book = self.book.lock();
            (book.oracle.sent(session), book.oracle.end_sent(session), book.token(session).token)
        };
        let reply = self.client.post(&token, "/api/session/logout").await;
        self.count(Kind::Logout, &reply, before);
        let mut book = self.book.lock();
        book.oracle.ended(&end, reply.answer());
        if reply.answer() == Answer::Ended {
            book.oracle.answered(sent, Answer::Ended); // logging out twice may succeed twice
        }
    }

    async fn revoke(&self, target: SessionIndex, by: SessionIndex) {
        let before = self.now();
        let (sent, end, token, target) = {
            let mut book = self.book.lock();
            let (sent, end) = (book.oracle.sent(by), book.oracle.end_sent(target));
            (sent, end, book.token(by).token, book.token(target).id)
        };
        let reply = self.client.revoke(&token, &target).await;
        self.count(Kind::Revoke, &reply, before);
        let mut book = self.book.lock();
        book.oracle.ended(&end, revoked(reply.answer()));
        book.oracle.answered(sent, reply.answer());
    }

    async fn end_all(&self, by: SessionIndex, spares: bool) {
        let before = self.now();
        let (sent, end, token) = {
            let mut book = self.book.lock();
            let (sent, user) = (book.oracle.sent(by), book.oracle.user(by));
            (sent, book.oracle.sweep_sent(user, spares.then_some(by)), book.token(by).token)
        };
        let (kind, path) = if spares {
            (Kind::Others, "/api/session/logout-others")
        } else {
            (Kind::Everywhere, "/api/session/logout-everywhere")
        };
        let reply = self.client.post(&token, path).await;
        self.count(kind, &reply, before);
        let mut book = self.book.lock();
        book.oracle.ended(&end, revoked(reply.answer()));
        book.oracle.answered(sent, reply.answer());
    }
}

/// For the session that was to be ended, a 401 to the one who asked is a refusal.
fn revoked(answer: Answer) -> Answer {
    if answer == Answer::Ended { Answer::Refused } else { answer }
}
