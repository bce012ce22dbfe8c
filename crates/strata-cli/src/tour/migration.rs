//! A guest becomes a user: cart merged, the rest moved, once.

use strata::session::migration::Cart;
use strata::{ErrorKind, Strata};

use super::{Told, held, refused};
use crate::failure::Failure;

fn cart(tea: u32) -> Result<Cart, Failure> {
    let mut cart = Cart::new();
    cart.add("tea", tea)?;
    Ok(cart)
}

/// What a guest had is the user's after the migration, once; the guest's token and late writes are refused.
pub(super) async fn guest(db: &Strata) -> Told {
    let (sessions, guests) = (db.sessions()?, db.guests()?);
    let (token, mut session) = sessions.create().await?;
    let guest = guests.of(&session)?;
    guest.set("cart", &cart(2)?).await?;
    guest.set("draft", &"hello".to_owned()).await?;
    let user = guests.user("ada")?;
    user.set("cart", &cart(1)?).await?;
    let migrated = guests.migrate(&mut session, "ada").await?;
    let again = guests.migrate(&mut session, "ada").await?;
    held(again.report == migrated.report, "run twice is run once")?;
    let merged: Option<Cart> = user.get("cart").await?;
    held(merged.is_some_and(|cart| cart.quantity("tea") == 3), "2 and 1 make 3")?;
    held(user.get::<String>("draft").await?.as_deref() == Some("hello"), "the draft is the user's")?;
    held(sessions.open(&token).await?.is_none(), "the guest's token opens nothing any more")?;
    refused(guest.set("draft", &"late".to_owned()).await, ErrorKind::Gone, "a late write of the guest")?;
    user.clear().await?;
    session.destroy().await?;
    Ok(format!("{}; run twice is run once; old token and late write refused", migrated.report))
}
