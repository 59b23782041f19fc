//! The records that have a word, as a text: a set of numbers below [`BLOCK`].
//!
//! A text, because one kind of value then serves all databases and copies. It has 64 different characters, six bits each.
//! A few numbers are a list of the distances between them, of one character where they are close. Many are a bitmap, whose
//! size is fixed.

use crate::base::error::{Code, Error};

const DAMAGED: &str = "the index of the search is damaged; `crm find --rebuild` makes it anew";

/// The error for a row that crm has not written so.
pub(super) fn damaged() -> Error {
    Error::new(Code::Unavailable, DAMAGED)
}

/// Whether an error is that of such a row.
pub(super) fn is_damaged(error: &Error) -> bool {
    error.message == DAMAGED
}

/// How many records a block has. A row of the index has the records of one block, so that a long list is read from its newest
/// end, and a change writes only a part of it.
pub(crate) const BLOCK: usize = 1 << 16;

/// The first character of a bitmap. A list has none of them.
const MAP: u8 = b'~';

/// The character for zero. The others follow it, without `\`, so that no text of the index has to be escaped.
const ZERO: u8 = b'0';

/// The length of a bitmap.
const MAP_LENGTH: usize = BLOCK.div_ceil(6) + 1;

/// A set of numbers below [`BLOCK`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Postings {
    bits: Vec<u64>,
    count: usize,
}

impl Default for Postings {
    fn default() -> Postings {
        Postings {
            bits: vec![0; BLOCK / 64],
            count: 0,
        }
    }
}

impl Postings {
    /// Adds a number. Returns whether it is new.
    pub(crate) fn add(&mut self, number: u16) -> bool {
        let (word, bit) = (usize::from(number) / 64, 1 << (number % 64));
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        self.count += usize::from(is_new);
        is_new
    }

    /// Removes a number. Returns whether it was there.
    pub(crate) fn remove(&mut self, number: u16) -> bool {
        let (word, bit) = (usize::from(number) / 64, 1 << (number % 64));
        let was_there = self.bits[word] & bit != 0;
        self.bits[word] &= !bit;
        self.count -= usize::from(was_there);
        was_there
    }

    /// Whether it has a number.
    pub(crate) fn has(&self, number: u16) -> bool {
        self.bits[usize::from(number) / 64] >> (number % 64) & 1 == 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Keeps the numbers that another set has as well.
    pub(crate) fn meet(&mut self, other: &Postings) {
        self.count = 0;
        for (bits, other) in self.bits.iter_mut().zip(&other.bits) {
            *bits &= other;
            self.count += bits.count_ones() as usize;
        }
    }

    /// The numbers, the highest first.
    pub(crate) fn descending(&self) -> impl Iterator<Item = u16> {
        let words = self.bits.iter().enumerate().rev();
        words.flat_map(|(at, bits)| {
            let mut left = *bits;
            std::iter::from_fn(move || {
                let bit = left.checked_ilog2()?;
                left &= !(1 << bit);
                u16::try_from(at * 64 + bit as usize).ok()
            })
        })
    }

    /// The numbers, the lowest first.
    pub(crate) fn ascending(&self) -> impl Iterator<Item = u16> {
        let words = self.bits.iter().enumerate();
        words.flat_map(|(at, bits)| {
            let mut left = *bits;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                u16::try_from(at * 64 + bit as usize).ok()
            })
        })
    }

    /// The set as a text.
    pub(crate) fn encode(&self) -> String {
        let mut text = Vec::with_capacity(self.count.min(MAP_LENGTH));
        let mut next = 0;
        for number in self.ascending().map(usize::from) {
            let mut distance = number - next;
            next = number + 1;
            // Five bits at a time, the lowest first; the sixth says whether more follow.
            while distance >= 32 {
                text.push(symbol(32 | (distance & 31)));
                distance >>= 5;
            }
            text.push(symbol(distance));
            if text.len() >= MAP_LENGTH {
                return self.map();
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn map(&self) -> String {
        let mut text = Vec::with_capacity(MAP_LENGTH);
        text.push(MAP);
        for at in 0..MAP_LENGTH - 1 {
            let from = at * 6;
            let (word, shift) = (from / 64, from % 64);
            let mut six = self.bits[word] >> shift;
            if shift > 58 && word + 1 < self.bits.len() {
                six |= self.bits[word + 1] << (64 - shift);
            }
            text.push(symbol((six & 63) as usize));
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Adds the numbers of a text. `None` if [`Postings::encode`] has not made the text.
    pub(crate) fn join(&mut self, text: &str) -> Option<()> {
        let text = text.as_bytes();
        match text.first() {
            Some(&MAP) if text.len() == MAP_LENGTH => {
                for (at, six) in text[1..].iter().enumerate() {
                    let (from, six) = (at * 6, value(*six)? as u64);
                    let (word, shift) = (from / 64, from % 64);
                    self.bits[word] |= six << shift;
                    if shift > 58 {
                        let rest = six >> (64 - shift);
                        match self.bits.get_mut(word + 1) {
                            Some(next) => *next |= rest,
                            None if rest == 0 => {}
                            None => return None,
                        }
                    }
                }
                let ones = self.bits.iter().map(|bits| bits.count_ones() as usize);
                self.count = ones.sum();
            }
            _ => {
                let (mut next, mut distance, mut shift) = (0, 0, 0);
                for symbol in text {
                    let six = value(*symbol)?;
                    distance |= (six & 31) << shift;
                    if six >= 32 {
                        shift += 5;
                        if shift > 15 {
                            return None;
                        }
                        continue;
                    }
                    let number = u16::try_from(next + distance).ok()?;
                    self.add(number);
                    next = usize::from(number) + 1;
                    (distance, shift) = (0, 0);
                }
                if shift != 0 {
                    return None;
                }
            }
        }
        Some(())
    }
}

fn symbol(six: usize) -> u8 {
    let symbol = ZERO + six as u8;
    match symbol >= b'\\' {
        true => symbol + 1,
        false => symbol,
    }
}

fn value(symbol: u8) -> Option<usize> {
    let six = match symbol {
        b'\\' => return None,
        _ if symbol > b'\\' => symbol - 1,
        _ => symbol,
    };
    let six = usize::from(six.checked_sub(ZERO)?);
    (six < 64).then_some(six)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(numbers: &[u16]) -> String {
        let mut set = Postings::default();
        for number in numbers {
            set.add(*number);
        }
        let text = set.encode();
        let mut read = Postings::default();
        read.join(&text).unwrap();
        assert_eq!(read, set);
        let mut sorted = numbers.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.reverse();
        assert_eq!(read.descending().collect::<Vec<_>>(), sorted);
        text
    }

    #[test]
    fn sets_come_back_from_their_texts() {
        assert_eq!(round(&[]), "");
        assert_eq!(round(&[0, 1, 2]), "000");
        assert_eq!(round(&[5]), "5");
        round(&[65_535]);
        round(&[0, 65_535, 31, 32, 33, 1024, 1056, 32_768]);
        let all: Vec<u16> = (0..=65_535).collect();
        assert_eq!(round(&all).len(), MAP_LENGTH);
        for step in [2, 3, 5, 6, 7, 33, 1_000] {
            let some: Vec<u16> = (0..=65_535).step_by(step).collect();
            let text = round(&some);
            assert!(text.len() <= MAP_LENGTH && !text.contains('\\'));
        }
        // A cheap generator, with sets of all sizes.
        let mut seed = 7_u64;
        for size in [1, 10, 100, 1_000, 10_000, 30_000] {
            let some = (0..size).map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 48) as u16
            });
            round(&some.collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_no_set_is_refused() {
        let long = "0".repeat(70_000);
        for text in ["~", "\\", " ", "o", "oooo0", "ä", "\u{7f}", "oooo", &long] {
            assert_eq!(Postings::default().join(text), None, "{text}");
        }
    }

    #[test]
    fn sets_meet() {
        let (mut one, mut other) = (Postings::default(), Postings::default());
        (0..100).for_each(|number| assert!(one.add(number)));
        (50..200).for_each(|number| assert!(other.add(number)));
        one.meet(&other);
        assert_eq!(one.descending().count(), 50);
        assert!(one.has(50) && !one.has(49) && one.remove(50) && !one.remove(50));
        (51..100).for_each(|number| assert!(one.remove(number)));
        assert!(one.is_empty());
    }
}
