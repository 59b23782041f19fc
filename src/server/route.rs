//! Which paths there are, what each method does there, and who may ask for it: one table for the service, its gate, its
//! metrics, its document and its tests.
//!
//! warp's own filters would tell neither what `Allow` says beside a 405 nor what a 404 may call itself.

use warp::http::Method;

use super::gate::Access;
use crate::model::nouns::NOUNS;
use crate::model::record::Noun;
use crate::model::token::Scope;

/// What a path leads to.
pub(super) enum Place<'a> {
    /// `/leads`
    All(&'static Noun),
    /// `/leads/1`
    One(&'static Noun, &'a str),
    /// `/tokens`
    Tokens,
    /// `/tokens/name`
    Token(&'a str),
    /// `/health`
    Health,
    /// `/ready`
    Ready,
    /// `/metrics`
    Metrics,
    /// `/openapi.json`
    OpenApi,
    /// `/docs` and its files: what follows the slash after it.
    Docs(&'a str),
}

impl<'a> Place<'a> {
    pub(super) fn find(path: &'a str) -> Option<Place<'a>> {
        let path = path.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let (first, rest) = match path.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let noun = NOUNS.into_iter().find(|noun| noun.plural == first);
        match (noun, first, rest) {
            (Some(noun), _, None) => Some(Place::All(noun)),
            (Some(noun), _, Some(id)) if !id.is_empty() && !id.contains('/') => {
                Some(Place::One(noun, id))
            }
            (None, "tokens", None) => Some(Place::Tokens),
            (None, "tokens", Some(name)) if !name.is_empty() && !name.contains('/') => {
                Some(Place::Token(name))
            }
            (None, "health", None) => Some(Place::Health),
            (None, "ready", None) => Some(Place::Ready),
            (None, "metrics", None) => Some(Place::Metrics),
            (None, "openapi.json", None) => Some(Place::OpenApi),
            (None, "docs", rest) => Some(Place::Docs(rest.unwrap_or_default())),
            _ => None,
        }
    }

    /// What can be done there.
    fn acts(&self) -> &'static [Act] {
        match self {
            Place::All(_) => ALL,
            Place::One(..) => ONE,
            Place::Tokens => TOKENS,
            Place::Token(_) => TOKEN,
            Place::Health => HEALTH,
            Place::Ready => READY,
            Place::Metrics => METRICS,
            Place::OpenApi => OPEN_API,
            Place::Docs(_) => DOCS,
        }
    }

    /// Where its template stands among those of [`table`]: what metrics count it by.
    pub(super) fn number(&self) -> usize {
        const SERVICE: usize = 2 * NOUNS.len();
        let of = |noun: &'static Noun| {
            let at = NOUNS.iter().position(|known| std::ptr::eq(*known, noun));
            2 * at.unwrap_or_default()
        };
        match self {
            Place::All(noun) => of(noun),
            Place::One(noun, _) => of(noun) + 1,
            Place::Tokens => SERVICE,
            Place::Token(_) => SERVICE + 1,
            Place::Health => SERVICE + 2,
            Place::Ready => SERVICE + 3,
            Place::Metrics => SERVICE + 4,
            Place::OpenApi => SERVICE + 5,
            Place::Docs(_) => SERVICE + 6,
        }
    }

    /// What a method does there; HEAD is a GET whose body hyper leaves out.
    pub(super) fn act(&self, method: &Method) -> Option<&'static Act> {
        let name = match method {
            &Method::HEAD => "GET",
            method => method.as_str(),
        };
        self.acts().iter().find(|act| act.method == name)
    }

    /// The methods that are there.
    pub(super) fn allowed(&self) -> String {
        let names = self.acts().iter().map(|act| match act.method {
            "GET" => "GET, HEAD",
            method => method,
        });
        names.collect::<Vec<_>>().join(", ")
    }
}

/// What a method does at a place, and who may ask for it.
pub(super) struct Act {
    method: &'static str,
    pub(super) access: Access,
    pub(super) does: Does,
}

impl Act {
    const fn new(method: &'static str, access: Access, does: Does) -> Act {
        Act {
            method,
            access,
            does,
        }
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    List,
    Create,
    Get,
    Update,
    Delete,
    Tokens,
    CreateToken,
    RevokeToken,
    Health,
    Ready,
    Metrics,
    OpenApi,
    Docs,
}

pub(super) const READ: Access = Access::Token(Scope::Read);
const WRITE: Access = Access::Token(Scope::Write);
const ADMIN: Access = Access::Token(Scope::Admin);
const ALL: &[Act] = &[
    Act::new("GET", READ, Does::List),
    Act::new("POST", WRITE, Does::Create),
];
const ONE: &[Act] = &[
    Act::new("GET", READ, Does::Get),
    Act::new("PUT", WRITE, Does::Update),
    Act::new("PATCH", WRITE, Does::Update),
    Act::new("DELETE", WRITE, Does::Delete),
];
const TOKENS: &[Act] = &[
    Act::new("GET", ADMIN, Does::Tokens),
    Act::new("POST", ADMIN, Does::CreateToken),
];
const TOKEN: &[Act] = &[Act::new("DELETE", ADMIN, Does::RevokeToken)];
const HEALTH: &[Act] = &[Act::new("GET", Access::Public, Does::Health)];
const READY: &[Act] = &[Act::new("GET", Access::Public, Does::Ready)];
const METRICS: &[Act] = &[Act::new("GET", READ, Does::Metrics)];
const OPEN_API: &[Act] = &[Act::new("GET", Access::Public, Does::OpenApi)];
const DOCS: &[Act] = &[Act::new("GET", Access::Public, Does::Docs)];

/// One route: what a method does at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET`; where it is, HEAD is too.
    pub method: &'static str,
    /// `/leads/{id}`, as the OpenAPI document writes it.
    pub path: String,
    /// Who may ask for it.
    pub access: Access,
}

/// Every route there is.
pub fn table() -> Vec<Route> {
    let nouns = NOUNS.into_iter().flat_map(|noun| {
        let all = (format!("/{}", noun.plural), ALL);
        [all, (format!("/{}/{{id}}", noun.plural), ONE)]
    });
    let service = [
        ("/tokens", TOKENS),
        ("/tokens/{name}", TOKEN),
        ("/health", HEALTH),
        ("/ready", READY),
        ("/metrics", METRICS),
        ("/openapi.json", OPEN_API),
        ("/docs", DOCS),
    ];
    let service = service.map(|(path, acts)| (path.to_string(), acts));
    let places = nouns.chain(service);
    let routes = places.flat_map(|(path, acts)| {
        acts.iter().map(move |act| Route {
            method: act.method,
            path: path.clone(),
            access: act.access,
        })
    });
    routes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_counts_by_its_own_template() {
        let mut templates: Vec<String> = table().into_iter().map(|route| route.path).collect();
        templates.dedup();
        for (at, template) in templates.iter().enumerate() {
            let path = template.replace("{id}", "1");
            let place = Place::find(&path).unwrap();
            assert_eq!(place.number(), at, "{template}");
        }
    }
}
