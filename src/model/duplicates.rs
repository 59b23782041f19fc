//! Which leads may be the same person: the rules.
//!
//! A rule makes a key of a lead. Leads with an equal key may be the same, for the reason of that rule. So duplicates are found
//! by keys alone, however many leads there are, and never by comparing each lead with each.

use crate::base::text::fold;
use crate::model::attributes::texts;
use crate::model::email::{PUNYCODE, email};
use crate::model::phone::{digits, is_phone};

/// Why leads may be the same person, the strongest reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The same address, in whatever spelling.
    Address,
    /// The same value of the attribute that was asked for.
    Attribute,
    /// Addresses of one mailbox: they differ in what follows a `+`, or at Gmail in dots.
    Mailbox,
    /// The same digits of a telephone number.
    Phone,
    /// The same name at one domain that is not that of a public mail provider.
    Name,
}

impl Reason {
    /// All reasons, the strongest first, with their words.
    pub const WORDS: [(&'static str, Reason); 5] = [
        ("same address", Reason::Address),
        ("same attribute", Reason::Attribute),
        ("same mailbox", Reason::Mailbox),
        ("same phone", Reason::Phone),
        ("same name", Reason::Name),
    ];

    /// The word of the API.
    pub fn word(self) -> &'static str {
        let known = Self::WORDS.iter().find(|known| known.1 == self);
        known.map_or("", |known| known.0)
    }
}

/// Several reasons. The greater of two has the stronger ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reasons(pub u8);

impl Reasons {
    /// Adds a reason.
    pub fn add(&mut self, reason: Reason) {
        self.0 |= 0b1_0000 >> reason as u8;
    }

    /// Adds those of another one.
    pub fn extend(&mut self, others: Reasons) {
        self.0 |= others.0;
    }

    /// Whether a reason is among them.
    pub fn has(self, reason: Reason) -> bool {
        self.0 & (0b1_0000 >> reason as u8) != 0
    }

    /// The words, the strongest first.
    pub fn words(self) -> Vec<String> {
        let known = Reason::WORDS.iter().filter(|known| self.has(known.1));
        known.map(|known| known.0.to_string()).collect()
    }

    /// Reads the words. Those of a newer server are left out.
    pub fn of(words: &[String]) -> Reasons {
        let mut reasons = Reasons::default();
        for (word, reason) in Reason::WORDS {
            if words.iter().any(|given| given == word) {
                reasons.add(reason);
            }
        }
        reasons
    }
}

/// Domains at which anybody gets an address, so that the same name says nothing.
const PUBLIC: [&str; 38] = [
    "163.com",
    "126.com",
    "aol.com",
    "arcor.de",
    "att.net",
    "bigpond.com",
    "bluewin.ch",
    "btinternet.com",
    "comcast.net",
    "duck.com",
    "email.de",
    "fastmail.com",
    "free.fr",
    "freenet.de",
    "googlemail.com",
    "gmail.com",
    "hey.com",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "naver.com",
    "orange.fr",
    "pm.me",
    "posteo.de",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rediffmail.com",
    "t-online.de",
    "tutanota.com",
    "verizon.net",
    "wanadoo.fr",
    "web.de",
    "zoho.com",
];

/// Public providers that have many domains: `yahoo.fr`, `yahoo.co.uk`.
const PUBLIC_NAMES: [&str; 8] = [
    "gmx", "hotmail", "live", "msn", "outlook", "yahoo", "yandex", "ymail",
];

/// Whether anybody gets an address at a domain.
pub fn is_public(domain: &str) -> bool {
    let name = domain.split('.').next().unwrap_or_default();
    PUBLIC.contains(&domain) || PUBLIC_NAMES.contains(&name)
}

/// The one form of a stored address. One that only another program has stored may be none, and is its own form.
pub fn address(stored: &str) -> String {
    let lower = stored.trim().to_ascii_lowercase();
    match lower.is_ascii() && !lower.contains(PUNYCODE) {
        true => lower,
        false => email(stored).unwrap_or(lower),
    }
}

/// The mailbox of an address in its one form: without what its owner has chosen after a `+` (RFC 5233), and at Gmail without
/// dots. `None` if it is not a mailbox that has several addresses.
pub fn mailbox(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let base = local.split('+').next().unwrap_or_default();
    if base.is_empty() || base.starts_with('"') {
        return None;
    }
    match is_gmail(domain) {
        true => Some(format!("{}@gmail.com", base.replace('.', ""))),
        false => Some(format!("{base}@{domain}")),
    }
}

/// Whether a domain is Gmail's, which ignores dots.
pub fn is_gmail(domain: &str) -> bool {
    matches!(domain, "gmail.com" | "googlemail.com")
}

/// A name in any case and with any blanks, as words. Empty if it has none.
pub fn name(stored: &str) -> String {
    let mut name = String::with_capacity(stored.len());
    for word in stored.split_whitespace() {
        if !name.is_empty() {
            name.push(' ');
        }
        name.extend(word.chars().map(fold));
    }
    name
}

/// Calls `add` with each key of a lead and its reason. The key of an address is also that of its mailbox: leads of which one has
/// it as its address and the other as its mailbox are of one mailbox.
pub fn keys(lead: (&str, &str, &str), attribute: Option<&str>, mut add: impl FnMut(Reason, &str)) {
    let (stored, called, attributes) = lead;
    let own = address(stored);
    add(Reason::Address, &own);
    if let Some(mailbox) = mailbox(&own).filter(|mailbox| *mailbox != own) {
        add(Reason::Mailbox, &mailbox);
    }
    let domain = own.rsplit_once('@').map(|parts| parts.1);
    if let Some(domain) = domain.filter(|domain| !is_public(domain)) {
        let name = name(called);
        if !name.is_empty() {
            add(Reason::Name, &format!("{name}@{domain}"));
        }
    }
    if attributes.len() <= "{}".len() {
        return;
    }
    let mut phones: Vec<String> = Vec::new();
    for (key, value) in texts(attributes) {
        if is_phone(&key)
            && let Some(phone) = digits(&value)
            && !phones.contains(&phone)
        {
            add(Reason::Phone, &phone);
            phones.push(phone);
        }
        if attribute == Some(&*key) && !value.trim().is_empty() {
            add(Reason::Attribute, value.trim());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(email: &str, name: &str, attributes: &str) -> Vec<String> {
        let mut found = Vec::new();
        keys((email, name, attributes), Some("ref"), |reason, key| {
            found.push(format!("{}: {key}", reason.word()));
        });
        found.sort();
        found
    }

    #[test]
    fn a_lead_has_a_key_for_each_rule() {
        assert_eq!(of("ada@b.cc", " ", "{}"), ["same address: ada@b.cc"]);
        assert_eq!(
            of(
                "Ada.L+x@GoogleMail.com",
                "Ada",
                r#"{"Phone":"+44 20 7946 0000","mobile":"0044 (0)20 79460000","fax phone":"+44 20 7946 0001","ref":7}"#
            ),
            [
                "same address: ada.l+x@googlemail.com",
                "same attribute: 7",
                "same mailbox: adal@gmail.com",
                "same phone: 442079460000",
            ]
        );
        assert_eq!(
            of("ada+x@b.cc", "  ADA   Müller ", "{\"ref\":null}"),
            [
                "same address: ada+x@b.cc",
                "same mailbox: ada@b.cc",
                "same name: ada müller@b.cc",
            ]
        );
        // What another program has stored has keys too.
        assert_eq!(of("no address", "x", "oops"), ["same address: no address"]);
    }

    #[test]
    fn the_spellings_of_an_address_are_one() {
        for spelling in [
            "max@möstermann.de",
            "MAX@xn--mstermann-07a.de",
            "max@mo\u{308}stermann.de",
        ] {
            assert_eq!(address(spelling), "max@möstermann.de");
        }
        assert_eq!(mailbox("+x@b.cc"), None);
        assert_eq!(mailbox("\"a+b\"@b.cc"), None);
    }

    #[test]
    fn stronger_reasons_come_first() {
        let mut weak = Reasons::default();
        weak.add(Reason::Name);
        weak.add(Reason::Phone);
        let mut strong = Reasons::default();
        strong.add(Reason::Address);
        assert!(strong > weak);
        assert_eq!(weak.words(), ["same phone", "same name"]);
        assert_eq!(Reasons::of(&weak.words()), weak);
        assert!(is_public("yahoo.co.uk") && is_public("gmail.com") && !is_public("acme.org"));
    }
}
