//! The canonical form of each feature: what is left when spelling, order and what changes by itself are taken away. Text that cannot
//! be such a feature is refused.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use strata_core::{Error, ErrorKind, Result};

/// The longest agent, in bytes; headers in use are below 600.
const LONGEST_AGENT: usize = 2048;
/// The longest list of languages, in bytes.
const LONGEST_LANGUAGES: usize = 512;
/// How many languages count, the most preferred first.
const LANGUAGES: usize = 8;
/// The longest name of a zone, in bytes.
const LONGEST_ZONE: usize = 64;
/// The longest name of a platform, in bytes, unless Strata knows it.
const LONGEST_PLATFORM: usize = 64;
/// The longest value of an application's own feature, in bytes.
pub(super) const LONGEST_VALUE: usize = 256;

/// Text that is there, is not too long and has no control characters.
pub(super) fn text<'t>(what: &str, text: &'t str, most: usize) -> Result<&'t str> {
    if text.len() > most {
        return Err(Error::new(
            ErrorKind::TooLarge,
            OPERATION,
            format!("the {what} has {} bytes, at most {most} are allowed; leave it out", text.len()),
        ));
    }
    let trimmed = text.trim();
    if trimmed.is_empty() || text.chars().any(char::is_control) {
        return Err(invalid(&format!("the {what} is empty or has a control character; leave it out")));
    }
    Ok(trimmed)
}

pub(super) fn agent(header: &str) -> Result<String> {
    Ok(super::agent::Agent::of_header(text("agent", header, LONGEST_AGENT)?).to_string())
}

/// The family of an operating system, from its name or from a whole `User-Agent`.
pub(super) fn platform(name: &str) -> Result<String> {
    let name = text("platform", name, LONGEST_AGENT)?.to_ascii_lowercase();
    let has = |part: &&str| name.contains(*part);
    let is_word = |word: &str| name.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word);
    // Android says Linux, and an iPhone says Mac OS X, so those come first.
    let family = if ["windows", "win32", "win64"].iter().any(has) {
        "windows"
    } else if has(&"android") {
        "android"
    } else if ["iphone", "ipad", "ipod"].iter().any(has) || is_word("ios") {
        "ios"
    } else if ["macintosh", "mac os", "macos", "macintel"].iter().any(has) {
        "macos"
    } else if is_word("cros") || has(&"chrome os") || has(&"chromeos") || has(&"chromium os") {
        "chromeos"
    } else if let Some(bsd) = ["freebsd", "openbsd", "netbsd"].into_iter().find(has) {
        bsd
    } else if has(&"linux") || is_word("x11") {
        "linux"
    } else if name.len() <= LONGEST_PLATFORM && !name.contains('/') {
        // A name nobody knows is one. `product/version` is a header that names no system, and its version would make each
        // update another system.
        &name
    } else {
        "other"
    };
    Ok(family.to_owned())
}

/// The languages of an `Accept-Language` (RFC 9110, section 12.5.4) or a plain list, most preferred first, without their weights.
pub(super) fn languages(list: &str) -> Result<String> {
    let list = text("language", list, LONGEST_LANGUAGES)?;
    let mut tags = Vec::new();
    for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (tag, weight) = language(item).ok_or_else(|| {
            invalid("the language is no list of tags such as `de-AT, de;q=0.8`; leave it out")
        })?;
        if weight > 0 && !tags.iter().any(|(other, _)| *other == tag) {
            tags.push((tag, weight));
        }
    }
    if tags.is_empty() {
        return Err(invalid("the list names no language; leave it out"));
    }
    // Stable: among equals the order given counts.
    tags.sort_by_key(|(_, weight)| Reverse(*weight));
    let tags: Vec<_> = tags.into_iter().take(LANGUAGES).map(|(tag, _)| tag).collect();
    Ok(tags.join(","))
}

/// A tag in lower case and its weight in permille.
fn language(item: &str) -> Option<(String, u16)> {
    let (tag, parameter) = item.split_once(';').map_or((item, None), |(tag, rest)| (tag.trim(), Some(rest)));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if tag != "*" && (tag.is_empty() || tag.len() > 35 || !tag.bytes().all(plain)) {
        return None;
    }
    let weight = match parameter {
        None => 1000,
        Some(parameter) => permille(parameter.trim().strip_prefix("q=")?.trim())?,
    };
    Some((tag.to_ascii_lowercase(), weight))
}

/// A number from 0 to 1 with up to three decimals.
fn permille(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    let value = whole.parse::<u16>().ok()? * 1000 + thousandths;
    (value <= 1000).then_some(value)
}

pub(super) fn zone(name: &str) -> Result<String> {
    let name = text("zone", name, LONGEST_ZONE)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
    if !name.bytes().all(plain) {
        return Err(invalid("the zone is no name such as `Europe/Vienna`; leave it out"));
    }
    Ok(name.to_ascii_lowercase())
}

pub(super) fn screen(width: u32, height: u32) -> Result<String> {
    within("screen's width", width, 1, 65_535)?;
    within("screen's height", height, 1, 65_535)?;
    Ok(format!("{width}x{height}"))
}

pub(super) fn colour_depth(bits: u32) -> Result<String> {
    within("colour depth", bits, 1, 64)?;
    Ok(bits.to_string())
}

/// Mebibytes, rounded down to a power of two: what is free of it differs from time to time.
pub(super) fn memory(mebibytes: u32) -> Result<String> {
    within("memory in mebibytes", mebibytes, 1, 1 << 24)?;
    Ok((1_u32 << mebibytes.ilog2()).to_string())
}

pub(super) fn cores(count: u32) -> Result<String> {
    within("number of cores", count, 1, 4096)?;
    Ok(count.to_string())
}

/// The network an address belongs to: devices get other addresses in it all the time.
pub(super) fn address(address: IpAddr) -> Result<String> {
    let address = address.to_canonical();
    if address.is_unspecified() || address.is_multicast() {
        return Err(invalid("no client has this address; leave it out, or look at the proxy in front"));
    }
    Ok(match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{}/24", Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    })
}

fn within(what: &str, found: u32, least: u32, most: u32) -> Result<()> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(invalid(&format!("the {what} is not {least} to {most}; leave it out")))
}

const OPERATION: &str = "collect features";

#[cold]
pub(super) fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, OPERATION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operating_system_has_one_name() {
        for (given, expected) in [
            ("Win32", "windows"),
            ("Windows", "windows"),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36", "windows"),
            ("Mozilla/5.0 (Linux; Android 10; K)", "android"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)", "ios"),
            ("iOS 17.5", "ios"),
            ("MacIntel", "macos"),
            ("macOS", "macos"),
            ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)", "chromeos"),
            ("Microsoft Office/16.0 (Macintosh)", "macos"),
            ("microsoft something", "microsoft something"),
            ("Linux x86_64", "linux"),
            (" FreeBSD ", "freebsd"),
            ("Mozilla/5.0 (X11; FreeBSD amd64; rv:127.0) Gecko/20100101 Firefox/127.0", "freebsd"),
            ("curl/8.5.0", "other"),
            ("MyApp/3.2.1 (build 77)", "other"),
            (&"x".repeat(65), "other"),
        ] {
            assert_eq!(platform(given).expect(given), expected, "{given}");
        }
    }

    #[test]
    fn languages_come_in_the_order_of_preference() {
        for (given, expected) in [
            ("de-AT,de;q=0.9,en;q=0.8", "de-at,de,en"),
            ("en;q=0.8 , de-AT, de; q=0.9", "de-at,de,en"),
            ("de,DE,fr;q=0", "de"),
            ("*;q=0.1,en", "en,*"),
            ("a,b,c,d,e,f,g,h,i,j", "a,b,c,d,e,f,g,h"),
        ] {
            assert_eq!(languages(given).expect(given), expected, "{given}");
        }
        for bad in ["", ",", "de;q=2", "de;q=0.1234", "de;q=x", "de;level=1", "d e", "<de>", "fr;q=0", "de\n"]
        {
            assert_eq!(languages(bad).expect_err(bad).kind(), ErrorKind::Invalid, "{bad}");
        }
        assert_eq!(languages(&"de,".repeat(200)).expect_err("long").kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn an_address_is_its_network() {
        for (given, expected) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.78", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
            ("::1", "::/48"),
        ] {
            assert_eq!(address(given.parse().expect(given)).expect(given), expected);
        }
        for bad in ["0.0.0.0", "::", "224.0.0.1", "ff02::1"] {
            assert_eq!(address(bad.parse().expect(bad)).expect_err(bad).kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(memory(16_000).expect("memory"), "8192");
        assert_eq!(memory(1).expect("memory"), "1");
        for result in [
            screen(0, 1),
            screen(1, 65_536),
            colour_depth(0),
            colour_depth(65),
            memory(0),
            memory((1 << 24) + 1),
            cores(0),
            cores(4097),
        ] {
            assert_eq!(result.expect_err("out of bounds").kind(), ErrorKind::Invalid);
        }
    }
}
