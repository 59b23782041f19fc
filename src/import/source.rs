//! The file that is imported: its bytes, read as often as needed, and what they tell at a look.
//!
//! One look through the whole file finds the encoding for sure, because the first letter that is not ASCII may be its last. The
//! same look makes the digest by which a later run knows the file. Standard input and pipes are copied into a temporary
//! file first, which has no name and goes with the process.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use encoding_rs::{DecoderResult, Encoding, UTF_8, WINDOWS_1252};
use sha2::{Digest as _, Sha256};

use super::decode::{Decoding, Position};
use super::encoding;
use crate::base::error::{Error, Result};

/// How many bytes of text are looked at to find the format.
const HEAD: usize = 64 * 1024;

/// A file that can be read several times.
pub struct Source {
    /// How it is named to the user.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes.
    pub digest: [u8; 32],
    /// Its encoding.
    pub encoding: &'static Encoding,
    /// Whether it begins with a byte order mark.
    pub has_mark: bool,
    /// The beginning of its text.
    pub head: String,
    file: File,
    mark: u64,
}

impl Source {
    /// Opens a file, `-` for standard input, and looks through it. An encoding that is given must fit.
    pub fn open(path: &Path, given: Option<&'static Encoding>) -> Result<Source> {
        let (name, file) = match path.as_os_str() == "-" {
            true => ("standard input".to_string(), copied(io::stdin().lock())),
            false => (path.display().to_string(), opened(path)),
        };
        let failed = |error: io::Error| Error::failed(format!("{name}: {error}"));
        Source::look(file.map_err(failed)?, name, given)
    }

    fn look(mut file: File, name: String, given: Option<&'static Encoding>) -> Result<Source> {
        let failed = |error: io::Error| Error::failed(format!("{name}: {error}"));
        let mut head = Vec::new();
        file.by_ref()
            .take(4096)
            .read_to_end(&mut head)
            .map_err(failed)?;
        let marked = encoding::of_mark(&head);
        let mark = marked.map_or(0, |marked| marked.1 as u64);
        let found = given
            .or(marked.map(|marked| marked.0))
            .or_else(|| encoding::looks_like_utf16(&head));
        let seen = seen(&mut file, mark, found.unwrap_or(UTF_8)).map_err(failed)?;
        let encoding = match (found, seen.wrong) {
            (Some(encoding), None) => encoding,
            (None, None) => UTF_8,
            // Every byte is a letter of it, so this is what is left.
            (None, Some(_)) => WINDOWS_1252,
            (Some(encoding), Some(at)) => {
                let how = match given {
                    Some(_) => "",
                    None => "; --encoding names the real one",
                };
                return Err(Error::invalid(format!(
                    "{name}: byte {at} is not {}{how}",
                    encoding::name(encoding)
                )));
            }
        };
        let mut source = Source {
            name,
            size: seen.size,
            digest: seen.digest,
            encoding,
            has_mark: mark > 0,
            head: String::new(),
            file,
            mark,
        };
        let mut text = Vec::new();
        source
            .text(Position::default())?
            .take(HEAD as u64)
            .read_to_end(&mut text)
            .map_err(|error| Error::failed(format!("{}: {error}", source.name)))?;
        // The end may be in the middle of a letter.
        source.head = match String::from_utf8(text) {
            Ok(text) => text,
            Err(error) => {
                let end = error.utf8_error().valid_up_to();
                let mut text = error.into_bytes();
                text.truncate(end);
                String::from_utf8(text).unwrap_or_default()
            }
        };
        Ok(source)
    }

    /// The text from its beginning, in UTF-8. `position` is told how many bytes of the file have been read.
    pub fn text(&self, position: Position) -> Result<impl Read + use<>> {
        let bytes = self.bytes()?;
        position.set(self.mark);
        Ok(Decoding::new(bytes, self.encoding, position))
    }

    /// The bytes after the byte order mark.
    fn bytes(&self) -> Result<BufReader<File>> {
        let failed = |error: io::Error| Error::failed(format!("{}: {error}", self.name));
        let mut file = self.file.try_clone().map_err(failed)?;
        file.seek(SeekFrom::Start(self.mark)).map_err(failed)?;
        Ok(BufReader::with_capacity(64 * 1024, file))
    }
}

/// Opens a file. What cannot be read twice is copied.
fn opened(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::Error::other("expected a file, got a folder"));
    }
    match kind.is_file() {
        true => Ok(file),
        false => copied(file),
    }
}

fn copied(mut bytes: impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut bytes, &mut file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// What a look through all bytes has found.
struct Seen {
    size: u64,
    digest: [u8; 32],
    /// The place of the first byte that does not fit the encoding.
    wrong: Option<u64>,
}

fn seen(file: &mut File, mark: u64, encoding: &'static Encoding) -> io::Result<Seen> {
    file.seek(SeekFrom::Start(0))?;
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut bytes = vec![0; 64 * 1024];
    let mut text = vec![
        0;
        decoder
            .max_utf8_buffer_length_without_replacement(bytes.len())
            .unwrap_or(256 * 1024)
    ];
    let (mut digest, mut size, mut wrong) = (Sha256::new(), 0, None);
    loop {
        let read = file.read(&mut bytes)?;
        digest.update(&bytes[..read]);
        if wrong.is_none() {
            let skipped = if size == 0 {
                (mark as usize).min(read)
            } else {
                0
            };
            let mut rest = &bytes[skipped..read];
            loop {
                let (result, used, _) =
                    decoder.decode_to_utf8_without_replacement(rest, &mut text, read == 0);
                rest = &rest[used..];
                match result {
                    DecoderResult::InputEmpty => break,
                    DecoderResult::OutputFull => {}
                    DecoderResult::Malformed(..) => {
                        wrong = Some(size + (read - rest.len()) as u64);
                        break;
                    }
                }
            }
        }
        size += read as u64;
        if read == 0 {
            break;
        }
    }
    Ok(Seen {
        size,
        digest: digest.finalize().into(),
        wrong,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use encoding_rs::{UTF_16BE, UTF_16LE};

    use super::*;

    fn source(bytes: &[u8], given: Option<&'static Encoding>) -> Result<Source> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        Source::look(file, "a.csv".into(), given)
    }

    fn text(source: &Source) -> String {
        let mut text = String::new();
        let position = Position::default();
        source
            .text(position.clone())
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(position.get(), source.size);
        text
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn the_encoding_is_found_by_looking() {
        let told = "name;email\nJürgen Groß;j@example.com\n";
        let mark = "\u{feff}".to_string() + told;
        let windows: Vec<u8> = WINDOWS_1252.encode(told).0.into_owned();
        for (bytes, encoding, has_mark) in [
            (told.as_bytes().to_vec(), UTF_8, false),
            (mark.as_bytes().to_vec(), UTF_8, true),
            (utf16(&mark, u16::to_le_bytes), UTF_16LE, true),
            (utf16(&mark, u16::to_be_bytes), UTF_16BE, true),
            (utf16(told, u16::to_le_bytes), UTF_16LE, false),
            (windows, WINDOWS_1252, false),
        ] {
            let source = source(&bytes, None).unwrap();
            assert_eq!((source.encoding, source.has_mark), (encoding, has_mark));
            assert_eq!(text(&source), told, "{}", encoding.name());
            assert_eq!(source.head, told);
            // It can be read again.
            assert_eq!(text(&source), told);
        }
    }

    #[test]
    fn the_last_letter_decides() {
        let mut bytes = "a,b\n".repeat(100_000).into_bytes();
        bytes.extend(b"M\xfcller,b\n");
        let source = source(&bytes, None).unwrap();
        assert_eq!(source.encoding, WINDOWS_1252);
        assert!(text(&source).ends_with("Müller,b\n"));
    }

    #[test]
    fn a_letter_on_the_border_of_two_reads_is_whole() {
        let long = format!("{}{}", "x".repeat(64 * 1024 - 1), "ü".repeat(70_000));
        for bytes in [long.clone().into_bytes(), utf16(&long, u16::to_le_bytes)] {
            assert_eq!(text(&source(&bytes, None).unwrap()), long);
        }
    }

    #[test]
    fn an_encoding_that_is_given_must_fit() {
        let told = source(b"a\xfcb", Some(UTF_8)).err().unwrap().message;
        assert!(
            told.starts_with("a.csv: byte ") && told.contains("is not UTF-8"),
            "{told}"
        );
        let read = source(b"a\xfcb", Some(WINDOWS_1252)).unwrap();
        assert_eq!(text(&read), "aüb");
    }
}
