//! A client's access, refresh and id tokens.
