//! A lead: a person to win as a customer.

use crate::model::field::{ATTRIBUTES, CREATED_AT, Field, ID, Presence, UPDATED_AT};
use crate::model::kind::{Kind, Newest};
use crate::model::noun::{Examples, Noun, Relation};

/// Leads and their fields.
pub static LEAD: Noun = Noun {
    name: "lead",
    plural: "leads",
    title: "Lead",
    about: "A person to win",
    fields: &[
        ID,
        Field {
            name: "email",
            old_name: None,
            flag: None,
            kind: Kind::Email,
            presence: Presence::Required,
            about: "The e-mail address, international ones included; trimmed, lower-cased and in Unicode",
            example: "ada@example.com",
        },
        Field {
            name: "name",
            old_name: None,
            flag: None,
            kind: Kind::Text,
            presence: Presence::Optional,
            about: "The person's name",
            example: "Ada Lovelace",
        },
        Field {
            name: "status",
            old_name: None,
            flag: None,
            kind: Kind::Word,
            presence: Presence::Default("new"),
            about: "Status, any word",
            example: "new",
        },
        ATTRIBUTES,
        Field {
            name: "last_action_at",
            kind: Kind::Newest(Newest {
                plural: "actions",
                reference: "lead_id",
                time: "timestamp",
            }),
            about: "The newest time of its actions; null if it has none",
            ..CREATED_AT
        },
        CREATED_AT,
        UPDATED_AT,
    ],
    relation: Relation::Table,
    examples: Examples {
        create: &[
            "crm lead create --email ada@example.com --name 'Ada Lovelace'",
            "crm lead create --email eve@acme.org --set company=Acme --set 'size:=120'",
            "crm lead create --email ada@example.com --on-duplicate update",
            "echo '{\"email\": \"bob@acme.org\"}' | crm lead create --json - -o id",
        ],
        get: &[
            "crm lead get 1",
            "crm lead list -o id | crm lead get - -o ndjson",
        ],
        list: &[
            "crm lead list --status new",
            "crm lead list --where attributes.company=Acme",
            "crm lead list --sort -created_at --limit 10",
            "crm lead list --q ada -o csv --fields id,email,attributes.company",
            "crm lead list --status ne:lost --count",
            "crm lead list --where last_action_at=lt:-30d --sort last_action_at",
            "crm lead list --where last_action_at=is:null",
        ],
        update: &[
            "crm lead update 1 --status contacted --set company=Acme --unset size",
            "crm lead list --status new -o id | crm lead update - --status won",
            "crm lead update 1 --clear name",
        ],
        delete: &["crm lead delete 1 --cascade --yes"],
    },
};

/// What to do if another lead already has the address of a new lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDuplicate {
    /// Create another lead with the same address.
    #[default]
    Create,
    /// Refuse, and name the id of the lead that has the address.
    Reject,
    /// Change the lead that has the address, or the one with the lowest id if there are several.
    Update,
    /// Leave the lead that has the address as it is. Only of many records at once.
    Skip,
}

impl OnDuplicate {
    /// The words that the API and the command line accept.
    pub const WORDS: [(&str, OnDuplicate); 3] = [
        ("create", OnDuplicate::Create),
        ("reject", OnDuplicate::Reject),
        ("update", OnDuplicate::Update),
    ];

    /// Reads a word.
    pub fn parse(word: &str) -> Option<OnDuplicate> {
        Self::WORDS
            .iter()
            .find(|known| known.0 == word)
            .map(|known| known.1)
    }

    /// The word.
    pub fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|known| known.1 == self)
            .map_or("create", |known| known.0)
    }
}
