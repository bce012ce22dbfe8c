//! Session managers over any Strata handle.
