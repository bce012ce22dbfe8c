//! `stats`: what the store holds and how it is protected.

use serde_json::json;
use strata::{Listing, Strata};

use crate::failure::Failure;
use crate::output::{Out, Table};
use crate::words;

/// Prints numbers and protection.
pub(crate) async fn stats(db: &Strata, out: &mut Out) -> Result<(), Failure> {
    let stats = db.stats().await?;
    let report = db.report();
    let capabilities = db.capabilities();
    let indexes: &[&str] = match capabilities.listing {
        Listing::Indexed => &["prefix", "tag", "deadline"],
        Listing::None => &[],
    };
    let provider = report.keys.as_ref().map(|keys| keys.provider.clone());
    let primary = db.seal().map(|seal| seal.primary().to_string());
    if out.json {
        return out.object(&json!({
            "store": report.store,
            "records": stats.and_then(|stats| stats.records),
            "bytes": stats.and_then(|stats| stats.bytes),
            "indexes": indexes,
            "protection": format!("{:?}", report.protection),
            "key_provider": provider,
            "primary_key": primary,
            "durability": report.durability.to_string(),
            "highest_durability": report.highest_durability.to_string(),
            "relaxed_window_ms": u64::try_from(report.relaxed_window.as_millis()).unwrap_or(u64::MAX),
            "max_payload": capabilities.max_payload,
        }));
    }
    let unknown = || "not counted".to_owned();
    let rows = [
        ("store", report.store),
        (
            "records",
            stats
                .and_then(|stats| stats.records)
                .map_or_else(unknown, |records| format!("{records} (dead and own ones included)")),
        ),
        ("size", stats.and_then(|stats| stats.bytes).map_or_else(unknown, words::print_bytes)),
        ("indexes", if indexes.is_empty() { "none".to_owned() } else { indexes.join(", ") }),
        ("protection", format!("{:?}", report.protection)),
        ("keys from", report.keys.map_or_else(|| "no keys".to_owned(), |keys| keys.to_string())),
        ("primary key", primary.unwrap_or_else(|| "none".to_owned())),
        ("durability", format!("{}, at most {}", report.durability, report.highest_durability)),
        ("relaxed window", words::print_duration(report.relaxed_window)),
    ];
    let rows = rows.map(|(name, text)| [name.to_owned(), text]);
    for line in Table::new([false, false]).lay_out(&rows) {
        out.line(line)?;
    }
    Ok(())
}
