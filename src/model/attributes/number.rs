//! Numbers of JSON of any size, compared exactly and in time linear in their texts.
//!
//! No number is written out: `1e400` and `1e-999999999` are compared by the place of their first digit. A decimal or a
//! double would lose digits, or take memory in proportion to the exponent.

use std::cmp::Ordering;

/// A number. Its value is `0.DIGITS × 10^place`, with the sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    sign: Sign,
    /// The decimal place of the first digit. 0 for zero.
    place: i64,
    /// The digits without zeros at the beginning and at the end. Empty for zero.
    digits: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    Negative,
    Zero,
    Positive,
}

/// The bound on [`Number::place`]. An exponent of more digits counts as this one.
const FARTHEST: i64 = 1_000_000_000_000_000_000;

impl Number {
    /// Reads a number as JSON writes it (RFC 8259, section 6). `None` for other texts, such as `1_000`, `+1`, `01` and `inf`.
    pub fn parse(text: &str) -> Option<Number> {
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let is_digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_whole = is_digits(whole) && (whole.len() == 1 || !whole.starts_with('0'));
        if !is_whole || !fraction.is_none_or(is_digits) {
            return None;
        }
        let exponent = match exponent {
            None => 0,
            Some(exponent) => {
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if !is_digits(digits) {
                    return None;
                }
                let size = digits.parse::<i64>().unwrap_or(FARTHEST).min(FARTHEST);
                if exponent.starts_with('-') {
                    -size
                } else {
                    size
                }
            }
        };
        let all = [whole, fraction.unwrap_or_default()].concat();
        let digits = all.trim_start_matches('0');
        let place = whole.len() as i64 - (all.len() - digits.len()) as i64;
        let digits = digits.trim_end_matches('0');
        Some(match digits.is_empty() {
            true => Number {
                sign: Sign::Zero,
                place: 0,
                digits: String::new(),
            },
            false => Number {
                sign: match is_negative {
                    true => Sign::Negative,
                    false => Sign::Positive,
                },
                place: (exponent + place).clamp(-FARTHEST, FARTHEST),
                digits: digits.into(),
            },
        })
    }

    /// A text of at most `most` bytes, but at least 21, whose order by bytes is the order of the numbers. Numbers that differ
    /// only in digits beyond it have the same text.
    pub fn order_text(&self, most: usize) -> String {
        let place = |place: i64| format!("{:019}", place + FARTHEST);
        let mut text = match self.sign {
            Sign::Negative => {
                // A larger size is a smaller number, so each digit is replaced by 9 minus the digit. The end of the digits
                // is larger than every digit.
                let digits = self
                    .digits
                    .bytes()
                    .map(|digit| char::from(b'9' - digit + b'0'));
                format!("0{}{}~", place(-self.place), digits.collect::<String>())
            }
            Sign::Zero => "1".into(),
            Sign::Positive => format!("2{}{}", place(self.place), self.digits),
        };
        text.truncate(most);
        text
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        let size = || (self.place, &self.digits).cmp(&(other.place, &other.digits));
        self.sign.cmp(&other.sign).then_with(|| match self.sign {
            Sign::Negative => size().reverse(),
            Sign::Zero => Ordering::Equal,
            Sign::Positive => size(),
        })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In ascending order. The numbers of one line are equal.
    const ORDERED: &[&[&str]] = &[
        &["-1e99999999999999999999", "-1e99999999999999999998"],
        &["-1e400", "-10e399"],
        &["-125", "-1.25e2", "-12500e-2"],
        &["-121"],
        &["-12", "-12.0", "-0.12e2"],
        &["-1"],
        &["-0.5"],
        &["-1e-400"],
        &["0", "-0", "0.0", "0e400", "-0.00E-7"],
        &["1e-999999999"],
        &["1e-400", "0.1e-399"],
        &["0.5", "5e-1", "0.50"],
        &["1", "1.0", "100e-2", "1E+0", "1e00"],
        &["9"],
        &["10"],
        &["12345678901234567890"],
        &["12345678901234567890.1", "1.23456789012345678901e19"],
        &["12345678901234567891"],
        &["1e400"],
        &["1.0000000000000000000000000001e400"],
        &["1e999999999"],
    ];

    #[test]
    fn numbers_of_any_size_are_in_order() {
        let read = |text: &str| Number::parse(text).expect(text);
        for (at, line) in ORDERED.iter().enumerate() {
            for (other_at, other) in ORDERED.iter().enumerate() {
                for (one, two) in line
                    .iter()
                    .flat_map(|one| other.iter().map(move |two| (one, two)))
                {
                    let (a, b) = (read(one), read(two));
                    assert_eq!(a.cmp(&b), at.cmp(&other_at), "{one} {two}");
                    let order = a.order_text(200).cmp(&b.order_text(200));
                    assert_eq!(order, at.cmp(&other_at), "{one} {two}");
                }
            }
        }
        let many = "1".repeat(400);
        assert!(read(&many) > read(&many[1..]) && read(&many) < read(&format!("{many}.1")));
        assert_eq!(read(&many).order_text(100).len(), 100);
    }

    #[test]
    fn only_numbers_of_json_are_numbers() {
        for text in [
            "", "-", "+1", "01", "-01", ".5", "1.", "1e", "1e+", "1_000", "inf", "NaN", "0x1",
            " 1", "1 ", "1.e1", "1e1.5", "--1", "١",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }
}
