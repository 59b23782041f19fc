//! E-mail addresses.

use email_address::{EmailAddress, Options};

/// Normalizes an e-mail address as it is stored: trimmed and in lower case. The form is that of RFC 5321 and RFC 6531
/// (international), with a domain of at least two labels. `None` if the text is not an address.
pub fn email(text: &str) -> Option<String> {
    const OPTIONS: Options = Options {
        minimum_sub_domains: 2,
        allow_domain_literal: false,
        allow_display_text: false,
    };
    let email = text.trim().to_lowercase();
    // RFC 5321, section 4.5.3.1.3: a path of 256 octets, two of them the angle brackets.
    let fits = email.len() <= 254 && !email.chars().any(|c| c.is_control());
    let parses = fits && EmailAddress::parse_with_options(&email, OPTIONS).is_ok();
    (parses && host(email.rsplit_once('@')?.1)).then_some(email)
}

/// Checks what the parser does not. In ASCII a host name consists of letters, digits and hyphens (RFC 1123, section 2.1).
/// Its last label is not a number, because then it would be an IP address (RFC 3696, section 2).
fn host(domain: &str) -> bool {
    let plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let last = domain.rsplit('.').next().unwrap_or_default();
    domain.chars().all(plain) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_and_only_one() {
        for (given, stored) in [
            (" Ada@Example.COM ", "ada@example.com"),
            ("o'neil+x@ex-ample.co.uk", "o'neil+x@ex-ample.co.uk"),
            ("ÄÖ@Müller.DE", "äö@müller.de"),
            ("用户@例子.公司", "用户@例子.公司"),
        ] {
            assert_eq!(email(given).as_deref(), Some(stored));
        }
        let long = format!("{}@example.com", "a".repeat(64 + 1));
        for given in [
            "",
            "a",
            "a@b",
            "a@b..com",
            "a@-b.com",
            "a@b_c.com",
            "a@1.2.3.4",
            "a@[1.2.3.4]",
            "a b@c.com",
            "a@b.com.",
            "Ada <a@b.com>",
            "a@b.com,c@d.com",
            "a@b.com\nBcc: x@y.com",
            &long,
        ] {
            assert_eq!(email(given), None, "{given}");
        }
    }
}
