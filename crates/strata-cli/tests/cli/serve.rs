//! `strata serve`, spoken to over sockets: what is true of it over restarts, kills, bad input and slow clients.

mod service;

use std::io::{BufRead as _, BufReader};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::service::{Answer, Events, Service};
use crate::{Run, Shell, end};

#[test]
fn restarted_and_killed_it_still_knows_who_is_signed_in() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    assert_eq!(service.passwords.keys().collect::<Vec<_>>(), ["ada", "grace", "operator"]);
    let cookies = service.login("ada", "").cookies();
    let (passwords, mut events) = (service.passwords.clone(), Events::open(&service, &cookies));
    let began = Instant::now();
    assert_eq!(service.terminate(), Some(0), "{}", shell.log());
    assert!(began.elapsed() < Duration::from_secs(8), "a stream of events holds nothing up");
    assert_eq!(events.wait("signed-out"), None, "the end of the service is nobody's sign-out");
    assert!(shell.log().contains("everything is on disk"), "{}", shell.log());

    let mut service = Service::start(&shell);
    assert!(service.passwords.is_empty(), "passwords are shown once");
    service.passwords = passwords;
    let me = service.get("/api/me", &cookies).body;
    assert_eq!((&me["user"]["id"], &me["session"]["current"]), (&"ada".into(), &true.into()), "{me}");
    let added = service.ask("POST", "/api/values/n/add", &[("Cookie", &cookies)], Some(&json!({ "by": 3 })));
    assert_eq!(added.body["value"], 3, "{added:?}");
    let grace = service.login("grace", "").cookies();
    service.kill();

    let service = Service::start(&shell);
    assert_eq!(service.get("/api/me", &cookies).body["user"]["id"], "ada");
    assert_eq!(service.get("/api/me", &grace).body["user"]["id"], "grace");
    assert_eq!(service.get("/api/values/n", &cookies).body["value"], 3);
    service.kill();
}

#[test]
fn new_passwords_end_the_sessions_of_the_old_ones() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    let (old, cookies) = (service.passwords.clone(), service.login("ada", "").cookies());
    service.kill();
    let service = Service::start_with(&shell, &["--new-passwords"]);
    assert_eq!(service.get("/api/me", &cookies).body["user"], Value::Null);
    let stale = json!({ "user": "ada", "password": old["ada"] });
    service.ask("POST", "/api/login", &[], Some(&stale)).is(401, "wrong_credentials");
    service.login("ada", "");
    service.kill();
}

#[test]
fn a_guests_cart_becomes_the_users_and_nothing_doubles() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    let add = |cookies: &str, product: &str, quantity: u32| {
        let line = json!({ "product": product, "quantity": quantity });
        service.ask("POST", "/api/cart", &[("Cookie", cookies)], Some(&line))
    };
    let first = add("", "tea", 2);
    let guest = first.cookies();
    assert!(guest.starts_with("__Host-session="), "{first:?}");
    assert_eq!(first.headers("cache-control"), ["no-store"]);
    assert_eq!(service.get("/api/me", &guest).body["cart"], json!([{ "product": "tea", "quantity": 2 }]));
    let login = service.login("ada", &guest);
    assert_eq!(login.body["migration"]["moved"], json!(["cart"]));
    let ada = login.cookies();
    assert!(ada.starts_with("__Host-auth=") && !ada.contains("__Host-session="), "{login:?}");
    assert_eq!(add(&ada, "tea", 1).body["cart"], json!([{ "product": "tea", "quantity": 3 }]));
    // The guest is over: what is sent in its name begins another.
    let other = add(&guest, "cup", 1);
    assert_eq!(other.body["cart"], json!([{ "product": "cup", "quantity": 1 }]));
    let again = service.login("ada", &format!("{ada}; {}", other.cookies()));
    assert_eq!(again.body["migration"]["merged"], json!(["cart"]));
    let cart = json!([{ "product": "cup", "quantity": 1 }, { "product": "tea", "quantity": 3 }]);
    assert_eq!(service.get("/api/cart", &again.cookies()).body["cart"], cart);
    assert_eq!(
        service.get("/api/sessions", &again.cookies()).body["sessions"].as_array().map(Vec::len),
        Some(1)
    );
    service.kill();
}

#[test]
fn s14_what_is_ended_leaves_within_a_second_and_is_refused_by_the_next_request() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    let (one, other) = (service.login("ada", "").cookies(), service.login("ada", "").cookies());
    let program = service.token("ada");
    let grace = service.login("grace", "").cookies();
    let list = service.get("/api/sessions", &one).body["sessions"].clone();
    let ids: Vec<&str> =
        list.as_array().expect("a list").iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(ids.len(), 3, "{list}");
    assert_eq!((&list[0]["current"], &list[1]["current"]), (&true.into(), &false.into()));
    let revoke = |cookies: &str, id: &str| {
        service.ask("DELETE", &format!("/api/sessions/{id}"), &[("Cookie", cookies)], None)
    };
    revoke(&grace, ids[1]).is(404, "not_found");
    let mut events = Events::open(&service, &other);
    let began = Instant::now();
    assert_eq!(revoke(&one, ids[1]).body["ended"], 1);
    events.wait("signed-out").expect("an event");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(service.get("/api/me", &other).body["user"], Value::Null);
    service.get("/api/sessions", &other).is(401, "signed_out");

    let others = service.ask("POST", "/api/session/logout-others", &[("Cookie", &one)], None);
    assert_eq!(others.body["ended"], 1, "{others:?}");
    service.ask("GET", "/api/me", &[("Authorization", &program)], None).is(401, "signed_out");
    let third = service.login("ada", "").cookies();
    let mut events = Events::open(&service, &third);
    let began = Instant::now();
    let out = service.ask("POST", "/api/session/logout-everywhere", &[("Cookie", &one)], None);
    assert_eq!((&out.body["ended"], out.cookies().as_str()), (&2.into(), ""), "{out:?}");
    events.wait("signed-out").expect("an event");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(service.get("/api/me", &grace).body["user"]["id"], "grace");
    service.kill();
}

#[test]
fn tabs_of_one_browser_hear_of_each_others_changes() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    assert_eq!(service.get("/api/events", "").status, 204, "nobody's events");
    let guest =
        service.ask("POST", "/api/cart", &[], Some(&json!({ "product": "tea", "quantity": 1 }))).cookies();
    let mut events = Events::open(&service, &guest);
    let ada = service.login("ada", &guest).cookies();
    events.wait("changed").expect("the guest has become a user");
    let mut events = Events::open(&service, &ada);
    service.login("grace", "");
    service.ask("POST", "/api/cart", &[("Cookie", &ada)], Some(&json!({ "product": "tea", "quantity": 1 })));
    assert_eq!(events.what(), "cart", "what others do is not told");
    service.ask("PUT", "/api/values/x", &[("Cookie", &ada)], Some(&json!({ "any": [1, null] })));
    assert_eq!(events.what(), "values");
    let elsewhere = service.login("ada", "").cookies();
    assert_eq!(events.what(), "sessions");
    service.ask("POST", "/api/session/logout", &[("Cookie", &elsewhere)], None);
    assert_eq!(events.what(), "sessions");
    assert_eq!(service.get("/api/values/x", &ada).body["value"], json!({ "any": [1, null] }));
    let out = service.ask("POST", "/api/session/logout", &[("Cookie", &ada)], None);
    assert_eq!((out.status, out.cookies().as_str()), (200, ""), "{out:?}");
    events.wait("signed-out").expect("signed out");
    assert_eq!(events.wait("changed"), None, "the stream has ended");
    service.kill();
}

#[test]
fn concurrent_additions_are_all_there() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    let token = service.token("ada");
    let add = |by: i64| {
        service.ask("POST", "/api/values/n/add", &[("Authorization", &token)], Some(&json!({ "by": by })))
    };
    let mut sums: Vec<i64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..4).map(|_| add(1).body["value"].as_i64().expect("a sum")).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("joined")).collect()
    });
    sums.sort_unstable();
    assert_eq!(sums, (1..=32).collect::<Vec<i64>>(), "each sum was answered once");
    add(i64::MAX).is(400, "invalid");
    assert_eq!(add(0).body["value"], 32, "a refused addition changes nothing");
    service.kill();
}

#[test]
fn wrong_passwords_and_unknown_names_are_told_alike_and_held_back() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    let log_in = |user: &str, password: &str| {
        service.ask("POST", "/api/login", &[], Some(&json!({ "user": user, "password": password })))
    };
    let (wrong, unknown) = (log_in("ada", "guess"), log_in("nobody", "guess"));
    wrong.is(401, "wrong_credentials");
    assert_eq!((unknown.status, &unknown.body), (wrong.status, &wrong.body));
    for _ in 0..4 {
        log_in("ada", "guess").is(401, "wrong_credentials");
    }
    let held = log_in("ada", &service.passwords["ada"]);
    held.is(429, "too_many_attempts");
    let wait: u64 = held.headers("retry-after")[0].parse().expect("seconds");
    assert!((1..=30).contains(&wait), "{held:?}");
    service.login("grace", "");
    log_in("ada", "").is(401, "wrong_credentials");
    log_in("ada", &"x".repeat(2000)).is(401, "wrong_credentials");
    service.kill();
}

/// A program's refresh token would bring it back.
#[test]
fn s14_a_programs_tokens_are_refreshed_and_end_together() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    let sign_in = json!({ "user": "ada", "password": service.passwords["ada"], "token": true });
    let refresh = |answer: &Answer| {
        let body = json!({ "grant_type": "refresh_token", "refresh_token": answer.body["refresh_token"] });
        service.ask("POST", "/api/auth/refresh", &[], Some(&body))
    };
    let me = |answer: &Answer| {
        let bearer = format!("Bearer {}", answer.body["access_token"].as_str().expect("a token"));
        service.ask("GET", "/api/me", &[("Authorization", &bearer)], None)
    };
    let first = service.ask("POST", "/api/login", &[], Some(&sign_in));
    assert_eq!(
        (first.cookies().as_str(), first.headers("cache-control")),
        ("", vec!["no-store"]),
        "{first:?}"
    );
    let second = refresh(&first);
    assert_eq!(me(&second).body["user"]["id"], "ada", "{second:?}");
    let browser = service.login("ada", "").cookies();
    let id = me(&second).body["session"]["id"].as_str().expect("an id").to_owned();
    let revoked = service.ask("DELETE", &format!("/api/sessions/{id}"), &[("Cookie", &browser)], None);
    assert_eq!(revoked.body["ended"], 1, "{revoked:?}");
    me(&second).is(401, "signed_out");
    assert_eq!(refresh(&second).body["error"], "invalid_grant");
    let third = service.ask("POST", "/api/login", &[], Some(&sign_in));
    let everywhere = service.ask("POST", "/api/session/logout-everywhere", &[("Cookie", &browser)], None);
    assert_eq!(everywhere.status, 200, "{everywhere:?}");
    assert_eq!((me(&third).status, refresh(&third).status), (401, 400));
    service.kill();
}

#[test]
fn operators_alone_see_everybody() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    let (ada, operator) = (service.login("ada", "").cookies(), service.login("operator", "").cookies());
    for path in ["sessions", "insight", "stats"].map(|word| format!("/api/operator/{word}")) {
        service.get(&path, "").is(401, "signed_out");
        service.get(&path, &ada).is(403, "forbidden");
    }
    service
        .ask("DELETE", "/api/operator/users/operator/sessions", &[("Cookie", &ada)], None)
        .is(403, "forbidden");
    let list = service.get("/api/operator/sessions", &operator).body;
    assert_eq!((list["sessions"].as_array().map(Vec::len), &list["more"]), (Some(2), &false.into()));
    assert_eq!(service.get("/api/operator/stats", &operator).body["sessions"]["users"], 2);

    let view = |consent: bool, ends: bool| {
        let view =
            json!({ "visitor": "v1", "page": "/cart?x=1", "width": 375, "consent": consent, "ends": ends });
        service.ask("POST", "/api/visit", &[("Cookie", &ada)], Some(&view)).body["counted"].clone()
    };
    assert_eq!((view(true, false), view(true, true)), (true.into(), true.into()));
    let insight = service.get("/api/operator/insight?since=1h", &operator).body;
    assert_eq!((&insight["visits"], &insight["views"]), (&1.into(), &2.into()), "{insight}");
    assert_eq!(insight["pages"]["top"][0]["name"], "/cart");
    assert_eq!(insight["devices"][0], json!({ "device": "mobile", "visits": 1 }));
    assert_eq!(view(false, false), false, "without consent");
    assert_eq!(service.get("/api/operator/insight?since=1h", &operator).body["visits"], 0, "forgotten");
    service.get("/api/operator/insight?since=soon", &operator).is(400, "invalid");

    let out = service.ask("DELETE", "/api/operator/users/ada/sessions", &[("Cookie", &operator)], None);
    assert_eq!(out.body["ended"], 1);
    assert_eq!(service.get("/api/me", &ada).body["user"], Value::Null);
    service.kill();
}

#[test]
fn s38_bad_input_is_refused_with_a_reason_and_the_service_goes_on() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    let cookies = service.login("ada", "").cookies();
    let post = |path: &str, media: &str, body: &str| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: {cookies}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: {media}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            service.address,
            body.len()
        );
        service.raw(head.as_bytes())
    };
    let json = "application/json";
    post("/api/cart", json, "{\"product\": \"tea\"").is(400, "invalid");
    post("/api/cart", json, "{\"product\": \"tea\", \"quantity\": 1, \"price\": 0}").is(400, "invalid");
    post("/api/cart", json, "{\"product\": \"tea\", \"quantity\": -1}").is(400, "invalid");
    post("/api/cart", json, "{\"product\": \"tea\", \"quantity\": 0}").is(400, "invalid");
    post("/api/cart", json, "{\"product\": \"tea\", \"quantity\": 10001}").is(413, "too_large");
    post("/api/cart", "text/plain", "{\"product\": \"tea\", \"quantity\": 1}")
        .is(415, "unsupported_media_type");
    post("/api/login", json, &format!("{{\"user\": \"{}\"}}", "x".repeat(70_000))).is(413, "too_large");
    service.get("/api/nothing", &cookies).is(404, "not_found");
    service.ask("DELETE", "/api/sessions/zzz", &[("Cookie", &cookies)], None).is(404, "not_found");
    service.ask("DELETE", "/api/sessions/%FF", &[("Cookie", &cookies)], None).is(400, "invalid");
    service.get("/api/values/%FF", &cookies).is(400, "invalid");
    let operator = service.login("operator", "").cookies();
    service.get("/api/operator/insight?since=1h&since=2h", &operator).is(400, "invalid");
    service.ask("POST", "/api/session/logout", &[("Cookie", &operator)], None);
    service.ask("PATCH", "/api/cart", &[("Cookie", &cookies)], None).is(405, "method_not_allowed");
    for headers in [[("Sec-Fetch-Site", "cross-site")], [("Origin", "https://evil.example")]] {
        let headers = [&headers[..], &[("Cookie", cookies.as_str())]].concat();
        service.ask("POST", "/api/session/logout-everywhere", &headers, None).is(403, "cross_site");
    }
    let twice = format!("{cookies}; {cookies}");
    let wrong_case = cookies.replace("__Host-", "__host-");
    for nobody in [twice.as_str(), &wrong_case, "=__Host-auth=x", "__Host-auth=x", ";;;", "__Host-auth"] {
        assert_eq!(service.get("/api/me", nobody).body["user"], Value::Null, "{nobody}");
    }
    let long = "x".repeat(40_000);
    assert_eq!(service.ask("GET", "/health", &[("X-Long", &long)], None).status, 431);
    assert_eq!(service.raw(b"nonsense\r\n\r\n").status, 400);
    assert_eq!(service.get("/api/me", &cookies).body["user"]["id"], "ada", "nothing of it did anything");
    let metrics = service.get("/metrics", "").body;
    let text = metrics.as_str().expect("text");
    assert!(
        text.contains("strata_http_requests_total{route=\"other\",method=\"GET\",status=\"404\"} 1"),
        "{text}"
    );
    assert!(text.contains("strata_sessions_active{kind=\"user\"} 1"), "{text}");
    assert!(!text.contains("nothing") && !text.contains("evil"), "no label comes from a client: {text}");
    service.kill();
}

/// Each route of the document is there, and answers as the document says, to an operator and to nobody.
#[test]
fn the_document_of_the_api_is_what_is_served() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/service.openapi.json"));
    let document: Value = serde_json::from_str(text).expect("JSON");
    let operator = service.login("operator", "").cookies();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let target = path.replace("{id}", &"0".repeat(32)).replace("{name}", "n").replace("{user}", "nobody");
        for (method, operation) in methods.as_object().expect("methods") {
            // The streams go on, and the session is needed to the end.
            if target == "/api/events" || target.ends_with("-everywhere") {
                continue;
            }
            for cookies in ["", &operator] {
                let answer = service.ask(&method.to_uppercase(), &target, &[("Cookie", cookies)], None);
                let expected = &operation["responses"][answer.status.to_string()];
                assert!(expected.is_object(), "{method} {path} as {cookies:?}: {answer:?}");
                let schema = &expected["content"]["application/json"]["schema"];
                let named = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next());
                let schema = named.map_or(schema, |name| &document["components"]["schemas"][name]);
                for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    assert!(answer.body.get(field).is_some(), "{field} in {method} {path}: {answer:?}");
                }
                assert!(answer.status != 404 || path.contains('{'), "{method} {path}");
                asked += 1;
            }
        }
    }
    assert!(asked > 30, "{asked}");
    service.kill();
}

#[test]
fn slow_and_half_closed_clients_hold_nothing_up() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    let cookies = service.login("ada", "").cookies();
    let slow: Vec<TcpStream> =
        (0..64).map(|_| service.send(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")).collect();
    let part = format!(
        "POST /api/cart HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\n\
         Content-Length: 500\r\n\r\n{{\"product\": \"tea\", "
    );
    let half: Vec<TcpStream> = (0..8).map(|_| service.send(part.as_bytes())).collect();
    for stream in &half {
        stream.shutdown(Shutdown::Write).expect("half closed");
    }
    // Connections that say nothing at all.
    let silent: Vec<TcpStream> = (0..64).map(|_| service.send(b"")).collect();
    assert_eq!(service.get("/health", "").body["status"], "ok");
    assert_eq!(service.get("/api/me", &cookies).body["cart"], json!([]), "half a request did nothing");
    let began = Instant::now();
    assert_eq!(service.terminate(), Some(0), "{}", shell.log());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    drop((slow, half, silent));
}

/// With few files there is room for 32 connections, 24 of them streams.
#[test]
#[cfg(unix)]
fn streams_of_events_leave_room_for_requests() {
    let shell = Shell::new();
    let service = Service::start_by(&shell, limited(&shell.command()), &[]);
    let cookies = service.login("ada", "").cookies();
    let streams: Vec<Events> = (0..24).map(|_| Events::open(&service, &cookies)).collect();
    let refused = service.get("/api/events", &cookies);
    refused.is(503, "unavailable");
    assert_eq!(refused.headers("retry-after"), ["15"]);
    assert_eq!(service.get("/api/me", &cookies).status, 200);
    let metrics = service.get("/metrics", "").body;
    assert!(!metrics.as_str().expect("text").contains("strata_store_errors_total{"), "{metrics}");
    drop(streams);
    service.kill();
}

/// The command, allowed 160 files.
#[cfg(unix)]
fn limited(command: &Command) -> Command {
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", "ulimit -n 160 && exec \"$0\" \"$@\""]).arg(command.get_program());
    let set = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    limited.args(command.get_args()).env_clear().envs(set).stdin(Stdio::null());
    limited
}

#[test]
fn a_later_start_tells_the_way_to_new_passwords() {
    let shell = Shell::new();
    Service::start(&shell).kill();
    let mut child = shell
        .command()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("spawn");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let told: Vec<String> = lines.take(3).map(|line| line.expect("a line")).collect();
    end(&mut child);
    assert!(told[0].starts_with("listening on http://127.0.0.1:"), "{told:?}");
    assert!(told[2].contains("`--new-passwords`"), "{told:?}");
}

#[test]
fn a_port_in_use_is_told_with_the_way_out_and_makes_no_store() {
    let shell = Shell::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let serve = |address: &str| Run::of(shell.command().args(["serve", "--listen", address]));
    let run = serve(&address);
    run.fails(4, "is in use by another program");
    assert!(run.err.contains("--listen 127.0.0.1:0"), "{run:?}");
    serve("192.0.2.1:7878").fails(2, "no address of this machine");
    assert!(!shell.at("data").exists() && !shell.at("key").exists(), "nothing was made");
    let both = Run::of(shell.command().args(["serve", "--data", "x", "--listen", "127.0.0.1:0"]));
    both.fails(2, "leave one of them out");
}

#[test]
fn a_store_that_another_service_holds_is_refused() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    let run = shell.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("another process"), "{run:?}");
    assert_eq!(service.get("/health", "").status, 200);
    service.kill();
}

#[test]
fn s05_the_log_holds_no_secret_and_the_page_asks_nobody_else() {
    let shell = Shell::new();
    let service = Service::start(&shell);
    let cookies = service.login("ada", "").cookies();
    let token = service.token("grace");
    service.get("/api/me", &cookies);
    service.ask("POST", "/api/login", &[], Some(&json!({ "user": "ada", "password": "guessed-wrong" })));
    service.ask("GET", "/api/me", &[("Authorization", &format!("{token}x"))], None);
    let secrets: Vec<String> = service.passwords.values().cloned().collect();
    let page = service.raw(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let policy = page.headers("content-security-policy");
    assert!(policy[0].starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy:?}");
    assert!(!policy[0].contains("unsafe"), "{policy:?}");
    let html = page.body.as_str().expect("a page").to_owned();
    for path in ["/console.css", "/console.js", "/icon.svg"] {
        assert!(html.contains(path) && service.get(path, "").status == 200, "{path}");
    }
    assert!(!html.contains("http:") && !html.contains("https:") && !html.contains(" style="), "{html}");
    assert_eq!(service.terminate(), Some(0));
    let log = shell.log();
    assert!(log.contains("session created") && log.lines().all(|line| line.starts_with('{')), "{log}");
    let cookie = cookies.split('.').nth(1).expect("a secret");
    let bearer = token.split('.').nth(1).expect("a secret");
    for secret in secrets.iter().map(String::as_str).chain([cookie, bearer, "guessed-wrong", "argon2id"]) {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
