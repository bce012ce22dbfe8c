//! Changes of keys whose store calls fail one by one (s35): nothing becomes unreadable, and the same again finishes.

use strata_core::Seal as _;
use strata_core::conformance::{Fault, Faulty, every_call};
use tempfile::TempDir;

use super::*;

/// More than a page of a walk.
const RECORDS: u32 = 260;
/// What is still under the old key when a rekeying begins: the rest was moved before.
const LEFT: [u32; 3] = [0, 128, 259];

/// A store with a key file, seen with faults and without.
struct Lab {
    folder: TempDir,
    sound: Arc<dyn Store>,
    faulty: Arc<Faulty>,
    shown: Arc<dyn Store>,
}

impl Lab {
    fn new() -> Self {
        let sound = store();
        let faulty = Arc::new(Faulty::new(Arc::clone(&sound)));
        let folder = tempfile::tempdir().expect("folder");
        Self { folder, sound, shown: Arc::clone(&faulty) as _, faulty }
    }

    async fn filled() -> Self {
        let lab = Self::new();
        let db = handle(&lab.sound, &lab.open().await.expect("open"));
        for number in 0..RECORDS {
            db.set(&name(number), &number).await.expect("set");
        }
        lab
    }

    fn keys(&self) -> Keys {
        Keys::file(self.folder.path().join("key"))
    }

    /// Without faults.
    async fn open(&self) -> Result<Opened> {
        opened(&self.sound, self.keys()).await
    }

    /// Runs `act` once for each of its store calls, which fails, and `check` between failure and success, and after it.
    /// Says how many calls failed.
    async fn each_fault<T: Copy>(
        &self,
        fault: Fault,
        prepare: impl AsyncFn(&Opened) -> T,
        act: impl AsyncFn(&Opened, T) -> Result<()>,
        check: impl AsyncFn(&Opened, T),
    ) -> u64 {
        every_call(&*self.faulty, fault, async |nth| {
            self.faulty.disarm();
            let opened = self.open().await.expect("open");
            let prepared = prepare(&opened).await;
            self.faulty.arm(nth, fault);
            let tried = act(&opened, prepared).await;
            self.faulty.disarm();
            if tried.is_err() {
                self.assert_readable(&opened).await;
                self.assert_readable(&self.open().await.expect("reopen")).await;
                // Half of the programs are started anew first.
                let again = if nth % 2 == 0 { opened } else { self.open().await.expect("reopen") };
                act(&again, prepared).await.expect("the same again");
            }
            let last = self.open().await.expect("reopen");
            assert_eq!(last.report.missing, [], "{fault:?} {nth}");
            self.assert_readable(&last).await;
            check(&last, prepared).await;
        })
        .await
    }

    async fn assert_readable(&self, opened: &Opened) {
        let db = handle(&self.sound, opened);
        for number in 0..RECORDS {
            assert_eq!(db.get::<u32>(&name(number)).await.expect("readable"), Some(number));
        }
    }

    /// Adds and promotes a key, and moves all but [`LEFT`] to it.
    async fn rotate(&self, opened: &Opened) -> (KeyId, KeyId) {
        let old = opened.sealer.primary();
        let new = opened.keys.add(&*self.sound, NOW).await.expect("add");
        opened.keys.promote(&*self.sound, new, NOW).await.expect("promote");
        let db = handle(&self.sound, opened);
        for number in (0..RECORDS).filter(|number| !LEFT.contains(number)) {
            db.reseal(&Key::new(&name(number)).expect("key")).await.expect("reseal");
        }
        (old, new)
    }

    /// Takes every key but the primary out, so that runs do not pile keys up.
    async fn tidy(&self, opened: &Opened) {
        let db = handle(&self.sound, opened);
        opened.keys.rekey(&db, |_| ()).await.expect("rekey");
        for key in opened.keys.list().iter().filter(|key| !key.primary) {
            opened.keys.retire(&db, key.id).await.expect("retire");
        }
    }
}

fn name(number: u32) -> String {
    format!("k{number:04}")
}

#[tokio::test]
async fn s35_an_opening_that_failed_anywhere_is_repeated() {
    for fault in Fault::ALL {
        // The faults, and in the end one opening that meets none.
        let (mut fired, mut nth) = (1, 0);
        while fired > 0 {
            let lab = Lab::new();
            nth += 1;
            lab.faulty.arm(nth, fault);
            let first = opened(&lab.shown, lab.keys()).await;
            fired = lab.faulty.disarm();
            let again = opened(&lab.shown, lab.keys()).await.expect("the same again");
            assert!(again.report.missing.is_empty() && again.report.keys.len() == 1, "{:?}", again.report);
            handle(&lab.sound, &again).set("k", &1_u8).await.expect("set");
            if let Ok(first) = first {
                assert_eq!(handle(&lab.sound, &first).get::<u8>("k").await.expect("get"), Some(1));
            }
        }
        assert!(nth > 3, "header, walk and commit: {nth}");
    }
}

#[tokio::test]
async fn s35_adding_and_promoting_a_key_fail_whole_or_are_finished_by_the_next() {
    let lab = Lab::filled().await;
    for fault in Fault::ALL {
        let calls = lab
            .each_fault(
                fault,
                async |opened| lab.tidy(opened).await,
                async |opened, ()| opened.keys.add(&*lab.shown, NOW).await.map(drop),
                async |last, ()| assert!(last.keys.list().len() > 1, "{fault:?}"),
            )
            .await;
        assert!(calls >= 2, "header read and written: {calls}");
        let calls = lab
            .each_fault(
                fault,
                async |opened| {
                    lab.tidy(opened).await;
                    opened.keys.add(&*lab.sound, NOW).await.expect("add")
                },
                async |opened, new| opened.keys.promote(&*lab.shown, new, NOW).await,
                async |last, new| {
                    let info = inspect(&*lab.sound).await.expect("inspect").expect("header");
                    assert_eq!(info.keys.iter().find(|key| key.primary).map(|key| key.id), Some(new));
                    assert_eq!(last.sealer.primary(), new);
                },
            )
            .await;
        assert!(calls >= 2, "header read and written: {calls}");
    }
}

#[tokio::test]
async fn s35_a_rekeying_that_failed_anywhere_goes_on() {
    let lab = Lab::filled().await;
    for fault in Fault::ALL {
        let calls = lab
            .each_fault(
                fault,
                async |opened| {
                    lab.tidy(opened).await;
                    lab.rotate(opened).await
                },
                async |opened, _| {
                    let done = opened.keys.rekey(&handle(&lab.shown, opened), |_| ()).await?;
                    assert!(done.finished && done.unreadable == 0, "{done:?}");
                    Ok(())
                },
                async |last, (_, new)| {
                    let db = handle(&lab.sound, last);
                    for number in LEFT {
                        let info = db.info(&name(number)).await.expect("info").expect("there");
                        assert_eq!(info.sealed_under, Some(new), "{fault:?}");
                    }
                },
            )
            .await;
        assert!(calls > 10, "two pages, three records, progress: {calls}");
    }
}

#[tokio::test]
async fn s35_a_retirement_that_failed_anywhere_is_finished_by_the_next() {
    let lab = Lab::filled().await;
    for fault in Fault::ALL {
        let calls = lab
            .each_fault(
                fault,
                async |opened| {
                    lab.tidy(opened).await;
                    let (old, _) = lab.rotate(opened).await;
                    opened.keys.rekey(&handle(&lab.sound, opened), |_| ()).await.expect("rekey");
                    old
                },
                async |opened, old| opened.keys.retire(&handle(&lab.shown, opened), old).await.map(drop),
                async |last, old| {
                    let info = inspect(&*lab.sound).await.expect("inspect").expect("header");
                    assert!(info.keys.iter().all(|key| key.id != old), "{fault:?}");
                    assert!(last.keys.list().iter().all(|key| key.id != old), "{fault:?}");
                },
            )
            .await;
        assert!(calls >= 4, "two pages, header read and written: {calls}");
    }
}
