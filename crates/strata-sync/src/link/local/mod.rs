//! A link between the processes of one machine and user: [`LocalLink`]. They meet in a folder of Unix sockets, one for each, and everybody is
//! connected to everybody: there is no first among them, and any of them may be killed at any time.

mod folder;
mod frame;
mod mesh;
mod node;
mod outbox;
mod report;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use strata_core::{Error, ErrorKind, Random, Result, Timer};

use self::folder::{Folder, Name, failed};
use self::mesh::Mesh;
use self::node::{Node, Parts};
pub use self::report::LocalReport;
use super::inbox::Queue;
use super::{Heard, Link, Member};

/// A member of the group of processes that meet in a folder. Unix only. Needs a tokio runtime; dropping it stops its tasks and leaves.
///
/// The folder is made with mode 0700 and refused if somebody else could reach into it: whoever can open a socket there can speak over the link.
/// That alone makes nobody a member of a [`Group`](crate::Group).
pub struct LocalLink(Arc<Node>);

impl LocalLink {
    /// Prepares to join the processes that meet in `folder`. `random` names this one's socket.
    pub fn builder(folder: impl AsRef<Path>, random: Arc<dyn Random>, timer: Arc<dyn Timer>) -> LocalBuilder {
        LocalBuilder {
            folder: folder.as_ref().to_owned(),
            random,
            timer,
            members: LocalBuilder::DEFAULT_MEMBERS,
            queue: Queue::default(),
            max_message: LocalBuilder::DEFAULT_MAX_MESSAGE,
            rescan: LocalBuilder::DEFAULT_RESCAN,
            stall: LocalBuilder::DEFAULT_STALL,
        }
    }

    /// How it fares.
    pub fn report(&self) -> LocalReport {
        self.0.counts.report(self.0.mesh.len())
    }
}

impl LocalLink {
    /// Refuses a folder that is full or not only for this, before anybody is greeted.
    async fn check_room(&self, members: usize) -> Result<()> {
        let entries = self.0.folder.entries().map_err(|error| self.failed(error))?;
        if let Some(name) = entries.foreign {
            return Err(strange(self.0.folder.path(), &name));
        }
        if entries.members.len() > members && self.0.living(&entries.members).await >= members {
            return Err(full(self.0.folder.path(), members));
        }
        Ok(())
    }

    #[cold]
    fn failed(&self, error: io::Error) -> Error {
        failed("look into", self.0.folder.path(), error)
    }
}

#[async_trait]
impl Link for LocalLink {
    fn broadcast(&self, message: Arc<[u8]>) {
        for outbox in self.0.mesh.outboxes() {
            self.0.push(&outbox, &message);
        }
    }

    fn send(&self, to: Member, message: Arc<[u8]>) {
        if let Some(outbox) = self.0.mesh.outbox(to) {
            self.0.push(&outbox, &message);
        }
    }

    async fn next(&self) -> Option<Heard> {
        self.0.mesh.inbox.next().await
    }
}

impl Drop for LocalLink {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl fmt::Debug for LocalLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalLink")
            .field("folder", &self.0.folder.path())
            .field("peers", &self.0.mesh.len())
            .finish_non_exhaustive()
    }
}

/// What a link can be told before it joins.
#[derive(Debug)]
#[must_use = "a builder does nothing until `join`"]
pub struct LocalBuilder {
    folder: PathBuf,
    random: Arc<dyn Random>,
    timer: Arc<dyn Timer>,
    members: usize,
    queue: Queue,
    max_message: usize,
    rescan: Duration,
    stall: Duration,
}

impl LocalBuilder {
    /// The most processes in one folder: 64. Everybody holds two connections to everybody else.
    pub const DEFAULT_MEMBERS: usize = 64;
    /// The longest message: 4 MiB.
    pub const DEFAULT_MAX_MESSAGE: usize = 4 << 20;
    /// The time between two looks into the folder: 5 seconds. They only mend what the greetings of newcomers missed.
    pub const DEFAULT_RESCAN: Duration = Duration::from_secs(5);
    /// How long a connection may stand still within a frame: 10 seconds.
    pub const DEFAULT_STALL: Duration = Duration::from_secs(10);

    /// The most processes in the folder, this one included; from 2 to 1,024.
    pub fn members(mut self, most: usize) -> Self {
        self.members = most;
        self
    }

    /// How much waits for this process to read it, and how much for each peer.
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queue = queue;
        self
    }

    /// The longest message, in bytes; at least 16. A peer that announces a longer one is dropped.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// The time between two looks into the folder.
    pub fn rescan(mut self, every: Duration) -> Self {
        self.rescan = every;
        self
    }

    /// How long a connection may stand still within a frame before it is given up.
    pub fn stall(mut self, after: Duration) -> Self {
        self.stall = after;
        self
    }

    /// Joins. Who is in the folder is connected to at once; that it connects back is heard as [`Heard::Joined`].
    ///
    /// # Errors
    /// [`ErrorKind::Full`] when the folder has as many members as it may; [`ErrorKind::Denied`] when it is another user's, or others can reach
    /// into it; [`ErrorKind::Foreign`] when something else is in it; [`ErrorKind::Invalid`] when its path is too long for a socket, or its
    /// parent is missing; [`ErrorKind::Unavailable`] for other failures of the system.
    pub async fn join(self) -> Result<LocalLink> {
        self.check()?;
        let folder = Folder::open(&self.folder)?;
        let mut name = [0; 8];
        self.random.fill(&mut name)?;
        let me = Name::from_be_bytes(name);
        let listener = folder.bind(me)?;
        let Self { timer, rescan, stall, members, max_message, queue, .. } = self;
        let mesh = Mesh::new(queue, members - 1);
        let strangers = members * 2;
        let link =
            LocalLink(Node::new(Parts { folder, me, mesh, timer, rescan, stall, max_message, strangers }));
        // From here on, an error takes the socket back.
        link.check_room(members).await?;
        link.0.scan().await.map_err(|error| link.failed(error))?;
        link.0.start(listener);
        Ok(link)
    }

    fn check(&self) -> Result<()> {
        if tokio::runtime::Handle::try_current().is_err() {
            let way_out =
                "a link of one machine needs a tokio runtime with its I/O enabled; join from within one";
            return Err(Error::new(ErrorKind::Unsupported, "join folder", way_out));
        }
        let why = if !(2..=1024).contains(&self.members) {
            "a folder is for 2 to 1024 members; name a number between them"
        } else if self.max_message < 16 || u32::try_from(self.max_message).is_err() {
            "the longest message has from 16 bytes to 4 GiB; name a length between them"
        } else if self.rescan.is_zero() || self.stall.is_zero() {
            "an interval of no time would keep the processor busy; name some seconds"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Invalid, "join folder", why))
    }
}

#[cold]
fn full(path: &Path, most: usize) -> Error {
    Error::new(
        ErrorKind::Full,
        "join folder",
        format!(
            "{} has {most} members, as many as it may; end one of them, raise `members` in all, or meet in another folder",
            path.display()
        ),
    )
}

#[cold]
fn strange(path: &Path, name: &str) -> Error {
    Error::new(
        ErrorKind::Foreign,
        "join folder",
        format!(
            "{} holds {name:?}, which no member puts there; name a folder that is for this alone",
            path.display()
        ),
    )
}
