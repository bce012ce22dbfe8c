//! A migration in one commit: the user's values under the versions that were read, the guest's removed in
//! theirs, the root, and the session's part. Somebody else's change breaks a guard, and all is read anew.

use strata_core::{ErrorKind, Guard, Result, Staged, Writes};

use super::migrate::{Done, Migrate};
use super::root::{Found, Plan, Root};

impl Migrate<'_> {
    /// Commits what `found` and the values as they are now come to; `None` if one of them has died meanwhile.
    pub(super) async fn commit_at_once(
        &self,
        found: &Found,
        user: &str,
        session: Option<Staged<'_>>,
    ) -> Result<Option<Done>> {
        let (users, values) = (self.guests.user(user)?, self.values()?);
        let mut plan = Plan::new(user, &**values.random())?;
        let pairs = self.pairs(&users).await?;
        let mut changes: Vec<Staged<'_>> = session.into_iter().collect();
        for pair in &pairs {
            let (fate, set) = pair.decide(&self.rules, &users)?;
            plan.report.note(&pair.name, fate);
            changes.push(values.guarded_removal(&pair.name, Guard::Version(pair.guest.version())));
            match (set, &pair.user) {
                (Some(set), _) => changes.push(set.into()),
                // It was decided by what the user has, so that has to be there.
                (None, Some(user)) => changes.push(users.check(&pair.name, Guard::Version(user.version()))),
                (None, None) => {}
            }
        }
        if changes.len() + 1 > values.capabilities().max_batch {
            return Ok(Some(Done::Steps));
        }
        let root = Root::Moved(plan.clone());
        let writes = values.writes().stage(self.guests.roots().put(self.guest, found, &root));
        let committed = changes.into_iter().fold(writes, Writes::stage).commit().await;
        match committed {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Unavailable && self.has_moved_by(&plan).await => {}
            Err(error) if error.kind() == ErrorKind::Invalid => {
                let now = values.clock().now();
                return if pairs.iter().any(|pair| pair.has_aged(now)) { Ok(None) } else { Err(error) };
            }
            Err(error) => return Err(error),
        }
        self.announce(&plan);
        Ok(Some(Done::Whole(plan, None)))
    }

    /// Whether a commit whose answer was lost has been made.
    async fn has_moved_by(&self, plan: &Plan) -> bool {
        let found = self.guests.roots().load(self.guest).await;
        matches!(found.map(|found| found.root), Ok(Root::Moved(done)) if done.is(plan))
    }
}
