//! The journal in one answer, page by page as the reader takes it: never more than a page is held for it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};

use crate::domain::GatewayId;
use crate::journal::Journal;

/// The entries after a number, up to the newest when it was asked for.
pub(super) struct Whole {
    journal: Arc<Journal>,
    gateway: Option<GatewayId>,
    after: u64,
    end: u64,
}

impl Whole {
    pub(super) fn new(journal: &Arc<Journal>, gateway: Option<GatewayId>, after: u64) -> Self {
        Self { journal: Arc::clone(journal), gateway, after, end: journal.last() }
    }
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.after >= self.end {
            return Poll::Ready(None);
        }
        let page = self.journal.page_of(self.gateway.as_ref().map(GatewayId::as_str), self.after);
        // A page that came to the end of the journal has nothing behind it.
        self.after = if page.last > self.after { page.last } else { self.end };
        Poll::Ready((!page.text.is_empty()).then(|| Ok(Frame::data(Bytes::from(page.text)))))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::domain::Moment;
    use crate::journal::Fact;

    async fn lines(whole: Whole) -> usize {
        let bytes = whole.collect().await.expect("it does not fail").to_bytes();
        bytes.iter().filter(|byte| **byte == b'\n').count()
    }

    #[tokio::test]
    async fn all_pages_come_up_to_what_was_there_when_it_began() {
        let journal = Arc::new(Journal::new());
        let record = |gateway| journal.record(Moment::from_ms(0), gateway, None, &Fact::Reset);
        for n in 0..2_500 {
            record((n % 2 == 0).then_some("MGW_000001"));
        }
        let whole = |after| Whole::new(&journal, None, after);
        assert_eq!(
            (lines(whole(0)).await, lines(whole(2_000)).await, lines(whole(9_999)).await),
            (2_500, 500, 0)
        );
        let of = Whole::new(&journal, GatewayId::parse("MGW_000001"), 0);
        assert_eq!(lines(of).await, 1_250);
        let nobody = Whole::new(&journal, GatewayId::parse("MGW_000009"), 0);
        assert_eq!(lines(nobody).await, 0);
    }
}
