//! Whether the rebuilt disk keeps what it must, and nothing more than it may.

use super::*;

const FILE: u64 = 7;

fn write(offset: u64, data: &[u8]) -> Event {
    Event::Write { inode: FILE, offset, data: data.to_vec() }
}

fn create() -> Event {
    Event::Create { inode: FILE, path: "/db/log".to_owned() }
}

fn sync(number: u64) -> [Event; 2] {
    [Event::SyncStart { inode: FILE, number, path: "/db/log".to_owned() }, Event::SyncEnd { number }]
}

fn disk(events: &[Event], percent: usize, seed: u64) -> Image {
    rebuild(&Before::default(), events, "/db", percent, &mut Dice::new(seed))
}

fn content(image: &Image) -> &[u8] {
    image.files.get("/log").map_or(&[], Vec::as_slice)
}

#[test]
fn what_was_synced_is_there_and_what_came_later_is_not() {
    let [start, end] = sync(1);
    let events = [create(), write(0, b"kept"), start, end, write(4, b"lost")];
    assert_eq!(content(&disk(&events, 0, 1)), b"kept");
    assert_eq!(content(&disk(&events, 100, 1)), b"keptlost");
}

#[test]
fn a_write_during_a_sync_is_not_covered_by_it() {
    let [start, end] = sync(1);
    let events = [create(), write(0, b"kept"), start, write(4, b"lost"), end];
    assert_eq!(content(&disk(&events, 0, 1)), b"kept");
}

#[test]
fn a_sync_that_did_not_end_before_the_cut_covers_nothing() {
    let [start, _] = sync(1);
    let events = [create(), write(0, b"lost"), start];
    assert_eq!(disk(&events, 0, 1), Image::default());
}

#[test]
fn the_latest_start_counts_though_syncs_overlap() {
    let [early_start, early_end] = sync(1);
    let [late_start, late_end] = sync(2);
    let events = [create(), early_start, write(0, b"kept"), late_start, late_end, early_end];
    assert_eq!(content(&disk(&events, 0, 1)), b"kept");
}

#[test]
fn a_sync_of_another_file_covers_nothing() {
    let other = [
        Event::SyncStart { inode: 8, number: 1, path: "/db/other".to_owned() },
        Event::SyncEnd { number: 1 },
    ];
    let events = [&[create(), write(0, b"lost")][..], &other].concat();
    assert_eq!(disk(&events, 0, 1), Image::default());
}

#[test]
fn an_overwrite_that_was_not_synced_leaves_the_old_bytes() {
    let [start, end] = sync(1);
    let events = [create(), write(0, b"old old"), start, end, write(0, b"new")];
    assert_eq!(content(&disk(&events, 0, 1)), b"old old");
    assert_eq!(content(&disk(&events, 100, 1)), b"new old");
}

#[test]
fn pieces_live_and_die_on_their_own_and_in_sectors() {
    let [start, end] = sync(1);
    let events = [&[create(), start, end][..], &[write(1000, &vec![1; 20 * PIECE])]].concat();
    let (mut whole, mut absent, mut torn) = (0, 0, 0);
    for seed in 0..20 {
        let image = disk(&events, 50, seed);
        let mut bytes = content(&image).to_vec();
        bytes.resize(1000 + 20 * PIECE, 0);
        for piece in bytes[PIECE..20 * PIECE].chunks(PIECE) {
            match piece.iter().map(|byte| usize::from(*byte)).sum() {
                PIECE => whole += 1,
                0 => absent += 1,
                part => {
                    assert_eq!(part % SECTOR, 0, "a sector is written whole");
                    torn += 1;
                }
            }
        }
    }
    assert!(whole > 100 && absent > 100 && torn > 3, "{whole} whole, {absent} absent, {torn} torn");
}

#[test]
fn a_write_is_cut_at_the_borders_of_the_disk() {
    let data = [0; 10_000];
    let borders: Vec<(usize, usize)> = pieces(4000, &data).map(|(at, part)| (at, part.len())).collect();
    assert_eq!(borders, [(4000, 96), (4096, 4096), (8192, 4096), (12_288, 1712)]);
}

#[test]
fn a_shorter_length_counts_only_when_synced() {
    let cut = Event::Truncate { inode: FILE, length: 2 };
    let [start, end] = sync(1);
    let pending = [create(), write(0, b"abcd"), start.clone(), end.clone(), cut.clone()];
    assert_eq!(content(&disk(&pending, 0, 1)), b"abcd");
    let synced = [create(), write(0, b"abcd"), cut, start, end];
    assert_eq!(content(&disk(&synced, 0, 1)), b"ab");
}

#[test]
fn names_reach_the_disk_in_order() {
    let rename =
        |from: &str, to: &str| Event::Rename { from: format!("/db/{from}"), to: format!("/db/{to}") };
    let [start, end] = sync(1);
    let events = [
        create(),
        start,
        end,
        rename("log", "a"),
        rename("a", "b"),
        Event::Unlink { path: "/db/b".to_owned() },
    ];
    let seen: BTreeSet<Vec<String>> =
        (0..60).map(|seed| disk(&events, 50, seed).files.into_keys().collect()).collect();
    let expected = [vec![], vec!["/a".to_owned()], vec!["/b".to_owned()], vec!["/log".to_owned()]];
    assert_eq!(seen, BTreeSet::from(expected));
}

#[test]
fn a_sync_of_the_folder_keeps_its_names() {
    let folder =
        [Event::SyncStart { inode: 1, number: 1, path: "/db".to_owned() }, Event::SyncEnd { number: 1 }];
    let events = [&[create(), Event::Folder { path: "/db/blobs".to_owned() }][..], &folder].concat();
    let image = disk(&events, 0, 1);
    assert!(image.files.contains_key("/log") && image.folders.contains("/blobs"));
}

#[test]
fn what_was_there_before_stays_and_an_image_can_be_written() {
    let folder = tempfile::tempdir().expect("a fresh folder");
    std::fs::create_dir(folder.path().join("sub")).expect("a new folder");
    std::fs::write(folder.path().join("sub/old"), b"old").expect("a new file");
    let before = Before::read(folder.path()).expect("it can be read");
    let image = rebuild(&before, &[create(), write(0, b"new")], "/db", 100, &mut Dice::new(1));
    let copy = tempfile::tempdir().expect("a fresh folder");
    image.write(copy.path()).expect("it can be written");
    assert_eq!(std::fs::read(copy.path().join("sub/old")).expect("kept"), b"old");
    assert_eq!(std::fs::read(copy.path().join("log")).expect("added"), b"new");
}
