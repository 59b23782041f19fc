//! The page at `/docs`: Swagger UI, which shows the OpenAPI document and can send requests. The pages of the manual are at
//! `/docs/TOPIC`.
//!
//! All files are part of the program, so the pages work without internet access. The page and its start script are written
//! here instead of taken from the package, for three reasons: the page must not contain an inline script, it must work at
//! `/docs` and at `/docs/`, and it must work behind a proxy that adds a prefix to both. So every link is relative, `docs/…`.
//! From `/docs/` such a link leads to `/docs/docs/…`, where the same files are served. The start script finds the document
//! from the address of the page.

use std::sync::LazyLock;

use bytes::Bytes;

use super::swagger;

use crate::manual::html;
use crate::manual::topics::{TOPICS, Topic, find};
use crate::operation::service::DocsFile;

const HTML: &str = "text/html; charset=utf-8";

/// Security headers of the pages. The browser refuses scripts and styles that are not files of this server, connections to
/// other servers, and showing a page in a frame of another page.
pub const SAFE: [(&str, &str); 4] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
];

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>crm: the API</title>
    <link rel="stylesheet" href="docs/swagger-ui.css">
    <link rel="icon" type="image/png" sizes="32x32" href="docs/favicon-32x32.png">
  </head>
  <body>
    <nav>Manual: TOPICS</nav>
    <div id="swagger-ui"></div>
    <noscript>This page needs JavaScript. The document it shows is at openapi.json; the manual needs none.</noscript>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
"#;

/// The start script. `validatorUrl: null` matters: by default Swagger UI sends the document to a validator on the internet.
const START_SCRIPT: &str = r##""use strict";
window.ui = SwaggerUIBundle({
  url: location.pathname.replace(/\/docs\/*$/, "/openapi.json"),
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
});
"##;

/// The page with a link to each topic of the manual.
static INDEX: LazyLock<String> = LazyLock::new(|| {
    let link = |topic: &Topic| format!("<a href=\"docs/{0}\">{0}</a>", topic.name);
    let links: Vec<String> = TOPICS.iter().map(link).collect();
    PAGE.replace("TOPICS", &links.join("\n      "))
});

/// The file at a path, or `None` if there is none. `gzip` says whether the client asks for that coding. The path is what follows `/docs/`. `""` is the page; `"start.js"` and
/// `"docs/start.js"` are the same file. `"backups"` is a page of the manual, and `"backups/api"` is the target of a link to
/// `api` on the page `/docs/backups/`.
pub fn file(path: &str, gzip: bool) -> Option<DocsFile> {
    let own = |bytes: Bytes, content_type| DocsFile {
        bytes,
        content_type,
        headers: SAFE.to_vec(),
    };
    let text =
        |text: &'static str, content_type| own(Bytes::from_static(text.as_bytes()), content_type);
    let name = path.strip_prefix("docs/").unwrap_or(path);
    let name = match name.split_once('/') {
        Some((topic, rest)) if find(topic).is_some() => rest,
        _ => name,
    };
    match name {
        "" if path.is_empty() => Some(text(&INDEX, HTML)),
        "start.js" => Some(text(START_SCRIPT, "text/javascript; charset=utf-8")),
        "manual.css" => Some(text(html::STYLE, "text/css; charset=utf-8")),
        name => {
            if let Some(topic) = find(name) {
                let page = html::render(topic).into_bytes();
                return Some(own(page.into(), HTML));
            }
            let found = swagger::file(name)?;
            let mut given = own(found.plain().clone(), found.content_type);
            if let Some(compressed) = found.compressed() {
                given.headers.push(("vary", "accept-encoding"));
                if gzip {
                    given.bytes = compressed.clone();
                    given.headers.push(("content-encoding", "gzip"));
                }
            }
            Some(given)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn file(path: &str) -> Option<DocsFile> {
        super::file(path, false)
    }

    fn text(path: &str) -> String {
        String::from_utf8(file(path).unwrap().bytes.into()).unwrap()
    }

    #[test]
    fn files_are_compressed_for_those_who_ask() {
        for (path, is_compressed) in [
            ("swagger-ui-bundle.js", true),
            ("swagger-ui.css", true),
            ("favicon-32x32.png", false),
            ("start.js", false),
            ("backups", false),
        ] {
            let [plain, asked] = [false, true].map(|gzip| super::file(path, gzip).unwrap());
            let coding = ("content-encoding", "gzip");
            assert!(!plain.headers.contains(&coding), "{path}");
            assert_eq!(asked.headers.contains(&coding), is_compressed, "{path}");
            let mut bytes = asked.bytes.to_vec();
            if is_compressed {
                bytes.clear();
                let mut decoder = GzDecoder::new(&*asked.bytes);
                decoder.read_to_end(&mut bytes).unwrap();
            }
            assert!(plain.bytes == bytes, "{path}");
            for file in [plain, asked] {
                let varies = file.headers.contains(&("vary", "accept-encoding"));
                assert_eq!(varies, is_compressed, "{path}");
            }
        }
    }

    /// The values of an attribute in the page.
    fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
        let start = format!(" {attribute}=\"");
        let parts = page.split(start.as_str()).skip(1);
        parts.map(|part| part.split('"').next().unwrap()).collect()
    }

    #[test]
    fn the_page_loads_only_files_that_are_served() {
        let page = text("");
        let loaded = [values(&page, "src"), values(&page, "href")].concat();
        assert_eq!(loaded.len(), 4 + TOPICS.len(), "{page}");
        for reference in loaded {
            // On the page at /docs a link is relative to the root, on the page at /docs/ it is relative to /docs/.
            let name = reference.strip_prefix("docs/").unwrap();
            assert!(!name.contains(['/', ':']), "{reference}");
            assert!(!file(name).unwrap().bytes.is_empty(), "{reference}");
            assert_eq!(file(reference), file(name));
        }
    }

    #[test]
    fn nothing_is_inline_or_loaded_from_other_servers() {
        let page = text("");
        let scripts = page.matches("<script").count();
        assert_eq!(page.matches("<script src=\"").count(), scripts);
        assert_eq!(page.matches("></script>").count(), scripts);
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" on"));
        assert!(!page.contains("://") && !text("start.js").contains("://"));
        // A style sheet may load `data:` URLs, because they are part of it.
        let css = text("swagger-ui.css");
        assert!(!css.contains("@import"));
        for url in css.split("url(").skip(1) {
            let url: String = url.chars().take(60).collect();
            assert!(
                url.trim_start_matches(['"', '\'']).starts_with("data:"),
                "{url}"
            );
        }
        assert!(text("start.js").contains("validatorUrl: null"));
    }

    #[test]
    fn types_are_those_that_browsers_require() {
        for (path, content_type) in [
            ("", "text/html; charset=utf-8"),
            ("start.js", "text/javascript; charset=utf-8"),
            ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
            ("swagger-ui.css", "text/css; charset=utf-8"),
            ("manual.css", "text/css; charset=utf-8"),
            ("backups", "text/html; charset=utf-8"),
            ("favicon-32x32.png", "image/png"),
        ] {
            assert_eq!(file(path).unwrap().content_type, content_type);
        }
    }

    #[test]
    fn pages_of_the_manual_link_what_is_served() {
        for topic in TOPICS {
            let page = text(topic.name);
            for reference in values(&page, "href") {
                let target = reference.split('#').next().unwrap();
                // Links to the page itself, to another site, and to the page of the API.
                if target.is_empty() || target.contains("://") || target == "../docs" {
                    continue;
                }
                assert!(file(target).is_some(), "{}: {reference}", topic.name);
                // The same link on the page with a trailing slash.
                let deeper = format!("{}/{target}", topic.name);
                assert_eq!(file(&deeper), file(target), "{deeper}");
            }
        }
    }

    #[test]
    fn other_paths_have_no_file() {
        for path in [
            "/",
            "/start.js",
            "docs",
            "docs/",
            "docs/docs/start.js",
            "nope",
            "backups/",
            "backups/nope",
            "../start.js",
            "swagger-initializer.js",
        ] {
            assert_eq!(file(path), None, "{path}");
        }
    }
}
