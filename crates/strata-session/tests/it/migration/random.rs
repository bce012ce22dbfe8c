//! Guests, users, rules and writes drawn at random, in an order drawn as well: what was acknowledged is
//! neither lost nor doubled, and a migration that was given up midway comes to the same end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use strata_core::conformance::{Stepped, Task, World, block_on, sampled_schedules};
use strata_core::{ErrorKind, Result, Store};
use strata_session::migration::Rules;

use super::{ADA, Scene, batches, few, per_key};

/// What one name holds and what its rule is. Each value is a sum of ones, tens and so on: whose part is in it
/// can be read off.
#[derive(Clone, Debug)]
struct Name {
    guest: Option<u64>,
    user: Option<u64>,
    rule: Rule,
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    Merge,
    KeepUser,
    KeepGuest,
    Drop,
}

/// A write of the guest or the user meanwhile: adds to a value, making it if there is none.
#[derive(Clone, Debug)]
struct Add {
    by_guest: bool,
    name: usize,
    amount: u64,
}

fn names() -> impl Strategy<Value = Vec<Name>> {
    let rule = prop_oneof![
        3 => Just(Rule::Merge),
        1 => Just(Rule::KeepUser),
        1 => Just(Rule::KeepGuest),
        1 => Just(Rule::Drop),
    ];
    let value = || proptest::option::of(1_u64..9);
    let name = (value(), value(), rule).prop_map(|(guest, user, rule)| Name { guest, user, rule });
    proptest::collection::vec(name, 1..5)
}

fn adds() -> impl Strategy<Value = Vec<Add>> {
    let add = (any::<bool>(), 0_usize..4, 0_u32..4).prop_map(|(by_guest, name, power)| Add {
        by_guest,
        name,
        amount: 100 * 10_u64.pow(power),
    });
    proptest::collection::vec(add, 0..3)
}

fn rules(names: &[Name]) -> Rules {
    names.iter().enumerate().fold(Rules::new(), |rules, (number, name)| {
        let glob = format!("n{number}");
        match name.rule {
            Rule::Merge => rules.merge(&glob, |user: u64, guest: u64| Ok(user + guest)),
            Rule::KeepUser => rules.keep_user(&glob),
            Rule::KeepGuest => rules.keep_guest(&glob),
            Rule::Drop => rules.drop(&glob),
        }
    })
}

/// What came of each write, in the order of the adds.
type Said = Arc<Mutex<BTreeMap<usize, bool>>>;

fn write(scene: &Scene, number: usize, add: &Add, said: &Said) -> Task {
    let (guest, user, said) = (scene.guest.clone(), scene.user(ADA), Arc::clone(said));
    let Add { by_guest, name, amount } = *add;
    Box::pin(async move {
        let name = format!("n{name}");
        let more = |value: Option<u64>| Some(value.unwrap_or(0) + amount);
        let result: Result<()> =
            if by_guest { guest.update(&name, more).await } else { user.update(&name, more).await.map(drop) };
        match &result {
            Err(error) if by_guest && error.kind() == ErrorKind::Gone => {}
            other => other.as_ref().map(drop).expect("nothing fails"),
        }
        said.lock().expect("lock").insert(number, result.is_ok());
    })
}

/// A migration, given up at its `stop`th wait and run again.
fn migrate(scene: &Scene, names: &[Name], stop: u32) -> Task {
    let (guests, mut session, rules) = (scene.guests.clone(), scene.session.clone(), rules(names));
    Box::pin(async move {
        {
            let mut first = Box::pin(guests.migrate(&mut session, ADA).rules(rules.clone()).into_future());
            let mut left = stop;
            let given_up = std::future::poll_fn(|context| match first.as_mut().poll(context) {
                std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
                std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(None),
                std::task::Poll::Pending => {
                    left -= 1;
                    std::task::Poll::Pending
                }
            });
            if let Some(done) = given_up.await {
                done.expect("nothing fails");
            }
        }
        guests.migrate(&mut session, ADA).rules(rules).await.expect("migrated");
    })
}

/// What the parts of a name may add up to.
fn check(scene: &Scene, names: &[Name], adds: &[Add], said: &Said) {
    let said = said.lock().expect("lock");
    let sum = |number: usize, by_guest: bool| {
        let of_it = adds.iter().enumerate().filter(|(index, add)| {
            add.name == number && add.by_guest == by_guest && said.get(index).copied().unwrap_or(false)
        });
        of_it.map(|(_, add)| add.amount).sum::<u64>()
    };
    for number in 0..4 {
        let name = names.get(number);
        let rule = name.map_or(Rule::KeepUser, |name| name.rule);
        let guest = name.and_then(|name| name.guest).unwrap_or(0) + sum(number, true);
        let user_before = name.and_then(|name| name.user);
        let user = user_before.unwrap_or(0) + sum(number, false);
        let found = scene.users::<u64>(&format!("n{number}")).unwrap_or(0);
        match rule {
            Rule::Merge => assert_eq!(found, guest + user, "merged once"),
            Rule::Drop => assert_eq!(found, user, "only the user's"),
            // Whichever was first: the user's own value, or the guest's with what the user added to it later.
            Rule::KeepUser if user_before.is_some() || guest == 0 => assert_eq!(found, user, "the user's"),
            Rule::KeepUser => {
                assert!(found == user + guest || found == user, "{found} of {guest} and {user}");
            }
            // The guest's, with what the user added after it had been moved.
            Rule::KeepGuest if guest > 0 => {
                let later = found.checked_sub(guest).expect("the guest's is whole");
                assert!(later <= sum(number, false), "{found} of {guest} and {user}");
            }
            Rule::KeepGuest => assert_eq!(found, user),
        }
    }
    scene.assert_clean();
}

fn meet(store: fn() -> Arc<dyn Store>, names: &[Name], adds: &[Add], stop: u32, seed: u64) -> usize {
    sampled_schedules(seed, 4, || {
        let stepped = Stepped::over(store());
        let scene = Scene::over(Arc::clone(&stepped) as Arc<dyn Store>);
        for (number, name) in names.iter().enumerate() {
            let name_of = format!("n{number}");
            if let Some(value) = name.guest {
                scene.set(&name_of, &value);
            }
            if let Some(value) = name.user {
                scene.give(&name_of, &value);
            }
        }
        let said = Said::default();
        let mut tasks = vec![migrate(&scene, names, stop)];
        tasks.extend(adds.iter().enumerate().map(|(number, add)| write(&scene, number, add, &said)));
        let (names, adds) = (names.to_vec(), adds.to_vec());
        World { store: stepped, tasks, check: Box::new(move || check(&scene, &names, &adds, &said)) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn nothing_acknowledged_is_lost_or_doubled(
        names in names(),
        adds in adds(),
        stop in 0_u32..60,
        seed in any::<u64>(),
        kind in 0_usize..3,
    ) {
        let store = [batches as fn() -> Arc<dyn Store>, per_key, few][kind];
        prop_assert!(meet(store, &names, &adds, stop, seed) >= 1);
    }
}

/// What the property test relies on: the rules do what they say when nothing happens meanwhile.
#[test]
fn the_model_holds_without_anybody_meanwhile() {
    let name = |rule| Name { guest: Some(1), user: Some(2), rule };
    let names = [Rule::Merge, Rule::KeepUser, Rule::KeepGuest, Rule::Drop].map(name);
    for store in [batches as fn() -> Arc<dyn Store>, per_key, few] {
        let scene = Scene::over(store());
        for number in 0..4 {
            scene.set(&format!("n{number}"), &1_u64);
            scene.give(&format!("n{number}"), &2_u64);
        }
        block_on(migrate(&scene, &names, u32::MAX));
        let found: Vec<_> = (0..4).map(|number| scene.users::<u64>(&format!("n{number}"))).collect();
        assert_eq!(found, [Some(3), Some(2), Some(1), Some(2)]);
        check(&scene, &names, &[], &Said::default());
    }
}
