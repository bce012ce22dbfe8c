//! A user signs in: what they may do, on how many devices, how recently they proved who they are, and how it all ends.

use strata::session::auth::{AtLimit, AuthSessions, Device, User};
use strata::{ErrorKind, Span, Strata};

use super::ground::Ground;
use super::{Told, held, refused};
use crate::failure::Failure;

/// The life of sessions that a person signed in to, on a clock that is moved.
pub(super) async fn signed_in(ground: &Ground) -> Told {
    let (db, clock) = ground.with_clock("auth").await?;
    let auth = AuthSessions::<u32>::builder(&db).parallel(2, AtLimit::EndOldest).build()?;
    let ada = User::new("ada").role("editor").permission("page:write").claims(7);
    let (laptop, mut session) = auth.login(&ada).device(Device::new().label("laptop")).await?;
    let (phone, _) = auth.login(&ada).device(Device::new().label("phone")).await?;
    held(session.has_permission("page:write").await?, "the permission is granted")?;
    clock.advance(10.minutes());
    refused(session.require_fresh(5.minutes()).await, ErrorKind::StepUp, "an old authentication")?;
    let renewed = session.reauthenticate().await?;
    session.require_fresh(5.minutes()).await.map(drop)?;
    held(auth.open(&laptop).await?.is_none(), "the token from before opens nothing")?;
    clock.advance(1.minutes());
    let (tablet, _) = auth.login(&ada).device(Device::new().label("tablet")).await?;
    let living = auth.list("ada").await?;
    held(living.len() == 2 && auth.open(&renewed).await?.is_none(), "at the limit the oldest ended")?;
    held(auth.revoke_user("ada").await? == 2, "both others end in one commit")?;
    for token in [&phone, &tablet] {
        held(auth.open(token).await?.is_none(), "what has ended opens nothing")?;
    }
    refused(session.has_permission("page:write").await, ErrorKind::Gone, "a permission after the end")?;
    idle(&db, &auth, &ada, &clock).await?;
    Ok("3 devices at a limit of 2, step-up and new token, 2 ended in one commit, 1 by idleness".to_owned())
}

/// Asking does not keep a session alive.
async fn idle(
    db: &Strata,
    auth: &AuthSessions<u32>,
    ada: &User<u32>,
    clock: &strata::ManualClock,
) -> Result<(), Failure> {
    let (_, session) = auth.login(ada).await?;
    for _ in 0..5 {
        clock.advance(10.minutes());
        held(session.is_authenticated().await?, "alive within the hour")?;
    }
    clock.advance(10.minutes());
    held(!session.is_authenticated().await?, "polling for an hour is no activity")?;
    held(db.sweep().await?.removed > 0, "what is dead is swept")
}
