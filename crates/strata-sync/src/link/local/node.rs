//! One process in its folder: [`Node`], and the tasks it lives by. One accepts, one looks into the folder, and each connection has one.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use strata_core::{Result, Timer};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use super::folder::{Folder, Name};
use super::frame::{self, Broken, Frame};
use super::mesh::{Life, Mesh, Ticket};
use super::outbox::Outbox;
use super::report::Counts;

/// How long a broken connection waits to be made anew.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Node {
    pub(super) folder: Folder,
    pub(super) me: Name,
    pub(super) mesh: Mesh,
    pub(super) counts: Counts,
    pub(super) timer: Arc<dyn Timer>,
    pub(super) rescan: Duration,
    pub(super) stall: Duration,
    pub(super) max_message: usize,
    /// Connections that did not say yet who they are.
    pub(super) strangers: Arc<Semaphore>,
    /// Asks for a look into the folder.
    pub(super) look: Notify,
    tasks: Mutex<Tasks>,
}

/// What runs for a node. Ended and emptied when the link is dropped.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    running: JoinSet<()>,
    over: bool,
}

/// What [`Node`] is made of.
pub(super) struct Parts {
    pub(super) folder: Folder,
    pub(super) me: Name,
    pub(super) mesh: Mesh,
    pub(super) timer: Arc<dyn Timer>,
    pub(super) rescan: Duration,
    pub(super) stall: Duration,
    pub(super) max_message: usize,
    pub(super) strangers: usize,
}

impl Node {
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        let Parts { folder, me, mesh, timer, rescan, stall, max_message, strangers } = parts;
        Arc::new(Self {
            folder,
            me,
            mesh,
            counts: Counts::default(),
            timer,
            rescan,
            stall,
            max_message,
            strangers: Arc::new(Semaphore::new(strangers)),
            look: Notify::new(),
            tasks: Mutex::default(),
        })
    }

    /// Starts what keeps the node in its folder.
    pub(super) fn start(self: &Arc<Self>, listener: UnixListener) {
        self.spawn(Arc::clone(self).stay(listener));
        self.spawn(Arc::clone(self).watch());
    }

    /// Ends all tasks and leaves the folder.
    pub(super) fn end(&self) {
        let mut tasks = self.tasks.lock();
        tasks.over = true;
        tasks.running.abort_all();
        drop(tasks);
        self.folder.remove(self.me);
        self.mesh.inbox.close();
    }

    /// Queues a message for a peer.
    pub(super) fn push(&self, outbox: &Outbox, message: &Arc<[u8]>) {
        if message.len() > self.max_message || message.is_empty() {
            // It would end the connection, or read as loss.
            outbox.lose();
        } else if outbox.push(Arc::clone(message)) {
            return;
        }
        self.counts.count(|report| report.unsent += 1);
    }

    fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock();
        if !tasks.over {
            while tasks.running.try_join_next().is_some() {}
            tasks.running.spawn(task);
        }
    }

    /// Accepts connections, and listens anew when somebody removed the socket.
    async fn stay(self: Arc<Self>, mut listener: UnixListener) {
        loop {
            match self.within(self.rescan, listener.accept()).await {
                Some(Ok((stream, _))) => self.accept(stream),
                Some(Err(_)) => {
                    self.counts.count(|report| report.failures += 1);
                    self.timer.sleep(self.rescan).await;
                }
                None => {}
            }
            if !self.folder.holds(self.me) {
                match self.rebind() {
                    Ok(anew) => listener = anew,
                    Err(_) => self.counts.count(|report| report.failures += 1),
                }
            }
        }
    }

    fn rebind(&self) -> Result<UnixListener> {
        Folder::open(self.folder.path())?.bind(self.me)
    }

    /// Looks into the folder at an interval and whenever a connection broke.
    async fn watch(self: Arc<Self>) {
        loop {
            if self.within(self.rescan, self.look.notified()).await.is_some() {
                // A peer that breaks every connection keeps nobody busy.
                self.timer.sleep(PAUSE.min(self.rescan)).await;
            }
            if self.scan().await.is_err() {
                self.counts.count(|report| report.failures += 1);
            }
        }
    }

    /// Connects to whoever is in the folder and not connected yet, and removes the sockets of the dead.
    pub(super) async fn scan(self: &Arc<Self>) -> io::Result<()> {
        let entries = self.folder.entries()?;
        self.counts.count(|report| {
            report.scans += 1;
            report.foreign += u64::from(entries.foreign.is_some());
        });
        for name in entries.members.into_iter().filter(|name| *name != self.me) {
            self.reach(name).await;
        }
        for path in entries.unfinished {
            // Whoever was making it notices, and makes it anew.
            if is_dead(&UnixStream::connect(&path).await) && std::fs::remove_file(&path).is_ok() {
                self.counts.count(|report| report.removed += 1);
            }
        }
        Ok(())
    }

    /// How many others live in the folder. They are not greeted; sockets of the dead are removed.
    pub(super) async fn living(&self, names: &[Name]) -> usize {
        let mut living = 0;
        for &name in names.iter().filter(|name| **name != self.me) {
            if is_dead(&UnixStream::connect(self.folder.socket(name)).await) {
                self.bury(name);
            } else {
                living += 1;
            }
        }
        living
    }

    fn bury(&self, name: Name) {
        self.folder.remove(name);
        self.counts.count(|report| report.removed += 1);
    }

    async fn reach(self: &Arc<Self>, name: Name) {
        let Some(ticket) = self.mesh.reach(name) else { return };
        let connected = UnixStream::connect(self.folder.socket(name)).await;
        if is_dead(&connected) {
            self.bury(name);
        }
        if let Ok(stream) = connected {
            self.spawn(Arc::clone(self).speak(stream, ticket));
        } else {
            self.mesh.lose(&ticket);
            self.counts.count(|report| report.failures += 1);
        }
    }

    fn accept(self: &Arc<Self>, stream: UnixStream) {
        let Ok(permit) = Arc::clone(&self.strangers).try_acquire_owned() else {
            return self.counts.count(|report| report.turned_away += 1);
        };
        let node = Arc::clone(self);
        self.spawn(async move {
            let mut stream = stream;
            let greeted = node.within(node.stall, frame::read_greeting(&mut stream)).await;
            drop(permit);
            match greeted.unwrap_or(Err(Broken::Stalled)) {
                Ok(name) => node.listen(stream, name).await,
                Err(why) => node.counts.broken(why),
            }
        });
    }

    /// Reads what a peer writes until its life or the connection ends.
    async fn listen(self: Arc<Self>, mut from: UnixStream, name: Name) {
        let Some(ticket) = Some(name).filter(|name| *name != self.me).and_then(|name| self.mesh.heard(name))
        else {
            return self.counts.count(|report| report.turned_away += 1);
        };
        self.reach(name).await;
        let mut life = ticket.life.clone();
        if let Some(why) = until_end(&mut life, self.read_all(&mut from, &ticket)).await {
            self.broke(&ticket, why);
        }
    }

    async fn read_all(&self, from: &mut UnixStream, ticket: &Ticket) -> Broken {
        loop {
            let frame = match frame::read_start(from).await {
                Ok(start) => self.within(self.stall, frame::read_rest(from, start, self.max_message)).await,
                Err(why) => return why,
            };
            match frame {
                Some(Ok(Frame::Message(message))) => {
                    if !self.mesh.inbox.message(ticket.member, message) {
                        self.counts.count(|report| report.unread += 1);
                    }
                }
                Some(Ok(Frame::Lost)) => self.mesh.inbox.notice(crate::link::Heard::Lost),
                Some(Err(why)) => return why,
                None => return Broken::Stalled,
            }
        }
    }

    /// Writes what is for a peer until its life or the connection ends.
    async fn speak(self: Arc<Self>, stream: UnixStream, ticket: Ticket) {
        let (from, out) = stream.into_split();
        let mut life = ticket.life.clone();
        if let Some(why) = until_end(&mut life, self.write_all(from, out, &ticket)).await {
            self.broke(&ticket, why);
        }
    }

    async fn write_all(&self, mut from: OwnedReadHalf, mut out: OwnedWriteHalf, ticket: &Ticket) -> Broken {
        if let Some(why) = self.written(frame::write_greeting(&mut out, self.me)).await {
            return why;
        }
        self.mesh.reached(ticket);
        let writing = async {
            loop {
                let frame = ticket.outbox.next().await;
                if let Some(why) = self.written(frame::write(&mut out, &frame)).await {
                    return why;
                }
            }
        };
        // The other side never writes here: whatever can be read is the end.
        let mut byte = [0];
        first(writing, async { from.read(&mut byte).await.map_or(Broken::Ended, over) }).await
    }

    async fn written(&self, write: impl Future<Output = io::Result<()>>) -> Option<Broken> {
        match self.within(self.stall, write).await {
            Some(Ok(())) => None,
            Some(Err(_)) => Some(Broken::Ended),
            None => Some(Broken::Stalled),
        }
    }

    /// A connection of a peer broke. Who was here may still be, and is looked for at once; who never was may not want to.
    fn broke(&self, ticket: &Ticket, why: Broken) {
        self.counts.broken(why);
        if self.mesh.lose(ticket) {
            self.look.notify_one();
        }
    }

    /// What `future` gives, unless `time` passes first.
    async fn within<T>(&self, time: Duration, future: impl Future<Output = T>) -> Option<T> {
        let late = self.timer.sleep(time);
        first(async { Some(future.await) }, async {
            late.await;
            None
        })
        .await
    }
}

fn over(read: usize) -> Broken {
    if read == 0 { Broken::Ended } else { Broken::Garbage }
}

/// Nobody listens: its process has ended. A queue that is full, on Linux, is another error.
fn is_dead(connected: &io::Result<UnixStream>) -> bool {
    connected.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// What `future` gives, or `None` when the life ends first.
async fn until_end<T>(life: &mut Life, future: impl Future<Output = T>) -> Option<T> {
    // Nothing is ever sent: a change is the sender's end.
    first(async { Some(future.await) }, async {
        let _ = life.changed().await;
        None
    })
    .await
}

/// What the first of two gives, the left one if both are ready.
async fn first<T>(left: impl Future<Output = T>, right: impl Future<Output = T>) -> T {
    let (mut left, mut right) = (pin!(left), pin!(right));
    std::future::poll_fn(|context| match left.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(value),
        Poll::Pending => right.as_mut().poll(context),
    })
    .await
}
