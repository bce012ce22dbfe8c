//! Counting in memory: [`PerClient`], a token bucket for each client and, if wanted, for each account.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use strata_core::{Clock, Error, ErrorKind, Result};

use super::{Attempt, RateLimit, Wait};

/// How many attempts at once, and in how long that many come back one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    burst: u32,
    per: Duration,
}

impl Rate {
    /// `burst` attempts per `per`, all of them at once if nobody asked before.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for none at all, or for less than a microsecond each.
    pub fn new(burst: u32, per: Duration) -> Result<Self> {
        if burst == 0 || per.as_micros() < u128::from(burst) {
            let message = "a rate needs one attempt at least, and a microsecond for each; give a longer time or fewer attempts";
            return Err(Error::new(ErrorKind::Invalid, "limit rates", message));
        }
        Ok(Self { burst, per })
    }

    /// In how many microseconds one attempt comes back.
    fn interval(self) -> u64 {
        micros(self.per) / u64::from(self.burst)
    }
}

/// A token bucket for each client, by route; one more for each account if [`accounts`](Self::accounts) says so. It counts in this
/// process only, over an injected clock. Addresses of version 6 count by their first 64 bits, which is what one customer has.
///
/// Its memory is bounded: beyond the most buckets, those that are full again are forgotten, which changes nothing; if there are none,
/// newcomers share one bucket, so that whoever has many addresses crowds out other newcomers only. Clients without a known address share
/// one, too.
pub struct PerClient {
    clock: Arc<dyn Clock>,
    clients: Rate,
    accounts: Option<Rate>,
    most: usize,
    hasher: RandomState,
    buckets: Mutex<Buckets>,
}

/// When each bucket is full again, in microseconds since the epoch, by a keyed hash of whose it is (GCRA: one number is all of a
/// token bucket).
#[derive(Default)]
struct Buckets {
    full: HashMap<u64, u64>,
    /// No bucket is worth looking for before this.
    swept_until: u64,
}

/// The bucket that newcomers share when there is no room.
const COMMON: u64 = 0;

impl PerClient {
    /// The most buckets unless told otherwise; each takes 16 bytes and a little.
    pub const USUAL_MOST: usize = 100_000;

    /// So many attempts of each client, for each route by itself.
    pub fn new(clock: Arc<dyn Clock>, clients: Rate) -> Self {
        let (hasher, buckets) = (RandomState::new(), Mutex::default());
        Self { clock, clients, accounts: None, most: Self::USUAL_MOST, hasher, buckets }
    }

    /// And so many for each account that an attempt names, from wherever it comes. Mind that anybody can then keep others from
    /// their own accounts for a while.
    #[must_use]
    pub fn accounts(mut self, rate: Rate) -> Self {
        self.accounts = Some(rate);
        self
    }

    /// Other memory than for [`PerClient::USUAL_MOST`] buckets, two at least.
    #[must_use]
    pub fn most(mut self, buckets: usize) -> Self {
        self.most = buckets.max(2);
        self
    }

    /// How many buckets there are now.
    pub fn len(&self) -> usize {
        self.locked().full.len()
    }

    /// Whether nobody is counted now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts in all of its buckets, or in none.
    fn count(&self, attempt: &Attempt<'_>) -> Result<(), Wait> {
        let now = micros(Duration::from_millis(self.clock.now().as_millis()));
        let client = attempt.address().map(network);
        let account = self.accounts.zip(attempt.account_name());
        let of_client = (self.hasher.hash_one((attempt.route(), "client", client)), self.clients);
        let of_account =
            account.map(|(rate, name)| (self.hasher.hash_one((attempt.route(), "account", name)), rate));
        let mut buckets = self.locked();
        let mut filled = Vec::with_capacity(2);
        for (bucket, rate) in std::iter::once(of_client).chain(of_account) {
            let bucket = buckets.place(bucket, now, self.most);
            filled.push((bucket, buckets.after(bucket, rate, now)?));
        }
        buckets.full.extend(filled);
        Ok(())
    }
}

impl Buckets {
    /// The bucket to count in: its own, or the common one where there is no room for another.
    fn place(&mut self, bucket: u64, now: u64, most: usize) -> u64 {
        // One place is the common one's.
        if self.full.contains_key(&bucket) || self.full.len() + 1 < most {
            return bucket;
        }
        if now >= self.swept_until {
            self.full.retain(|_, full| *full > now);
            // A walk over all of them is paid for by many attempts, or by time.
            self.swept_until = now + 1_000_000;
        }
        if self.full.len() + 1 < most { bucket } else { COMMON }
    }

    /// When the bucket is full again after one more attempt.
    fn after(&self, bucket: u64, rate: Rate, now: u64) -> Result<u64, Wait> {
        let full = self.full.get(&bucket).copied().unwrap_or(0).max(now);
        let next = full.saturating_add(rate.interval());
        let latest = now.saturating_add(micros(rate.per));
        if next <= latest { Ok(next) } else { Err(Wait(Duration::from_micros(next - latest))) }
    }
}

/// What one customer is given.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[async_trait]
impl RateLimit for PerClient {
    async fn check(&self, attempt: &Attempt<'_>) -> Result<(), Wait> {
        self.count(attempt)
    }
}

impl fmt::Debug for PerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerClient")
            .field("clients", &self.clients)
            .field("accounts", &self.accounts)
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use strata_core::ManualClock;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limiter(burst: u32, per: Duration) -> (Arc<ManualClock>, PerClient) {
        let clock = Arc::new(ManualClock::default());
        let rate = Rate::new(burst, per).expect("a rate");
        (Arc::clone(&clock), PerClient::new(clock, rate))
    }

    fn from(last: u8) -> Attempt<'static> {
        Attempt::of("login").client(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_burst_passes_and_then_one_per_interval() {
        let (clock, limit) = limiter(3, 3 * SECOND);
        for _ in 0..3 {
            assert_eq!(limit.count(&from(1)), Ok(()));
        }
        assert_eq!(limit.count(&from(1)), Err(Wait(SECOND)));
        assert_eq!(limit.count(&from(2)), Ok(()), "another client");
        assert_eq!(limit.count(&Attempt { route: "refresh", ..from(1) }), Ok(()), "another route");
        clock.advance(Duration::from_millis(999));
        assert_eq!(limit.count(&from(1)), Err(Wait(Duration::from_millis(1))));
        clock.advance(Duration::from_millis(1));
        assert_eq!(limit.count(&from(1)), Ok(()));
        assert_eq!(limit.count(&from(1)), Err(Wait(SECOND)), "refused attempts cost nothing");
        clock.advance(Duration::from_hours(1));
        for _ in 0..3 {
            assert_eq!(limit.count(&from(1)), Ok(()));
        }
        assert!(limit.count(&from(1)).is_err(), "a long rest saves up no more than the burst");
    }

    #[test]
    fn an_account_is_counted_from_wherever_it_is_tried() {
        let (_, limit) = limiter(100, SECOND);
        let limit = limit.accounts(Rate::new(2, 2 * SECOND).expect("a rate"));
        assert_eq!(limit.count(&from(1).account("ada")), Ok(()));
        assert_eq!(limit.count(&from(2).account("ada")), Ok(()));
        assert_eq!(limit.count(&from(3).account("ada")), Err(Wait(SECOND)));
        assert_eq!(limit.count(&from(3).account("bob")), Ok(()));
        assert_eq!(limit.count(&from(3)), Ok(()), "without an account");
    }

    #[test]
    fn one_customer_is_one_client() {
        let (_, limit) = limiter(1, SECOND);
        let v6 = |text: &str| Attempt::of("login").client(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(limit.count(&v6("2001:db8:0:1::1")), Ok(()));
        assert!(limit.count(&v6("2001:db8:0:1:ffff::2")).is_err(), "of the same 64 bits");
        assert_eq!(limit.count(&v6("2001:db8:0:2::1")), Ok(()));
        assert_eq!(limit.count(&v6("::ffff:192.0.2.1")), Ok(()));
        assert!(limit.count(&from(1)).is_err(), "version 4 in the clothes of version 6");
        assert_eq!(limit.count(&Attempt::of("login")), Ok(()));
        assert!(limit.count(&Attempt::of("login")).is_err(), "nobody in particular");
    }

    #[test]
    fn s38_memory_is_bounded_and_the_counted_are_not_forgotten() {
        let (clock, limit) = limiter(1, 10 * SECOND);
        let limit = limit.most(8);
        for client in 0..200 {
            let _ = limit.count(&from(client));
        }
        assert_eq!(limit.len(), 8);
        assert!(limit.count(&from(0)).is_err(), "who was counted is not let in by a crowd");
        assert!(limit.count(&from(200)).is_err(), "newcomers share what is left");
        clock.advance(10 * SECOND);
        assert_eq!(limit.count(&from(201)), Ok(()), "full buckets make room");
        assert_eq!(limit.len(), 1);
    }

    #[test]
    fn rates_without_sense_are_refused() {
        for (burst, per) in [(0, SECOND), (1, Duration::ZERO), (2, Duration::from_micros(1))] {
            assert_eq!(Rate::new(burst, per).expect_err("refused").kind(), ErrorKind::Invalid);
        }
    }
}
