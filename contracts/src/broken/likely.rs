//! Where a broken client is likely to be noticed. It spares tries and decides nothing: whoever is not noticed there is
//! tried with all other cases.

use super::Break;

impl Break {
    /// Those that nearly every case notices which a client can fail at all: one of these is likely to be its first kill.
    pub(crate) const NOTICED_MOST: [Self; 5] =
        [Self::StatusOnly, Self::AlwaysAmbiguous, Self::Only200, Self::AlwaysRetryable, Self::RetryNever];

    /// A part of the ids of the cases that are likely to notice it. Nothing for what is noticed in many places.
    pub(crate) const fn likely_in(self) -> Option<&'static str> {
        Some(match self {
            Self::NotAmbiguous | Self::RetryableServerErrors | Self::RetryServerErrors => "/500/",
            Self::AmbiguousServerErrors | Self::RetryOnly429 => "/503/",
            Self::NeverRetryable
            | Self::HidePause
            | Self::RetryForever
            | Self::RetryOnlyReads
            | Self::IgnoreRetryAfter
            | Self::AccessTokenPerAttempt => "/429/",
            Self::RetryAfterInMilliseconds => "/once-with-retry-after",
            Self::NoPause => "/once-without-retry-after",
            Self::IgnoreSealed => "getToken/200/",
            Self::WantBodyOfDelete => "deleteToken/204/",
            Self::SwallowDelete404 | Self::ForgetDoubt => "deleteToken/404/",
            Self::HideAccessTokenRefusal | Self::CallWithoutAccessToken => "getAccessToken/400/",
            Self::RetryNoAccessToken => "getAccessToken/429/",
            Self::RefreshOnForbidden => "/403/",
            Self::StrictMembers => "/derived/unknown-member",
            Self::PanicUnknownValue => "/derived/unknown-value",
            Self::KnownCodesOnly => "/derived/unknown-status",
            Self::TypedMembers | Self::CoerceMembers => "/derived/wrong-type",
            Self::OrderedMembers => "/derived/reordered",
            Self::IntegerOnly => "/derived/with-fraction",
            Self::FixedLengths => "/derived/lowest.merchantName",
            Self::ShortDates => "/derived/highest.creationTimestamp",
            Self::TextDecides => "/derived/error-without-code",
            Self::ForeignAnswerIsRefusal => "/derived/status-50",
            Self::LossyUtf8 => "/transport/body-invalid-utf8/",
            Self::IgnoreTrailing => "/transport/body-trailing",
            Self::PanicUnreadable => "/transport/body-cut",
            Self::WantMediaType => "/transport/media-type",
            Self::InflateAll => "/transport/body-gzip-bomb",
            Self::SkipTag => "/transport/jwe-tag",
            Self::TrustHeader => "/transport/jwe-alg",
            Self::RetryAfterOnlySeconds => "/transport/retry-after-date",
            Self::WaitForEver => "/transport/retry-after-a-year",
            Self::FollowRedirects => "/transport/redirected",
            Self::AnyCertificate | Self::NoDates => "/transport/certificate-expired",
            Self::NoHostname => "/transport/certificate-wrong-name",
            Self::AcceptTruncated => "/transport/cut-without-goodbye",
            Self::NoBodyLimit => "/transport/body-endless",
            Self::NoTimeout => "/transport/answer-late",
            Self::RefusalInDoubt | Self::WaitOutResets => "/transport/http2-stream-refused",
            Self::GoawayIsNo | Self::GoawayIsEnd => "/transport/http2-goaway-above",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Break;
    use crate::{Catalogue, inbound};

    #[test]
    fn where_it_is_looked_for_there_is_a_case() {
        let catalogue = Catalogue::built_in(&inbound().expect("the contract")).expect("good cases");
        for broken in Break::ALL {
            let there = |part: &str| catalogue.cases().iter().any(|case| case.id.contains(part));
            assert!(broken.likely_in().is_none_or(there), "{broken}: {:?}", broken.likely_in());
        }
        assert!(Break::NOTICED_MOST.iter().all(|broken| !broken.is_blunt()));
    }
}
