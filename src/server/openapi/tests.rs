//! Tests of the OpenAPI document.

use super::*;
use crate::base::time;
use crate::model::draft::{Draft, Purpose};
use crate::model::email::email;
use crate::model::kind::Kind;
use crate::operation::fields::{automatic, example, names};
use crate::ops::routes;

fn parsed() -> Value {
    serde_json::from_str(&document()).unwrap()
}

/// The value at a `$ref`.
fn resolve<'a>(root: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(path) => root.pointer(path.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            visit(map);
            map.values().for_each(|value| walk(value, visit));
        }
        Value::Array(list) => list.iter().for_each(|value| walk(value, visit)),
        _ => {}
    }
}

fn operations(root: &Value) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for (path, item) in root["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((format!("{method} {path}"), operation));
        }
    }
    all
}

#[test]
fn every_reference_resolves_and_every_component_is_used() {
    let root = parsed();
    let mut used = Vec::new();
    walk(&root, &mut |map| {
        if let Some(path) = map.get("$ref") {
            let path = path.as_str().unwrap();
            assert!(root.pointer(&path[1..]).is_some(), "{path}");
            used.push(path.to_string());
        }
    });
    let components = root["components"].as_object().unwrap();
    // These are named by the operations' `security`.
    let referred = components.iter().filter(|one| one.0 != "securitySchemes");
    for (kind, components) in referred {
        for name in components.as_object().unwrap().keys() {
            let path = format!("#/components/{kind}/{name}");
            // A method that a path does not have is not an operation, so nothing refers to its answer.
            assert!(used.contains(&path) || name == "MethodNotAllowed", "{path}");
        }
    }
}

#[test]
fn what_an_operation_does_not_have_is_left_out() {
    let root = parsed();
    for operations in root["paths"].as_object().unwrap().values() {
        for operation in operations.as_object().unwrap().values() {
            for (name, value) in operation.as_object().unwrap() {
                assert!(!value.is_null(), "{name} of {operation}");
            }
        }
    }
}

#[test]
fn no_schema_has_a_default() {
    // A generated client sends the default of a field that was left out, and an update would write it.
    walk(&parsed(), &mut |map| {
        assert!(!map.contains_key("default"), "{map:?}");
    });
}

#[test]
fn what_a_missing_field_means_is_described() {
    let root = parsed();
    let about = |schema: &str, field: &str| {
        let field = &root["components"]["schemas"][schema]["properties"][field];
        field["description"].as_str().unwrap().to_string()
    };
    assert!(about("LeadCreate", "status").ends_with(" `new` unless given."));
    assert!(about("ProcessCreate", "status").ends_with(" `active` unless given."));
    assert!(about("ActionCreate", "timestamp").ends_with(" The time of the create unless given."));
    assert!(about("LeadCreate", "attributes").ends_with(" `null` is the same as `{}`."));
    for noun in NOUNS {
        let update = format!("{}Update", noun.title);
        assert!(root["components"]["schemas"][&update]["required"].is_null());
        for field in noun.fields {
            let about = about(&update, field.name);
            assert!(!about.contains("unless given"), "{update} {}", field.name);
            assert_eq!(
                about.contains("`null` clears it"),
                field.nullable() && !automatic(field),
                "{about}"
            );
        }
        let attributes = about(&update, "attributes");
        assert!(!attributes.contains("the same as"), "{attributes}");
        assert!(attributes.contains("`null` instead of an object removes all keys"));
    }
}

#[test]
fn a_form_that_is_filled_from_the_document_names_no_record_and_no_key() {
    let root = parsed();
    for name in ["Id", "IdempotencyKey", "IfMatch", "IfNoneMatch", "After"] {
        let parameter = &root["components"]["parameters"][name];
        for shown in ["example", "examples"] {
            assert!(
                parameter[shown].is_null() && parameter["schema"][shown].is_null(),
                "{name}"
            );
        }
    }
}

#[test]
fn every_schema_can_be_a_type_of_a_generated_client() {
    let root = parsed();
    walk(&root, &mut |map| {
        // Without a type, generators take these for any value.
        for word in ["enum", "const"] {
            assert!(
                !map.contains_key(word) || map["type"] == "string",
                "{map:?}"
            );
        }
        // As a set, the items have no order.
        assert!(!map.contains_key("uniqueItems"), "{map:?}");
        // Generators take a whole number without a format for one of 32 bits.
        if map.get("type").is_some_and(|of| *of == "integer") && map.contains_key("maximum") {
            assert_eq!(map["format"], "int64", "{map:?}");
        }
    });
    let schemas = root["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        // An object within an object would be named after its place. Two such names can be the same.
        let properties = schema["properties"].as_object();
        for (field, schema) in properties.into_iter().flatten() {
            let text = schema.to_string();
            let is_object = text.contains(r#""type":"object""#);
            assert!(!is_object || name == "Error", "{name} {field}");
        }
        assert!(schema["allOf"].is_null(), "{name}");
    }
    // Filters by a time have two ends. Each parameter that is a list says how it is written.
    for (place, operation) in operations(&root) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolve(&root, parameter);
            if parameter["schema"]["type"] == "array" {
                let name = parameter["name"].as_str().unwrap();
                // The types of a search are words that it knows, and no filter.
                let is_one_list = ["sort", "fields"].contains(&name) || place == "get /search";
                assert_eq!(parameter["style"], "form", "{place} {name}");
                assert_eq!(parameter["explode"], !is_one_list, "{place} {name}");
            }
        }
    }
}

#[test]
fn the_patterns_of_lists_take_the_names_that_the_service_takes() {
    let root = parsed();
    for noun in NOUNS.iter().chain(VIEWS) {
        let list = &root["paths"][format!("/{}", noun.plural)]["get"]["parameters"];
        for (name, prefix) in [("sort", "-?"), ("fields", "")] {
            let list = list.as_array().unwrap();
            let parameter = list.iter().find(|one| one["name"] == name).unwrap();
            let pattern = parameter["schema"]["items"]["pattern"].as_str().unwrap();
            let known = pattern.strip_prefix(&format!("^{prefix}(")).unwrap();
            let items = known.strip_suffix(")$").unwrap().split('|');
            // What is no plain name is a pattern itself.
            for item in items.filter(|item| !item.contains('\\')) {
                let pairs = vec![(name.into(), item.into())];
                crate::model::query::Query::new(noun, pairs).unwrap();
            }
            for field in noun.fields.iter().filter(|field| {
                name == "fields" || !field.kind.is_json() && field.kind != Kind::Due
            }) {
                for known_as in names(field) {
                    assert!(known.contains(known_as), "{pattern}");
                }
            }
        }
    }
}

#[test]
fn every_field_is_in_the_schemas_and_a_list_parameter() {
    let root = parsed();
    for noun in NOUNS {
        let list = &root["paths"][format!("/{}", noun.plural)]["get"]["parameters"];
        let listed: Vec<&str> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|parameter| resolve(&root, parameter)["name"].as_str().unwrap())
            .collect();
        let schema =
            |suffix: &str| &root["components"]["schemas"][format!("{}{suffix}", noun.title)];
        for field in noun.fields {
            for name in names(field) {
                assert!(listed.contains(&name), "{} {name}", noun.name);
                assert!(schema("Part")["properties"][name].is_object(), "{name}");
                assert!(
                    schema("")["required"]
                        .as_array()
                        .unwrap()
                        .contains(&name.into())
                );
                assert!(schema("Update")["properties"][name].is_object(), "{name}");
            }
        }
        let create: Vec<&String> = schema("Create")["properties"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        // What a client reads, it can create again.
        let ignored = noun.fields.iter().filter(|field| automatic(field));
        let ignored = ignored.map(|field| field.name);
        let taken: Vec<&str> = noun.writable().into_iter().chain(ignored).collect();
        assert_eq!(create, taken);
        for name in [
            "q",
            "sort",
            "limit",
            "after",
            "fields",
            "count",
            "own_fields",
        ] {
            assert!(listed.contains(&name), "{} {name}", noun.name);
        }
    }
}

#[test]
fn every_operation_is_there_with_the_errors_it_can_answer() {
    let root = parsed();
    let mut ids = Vec::new();
    for (place, operation) in operations(&root) {
        ids.push(operation["operationId"].as_str().unwrap());
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = resolve(&root, response);
            assert!(
                response["headers"]["X-Request-Id"].is_object(),
                "{place} {status}"
            );
            assert_ne!(response["content"], json!({}), "{place} {status}");
        }
        let statuses: Vec<&String> = operation["responses"].as_object().unwrap().keys().collect();
        let expected = match place.as_str() {
            "get /leads" | "get /actions" | "get /processes" | "get /followups" | "get /tokens"
            | "get /webhooks" | "get /search" => "200 400 401 403 414 421 429 500 503 507",
            "get /changes" => "200 400 401 403 410 414 421 429 500 503 507",
            "post /leads" => "200 201 400 401 403 408 409 413 414 415 421 422 429 500 503 504 507",
            "post /actions" | "post /processes" => {
                "201 400 401 403 408 413 414 415 421 422 429 500 503 504 507"
            }
            "post /leads/{id}/log" => {
                "201 400 401 403 404 408 409 413 414 415 421 422 429 500 503 504 507"
            }
            "post /followups/claim" => {
                "200 400 401 403 408 413 414 415 421 422 429 500 503 504 507"
            }
            "get /leads/{id}/timeline" | "get /leads/{id}/summary" => {
                "200 400 401 403 404 414 421 429 500 503 507"
            }
            "get /calendar/{file}" => "200 304 404 414 421 429 500 503 507",
            "post /tokens" | "post /webhooks" => {
                "201 400 401 403 408 409 413 414 415 421 422 429 500 503 504 507"
            }
            "delete /tokens/{name}" => "200 400 401 403 404 409 414 421 422 429 500 503 504 507",
            "delete /webhooks/{name}" => "200 400 401 403 404 414 421 422 429 500 503 504 507",
            "delete /leads/{id}" => "200 400 401 403 404 409 412 414 421 422 429 500 503 504 507",
            "get /ready" => "200 414 421 500 503 507",
            place if place.starts_with("put") || place.starts_with("patch") => {
                "200 400 401 403 404 408 412 413 414 415 421 422 429 500 503 504 507"
            }
            place if place.starts_with("delete") => {
                "200 400 401 403 404 412 414 421 422 429 500 503 504 507"
            }
            place if place.starts_with("get") && place.ends_with("{id}") => {
                "200 304 400 401 403 404 412 414 421 429 500 503 507"
            }
            "get /health" => "200 414 421 500",
            "get /metrics" => "200 401 403 414 421 429 500 503",
            "get /openapi.json" | "get /docs" => "200 414 421 429 500",
            // An operation without a line here has at least what every operation has.
            _ => {
                for status in ["200", "414", "421", "500"] {
                    assert!(statuses.contains(&&status.to_string()), "{place}");
                }
                continue;
            }
        };
        let statuses: Vec<&str> = statuses.into_iter().map(String::as_str).collect();
        assert_eq!(statuses.join(" "), expected, "{place}");
    }
    let all: Vec<String> = routes().into_iter().map(|route| route.id).collect();
    let shown: Vec<&String> = all.iter().filter(|id| *id != "home").collect();
    assert_eq!(ids, shown);
    for id in [
        "listLeads",
        "createLead",
        "getLead",
        "updateLead",
        "patchLead",
        "deleteLead",
        "listProcesses",
        "listTokens",
        "createToken",
        "revokeToken",
        "listWebhooks",
        "createWebhook",
        "testWebhook",
        "rotateWebhook",
        "pauseWebhook",
        "resumeWebhook",
        "redeliverWebhook",
        "deleteWebhook",
        "health",
        "ready",
        "metrics",
        "openapi",
        "docs",
    ] {
        assert!(ids.contains(&id), "{id}");
    }
}

#[test]
fn the_examples_are_taken_by_the_checks() {
    let root = parsed();
    for noun in NOUNS {
        let post = &root["paths"][format!("/{}", noun.plural)]["post"];
        let examples = &post["requestBody"]["content"]["application/json"]["examples"];
        for example in examples.as_object().unwrap().values() {
            let body = example["value"].to_string();
            let draft = Draft::from_json(noun, body.as_bytes(), Purpose::Create).unwrap();
            assert!(draft.row().is_ok(), "{body}");
        }
        for field in noun.fields {
            match field.kind {
                Kind::Email => assert_eq!(email(field.example).as_deref(), Some(field.example)),
                Kind::Time(_) | Kind::Stamp | Kind::Newest(_) => {
                    assert_eq!(time::parse(field.example).as_deref(), Some(field.example));
                }
                _ => assert!(!example(field).is_null(), "{}", field.name),
            }
        }
    }
}

#[test]
fn a_record_as_crm_writes_it_has_the_documented_fields_in_their_order() {
    let root = parsed();
    for noun in NOUNS {
        let schema = &root["components"]["schemas"][noun.title];
        let example = schema["examples"][0].to_string();
        let record = crate::model::record::Record::from_json(noun, example.as_bytes()).unwrap();
        assert_eq!(record.to_json(), example);
    }
}

#[test]
fn the_refusals_shown_are_those_of_the_checks() {
    let text = document();
    for shown in [
        r#"{"error":"Lead not found"}"#,
        r#"{"error":"Action not found"}"#,
        r#"{"error":"Process not found"}"#,
        r#""email":"is required; expected an e-mail address like ada@example.com""#,
    ] {
        assert!(text.contains(shown), "{shown}");
    }
}

#[test]
fn answers_may_get_further_fields_and_requests_may_not() {
    /// Visits a schema and all that it is made of, behind references too.
    fn deep<'a>(root: &'a Value, value: &'a Value, visit: &mut impl FnMut(&'a Map<String, Value>)) {
        let value = resolve(root, value);
        match value {
            Value::Object(map) => {
                visit(map);
                map.values().for_each(|value| deep(root, value, visit));
            }
            Value::Array(list) => list.iter().for_each(|value| deep(root, value, visit)),
            _ => {}
        }
    }
    let root = parsed();
    let (mut closed, mut open) = (0, 0);
    for (name, operation) in operations(&root) {
        let bodies = &resolve(&root, &operation["requestBody"])["content"];
        deep(&root, bodies, &mut |map| {
            if map.contains_key("properties") {
                assert_eq!(map["additionalProperties"], false, "{name} {map:?}");
                closed += 1;
            }
        });
        deep(&root, &operation["responses"], &mut |map| {
            if map.contains_key("properties") {
                assert!(!map.contains_key("additionalProperties"), "{name} {map:?}");
                open += 1;
            }
            // The own fields are what they are.
            let further = map.get("additionalProperties");
            assert_ne!(further, Some(&Value::Bool(false)), "{name} {map:?}");
        });
    }
    assert!(closed > 5 && open > 20, "{closed} {open}");
    let attributes = &root["components"]["schemas"]["Attributes"];
    assert_eq!(attributes["additionalProperties"], true);
}
