//! Where the tour runs: a fresh folder with an encrypted store and its key file, gone afterwards.

use std::path::PathBuf;
use std::sync::Arc;

use strata::{Clock, Keys, ManualClock, Strata};
use tempfile::TempDir;

use super::{Told, held};
use crate::failure::Failure;

/// The store of the tour.
pub(super) struct Ground {
    pub(super) db: Strata,
    folder: TempDir,
}

impl Ground {
    /// Opens a fresh store, and says what it is.
    pub(super) async fn open() -> Result<(Self, String), Failure> {
        let folder =
            tempfile::tempdir().map_err(|error| Failure::Io("can't make a temporary folder", error))?;
        let data = folder.path().join("data");
        let db = strata::builder().sled(&data).keys(Keys::file(folder.path().join("key"))).open().await?;
        let report = db.report();
        let keys = report.keys.ok_or_else(|| Failure::Bad("not so: the store is encrypted".to_owned()))?;
        held(keys.created && keys.fresh, "a fresh store gets a fresh key")?;
        let key = db.seal().map(|seal| seal.primary().to_string()).unwrap_or_default();
        let did = format!(
            "sled in a fresh folder, sealed under key {key} from a {}, durability {}",
            keys.provider, report.durability
        );
        Ok((Self { db, folder }, did))
    }

    /// The folder with the data.
    pub(super) fn data(&self) -> PathBuf {
        self.at("data")
    }

    /// The file with the key.
    pub(super) fn key(&self) -> PathBuf {
        self.at("key")
    }

    /// A place beside the data.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A second store on disk whose time only moves when it is told to.
    pub(super) async fn with_clock(&self, name: &str) -> Result<(Strata, Arc<ManualClock>), Failure> {
        let clock = Arc::new(ManualClock::default());
        let db = strata::builder()
            .sled(self.at(name))
            .keys(Keys::file(self.key()))
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .without_sweeper()
            .open()
            .await?;
        Ok((db, clock))
    }

    /// The last step: closes the store, opens it again, and finds everything.
    pub(super) async fn reopen(self) -> Told {
        let Self { db, folder } = self;
        db.set("last", &"word".to_owned()).await?;
        let count = db.select().count().await?;
        db.close().await?;
        let keys = Keys::file(folder.path().join("key"));
        let db = strata::builder().sled(folder.path().join("data")).keys(keys).open().await?;
        let word: Option<String> = db.get("last").await?;
        held(word.as_deref() == Some("word"), "the last write is there")?;
        held(db.select().count().await? == count, "all values are there")?;
        let check = db.check(|_| ()).await?;
        held(check.is_clean(), "indexes equal records and every value opens")?;
        db.close().await?;
        Ok(format!("{count} values found again, check clean"))
    }
}
