//! Visits: what visitors did, its delivery to a server, and what it tells.
