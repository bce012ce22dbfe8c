//! What the service may answer, told from what it answered before. Pure bookkeeping: the driver says what it sends and what came
//! back; the oracle says what was lost, doubled or came back to life.
//!
//! Requests overlap, so each carries what was known when it was sent. An answer that never came leaves both outcomes open.

use std::fmt;

/// A session the service has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionIndex(usize);

impl SessionIndex {
    /// Its place in the order of logins.
    pub fn at(self) -> usize {
        self.0
    }
}

/// One of the users who sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserIndex(pub usize);

/// What came back, as far as the oracle cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 2xx: it was done.
    Done,
    /// 401: the session has ended.
    Ended,
    /// Another 4xx: nothing was changed.
    Refused,
    /// 5xx or no answer: done or not.
    Unknown,
}

/// What is known of a session's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Every request has to be served.
    Alive,
    /// An end is on its way, or was and nobody knows what came of it.
    Unsure,
    /// No request may ever be served again.
    Ended,
}

/// A promise the service broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An ended session was served.
    Back(SessionIndex),
    /// A living session was refused as ended.
    Lost(SessionIndex),
    /// An ended session is in the list of its user's sessions.
    Listed(SessionIndex),
    /// A living session is not in that list.
    Unlisted(SessionIndex),
    /// Additions that were acknowledged are not in the value.
    Forgotten {
        /// Whose value.
        session: SessionIndex,
        /// The least it had to be.
        least: u64,
        /// What it was.
        found: u64,
    },
    /// The value has more than was ever sent.
    Invented {
        /// Whose value.
        session: SessionIndex,
        /// The most it could be.
        most: u64,
        /// What it was.
        found: u64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Back(session) => write!(f, "session {} had ended and was served", session.0),
            Self::Lost(session) => write!(f, "session {} was alive and was answered 401", session.0),
            Self::Listed(session) => write!(f, "session {} had ended and is in its user's list", session.0),
            Self::Unlisted(session) => write!(f, "session {} is alive and not in its user's list", session.0),
            Self::Forgotten { session, least, found } => {
                write!(f, "session {}: {least} was acknowledged, {found} is there", session.0)
            }
            Self::Invented { session, most, found } => {
                write!(f, "session {}: at most {most} was sent, {found} is there", session.0)
            }
        }
    }
}

/// What was known of a session when a request of its was sent.
#[derive(Clone, Copy, Debug)]
#[must_use = "what comes back has to be told"]
pub struct Sent {
    session: SessionIndex,
    life: Life,
    acknowledged: u64,
}

/// A login on its way.
#[derive(Clone, Copy, Debug)]
#[must_use = "what comes back has to be told"]
pub struct LoginSent {
    user: UserIndex,
    sweeps: u64,
    unsettled: bool,
}

/// An end on its way, of one session or of many.
#[derive(Clone, Debug)]
#[must_use = "what comes back has to be told"]
pub struct EndSent {
    targets: Vec<SessionIndex>,
    /// The user all of whose sessions it ends.
    sweeps: Option<UserIndex>,
}

#[derive(Debug)]
struct Session {
    user: UserIndex,
    ended: bool,
    /// Ends sent and not answered yet.
    ends_open: u32,
    /// An end whose answer never came.
    end_unknown: bool,
    /// Additions of one: sent, acknowledged, refused for sure.
    sent: u64,
    acknowledged: u64,
    refused: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct User {
    /// Ends of all sessions: ever sent, not answered yet.
    sweeps: u64,
    sweeps_open: u32,
    /// One never was answered: it may still be at work.
    sweep_unknown: bool,
}

/// The bookkeeping over all sessions of all users.
#[derive(Debug)]
pub struct Oracle {
    users: Vec<User>,
    sessions: Vec<Session>,
    faults: Vec<Fault>,
}

impl Oracle {
    /// Nobody has signed in yet.
    pub fn new(users: usize) -> Self {
        Self { users: vec![User::default(); users], sessions: Vec::new(), faults: Vec::new() }
    }

    /// Everything that went wrong so far.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Every session there ever was.
    pub fn sessions(&self) -> impl Iterator<Item = SessionIndex> + use<> {
        (0..self.sessions.len()).map(SessionIndex)
    }

    /// How many additions were acknowledged, over all sessions.
    pub fn acknowledged(&self) -> u64 {
        self.sessions.iter().map(|session| session.acknowledged).sum()
    }

    /// What is known of this session's life.
    pub fn life(&self, session: SessionIndex) -> Life {
        let session = &self.sessions[session.0];
        if session.ended {
            Life::Ended
        } else if session.end_unknown || session.ends_open > 0 {
            Life::Unsure
        } else {
            Life::Alive
        }
    }

    /// Whose session it is.
    pub fn user(&self, session: SessionIndex) -> UserIndex {
        self.sessions[session.0].user
    }

    /// Sessions of a user that are not known to have ended.
    pub fn open_of(&self, user: UserIndex) -> usize {
        self.sessions.iter().filter(|session| session.user == user && !session.ended).count()
    }

    /// The service was ended and started again: nothing of before is still at work.
    pub fn restarted(&mut self) {
        self.users.iter_mut().for_each(|user| user.sweep_unknown = false);
    }

    /// A login is sent.
    pub fn login_sent(&self, user: UserIndex) -> LoginSent {
        let known = self.users[user.0];
        LoginSent { user, sweeps: known.sweeps, unsettled: known.sweeps_open > 0 || known.sweep_unknown }
    }

    /// The login was acknowledged. Where an end of all sessions overlapped with it, it may have ended this one too.
    pub fn logged_in(&mut self, sent: LoginSent) -> SessionIndex {
        let swept = sent.unsettled || self.users[sent.user.0].sweeps != sent.sweeps;
        let session = Session {
            user: sent.user,
            ended: false,
            ends_open: 0,
            end_unknown: swept,
            sent: 0,
            acknowledged: 0,
            refused: 0,
        };
        self.sessions.push(session);
        SessionIndex(self.sessions.len() - 1)
    }

    /// A request that changes nothing is sent.
    pub fn sent(&self, session: SessionIndex) -> Sent {
        Sent { session, life: self.life(session), acknowledged: self.sessions[session.0].acknowledged }
    }

    /// An addition of one is sent.
    pub fn add_sent(&mut self, session: SessionIndex) -> Sent {
        self.sessions[session.0].sent += 1;
        self.sent(session)
    }

    /// What came of a request that changes nothing.
    pub fn answered(&mut self, sent: Sent, answer: Answer) {
        match answer {
            Answer::Done if sent.life == Life::Ended => self.faults.push(Fault::Back(sent.session)),
            Answer::Ended => self.was_refused_as_ended(sent),
            Answer::Done | Answer::Refused | Answer::Unknown => {}
        }
    }

    /// What came of an addition, with the value after it where that was told.
    pub fn added(&mut self, sent: Sent, answer: Answer, value: Option<u64>) {
        self.answered(sent, answer);
        let session = &mut self.sessions[sent.session.0];
        match answer {
            Answer::Done => session.acknowledged += 1,
            Answer::Ended | Answer::Refused => session.refused += 1,
            Answer::Unknown => {}
        }
        if let Some(value) = value {
            self.look_at(sent, sent.acknowledged + 1, value);
        }
    }

    /// What was read: at least all that was acknowledged before the request was sent, at most all that was sent by now.
    pub fn read(&mut self, sent: Sent, value: u64) {
        self.answered(sent, Answer::Done);
        self.look_at(sent, sent.acknowledged, value);
    }

    /// What the list of a user's sessions has, by `is_listed`, asked for while nothing else was under way.
    pub fn listed(&mut self, user: UserIndex, is_listed: impl Fn(SessionIndex) -> bool) {
        for session in self.sessions() {
            if self.user(session) == user {
                match (self.life(session), is_listed(session)) {
                    (Life::Ended, true) => self.faults.push(Fault::Listed(session)),
                    (Life::Alive, false) => self.faults.push(Fault::Unlisted(session)),
                    (Life::Alive, true) | (Life::Ended, false) | (Life::Unsure, _) => {}
                }
            }
        }
    }

    /// An end of one session is sent.
    pub fn end_sent(&mut self, session: SessionIndex) -> EndSent {
        self.begin_ends(vec![session], None)
    }

    /// An end of all of a user's sessions is sent, or of all but one.
    pub fn sweep_sent(&mut self, user: UserIndex, but: Option<SessionIndex>) -> EndSent {
        let theirs = |index: &SessionIndex| self.sessions[index.0].user == user && Some(*index) != but;
        let targets = self.sessions().filter(theirs).collect();
        self.users[user.0].sweeps += 1;
        self.users[user.0].sweeps_open += 1;
        self.begin_ends(targets, Some(user))
    }

    fn begin_ends(&mut self, targets: Vec<SessionIndex>, sweeps: Option<UserIndex>) -> EndSent {
        for target in &targets {
            self.sessions[target.0].ends_open += 1;
        }
        EndSent { targets, sweeps }
    }

    /// What came of an end. (What it says of the session that asked for it is told with [`Oracle::answered`].)
    pub fn ended(&mut self, sent: &EndSent, answer: Answer) {
        for target in &sent.targets {
            let session = &mut self.sessions[target.0];
            session.ends_open -= 1;
            session.ended |= answer == Answer::Done;
            session.end_unknown |= answer == Answer::Unknown;
        }
        if let Some(user) = sent.sweeps {
            self.users[user.0].sweeps_open -= 1;
            self.users[user.0].sweep_unknown |= answer == Answer::Unknown;
        }
    }

    fn was_refused_as_ended(&mut self, sent: Sent) {
        if self.life(sent.session) == Life::Alive {
            self.faults.push(Fault::Lost(sent.session));
        }
        // Whatever was open: refused once, it may never be served again.
        self.sessions[sent.session.0].ended = true;
    }

    fn look_at(&mut self, sent: Sent, least: u64, found: u64) {
        let session = &self.sessions[sent.session.0];
        let most = session.sent - session.refused;
        if sent.life == Life::Ended {
            return; // that it was served at all is told already
        }
        if found < least {
            self.faults.push(Fault::Forgotten { session: sent.session, least, found });
        } else if found > most {
            self.faults.push(Fault::Invented { session: sent.session, most, found });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: UserIndex = UserIndex(0);

    fn signed_in() -> (Oracle, SessionIndex) {
        let mut oracle = Oracle::new(2);
        let login = oracle.login_sent(ADA);
        let session = oracle.logged_in(login);
        (oracle, session)
    }

    fn add(oracle: &mut Oracle, session: SessionIndex, answer: Answer) {
        let sent = oracle.add_sent(session);
        oracle.added(sent, answer, None);
    }

    fn read(oracle: &mut Oracle, session: SessionIndex, value: u64) {
        let sent = oracle.sent(session);
        oracle.read(sent, value);
    }

    #[test]
    fn what_was_acknowledged_has_to_be_there_once() {
        let (mut oracle, session) = signed_in();
        add(&mut oracle, session, Answer::Done);
        add(&mut oracle, session, Answer::Done);
        read(&mut oracle, session, 2);
        assert_eq!(oracle.faults(), []);
        read(&mut oracle, session, 1);
        read(&mut oracle, session, 3);
        let forgotten = Fault::Forgotten { session, least: 2, found: 1 };
        assert_eq!(oracle.faults(), [forgotten, Fault::Invented { session, most: 2, found: 3 }]);
        assert_eq!(oracle.acknowledged(), 2);
    }

    #[test]
    fn an_addition_without_an_answer_is_there_once_or_not() {
        let (mut oracle, session) = signed_in();
        add(&mut oracle, session, Answer::Done);
        add(&mut oracle, session, Answer::Unknown);
        read(&mut oracle, session, 1);
        read(&mut oracle, session, 2);
        assert_eq!(oracle.faults(), []);
        read(&mut oracle, session, 3);
        assert_eq!(oracle.faults(), [Fault::Invented { session, most: 2, found: 3 }]);
    }

    #[test]
    fn a_refused_addition_may_not_be_there() {
        let (mut oracle, session) = signed_in();
        add(&mut oracle, session, Answer::Refused);
        read(&mut oracle, session, 1);
        assert_eq!(oracle.faults(), [Fault::Invented { session, most: 0, found: 1 }]);
    }

    #[test]
    fn an_addition_to_an_ended_session_may_not_be_there() {
        let (mut oracle, session) = signed_in();
        let _end = oracle.end_sent(session);
        let reading = oracle.sent(session);
        add(&mut oracle, session, Answer::Ended);
        oracle.read(reading, 1);
        assert_eq!(oracle.faults(), [Fault::Invented { session, most: 0, found: 1 }]);
    }

    #[test]
    fn a_read_that_overlaps_an_addition_may_see_it_or_not() {
        let (mut oracle, session) = signed_in();
        let reading = oracle.sent(session);
        add(&mut oracle, session, Answer::Done);
        oracle.read(reading, 0);
        let reading = oracle.sent(session);
        let adding = oracle.add_sent(session);
        oracle.read(reading, 2);
        oracle.added(adding, Answer::Done, Some(2));
        assert_eq!(oracle.faults(), []);
    }

    #[test]
    fn the_answer_of_an_addition_counts_itself() {
        let (mut oracle, session) = signed_in();
        let first = oracle.add_sent(session);
        oracle.added(first, Answer::Done, Some(1));
        let second = oracle.add_sent(session);
        oracle.added(second, Answer::Done, Some(1));
        assert_eq!(oracle.faults(), [Fault::Forgotten { session, least: 2, found: 1 }]);
    }

    #[test]
    fn an_ended_session_stays_ended() {
        let (mut oracle, session) = signed_in();
        let end = oracle.end_sent(session);
        let beside = oracle.sent(session);
        oracle.ended(&end, Answer::Done);
        oracle.answered(beside, Answer::Done); // it was sent before the end was acknowledged
        let after = oracle.sent(session);
        oracle.answered(after, Answer::Ended);
        assert_eq!(oracle.faults(), []);
        let later = oracle.sent(session);
        oracle.read(later, 7);
        assert_eq!(oracle.faults(), [Fault::Back(session)]);
    }

    #[test]
    fn a_living_session_is_not_refused() {
        let (mut oracle, session) = signed_in();
        let sent = oracle.sent(session);
        oracle.answered(sent, Answer::Ended);
        assert_eq!(oracle.faults(), [Fault::Lost(session)]);
    }

    #[test]
    fn a_refused_end_leaves_it_alive_and_an_unknown_one_leaves_both_open() {
        let (mut oracle, session) = signed_in();
        let end = oracle.end_sent(session);
        assert_eq!(oracle.life(session), Life::Unsure);
        oracle.ended(&end, Answer::Refused);
        assert_eq!(oracle.life(session), Life::Alive);
        let end = oracle.end_sent(session);
        oracle.ended(&end, Answer::Unknown);
        for answer in [Answer::Done, Answer::Ended] {
            let sent = oracle.sent(session);
            oracle.answered(sent, answer);
        }
        assert_eq!(oracle.faults(), []);
        // It was seen ended, so that it may not be served any more.
        let sent = oracle.sent(session);
        oracle.answered(sent, Answer::Done);
        assert_eq!(oracle.faults(), [Fault::Back(session)]);
    }

    #[test]
    fn a_sweep_ends_what_was_there_and_spares_who_came_after() {
        let (mut oracle, first) = signed_in();
        let login = oracle.login_sent(UserIndex(1));
        let stranger = oracle.logged_in(login);
        let beside = oracle.login_sent(ADA);
        let sweep = oracle.sweep_sent(ADA, None);
        let during = oracle.login_sent(ADA);
        oracle.ended(&sweep, Answer::Done);
        let (beside, during) = (oracle.logged_in(beside), oracle.logged_in(during));
        let login = oracle.login_sent(ADA);
        let after = oracle.logged_in(login);
        let lives = [first, stranger, beside, during, after].map(|session| oracle.life(session));
        assert_eq!(lives, [Life::Ended, Life::Alive, Life::Unsure, Life::Unsure, Life::Alive]);
        assert_eq!(oracle.open_of(ADA), 3);
    }

    #[test]
    fn a_list_has_the_living_and_not_the_ended() {
        let (mut oracle, alive) = signed_in();
        let [ended, unsure] = [(); 2].map(|()| {
            let login = oracle.login_sent(ADA);
            oracle.logged_in(login)
        });
        for (session, answer) in [(ended, Answer::Done), (unsure, Answer::Unknown)] {
            let end = oracle.end_sent(session);
            oracle.ended(&end, answer);
        }
        oracle.listed(ADA, |session| session == alive);
        oracle.listed(ADA, |session| session != ended);
        oracle.listed(UserIndex(1), |_| false);
        assert_eq!(oracle.faults(), []);
        oracle.listed(ADA, |session| session == ended);
        assert_eq!(oracle.faults(), [Fault::Unlisted(alive), Fault::Listed(ended)]);
    }

    #[test]
    fn a_sweep_of_the_others_spares_who_asked() {
        let (mut oracle, asks) = signed_in();
        let login = oracle.login_sent(ADA);
        let other = oracle.logged_in(login);
        let sweep = oracle.sweep_sent(ADA, Some(asks));
        oracle.ended(&sweep, Answer::Done);
        assert_eq!([oracle.life(asks), oracle.life(other)], [Life::Alive, Life::Ended]);
    }

    #[test]
    fn a_sweep_without_an_answer_may_work_on_until_a_restart() {
        let (mut oracle, _) = signed_in();
        let sweep = oracle.sweep_sent(ADA, None);
        oracle.ended(&sweep, Answer::Unknown);
        let login = oracle.login_sent(ADA);
        let session = oracle.logged_in(login);
        assert_eq!(oracle.life(session), Life::Unsure);
        oracle.restarted();
        let login = oracle.login_sent(ADA);
        let session = oracle.logged_in(login);
        assert_eq!(oracle.life(session), Life::Alive);
    }
}
