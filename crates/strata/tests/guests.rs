//! Guests who become users over a sealed store: what is moved is sealed for its new place, and readable in no
//! other.
#![cfg(all(feature = "memory", feature = "sled", feature = "crypto", feature = "session"))]

use strata::session::migration::{Cart, Rules};
use strata::{Atomicity, Batch, Durability, ErrorKind, Guard, Keep, Key, Keys, Op, Record, Strata, Write};

const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
const TEXT: &str = "a review that nobody else reads";

async fn stores(folder: &std::path::Path) -> [Strata; 2] {
    let keys = || Keys::bytes(&KEY).expect("a key");
    let on_disk = strata::builder().sled(folder.join("data")).keys(keys()).open().await.expect("on disk");
    [strata::builder().memory().keys(keys()).open().await.expect("in memory"), on_disk]
}

async fn raw(db: &Strata, name: &str) -> Option<Record> {
    db.store().get(&Key::new(name).expect("a key")).await.expect("get")
}

#[tokio::test]
async fn s26_what_is_moved_is_sealed_for_its_new_place() {
    let folder = tempfile::tempdir().expect("a folder");
    for db in stores(folder.path()).await {
        assert_eq!(db.capabilities().atomicity, Atomicity::Batch);
        let guests = db.guests().expect("a manager");
        let (_, mut session) = db.sessions().expect("a manager").create().await.expect("create");
        let guest = guests.of(&session).expect("a guest");
        guest.set("note", &TEXT.to_owned()).await.expect("set");
        let mut cart = Cart::new();
        cart.add("tea", 2).expect("a line");
        guest.set("cart", &cart).await.expect("set");
        let before = raw(&db, &format!("guest:{}:note", guest.id())).await.expect("stored");
        guests.migrate(&mut session, "ada").rules(Rules::standard()).await.expect("migrated");

        let user = guests.user("ada").expect("a user");
        assert_eq!(user.get::<String>("note").await.expect("get").as_deref(), Some(TEXT));
        assert_eq!(user.get::<Cart>("cart").await.expect("get"), Some(cart));
        let after = raw(&db, "user:ada:note").await.expect("stored");
        assert!(before.payload != after.payload, "sealed anew");
        for record in [&before, &after] {
            assert!(!record.payload.as_bytes().windows(6).any(|bytes| bytes == b"review"));
        }
        // The guest's bytes put in the user's place do not open there: so they were not simply copied.
        let put = Write::Put { payload: before.payload, expiry: Keep::Keep, tags: Keep::Keep };
        let op = Op { key: Key::new("user:ada:note").expect("a key"), guard: Guard::Any, write: put };
        db.store().commit(Batch::one(db.clock().now(), Durability::Volatile, op)).await.expect("commit");
        assert_eq!(user.get::<String>("note").await.expect_err("moved").kind(), ErrorKind::Corrupt);
        drop((guest, guests, user, session));
        db.close().await.expect("closed");
    }
}
