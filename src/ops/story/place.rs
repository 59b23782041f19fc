//! Where a page of a timeline ended.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

/// A time and an id: what actions and follow-ups are in the order of.
pub(crate) type Timed = (String, i64);

/// Where a page ended. Each source of a timeline has an order of its own that no write disturbs, and a place of its own in
/// it. So whatever is written between two pages, no entry is left out and none comes twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The last follow-up.
    pub(crate) due: Option<Timed>,
    /// The last action.
    pub(crate) action: Option<Timed>,
    /// The number of the last change.
    pub(crate) change: Option<i64>,
}

impl Place {
    /// The text of the place, as the cursor of a lead's timeline.
    pub(crate) fn encode(&self, lead: i64) -> String {
        let timed = |timed: &Option<Timed>| match timed {
            Some((at, id)) => json!([at, id]),
            None => Json::Null,
        };
        let parts = json!([lead, timed(&self.due), timed(&self.action), self.change]);
        URL_SAFE_NO_PAD.encode(parts.to_string())
    }

    /// Reads the text of a place. `None` if it is no cursor of this lead's timeline.
    pub(crate) fn decode(lead: i64, text: &str) -> Option<Place> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        let [of, due, action, change]: [Json; 4] = serde_json::from_slice(&json).ok()?;
        (of.as_i64() == Some(lead)).then_some(())?;
        let number = |json: &Json| json.as_i64().filter(|number| *number >= 1);
        let timed = |json: &Json| match json {
            Json::Null => Some(None),
            Json::Array(pair) => match pair.as_slice() {
                // Another program may have stored another text, so this is no check of its form.
                [Json::String(at), id] if !at.contains('\0') => {
                    Some(Some((at.clone(), number(id)?)))
                }
                _ => None,
            },
            _ => None,
        };
        Some(Place {
            due: timed(&due)?,
            action: timed(&action)?,
            change: match change {
                Json::Null => None,
                change => Some(number(&change)?),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_for_the_same_lead_alone() {
        let timed = Some(("2026-01-31 09:30:00".to_string(), 7));
        for place in [
            Place::default(),
            Place {
                due: None,
                action: timed.clone(),
                change: Some(812),
            },
            Place {
                due: timed,
                ..Place::default()
            },
        ] {
            let text = place.encode(5);
            assert_eq!(Place::decode(5, &text), Some(place));
            assert_eq!(Place::decode(6, &text), None);
        }
        let encode = |json: &str| URL_SAFE_NO_PAD.encode(json);
        for wrong in [
            "",
            "x",
            &encode("[]"),
            &encode("[5,null,null]"),
            &encode("[5,null,null,0]"),
            &encode("[5,null,null,\"1\"]"),
            &encode("[5,null,[\"2026\"],1]"),
            &encode("[5,[\"2026\",-1],null,1]"),
            &encode("[5,[\"2026\\u0000\",1],null,1]"),
            &encode("[5,null,null,1,1]"),
        ] {
            assert_eq!(Place::decode(5, wrong), None, "{wrong}");
        }
    }
}
