//! Prints how many allocations each hot path makes, and of how many bytes in all: one line per path. A program of its own,
//! because the counting allocator slows everything in its process.

use strata_benches::spin::{Path, Spin};

/// Turns before counting: buffers that are reused have been made by then.
const WARM: usize = 256;

fn main() {
    let mut spin = Spin::default();
    for path in Path::STRATA {
        (0..WARM).for_each(|turn| spin.once(path, turn));
        let counts = (0..WARM).map(|turn| allocation_counter::measure(|| spin.once(path, turn)));
        // The most of any turn: one that allocates more now and then is not hidden by the others.
        let most = counts.max_by_key(|info| (info.count_total, info.bytes_total)).expect("several turns");
        println!("{} {} {}", path.name(), most.count_total, most.bytes_total);
    }
}
