//! Every store call of every operation fails once, in each way (s35): an error or success, never a half state, and a retry finds the
//! right thing (s23).

use strata_core::conformance::{Fault, block_on, every_call};
use strata_core::{Error, ErrorKind};
use strata_session::refresh::{RefreshToken, Rotation, Verdict};

use super::{Ground, SECOND, copy, ground, ground_with, same};

fn is_expected(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict)
}

/// Runs `act` on a fresh ground once for each call it makes, that one failing, and says how many there were.
fn each_call(make: impl Fn() -> Ground, fault: Fault, act: impl Fn(&mut Ground, &dyn Fn(&Ground))) -> u64 {
    for nth in 1.. {
        let mut ground = make();
        act(&mut ground, &|ground| ground.world.faulty.arm(nth, fault));
        ground.world.faulty.disarm();
        ground.agrees(&["ada", "bob"]);
        if ground.world.faulty.failed() == 0 {
            return nth - 1;
        }
    }
    unreachable!("operations end")
}

fn fails(act: impl Fn(&mut Ground, &dyn Fn(&Ground))) -> Vec<u64> {
    Fault::ALL.map(|fault| each_call(ground, fault, &act)).to_vec()
}

/// Exactly one of these tokens is current, and it rotates; nobody else's family was touched.
fn one_line(ground: &Ground, tokens: &[&RefreshToken]) {
    ground.advance(11 * SECOND);
    let living: Vec<_> = tokens
        .iter()
        .filter(|token| block_on(ground.tokens.inspect(token)).expect("inspect").is_some())
        .collect();
    assert_eq!(living.len(), 1, "exactly one live line");
    ground.rotated(living[0]);
}

#[test]
fn s23_a_rotation_that_fails_at_any_call_is_retried_to_one_line() {
    let calls = fails(|ground, arm| {
        let first = ground.issue("ada");
        arm(ground);
        let answer = block_on(ground.tokens.rotate(&first));
        ground.world.faulty.disarm();
        let second = match answer {
            Ok(rotation) => rotation.granted().expect("granted").0,
            Err(error) => {
                assert!(is_expected(&error), "{error:?}");
                ground.rotate(&copy(&first)).granted().expect("the client tries again").0
            }
        };
        assert!(same(&ground.retried(&first), &second), "and once more, for a lost answer");
        one_line(ground, &[&first, &second]);
    });
    assert_eq!(calls, [2, 2, 2], "a read and a commit");
}

/// The answer is lost, and so is all that follows: an outage of any length in the middle of a rotation.
#[test]
fn s23_an_outage_in_mid_rotation_leaves_one_line() {
    for fault in Fault::ALL {
        for nth in 1..=3 {
            let ground = ground();
            let first = ground.issue("ada");
            ground.world.faulty.arm_from(nth, fault);
            let answer = block_on(ground.tokens.rotate(&first));
            for _ in 0..3 {
                let again = block_on(ground.tokens.rotate(&first));
                assert!(again.as_ref().is_err_and(is_expected) || nth > 2 || answer.is_ok(), "{again:?}");
            }
            ground.world.faulty.disarm();
            let (second, _) = ground.rotate(&first).granted().expect("the client tries again");
            if let Ok(Rotation::Rotated { token, .. }) = &answer {
                assert!(same(token, &second));
            }
            one_line(&ground, &[&first, &second]);
        }
    }
}

#[test]
fn s35_a_retry_that_fails_changes_nothing() {
    let calls = fails(|ground, arm| {
        let first = ground.issue("ada");
        let second = ground.rotated(&first);
        arm(ground);
        let answer = block_on(ground.tokens.rotate(&first));
        ground.world.faulty.disarm();
        match answer {
            Ok(Rotation::Retried { token, .. }) => assert!(same(&token, &second)),
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(is_expected(&error), "{error:?}"),
        }
        one_line(ground, &[&first, &second]);
    });
    assert_eq!(calls, [1, 1, 1]);
}

/// A misuse is refused whatever fails, and its family ends, at the latest when the token is presented again.
#[test]
fn s35_a_misuse_is_never_granted() {
    let calls = fails(|ground, arm| {
        let first = ground.issue("ada");
        let second = ground.rotated(&first);
        ground.rotated(&second);
        arm(ground);
        let answer = block_on(ground.tokens.rotate(&first));
        ground.world.faulty.disarm();
        match answer {
            Ok(rotation) => assert_eq!(rotation.granted().expect_err("refused"), Verdict::StaleLineage),
            Err(error) => {
                assert!(is_expected(&error), "{error:?}");
                assert!(matches!(ground.refused(&first), Verdict::StaleLineage | Verdict::Unknown));
            }
        }
        assert!(ground.list("ada").is_empty());
    });
    assert_eq!(calls, [3, 3, 3], "the family, the roster, the commit of both");
}

#[test]
fn s35_a_beginning_that_fails_leaves_a_whole_family_or_none() {
    let calls = fails(|ground, arm| {
        let kept = ground.issue("ada");
        arm(ground);
        let answer = block_on(ground.tokens.issue("ada", ""));
        ground.world.faulty.disarm();
        match answer {
            Ok((token, _)) => drop(ground.rotated(&token)),
            Err(error) => assert!(is_expected(&error), "{error:?}"),
        }
        assert!((1..=2).contains(&ground.list("ada").len()));
        ground.rotated(&kept);
    });
    assert_eq!(calls, [2, 2, 2], "the roster, and the commit of both");
}

#[test]
fn s35_a_beginning_at_the_limit_ends_the_oldest_or_changes_nothing() {
    for fault in Fault::ALL {
        let calls = each_call(
            || ground_with(|builder| builder.max_families(1)),
            fault,
            |ground, arm| {
                let oldest = ground.issue("ada");
                arm(ground);
                let answer = block_on(ground.tokens.issue("ada", ""));
                ground.world.faulty.disarm();
                assert_eq!(ground.list("ada").len(), 1, "one, whatever fails");
                match answer {
                    Ok((token, _)) => {
                        assert_eq!(ground.refused(&oldest), Verdict::Unknown);
                        ground.rotated(&token);
                    }
                    Err(error) => assert!(is_expected(&error), "{error:?}"),
                }
            },
        );
        assert!(calls >= 3, "{calls} calls");
    }
}

#[test]
fn s35_endings_fail_whole_and_can_be_repeated() {
    type End = fn(&Ground, &RefreshToken) -> Result<u64, Error>;
    let endings: [(&str, End, u64); 4] = [
        ("end", |ground, token| block_on(ground.tokens.end(token)).map(u64::from), 3),
        ("revoke", |ground, token| block_on(ground.tokens.revoke(token.family())).map(u64::from), 3),
        ("revoke user", |ground, _| block_on(ground.tokens.revoke_user("ada")), 2),
        // A page, a commit, a page of rosters; one roster, its family and its commit.
        ("revoke all", |ground, _| block_on(ground.tokens.revoke_all()), 6),
    ];
    for (name, end, least) in endings {
        let calls = fails(|ground, arm| {
            let token = ground.issue("ada");
            arm(ground);
            let first = end(ground, &token);
            ground.world.faulty.disarm();
            let again = end(ground, &token).expect(name);
            match &first {
                Ok(count) => assert_eq!((*count, again), (1, 0), "{name}"),
                Err(error) => assert!(is_expected(error) && again <= 1, "{name}: {error:?}"),
            }
            assert_eq!(ground.refused(&token), Verdict::Unknown, "{name}");
            assert!(ground.list("ada").is_empty(), "{name}");
        });
        assert!(calls.iter().all(|calls| *calls >= least), "{name}: {calls:?}");
    }
}

#[test]
fn s35_looking_fails_or_is_right() {
    block_on(async {
        let ground = ground();
        let token = ground.tokens.issue("ada", "").await.expect("issue").0;
        for fault in Fault::ALL {
            let faulty = &ground.world.faulty;
            let calls = every_call(&**faulty, fault, async |_| {
                let list = ground.tokens.list("ada").await;
                assert!(list.as_ref().map_or_else(is_expected, |list| list.len() == 1), "{list:?}");
                let seen = ground.tokens.inspect(&token).await;
                assert!(seen.as_ref().map_or_else(is_expected, Option::is_some), "{seen:?}");
            });
            assert_eq!(calls.await, 3);
        }
    });
}

/// The store did it and could not say so: that is read back, and the caller has its answer.
#[test]
fn s23_an_answer_that_the_store_lost_is_found_out() {
    let mut ground = ground();
    ground.world.faulty.arm(2, Fault::LostAnswer);
    let first = ground.issue("ada");
    ground.world.faulty.arm(2, Fault::LostAnswer);
    let second = ground.rotated(&first);
    assert!(same(&ground.retried(&first), &second));
    assert_eq!(ground.world.faulty.failed(), 2);
    assert_eq!(ground.heard().len(), 3, "begun, rotated, retried");
    // Nothing is taken for done that was not.
    ground.world.faulty.arm(2, Fault::Unavailable);
    assert!(is_expected(&block_on(ground.tokens.rotate(&second)).expect_err("not done")));
    assert_eq!(ground.list("ada")[0].generation, 1);
}
