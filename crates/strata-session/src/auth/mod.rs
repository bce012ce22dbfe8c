//! Authentication sessions: people who have signed in.
