//! The model-based test: any sequence of commits, moves of the clock and walks gives the same on a store as on the
//! [`ReferenceStore`](crate::ReferenceStore).

mod run;
mod steps;
mod versions;

use std::sync::Arc;

use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::store::Store;

use super::Drive;
use super::drive::value;
use run::Run;

/// How long the test goes on and where it starts.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    cases: u32,
    steps: usize,
    seed: u64,
}

impl Default for Model {
    fn default() -> Self {
        Self { cases: 128, steps: 40, seed: 0x5742_4154_4120_2026 }
    }
}

/// Sequences of commits, moved clocks and walks, on a fresh store each, against the reference store. The same
/// sequences each time; [`Model`] has more. `make` gives a fresh store.
pub fn model(make: impl Fn() -> Arc<dyn Store>, drive: Drive) {
    Model::default().run(make, drive);
}

impl Model {
    /// How many sequences are tried, 128 by default.
    #[must_use]
    pub fn cases(self, cases: u32) -> Self {
        Self { cases, ..self }
    }

    /// The most steps of one sequence, 40 by default.
    #[must_use]
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Which sequences are tried. The same seed gives the same ones.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Tries them; panics with the shortest sequence found that differs.
    pub fn run(&self, make: impl Fn() -> Arc<dyn Store>, drive: Drive) {
        let config = Config {
            cases: self.cases,
            failure_persistence: None,
            max_shrink_iters: 4096,
            ..Config::default()
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config, random);
        let outcome = runner.run(&vec(steps::step(), 1..=self.steps.max(1)), |steps| {
            let store = make();
            value(drive, Run::new(&*store).all(&steps)).map_err(TestCaseError::fail)
        });
        match outcome {
            Ok(()) => {}
            Err(TestError::Fail(reason, steps)) => {
                panic!("the store differs from the reference: {reason}\nafter the steps {steps:#?}")
            }
            Err(TestError::Abort(reason)) => panic!("the model was not run: {reason}"),
        }
    }
}
