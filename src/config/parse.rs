//! Parsers for the plain values of settings: numbers, sizes, times, hosts, ports, tokens and lists.
//!
//! Every error is a sentence that says what was expected, so that it can follow the name of the flag or key.

use std::fs;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::base::error::quoted;
use crate::model::token::Secret;

/// Reads digits only. The standard parser would also accept a plus sign.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// Reads a number of bytes; `k` is 1,024 bytes and `m` is 1,048,576.
pub(super) fn size(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'k')) => (&text[..at], 1_024),
        Some((at, 'm')) => (&text[..at], 1_024 * 1_024),
        _ => (text, 1),
    };
    let bytes = number(digits).and_then(|number| number.checked_mul(unit));
    bytes
        .filter(|bytes| (least..=most).contains(bytes))
        .ok_or_else(|| {
            format!(
                "expected a number of bytes from {} to {}, where k is 1,024 bytes and m is 1,048,576, got {}",
                show_size(least),
                show_size(most),
                quoted(text)
            )
        })
}

/// Shows a number of bytes as [`size`] reads it, in the largest unit that leaves a whole number.
pub(super) fn show_size(bytes: u64) -> String {
    match bytes {
        bytes if bytes.is_multiple_of(1 << 20) => format!("{}m", bytes >> 20),
        bytes if bytes.is_multiple_of(1 << 10) => format!("{}k", bytes >> 10),
        bytes => bytes.to_string(),
    }
}

/// Reads a whole number.
pub(super) fn count(text: &str, least: u64, most: u64) -> Result<u64, String> {
    number(text)
        .filter(|count| (least..=most).contains(count))
        .ok_or_else(|| {
            format!(
                "expected a number from {least} to {most}, got {}",
                quoted(text)
            )
        })
}

/// Reads a number from 1, or `off`, which is `None`.
pub(super) fn rate(text: &str, most: u64) -> Result<Option<u64>, String> {
    if text == "off" {
        return Ok(None);
    }
    let rate = number(text).filter(|rate| (1..=most).contains(rate));
    rate.map(Some).ok_or_else(|| {
        format!(
            "expected a number from 1 to {most}, or off, got {}",
            quoted(text)
        )
    })
}

/// Reads a whole number with a unit, such as `90s`, `15m`, `1h`, `1d` or `1w`: at least a second, at most `longest` seconds.
pub(super) fn duration(text: &str, longest: u64) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        "w" => Some(7 * 86_400),
        _ => None,
    };
    let seconds = number(digits).zip(unit);
    seconds
        .and_then(|(number, unit)| number.checked_mul(unit))
        .filter(|seconds| (1..=longest).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| {
            let examples = match longest < 86_400 {
                true => "30s or 15m",
                false => "30s, 15m, 1h or 1d",
            };
            format!(
                "expected a time from 1s to {}, such as {examples}, got {}",
                show_duration(Duration::from_secs(longest)),
                quoted(text)
            )
        })
}

/// Reads a time as [`duration`] does, `0`, or `forever`, which is `None`.
pub(super) fn keep(text: &str, longest: u64) -> Result<Option<Duration>, String> {
    match text {
        "forever" => Ok(None),
        "0" => Ok(Some(Duration::ZERO)),
        text => duration(text, longest).map(Some).map_err(|_| {
            format!(
                "expected a time from 1s to {}, such as 30d, or forever, or 0, got {}",
                show_duration(Duration::from_secs(longest)),
                quoted(text)
            )
        }),
    }
}

/// Shows a time as [`duration`] reads it, in the largest unit up to days that leaves a whole number.
pub(super) fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60)];
    let fits = units.iter().find(|(_, unit)| seconds.is_multiple_of(*unit));
    let (name, unit) = fits.unwrap_or(&("s", 1));
    format!("{}{name}", seconds / unit)
}

/// Reads on or off.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("expected true or false, got {}", quoted(text))),
    }
}

/// Reads one of the words.
pub(super) fn word(text: &str, words: &[&'static str]) -> Result<&'static str, String> {
    let found = words.iter().copied().find(|word| *word == text);
    found.ok_or_else(|| format!("expected {}, got {}", words.join(" or "), quoted(text)))
}

/// Reads a comma-separated list; `check` reads each part.
pub(super) fn list(
    text: &str,
    check: fn(&str) -> Result<(), String>,
) -> Result<Vec<String>, String> {
    let parts: Vec<String> = text
        .split(',')
        .map(|part| part.trim().to_string())
        .collect();
    parts.iter().try_for_each(|part| check(part))?;
    Ok(parts)
}

/// Reads an IP address or a host name; the brackets around an IPv6 address are dropped.
pub(super) fn host(text: &str) -> Result<String, String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let host = bare.unwrap_or(text);
    let name = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    match host.parse::<IpAddr>() {
        Ok(ip) if bare.is_none() || ip.is_ipv6() => Ok(host.into()),
        Err(_) if bare.is_none() && name => Ok(host.into()),
        _ => Err(format!(
            "expected an IP address or a host name like 127.0.0.1, got {}",
            quoted(text)
        )),
    }
}

/// Reads a port.
pub(super) fn port(text: &str) -> Result<u16, String> {
    let port = number(text).and_then(|port| u16::try_from(port).ok());
    port.ok_or_else(|| format!("expected a port from 0 to 65535, got {}", quoted(text)))
}

/// Reads a token. The error does not repeat it.
pub(super) fn token(text: &str) -> Result<Secret, String> {
    Secret::parse(text.trim()).ok_or_else(|| {
        "expected a token as `crm token create` printed it, crm_ and 32 letters and digits".into()
    })
}

/// Reads a token from a file.
pub(super) fn token_file(path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    let mut text = String::new();
    // No token is longer than this.
    let read = fs::File::open(path).and_then(|file| file.take(4_096).read_to_string(&mut text));
    match read {
        Ok(_) => token(&text).map_err(|expected| format!("{shown}: {expected}")),
        Err(error) => Err(format!("{shown}: expected a readable file: {error}")),
    }
}
