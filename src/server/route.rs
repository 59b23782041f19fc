//! Which path leads to which operations: the list of operations as the router, the gate and the metrics read it.
//!
//! warp's own filters would tell neither what `Allow` says beside a 405 nor what a 404 may call itself.

use std::sync::LazyLock;

use warp::http::Method;

use crate::model::record::Noun;
use crate::ops::{Op, routes};

/// A path of the service, with what can be done there.
pub(super) struct Path {
    /// Its place among all paths, by which metrics count it.
    pub(super) number: usize,
    /// As metrics name it: `/leads/{id}`.
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
    /// All that follows, also nothing.
    Rest,
}

/// What a method does at a path.
#[derive(Clone, Copy)]
pub(super) struct Act {
    method: &'static str,
    pub(super) op: Op,
    pub(super) noun: Option<&'static Noun>,
}

/// A path that was found, with the text in the place of its parameter.
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
            op: route.op,
            noun: route.noun,
        };
        let known = |path: &&mut Path| path.template == template(&route.path);
        match paths.iter_mut().find(known) {
            Some(path) => path.acts.push(act),
            None => {
                let number = paths.len();
                paths.push(Path::new(number, &route.path, act));
            }
        }
    }
    paths
});

/// What follows a path is not told by metrics.
fn template(path: &str) -> &str {
    path.strip_suffix("/{rest}").unwrap_or(path)
}

/// The templates of all paths, in the order of their numbers.
pub(super) fn templates() -> Vec<String> {
    PATHS.iter().map(|path| path.template.clone()).collect()
}

impl Path {
    fn new(number: usize, path: &str, act: Act) -> Path {
        let segments = path[1..].split('/').map(|segment| match segment {
            "{rest}" => Segment::Rest,
            segment if segment.starts_with('{') => Segment::Any,
            segment => Segment::Text(segment.into()),
        });
        Path {
            number,
            template: template(path).into(),
            segments: segments.collect(),
            acts: vec![act],
        }
    }

    /// The text in the place of the parameter, if this is the path. Empty where it has none.
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

    /// What a method does there; HEAD is a GET whose body hyper leaves out.
    pub(super) fn act(&self, method: &Method) -> Option<Act> {
        let name = match method {
            &Method::HEAD => "GET",
            method => method.as_str(),
        };
        self.acts.iter().find(|act| act.method == name).copied()
    }

    /// The methods that are there.
    pub(super) fn allowed(&self) -> String {
        let names = self.acts.iter().map(|act| match act.method {
            "GET" => "GET, HEAD",
            method => method,
        });
        names.collect::<Vec<_>>().join(", ")
    }

    /// Whether nobody who asks there is told to come back later.
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

/// Finds a path. A slash at its end changes nothing.
pub(super) fn find(path: &str) -> Option<Found<'_>> {
    let path = path.strip_prefix('/')?;
    let path = match path.strip_suffix('/') {
        Some(rest) if !rest.is_empty() => rest,
        _ => path,
    };
    PATHS.iter().find_map(|known| {
        let key = known.matches(path)?;
        Some(Found { path: known, key })
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
    fn what_is_no_path_is_not_found() {
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
        ] {
            assert_eq!(find(path).unwrap().key, key, "{path}");
        }
    }
}
