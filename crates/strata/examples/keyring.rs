//! Secrets in the operating system's keyring: a store of tokens, a value too large for an entry, and the keys of a store on disk.
//!
//! This runs over a keyring in memory, so that nothing is left in yours. A program of yours would leave `platform` out.
//!
//! ```sh
//! cargo run -p strata --example keyring
//! ```

use std::sync::Arc;

use strata::keyring::keyring_core::{CredentialStore, mock};
use strata::prelude::*;
use strata::{ErrorKind, KeyProvider, KeyringConfig, KeyringKeys, Keys, Protection};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let platform: Arc<CredentialStore> = mock::Store::new()?;
    let keyring =
        |service: &str| KeyringConfig::new(service).platform("a keyring in memory", Arc::clone(&platform));
    let folder = tempfile::tempdir()?;

    // Small secrets: one entry each. Yours: `strata::builder().keyring("my-program").or_memory()`.
    let tokens = strata::builder().keyring_with(keyring("my-program")).or_memory().open().await?;
    tokens.set("access:ada", &"eyJhbGciOi".to_owned()).ttl(15.minutes()).await?;
    assert_eq!(tokens.get::<String>("access:ada").await?.as_deref(), Some("eyJhbGciOi"));
    println!("{}", tokens.report());
    assert_eq!(tokens.report().protection, Protection::OsKeyring);

    // A keyring cannot be listed, so nothing that needs a list pretends to work.
    let listed = tokens.keys("access:*").next().await;
    assert!(listed.is_some_and(|key| key.is_err_and(|error| error.kind() == ErrorKind::Unsupported)));
    println!("listing its keys is refused");

    // Too large for an entry: sealed into a store on disk, under a key that only the entry has.
    let blobs = Arc::new(strata::SledConfig::new(folder.path().join("blobs")).open()?);
    let large = keyring("my-program-large").max_entry(2_560).overflow(blobs); // what an entry holds on Windows
    let large = strata::builder().keyring_with(large).open().await?;
    let text = "x".repeat(50_000);
    large.set("id-token", &text).await?;
    assert_eq!(large.get::<String>("id-token").await?, Some(text));
    println!("50,000 bytes kept by {}", large.report().store);

    // The keys of a store on disk. Yours: `strata::open("./data")`, which asks the keyring first.
    let keys: Arc<dyn KeyProvider> = Arc::new(KeyringKeys::new(keyring("strata"))?);
    let data = folder.path().join("data");
    let open = || strata::builder().sled(&data).keys(Keys::provider(Arc::clone(&keys))).open();
    let db = open().await?;
    println!("{}", db.report());
    db.set("cart", &vec!["tea".to_owned()]).await?;
    db.close().await?;
    let db = open().await?;
    assert_eq!(db.get::<Vec<String>>("cart").await?, Some(vec!["tea".to_owned()]));
    assert!(db.report().keys.is_some_and(|keys| keys.provider == "os-keyring" && !keys.created));
    println!("opened again with the key from the keyring");
    Ok(())
}
