//! Directories that can't be opened just so: each a clear error that names the way out, and nothing in them changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use strata_adapter_sled::SledConfig;
use strata_core::{Error, ErrorKind, Expiry};

use super::{done, folder, get, open, put};

/// Opening has to fail so, and leave every file as it was.
fn refused(config: SledConfig, path: &Path, kind: ErrorKind, says: &str) -> Error {
    let before = contents(path);
    let error = config.open().expect_err("refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "{error}");
    assert_eq!(contents(path), before, "a refusal changes nothing");
    error
}

fn contents(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(path) else { return BTreeMap::new() };
    entries
        .map(|entry| entry.expect("listed").path())
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), fs::read(path).expect("read")))
        .collect()
}

#[test]
fn s36_two_at_once_are_refused() {
    let folder = folder();
    let store = open(folder.path());
    done(&store, [put("a", b"value", Expiry::NEVER, &[])]);
    let error = SledConfig::new(folder.path()).open().expect_err("open already");
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains("close it there first"), "{error}");
    drop(store);
    assert!(get(&open(folder.path()), "a").is_some(), "open again at once");
}

#[test]
fn s36_a_directory_of_others_is_left_alone() {
    let folder = folder();
    fs::write(folder.path().join("thesis.txt"), "years of work").expect("written");
    let config = SledConfig::new(folder.path());
    refused(config.clone(), folder.path(), ErrorKind::Foreign, "files of others");
    refused(
        SledConfig::new(folder.path().join("thesis.txt")),
        folder.path(),
        ErrorKind::Foreign,
        "not a directory",
    );
    fs::write(folder.path().join("strata.store"), "something else").expect("written");
    refused(config, folder.path(), ErrorKind::Foreign, "is not ours");
}

#[test]
fn s36_a_sled_database_of_another_program_is_left_alone() {
    let folder = folder();
    let other = sled::open(folder.path()).expect("sled");
    other.insert("a", "b").expect("written");
    drop(other);
    refused(
        SledConfig::new(folder.path()),
        folder.path(),
        ErrorKind::Foreign,
        "sled database of another program",
    );
}

#[test]
fn s36_a_newer_format_asks_for_an_upgrade() {
    let folder = folder();
    drop(open(folder.path()));
    fs::write(folder.path().join("strata.store"), "strata-sled 2\nid 00\nwhatever comes\n").expect("written");
    refused(SledConfig::new(folder.path()), folder.path(), ErrorKind::Newer, "upgrade it");
}

#[test]
fn s36_a_missing_store_is_created_only_if_that_is_meant() {
    let folder = folder();
    let path = folder.path().join("deep/data");
    let config = SledConfig::new(&path).create(false);
    refused(config.clone(), &path, ErrorKind::Invalid, "there is no store");
    assert!(!path.exists());
    drop(open(&path));
    drop(config.open().expect("now there is one"));
}

#[cfg(unix)]
#[test]
fn s36_a_new_directory_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let path = folder.path().join("data");
    drop(open(&path));
    assert_eq!(fs::metadata(&path).expect("made").permissions().mode() & 0o777, 0o700);
}

#[test]
fn s36_a_creation_cut_short_is_taken_up_again() {
    let folder = folder();
    // The marker comes first and is empty until the end; sled's files may be there or not.
    for files in [&["strata.store"][..], &["strata.store", "conf"], &["strata.store", "conf", "db"]] {
        let path = folder.path().join(files.len().to_string());
        fs::create_dir(&path).expect("made");
        for file in files {
            fs::write(path.join(file), b"").expect("written");
        }
        let store = open(&path);
        done(&store, [put("a", b"value", Expiry::NEVER, &[])]);
        drop(store);
        assert!(get(&open(&path), "a").is_some());
    }
}

#[test]
fn s36_a_marker_that_was_lost_is_written_again() {
    let folder = folder();
    let store = open(folder.path());
    done(&store, [put("a", b"value", Expiry::NEVER, &[])]);
    let id = store.stats().expect("stats").id;
    drop(store);
    fs::write(folder.path().join("strata.store"), b"").expect("emptied");
    let store = open(folder.path());
    assert_eq!(store.stats().expect("stats").id, id);
    assert!(get(&store, "a").is_some());
}

#[test]
fn s36_a_database_that_is_gone_is_not_replaced_by_an_empty_one() {
    let folder = folder();
    drop(open(folder.path()));
    fs::remove_file(folder.path().join("db")).expect("removed");
    refused(SledConfig::new(folder.path()), folder.path(), ErrorKind::Corrupt, "`db` is gone");
}

#[test]
fn s36_files_of_two_stores_are_not_mixed() {
    let (one, two) = (folder(), folder());
    drop(open(one.path()));
    drop(open(two.path()));
    fs::copy(one.path().join("strata.store"), two.path().join("strata.store")).expect("copied");
    let error = SledConfig::new(two.path()).open().expect_err("mixed");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("different stores"), "{error}");
}

/// Needs the right to mount, because root may write wherever modes forbid it.
#[cfg(target_os = "linux")]
#[test]
fn s36_a_read_only_file_system_is_named() {
    let folder = folder();
    let path = folder.path().join("data");
    let store = open(&path);
    done(&store, [put("a", b"value", Expiry::NEVER, &[])]);
    drop(store);
    let shown = path.display().to_string();
    let mounted = super::full::mount(&["--bind", &shown, &shown])
        && super::full::mount(&["-o", "remount,ro,bind", &shown]);
    if !mounted {
        eprintln!("skipped: a read-only mount needs root and `mount`; run the tests as root to see it");
        return;
    }
    refused(SledConfig::new(&path), &path, ErrorKind::ReadOnly, "cannot be written");
    assert!(Command::new("umount").arg(&path).status().expect("umount runs").success());
    assert!(get(&open(&path), "a").is_some());
}
