//! Prints how many allocations each hot path makes, and of how many bytes in all: one line per path. With `peak WHAT EVENTS` it prints
//! the most bytes in use at once. A program of its own, because the counting allocator slows everything in its process.

use strata_benches::spin::{Path, Spin};
use strata_benches::table::analytics::Peak;

/// Turns before counting: buffers that are reused have been made by then.
const WARM: usize = 256;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => paths(),
        ["peak", what, events] => {
            let peak = Peak::named(what).expect("`program` or `insight`");
            let work = peak.prepare(events.parse().expect("a number of events"));
            println!("{}", allocation_counter::measure(work).bytes_max);
        }
        _ => panic!("nothing, or `peak program|insight EVENTS`"),
    }
}

fn paths() {
    let mut spin = Spin::default();
    for path in Path::STRATA {
        (0..WARM).for_each(|turn| spin.once(path, turn));
        let counts = (0..WARM).map(|turn| allocation_counter::measure(|| spin.once(path, turn)));
        // The most of any turn: one that allocates more now and then is not hidden by the others.
        let most = counts.max_by_key(|info| (info.count_total, info.bytes_total)).expect("several turns");
        println!("{} {} {}", path.name(), most.count_total, most.bytes_total);
    }
}
