//! The typed view of a namespace: [`Collection`]. Every operation of a [`Handle`], with the type and codec fixed.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::change::Subscription;
use crate::codec::{Codec, Value};
use crate::error::Result;
use crate::handle::{Entries, Handle, Info, Keys, Selection, Set, Staged, Ttl, View};
use crate::lifetime::Lifetime;
use crate::record::Version;

/// Values of one type under one namespace. Cheap to clone.
pub struct Collection<T> {
    handle: Handle,
    codec: Codec,
    value: PhantomData<fn() -> T>,
}

impl<T: Value> Collection<T> {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle, codec: Codec::default(), value: PhantomData }
    }

    /// The same collection writing with `codec`. Reading finds the codec by itself.
    #[must_use]
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// The handle of the collection's namespace.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// See [`Handle::get`].
    pub fn get<'a>(&'a self, name: &'a str) -> impl Future<Output = Result<Option<T>>> + 'a {
        self.handle.get(name)
    }

    /// See [`Handle::get_versioned`].
    pub fn get_versioned<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Future<Output = Result<Option<(T, Version)>>> + 'a {
        self.handle.get_versioned(name)
    }

    /// See [`Handle::peek`].
    pub async fn peek(&self, name: &str) -> Result<Option<T>> {
        self.handle.peek(name).await
    }

    /// See [`Handle::view`].
    pub fn view<'a, R: 'a>(
        &'a self,
        name: &'a str,
        look: impl FnOnce(View<'_>) -> R + 'a,
    ) -> impl Future<Output = Result<Option<R>>> + 'a {
        self.handle.view(name, look)
    }

    /// See [`Handle::set`].
    pub fn set<'h>(&'h self, name: &str, value: &T) -> Set<'h> {
        self.handle.set_as(self.codec, name, value)
    }

    /// See [`Handle::modify`].
    pub async fn modify<R>(&self, name: &str, change: impl FnMut(&mut T) -> R) -> Result<R> {
        self.handle.modify(name, change).await
    }

    /// See [`Handle::update`].
    pub async fn update(
        &self,
        name: &str,
        change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<Option<Version>> {
        self.update_within(name, Lifetime::FOREVER, change).await
    }

    /// See [`Handle::update_within`].
    pub async fn update_within(
        &self,
        name: &str,
        life: Lifetime,
        change: impl FnMut(Option<T>) -> Option<T>,
    ) -> Result<Option<Version>> {
        self.handle.update_as(self.codec, name, life, change).await
    }

    /// See [`Handle::remove`].
    pub async fn remove(&self, name: &str) -> Result<bool> {
        self.handle.remove(name).await
    }

    /// See [`Handle::remove_if`].
    pub async fn remove_if(&self, name: &str, version: Version) -> Result<()> {
        self.handle.remove_if(name, version).await
    }

    /// See [`Handle::removal`].
    pub fn removal(&self, name: &str) -> Staged<'_> {
        self.handle.removal(name)
    }

    /// See [`Handle::contains`].
    pub async fn contains(&self, name: &str) -> Result<bool> {
        self.handle.contains(name).await
    }

    /// See [`Handle::info`].
    pub async fn info(&self, name: &str) -> Result<Option<Info>> {
        self.handle.info(name).await
    }

    /// See [`Handle::ttl`].
    pub async fn ttl(&self, name: &str) -> Result<Ttl> {
        self.handle.ttl(name).await
    }

    /// See [`Handle::expire`].
    pub async fn expire(&self, name: &str, life: Lifetime) -> Result<bool> {
        self.handle.expire(name, life).await
    }

    /// See [`Handle::persist`].
    pub async fn persist(&self, name: &str) -> Result<bool> {
        self.handle.persist(name).await
    }

    /// See [`Handle::touch`].
    pub async fn touch(&self, name: &str) -> Result<bool> {
        self.handle.touch(name).await
    }

    /// See [`Handle::select`].
    pub fn select(&self) -> Selection<'_> {
        self.handle.select()
    }

    /// See [`Handle::keys`].
    pub fn keys(&self, glob: &str) -> Keys<'_> {
        self.handle.keys(glob)
    }

    /// See [`Handle::entries`].
    pub fn entries(&self, glob: &str) -> Entries<'_, T> {
        self.handle.entries(glob)
    }

    /// See [`Handle::expiring`].
    pub fn expiring(&self, window: Duration) -> Selection<'_> {
        self.handle.expiring(window)
    }

    /// See [`Handle::clear`].
    pub async fn clear(&self) -> Result<u64> {
        self.handle.clear().await
    }

    /// See [`Handle::subscribe`].
    pub fn subscribe(&self, glob: &str) -> Result<Subscription> {
        self.handle.subscribe(glob)
    }
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), codec: self.codec, value: PhantomData }
    }
}

impl<T> fmt::Debug for Collection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collection")
            .field("handle", &self.handle)
            .field("codec", &self.codec)
            .finish_non_exhaustive()
    }
}
