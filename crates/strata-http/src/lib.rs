//! Clients of Strata's HTTP routes.
