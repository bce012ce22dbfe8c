//! The conformance suite: what every store and wrapper has to do, as public async functions over `&dyn Store`.
