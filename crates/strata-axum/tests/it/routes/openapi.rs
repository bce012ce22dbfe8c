//! `docs/openapi.json` and the routes say the same. As much of JSON Schema as the file uses is checked here.

use std::sync::LazyLock;

use axum::body::Body;
use http::{Method, Request};
use serde_json::Value;
use strata_axum::Routes;

use super::Scene;
use crate::browser::{Answer, ask};

static FILE: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json"));
    serde_json::from_str(text).expect("docs/openapi.json is JSON")
});

/// The operations of the router, by path.
fn operations() -> impl Iterator<Item = (&'static String, &'static String, &'static Value)> {
    let paths = FILE["paths"].as_object().expect("paths").iter();
    paths.flat_map(|(path, item)| {
        item.as_object().expect("operations").iter().map(move |(method, operation)| (path, method, operation))
    })
}

fn operation(path: &str) -> &'static Value {
    let found = operations().find(|(found, _, _)| *found == path);
    found.unwrap_or_else(|| panic!("{path} is not in docs/openapi.json")).2
}

/// That the file knows a request, which the route has taken.
pub(super) fn allows(path: &str, body: &str) {
    let schema = &operation(path)["requestBody"]["content"]["application/json"]["schema"];
    valid(schema, &serde_json::from_str(body).expect("json"), &format!("a request of {path}"));
}

/// That an answer is one of those the file has for its route.
pub(super) fn conforms(path: &str, answer: &Answer) {
    let response = &operation(path)["responses"][answer.status.as_str()];
    assert!(response.is_object(), "docs/openapi.json has no {} of {path}", answer.status);
    for (name, header) in response["headers"].as_object().expect("headers") {
        match answer.headers.get(name) {
            Some(value) => valid(&header["schema"], &value.to_str().expect("text").into(), name),
            None => assert_ne!(header["required"], true, "{} of {path} has no {name}", answer.status),
        }
    }
    assert_eq!(answer.headers["content-type"], "application/json");
    let schema = &response["content"]["application/json"]["schema"];
    valid(schema, &answer.json(), &format!("{} of {path}", answer.status));
}

fn valid(schema: &Value, value: &Value, place: &str) {
    assert!(is_valid(schema, value), "{place}: {value} is not as {schema}");
}

fn is_valid(schema: &Value, value: &Value) -> bool {
    let known = ["$ref", "type", "required", "properties", "items", "enum", "const", "anyOf", "description"];
    let bounds = [
        "additionalProperties",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "minimum",
        "pattern",
        "oneOf",
        "not",
    ];
    let words = schema.as_object().expect("a schema");
    assert!(words.keys().all(|word| known.iter().chain(&bounds).any(|known| known == word)), "{schema}");
    words.iter().all(|(word, told)| match word.as_str() {
        "$ref" => is_valid(referred(told), value),
        "type" => match told {
            Value::String(sort) => is_of(sort, value),
            sorts => sorts
                .as_array()
                .expect("types")
                .iter()
                .any(|sort| is_of(sort.as_str().expect("a type"), value)),
        },
        "required" => told
            .as_array()
            .expect("names")
            .iter()
            .all(|name| value.get(name.as_str().expect("a name")).is_some()),
        "properties" => {
            let mut told = told.as_object().expect("schemas").iter();
            told.all(|(name, schema)| value.get(name).is_none_or(|value| is_valid(schema, value)))
        }
        "additionalProperties" => {
            assert_eq!(told, false);
            value.as_object().expect("an object").keys().all(|name| schema["properties"].get(name).is_some())
        }
        "items" => value.as_array().expect("an array").iter().all(|item| is_valid(told, item)),
        "enum" => told.as_array().expect("values").contains(value),
        "const" => told == value,
        "anyOf" => told.as_array().expect("schemas").iter().any(|schema| is_valid(schema, value)),
        "oneOf" => {
            told.as_array().expect("schemas").iter().filter(|schema| is_valid(schema, value)).count() == 1
        }
        "not" => !is_valid(told, value),
        "minLength" => value.as_str().map_or(0, str::len) as u64 >= told.as_u64().expect("a number"),
        "maxLength" => value.as_str().map_or(0, str::len) as u64 <= told.as_u64().expect("a number"),
        "minItems" => value.as_array().map_or(0, Vec::len) as u64 >= told.as_u64().expect("a number"),
        "maxItems" => value.as_array().map_or(0, Vec::len) as u64 <= told.as_u64().expect("a number"),
        "minimum" => value.as_u64() >= told.as_u64(),
        "pattern" => match told.as_str().expect("a pattern") {
            "^[0-9]+$" => value.as_str().is_some_and(|text| text.parse::<u64>().is_ok()),
            "^[0-9a-f]{32}$" => value.as_str().is_some_and(|text| is_hex(text, 32)),
            "^[0-9a-f]{16}-[0-9]+-[0-9a-f]{16}$" => value.as_str().is_some_and(is_revision),
            other => panic!("the pattern {other} is not known to this test"),
        },
        _ => true,
    })
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_revision(text: &str) -> bool {
    let [epoch, count, stamp] = text.split('-').collect::<Vec<_>>()[..] else { return false };
    is_hex(epoch, 16) && count.parse::<u64>().is_ok() && is_hex(stamp, 16)
}

fn is_of(sort: &str, value: &Value) -> bool {
    match sort {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known to this test"),
    }
}

fn referred(place: &Value) -> &'static Value {
    let name = place
        .as_str()
        .and_then(|place| place.strip_prefix("#/components/schemas/"))
        .expect("a schema of the file");
    FILE["components"]["schemas"].get(name).unwrap_or_else(|| panic!("there is no schema {name}"))
}

#[tokio::test]
async fn the_file_has_the_routes_there_are_and_no_others() {
    let scene = Scene::new();
    let mut paths: Vec<_> = operations().map(|(path, method, _)| (path.as_str(), method.as_str())).collect();
    let mut served = Routes::PATHS.map(|path| (path, "post")).to_vec();
    paths.sort_unstable();
    served.sort_unstable();
    assert_eq!(paths, served);
    for path in Routes::PATHS {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let request =
                Request::builder().method(&method).uri(path).header("sec-fetch-site", "same-origin");
            let answer = ask(&scene.app, request.body(Body::empty()).expect("a request")).await;
            assert_eq!(answer.status, 405, "{method} {path}: served, but by POST only (s21)");
            assert_eq!(answer.headers["allow"], "POST");
        }
    }
}

#[test]
fn the_check_itself_finds_what_is_wrong() {
    let schema = |name: &str| &FILE["components"]["schemas"][name];
    let good = serde_json::json!({"error": "a", "message": "b"});
    assert!(is_valid(schema("Error"), &good));
    for bad in [
        serde_json::json!({"error": "a"}),
        serde_json::json!({"error": "a", "message": 7}),
        serde_json::json!({"error": "a", "message": "b", "token": "c"}),
        serde_json::json!("a"),
    ] {
        let checked = std::panic::catch_unwind(|| is_valid(schema("Error"), &bad));
        assert!(!checked.unwrap_or(false), "{bad}");
    }
    assert!(!is_valid(
        schema("SyncAnswer"),
        &serde_json::json!({"protocol": 2, "outcome": "applied", "revision": null, "document": {}})
    ));
    for bad in [
        serde_json::json!({"path": ["a"]}),
        serde_json::json!({"path": ["a"], "set": 1, "remove": true}),
        serde_json::json!({"path": [], "set": 1}),
        serde_json::json!({"path": ["__proto__"], "set": 1}),
    ] {
        assert!(!is_valid(schema("Change"), &bad), "{bad}");
    }
}
