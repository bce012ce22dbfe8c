//! What the store holds of a basic session: [`SessionRecord`], the hash of its secret and its values.

use serde::{Deserialize, Serialize};

use crate::bearer::Bound;
use crate::secret::Digest;
use crate::values::Values;

/// One session: one record, one life.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SessionRecord {
    check: Digest,
    values: Values,
}

impl SessionRecord {
    pub(crate) fn new(check: Digest) -> Self {
        Self { check, values: Values::default() }
    }
}

impl Bound for SessionRecord {
    fn check(&self) -> &Digest {
        &self.check
    }

    fn replace_check(&mut self, check: Digest) {
        self.check = check;
    }

    fn values(&self) -> &Values {
        &self.values
    }

    fn values_mut(&mut self) -> &mut Values {
        &mut self.values
    }
}
