//! Consent: without it nothing is stored; withdrawn, nothing is left.

use std::sync::Arc;

use strata_core::ErrorKind;
use strata_core::conformance::block_on;
use strata_session::analytics::{Consent, Delivery, Ingest, Properties, VisitStart};

use super::{Never, Scene, end, event, scene, view};
use crate::{grounds, kind_of, raw};

#[test]
fn without_consent_nothing_is_stored() {
    let scene = scene();
    let start = VisitStart::new("/a").user("ada").referrer("https://x.example/");
    let visit = scene.recorder.visit("v", Consent::Refused, start);
    assert!(block_on(visit).expect("visit").is_none());
    assert!(block_on(raw(&*scene.world.faulty)).is_empty());
}

#[test]
fn consent_withdrawn_leaves_nothing_of_the_visitor() {
    grounds::each(|world| {
        let scene = Scene::over(world);
        // Ended and waiting, counted in this very store, and open.
        let ended = scene.visit("v", "/a");
        let _ = view(&ended, "/b");
        end(&ended);
        let ingest = Ingest::new(&scene.world.db).expect("an ingest");
        let own = Delivery::new(&scene.recorder, Arc::new(ingest), Arc::new(Never));
        block_on(own.deliver()).expect("deliver");
        let waiting = scene.visit("v", "/c");
        let _ = event(&waiting, "x");
        end(&waiting);
        let open = scene.visit("v", "/d");
        let stranger = scene.visit("w", "/a");
        let before = scene.names("").len();
        let refused = scene.recorder.visit("v", Consent::Refused, VisitStart::new("/e"));
        assert!(block_on(refused).expect("visit").is_none());
        assert_eq!(kind_of(block_on(open.event("x", Properties::new()))), ErrorKind::Gone);
        // The counted visit; report and two events; head and one event.
        assert_eq!(before - scene.names("").len(), 6);
        assert_eq!(scene.names("").len(), 3, "the stranger's, and the ledger");
        let _ = event(&stranger, "x");
        assert_eq!(block_on(scene.recorder.forget("v")).expect("forget"), 0);
        assert_eq!(scene.deliver().reports, 0, "what was waiting is not delivered");
    });
}
