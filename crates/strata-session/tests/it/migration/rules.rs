//! Which rule decides, and what a rule that refuses leaves: nothing changed.

use strata_core::conformance::block_on;
use strata_core::{Error, ErrorKind, Result};
use strata_session::migration::{Cart, Migrated, Report, Rules};

use super::{ADA, Scene, cart, each_kind};
use crate::kind_of;

fn migrate(scene: &mut Scene, rules: Rules) -> Result<Migrated> {
    block_on(async { scene.guests.migrate(&mut scene.session, ADA).rules(rules).await })
}

#[test]
fn the_first_rule_that_matches_decides() {
    each_kind(|mut scene| {
        for (number, name) in
            ["cart:a", "cart:b", "seen:1", "seen:2", "theme", "other", "gone"].iter().enumerate()
        {
            scene.set(name, &number);
            if !["seen:2", "gone"].contains(name) {
                scene.give(name, &100_usize);
            }
        }
        let rules = Rules::new()
            .keep_guest("cart:b")
            .merge("cart:*", |user: usize, guest: usize| Ok(user + guest))
            .drop("seen:?")
            .drop("gone")
            .keep_guest("theme")
            .keep_user("*")
            .keep_guest("other");
        let report = migrate(&mut scene, rules).expect("migrated").report;
        let told = "merged: cart:a; kept: other; replaced: cart:b, theme; dropped: gone, seen:1, seen:2";
        assert_eq!(report.to_string(), told);
        let users = |name| scene.users::<usize>(name);
        assert_eq!((users("cart:a"), users("cart:b"), users("theme")), (Some(100), Some(1), Some(4)));
        assert_eq!((users("seen:1"), users("seen:2"), users("gone")), (Some(100), None, None));
        assert_eq!(users("other"), Some(100));
        scene.assert_clean();
    });
}

/// What no rule names stays the user's, or is moved.
#[test]
fn without_a_rule_the_users_stays() {
    each_kind(|mut scene| {
        scene.set("both", &1_u8);
        scene.give("both", &"another type".to_owned());
        scene.set("only", &1_u8);
        let report = migrate(&mut scene, Rules::new()).expect("migrated").report;
        assert_eq!((report.kept, report.moved), (vec!["both".to_owned()], vec!["only".to_owned()]));
        assert_eq!(scene.users::<String>("both").as_deref(), Some("another type"));
    });
}

/// Asserts that a refused migration has changed nothing.
fn assert_untouched(scene: &mut Scene, error: &Error, names: &[&str]) {
    assert!(names.iter().all(|name| error.message().contains(name)), "{error}");
    assert!(super::opens(&scene.world.sessions, &scene.token), "the old token still opens the session");
    assert_eq!(block_on(scene.guest.names()).expect("still a guest"), ["cart", "draft"]);
    assert_eq!(scene.users::<u8>("draft"), None);
    assert!(block_on(scene.guests.unfinished()).expect("a walk").is_empty());
    scene.set("draft", &2_u8);
}

/// Not again (g): quantities are bounded, by product and variant; a sum beyond it refuses all, with the name
/// and the product.
#[test]
fn migration_g_an_overflow_refuses_the_whole_migration() {
    each_kind(|mut scene| {
        scene.set("draft", &1_u8);
        scene.set("cart", &cart(&[("tea", 2)]));
        scene.give("cart", &cart(&[("tea", Cart::MAX_QUANTITY - 1)]));
        let error = migrate(&mut scene, Rules::standard()).expect_err("too much tea");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_untouched(&mut scene, &error, &["`cart`", "`tea`", "keeps or drops"]);
        // The way out: less in one of the carts, or a rule.
        scene.set("cart", &cart(&[("tea", 1)]));
        migrate(&mut scene, Rules::standard()).expect("migrated");
        assert_eq!(scene.users::<Cart>("cart"), Some(cart(&[("tea", Cart::MAX_QUANTITY)])));
        assert_eq!(scene.users::<u8>("draft"), Some(2));
        scene.assert_clean();
    });
}

/// Not again (g): something else than a cart is not handed on as one, also where the user has none.
#[test]
fn migration_g_what_is_no_cart_is_refused() {
    each_kind(|mut scene| {
        scene.set("draft", &1_u8);
        scene.set("cart", &vec![("tea".to_owned(), -3_i64)]);
        for user_has_one in [false, true] {
            if user_has_one {
                scene.give("cart", &cart(&[("tea", 1)]));
            }
            let error = migrate(&mut scene, Rules::standard()).expect_err("no cart");
            assert_eq!(error.kind(), ErrorKind::Mismatch);
            assert_untouched(&mut scene, &error, &["`cart`"]);
        }
        let report = migrate(&mut scene, Rules::standard().drop("x")).expect_err("the first rule wins");
        assert_eq!(report.kind(), ErrorKind::Mismatch);
        migrate(&mut scene, Rules::new().drop("cart")).expect("migrated");
        assert_eq!(scene.users::<Cart>("cart"), Some(cart(&[("tea", 1)])));
    });
}

/// A rule's refusal is never taken for a lost race: it is given once, as it is.
#[test]
fn a_refusal_is_not_tried_again() {
    each_kind(|mut scene| {
        for kind in [ErrorKind::Conflict, ErrorKind::Gone, ErrorKind::Unavailable] {
            scene.set("draft", &1_u8);
            scene.set("cart", &1_u8);
            scene.give("cart", &1_u8);
            let refuse = move |_: u8, _: u8| Err::<u8, _>(Error::new(kind, "merge", "no"));
            let error = migrate(&mut scene, Rules::new().merge("cart", refuse)).expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::Other);
            assert_untouched(&mut scene, &error, &["`cart`", "no"]);
        }
    });
}

/// What a merge makes too large to be stored is refused like any other refusal: nothing has changed.
#[test]
fn s38_a_merge_over_the_handles_limit_changes_nothing() {
    each_kind(|mut scene| {
        scene.set("draft", &1_u8);
        scene.set("cart", &"x".to_owned());
        scene.give("cart", &"x".to_owned());
        let grow = |_: String, _: String| Ok("x".repeat(1 << 20));
        let error = migrate(&mut scene, Rules::new().merge("cart", grow)).expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert_untouched(&mut scene, &error, &[]);
    });
}

#[test]
fn a_glob_that_cannot_be_read_refuses_before_anything_is_done() {
    each_kind(|mut scene| {
        scene.set("draft", &1_u8);
        let calls = scene.world.faulty.calls();
        let refused = migrate(&mut scene, Rules::new().drop("a\nb"));
        assert_eq!((kind_of(refused), scene.world.faulty.calls()), (ErrorKind::Invalid, calls));
    });
}

#[test]
fn rules_and_reports_print_names_only() {
    let rules = Rules::standard().drop("seen:*");
    let told = "{\"cart\": \"merge\", \"preferences\": \"merge\", \"seen:*\": \"drop\"}";
    assert_eq!(format!("{rules:?}"), told);
    assert_eq!(Report::default().to_string(), "nothing to migrate");
}
