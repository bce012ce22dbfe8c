//! The HTTP half: a server on a loopback socket, a client that refreshes its tokens, brings a document in step and logs out.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use strata::Strata;
use strata::native::TokioTimer;
use strata::session::auth::User;
use strata::session::document::{Documents, ServerSynced, Synced};
use strata::session::tokens::{Renewal, TokenAnswer, Tokens};
use strata_axum::routes::{AccessSessions, Grants, Users};
use strata_axum::{Routes, SessionLayer};
use strata_http::HttpClient;
use tokio::net::TcpListener;

use super::{Told, held};
use crate::failure::Failure;

/// Everybody who asks is a user.
#[derive(Debug)]
struct Everybody;

#[async_trait]
impl Users<()> for Everybody {
    async fn user(&self, id: &str) -> strata::Result<Option<User>> {
        Ok(Some(User::new(id)))
    }
}

/// Both ends in one process, over a real socket, on the tour's own store.
pub(super) async fn both_ends(db: &Strata) -> Told {
    let users = db.auth::<()>()?;
    let access = AccessSessions::new(db, &users, Arc::new(Everybody))?;
    let grants = Grants::new(db.refresh_tokens()?, Arc::new(access));
    let documents = Documents::new(db)?;
    let routes = Routes::builder().grants(&grants).logout::<()>().documents::<()>(&documents).build();
    let app: axum::Router = routes.router().layer(SessionLayer::with_users(&db.sessions()?, &users)?);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| broken(&error))?;
    let address = listener.local_addr().map_err(|error| broken(&error))?;
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let client = HttpClient::new(&format!("http://{address}/"))?;
    let told = client_side(&grants, &documents, client).await;
    serving.abort();
    told
}

async fn client_side(grants: &Grants, documents: &Documents, client: HttpClient) -> Told {
    let Some(grant) = grants.grant("grace", "laptop").await? else {
        return Err(Failure::Bad("not so: who is a user is given tokens".to_owned()));
    };
    // A client's own store, as another machine has it.
    let own = strata::builder().memory().plaintext().open().await?;
    let tokens: Tokens = own.tokens(Arc::new(client.clone()))?;
    let answer = TokenAnswer::new(grant.access_token()).refresh(grant.refresh_token().expose().as_str());
    tokens.store("grace", answer.expires_in(Duration::from_mins(15))).await?;
    held(matches!(tokens.renew("grace").await?, Renewal::Renewed(_)), "tokens are refreshed over HTTP")?;
    let bearer = tokens.access_token("grace").await?;

    let synced = ServerSynced::new(&own, Arc::new(client.clone()), Arc::new(TokioTimer))?;
    synced.begin(Some(bearer.expose())).await?;
    synced.set("ui.theme", "dark").await?;
    held(synced.sync().await? == Synced::InStep, "an edit reaches the server")?;
    let there = documents.read("grace").await?;
    held(there == synced.document().await?, "both ends have the same document")?;

    client.logout(bearer.expose()).await?;
    held(synced.sync().await? == Synced::Ended, "after a logout the document ends at the client")?;
    held(matches!(tokens.renew("grace").await?, Renewal::Invalid), "the refresh token has ended with it")?;
    own.close().await?;
    Ok("tokens refreshed and a document in step over a socket; one logout ended both".to_owned())
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::Bad(format!("no socket on this machine's loopback: {error}"))
}
