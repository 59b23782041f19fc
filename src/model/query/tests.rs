//! Tests of how the parameters of a list are read.

use crate::base::error::Result;
use crate::model::lead::LEAD;
use crate::model::noun::Noun;
use crate::model::process::PROCESS;
use crate::model::query::{Comparison, Cursor, Operand, Query, Test, pairs};
use crate::model::record::Record;
use crate::model::value::Value;

fn query(noun: &'static Noun, text: &str) -> Result<Query> {
    Query::new(noun, pairs(text).unwrap())
}

fn only(noun: &'static Noun, text: &str) -> Test {
    query(noun, text).unwrap().filters.remove(0).test
}

#[test]
fn only_operators_before_the_first_colon_are_operators() {
    let eq = |text: &str| Test::Compare(Comparison::Eq, Operand::Text(text.into()));
    assert_eq!(only(&LEAD, "name=new"), eq("new"));
    assert_eq!(only(&LEAD, "name=mr:x"), eq("mr:x"));
    assert_eq!(only(&LEAD, "name=eq:ne:x"), eq("ne:x"));
    assert_eq!(
        only(&LEAD, "name=ne:a:b"),
        Test::Compare(Comparison::Ne, Operand::Text("a:b".into()))
    );
    assert_eq!(only(&LEAD, "name="), eq(""));
    assert_eq!(only(&LEAD, "name=is:null"), Test::Null);
    assert_eq!(
        only(&LEAD, r"status=in:a\,b,c\\,d"),
        Test::In(
            ["a,b", r"c\", "d"]
                .map(|text| Operand::Text(text.into()))
                .into()
        )
    );
}

#[test]
fn every_problem_is_reported_at_once() {
    let error = query(
        &PROCESS,
        "foo=1&lead_id=x&limit=0&sort=nope&after=zz&count=1&next_followup_datetime=lte:soon",
    )
    .unwrap_err();
    let fields: Vec<&str> = error
        .problems
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "foo",
            "lead_id",
            "limit",
            "sort",
            "count",
            "next_followup_datetime",
            "after"
        ]
    );
    for bad in [
        "id=like:1",
        "name=is:maybe",
        r"name=like:a\",
        "limit=-1",
        "limit=9223372036854775807",
        "limit=1&limit=2",
        "q=a&q=b",
        "count=true&count=true",
        "after=a&after=a",
        "fields=id,id",
        "fields=id&fields=id",
        "fields=id&fields=",
        "fields=id&fields=colour",
        "sort=id,id",
        "sort=name&sort=-name",
        "sort=name&sort=",
        "sort=attributes.a,attributes.a",
        "sort=attributes.a,b",
        "sort=attributes.1,attributes.2,attributes.3,attributes.4,attributes.5,attributes.6,attributes.7,attributes.8,attributes.9,attributes.a,id",
        "id=+1",
        "name=%00",
    ] {
        assert!(query(&LEAD, bad).is_err(), "{bad}");
    }
    assert!(pairs("name=%ff").is_err());
}

#[test]
fn a_list_that_is_repeated_is_one_list_in_the_order_given() {
    let one = query(&LEAD, "fields=name,id,email&sort=-name,email").unwrap();
    for repeated in [
        "fields=name&sort=-name&fields=id&fields=email&sort=email",
        "sort=-name&fields=name,id&status=new&fields=email&sort=email",
    ] {
        let repeated = query(&LEAD, repeated).unwrap();
        assert_eq!(repeated.shown, one.shown);
        assert_eq!(repeated.order, one.order);
    }
    // The error names the parameter once.
    let error = query(&LEAD, "fields=id&fields=a&fields=b&sort=c&sort=id").unwrap_err();
    let fields: Vec<&str> = error
        .problems
        .iter()
        .map(|problem| problem.field.as_str())
        .collect();
    assert_eq!(fields, ["fields", "sort"]);
}

#[test]
fn a_switch_is_taken_in_any_case() {
    for (text, count) in [
        ("True", true),
        ("TRUE", true),
        ("false", false),
        ("False", false),
    ] {
        assert_eq!(query(&LEAD, &format!("count={text}")).unwrap().count, count);
    }
    for text in ["", "1", "yes", "t", "null"] {
        assert!(query(&LEAD, &format!("count={text}")).is_err(), "{text}");
    }
}

#[test]
fn a_plus_that_became_a_space_is_explained() {
    let error = query(&LEAD, "created_at=gt:2026-01-01T00:00:00+02:00").unwrap_err();
    assert!(error.message.contains("%2B"), "{error}");
}

#[test]
fn a_cursor_belongs_to_its_order() {
    let by_name = query(&LEAD, "sort=-name").unwrap();
    let record = Record::from_json(&LEAD, br#"{"id":7,"name":"Ada"}"#).unwrap();
    let cursor = by_name.cursor(&record);
    let next = query(&LEAD, &format!("sort=-name&after={cursor}")).unwrap();
    assert_eq!(
        next.after,
        Some(Cursor(vec![Value::Text("Ada".into()), Value::Int(7)]))
    );
    assert!(query(&LEAD, &format!("sort=name&after={cursor}")).is_err());
    assert!(query(&LEAD, &format!("after={cursor}")).is_err());
}
