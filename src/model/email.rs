//! E-mail addresses: which texts are one, and the one form in which an address is stored, shown and compared.
//!
//! Most addresses are plain ASCII, and only change to lower case. An international address has many spellings: its domain may
//! be written in Punycode (`xn--`), its letters composed or not, and a Japanese or Chinese keyboard types fullwidth
//! letters. All of them become one form, so that two spellings of an address are found and refused as one. The domain
//! follows IDNA (RFC 5891, by the mapping of UTS 46) and is in Unicode. The local part follows RFC 6531, and is mapped as
//! user names are (RFC 8265, section 3.3): fullwidth and halfwidth letters become ordinary ones, then lower case, then
//! the composed form (NFC).
//!
//! A database may hold addresses in other spellings, written by an older crm or by another program. [`spellings`] names
//! those that a search looks for. A check finds the others.

use email_address::{EmailAddress, Options};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use crate::base::error::quoted;
use crate::base::text::disturbs;

/// The longest address, in bytes: a path of 256, two of them the angle brackets (RFC 5321, section 4.5.3.1.3).
const LONGEST: usize = 254;

/// The longest local part, in bytes (RFC 5321, section 4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;

/// How a label in Punycode begins.
pub const PUNYCODE: &str = "xn--";

/// With more international labels than this, [`spellings`] leaves out mixtures, because each label doubles their number.
const MOST_MIXED: usize = 3;

/// The largest number of [`spellings`]: the mixtures, and two in decomposed letters.
pub const MOST_SPELLINGS: usize = (1 << MOST_MIXED) + 2;

const UTS46: Uts46 = Uts46::new();

/// Real names have two hyphens in the third and fourth position.
const HYPHENS: Hyphens = Hyphens::CheckFirstLast;

/// Normalizes an e-mail address as it is stored: trimmed, in lower case, and an international one in its one form. The
/// domain has at least two labels. `None` if the text is not an address.
pub fn email(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.is_ascii() {
        return international(&folded(text));
    }
    let email = text.to_ascii_lowercase();
    match email.contains(PUNYCODE) {
        true => international(&email),
        false => is_plain(&email).then_some(email),
    }
}

/// Why a text is not an address, if a label of its domain looks like Punycode and is not.
pub fn bad_punycode(text: &str) -> Option<String> {
    let text = folded(text.trim());
    let (_, domain) = text.rsplit_once('@')?;
    let is_bad = |label: &&str| {
        let read = || UTS46.to_unicode(label.as_bytes(), AsciiDenyList::STD3, HYPHENS);
        label.starts_with(PUNYCODE) && read().1.is_err()
    };
    let label = domain.split('.').find(is_bad)?;
    Some(format!(
        "{} in its domain is not valid Punycode",
        quoted(label)
    ))
}

/// The spellings in which a stored address may be the [normalized](email) address `email`: the address itself first, and its
/// domain in Punycode. A domain of several international labels may also be stored in a mixture. Letters with marks may
/// be decomposed, as in names of files and exported address books of some systems. There is only one spelling of a plain
/// address.
pub fn spellings(email: &str) -> Vec<String> {
    let mut spellings = vec![email.to_string()];
    if email.is_ascii() {
        return spellings;
    }
    if let Some((local, domain)) = email
        .rsplit_once('@')
        .filter(|(_, domain)| !domain.is_ascii())
    {
        in_punycode(local, domain, &mut spellings);
    }
    const DECOMPOSED: DecomposingNormalizerBorrowed<'static> =
        DecomposingNormalizerBorrowed::new_nfd();
    // The domain in Unicode, and in Punycode.
    let ends = [spellings.first(), spellings.get(1)];
    let decomposed = ends
        .into_iter()
        .flatten()
        .map(|one| DECOMPOSED.normalize(one).into_owned());
    let decomposed: Vec<String> = decomposed.filter(|one| !spellings.contains(one)).collect();
    spellings.extend(decomposed);
    spellings
}

/// Adds an address with its domain in Punycode, and with mixtures: first all labels in Punycode.
fn in_punycode(local: &str, domain: &str, spellings: &mut Vec<String>) {
    let labels: Vec<&str> = domain.split('.').collect();
    let international = labels.iter().filter(|label| !label.is_ascii()).count();
    let Some(ascii) = ascii(domain).filter(|ascii| ascii.split('.').count() == labels.len()) else {
        return;
    };
    let all = (1 << international.min(MOST_MIXED)) - 1;
    let masks = match international > MOST_MIXED {
        true => all..=all,
        false => 1..=all,
    };
    for mask in masks.rev() {
        let mut at = 0;
        let labels = labels.iter().zip(ascii.split('.')).map(|(label, ascii)| {
            let bit = at.min(MOST_MIXED - 1);
            at += usize::from(!label.is_ascii());
            match label.is_ascii() || mask & (1 << bit) == 0 {
                true => *label,
                false => ascii,
            }
        });
        let labels: Vec<&str> = labels.collect();
        spellings.push(format!("{local}@{}", labels.join(".")));
    }
}

/// Fullwidth and halfwidth letters become ordinary ones, then the text becomes lower case and composed.
fn folded(text: &str) -> String {
    const COMPOSED: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
    const COMPATIBLE: ComposingNormalizerBorrowed<'static> =
        ComposingNormalizerBorrowed::new_nfkc();
    let mut ordinary = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\u{ff00}'..='\u{ffef}' => {
                ordinary += &COMPATIBLE.normalize(letter.encode_utf8(&mut [0; 4]));
            }
            letter => ordinary.push(letter),
        }
    }
    COMPOSED.normalize(&ordinary.to_lowercase()).into_owned()
}

/// Reads an address of letters of any script, or with a domain in Punycode.
fn international(email: &str) -> Option<String> {
    let (local, given) = email.rsplit_once('@')?;
    let (domain, read) = UTS46.to_unicode(given.as_bytes(), AsciiDenyList::STD3, HYPHENS);
    // A label that only looks like Punycode is no name: no registry has it, and no mail reaches it.
    read.ok()?;
    let ascii = ascii(&domain)?;
    // The structure is that of an address in ASCII. The letters of other scripts are checked separately.
    let plain = |letter: char| if letter.is_ascii() { letter } else { 'x' };
    let structure = format!("{}@{ascii}", local.chars().map(plain).collect::<String>());
    let fits = local.len() <= LONGEST_LOCAL && local.len() + 1 + domain.len() <= LONGEST;
    let fits = fits && is_plain(&structure) && is_readable(local);
    fits.then(|| format!("{local}@{domain}"))
}

/// The domain in Punycode. `None` if it is not a domain.
fn ascii(domain: &str) -> Option<String> {
    let ascii = UTS46.to_ascii(
        domain.as_bytes(),
        AsciiDenyList::STD3,
        HYPHENS,
        DnsLength::Verify,
    );
    ascii.ok().map(|ascii| ascii.into_owned())
}

/// Whether a local part is without white space and without characters that nobody can see. The joiners (ZWJ, ZWNJ) are
/// part of Persian and of the scripts of India, but only beside letters of such a script.
fn is_readable(local: &str) -> bool {
    let invisible = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let mut before = 'a';
    local.chars().all(|letter| {
        let after_letter = !std::mem::replace(&mut before, letter).is_ascii();
        match letter {
            '\u{200c}' | '\u{200d}' => after_letter,
            // Emoji are followed by one.
            '\u{fe0f}' => after_letter,
            _ if letter.is_ascii() => true,
            // It stands for a letter that could not be read.
            char::REPLACEMENT_CHARACTER => false,
            _ => !letter.is_whitespace() && !disturbs(letter) && !invisible.contains(letter),
        }
    })
}

/// Whether a text in ASCII is an address of RFC 5321.
fn is_plain(email: &str) -> bool {
    const OPTIONS: Options = Options {
        minimum_sub_domains: 2,
        allow_domain_literal: false,
        allow_display_text: false,
    };
    let fits = email.len() <= LONGEST && !email.bytes().any(|byte| byte.is_ascii_control());
    let parses = fits && EmailAddress::parse_with_options(email, OPTIONS).is_ok();
    parses
        && email
            .rsplit_once('@')
            .is_some_and(|(_, domain)| host(domain))
}

/// Checks what the parser does not. A host name consists of letters, digits and hyphens (RFC 1123, section 2.1). Its last
/// label is not a number, because then it would be an IP address (RFC 3696, section 2).
fn host(domain: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let last = domain.rsplit('.').next().unwrap_or_default();
    domain.bytes().all(plain) && !last.bytes().all(|byte| byte.is_ascii_digit())
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
            // Marks that are part of a letter, in the local part and in the domain.
            ("संपर्क@डाटामेल.भारत", "संपर्क@डाटामेल.भारत"),
            ("ติดต่อ@ตัวอย่าง.ไทย", "ติดต่อ@ตัวอย่าง.ไทย"),
            ("தொடர்பு@எடுத்துக்காட்டு.இந்தியா", "தொடர்பு@எடுத்துக்காட்டு.இந்தியா"),
            ("సంప్రదించండి@ఉదాహరణ.భారత్", "సంప్రదించండి@ఉదాహరణ.భారత్"),
            ("যোগাযোগ@উদাহরণ.বাংলা", "যোগাযোগ@উদাহরণ.বাংলা"),
            ("ទំនាក់ទំនង@ឧទាហរណ៍.ខ្មែរ", "ទំនាក់ទំនង@ឧទាហរណ៍.ខ្មែរ"),
            // Persian with ZWNJ.
            (
                "نامه\u{200c}ای@نامه\u{200c}ای.com",
                "نامه\u{200c}ای@نامه\u{200c}ای.com",
            ),
            ("אבג@דוגמה.קום", "אבג@דוגמה.קום"),
            ("❤\u{fe0f}@i❤.ws", "❤\u{fe0f}@i❤.ws"),
            ("straße@straße.de", "straße@straße.de"),
            ("a@r3---sn-x.example.com", "a@r3---sn-x.example.com"),
            ("\"a b\"@example.com", "\"a b\"@example.com"),
        ] {
            assert_eq!(email(given).as_deref(), Some(stored), "{given}");
            assert_eq!(email(stored).as_deref(), Some(stored), "{given}");
        }
        let long = format!("{}@example.com", "a".repeat(64 + 1));
        let long_local = format!("{}@example.com", "ä".repeat(33));
        let long_label = format!("a@{}.com", "ä".repeat(60));
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
            "ä@b",
            "ä@ü",
            "ä@ü..de",
            "ä@-ü.de",
            "ä@ü_.de",
            "ä@１.２.３.４",
            "ä ö@ü.de",
            "ä\u{a0}ö@ü.de",
            "ä@ü.de\u{85}x",
            "ä@ü.\u{202e}de",
            "\u{202e}ä@ü.de",
            "ä\u{200b}@ü.de",
            "zo\u{fffd}@example.com",
            "a\u{200d}b@ü.de",
            "\u{feff}ä@b.de\u{feff}",
            "ä@\u{301}b.de",
            "ä@a\u{200c}b.de",
            "ä..ö@ü.de",
            "ä(@ü.de",
            "a@xn--a.com",
            "a@mail.XN--A.com",
            "a@xn--.com",
            "a@xn--abc-.com",
            "ä@xn--a.com",
            &long,
            &long_local,
            &long_label,
        ] {
            assert_eq!(email(given), None, "{given}");
        }
    }

    #[test]
    fn all_spellings_of_an_address_are_one() {
        for (stored, given) in [
            (
                "max@möstermann.de",
                &[
                    "max@xn--mstermann-07a.de",
                    "MAX@XN--MSTERMANN-07A.DE",
                    "max@mo\u{308}stermann.de",
                    "ｍａｘ＠ＭÖＳＴＥＲＭＡＮＮ．ｄｅ",
                    "max@MÖSTERMANN。de",
                    " Max@Möstermann.de ",
                ][..],
            ),
            (
                "ada@example.com",
                &["ａｄａ@example.com", "ada＠ｅｘａｍｐｌｅ．com"],
            ),
            (
                "jörg@example.com",
                &["jo\u{308}rg@example.com", "JÖRG@ＥＸＡＭＰＬＥ.com"],
            ),
            ("バ@example.jp", &["ﾊﾞ@example.jp"]),
            (
                "संपर्क@डाटामेल.भारत",
                &[
                    "संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c",
                    "संपर्क@डाटामेल.xn--h2brj9c",
                ],
            ),
        ] {
            for given in given {
                assert_eq!(email(given).as_deref(), Some(stored), "{given}");
            }
        }
        // Two letters are two addresses.
        assert_ne!(email("a@strasse.de"), email("a@straße.de"));
    }

    #[test]
    fn a_search_looks_for_the_spellings_that_may_be_stored() {
        assert_eq!(spellings("ada@example.com"), ["ada@example.com"]);
        assert_eq!(
            spellings("äda@example.com"),
            ["äda@example.com", "a\u{308}da@example.com"]
        );
        assert_eq!(
            spellings("max@möstermann.de"),
            [
                "max@möstermann.de",
                "max@xn--mstermann-07a.de",
                "max@mo\u{308}stermann.de"
            ]
        );
        assert_eq!(
            spellings("jörg@ü.de")[2..],
            ["jo\u{308}rg@u\u{308}.de", "jo\u{308}rg@xn--tda.de"]
        );
        let of_two = spellings("संपर्क@डाटामेल.भारत");
        assert_eq!(of_two.len(), 4);
        for spelling in &of_two {
            assert_eq!(email(spelling).as_ref(), Some(&of_two[0]));
        }
        let of_five = spellings("a@ä.ö.ü.ä.ö");
        assert_eq!(of_five.len(), 3);
        assert!(of_five[1].is_ascii());
        assert_eq!(spellings("not an address"), ["not an address"]);
    }

    #[test]
    fn a_label_that_only_looks_like_punycode_is_named() {
        for (text, label) in [
            ("a@xn--a.com", "xn--a"),
            (" A@Mail.XN--A.com ", "xn--a"),
            ("ä@ü.xn--abc-", "xn--abc-"),
            ("a@xn--a\u{1b}.com", "xn--a\\u{1b}"),
        ] {
            let told = format!("\"{label}\" in its domain is not valid Punycode");
            assert_eq!(bad_punycode(text), Some(told), "{text}");
        }
        for text in [
            "",
            "a",
            "a b@c.com",
            "a@xn--mstermann-07a.de",
            "xn--a@example.com",
        ] {
            assert_eq!(bad_punycode(text), None, "{text}");
        }
    }

    #[test]
    fn the_form_of_an_address_is_stable() {
        let letters = [
            "a", "Z", "ä", "o\u{308}", "ß", "ẞ", "Σ", "ς", "İ", "ｱ", "ﾞ", "Ａ", "க", "்", "\u{200c}",
            "ﬁ", "Å", "한", "ᄒ", "ᅡ", "-", "1", "١",
        ];
        for first in letters {
            for second in letters {
                for given in [
                    format!("{first}{second}@{second}{first}.de"),
                    format!("a{first}{second}@b{second}{first}c.{first}de"),
                ] {
                    if let Some(form) = email(&given) {
                        assert_eq!(email(&form), Some(form.clone()), "{given}");
                        let spellings = spellings(&form);
                        assert!(spellings.len() <= MOST_SPELLINGS, "{form}");
                        for spelling in spellings {
                            assert_eq!(email(&spelling), Some(form.clone()), "{spelling}");
                        }
                    }
                }
            }
        }
    }
}
