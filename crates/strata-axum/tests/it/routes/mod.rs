//! The routes. Every answer that a test gets is met with `docs/openapi.json`. One file per subject; this one has what they share.

mod analytics;
mod faults;
mod limits;
mod logout;
mod openapi;
mod orders;
mod sync;
mod tokens;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use strata_axum::Routes;
use strata_axum::routes::{AccessSessions, Grants, Owner, RoutesBuilder, Users};
use strata_core::{ReferenceStore, Result, Store};
use strata_session::SessionToken;
use strata_session::analytics::Ingest;
use strata_session::auth::User;
use strata_session::document::Documents;
use strata_session::refresh::RefreshToken;

use crate::browser::{Answer, ask};
use crate::world::World;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Everybody but one who was locked out, and one who is taken for another.
#[derive(Debug)]
struct Directory;

#[async_trait]
impl Users<()> for Directory {
    async fn user(&self, id: &str) -> Result<Option<User>> {
        let found = if id == "eve" { "ada" } else { id };
        Ok((id != "mallory").then(|| User::new(found).role("editor")))
    }
}

/// The routes over a world.
struct Scene {
    world: World,
    grants: Grants,
    documents: Documents,
    app: Router,
}

impl Scene {
    fn new() -> Self {
        Self::over(Arc::new(ReferenceStore::new()), |routes| routes)
    }

    fn with(settings: impl FnOnce(RoutesBuilder) -> RoutesBuilder) -> Self {
        Self::over(Arc::new(ReferenceStore::new()), settings)
    }

    fn over(store: Arc<dyn Store>, settings: impl FnOnce(RoutesBuilder) -> RoutesBuilder) -> Self {
        let world = World::over(store);
        let access = AccessSessions::new(&world.db, &world.users, Arc::new(Directory)).expect("access");
        let tokens = strata_session::refresh::RefreshTokens::new(&world.db).expect("refresh tokens");
        let grants = Grants::new(tokens, Arc::new(access));
        let documents = Documents::new(&world.db).expect("documents");
        let ingest = Ingest::new(&world.db).expect("an ingest");
        let routes = Routes::builder().grants(&grants).logout::<()>().documents::<()>(&documents);
        let routes = settings(routes.owner(Owner::Session).analytics(&ingest).max_report(4096)).build();
        let app = routes.router().layer(world.layer());
        Self { world, grants, documents, app }
    }

    /// A refresh token and an access token of a new family.
    async fn signs_in(&self, user: &str) -> (RefreshToken, String) {
        let grant = self.grants.grant(user, "desktop").await.expect("granted").expect("a grant");
        (
            RefreshToken::parse(&grant.refresh_token().expose()).expect("a token"),
            grant.access_token().to_owned(),
        )
    }

    async fn refresh(&self, token: &RefreshToken) -> Answer {
        let body = format!("grant_type=refresh_token&refresh_token={}", *token.expose());
        self.post("/api/auth/refresh", FORM, body, &[]).await
    }

    async fn json(&self, path: &str, bearer: Option<&str>, body: impl Into<String>) -> Answer {
        let body = body.into();
        let authorization = bearer.map(|bearer| format!("Bearer {bearer}"));
        let headers: Vec<_> =
            authorization.iter().map(|value| (AUTHORIZATION.as_str(), value.as_str())).collect();
        let answer = self.post(path, JSON, body.clone(), &headers).await;
        if answer.status.is_success() && !body.is_empty() {
            openapi::allows(path, &body);
        }
        answer
    }

    async fn post(&self, path: &str, sort: &str, body: impl Into<Body>, headers: &[(&str, &str)]) -> Answer {
        let request = Request::post(path).header("host", "shop.example").header(CONTENT_TYPE, sort);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = ask(&self.app, request.body(body.into()).expect("a request")).await;
        openapi::conforms(path, &answer);
        answer
    }

    async fn lets_in(&self, access: &str) -> bool {
        let token = SessionToken::parse(access).expect("a token");
        self.world.users.open(&token).await.expect("asked").is_some()
    }

    async fn families(&self, user: &str) -> usize {
        self.grants.tokens().list(user).await.expect("listed").len()
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("text")
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("json")
    }

    fn text(&self, field: &str) -> String {
        self.json()[field].as_str().expect(field).to_owned()
    }

    fn refresh_token(&self) -> RefreshToken {
        RefreshToken::parse(&self.text("refresh_token")).expect("a token")
    }
}
