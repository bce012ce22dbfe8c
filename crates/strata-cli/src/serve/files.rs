//! How many connections there is room for: each is a file to the system, and the store needs some of its own. A service that ran out of
//! files could not write.

/// The most connections at a time, whatever the system allows.
const MOST: u64 = 4096;
/// Files that are left for the store, the log and whatever else.
const RESERVED: u64 = 128;
/// What a system allows that does not say.
#[cfg(any(test, not(unix)))]
const USUAL: u64 = 1024;

/// The most connections at a time, after this process was allowed as many files as it may be.
pub(crate) fn most_connections() -> usize {
    let files = raise();
    usize::try_from(room(files)).unwrap_or(usize::MAX)
}

/// The most streams of events at a time: three in four connections.
pub(crate) fn most_streams() -> usize {
    most_connections() / 4 * 3
}

fn room(files: u64) -> u64 {
    files.saturating_sub(RESERVED).clamp(16, MOST)
}

/// Raises the soft limit, as far as the hard one allows and this needs; says what it is then.
#[cfg(unix)]
fn raise() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(u64::MAX).min(MOST + RESERVED);
    if limit.current.is_some_and(|current| current < wanted) {
        // A system that refuses leaves what there was.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Elsewhere nothing is known.
#[cfg(not(unix))]
fn raise() -> u64 {
    USUAL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_keeps_files_of_its_own() {
        assert_eq!(room(USUAL), USUAL - RESERVED);
        assert_eq!((room(0), room(u64::MAX)), (16, MOST));
    }

    #[cfg(unix)]
    #[test]
    fn the_soft_limit_is_raised_and_never_lowered() {
        let before = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let after = raise();
        assert!(after >= before.current.unwrap_or(u64::MAX).min(after));
        assert!(after >= before.maximum.unwrap_or(u64::MAX).min(MOST + RESERVED), "{before:?} {after}");
    }
}
