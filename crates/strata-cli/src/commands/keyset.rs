//! `keyset`: the keys that values are sealed under, never their bytes.

use serde_json::json;
use strata::crypto::StoreKeys;
use strata::{ErrorKind, KeyId, Strata};

use crate::args::Keyset;
use crate::failure::Failure;
use crate::output::{Out, Table};
use crate::progress::Progress;
use crate::words;

/// Lists or changes the keys.
pub(crate) async fn keyset(db: &Strata, keyset: &Keyset, out: &mut Out) -> Result<(), Failure> {
    let keys = db
        .keyset()
        .ok_or_else(|| Failure::Usage("the store is not encrypted, so it has no keys".to_owned()))?;
    let now = db.clock().now();
    let store = &**db.store();
    match *keyset {
        Keyset::List => list(keys, out),
        Keyset::Add => {
            let id = keys.add(store, now).await?;
            out.either(
                &json!({ "added": id.to_string() }),
                format!("added {id}; `keyset promote {id}` seals under it"),
            )
        }
        Keyset::Promote { id } => {
            keys.promote(store, id, now).await?;
            let text = format!("promoted {id}; `keyset rekey` moves older values to it");
            out.either(&json!({ "promoted": id.to_string() }), text)
        }
        Keyset::Rekey => rekey(db, keys, out).await,
        Keyset::Retire { id } => retire(db, keys, id, out).await,
    }
}

fn list(keys: &StoreKeys, out: &mut Out) -> Result<(), Failure> {
    let mut rows = vec![["KEY", "CHECK", "CREATED", "PRIMARY"].map(str::to_owned)];
    for key in keys.list() {
        let (id, check) = (key.id.to_string(), key.check.to_string());
        let created = words::print_instant(key.created);
        if out.json {
            out.object(&json!({ "id": id, "check": check, "created": created, "primary": key.primary }))?;
        }
        rows.push([id, check, created, if key.primary { "yes" } else { "" }.to_owned()]);
    }
    if out.json {
        return Ok(());
    }
    for line in Table::new([false; 4]).lay_out(&rows) {
        out.line(line)?;
    }
    Ok(())
}

async fn rekey(db: &Strata, keys: &StoreKeys, out: &mut Out) -> Result<(), Failure> {
    let total = db.stats().await?.and_then(|stats| stats.records);
    let progress = Progress::counting("records looked at", total);
    let done = keys.rekey(db.handle(), |done| progress.at(done.seen)).await?;
    drop(progress);
    let object = json!({
        "primary": done.primary.to_string(),
        "seen": done.seen,
        "moved": done.moved,
        "unreadable": done.unreadable,
    });
    let text = format!(
        "moved {} of {} records (the store's own included) to key {}",
        done.moved, done.seen, done.primary
    );
    let printed = out.either(&object, text);
    match done.unreadable {
        0 => printed,
        count => Err(Failure::Bad(format!(
            "{count} records could not be opened and were left; `check` names them"
        ))),
    }
}

async fn retire(db: &Strata, keys: &StoreKeys, id: KeyId, out: &mut Out) -> Result<(), Failure> {
    let progress = Progress::waiting("looking for values under the key");
    let retired = keys.retire(db.handle(), id).await;
    drop(progress);
    let seen = retired.map_err(|error| match error.kind() {
        // The words were right; the store is not ready for it.
        ErrorKind::Invalid => Failure::Bad(error.to_string()),
        _ => error.into(),
    })?;
    let object = json!({ "retired": id.to_string(), "seen": seen });
    out.either(
        &object,
        format!("retired {id}; none of {seen} living records (the store's own included) is sealed under it"),
    )
}
