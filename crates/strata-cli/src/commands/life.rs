//! `ttl`, `touch` and `persist`: how long a value lives.

use serde_json::json;
use strata::{Strata, Ttl as Left};

use super::missing;
use super::value::lifetime;
use crate::args::{Life, Ttl};
use crate::failure::Failure;
use crate::output::Out;
use crate::words;

/// Prints what is left of a life, after giving the value another if that was asked.
pub(crate) async fn ttl(db: &Strata, ttl: &Ttl, out: &mut Out) -> Result<(), Failure> {
    let life = Life { ttl: ttl.set, sliding: ttl.sliding, expire_at: ttl.expire_at };
    if let Some(life) = lifetime(&life)
        && !db.expire(&ttl.key, life).await?
    {
        return Err(missing(&ttl.key));
    }
    tell(db, &ttl.key, out).await
}

/// Counts activity now, and prints what is left.
pub(crate) async fn touch(db: &Strata, key: &str, out: &mut Out) -> Result<(), Failure> {
    if db.touch(key).await? { tell(db, key, out).await } else { Err(missing(key)) }
}

/// Drops the expiry.
pub(crate) async fn persist(db: &Strata, key: &str, out: &mut Out) -> Result<(), Failure> {
    if db.persist(key).await? { tell(db, key, out).await } else { Err(missing(key)) }
}

async fn tell(db: &Strata, key: &str, out: &mut Out) -> Result<(), Failure> {
    match db.ttl(key).await? {
        Left::Missing => Err(missing(key)),
        Left::Never => out.either(&json!({ "key": key, "ttl_ms": null }), "never"),
        Left::Left(left) => {
            let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            out.either(&json!({ "key": key, "ttl_ms": millis }), words::print_duration(left))
        }
    }
}
