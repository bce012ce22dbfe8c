//! How long a server asks to wait: `Retry-After` (RFC 9110, section 10.2.3), in seconds or as a date.

use std::time::{Duration, UNIX_EPOCH};

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use strata_core::Timestamp;

/// The longest wait that is believed.
const LONGEST: Duration = Duration::from_hours(24);

/// What the headers ask for, a day at most. A date is met with the server's own, so that clocks that differ do no harm; only where it
/// sends none with `now`. Nonsense, and a header that comes twice, ask for nothing.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = single(headers, &RETRY_AFTER)?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds ask for longer than anybody waits.
        return Some(text.parse().map_or(LONGEST, Duration::from_secs).min(LONGEST));
    }
    let until = date(text)?;
    let from = single(headers, &DATE).and_then(date).unwrap_or(now);
    Some(until.since(from).min(LONGEST))
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok().map(str::trim)
}

fn date(text: &str) -> Option<Timestamp> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::EPOCH.saturating_add(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(HeaderName, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), value.parse().expect("a header"));
        }
        // 1994-11-15T08:12:00Z.
        retry_after(&headers, Timestamp::from_millis(784_887_120_000))
    }

    #[test]
    fn seconds_and_dates_are_read_and_nonsense_is_not() {
        let seconds = |count| Some(Duration::from_secs(count));
        for (text, wait) in [
            ("0", seconds(0)),
            ("120", seconds(120)),
            (" 7 ", seconds(7)),
            ("99999999", Some(LONGEST)),
            ("99999999999999999999999999", Some(LONGEST)),
            ("Tue, 15 Nov 1994 08:12:31 GMT", seconds(31)),
            ("Tuesday, 15-Nov-94 08:12:31 GMT", seconds(31)),
            ("Tue Nov 15 08:12:31 1994", seconds(31)),
            ("Tue, 15 Nov 1994 08:00:00 GMT", seconds(0)),
            ("Mon, 15 Nov 2094 08:12:31 GMT", Some(LONGEST)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("15 Nov 1994", None),
        ] {
            assert_eq!(of(&[(RETRY_AFTER, text)]), wait, "{text}");
        }
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(RETRY_AFTER, "1"), (RETRY_AFTER, "2")]), None, "two that may differ");
    }

    #[test]
    fn a_date_is_met_with_the_clock_of_the_server_that_sent_it() {
        let until = (RETRY_AFTER, "Wed, 01 Jan 2031 00:01:00 GMT");
        assert_eq!(
            of(&[until.clone(), (DATE, "Wed, 01 Jan 2031 00:00:00 GMT")]),
            Some(Duration::from_mins(1)),
            "the client's clock is years behind"
        );
        assert_eq!(of(&[until, (DATE, "garbage")]), Some(LONGEST));
    }
}
