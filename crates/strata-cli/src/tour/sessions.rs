//! A session's life: created, used, rotated, destroyed.

use strata::Strata;
use strata::session::SessionToken;

use super::{Told, held};
use crate::failure::Failure;

/// A token opens its session until it is rotated out or the session is destroyed.
pub(super) async fn basic(db: &Strata) -> Told {
    let gone = |what: &str| Failure::Bad(format!("not so: {what}"));
    let sessions = db.sessions()?;
    let (token, session) = sessions.create().await?;
    session.set("cart", &vec!["tea".to_owned()]).await?;
    let mut session = sessions.open(&token).await?.ok_or_else(|| gone("the token opens its session"))?;
    let cart: Option<Vec<String>> = session.get("cart").await?;
    held(cart.is_some_and(|cart| cart == ["tea"]), "the session keeps its values")?;
    let fresh = session.rotate().await?;
    held(sessions.open(&token).await?.is_none(), "a rotated-out token opens nothing")?;
    // As the client sends it: text that is parsed before the store is asked.
    let sent = SessionToken::parse(&fresh.expose())?;
    let session = sessions.open(&sent).await?.ok_or_else(|| gone("the new token opens the session"))?;
    session.destroy().await?;
    held(sessions.open(&fresh).await?.is_none(), "a destroyed session is gone")?;
    Ok("created, used, rotated (old token refused), destroyed (new one too)".to_owned())
}
