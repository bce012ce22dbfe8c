//! Sealing: nothing readable on disk, records that can't be moved, keys that are rotated, transfers that stay sealed.

use std::fs;
use std::path::Path;

use strata::{Batch, Durability, ErrorKind, Expiry, Guard, Imported, Keep, Keys, Op, Strata, Tags, Write};

use super::ground::Ground;
use super::{Told, held, refused};
use crate::failure::Failure;

/// A text that occurs nowhere by chance.
const SECRET: &str = "the-quick-brown-secret-of-the-tour";

/// The files hold no plaintext; those of a store without encryption do, which shows that looking works.
pub(super) async fn on_disk(ground: &Ground) -> Told {
    ground.db.set("secret", &SECRET.to_owned()).await?;
    ground.db.flush().await?;
    let (files, found) = search(&ground.data())?;
    held(!found, "a sealed store's files hold no plaintext")?;
    let open = strata::builder().sled(ground.at("open")).plaintext().open().await?;
    open.set("secret", &SECRET.to_owned()).await?;
    open.close().await?;
    let (_, found) = search(&ground.at("open"))?;
    held(found, "the same search finds it where nothing is sealed")?;
    Ok(format!("{files} files searched for a stored text: absent; in a plaintext store: found"))
}

/// How many files a folder holds, and whether the secret is in one of them.
fn search(folder: &Path) -> Result<(usize, bool), Failure> {
    let failed = |error| Failure::Io("can't read the store's files", error);
    let (mut files, mut found) = (0, false);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            let (inner, inside) = search(&path)?;
            (files, found) = (files + inner, found | inside);
        } else {
            let bytes = fs::read(&path).map_err(failed)?;
            found |= bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            files += 1;
        }
    }
    Ok((files, found))
}

/// A sealed record opens only under its own key's name.
pub(super) async fn moved(db: &Strata) -> Told {
    db.set("victim", &"admin".to_owned()).await?;
    let record = db.store().get(&db.key("victim")?).await?;
    let payload = record.ok_or_else(|| Failure::Bad("not so: the record is stored".to_owned()))?.payload;
    let write = Write::Put { payload, expiry: Keep::Set(Expiry::NEVER), tags: Keep::Set(Tags::none()) };
    let op = Op { key: db.key("thief")?, guard: Guard::Any, write };
    db.store().commit(Batch::one(db.clock().now(), Durability::Process, op)).await?;
    refused(db.get::<String>("thief").await, ErrorKind::Corrupt, "a record copied to another name")?;
    db.remove("thief").await?;
    Ok("a sealed record copied to another name in the raw store does not open there".to_owned())
}

/// A sealed export opens only with its keys.
pub(super) async fn transfer(ground: &Ground) -> Told {
    let mut records = Vec::new();
    let mut export = ground.db.select().prefix("list:").export_sealed(None);
    while let Some(record) = export.next().await {
        records.push(record?);
    }
    let same = strata::builder().memory().keys(Keys::file(ground.key())).open().await?;
    for record in &records {
        held(matches!(same.import(record, Guard::Absent).await?, Imported::Stored(_)), "it is stored")?;
    }
    let before = ground.db.entries::<u32>("list:*").collect().await?;
    held(same.entries::<u32>("*").collect().await? == before, "what was exported is imported")?;
    let other = strata::builder().memory().keys(crate::opening::fresh()?).open().await?;
    let first = records.first().ok_or_else(|| Failure::Bad("not so: something was exported".to_owned()))?;
    refused(other.import(first, Guard::Any).await, ErrorKind::MissingKey, "importing without the key")?;
    Ok(format!("{} records out, sealed, and in with the key; refused without it", records.len()))
}

/// Adds a key, seals under it, moves everything to it, and ends the old one.
pub(super) async fn rotation(db: &Strata) -> Told {
    let keys = db.keyset().ok_or_else(|| Failure::Bad("not so: the store has keys".to_owned()))?;
    let (store, now) = (&**db.store(), db.clock().now());
    let old = strata::Seal::primary(&**keys.sealer());
    let new = keys.add(store, now).await?;
    keys.promote(store, new, now).await?;
    refused(keys.retire(db.handle(), old).await, ErrorKind::Invalid, "retiring a key in use")?;
    let done = keys.rekey(db.handle(), |_| ()).await?;
    held(done.finished && done.unreadable == 0, "everything is moved")?;
    keys.retire(db.handle(), old).await?;
    let ids: Vec<_> = keys.list().iter().map(|key| key.id).collect();
    held(ids == [new], "the old key is gone")?;
    let secret: Option<String> = db.get("secret").await?;
    held(secret.as_deref() == Some(SECRET), "old values open under the new key")?;
    Ok(format!("{old} replaced by {new}: {} records sealed anew, old key retired", done.moved))
}
