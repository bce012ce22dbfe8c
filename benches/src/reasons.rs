//! Why a gate or an aim is missed, as far as it is known, and what to try next. Kept here so that a new report keeps them;
//! printed only beside a target that is missed.

/// By the target's id.
const REASONS: [(&str, &str); 0] = [];

/// What is known of a target that is missed.
pub fn reason(id: &str) -> Option<&'static str> {
    REASONS.iter().find(|(named, _)| *named == id).map(|(_, reason)| *reason)
}
