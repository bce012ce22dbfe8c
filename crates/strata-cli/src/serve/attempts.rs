//! How often a sign-in may fail: [`Attempts`]. Counted for an account from one address, and for an address whatever the account, so
//! that nobody locks others out from elsewhere. Successes are given back.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strata::{Clock, Timestamp};

/// Failures in a row before somebody has to wait; then one more for each [`REFILL`].
const PER_ACCOUNT: u32 = 5;
const PER_ADDRESS: u32 = 50;
const REFILL: Duration = Duration::from_secs(30);
/// The most that is remembered; beyond that all is forgotten.
const MOST: usize = 16_384;

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Account(IpAddr, String),
    Address(IpAddr),
}

impl Subject {
    fn most(&self) -> u32 {
        match self {
            Self::Account(..) => PER_ACCOUNT,
            Self::Address(_) => PER_ADDRESS,
        }
    }
}

/// How many failures count against a subject, as of an instant.
#[derive(Clone, Copy, Debug)]
struct Count {
    failures: u32,
    since: Timestamp,
}

/// Failed sign-ins of late, in memory.
#[derive(Debug)]
pub(crate) struct Attempts {
    clock: Arc<dyn Clock>,
    counts: Mutex<HashMap<Subject, Count>>,
}

/// One attempt. It counts as a failure unless it is [forgiven](Attempt::forgive): concurrent guesses are all counted beforehand.
#[derive(Debug)]
#[must_use = "an attempt that is not forgiven has failed"]
pub(crate) struct Attempt<'a> {
    attempts: &'a Attempts,
    subjects: [Subject; 2],
}

impl Attempts {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, counts: Mutex::default() }
    }

    /// Counts an attempt, or says how long to wait.
    pub(crate) fn begin(&self, address: IpAddr, account: &str) -> Result<Attempt<'_>, Duration> {
        // A name is as long as whoever sends it likes; nobody has one beyond this.
        let account: String = account.chars().take(128).collect();
        let address = of_one_client(address);
        let subjects = [Subject::Account(address, account), Subject::Address(address)];
        let now = self.clock.now();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = subjects.iter().filter_map(|subject| wait(counts.get(subject).copied(), subject, now));
        if let Some(wait) = waits.max() {
            return Err(wait);
        }
        if counts.len() >= MOST {
            counts.retain(|_, count| refilled(*count, now).failures > 0);
        }
        if counts.len() >= MOST {
            counts.clear();
        }
        for subject in &subjects {
            let count = counts.entry(subject.clone()).or_insert(Count { failures: 0, since: now });
            *count = refilled(*count, now);
            count.failures += 1;
        }
        drop(counts);
        Ok(Attempt { attempts: self, subjects })
    }
}

impl Attempt<'_> {
    /// It was right: the account's failures are forgotten, the address has its one back.
    pub(crate) fn forgive(self) {
        let mut counts = self.attempts.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let [account, address] = &self.subjects;
        counts.remove(account);
        if let Some(count) = counts.get_mut(address) {
            count.failures = count.failures.saturating_sub(1);
        }
    }

    /// Nothing could be told: it does not count.
    pub(crate) fn cancel(self) {
        let mut counts = self.attempts.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for subject in &self.subjects {
            if let Some(count) = counts.get_mut(subject) {
                count.failures = count.failures.saturating_sub(1);
            }
        }
    }
}

/// Who has one address of version 6 has a network of 2^64: that counts as one.
fn of_one_client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

/// A count with what time has given back.
fn refilled(count: Count, now: Timestamp) -> Count {
    let steps = now.since(count.since).as_millis() / REFILL.as_millis();
    let steps = u32::try_from(steps).unwrap_or(u32::MAX);
    let failures = count.failures.saturating_sub(steps);
    let since = if failures == 0 { now } else { count.since.saturating_add(REFILL * steps) };
    Count { failures, since }
}

fn wait(count: Option<Count>, subject: &Subject, now: Timestamp) -> Option<Duration> {
    let count = refilled(count?, now);
    (count.failures >= subject.most()).then(|| REFILL.saturating_sub(now.since(count.since)))
}

#[cfg(test)]
mod tests {
    use strata::ManualClock;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn attempts() -> (Arc<ManualClock>, Attempts) {
        let clock = Arc::new(ManualClock::default());
        (Arc::clone(&clock), Attempts::new(clock))
    }

    fn fail(attempts: &Attempts, address: IpAddr, account: &str) -> Result<(), Duration> {
        attempts.begin(address, account).map(drop)
    }

    #[test]
    fn an_account_is_guessed_at_five_times_and_then_once_in_half_a_minute() {
        let (clock, attempts) = attempts();
        for _ in 0..PER_ACCOUNT {
            fail(&attempts, HERE, "ada").expect("allowed");
        }
        assert_eq!(fail(&attempts, HERE, "ada"), Err(REFILL));
        clock.advance(Duration::from_millis(29_999));
        assert_eq!(fail(&attempts, HERE, "ada"), Err(Duration::from_millis(1)));
        clock.advance(Duration::from_millis(1));
        fail(&attempts, HERE, "ada").expect("one more");
        assert!(fail(&attempts, HERE, "ada").is_err());
        fail(&attempts, HERE, "grace").expect("another account");
        fail(&attempts, THERE, "ada").expect("nobody is locked out from elsewhere");
    }

    #[test]
    fn an_address_is_held_back_whatever_the_account() {
        let (_, attempts) = attempts();
        for number in 0..PER_ADDRESS {
            fail(&attempts, HERE, &number.to_string()).expect("allowed");
        }
        assert!(fail(&attempts, HERE, "another").is_err());
        fail(&attempts, THERE, "another").expect("another address");
    }

    #[test]
    fn the_addresses_of_one_network_of_version_6_are_one() {
        let (_, attempts) = attempts();
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        for number in 0..PER_ACCOUNT {
            fail(&attempts, address(&format!("2001:db8::{number}")), "ada").expect("allowed");
        }
        assert!(fail(&attempts, address("2001:db8::ffff:1"), "ada").is_err());
        fail(&attempts, address("2001:db8:0:1::1"), "ada").expect("another network");
        assert_eq!(of_one_client(address("::ffff:127.0.0.1")), HERE);
    }

    #[test]
    fn who_is_right_is_never_held_back_and_an_outage_counts_for_nothing() {
        let (_, attempts) = attempts();
        for _ in 0..4 * PER_ADDRESS {
            attempts.begin(HERE, "ada").expect("allowed").forgive();
            attempts.begin(HERE, "grace").expect("allowed").cancel();
        }
        assert_eq!(attempts.counts.lock().expect("unpoisoned")[&Subject::Address(HERE)].failures, 0);
    }

    #[test]
    fn s38_what_is_remembered_is_bounded() {
        let (clock, attempts) = attempts();
        for number in 0..u32::try_from(MOST).expect("few") + 10 {
            let address = IpAddr::V4(std::net::Ipv4Addr::from(number));
            fail(&attempts, address, &"x".repeat(4096)).expect("allowed");
            clock.advance(Duration::from_millis(1));
        }
        let counts = attempts.counts.lock().expect("unpoisoned");
        assert!(counts.len() <= MOST + 1, "{}", counts.len());
        assert!(
            counts.keys().all(|subject| !matches!(subject, Subject::Account(_, name) if name.len() > 128))
        );
    }
}
