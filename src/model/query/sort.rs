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
    /// Whether null comes last instead. It does in the default order of a view.
    pub nulls_last: bool,
}

/// Writes the order as the parameter `sort` does. A cursor carries this text, because it is only valid with its order.
pub(super) fn order_text(noun: &Noun, order: &[Sort]) -> String {
    let keys: Vec<String> = order
        .iter()
        .map(|sort| {
            format!(
                "{}{}{}",
                if sort.descending { "-" } else { "" },
                noun.fields[sort.at].name,
                if sort.nulls_last { LAST } else { "" }
            )
        })
        .collect();
    keys.join(",")
}

/// The text that null is sorted as if null comes last. It is greater than every time.
pub const LAST: &str = "~";

/// The order of a list without the parameter `sort`.
pub(super) fn default_order(noun: &'static Noun) -> Result<Vec<Sort>> {
    let mut order = order(noun, noun.default_order())?;
    for sort in &mut order {
        sort.nulls_last = noun.is_view() && noun.fields[sort.at].nullable();
    }
    Ok(order)
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
        order.push(Sort {
            at,
            descending,
            nulls_last: false,
        });
    }
    // Ids are unique, so a key after the id has no effect.
    match order.iter().position(|sort| sort.at == 0) {
        Some(id) => order.truncate(id + 1),
        None => order.push(Sort {
            at: 0,
            descending: false,
            nulls_last: false,
        }),
    }
    Ok(order)
}
