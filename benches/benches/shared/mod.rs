//! How criterion runs the cases of the harness: by their own clocks.

use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use strata_benches::harness::{Case, Shot};

/// Measures cases one after another. For fair ratios run the harness, which interleaves them.
#[allow(dead_code)] // not every bench has cases
pub(crate) fn cases(criterion: &mut Criterion, group: &str, cases: Vec<Case<'_>>) {
    let mut group = criterion.benchmark_group(group);
    for mut case in cases {
        group.bench_function(case.name, |bencher| bencher.iter_custom(|times| case.time(times)));
    }
    group.finish();
}

/// Measures shots one after another, each prepared anew.
#[allow(dead_code)] // not every bench has shots
pub(crate) fn shots(criterion: &mut Criterion, group: &str, shots: Vec<Shot<'_>>) {
    let mut group = criterion.benchmark_group(group);
    group.sample_size(10).sampling_mode(SamplingMode::Flat).warm_up_time(Duration::from_millis(1));
    for mut shot in shots {
        group.bench_function(shot.name, |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| shot.time()).sum());
        });
    }
    group.finish();
}
