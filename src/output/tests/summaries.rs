//! Tests of results that are not records.

use crate::config::{Format, Row};
use crate::output::rows::settings;
use crate::output::summary::count;
use crate::output::tests::support::{PLAIN, look, text};

#[test]
fn counts_and_settings_in_each_format() {
    let number = |format| {
        let mut out = Vec::new();
        count(&mut out, format, 3).unwrap();
        text(out)
    };
    assert_eq!(number(Format::Json), "{\"count\":3}\n");
    assert_eq!(number(Format::Ndjson), "{\"count\":3}\n");
    assert_eq!(number(Format::Table), "3\n");
    assert_eq!(number(Format::Csv), "3\n");
    assert_eq!(number(Format::Id), "3\n");

    let rows = [
        Row {
            setting: "database",
            value: Some("/data/crm.db".into()),
            source: "flag --db".into(),
        },
        Row {
            setting: "url",
            value: None,
            source: "not used".into(),
        },
    ];
    let print = |format| {
        let mut out = Vec::new();
        settings(&mut out, look(format, PLAIN), &rows).unwrap();
        text(out)
    };
    let database = r#"{"setting":"database","value":"/data/crm.db","source":"flag --db"}"#;
    let url = r#"{"setting":"url","value":null,"source":"not used"}"#;
    assert_eq!(print(Format::Json), format!("[\n{database},\n{url}\n]\n"));
    assert_eq!(print(Format::Ndjson), format!("{database}\n{url}\n"));
    assert_eq!(
        print(Format::Csv),
        "setting,value,source\ndatabase,/data/crm.db,flag --db\nurl,,not used\n"
    );
    assert_eq!(print(Format::Id), "database\nurl\n");
    assert_eq!(
        print(Format::Table),
        "\
setting   value         source
────────  ────────────  ─────────
database  /data/crm.db  flag --db
url                     not used
"
    );
}
