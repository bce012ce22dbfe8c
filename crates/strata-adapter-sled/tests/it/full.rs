//! A disk that is full: the commit that meets it says so, the handle goes no further, and nothing acknowledged is lost.

use std::process::{Command, Stdio};

use strata_core::{Durability, ErrorKind, Expiry};

use super::{assert_clean, commit, folder, get, open, put};

/// Mounts something; says whether it could.
pub(crate) fn mount(args: &[&str]) -> bool {
    let status = Command::new("mount").args(args).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Unmounts a file system at the end of a test, also of one that failed.
struct Mounted(String);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn s34_s36_a_full_disk_ends_the_handle_and_loses_nothing() {
    let folder = folder();
    let path = folder.path().join("small");
    std::fs::create_dir(&path).expect("made");
    let shown = path.display().to_string();
    if !mount(&["-t", "tmpfs", "-o", "size=8m", "tmpfs", &shown]) {
        eprintln!("skipped: a small file system needs root and `mount`; run the tests as root to see it");
        return;
    }
    let _mounted = Mounted(shown.clone());
    let data = path.join("data");
    let store = open(&data);
    let mut acknowledged = 0_u32;
    let error = loop {
        let payload: Vec<u8> = (0..5_000_u32).flat_map(|word| (word ^ acknowledged).to_le_bytes()).collect();
        let name = format!("key:{acknowledged}");
        match commit(&store, Durability::Process, [put(&name, &payload, Expiry::NEVER, &["t"])]) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 10_000, "8 MiB do not fill up");
    };
    assert_eq!(error.kind(), ErrorKind::Full, "{error:?}");
    assert!(error.to_string().contains("make room"), "{error}");
    let again = commit(&store, Durability::Relaxed, [put("more", b"value", Expiry::NEVER, &[])]);
    assert_eq!(again.expect_err("poisoned").kind(), ErrorKind::Poisoned);
    drop(store);

    assert!(mount(&["-o", "remount,size=64m", &shown]), "room is made");
    let store = open(&data);
    for number in 0..acknowledged {
        assert!(
            get(&store, &format!("key:{number}")).is_some(),
            "key:{number} of {acknowledged} was acknowledged"
        );
    }
    assert_clean(&store);
}
