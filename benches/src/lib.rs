//! What Strata costs, measured beside floors written by hand and beside peers: the cases, the harness that compares them fairly,
//! the targets, and the report. The programs and criterion benches of this package are thin callers.

pub mod child;
pub mod floor;
pub mod harness;
pub mod machine;
pub mod peer;
pub mod pins;
pub mod plot;
pub mod process;
pub mod reasons;
pub mod record;
pub mod report;
pub mod section;
pub mod soak;
pub mod spin;
pub mod subject;
pub mod table;
pub mod target;
