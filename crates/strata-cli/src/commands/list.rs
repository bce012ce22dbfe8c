//! `ls`: which values there are.

use serde_json::{Value, json};
use strata::{Codec, Info, Strata, Timestamp};

use crate::args::Ls;
use crate::failure::Failure;
use crate::output::{Out, Table};
use crate::words;

/// How many rows are laid out at a time: enough to align, few enough to hold.
const ROWS: usize = 512;

/// Lists keys in order, as a stream: memory does not grow with the store.
pub(crate) async fn ls(db: &Strata, ls: &Ls, out: &mut Out) -> Result<(), Failure> {
    let mut rows = Rows::new(ls.long && !out.json);
    let mut select = db.select().glob(&ls.glob);
    for tag in &ls.tags {
        select = select.tag(tag);
    }
    let mut keys = select.keys();
    let mut left = ls.limit.unwrap_or(usize::MAX);
    while left > 0
        && let Some(key) = keys.next().await
    {
        let key = key?;
        if !ls.long {
            out.either(&json!({ "key": key }), &key)?;
            left -= 1;
        } else if let Some(info) = db.info(&key).await? {
            let now = db.clock().now();
            if out.json {
                out.object(&object(&key, &info, now))?;
            } else {
                rows.add(row(&key, &info, now), out)?;
            }
            left -= 1;
        }
    }
    rows.write(out)
}

/// Rows on their way to the terminal.
struct Rows {
    table: Table<6>,
    rows: Vec<[String; 6]>,
}

impl Rows {
    fn new(titled: bool) -> Self {
        let title = ["KEY", "SIZE", "TTL", "VERSION", "CODEC", "TAGS"].map(str::to_owned);
        let rows = if titled { vec![title] } else { Vec::new() };
        Self { table: Table::new([false, true, true, true, false, false]), rows }
    }

    fn add(&mut self, row: [String; 6], out: &mut Out) -> Result<(), Failure> {
        self.rows.push(row);
        if self.rows.len() == ROWS { self.write(out) } else { Ok(()) }
    }

    fn write(&mut self, out: &mut Out) -> Result<(), Failure> {
        for line in self.table.lay_out(&self.rows) {
            out.line(line)?;
        }
        self.rows.clear();
        Ok(())
    }
}

fn row(key: &str, info: &Info, now: Timestamp) -> [String; 6] {
    let tags: Vec<&str> = info.tags.iter().map(strata::Tag::as_str).collect();
    [
        key.to_owned(),
        words::print_bytes(info.size as u64),
        info.expiry.remaining(now).map_or_else(|| "never".to_owned(), words::print_duration),
        info.version.to_string(),
        codec(info.codec).to_owned(),
        tags.join(" "),
    ]
}

/// What is known of a value, for programs. Sizes are in bytes as stored, times in milliseconds.
fn object(key: &str, info: &Info, now: Timestamp) -> Value {
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    json!({
        "key": key,
        "size": info.size,
        "ttl_ms": info.expiry.remaining(now).map(millis),
        "idle_ms": info.expiry.idle_time().map(millis),
        "not_after": info.expiry.not_after().map(words::print_instant),
        "version": info.version.get(),
        "codec": codec(info.codec),
        "tags": info.tags.iter().map(strata::Tag::as_str).collect::<Vec<_>>(),
        "created": words::print_instant(info.created),
        "updated": words::print_instant(info.updated),
        "sealed_under": info.sealed_under.map(|id| id.to_string()),
    })
}

/// A codec's name.
pub(crate) fn codec(codec: Codec) -> &'static str {
    match codec {
        Codec::Bincode => "bincode",
        Codec::Json => "json",
        _ => "other",
    }
}
