//! The programs whose files are known, and what their columns mean.
//!
//! A program is known by the names of its columns. A column that is in no table keeps its name and becomes an attribute, so a
//! wrong guess loses nothing.

use super::names::{CARD_ATTRIBUTES, CARD_STATUS};

/// The part of a person's name that a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamePart {
    /// The first name.
    First,
    /// What is between the first and the last name.
    Middle,
    /// The last name.
    Last,
}

impl NamePart {
    /// The word in `--map`.
    pub const WORDS: [(&str, NamePart); 3] = [
        ("first_name", NamePart::First),
        ("middle_name", NamePart::Middle),
        ("last_name", NamePart::Last),
    ];
}

/// What a known column becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A field.
    Field(&'static str),
    /// A part of the name.
    Name(NamePart),
    /// An attribute.
    Own(&'static str),
    /// The attribute with the time at which the other program made the record.
    Created,
    /// Left out, for this reason.
    Out(&'static str),
}

/// A program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// crm itself.
    Crm,
    /// HubSpot.
    HubSpot,
    /// Pipedrive.
    Pipedrive,
    /// Google Contacts since 2024.
    Google,
    /// Google Contacts before.
    OldGoogle,
    /// Outlook on the web, and the new Outlook.
    Outlook,
    /// Classic Outlook.
    ClassicOutlook,
    /// Contacts of Apple.
    Apple,
    /// vCards of any other program.
    Vcard,
    /// Any other.
    Unknown,
}

impl Program {
    /// Its name, `None` for one that is not known.
    pub fn told(self) -> Option<&'static str> {
        Some(match self {
            Program::Crm => "crm",
            Program::HubSpot => "HubSpot",
            Program::Pipedrive => "Pipedrive",
            Program::Google => "Google Contacts",
            Program::OldGoogle => "Google Contacts (the form before 2024)",
            Program::Outlook => "Outlook",
            Program::ClassicOutlook => "classic Outlook",
            Program::Apple => "Apple Contacts",
            Program::Vcard | Program::Unknown => return None,
        })
    }

    /// Finds the program by its columns. A file of vCards is known by its beginning.
    pub fn find(columns: &[String], card: Option<&str>) -> Program {
        let has = |name: &str| columns.iter().any(|column| column == name);
        let begins = |start: &str| columns.iter().any(|column| column.starts_with(start));
        if let Some(head) = card {
            return match head.contains("PRODID:-//Apple") || head.contains("X-ABLabel") {
                true => Program::Apple,
                false => Program::Vcard,
            };
        }
        let is_own = has("id") && (has("created_at") || has("updated_at"));
        match () {
            () if is_own
                && (has("attributes") || begins("attributes.") || has("last_action_at")) =>
            {
                Program::Crm
            }
            () if is_own && (has("email") || has("lead_id")) && has("updated_at") => Program::Crm,
            () if begins("Record ID")
                || has("Contact owner") && (has("Lead Status") || has("Lifecycle Stage"))
                || has("Marketing contact status") =>
            {
                Program::HubSpot
            }
            () if begins("Person - ") || has("Email - Work") || has("Phone - Work") => {
                Program::Pipedrive
            }
            () if has("Given Name") && (begins("E-mail 1 - ") || has("Group Membership")) => {
                Program::OldGoogle
            }
            () if begins("E-mail 1 - ") || has("Organization Name") && has("File As") => {
                Program::Google
            }
            () if has("E-mail Address")
                && (has("Given Yomi") || has("IMAddress") || has("Surname Yomi")) =>
            {
                Program::Outlook
            }
            () if has("E-mail Address") && (has("E-mail Display Name") || begins("Business ")) => {
                Program::ClassicOutlook
            }
            () => Program::Unknown,
        }
    }

    /// What a column becomes, with its rank among those that become the same. `None` if it has no place.
    pub fn place(self, column: &str) -> Option<(usize, Place)> {
        let bare = match self {
            Program::Pipedrive => column.strip_prefix("Person - ").unwrap_or(column),
            _ => column,
        };
        let table: &[(&str, Place)] = match self {
            Program::Crm => CRM,
            Program::HubSpot => HUBSPOT,
            Program::Pipedrive => PIPEDRIVE,
            Program::Apple | Program::Vcard => return in_table(CARDS, column),
            Program::Google | Program::OldGoogle | Program::Outlook | Program::ClassicOutlook => {
                CONTACTS
            }
            Program::Unknown => &[],
        };
        let name = normal(bare);
        let known = in_table(table, &name);
        let general = || in_table(GENERAL, &name).map(|(rank, place)| (rank + table.len(), place));
        match self {
            // Its own columns mean what they say.
            Program::Crm => in_table(CRM, column),
            _ => known.or_else(general),
        }
    }
}

fn in_table(table: &[(&str, Place)], name: &str) -> Option<(usize, Place)> {
    let at = table.iter().position(|known| known.0 == name)?;
    Some((at, table[at].1))
}

/// The letters and digits of a name in lower case, by which columns are compared.
pub fn normal(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

const EMAIL: Place = Place::Field("email");
const NAME: Place = Place::Field("name");
const FIRST: Place = Place::Name(NamePart::First);
const MIDDLE: Place = Place::Name(NamePart::Middle);
const LAST: Place = Place::Name(NamePart::Last);
const STATUS: Place = Place::Field("status");
const COMPANY: Place = Place::Own("company");
const TITLE: Place = Place::Own("title");
const PHONE: Place = Place::Own("phone");
const MOBILE: Place = Place::Own("mobile");
const WEBSITE: Place = Place::Own("website");
const OUT: Place = Place::Out("crm sets it");
const PICTURE: Place = Place::Out("a picture, a sound or a key");
const TECHNICAL: Place = Place::Out("it is about the file, not about the person");

/// The columns that crm writes and sets itself. They are compared as they are.
const CRM: &[(&str, Place)] = &[
    ("id", OUT),
    ("last_action_at", OUT),
    ("created_at", OUT),
    ("updated_at", OUT),
];

const HUBSPOT: &[(&str, Place)] = &[
    ("recordid", Place::Own("hubspot_id")),
    ("recordidcontact", Place::Own("hubspot_id")),
    ("leadstatus", STATUS),
    ("createdate", Place::Created),
    ("associatedcompany", COMPANY),
    ("primaryassociatedcompany", COMPANY),
];

const PIPEDRIVE: &[(&str, Place)] = &[
    ("id", Place::Own("pipedrive_id")),
    ("personid", Place::Own("pipedrive_id")),
    ("personcreated", Place::Created),
    ("addtime", Place::Created),
];

/// Address books, where a title is a form of address.
const CONTACTS: &[(&str, Place)] = &[
    ("title", Place::Own("salutation")),
    ("nameprefix", Place::Own("salutation")),
    ("photo", PICTURE),
];

/// The columns of any program, those that are preferred first.
const GENERAL: &[(&str, Place)] = &[
    ("email", EMAIL),
    ("emailaddress", EMAIL),
    ("primaryemail", EMAIL),
    ("email1", EMAIL),
    ("email1value", EMAIL),
    ("emailwork", EMAIL),
    ("workemail", EMAIL),
    ("businessemail", EMAIL),
    ("mail", EMAIL),
    ("emailadresse", EMAIL),
    ("mailadresse", EMAIL),
    ("adresseemail", EMAIL),
    ("courriel", EMAIL),
    ("correoelectronico", EMAIL),
    ("email2", EMAIL),
    ("email2value", EMAIL),
    ("email2address", EMAIL),
    ("secondaryemail", EMAIL),
    ("emailhome", EMAIL),
    ("personalemail", EMAIL),
    ("emailother", EMAIL),
    ("email3", EMAIL),
    ("email3value", EMAIL),
    ("email3address", EMAIL),
    ("name", NAME),
    ("fullname", NAME),
    ("displayname", NAME),
    ("contactname", NAME),
    ("firstname", FIRST),
    ("givenname", FIRST),
    ("vorname", FIRST),
    ("prénom", FIRST),
    ("middlename", MIDDLE),
    ("additionalname", MIDDLE),
    ("lastname", LAST),
    ("familyname", LAST),
    ("surname", LAST),
    ("nachname", LAST),
    ("status", STATUS),
    ("company", COMPANY),
    ("companyname", COMPANY),
    ("organization", COMPANY),
    ("organizationname", COMPANY),
    ("organization1name", COMPANY),
    ("organisation", COMPANY),
    ("firma", COMPANY),
    ("unternehmen", COMPANY),
    ("jobtitle", TITLE),
    ("organizationtitle", TITLE),
    ("organization1title", TITLE),
    ("phone", PHONE),
    ("phonenumber", PHONE),
    ("telephone", PHONE),
    ("telefon", PHONE),
    ("telefonnummer", PHONE),
    ("phone1value", PHONE),
    ("phonework", PHONE),
    ("workphone", PHONE),
    ("businessphone", PHONE),
    ("primaryphone", PHONE),
    ("mobile", MOBILE),
    ("mobilephone", MOBILE),
    ("mobilephonenumber", MOBILE),
    ("mobilenumber", MOBILE),
    ("phonemobile", MOBILE),
    ("handy", MOBILE),
    ("website", WEBSITE),
    ("websiteurl", WEBSITE),
    ("website1value", WEBSITE),
    ("webpage", WEBSITE),
    ("createdate", Place::Created),
    ("createdat", Place::Created),
    ("created", Place::Created),
    ("createdon", Place::Created),
    ("creationdate", Place::Created),
    ("datecreated", Place::Created),
];

/// The properties of a vCard.
const CARDS: &[(&str, Place)] = &[
    ("EMAIL", EMAIL),
    ("FN", NAME),
    ("N given", FIRST),
    ("N additional", MIDDLE),
    ("N family", LAST),
    ("N prefix", Place::Own("salutation")),
    ("ORG", COMPANY),
    ("ORG unit", Place::Own("department")),
    ("TITLE", TITLE),
    ("TEL", PHONE),
    ("TEL WORK", PHONE),
    ("TEL HOME", PHONE),
    ("TEL MAIN", PHONE),
    ("TEL CELL", MOBILE),
    ("TEL IPHONE CELL", MOBILE),
    ("TEL CELL IPHONE", MOBILE),
    ("TEL CELL WORK", MOBILE),
    ("TEL WORK CELL", MOBILE),
    ("TEL CELL HOME", MOBILE),
    ("URL", WEBSITE),
    ("URL WORK", WEBSITE),
    ("NOTE", Place::Own("note")),
    ("BDAY", Place::Own("birthday")),
    ("UID", Place::Own("uid")),
    (CARD_STATUS, STATUS),
    (CARD_ATTRIBUTES, Place::Field("attributes")),
    ("PHOTO", PICTURE),
    ("LOGO", PICTURE),
    ("SOUND", PICTURE),
    ("KEY", PICTURE),
    ("PRODID", TECHNICAL),
    ("REV", TECHNICAL),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_columns() {
        for (header, program) in [
            (
                "id,email,name,status,attributes,last_action_at,created_at,updated_at",
                Program::Crm,
            ),
            (
                "id,email,name,status,attributes.company,created_at,updated_at",
                Program::Crm,
            ),
            (
                "Record ID,First Name,Last Name,Email,Phone Number,Contact owner,Lead Status,Create Date",
                Program::HubSpot,
            ),
            (
                "Record ID - Contact,Email,Marketing contact status",
                Program::HubSpot,
            ),
            (
                "Person - Name,Person - Email - Work,Person - Organization",
                Program::Pipedrive,
            ),
            (
                "Name,Given Name,Family Name,E-mail 1 - Type,E-mail 1 - Value",
                Program::OldGoogle,
            ),
            (
                "First Name,Last Name,File As,Organization Name,E-mail 1 - Label,E-mail 1 - Value",
                Program::Google,
            ),
            (
                "First Name,Last Name,Given Yomi,E-mail Address,E-mail 2 Address,Business Phone",
                Program::Outlook,
            ),
            (
                "Title,First Name,Last Name,Business Street,E-mail Address,E-mail Display Name",
                Program::ClassicOutlook,
            ),
            ("email,name", Program::Unknown),
            ("id,email,created_at", Program::Unknown),
        ] {
            let columns: Vec<String> = header.split(',').map(String::from).collect();
            assert_eq!(Program::find(&columns, None), program, "{header}");
        }
    }

    #[test]
    fn columns_have_places() {
        for (program, column, place) in [
            (
                Program::HubSpot,
                "Record ID",
                Some(Place::Own("hubspot_id")),
            ),
            (Program::HubSpot, "Email", Some(EMAIL)),
            (Program::HubSpot, "Lead Status", Some(STATUS)),
            (Program::HubSpot, "Lifecycle Stage", None),
            (Program::Pipedrive, "Person - Email - Work", Some(EMAIL)),
            (
                Program::Pipedrive,
                "Person - ID",
                Some(Place::Own("pipedrive_id")),
            ),
            (Program::Google, "E-mail 1 - Value", Some(EMAIL)),
            (Program::Google, "E-mail 1 - Label", None),
            (
                Program::ClassicOutlook,
                "Title",
                Some(Place::Own("salutation")),
            ),
            (Program::Unknown, "E-Mail-Adresse", Some(EMAIL)),
            (Program::Unknown, "Vorname", Some(FIRST)),
            (Program::Crm, "created_at", Some(OUT)),
            (Program::Crm, "Phone", None),
            (Program::Apple, "TEL CELL", Some(MOBILE)),
        ] {
            let found = program.place(column).map(|found| found.1);
            assert_eq!(found, place, "{column}");
        }
        let rank = |column| Program::Pipedrive.place(column).unwrap().0;
        assert!(rank("Person - Email - Work") < rank("Person - Email - Home"));
    }
}
