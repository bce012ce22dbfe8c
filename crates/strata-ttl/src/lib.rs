//! Expiry policies, a clock that survives jumps, and the sweeper of Strata.
