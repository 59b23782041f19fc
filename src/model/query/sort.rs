//! The order of a list.

use crate::base::error::{Error, Result, quoted};
use crate::model::kind::Kind;
use crate::model::noun::Noun;

/// One sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The position of the field.
    pub at: usize,
    /// Whether the order is descending. Null is less than every value.
    pub descending: bool,
    /// Whether null is greater than every value instead. It is for the times of a view: whatever has no time comes last.
    pub null_is_greatest: bool,
}

impl Sort {
    /// Whether null comes after all values in this order.
    pub fn ends_with_null(self) -> bool {
        self.descending != self.null_is_greatest
    }
}

/// Writes the order as the parameter `sort` does. A cursor carries this text, because it is only valid with its order.
pub(super) fn order_text(noun: &Noun, order: &[Sort]) -> String {
    let keys: Vec<String> = order
        .iter()
        .map(|sort| {
            format!(
                "{}{}",
                if sort.descending { "-" } else { "" },
                noun.fields[sort.at].name
            )
        })
        .collect();
    keys.join(",")
}

/// The order of a list without the parameter `sort`.
pub(super) fn default_order(noun: &'static Noun) -> Result<Vec<Sort>> {
    order(noun, noun.default_order())
}

/// Reads an order, `name,-created_at`. The id is added where it is missing, so that the order is total.
pub(super) fn order(noun: &'static Noun, list: &str) -> Result<Vec<Sort>> {
    let mut order: Vec<Sort> = Vec::new();
    for key in list.split(',').map(str::trim) {
        let (name, descending) = key
            .strip_prefix('-')
            .map_or((key, false), |name| (name, true));
        let found = noun
            .position(name)
            .filter(|at| noun.fields[*at].kind != Kind::Attributes);
        let Some(at) = found else {
            let known = noun
                .fields
                .iter()
                .filter(|field| field.kind != Kind::Attributes);
            let known: Vec<&str> = known.map(|field| field.name).collect();
            let known = known.join(", ");
            return Err(Error::field(
                "sort",
                format!(
                    "expected comma-separated names out of {known}, each with a - before it for descending order, got {}",
                    quoted(key)
                ),
            ));
        };
        if order.iter().any(|sort| sort.at == at) {
            return Err(Error::field("sort", format!("{name} is given twice")));
        }
        let is_time = noun.fields[at].kind.tense().is_some();
        order.push(Sort {
            at,
            descending,
            null_is_greatest: noun.is_view() && is_time,
        });
    }
    // Ids are unique, so a key after the id has no effect.
    match order.iter().position(|sort| sort.at == 0) {
        Some(id) => order.truncate(id + 1),
        None => order.push(Sort {
            at: 0,
            descending: false,
            null_is_greatest: false,
        }),
    }
    Ok(order)
}
