//! Refresh tokens at the server: life, windows, secrets, faults, cut futures, every order of a few operations, random histories.

mod cuts;
mod faults;
mod histories;
mod life;
mod lines;
mod not_again;
mod orders;
mod reuse;
mod rosters;
mod secrets;
mod window;

use std::sync::Arc;
use std::time::Duration;

use strata_core::conformance::block_on;
use strata_core::{ReferenceStore, Store};
use strata_session::FamilyId;
use strata_session::refresh::{Family, RefreshToken, RefreshTokens, RefreshTokensBuilder, Rotation, Verdict};
use strata_session::security::{SecurityEventKind, SecurityEvents};

use crate::{World, world_over};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A world with a manager of refresh tokens.
struct Ground {
    world: World,
    tokens: RefreshTokens,
    events: SecurityEvents,
}

fn ground() -> Ground {
    ground_over(Arc::new(ReferenceStore::new()))
}

fn ground_over(store: Arc<dyn Store>) -> Ground {
    ground_in(world_over(store), |builder| builder)
}

fn ground_with(change: impl FnOnce(RefreshTokensBuilder<'_>) -> RefreshTokensBuilder<'_>) -> Ground {
    ground_in(world_over(Arc::new(ReferenceStore::new())), change)
}

fn ground_in(
    world: World,
    change: impl FnOnce(RefreshTokensBuilder<'_>) -> RefreshTokensBuilder<'_>,
) -> Ground {
    let tokens = change(RefreshTokens::builder(&world.db)).build().expect("a manager");
    let events = tokens.log().subscribe();
    Ground { world, tokens, events }
}

impl Ground {
    fn advance(&self, time: Duration) {
        self.world.clock.advance(time);
    }

    fn issue(&self, user: &str) -> RefreshToken {
        block_on(self.tokens.issue(user, "phone")).expect("issue").0
    }

    fn rotate(&self, token: &RefreshToken) -> Rotation {
        block_on(self.tokens.rotate(token)).expect("rotate")
    }

    /// The successor of a token that is current.
    fn rotated(&self, token: &RefreshToken) -> RefreshToken {
        match self.rotate(token) {
            Rotation::Rotated { token, .. } => token,
            other => panic!("not rotated: {other:?}"),
        }
    }

    /// The successor that a token whose answer was lost gets again.
    fn retried(&self, token: &RefreshToken) -> RefreshToken {
        match self.rotate(token) {
            Rotation::Retried { token, .. } => token,
            other => panic!("not retried: {other:?}"),
        }
    }

    fn refused(&self, token: &RefreshToken) -> Verdict {
        self.rotate(token).granted().expect_err("a token that must be refused")
    }

    fn list(&self, user: &str) -> Vec<Family> {
        block_on(self.tokens.list(user)).expect("list")
    }

    /// What was announced since this was last asked.
    fn heard(&mut self) -> Vec<SecurityEventKind> {
        std::iter::from_fn(|| self.events.try_next()).map(|event| event.expect("none missed").kind).collect()
    }

    /// Families and rosters say the same: each family that lies in the store is on its user's list, and nothing else is on any.
    fn agrees(&self, users: &[&str]) {
        let mut lying = block_on(self.tokens.handle().keys("*").collect()).expect("keys");
        let lists: Vec<_> =
            users.iter().map(|user| self.list(user)).filter(|list| !list.is_empty()).collect();
        let mut listed: Vec<_> = lists.iter().flatten().map(|family| family.id.to_string()).collect();
        lying.sort();
        listed.sort();
        assert_eq!(lying, listed, "families and rosters agree");
        assert_eq!(self.rosters(), lists.len(), "a roster for each user who has a family, and no other");
    }

    fn rosters(&self) -> usize {
        let rosters =
            self.world.db.namespace("refresh").and_then(|db| db.namespace("roster")).expect("a name");
        block_on(rosters.keys("*").collect()).expect("keys").len()
    }
}

/// What a thief or a second tab has: the same text.
fn copy(token: &RefreshToken) -> RefreshToken {
    RefreshToken::parse(&token.expose()).expect("its own text")
}

fn same(one: &RefreshToken, other: &RefreshToken) -> bool {
    *one.expose() == *other.expose()
}

/// The text with parts of it replaced: family, generation, secret, tag.
fn forged(token: &RefreshToken, change: impl FnOnce(&mut [String])) -> RefreshToken {
    let text = token.expose();
    let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    change(&mut parts);
    RefreshToken::parse(&parts.join(".")).expect("well formed")
}

fn unknown_family() -> FamilyId {
    FamilyId::parse(&"0f".repeat(16)).expect("an id")
}
