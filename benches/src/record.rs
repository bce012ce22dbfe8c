//! The reference record of every table: a signed-in user, 454 bytes in bincode 2, and the ids it is stored under.

use serde::{Deserialize, Serialize};

/// What an application keeps of a signed-in user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// A UUID in text.
    pub user_id: String,
    /// 18 characters.
    pub username: String,
    /// 35 characters.
    pub email: String,
    /// Four.
    pub roles: Vec<String>,
    /// Ten.
    pub permissions: Vec<String>,
    /// Milliseconds.
    pub created: i64,
    /// Milliseconds.
    pub seen: i64,
    /// Milliseconds.
    pub expires: i64,
}

impl Record {
    /// The record of user `number`.
    pub fn of(number: u64) -> Self {
        let now = 1_767_225_600_000 + i64::try_from(number).unwrap_or(0);
        Self {
            user_id: format!("{number:08x}-7c1f-4b52-9d6e-0123456789ab"),
            username: format!("user-{number:013}"),
            email: format!("user-{number:013}@mail.example.com"),
            roles: ["member", "editor", "auditor", "billing"].map(str::to_owned).to_vec(),
            permissions: (0..10).map(|index| format!("workspace:{index:02}:document:write")).collect(),
            created: now - 3_600_000,
            seen: now,
            expires: now + 86_400_000,
        }
    }
}

/// A 32-character id of `number`, spread like random ones.
pub fn id(number: u64) -> String {
    format!("{:016x}{:016x}", mix(number), mix(number ^ 0x9e37_79b9_7f4a_7c15))
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Indexes below `count` as visitors hit sessions: zipf with exponent 0.99.
#[derive(Debug)]
pub struct Zipf {
    indexes: Vec<u32>,
    next: usize,
}

impl Zipf {
    /// A fixed long sequence, so that drawing costs one load.
    pub fn new(count: usize) -> Self {
        let mut total = 0.0;
        let weights: Vec<f64> = (1..=count)
            .map(|rank| {
                total += 1.0 / crate::harness::precise(rank as u64).powf(0.99);
                total
            })
            .collect();
        let indexes = (0..1_u64 << 18)
            .map(|draw| {
                let point =
                    crate::harness::precise(mix(draw) >> 12) / crate::harness::precise(1 << 52) * total;
                let rank = weights.partition_point(|sum| *sum < point).min(count - 1);
                // Hot records lie scattered; 2^32 is never reached.
                u32::try_from(mix(rank as u64 + 1) % count as u64).unwrap_or(0)
            })
            .collect();
        Self { indexes, next: 0 }
    }

    /// The next index.
    #[inline]
    pub fn draw(&mut self) -> usize {
        self.next = (self.next + 1) & (self.indexes.len() - 1);
        self.indexes[self.next] as usize
    }
}
