//! Sessions as an operator sees and ends them.

use serde::{Deserialize, Serialize};
use strata::session::auth::{Device, User};

use crate::{Run, Shell, library};

/// What the application of these tests knows of its users; the tool does not.
#[derive(Serialize, Deserialize)]
struct Claims {
    tenant: String,
    secret_plan: u64,
}

/// Two sessions of ada, one of bob, one of a visitor. The ids, in that order, and every token.
fn with_sessions() -> (Shell, Vec<String>, Vec<String>) {
    let shell = Shell::with_value();
    let (ids, tokens) = library(&shell, async |db| {
        let auth = db.auth::<Claims>().expect("a manager");
        let claims = || Claims { tenant: "hidden-tenant".to_owned(), secret_plan: 4711 };
        let ada = User::new("ada").named("Ada").role("editor").permission("page:write").claims(claims());
        let device = Device::new().label("laptop").address("192.0.2.7");
        let bob = User::new("bob").claims(claims());
        let mut tokens = Vec::new();
        tokens.push(auth.login(&ada).device(device).await.expect("login").0);
        tokens.push(auth.login(&ada).remember().await.expect("login").0);
        tokens.push(auth.login(&bob).await.expect("login").0);
        tokens.push(db.sessions().expect("a manager").create().await.expect("create").0);
        let ids: Vec<String> = tokens.iter().map(|token| token.id().to_string()).collect();
        let tokens: Vec<String> = tokens.iter().map(|token| token.expose().to_string()).collect();
        (ids, tokens)
    });
    (shell, ids, tokens)
}

#[test]
fn sessions_of_both_kinds_are_listed_without_secrets_and_claims() {
    let (shell, ids, tokens) = with_sessions();
    let text = shell.done(&["sessions", "list"]);
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.starts_with("ID") && ids.iter().all(|id| text.contains(id)), "{text}");
    assert!(text.contains("laptop") && text.contains("192.0.2.7") && text.contains("basic"), "{text}");
    let shown = shell.done(&["sessions", "show", &ids[0]]);
    assert!(
        shown.contains("roles         editor\n") && shown.contains("permissions   page:write\n"),
        "{shown}"
    );
    for text in [text, shown] {
        assert!(!text.contains("hidden-tenant") && !text.contains("4711"), "{text}");
        assert!(tokens.iter().all(|token| !text.contains(&token[33..])), "no secret");
    }
    let of_ada = shell.json(&["sessions", "list", "--user", "ada"]);
    assert_eq!(of_ada.len(), 2);
    assert_eq!((&of_ada[0]["id"], &of_ada[0]["kind"]), (&ids[0].as_str().into(), &"auth".into()));
    assert_eq!((&of_ada[0]["device"], &of_ada[0]["remembered"]), (&"laptop".into(), &false.into()));
    assert_eq!(of_ada[1]["remembered"], true);
    let visitor = shell.json(&["sessions", "show", &ids[3]]);
    assert_eq!((&visitor[0]["kind"], visitor[0].get("user")), (&"basic".into(), None));
    assert_eq!(shell.json(&["sessions", "list", "--user", "nobody"]).len(), 0);
}

#[test]
fn s14_an_operator_ends_one_all_of_a_user_and_all() {
    let (shell, ids, _) = with_sessions();
    assert_eq!(shell.done(&["sessions", "revoke", &ids[0]]), format!("ended {}\n", ids[0]));
    shell.run(&["sessions", "revoke", &ids[0]]).fails(3, "no living session");
    shell.run(&["sessions", "show", &ids[0]]).fails(3, "no living session");
    assert_eq!(shell.json(&["sessions", "revoke-user", "ada"])[0]["ended"], 1);
    assert_eq!(shell.done(&["sessions", "revoke-user", "ada"]), "ended 0\n");
    assert_eq!(shell.done(&["sessions", "revoke-all", "--user", "nobody"]), "ended 0\n");
    assert_eq!(shell.json(&["sessions", "list"]).len(), 2, "bob and the visitor are still there");
    assert_eq!(shell.done(&["sessions", "revoke-all"]), "ended 2\n");
    assert_eq!(shell.json(&["sessions", "list"]).len(), 0);
    assert_eq!(shell.done(&["ls"]), "a\n", "what is no session is left");
}

#[test]
fn s05_a_token_given_in_place_of_an_id_is_refused_and_ends_nothing() {
    let (shell, _, tokens) = with_sessions();
    for word in ["show", "revoke"] {
        let run = Run::of(shell.command().args(["sessions", word, &tokens[0]]));
        run.fails(2, "session id");
        assert!(!run.err.contains(&tokens[0][33..]), "the secret is not repeated");
    }
    assert_eq!(shell.json(&["sessions", "list"]).len(), 4);
    let bad = shell.run(&["sessions", "list", "--user", ""]);
    bad.fails(2, "user id");
}

/// A refresh token would begin another session.
#[test]
fn s14_refresh_tokens_end_with_the_sessions() {
    let (shell, ..) = with_sessions();
    let families = |user: &'static str| {
        library(&shell, async move |db| {
            let refresh = db.refresh_tokens().expect("a manager");
            refresh.list(user).await.expect("list").len()
        })
    };
    library(&shell, async |db| {
        let refresh = db.refresh_tokens().expect("a manager");
        for (user, client) in [("ada", "phone"), ("ada", "laptop"), ("bob", "phone")] {
            refresh.issue(user, client).await.expect("issue");
        }
    });
    let ended = shell.done(&["sessions", "revoke-user", "ada"]);
    assert_eq!(ended, "ended 2, and 2 families of refresh tokens\n");
    assert_eq!((families("ada"), families("bob")), (0, 1));
    let ended = shell.json(&["sessions", "revoke-all"]);
    assert_eq!((&ended[0]["ended"], &ended[0]["families"]), (&2.into(), &1.into()));
    assert_eq!(families("bob"), 0);
}

#[test]
fn a_session_that_cannot_be_read_does_not_hide_the_others() {
    let (shell, ids, _) = with_sessions();
    let mut of_users = ids[..3].to_vec();
    of_users.sort();
    let (broken, next) = (of_users[0].clone(), of_users[1].clone());
    let name = broken.clone();
    library(&shell, async move |db| {
        let sessions = db.auth::<()>().expect("a manager");
        sessions.handle().set(&name, &1_u8).await.expect("set");
    });
    let run = shell.run(&["sessions", "list"]);
    run.fails(1, "another shape");
    assert!(
        run.out.contains(&next) && run.out.contains(&ids[3]) && !run.out.contains(&broken),
        "{}",
        run.out
    );
    assert_eq!(shell.json(&["sessions", "revoke-all"])[0]["ended"], 4);
}
