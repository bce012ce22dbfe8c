//! How durations, instants, versions and key ids are written on a command line and in import lines, and how they are
//! printed for people.

use std::time::Duration;

use strata::{KeyId, Timestamp, Version};

/// Units of a duration and their milliseconds, longest first.
const UNITS: [(&str, u64); 6] =
    [("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Parses `1h30m`: whole numbers, each with `w`, `d`, `h`, `m`, `s` or `ms`. Zero and what does not fit are refused, so
/// that nothing is immortal by mistake.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write whole numbers with units, such as `90s`, `30m`, `12h`, `7d` or `1h30m`";
    let mut rest = text.trim();
    let mut millis = 0_u64;
    if rest.is_empty() {
        return Err(FORM.to_owned());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(FORM)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, each) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(FORM)?;
        if number.is_empty() {
            return Err(FORM.to_owned());
        }
        // Only digits, so a failure is a number that does not fit.
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*each));
        millis = part.and_then(|part| millis.checked_add(part)).ok_or("the duration is too long")?;
        rest = after;
    }
    if millis == 0 {
        return Err("the duration is zero; give at least a millisecond".to_owned());
    }
    Ok(Duration::from_millis(millis))
}

/// Parses an RFC 3339 instant such as `2030-01-01T00:00:00Z`, between 1970 and 9999.
pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    let instant: jiff::Timestamp = text
        .parse()
        .map_err(|_| "write an RFC 3339 instant with its zone, such as `2030-01-01T00:00:00Z`".to_owned())?;
    u64::try_from(instant.as_millisecond())
        .map(Timestamp::from_millis)
        .map_err(|_| "the instant lies before 1970".to_owned())
}

/// Parses a version as `ls --long` prints it.
pub(crate) fn version(text: &str) -> Result<Version, String> {
    text.parse().map(Version::new).map_err(|_| "write the number that `ls --long` prints".to_owned())
}

/// Parses a key id as `keyset list` prints it: eight hexadecimal digits.
pub(crate) fn key_id(text: &str) -> Result<KeyId, String> {
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(text, 16)
        .ok()
        .filter(|_| digits)
        .map(KeyId::new)
        .ok_or_else(|| "write the eight hexadecimal digits that `keyset list` prints".to_owned())
}

/// An instant in RFC 3339, in UTC.
pub(crate) fn print_instant(instant: Timestamp) -> String {
    let millis = i64::try_from(instant.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// The two largest units of a duration: `1d 2h`, `29m 59s`, `750ms`.
pub(crate) fn print_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::with_capacity(2);
    for (unit, each) in UNITS.into_iter().skip(1) {
        let count = millis / each;
        millis %= each;
        if count > 0 {
            parts.push(format!("{count}{unit}"));
        } else if !parts.is_empty() {
            // `1h 3s` would look like more precision than there is.
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    if parts.is_empty() { "0ms".to_owned() } else { parts.join(" ") }
}

/// A number of bytes with its unit: `512 B`, `1.5 KiB`.
pub(crate) fn print_bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // For people: a rounding in the sixteenth digit does not show in the first two.
    #[allow(clippy::cast_precision_loss)]
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < units.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_sums_of_numbers_with_units() {
        for (text, millis) in
            [("1ms", 1), ("90s", 90_000), ("1h30m", 5_400_000), ("2d", 172_800_000), ("1w", 604_800_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn zero_overflowing_and_malformed_durations_are_refused() {
        for text in ["", "5", "h", "-5m", "1.5h", "5 m", "5y", "m5", "٣s"] {
            assert!(duration(text).expect_err(text).contains("whole numbers"), "{text}");
        }
        for text in ["0s", "0d0ms"] {
            assert!(duration(text).expect_err(text).contains("zero"));
        }
        for text in ["99999999999999999999s", "18446744073709551615s", "18446744073709551615ms1ms"] {
            assert!(duration(text).expect_err(text).contains("too long"), "{text}");
        }
    }

    #[test]
    fn instants_are_rfc_3339_since_1970() {
        assert_eq!(instant("1970-01-01T00:00:01.5Z"), Ok(Timestamp::from_millis(1_500)));
        assert_eq!(instant("2026-01-01T01:00:00+01:00"), Ok(Timestamp::from_millis(1_767_225_600_000)));
        assert!(instant("1969-12-31T23:59:59Z").is_err());
        assert!(instant("tomorrow").is_err());
        assert!(instant("2026-01-01T00:00:00").is_err(), "no zone");
        assert_eq!(print_instant(Timestamp::from_millis(1_500)), "1970-01-01T00:00:01.5Z");
        assert!(print_instant(Timestamp::MAX).starts_with("9999-"));
    }

    #[test]
    fn ids_and_versions_are_read_as_printed() {
        assert_eq!(key_id("0a1b2c3d"), Ok(KeyId::new(0x0a1b_2c3d)));
        for bad in ["", "0a1b2c3", "+a1b2c3d", "0a1b2c3d4", "0a1b2c3g"] {
            assert!(key_id(bad).is_err(), "{bad}");
        }
        assert_eq!(version("7"), Ok(Version::new(7)));
        assert!(version("-1").is_err());
    }

    #[test]
    fn people_read_two_units() {
        for (millis, text) in
            [(0, "0ms"), (750, "750ms"), (1_799_999, "29m 59s"), (93_600_000, "1d 2h"), (3_603_000, "1h")]
        {
            assert_eq!(print_duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(print_bytes(1023), "1023 B");
        assert_eq!(print_bytes(1536), "1.5 KiB");
        assert_eq!(print_bytes(u64::MAX), "16777216.0 TiB");
    }
}
