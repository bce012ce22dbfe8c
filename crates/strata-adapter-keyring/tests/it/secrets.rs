//! What is printed: nothing of a value or a key, wherever it comes up.

use strata_core::{Guard, KeyProvider as _, Store, StoreId, Write};

use super::desk::{Act, Desk};
use super::{commit, key, opened, put, written};

const SECRET: &str = "hunter2-is-no-password";

fn free_of_secrets(said: &str, desk: &Desk) {
    assert!(!said.contains(SECRET), "{said}");
    for entry in desk.all() {
        let text = String::from_utf8_lossy(&entry).into_owned();
        let tail = text.get(12..28).unwrap_or(&text);
        assert!(!said.contains(tail), "part of an entry: {said}");
        let numbers = format!("{entry:?}");
        assert!(!said.contains(&numbers[1..numbers.len().min(24)]), "an entry as numbers: {said}");
    }
}

#[tokio::test]
async fn s05_no_debug_and_no_error_shows_what_the_keyring_holds() {
    let desk = Desk::default();
    let store = opened(desk.config()).await;
    written(&store, "a", SECRET.as_bytes()).await;
    let keys = strata_adapter_keyring::KeyringKeys::over(store.keyring().clone());
    free_of_secrets(&format!("{store:?} {store} {keys:?} {:?} {:?}", store.keyring(), desk.config()), &desk);
    for act in [Act::Away, Act::LostAnswer, Act::Locked, Act::ShowBytes, Act::Panic] {
        for nth in 1..=2 {
            desk.arm(nth, act);
            let error = commit(&store, "a", Guard::Any, put(SECRET.as_bytes())).await.expect_err("failed");
            free_of_secrets(&format!("{error} {error:?} {error:#?}"), &desk);
        }
        desk.arm(1, act);
        let error = store.get(&key("a")).await.expect_err("failed");
        free_of_secrets(&format!("{error} {error:?}"), &desk);
        desk.arm(2, act);
        let error = keys.create(StoreId::new([1; 16]), SECRET).await.expect_err("failed");
        free_of_secrets(&format!("{error} {error:?}"), &desk);
        keys.discard(StoreId::new([1; 16])).await.expect("discard");
    }
    commit(&store, "a", Guard::Any, Write::Remove).await.expect("removed");
}
