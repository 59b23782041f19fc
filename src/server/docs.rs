//! The page at `/docs`: Swagger UI, which shows the API's document and can try it out. Beside it are the pages of the
//! manual, at `/docs/TOPIC`.
//!
//! All of it is in the program, so that it works without internet access. The page and its start are written here and not
//! taken from the package: the page must not hold an inline script, must work at `/docs` as well as at `/docs/`, and also
//! where a proxy puts a prefix before both. So every reference is a relative one, `docs/…`. From `/docs/` it leads to
//! `/docs/docs/…`, where the same files are; and the start script finds the document by the page's address.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use utoipa_swagger_ui::Config;

use crate::manual::html;
use crate::manual::topics::{TOPICS, Topic, find};
use crate::operation::service::Page;

/// The files of Swagger UI that the page loads, with their types. What else the package has would only be more to serve.
const PACKAGE: [(&str, &str); 3] = [
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("favicon-32x32.png", "image/png"),
];

const HTML: &str = "text/html; charset=utf-8";

/// What a browser is to forbid: every script and style that is not a file of ours, all connections but those to this
/// server, and being shown within the page of another.
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

/// Asks no validator on the internet about the document, which Swagger UI does by default.
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

/// The file at a path, `None` where there is none. The path is what follows `/docs/`: `""` is the page, `"start.js"` one of
/// its files, and so is `"docs/start.js"`; `"backups"` is a page of the manual, and `"backups/api"` is what the page at
/// `/docs/backups/` links to as `api`.
pub fn file(path: &str) -> Option<Page> {
    let own = |bytes: Cow<'static, [u8]>, content_type| Page {
        bytes,
        content_type,
        gzip: false,
        headers: SAFE.to_vec(),
    };
    let text = |text: &'static str, content_type| own(text.as_bytes().into(), content_type);
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
            let (name, content_type) = PACKAGE.into_iter().find(|known| known.0 == name)?;
            // The configuration is for the package's own start script, which is not served.
            let found = utoipa_swagger_ui::serve(name, Arc::new(Config::from(""))).ok()??;
            Some(Page {
                bytes: found.bytes,
                content_type,
                gzip: found.gzpipped,
                headers: SAFE.to_vec(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn text(path: &str) -> String {
        let file = file(path).unwrap();
        let mut text = String::new();
        match file.gzip {
            true => GzDecoder::new(&*file.bytes)
                .read_to_string(&mut text)
                .unwrap(),
            false => (&*file.bytes).read_to_string(&mut text).unwrap(),
        };
        text
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
            // Asked for at /docs the reference is what follows the root, at /docs/ what follows /docs/.
            let name = reference.strip_prefix("docs/").unwrap();
            assert!(!name.contains(['/', ':']), "{reference}");
            assert!(!file(name).unwrap().bytes.is_empty(), "{reference}");
            assert_eq!(file(reference), file(name));
        }
    }

    #[test]
    fn nothing_is_inline_and_nothing_is_loaded_from_elsewhere() {
        let page = text("");
        let scripts = page.matches("<script").count();
        assert_eq!(page.matches("<script src=\"").count(), scripts);
        assert_eq!(page.matches("></script>").count(), scripts);
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" on"));
        assert!(!page.contains("://") && !text("start.js").contains("://"));
        // What a style sheet loads; `data:` is inside of it.
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
    fn types_are_those_a_browser_insists_on() {
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
                // To the page itself, to another site, to the page of the API.
                if target.is_empty() || target.contains("://") || target == "../docs" {
                    continue;
                }
                assert!(file(target).is_some(), "{}: {reference}", topic.name);
                // Where the page was asked for with a slash at its end.
                let deeper = format!("{}/{target}", topic.name);
                assert_eq!(file(&deeper), file(target), "{deeper}");
            }
        }
    }

    #[test]
    fn other_paths_are_no_files() {
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
