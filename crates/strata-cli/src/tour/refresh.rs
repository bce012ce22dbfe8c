//! A family of refresh tokens: issued, rotated, retried after a lost answer, and ended when a stolen token turns up.

use strata::Strata;
use strata::session::refresh::{RefreshToken, Rotation, Verdict};

use super::{Told, held};
use crate::failure::Failure;

/// A client loses an answer and has it again; a thief comes with an old token, and the family ends for both.
pub(super) async fn family(db: &Strata) -> Told {
    let tokens = db.refresh_tokens()?;
    let (first, family) = tokens.issue("ada", "phone").await?;
    // What a thief copies is the text.
    let stolen = RefreshToken::parse(&first.expose())?;
    let Rotation::Rotated { token: second, .. } = tokens.rotate(&first).await? else {
        return Err(not_so("the current token is rotated"));
    };
    let Rotation::Retried { token: again, .. } = tokens.rotate(&first).await? else {
        return Err(not_so("a retry has the same answer"));
    };
    held(*again.expose() == *second.expose(), "a retry has the same successor")?;
    let Ok((third, _)) = tokens.rotate(&second).await?.granted() else {
        return Err(not_so("the successor is rotated"));
    };
    let made_up =
        third.expose().replace(third.expose().split('.').nth(2).unwrap_or_default(), &"A".repeat(43));
    let verdict = verdict_of(tokens.rotate(&RefreshToken::parse(&made_up)?).await?);
    held(verdict == Some(Verdict::Unknown), "a made-up token of a known family ends nothing")?;
    held(tokens.list("ada").await?.iter().any(|living| living.id == family.id), "the family goes on")?;
    let verdict = verdict_of(tokens.rotate(&stolen).await?);
    held(verdict == Some(Verdict::StaleLineage), "an old token is found out")?;
    let verdict = verdict_of(tokens.rotate(&third).await?);
    held(verdict == Some(Verdict::Unknown), "its family has ended, the current token with it")?;
    held(tokens.list("ada").await?.is_empty(), "the user has no family left")?;
    Ok("rotated twice, a lost answer given again, a stolen token ended the family".to_owned())
}

fn verdict_of(rotation: Rotation) -> Option<Verdict> {
    rotation.granted().err()
}

fn not_so(what: &str) -> Failure {
    Failure::Bad(format!("not so: {what}"))
}
