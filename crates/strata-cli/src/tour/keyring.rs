//! The system's keyring: whether there is one, and a secret kept where there is, or is not. Nothing is written into the user's own.

use std::sync::Arc;

use strata::keyring::keyring_core::mock;
use strata::{Builder, ErrorKind, Keyring, KeyringConfig, Protection, Strata};

use super::{Told, held};
use crate::failure::Failure;

/// The entries of the tour, if it ever wrote any.
const SERVICE: &str = "strata-tour";

/// Where there is no keyring, `or_memory` is shown for real; where there is one, or nobody is to look, a keyring in memory stands
/// in for it, so that the tour leaves nothing in the user's.
pub(super) async fn secrets(no_keyring: bool) -> Told {
    if no_keyring {
        return in_a_stand_in("not looked for").await;
    }
    match Keyring::open(KeyringConfig::new(SERVICE)).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => in_memory().await,
        Ok(keyring) => in_a_stand_in(&format!("{} is there, and left alone", keyring.place())).await,
        Err(error) => in_a_stand_in(&format!("there, but {}", error.kind())).await,
    }
}

async fn in_memory() -> Told {
    // A keyring could come up this very moment: with a clock that is given, opening writes nothing into it.
    let clock = Arc::new(strata::native::system_clock().open());
    let wanted = || strata::builder().keyring(SERVICE).or_memory().clock(Arc::clone(&clock) as _);
    let db = wanted().open().await?;
    let report = db.report();
    held(
        report.instead.is_some() && report.protection == Protection::Plaintext,
        "the report says what was missing",
    )?;
    keep(&db).await?;
    let least = wanted().require(Protection::OsKeyring).open().await;
    super::refused(least, ErrorKind::Downgrade, "memory where a keyring was required")?;
    Ok("none here: a secret kept in memory, as was asked and is reported; refused where a keyring is required".to_owned())
}

async fn in_a_stand_in(found: &str) -> Told {
    let store =
        mock::Store::new().map_err(|_| Failure::Bad("not so: a keyring in memory can be made".to_owned()))?;
    let config = KeyringConfig::new(SERVICE).platform("a stand-in", store);
    let open = || -> Builder { strata::builder().keyring_with(config.clone()) };
    let db = open().open().await?;
    keep(&db).await?;
    db.close().await?;
    let db = open().require(Protection::OsKeyring).open().await?;
    held(db.get::<String>("token").await?.is_some(), "the keyring still has the secret")?;
    Ok(format!("{found}; a secret kept in a stand-in and found by the next open"))
}

/// A secret is kept and read back.
async fn keep(db: &Strata) -> Result<(), Failure> {
    db.set("token", &"secret".to_owned()).await?;
    let token: Option<String> = db.get("token").await?;
    held(token.as_deref() == Some("secret"), "a secret comes back")
}
