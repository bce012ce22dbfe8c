//! Every order in which the store calls of two and three operations can meet.

use strata_core::conformance::block_on;
use strata_session::auth::AtLimit;

use super::meeting::{Meeting, meet, meet_at, sampled};
use super::opened;
use crate::raw;

const ACTIVE: [&str; 6] = ["set", "touch", "extend", "rotate", "reauthenticate", "change user"];
const RENEWING: [&str; 3] = ["rotate", "reauthenticate", "change user"];

/// The session has ended, and no token opens it.
fn over(end: &Meeting) {
    assert!(!end.living().contains(&end.token.id()));
}

/// Who logs out ends the session, or held a token that was replaced: then the session lives on under the new one.
fn one_of_them(end: &Meeting) {
    match end.said("logout") {
        Some(count) => {
            assert_eq!(count, 1);
            over(end);
        }
        None => assert!(end.living().contains(&end.token.id()), "nobody else has ended it"),
    }
}

#[test]
fn s13_a_session_logged_out_stays_ended() {
    for active in ACTIVE {
        let count = meet(&["logout", active], one_of_them);
        assert!(count >= 35, "{active}: {count} schedules");
    }
}

#[test]
fn s13_a_revoked_session_stays_ended() {
    for ending in ["revoke", "revoke user"] {
        for active in ACTIVE {
            let count = meet(&[ending, active], over);
            assert!(count >= 20, "{ending}, {active}: {count} schedules");
        }
    }
    let count = meet(&["revoke user", "reauthenticate"], |end| {
        assert!(block_on(raw(&*end.store)).is_empty(), "neither sessions nor rosters are left");
    });
    assert!(count >= 35, "{count} schedules");
    for ending in ["everywhere", "revoke all"] {
        for active in ["set", "extend"] {
            let count = meet(&[ending, active], over);
            assert!(count >= 20, "{ending}, {active}: {count} schedules");
        }
    }
}

#[test]
fn s13_three_operations_leave_no_session_behind() {
    let count = meet(&["logout", "set", "revoke user"], |end| {
        if end.said("logout").is_some() {
            over(end);
        }
    });
    assert!(count >= 1000, "{count} schedules");
    for (operations, least) in
        [(["revoke user", "set", "extend"], 1600), (["revoke user", "add", "rotate"], 2000)]
    {
        let count = meet(&operations, over);
        assert!(count >= least, "{operations:?}: {count} schedules");
    }
}

/// Too many to try all: some hundreds of each, drawn from a seed.
#[test]
fn s13_longer_meetings_leave_no_session_behind() {
    for operations in [
        &["logout", "set", "touch"][..],
        &["logout", "extend", "change user"],
        &["logout", "touch", "revoke user"],
        &["revoke user", "touch", "reauthenticate"],
        &["logout", "add", "rotate"],
        &["logout", "reauthenticate", "login", "revoke user"],
        &["revoke user", "login", "change user", "add"],
        &["everywhere", "reauthenticate", "replace", "others"],
        &["revoke all", "login", "reauthenticate", "logout"],
    ] {
        let count = sampled(2, AtLimit::EndOldest, operations, |_| {});
        assert!(count >= 400, "{operations:?}: {count} different schedules");
    }
}

#[test]
fn no_acknowledged_change_is_lost() {
    let count = sampled(100, AtLimit::EndOldest, &["set", "add", "add again"], |end| {
        for what in ["set", "add", "add again"] {
            assert_eq!(end.said(what), Some(1));
        }
    });
    assert!(count >= 400, "{count} schedules");
    for renewing in RENEWING {
        let count = meet(&["add", renewing], |end| assert_eq!(end.said(renewing_of(end)), Some(1)));
        assert!(count >= 20, "{renewing}: {count} schedules");
    }
}

fn renewing_of(end: &Meeting) -> &'static str {
    RENEWING.into_iter().find(|what| end.took_part(what)).expect("one of them")
}

/// Of two new tokens for one old one, exactly one is given out.
#[test]
fn s04_one_token_is_replaced_once() {
    for pair in [["rotate", "reauthenticate"], ["rotate", "change user"], ["reauthenticate", "change user"]] {
        let count = meet(&pair, |end| {
            let done = RENEWING.iter().filter(|what| end.took_part(what) && end.said(what).is_some()).count();
            assert_eq!(done, 1);
        });
        assert!(count >= 20, "{pair:?}: {count} schedules");
    }
}

#[test]
fn s15_logins_at_the_limit_leave_as_many_as_are_allowed() {
    let count = meet_at(2, AtLimit::EndOldest, &["login", "login again"], |end| {
        assert_eq!((end.living().len(), end.living_begun()), (2, 2));
    });
    assert!(count >= 20, "{count} schedules");
    let count = meet_at(3, AtLimit::Refuse, &["login", "login again"], |end| {
        assert!(end.was_full("login") ^ end.was_full("login again"), "room for one");
        assert_eq!((end.living().len(), end.living_begun()), (3, 1));
    });
    assert!(count >= 20, "{count} schedules");
    let count = meet_at(2, AtLimit::EndLeastActive, &["login", "touch"], |end| {
        assert_eq!((end.living().len(), end.living_begun()), (2, 1));
        assert!(opened(&end.auth, &end.second).is_none(), "the least active ended");
    });
    assert!(count >= 20, "{count} schedules");
    // Two sessions and room for one: a logout between the logins makes room for the other. Too many to try all.
    let count = sampled(3, AtLimit::Refuse, &["login", "login again", "logout"], |end| {
        let refused = ["login", "login again"].into_iter().filter(|what| end.was_full(what)).count();
        assert!(refused <= 1 && end.living_begun() == 2 - refused);
        assert_eq!(end.living().len(), 1 + end.living_begun());
    });
    assert!(count >= 400, "{count} different schedules");
}

/// A login that meets the end of all of its user's sessions is before it, and ends, or after it, and is whole.
#[test]
fn s14_a_login_and_the_end_of_all_do_not_race_past_each_other() {
    for ending in ["revoke user", "everywhere"] {
        let count = meet(&[ending, "login"], |end| {
            over(end);
            assert!(opened(&end.auth, &end.second).is_none());
            assert_eq!(end.living().len(), end.living_begun(), "nothing but the new one, if that");
        });
        assert!(count >= 20, "{ending}: {count} schedules");
    }
    let count = sampled(100, AtLimit::EndOldest, &["revoke user", "login", "login again"], |end| {
        assert_eq!(end.living().len(), end.living_begun());
    });
    assert!(count >= 20, "{count} schedules");
}

#[test]
fn s14_the_end_of_others_spares_its_own_and_whoever_comes_later() {
    for with in ["rotate", "reauthenticate", "set", "login"] {
        let count = meet(&["others", with], |end| {
            if end.said("others").is_some() {
                assert!(opened(&end.auth, &end.second).is_none());
            } else {
                assert!(opened(&end.auth, &end.second).is_some(), "a replaced token ends nothing");
            }
            assert!(end.living().contains(&end.token.id()));
        });
        assert!(count >= 35, "{with}: {count} schedules");
    }
}

/// A session that a login takes the place of ends with that commit, whatever its client does meanwhile; unless it was given a new
/// token before: then the login's is not its own.
#[test]
fn s04_a_replaced_session_ends_with_the_login() {
    for with in ["set", "touch", "rotate", "reauthenticate", "logout"] {
        let count = meet(&["replace", with], |end| {
            assert_eq!((end.said("replace"), end.living_begun()), (Some(1), 1));
            let renewed =
                matches!(with_of(end), "rotate" | "reauthenticate") && end.said(with_of(end)).is_some();
            assert_eq!(end.living().contains(&end.token.id()), renewed);
        });
        assert!(count >= 35, "{with}: {count} schedules");
    }
}

fn with_of(end: &Meeting) -> &'static str {
    ["set", "touch", "rotate", "reauthenticate", "logout"]
        .into_iter()
        .find(|what| end.took_part(what))
        .expect("one of them")
}

/// Time passes while an operation is under way: it may have begun before the session died, and reach the store after. A session that
/// lives on that way must not have lost its place in the roster, or the end of all would miss it.
#[test]
fn s14_no_session_lives_on_unlisted() {
    for with in ["touch", "extend", "set", "rotate", "reauthenticate"] {
        let count = meet_at(2, AtLimit::EndOldest, &["pass", with, "login"], |_| {});
        assert!(count >= 245, "{with}: {count} schedules");
    }
    for with in ["touch", "extend", "set", "rotate"] {
        let count = meet(&["pass", with, "revoke all"], |_| {});
        assert!(count >= 900, "{with}: {count} schedules");
    }
}

/// Who logs out just when the session has died by idleness is told that it had ended. Activity that began before that does not make
/// this untrue.
#[test]
fn s13_activity_does_not_outlive_a_logout_from_a_dead_session() {
    for ending in ["logout", "revoke", "revoke user"] {
        for with in ["touch", "extend", "set"] {
            let count = meet(&["pass", with, ending], over);
            assert!(count >= 120, "{with}, {ending}: {count} schedules");
        }
    }
}

/// What was acknowledged after a rotation was so after it: the replaced token, in flight all the while, ends nothing any more.
#[test]
fn s04_a_replaced_token_ends_no_others_afterwards() {
    const LATER: &str = "rotate, and go on in the second";
    let count = meet(&["others", LATER], |end| {
        let went_on = end.said(LATER).is_some();
        assert_eq!(opened(&end.auth, &end.second).is_some(), went_on);
        assert_eq!(end.said("others").is_none(), went_on);
    });
    assert!(count >= 35, "{count} schedules");
}
