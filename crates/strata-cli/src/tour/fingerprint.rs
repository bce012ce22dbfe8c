//! Fingerprints: an update is still the device, a stranger is not, and no check moves the reference.

use strata::Strata;
use strata::session::fingerprint::{Action, Features, Verdict};

use super::{Told, held, refused};
use crate::failure::Failure;

const LAPTOP: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36";
const UPDATED: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0 Safari/537.36";
const STRANGER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0";

/// A session is bound to a device; later ones are judged by how much they look like it.
pub(super) async fn judged(db: &Strata) -> Told {
    let (prints, sessions) = (db.fingerprints()?, db.sessions()?);
    let (_, session) = sessions.create().await?;
    let laptop = seen(LAPTOP, "Europe/Vienna")?;
    prints.bind(&session, &laptop).await?;
    held(prints.check(&session, &laptop).await? == Verdict::Match, "the same device matches")?;
    let Verdict::Similar { score: updated, .. } =
        prints.check(&session, &seen(UPDATED, "Europe/Vienna")?).await?
    else {
        return Err(Failure::Bad("not so: an updated browser is similar".to_owned()));
    };
    let stranger = seen(STRANGER, "America/Lima")?;
    let Verdict::Mismatch { score: other, .. } = prints.check(&session, &stranger).await? else {
        return Err(Failure::Bad("not so: a stranger is a mismatch".to_owned()));
    };
    held(prints.enforce(&session, &stranger).await? == Action::StepUp, "a stranger has to authenticate")?;
    held(prints.check(&session, &laptop).await? == Verdict::Match, "no check moved the reference")?;
    refused(prints.bind(&session, &stranger).await, strata::ErrorKind::Conflict, "a second binding")?;
    session.destroy().await?;
    Ok(format!("same device: match; browser updated: {updated}; stranger: {other}, to authenticate again"))
}

fn seen(agent: &str, zone: &str) -> Result<Features, Failure> {
    Ok(Features::builder().agent(agent).platform(agent).language("de-AT,de;q=0.9").zone(zone).build()?)
}
