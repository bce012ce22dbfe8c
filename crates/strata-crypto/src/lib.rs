//! Sealing for Strata: AES-256-GCM envelopes, keysets, nonces, key sources.
