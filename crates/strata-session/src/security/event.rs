//! One event: [`SecurityEvent`], what it was, and why.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::Serialize;
use strata_core::Timestamp;

use crate::id::{FamilyId, SessionId};

/// Something that happened to a session, a token family or a guest. It serializes for an audit trail, flat and with a text in each field
/// but the first: `at`, `kind`, `reason` where the kind has one, `session`, `family`, `user`,
/// `account`. `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SecurityEvent {
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    #[serde(serialize_with = "millis")]
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: SecurityEventKind,
    /// The session, by its public id.
    pub session: Option<SessionId>,
    /// The family of refresh tokens, by its public id.
    pub family: Option<FamilyId>,
    /// The user, by the application's id.
    pub user: Option<String>,
    /// The account of a client's tokens, by the client's own name for it.
    pub account: Option<String>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "kind", content = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SecurityEventKind {
    /// A user signed in: a session began.
    SessionCreated,
    /// A session was prolonged by an explicit act.
    SessionExtended,
    /// A session got a new token.
    SessionRotated,
    /// A user authenticated again in a session, which got a new token and a new life.
    Reauthenticated,
    /// What a user may do changed in a session, which got a new token.
    PrivilegesChanged,
    /// A session ended.
    SessionEnded(EndReason),
    /// A session died by its idle time or its cap, and was swept away.
    SessionExpired,
    /// A token, session or claim was used in a way it must not be.
    InvalidUse(Misuse),
    /// A family of refresh tokens began.
    FamilyStarted,
    /// A refresh token was exchanged for its successor.
    TokenRotated,
    /// A retry of an exchange whose answer was lost got the same successor.
    TokenRetried,
    /// A family of refresh tokens ended.
    FamilyEnded(EndReason),
    /// What belonged to a guest was given to a user.
    GuestMigrated,
}

/// Why something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndReason {
    /// The user signed out.
    Logout,
    /// The user signed out everywhere, or everywhere else.
    LogoutElsewhere,
    /// An operator, or the user from a list of sessions, ended it.
    Revoked,
    /// All of a user's were ended.
    UserRevoked,
    /// All of all users' were ended.
    AllRevoked,
    /// A new one took its place at the parallel limit.
    Limit,
    /// Another session took its place, such as at a sign-in.
    Replaced,
    /// A refresh token was used again that must not be.
    Reuse,
    /// The server no longer knows it.
    RefusedByServer,
}

/// How something was misused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Misuse {
    /// A token of a session that has ended or never was.
    UnknownSession,
    /// A token with the id of a living session and another secret: a replaced one, or a guess.
    WrongSecret,
    /// A session of another user than was expected.
    OtherUser,
    /// A refresh token that was never issued here, or whose family has ended.
    UnknownToken,
    /// The predecessor of the current refresh token, after the window for retries.
    RecentPrevious,
    /// A refresh token from further back in a living family.
    StaleLineage,
    /// A refresh token that was made here and is not of the family's line.
    OrphanBranch,
    /// A device that does not look like the one that signed in.
    Fingerprint,
}

// Serde hands the field over by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn millis<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(at.as_millis())
}

impl fmt::Display for SecurityEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Utc(self.at), self.kind)?;
        if let Some(session) = self.session {
            write!(f, " session={session}")?;
        }
        if let Some(family) = self.family {
            write!(f, " family={family}")?;
        }
        // Quoted and escaped: no id can forge a line.
        if let Some(user) = &self.user {
            write!(f, " user={user:?}")?;
        }
        self.account.as_ref().map_or(Ok(()), |account| write!(f, " account={account:?}"))
    }
}

impl fmt::Display for SecurityEventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionCreated => f.write_str("session created"),
            Self::SessionExtended => f.write_str("session extended"),
            Self::SessionRotated => f.write_str("session rotated"),
            Self::Reauthenticated => f.write_str("authenticated again"),
            Self::PrivilegesChanged => f.write_str("privileges changed"),
            Self::SessionEnded(why) => write!(f, "session ended ({why})"),
            Self::SessionExpired => f.write_str("session expired"),
            Self::InvalidUse(how) => write!(f, "invalid use ({how})"),
            Self::FamilyStarted => f.write_str("token family started"),
            Self::TokenRotated => f.write_str("token rotated"),
            Self::TokenRetried => f.write_str("token retried"),
            Self::FamilyEnded(why) => write!(f, "token family ended ({why})"),
            Self::GuestMigrated => f.write_str("guest migrated"),
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Logout => "logout",
            Self::LogoutElsewhere => "logout elsewhere",
            Self::Revoked => "revoked",
            Self::UserRevoked => "all of the user's revoked",
            Self::AllRevoked => "all revoked",
            Self::Limit => "parallel limit",
            Self::Replaced => "replaced",
            Self::Reuse => "token reuse",
            Self::RefusedByServer => "refused by the server",
        })
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownSession => "unknown session",
            Self::WrongSecret => "wrong secret",
            Self::OtherUser => "other user",
            Self::UnknownToken => "unknown token",
            Self::RecentPrevious => "recent previous token",
            Self::StaleLineage => "stale lineage",
            Self::OrphanBranch => "orphan branch",
            Self::Fingerprint => "fingerprint",
        })
    }
}

/// An instant as RFC 3339 writes it, in UTC.
pub(super) struct Utc(pub(super) Timestamp);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An instant of jiff ends a day before a timestamp does; its calendar has the whole year 9999, and stops there.
        let since = SignedDuration::from_millis(i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX));
        write!(f, "{:.3}Z", DateTime::constant(1970, 1, 1, 0, 0, 0, 0).saturating_add(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_in_utc_that_nobody_can_forge() {
        let event = SecurityEvent {
            at: Timestamp::from_millis(1_767_225_600_000),
            kind: SecurityEventKind::SessionEnded(EndReason::Logout),
            session: Some(SessionId::from_bytes([0xab; 16])),
            family: None,
            user: Some("eve\n2026-01-01T00:00:00Z session created".to_owned()),
            account: Some("main".to_owned()),
        };
        assert_eq!(
            event.to_string(),
            format!(
                "2026-01-01T00:00:00.000Z session ended (logout) session={} user={:?} account=\"main\"",
                "ab".repeat(16),
                event.user.as_deref().unwrap_or_default()
            )
        );
        assert!(!event.to_string().contains('\n'));
    }

    /// A field has one type, whatever happened: what indexes an audit trail refuses anything else.
    #[test]
    fn s18_an_event_serializes_flat() {
        let json = |kind, family| {
            let at = Timestamp::from_millis(7);
            let event = SecurityEvent {
                at,
                kind,
                session: None,
                family,
                user: Some("ada".to_owned()),
                account: None,
            };
            let mut bytes = Vec::new();
            strata_core::Codec::Json.encode(&event, &mut bytes, 4096).expect("json");
            String::from_utf8(bytes).expect("text")
        };
        assert_eq!(
            json(SecurityEventKind::SessionEnded(EndReason::UserRevoked), None),
            r#"{"at":7,"kind":"session_ended","reason":"user_revoked","session":null,"family":null,"user":"ada","account":null}"#
        );
        assert_eq!(
            json(SecurityEventKind::InvalidUse(Misuse::OrphanBranch), None),
            r#"{"at":7,"kind":"invalid_use","reason":"orphan_branch","session":null,"family":null,"user":"ada","account":null}"#
        );
        let family = FamilyId::from_bytes([0xab; 16]);
        assert_eq!(
            json(SecurityEventKind::TokenRotated, Some(family)),
            format!(
                r#"{{"at":7,"kind":"token_rotated","session":null,"family":"{family}","user":"ada","account":null}}"#
            )
        );
    }

    #[test]
    fn s18_every_instant_is_printed_to_the_last_of_the_year_9999() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_827_696_789, "2000-02-29T12:34:56.789Z"),
            // Where the instants of jiff end, and after that.
            (253_402_207_200_999, "9999-12-30T22:00:00.999Z"),
            (253_402_207_201_000, "9999-12-30T22:00:01.000Z"),
            (Timestamp::MAX.as_millis(), "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Utc(Timestamp::from_millis(millis)).to_string(), text);
        }
    }
}
