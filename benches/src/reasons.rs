//! Why a gate or an aim is missed, as far as it is known, and what to try next. Kept here so that a new report keeps them;
//! printed only beside a target that is missed.

/// By the target's id.
const REASONS: [(&str, &str); 16] = [
    (
        "p01",
        "the load by hand has no clock to read, no key to build and no boxed future; each is tens of nanoseconds. Next: count \
         instructions with `pins` and look for moves",
    ),
    (
        "p01b",
        "decoding 19 heap blocks is most of the load, on either side; the aim was set where the peer's own load was slower by half. \
         Next: a view where the whole value is not needed (p02b), decoding into a reused value",
    ),
    (
        "p02",
        "without decoding, the fixed costs show: key, clock, boxed future, reference counts of payload and tags, wiping the buffer. \
         Next: let the store lend the payload instead of counting a reference",
    ),
    ("p02b", "as p01b: the peer is faster here than where the aim was set. Next: as p02"),
    (
        "p03",
        "a save moves its parts through `Set`, the batch and the store (a tenth of it is copying) and the encoder \
         checks each field. Next: build the operation in place; check values by type, once, instead of by field",
    ),
    ("p03b", "as p03, and the peer's own save is faster here than where the aim was set"),
    (
        "p06",
        "beside the payload a session has a map slot, a boxed state of 80 bytes, a shared name, and an entry each in the key index and the \
         due index. Next: keep the state in front of the payload, in one block",
    ),
    (
        "p07",
        "a read checks the record's CRC, copies the payload into a shared block, and builds the entry's name. Next: open straight from \
         sled's own bytes, so that the copy is the one that opening makes anyway",
    ),
    (
        "p07c",
        "two index entries, and a note of what the commit does, which is left there: three more writes of sled for one record. Next: one \
         entry that holds tag and deadline, where both are new",
    ),
    (
        "p08",
        "sled's own write and barrier are most of it (`sled alone` in the note); the rest is the barrier's thread, which has to be woken and \
         to wake. Next: let a lone committer make the barrier itself",
    ),
    (
        "p10",
        "a million sessions do not fit into the processor's cache, ten thousand do: each result then waits for memory, by hand too (p10b); \
         where the users listed are in the cache, the number of residents costs little (p10c). Next: as p10b",
    ),
    (
        "p10b",
        "a result reads the index's name, the map's slot, the state, and counts references in payload and tags: more cache lines than by \
         hand. Next: as p06",
    ),
    (
        "p11",
        "each removal is guarded, announced, and taken out of the key index and the due index one by one; half of it is searching those \
         two, whose comparisons each follow a pointer. A scan pays none of that, and no index comes near it when a tenth is due (the one \
         written by hand takes three times as long). Next: take a sorted page out of an index in one pass; hold the first bytes of a \
         name beside its pointer",
    ),
    (
        "p11b",
        "a step removes its sessions in commits of up to 64, each of which keeps the gate of batches for as long as it takes. Next: cheaper \
         removals (p11), or smaller commits",
    ),
    ("p11c", "as p11"),
    (
        "p12",
        "an open makes three syncs of its own: the log twice, and the folder, in which sled's page table can be a new file. Next: sync the \
         log once",
    ),
];

/// What is known of a target that is missed.
pub fn reason(id: &str) -> Option<&'static str> {
    REASONS.iter().find(|(named, _)| *named == id).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_has_one_reason_at_most() {
        for (at, (id, _)) in REASONS.iter().enumerate() {
            assert!(REASONS[..at].iter().all(|(earlier, _)| earlier != id), "{id}");
        }
        assert!(reason("p10").is_some_and(|reason| reason.contains("p10c")) && reason("p99").is_none());
    }
}
