//! The body of a request that is a small JSON object, read field by field. All that is wrong is told at once.

use serde_json::{Map, Value};

use crate::base::error::{Error, Problems, Result, quoted};
use crate::model::lease::LeaseSecret;
use crate::model::token;

/// The fields of a body.
pub struct Given {
    fields: Map<String, Value>,
    problems: Problems,
}

impl Given {
    /// Reads a body with these fields. An empty one has none.
    pub fn read(body: &[u8], known: &[&str]) -> Result<Given> {
        let is_empty = body.iter().all(u8::is_ascii_whitespace);
        let fields = match serde_json::from_slice(body) {
            _ if is_empty => Map::new(),
            Ok(Value::Object(fields)) => fields,
            _ => return Err(Error::invalid("body: expected a JSON object")),
        };
        let mut problems = Problems::default();
        for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
            let key: String = key.chars().take(60).collect();
            let known = known.join(", ");
            problems.push(
                token::redacted(&key),
                format!("no such field; there is {known}"),
            );
        }
        Ok(Given { fields, problems })
    }

    /// A field that may be left out. Null is the same as leaving it out.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// Notes that a field is wrong.
    pub fn refuse(&mut self, name: &str, expected: impl Into<String>) {
        self.problems.push(name, expected);
    }

    /// The text of a field, as `read` understands it.
    pub fn text<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let read = match self.field(name)? {
            Value::String(text) => read(text),
            _ => Err("expected text".into()),
        };
        self.kept(name, read)
    }

    /// The lease of the follow-up.
    pub fn lease(&mut self) -> Option<LeaseSecret> {
        self.text("lease", LeaseSecret::read)
    }

    /// A whole number within these bounds.
    pub fn number(&mut self, name: &str, least: u64, most: u64) -> Option<u64> {
        let given = self.field(name)?;
        let number = given
            .as_u64()
            .filter(|number| (least..=most).contains(number));
        let read = number.ok_or_else(|| {
            let got = match given {
                Value::String(text) => quoted(text),
                other => quoted(&other.to_string()),
            };
            format!("expected a whole number from {least} to {most}, got {got}")
        });
        self.kept(name, read)
    }

    /// A list of texts, each as `read` understands it. One text alone is a list of one.
    pub fn list<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let text = |value: &Value| match value {
            Value::String(text) => read(text),
            _ => Err("expected a list of texts".into()),
        };
        let read: Result<Vec<T>, String> = match self.field(name)? {
            Value::Array(all) if !all.is_empty() => all.iter().map(text).collect(),
            Value::Array(_) => Err("expected at least one of them".into()),
            one => text(one).map(|one| vec![one]),
        };
        self.kept(name, read)
    }

    fn kept<T>(&mut self, name: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|expected| self.refuse(name, expected)).ok()
    }

    /// The end of reading: an error that names every field at fault.
    pub fn done(self) -> Result<()> {
        match self.problems.is_empty() {
            true => Ok(()),
            false => Err(Error::fields(self.problems)),
        }
    }
}
