//! The files of Swagger UI, out of the archive that its package ships.
//!
//! The archive holds them compressed, and a browser takes them so: the compressed bytes get the frame of gzip. They are only
//! unpacked for a client that does not accept gzip, and then once, because such clients must not cost memory for each
//! request.

use std::io::{Cursor, Read};
use std::sync::{LazyLock, OnceLock};

use bytes::Bytes;
use flate2::read::GzDecoder;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::{CompressionMethod, ZipArchive};

/// The files that the page loads, with their types. The rest of the package would only be more to serve.
const FILES: [(&str, &str); 3] = [
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("favicon-32x32.png", "image/png"),
];

/// A file of Swagger UI.
pub(super) struct SwaggerFile {
    name: &'static str,
    pub(super) content_type: &'static str,
    bytes: Bytes,
    /// Whether the bytes are compressed with gzip.
    is_compressed: bool,
    unpacked: OnceLock<Bytes>,
}

impl SwaggerFile {
    /// Its bytes compressed with gzip. `None` for a file that is not compressed.
    pub(super) fn compressed(&self) -> Option<&Bytes> {
        self.is_compressed.then_some(&self.bytes)
    }

    /// Its bytes as they are.
    pub(super) fn plain(&self) -> &Bytes {
        if !self.is_compressed {
            return &self.bytes;
        }
        self.unpacked.get_or_init(|| {
            let mut plain = Vec::new();
            // The bytes are part of the program, so this does not fail.
            let read = GzDecoder::new(&*self.bytes).read_to_end(&mut plain);
            read.map(|_| plain.into()).unwrap_or_default()
        })
    }
}

static FOUND: LazyLock<Vec<SwaggerFile>> = LazyLock::new(|| {
    let Ok(mut archive) = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED)) else {
        return Vec::new();
    };
    FILES
        .iter()
        .filter_map(|(name, content_type)| unpack(&mut archive, name, content_type))
        .collect()
});

/// The file with this name, or `None` if the page loads no such file.
pub(super) fn file(name: &str) -> Option<&'static SwaggerFile> {
    FOUND.iter().find(|file| file.name == name)
}

fn unpack(
    archive: &mut ZipArchive<Cursor<&'static [u8]>>,
    name: &'static str,
    content_type: &'static str,
) -> Option<SwaggerFile> {
    // Everything is in a folder that is named by the version.
    let end = format!("/dist/{name}");
    let at = archive
        .file_names()
        .position(|path| path.is_ok_and(|path| path.ends_with(&end)))?;
    let mut entry = archive.by_index_raw(at).ok()?;
    let is_compressed = entry.compression() != CompressionMethod::Stored;
    let (crc, size) = (entry.crc32(), entry.size());
    let mut bytes = Vec::new();
    if is_compressed {
        // The frame of RFC 1952: no name, no time, an unknown system.
        bytes.extend([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    }
    entry.read_to_end(&mut bytes).ok()?;
    if is_compressed {
        bytes.extend(crc.to_le_bytes());
        bytes.extend(u32::try_from(size).ok()?.to_le_bytes());
    }
    Some(SwaggerFile {
        name,
        content_type,
        bytes: bytes.into(),
        is_compressed,
        unpacked: OnceLock::new(),
    })
}
