//! What is told of a family: [`Family`]. It opens nothing.

use serde::Serialize;
use strata_core::Timestamp;

use crate::id::FamilyId;

/// One line of refresh tokens: what a user was granted on one client, from the sign-in to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Family {
    /// Its public id.
    pub id: FamilyId,
    /// The user, by the application's id.
    pub user: String,
    /// What the application calls the client.
    pub client: String,
    /// How often it was rotated.
    pub generation: u32,
    /// When it began, in milliseconds since 1970-01-01T00:00:00Z.
    #[serde(serialize_with = "millis")]
    pub created: Timestamp,
    /// When it was last rotated; when it began, if never. Milliseconds as above.
    #[serde(serialize_with = "millis")]
    pub rotated: Timestamp,
    /// When it ends unless it is rotated before; no rotation moves that past its cap. Milliseconds as above.
    #[serde(serialize_with = "millis")]
    pub expires: Timestamp,
}

// Serde hands the field over by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn millis<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(at.as_millis())
}
