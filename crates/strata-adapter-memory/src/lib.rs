//! A store in memory for Strata: sharded, indexed, bounded if asked.
