//! A cookie as a header, checked before it leaves.

use std::time::Duration;

use cookie::time::Duration as Seconds;
use http::HeaderValue;
use strata_core::{Error, ErrorKind, Result};

use super::{SameSite, SessionCookie, invalid};

/// The most bytes of a name and a value together (RFC 6265bis, section 5.6; ASVS 3.3.5).
pub const MOST_BYTES: usize = 4096;

/// The longest a browser is asked to keep a cookie (RFC 6265bis, section 5.5): 400 days.
pub const LONGEST_LIFE: Duration = Duration::from_hours(400 * 24);

pub(super) fn set(cookie: &SessionCookie, value: &str, life: Option<Duration>) -> Result<HeaderValue> {
    if cookie.name.len() + value.len() > MOST_BYTES {
        let message = format!(
            "name and value take more than {MOST_BYTES} bytes; keep a key in the cookie, and the data in the session"
        );
        return Err(Error::new(ErrorKind::TooLarge, "write cookie", message));
    }
    if !value.bytes().all(is_value_byte) {
        return Err(invalid("the value has bytes that no cookie may have; encode it as base64url"));
    }
    if life.is_some_and(|life| life > LONGEST_LIFE) {
        return Err(invalid("browsers keep a cookie for 400 days at most; give it a shorter life"));
    }
    if cookie.same_site == SameSite::None && !cookie.secure {
        return Err(invalid(
            "browsers refuse a cookie that goes to all sites and is not Secure; choose another SameSite",
        ));
    }
    let mut built = cookie::Cookie::build((&cookie.name, value))
        .path("/")
        .secure(cookie.secure)
        .http_only(true)
        .same_site(match cookie.same_site {
            SameSite::Strict => cookie::SameSite::Strict,
            SameSite::Lax => cookie::SameSite::Lax,
            SameSite::None => cookie::SameSite::None,
        });
    if let Some(life) = life {
        // Shorter than 400 days, so it fits.
        built = built.max_age(Seconds::seconds(i64::try_from(life.as_secs()).unwrap_or(0)));
    }
    let text = built.build().to_string();
    let mut header =
        HeaderValue::from_str(&text).map_err(|_| invalid("the value has bytes that no header may have"))?;
    // Kept out of the compression tables of HTTP/2 and out of `Debug`.
    header.set_sensitive(true);
    Ok(header)
}

/// `cookie-octet` of RFC 6265, section 4.1.1.
fn is_value_byte(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}
