//! The record of every handshake, exchange, transition and delivery, in the order they happened.
//!
//! Each entry is one line of JSON with a number that only grows. Secrets are redacted at the door:
//! what is stored here may be shown to anybody. The ring is bounded; a reader that comes too late
//! is told of the gap.

mod entry;
mod headers;
mod redact;
mod ring;
mod shown;

pub(crate) use entry::{
    Body, Delivery, Expiry, Fact, Fault, GatewayToken, Handshake, Queued, Request, Transition, Why,
};
pub(crate) use headers::Headers;
pub(crate) use redact::{is_strange, text as redacted, told as redacted_whole};
pub(crate) use shown::SHOWN;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::clock::rfc3339;
use crate::domain::Moment;
use ring::Ring;

/// At most so many entries are kept.
const MAX_ENTRIES: usize = 100_000;
/// At most so many bytes of entries are kept.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// One reading gives at most so many entries.
const PAGE: usize = 1_000;

/// So many entries are looked at without letting others write.
const LOOKS: usize = 4_096;

/// A part of the journal.
#[derive(Debug)]
pub(crate) struct Page {
    /// Lines, as NDJSON.
    pub(crate) text: Vec<u8>,
    /// Where to read on: the number of the last entry that was looked at.
    pub(crate) last: u64,
}

/// The journal of one sandbox.
#[derive(Debug)]
pub(crate) struct Journal {
    ring: Mutex<Ring>,
    last: watch::Sender<u64>,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self { ring: Mutex::new(Ring::new(MAX_ENTRIES, MAX_BYTES)), last: watch::Sender::new(0) }
    }

    /// Writes one entry and returns its number. `gateway` and `correlation` are redacted here.
    pub(crate) fn record(
        &self,
        at: Moment,
        gateway: Option<&str>,
        correlation: Option<&str>,
        fact: &Fact<'_>,
    ) -> u64 {
        let line = entry::render(&rfc3339(at), gateway, correlation, fact);
        let mut ring = self.lock();
        let n = ring.push(line);
        // Under the lock, so that the number shown to waiters never goes back.
        self.last.send_replace(n);
        n
    }

    #[cfg(test)]
    pub(crate) fn page(&self, after: u64) -> Vec<u8> {
        self.page_of(None, after).text
    }

    /// Lines with a number above `after`, at most a page; of one gateway alone if one is named.
    pub(crate) fn page_of(&self, gateway: Option<&str>, after: u64) -> Page {
        let wanted = |line: &[u8]| gateway.is_none_or(|gateway| entry::is_of(line, gateway));
        let (mut page, mut found) = (Page { text: Vec::new(), last: after }, 0);
        loop {
            // Others write in between.
            let part = self.lock().part(page.last, (PAGE - found, LOOKS), wanted);
            let end = part.last == page.last;
            page.text.extend_from_slice(&part.text);
            (page.last, found) = (part.last, found + part.found);
            if end || found == PAGE {
                return page;
            }
        }
    }

    /// The number of the newest entry; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// Returns once there is an entry above `after`.
    pub(crate) async fn wait_beyond(&self, after: u64) {
        let mut last = self.last.subscribe();
        // An error means that the journal is gone: there is nothing to wait for.
        let _ = last.wait_for(|last| *last > after).await;
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
