//! The cart: a guest's, which becomes the user's at the sign-in, and a user's.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use strata::session::Session;
use strata::session::migration::Cart;
use strata::{Error, ErrorKind};

use super::answer::Answer;
use super::identity::{Cookies, Identity};
use super::json_body::JsonBody;
use super::login::with;
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
    let user = user_id(&identity).await?;
    let cart = of(&service, user.as_deref(), identity.guest.as_ref()).await?;
    Ok(Json(json!({ "cart": lines(&cart) })))
}

/// `POST /api/cart`: adds to what is there. Concurrent additions lose nothing.
pub(crate) async fn add(
    State(service): State<Shared>,
    identity: Identity,
    JsonBody(line): JsonBody<Line>,
) -> Answer {
    // What cannot be added begins no session.
    Cart::new().add(&line.product, line.quantity)?;
    change(&service, identity, |cart| cart.add(&line.product, line.quantity)).await
}

/// `DELETE /api/cart`: empties it.
pub(crate) async fn empty(State(service): State<Shared>, identity: Identity) -> Answer {
    change(&service, identity, |cart| {
        *cart = Cart::new();
        Ok(())
    })
    .await
}

/// The cart of the user, or else of the guest. Nobody's is empty.
pub(crate) async fn of(service: &Service, user: Option<&str>, guest: Option<&Session>) -> Answer<Cart> {
    let found = match (user, guest) {
        (Some(user), _) => service.guests.user(user)?.get::<Cart>(CART).await?,
        (None, Some(guest)) => match service.guests.of(guest)?.get::<Cart>(CART).await {
            // A guest who has become a user has no cart any more.
            Err(error) if error.kind() == ErrorKind::Gone => None,
            found => found?,
        },
        (None, None) => None,
    };
    Ok(found.unwrap_or_default())
}

/// As the API shows it.
pub(crate) fn lines(cart: &Cart) -> Value {
    cart.lines().map(|(product, _, quantity)| json!({ "product": product, "quantity": quantity })).collect()
}

async fn user_id(identity: &Identity) -> Answer<Option<String>> {
    match &identity.user {
        Some(session) => Ok(Some(session.user().await?.id)),
        None => Ok(None),
    }
}

/// Changes the cart atomically; after a refusal it is as it was.
async fn change(
    service: &Service,
    identity: Identity,
    change: impl Fn(&mut Cart) -> Result<(), Error> + Send,
) -> Answer<Response> {
    let mut outcome = Ok(());
    let mut after = Cart::new();
    let mut act = |found: Option<Cart>| {
        let before = found.unwrap_or_default();
        let mut cart = before.clone();
        outcome = change(&mut cart);
        after = if outcome.is_ok() { cart } else { before };
        (!after.is_empty()).then(|| after.clone())
    };
    let cookies = if let Some(user) = user_id(&identity).await? {
        service.guests.user(&user)?.update(CART, &mut act).await?;
        Cookies::default()
    } else {
        let (guest, cookies) = identity.guest_or_new(service).await?;
        service.guests.of(&guest)?.update(CART, &mut act).await?;
        cookies
    };
    outcome?;
    Ok(with(cookies, json!({ "cart": lines(&after) })))
}
