//! The tour: every part of the library run for real, on disk, each step told with what it did and how long it took. This file
//! runs and tells the steps; `ground` is where they run; each other file holds the steps of one subject.

mod analytics;
mod auth;
mod changes;
mod crash;
mod durability;
mod fingerprint;
mod ground;
mod http;
mod keyring;
mod life;
mod migration;
mod refresh;
mod sealing;
mod server_sync;
mod sessions;
mod sync;
mod tokens;
mod values;

use std::time::{Duration, Instant};

use serde_json::json;

use self::ground::Ground;
use crate::failure::Failure;
use crate::output::Out;

/// What a step did, in one line.
type Told = Result<String, Failure>;

/// How wide the names of steps are.
const NAME: usize = 28;

/// Runs all steps, without looking for the user's keyring if that is asked. Ends well only if every one held.
pub(crate) async fn run(out: &mut Out, no_keyring: bool) -> Result<(), Failure> {
    guide(out, no_keyring).await.map_err(Failure::amid)
}

async fn guide(out: &mut Out, no_keyring: bool) -> Result<(), Failure> {
    let mut tour = Tour { out, steps: 0, broken: 0 };
    let started = Instant::now();
    let (ground, told) = match Ground::open().await {
        Ok((ground, did)) => (Some(ground), Ok(did)),
        Err(failure) => (None, Err(failure)),
    };
    tour.tell("open and key", started.elapsed(), told)?;
    if let Some(ground) = ground {
        steps(&mut tour, ground, no_keyring).await?;
    }
    tour.end(started.elapsed())
}

async fn steps(tour: &mut Tour<'_>, ground: Ground, no_keyring: bool) -> Result<(), Failure> {
    let db = &ground.db;
    tour.step("typed values", values::typed(db)).await?;
    tour.step("overwriting keeps the rest", values::overwrite(db)).await?;
    tour.step("100 changes at once", values::modify(db)).await?;
    tour.step("guards", values::guards(db)).await?;
    tour.step("tags and prefixes", values::listing(db)).await?;
    tour.step("idle time and cap", life::idle_and_cap(&ground)).await?;
    tour.step("expiry and sweep", life::sweep(&ground)).await?;
    tour.step("events", changes::events(db)).await?;
    tour.step("several in one commit", changes::batch(db)).await?;
    tour.step("durability, level by level", durability::levels(db)).await?;
    tour.step("nothing readable on disk", sealing::on_disk(&ground)).await?;
    tour.step("a moved record is refused", sealing::moved(db)).await?;
    tour.step("export and import, sealed", sealing::transfer(&ground)).await?;
    tour.step("a session's life", sessions::basic(db)).await?;
    tour.step("signing in", auth::signed_in(&ground)).await?;
    tour.step("a device and a stranger", fingerprint::judged(db)).await?;
    tour.step("refresh tokens", refresh::family(db)).await?;
    tour.step("guest becomes user", migration::guest(db)).await?;
    tour.step("a client's tokens", tokens::client(&ground)).await?;
    tour.step("the system's keyring", keyring::secrets(no_keyring)).await?;
    tour.step("edited offline, merged", server_sync::document(&ground)).await?;
    tour.step("visits counted once", analytics::visits(&ground)).await?;
    tour.step("two programs in step", sync::one_store()).await?;
    tour.step("two stores in step", sync::a_store_each()).await?;
    tour.step("server and client", http::both_ends(db)).await?;
    tour.step("key rotation", sealing::rotation(db)).await?;
    tour.step("kill -9 in mid-writing", crash::kill(&ground)).await?;
    tour.step("close and reopen", ground.reopen()).await
}

/// A tour under way.
struct Tour<'o> {
    out: &'o mut Out,
    steps: u32,
    broken: u32,
}

impl Tour<'_> {
    async fn step(&mut self, name: &str, step: impl Future<Output = Told>) -> Result<(), Failure> {
        let started = Instant::now();
        let told = step.await;
        self.tell(name, started.elapsed(), told)
    }

    fn tell(&mut self, name: &str, took: Duration, told: Told) -> Result<(), Failure> {
        self.steps += 1;
        let (held, did) = match told {
            Ok(did) => (true, did),
            Err(failure) => (false, failure.message()),
        };
        self.broken += u32::from(!held);
        let millis = took.as_secs_f64() * 1000.0;
        let object = json!({ "step": name, "held": held, "ms": millis, "did": did });
        let tick = if held { '✓' } else { '✗' };
        self.out.either(&object, format!("{tick} {name:<NAME$}{millis:>8.1} ms  {did}"))?;
        self.out.flush()
    }

    fn end(&mut self, took: Duration) -> Result<(), Failure> {
        let Self { steps, broken, .. } = *self;
        if broken > 0 {
            return Err(Failure::Bad(format!("{broken} of {steps} steps did not hold")));
        }
        let object = json!({ "steps": steps, "held": steps, "ms": took.as_secs_f64() * 1000.0 });
        self.out.either(&object, format!("all {steps} steps held, in {:.1} s", took.as_secs_f64()))?;
        self.out.flush()
    }
}

/// Nothing if it is so; else a failure that says what is not.
fn held(so: bool, what: &str) -> Result<(), Failure> {
    if so { Ok(()) } else { Err(Failure::Bad(format!("not so: {what}"))) }
}

/// Nothing if the call was refused for this reason.
fn refused<T>(result: Result<T, strata::Error>, kind: strata::ErrorKind, what: &str) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Failure::Bad(format!("not refused: {what}"))),
    }
}
