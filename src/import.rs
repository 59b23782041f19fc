//! Files of other programs: what is in them, and what becomes of each row.
//!
//! A file is CSV, JSON or vCard, in any encoding, of any program. [`source`] opens it and looks at its bytes, [`format`](mod@format) says
//! what it is, and [`rows`] reads it row by row: the memory does not grow with the file. [`mapping`] says which column
//! becomes which field, [`known`] knows the columns of other programs, and [`draft`] makes a record of a row or says why not.
//! [`rejects`] writes the rows that were refused, in the format of the file, so that they can be mended and imported.
//!
//! Nothing here knows a store. Nothing of a row is left out without a word: a column becomes a field, an attribute, a part of
//! the name, or is named as left out; a row becomes a record, or is refused with a reason.
//!
//! | file | what it holds |
//! |---|---|
//! | [`source`], [`encoding`], [`decode`] | the bytes of a file, its encoding, the text |
//! | [`format`](mod@format) | what kind of file it is |
//! | [`row`] | a row, its cells, and the columns of a file |
//! | [`rows`], [`csv`](mod@csv), [`json`], [`vcard`] | the readers |
//! | [`known`], [`names`], [`mapping`] | programs and their columns, and what becomes of a column |
//! | [`draft`], [`people`] | the record of a row |
//! | [`opened`] | a file with all that was found about it |
//! | [`seen`] | rows of one file about the same record |
//! | [`guard`] | cells that a spreadsheet would run |
//! | [`rejects`] | the file of refused rows |

pub mod csv;
pub mod decode;
pub mod draft;
pub mod encoding;
pub mod format;
pub mod guard;
pub mod json;
pub mod known;
pub mod mapping;
pub mod names;
pub mod opened;
pub mod people;
pub mod rejects;
pub mod row;
pub mod rows;
pub mod seen;
pub mod source;
pub mod vcard;

#[cfg(test)]
mod tests;
