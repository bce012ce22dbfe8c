//! The cart: a guest's, which becomes the user's at the sign-in, and a user's.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use strata::session::migration::Cart;
use strata::{Error, ErrorKind};

use super::answer::Answer;
use super::identity::Identity;
use super::json_body::JsonBody;
use super::service::{Service, Shared};

/// Where it lies among the values of a guest or user; the rules of a migration merge it.
pub(crate) const CART: &str = "cart";

/// What is added.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    product: String,
    quantity: u32,
}

/// `GET /api/cart`.
pub(crate) async fn show(State(service): State<Shared>, identity: Identity) -> Answer<Json<Value>> {
    let cart = of(&service, &identity).await?;
    Ok(Json(json!({ "cart": lines(&cart) })))
}

/// `POST /api/cart`: adds to what is there. Concurrent additions lose nothing.
pub(crate) async fn add(
    State(service): State<Shared>,
    identity: Identity,
    JsonBody(line): JsonBody<Line>,
) -> Answer<Json<Value>> {
    // What cannot be added begins no session.
    Cart::new().add(&line.product, line.quantity)?;
    change(&service, &identity, |cart| cart.add(&line.product, line.quantity)).await
}

/// `DELETE /api/cart`: empties it.
pub(crate) async fn empty(State(service): State<Shared>, identity: Identity) -> Answer<Json<Value>> {
    change(&service, &identity, |cart| {
        *cart = Cart::new();
        Ok(())
    })
    .await
}

/// The cart of the user, or else of the guest. Nobody's is empty.
pub(crate) async fn of(service: &Service, identity: &Identity) -> Answer<Cart> {
    if let Some(session) = &identity.user {
        return Ok(service.guests.user(&session.user().id)?.get(CART).await?.unwrap_or_default());
    }
    let Some(guest) = identity.found_guest().await? else { return Ok(Cart::new()) };
    match service.guests.of(&guest)?.get(CART).await {
        // A guest who has become a user has no cart any more.
        Err(error) if error.kind() == ErrorKind::Gone => Ok(Cart::new()),
        found => Ok(found?.unwrap_or_default()),
    }
}

/// As the API shows it.
pub(crate) fn lines(cart: &Cart) -> Value {
    cart.lines().map(|(product, _, quantity)| json!({ "product": product, "quantity": quantity })).collect()
}

/// Changes the cart atomically; after a refusal it is as it was.
async fn change(
    service: &Service,
    identity: &Identity,
    change: impl Fn(&mut Cart) -> Result<(), Error> + Send,
) -> Answer<Json<Value>> {
    let mut outcome = Ok(());
    let mut after = Cart::new();
    let mut act = |found: Option<Cart>| {
        let before = found.unwrap_or_default();
        let mut cart = before.clone();
        outcome = change(&mut cart);
        after = if outcome.is_ok() { cart } else { before };
        (!after.is_empty()).then(|| after.clone())
    };
    if let Some(session) = &identity.user {
        service.guests.user(&session.user().id)?.update(CART, &mut act).await?;
    } else {
        let guest = identity.guest.begun().await?;
        service.guests.of(&guest)?.update(CART, &mut act).await?;
    }
    outcome?;
    Ok(Json(json!({ "cart": lines(&after) })))
}
