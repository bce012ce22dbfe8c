//! Groups: who is believed, what is dropped and counted, what is told.

use strata_sync::{InProcess, Received, Topic};

use crate::support::{Beats, key, member, settle};

const NEWS: Topic = Topic::new(700);

#[test]
fn peers_prove_themselves_and_hear_each_other() {
    let hub = InProcess::new();
    let beats = Beats::default();
    let [ada, bob, eve] = std::array::from_fn(|_| member(hub.join(), &key(), &beats));
    let joined = settle([&ada, &bob, &eve]);
    for (group, events) in [&ada, &bob, &eve].into_iter().zip(joined) {
        assert_eq!(events.len(), 2, "each hears of two others: {events:?}");
        assert!(events.iter().all(|event| matches!(event, Received::Joined(id) if *id != group.id())));
        assert_eq!(group.report().dropped(), 0);
    }
    ada.broadcast(NEWS, b"for all").expect("sent");
    ada.send(eve.id(), NEWS, b"for eve").expect("sent");
    let told = |body: &[u8]| Received::Message { from: ada.id(), topic: NEWS, body: body.to_vec() };
    let [none, bobs, eves] = settle([&ada, &bob, &eve]);
    assert_eq!(none, []);
    assert_eq!(bobs, [told(b"for all")]);
    assert_eq!(eves, [told(b"for all"), told(b"for eve")]);
    let gone = bob.id();
    drop(bob);
    assert_eq!(settle([&ada, &eve]), [[Received::Left(gone)], [Received::Left(gone)]]);
}
