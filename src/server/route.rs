//! The routes: which path and method lead to which operation. They are made from the list of operations.
//!
//! The filters of warp are not used for this: they show neither which methods a path has, which a 405 needs for
//! `Allow`, nor whether a path exists, which the metrics need.

use std::sync::LazyLock;

use warp::http::Method;

use crate::model::noun::Noun;
use crate::operation::about::Access;
use crate::ops::{Op, routes};

/// A path of the service, with its operations.
pub(super) struct Path {
    /// Its place among all paths, which the metrics use.
    pub(super) number: usize,
    /// Its name in metrics: `/leads/{id}`.
    pub(super) template: String,
    segments: Vec<Segment>,
    acts: Vec<Act>,
}

/// A part of a path.
enum Segment {
    /// This text.
    Text(String),
    /// Any text that is not empty.
    Any,
    /// The rest of the path, which may be empty.
    Rest,
}

/// The operation of a method at a path.
#[derive(Clone, Copy)]
pub(super) struct Act {
    method: &'static str,
    /// The id of the operation in the OpenAPI document.
    pub(super) id: &'static str,
    pub(super) op: Op,
    pub(super) noun: Option<&'static Noun>,
}

/// A path that was found, with the text of its parameter.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) path: &'static Path,
    pub(super) key: &'a str,
}

static PATHS: LazyLock<Vec<Path>> = LazyLock::new(|| {
    let mut paths: Vec<Path> = Vec::new();
    for route in routes() {
        let act = Act {
            method: route.method,
            id: route.id.leak(),
            op: route.op,
            noun: route.noun,
        };
        let known = |path: &&mut Path| path.template == template(&route.path);
        match paths.iter_mut().find(known) {
            Some(path) => path.acts.push(act),
            None => {
                // A path that one with a parameter would match, too, is tried before it.
                let matches = |known: &Path| known.matches(&route.path[1..]).is_some();
                let at = paths.iter().position(matches).unwrap_or(paths.len());
                paths.insert(at, Path::new(&route.path, act));
            }
        }
    }
    for (number, path) in paths.iter_mut().enumerate() {
        path.number = number;
    }
    paths
});

/// The template for metrics. It leaves out the rest of a path.
fn template(path: &str) -> &str {
    path.strip_suffix("/{rest}").unwrap_or(path)
}

/// The templates of all paths, in the order of their numbers.
pub(super) fn templates() -> Vec<String> {
    PATHS.iter().map(|path| path.template.clone()).collect()
}

impl Path {
    fn new(path: &str, act: Act) -> Path {
        let segments = path[1..].split('/').map(|segment| match segment {
            "{rest}" => Segment::Rest,
            segment if segment.starts_with('{') => Segment::Any,
            segment => Segment::Text(segment.into()),
        });
        Path {
            number: 0,
            template: template(path).into(),
            segments: segments.collect(),
            acts: vec![act],
        }
    }

    /// The text of the parameter, if this path matches. It is empty if the path has no parameter.
    fn matches<'a>(&self, path: &'a str) -> Option<&'a str> {
        let mut key = "";
        let mut left = Some(path);
        for segment in &self.segments {
            match segment {
                Segment::Rest => return Some(left.unwrap_or_default()),
                Segment::Text(text) => {
                    let rest = left?.strip_prefix(text.as_str())?;
                    left = following(rest)?;
                }
                Segment::Any => {
                    let given = left?;
                    let end = given.find('/').unwrap_or(given.len());
                    let (found, rest) = given.split_at(end);
                    if found.is_empty() {
                        return None;
                    }
                    key = found;
                    left = following(rest)?;
                }
            }
        }
        left.is_none().then_some(key)
    }

    /// Whether this path is meant, and nothing stands where its secret should. It is answered as every wrong secret is.
    fn lacks_secret(&self, path: &str) -> bool {
        let is_secret = |act: &Act| matches!(act.op.about().access, Access::InPath(_));
        let begin = self.template[1..].split_once("/{");
        self.acts.iter().any(is_secret) && begin.is_some_and(|(begin, _)| begin == path)
    }

    /// The operation of a method. HEAD is the same as GET, because hyper leaves out the body.
    pub(super) fn act(&self, method: &Method) -> Option<Act> {
        let name = match method {
            &Method::HEAD => "GET",
            method => method.as_str(),
        };
        self.acts.iter().find(|act| act.method == name).copied()
    }

    /// The methods of the path, for `Allow`.
    pub(super) fn allowed(&self) -> String {
        let names = self.acts.iter().map(|act| match act.method {
            "GET" => "GET, HEAD",
            method => method,
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// Whether rate limits do not apply here.
    pub(super) fn is_unlimited(&self) -> bool {
        self.acts.iter().all(|act| !act.op.about().needs.limited())
    }
}

/// What follows a segment: nothing, or a slash and the next segment.
fn following(rest: &str) -> Option<Option<&str>> {
    match rest.is_empty() {
        true => Some(None),
        false => rest.strip_prefix('/').map(Some),
    }
}

/// Finds a path. A trailing slash makes no difference.
pub(super) fn find(path: &str) -> Option<Found<'_>> {
    let path = path.strip_prefix('/')?;
    let path = match path.strip_suffix('/') {
        Some(rest) if !rest.is_empty() => rest,
        _ => path,
    };
    let found = PATHS.iter().find_map(|known| {
        let key = known.matches(path)?;
        Some(Found { path: known, key })
    });
    found.or_else(|| {
        let known = PATHS.iter().find(|known| known.lacks_secret(path))?;
        Some(Found {
            path: known,
            key: "",
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_and_counts_by_its_own_template() {
        for (at, template) in templates().iter().enumerate() {
            let path = template.replace("{id}", "1");
            let found = find(&path).unwrap();
            assert_eq!(found.path.number, at, "{template}");
        }
        for route in routes() {
            let path = route.path.replace("{id}", "1");
            let found = find(&path).unwrap();
            let act = found.path.act(&route.method.parse().unwrap()).unwrap();
            assert_eq!(act.op, route.op, "{route:?}");
        }
    }

    #[test]
    fn unknown_paths_are_not_found() {
        for path in [
            "leads",
            "//",
            "/leads//",
            "/leads/1/2",
            "/lead",
            "/leadsx",
            "/tokens/a/b",
            "",
        ] {
            assert!(find(path).is_none(), "{path}");
        }
        for (path, key) in [
            ("/leads/", ""),
            ("/leads/7/", "7"),
            ("/docs", ""),
            ("/docs/a/b", "a/b"),
            ("/", ""),
            ("/calendar", ""),
            ("/calendar/", ""),
            ("/calendar/x", "x"),
        ] {
            assert_eq!(find(path).unwrap().key, key, "{path}");
        }
    }
}
