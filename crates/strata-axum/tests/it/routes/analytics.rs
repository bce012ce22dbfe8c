//! `POST /api/analytics/session`: each report is counted once, and told by itself.

use serde_json::{Value, json};
use strata_core::Clock as _;
use strata_core::conformance::Fault;

use super::Scene;

const PATH: &str = "/api/analytics/session";

fn report(scene: &Scene, visit: u8, path: &str) -> Value {
    let now = scene.world.clock.now().as_millis();
    let exit = json!({"path": path, "millis": 10});
    json!({
        "version": 1, "visit": format!("{visit:02x}").repeat(16), "started": now,
        "summary": {
            "visitor": "v".repeat(43), "user": null, "started": now, "ended": now + 10, "end": "left", "device": "desktop",
            "referrer": null, "entry": path, "exit": exit, "views": 1, "events": 0,
            "dropped": {"too_many": 0, "too_large": 0, "scrubbed": 0},
        },
        "events": [{"sequence": 0, "at": now, "act": {"view": {"path": path, "left": null}}}],
    })
}

async fn outcomes(scene: &Scene, reports: Vec<Value>) -> (u16, Vec<String>) {
    let answer = scene.json(PATH, None, json!({"reports": reports}).to_string()).await;
    let results = answer.json()["results"].as_array().expect("results").clone();
    let outcome = |result: &Value| result["outcome"].as_str().expect("an outcome").to_owned();
    (answer.status.as_u16(), results.iter().map(outcome).collect())
}

#[tokio::test]
async fn a_report_is_counted_once() {
    let scene = Scene::new();
    let (one, two) = (report(&scene, 1, "/a"), report(&scene, 2, "/b"));
    assert_eq!(outcomes(&scene, vec![one.clone()]).await, (200, vec!["counted".to_owned()]));
    let (status, both) = outcomes(&scene, vec![one, two]).await;
    assert_eq!((status, both), (200, vec!["duplicate".to_owned(), "counted".to_owned()]));
    let mut part = report(&scene, 3, "/c");
    part["summary"] = Value::Null;
    assert_eq!(outcomes(&scene, vec![part]).await, (200, vec!["unknown".to_owned()]));
    assert_eq!(outcomes(&scene, Vec::new()).await, (200, Vec::new()));
}

#[tokio::test]
async fn one_bad_report_does_not_spoil_the_others() {
    let scene = Scene::new();
    let good = || report(&scene, 1, "/a");
    let (long, mut newer) = (report(&scene, 2, &"x".repeat(600)), report(&scene, 3, "/c"));
    newer["version"] = json!(2);
    newer["events"] = json!({"of": "the future"});
    for (bad, status, outcome) in [
        (json!({"version": 1}), 422, "invalid"),
        (json!(7), 422, "invalid"),
        (long, 413, "too_large"),
        (newer, 501, "newer"),
    ] {
        let (came, each) = outcomes(&scene, vec![bad, good()]).await;
        assert_eq!((came, each[0].as_str()), (status, outcome));
        assert!(["counted", "duplicate"].contains(&each[1].as_str()));
    }
    assert_eq!(outcomes(&scene, vec![good()]).await.1, ["duplicate"]);
}

#[tokio::test]
async fn s38_a_batch_is_bounded() {
    let scene = Scene::new();
    for (body, status) in [
        ("{}".to_owned(), 400),
        ("[".to_owned(), 400),
        (json!({"reports": vec![json!(1); 101]}).to_string(), 413),
        (" ".repeat(5000), 413),
    ] {
        assert_eq!(scene.json(PATH, None, body).await.status, status);
    }
    assert_eq!(scene.post(PATH, "text/plain", "{}", &[]).await.status, 415, "as other sites could send");
}

#[tokio::test]
async fn an_outage_is_no_delivery() {
    let scene = Scene::new();
    let body = json!({"reports": [report(&scene, 1, "/a")]}).to_string();
    scene.world.faulty.arm_from(1, Fault::Unavailable);
    let answer = scene.json(PATH, None, body.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
    scene.world.faulty.disarm();
    assert_eq!(scene.json(PATH, None, body).await.json()["results"][0]["outcome"], "counted");
}
