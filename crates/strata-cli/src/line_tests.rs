//! Whether lines say what was meant, and broken ones nothing they should not.

use super::*;

fn read(text: &str) -> Result<(String, Record)> {
    Line::parse(text.as_bytes())?.read()
}

#[test]
fn exported_records_come_back_as_they_were() {
    let body = |body| Exported {
        key: "cart:é".to_owned(),
        body,
        created: 5,
        expiry: [10, 3, u64::MAX],
        tags: vec!["t".to_owned()],
    };
    for record in [
        body(Body::Sealed(vec![0, 255, 7])),
        body(Body::Plain { codec: 2, shape: 0, bytes: b"{\"a\":[1,0.1,null]}".to_vec() }),
        body(Body::Plain { codec: 1, shape: 77, bytes: vec![1, 2] }),
        Exported { expiry: [u64::MAX, 0, u64::MAX], tags: vec![], ..body(Body::Sealed(vec![])) },
    ] {
        let text = serde_json::to_string(&Line::of(record.clone()).expect("line")).expect("json");
        let (key, back) = read(&text).expect("reads back");
        let Record::Exported(back) = back else { panic!("an exported record") };
        assert!(key == record.key && back == record, "{text}");
    }
}

#[test]
fn a_persons_line_says_value_life_tags_and_durability() {
    let text = r#"{"key":"k","value":null,"tags":["t"],"idle":"30m","at_most":"12h","durability":"relaxed"}"#;
    let (key, record) = read(text).expect("a line");
    let Record::Value { value, life, tags, durability } = record else { panic!("a value") };
    let minutes = |count: u64| std::time::Duration::from_secs(count * 60);
    assert_eq!((key.as_str(), value), ("k", Value::Null));
    assert_eq!(life, Some(Lifetime::idle(minutes(30)).at_most(minutes(720))));
    assert_eq!((tags, durability), (Some(vec!["t".to_owned()]), Some(Durability::Relaxed)));
}

#[test]
fn a_batch_is_lines_that_belong_together() {
    let job = |text: &str| Line::parse(text.as_bytes())?.job();
    let both = job(r#"{"batch":[{"key":"a","value":1},{"key":"b","remove":true}]}"#).expect("a batch");
    assert_eq!(both.keys(), ["a", "b"]);
    let Job::Batch(members) = both else { panic!("a batch") };
    assert!(matches!(members[..], [(_, Record::Value { .. }), (_, Record::Remove)]));
    for (text, says) in [
        (r#"{"batch":[],"key":"a"}"#, "no other words"),
        (r#"{"batch":[],"ttl":"1h"}"#, "no other words"),
        (r#"{"batch":[{"batch":[]}]}"#, "part of a batch"),
        (r#"{"batch":[{"key":"a","sealed":"AAAA","expiry":{}}]}"#, "a line of its own"),
        (r#"{"batch":[{"key":"a"}]}"#, "exactly one"),
        (r#"{"batch":[["hunter2",1]]}"#, "wrong type"),
        (r#"{"batch":7}"#, "wrong type"),
    ] {
        let error = job(text).err().expect(text);
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
}

#[test]
fn broken_lines_are_refused_without_showing_their_values() {
    for (text, says) in [
        ("", "no JSON"),
        ("{\"key\":\"k\",\"value\":\"hunter2\"", "no JSON"),
        ("{\"key\":\"k\"}", "exactly one"),
        ("{\"key\":\"k\",\"value\":1,\"sealed\":\"\"}", "exactly one"),
        ("{\"key\":\"k\",\"value\":1,\"hunter\":2}", "unknown field"),
        ("{\"key\":\"k\",\"value\":1,\"tags\":\"hunter2\"}", "wrong type"),
        ("{\"key\":\"k\",\"value\":1,\"ttl\":\"0s\"}", "zero"),
        ("{\"key\":\"k\",\"value\":1,\"ttl\":\"soon\"}", "whole numbers"),
        ("{\"key\":\"k\",\"value\":1,\"expire_at\":\"soon\"}", "RFC 3339"),
        ("{\"key\":\"k\",\"value\":1,\"durability\":\"eternal\"}", "`power`"),
        ("{\"key\":\"k\",\"sealed\":\"hunter2!\",\"expiry\":{}}", "base64"),
        ("{\"key\":\"k\",\"sealed\":\"AAAA\"}", "`expiry`"),
        ("{\"key\":\"k\",\"bincode\":\"AAAA\",\"expiry\":{}}", "`shape`"),
        ("{\"key\":\"k\",\"value\":1,\"expiry\":{},\"ttl\":\"1h\"}", "other words"),
        (
            "{\"key\":\"k\",\"value\":[{\"hunter2\":1,\"hunter2\":2}]}",
            "duplicate field in an object of the value",
        ),
        ("{\"key\":\"k\",\"value\":18446744073709551616}", "beyond 64 bits"),
        ("{\"key\":\"k\",\"remove\":false}", "a removal is"),
        ("{\"key\":\"k\",\"remove\":true,\"value\":\"hunter2\"}", "and no more"),
        ("[\"hunter2\",1]", "is a list"),
        ("7", "wrong type"),
    ] {
        let error = read(text).err().expect(text);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(says), "{text}: {error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
