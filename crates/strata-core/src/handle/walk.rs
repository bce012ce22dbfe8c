//! Walking a selection page by page: [`Walk`], the streams [`Keys`] and [`Entries`] made of it, and [`Inspections`].

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::Handle;
use super::read::Info;
use super::select::{Filter, Reason};
use crate::bounds::BoxFuture;
use crate::codec::Value;
use crate::error::Result;
use crate::key::Key;
use crate::record::Record;
use crate::scan::{Cursor, Page, Scan};
use crate::time::Timestamp;

/// How many records a walk asks the store for at a time.
const PAGE: usize = 256;

/// A walk over selected records, page by page.
pub(super) struct Walk<'h> {
    pub(super) handle: &'h Handle,
    pub(super) now: Timestamp,
    filter: Option<Filter>,
    failed: Option<Reason>,
    buffer: VecDeque<(Key, Record)>,
    pending: Option<BoxFuture<'h, Result<Page>>>,
    cursor: Option<Cursor>,
    over: bool,
}

impl<'h> Walk<'h> {
    pub(super) fn new(handle: &'h Handle, filter: Result<Filter, Reason>) -> Self {
        let (filter, failed) = match filter {
            Ok(filter) => (Some(filter), None),
            Err(reason) => (None, Some(reason)),
        };
        Self {
            handle,
            now: handle.pipe.now(),
            filter,
            failed,
            buffer: VecDeque::new(),
            pending: None,
            cursor: None,
            over: false,
        }
    }

    pub(super) async fn next(&mut self) -> Option<Result<(Key, Record)>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(Key, Record)>>> {
        if let Some(reason) = self.failed.take() {
            self.over = true;
            let copy = crate::error::Error::new(reason.kind(), reason.operation(), reason.message());
            return Poll::Ready(Some(Err(copy)));
        }
        let Some(filter) = &self.filter else { return Poll::Ready(None) };
        loop {
            while let Some((key, record)) = self.buffer.pop_front() {
                if filter.admits(&key, &record, self.now) {
                    return Poll::Ready(Some(Ok((key, record))));
                }
            }
            let pending = match &mut self.pending {
                Some(pending) => pending,
                None if self.over => return Poll::Ready(None),
                None => {
                    let scan =
                        Scan { select: filter.select(self.now), after: self.cursor.take(), limit: PAGE };
                    self.pending.insert(self.handle.pipe.engine().scan(scan))
                }
            };
            let page = ready!(pending.as_mut().poll(context));
            self.pending = None;
            match page {
                Ok(page) => {
                    self.over = page.next.is_none();
                    self.cursor = page.next;
                    self.buffer = page.entries.into();
                }
                Err(error) => {
                    self.over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

/// Names of records, as a stream. A key present throughout the walk is seen exactly once.
#[must_use = "streams do nothing unless polled"]
pub struct Keys<'h>(pub(super) Walk<'h>);

impl Keys<'_> {
    /// The next name.
    pub async fn next(&mut self) -> Option<Result<String>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// All that are left.
    pub async fn collect(mut self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        while let Some(name) = self.next().await {
            names.push(name?);
        }
        Ok(names)
    }
}

impl Stream for Keys<'_> {
    type Item = Result<String>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let found = ready!(self.0.poll(context));
        Poll::Ready(found.map(|found| found.map(|(key, _)| self.0.handle.local(&key).to_owned())))
    }
}

impl fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// Names and values of records, as a stream.
#[must_use = "streams do nothing unless polled"]
pub struct Entries<'h, T> {
    walk: Walk<'h>,
    value: PhantomData<fn() -> T>,
}

impl<'h, T> Entries<'h, T> {
    pub(super) fn new(walk: Walk<'h>) -> Self {
        Self { walk, value: PhantomData }
    }
}

impl<T: Value> Entries<'_, T> {
    /// The next record.
    pub async fn next(&mut self) -> Option<Result<(String, T)>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// All that are left, up to the first error.
    pub async fn collect(mut self) -> Result<Vec<(String, T)>> {
        let mut entries = Vec::new();
        while let Some(entry) = self.next().await {
            entries.push(entry?);
        }
        Ok(entries)
    }
}

impl<T: Value> Stream for Entries<'_, T> {
    type Item = Result<(String, T)>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(found) = ready!(self.walk.poll(context)) else { return Poll::Ready(None) };
            let (key, record) = match found {
                Ok(found) => found,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            // Selected dead records and those past their sealed cap have no value to give.
            if record.is_dead(self.walk.now) {
                continue;
            }
            match self.walk.handle.read(&key, &record, self.walk.now) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    let name = self.walk.handle.local(&key).to_owned();
                    return Poll::Ready(Some(Ok((name, value))));
                }
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl<T> fmt::Debug for Entries<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").finish_non_exhaustive()
    }
}

/// Names of records, each with its value and what is known of it, page by page. What a replica loads itself by.
#[must_use = "nothing is read until `next` is awaited"]
pub struct Inspections<'h, T> {
    walk: Walk<'h>,
    value: PhantomData<fn() -> T>,
}

impl<'h, T> Inspections<'h, T> {
    pub(super) fn new(walk: Walk<'h>) -> Self {
        Self { walk, value: PhantomData }
    }
}

impl<T: Value> Inspections<'_, T> {
    /// The next record, by its whole name. The outer error ends the walk; the inner one is of this record alone.
    pub async fn next(&mut self) -> Option<Result<(Key, Result<(T, Info)>)>> {
        loop {
            let (key, record) = match self.walk.next().await? {
                Ok(found) => found,
                Err(error) => return Some(Err(error)),
            };
            if record.is_dead(self.walk.now) {
                continue;
            }
            match self.walk.handle.inspected(&key, &record, self.walk.now).transpose() {
                // Past its sealed cap: as good as gone.
                None => {}
                Some(inspected) => return Some(Ok((key, inspected))),
            }
        }
    }
}

impl<T> fmt::Debug for Inspections<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspections").finish_non_exhaustive()
    }
}
