//! The switches: each is one fault of real clients.

use std::fmt;

/// What is broken in a client. The order is that of the reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "Break::fault says what each stands for, in one place")]
pub enum Break {
    // Blunt: they turn cases red whatever is answered.
    AlwaysOk,
    AlwaysError,
    PanicAlways,
    DropCorrelationId,
    NoBearer,
    WrongMediaType,
    AccessTokenByForm,
    UnknownRequestMember,
    RenamedMember,
    CardInClear,
    ExpiryYearFirst,
    TrailingSlash,
    // What is told of an answer.
    StatusOnly,
    Only200,
    SuccessBelow500,
    DropErrorCode,
    CodeFromErrorText,
    CodeFromStatus,
    ErrorIsUnreadable,
    NotAmbiguous,
    AlwaysAmbiguous,
    AmbiguousServerErrors,
    NeverRetryable,
    AlwaysRetryable,
    RetryableServerErrors,
    HidePause,
    IgnoreSealed,
    DigitsAsNumbers,
    WantBodyOfDelete,
    SwallowDelete404,
    HideAccessTokenRefusal,
    // What is made of changes that come without notice.
    StrictMembers,
    WantEveryMember,
    PanicUnknownValue,
    KnownCodesOnly,
    TypedMembers,
    ValidateAnswers,
    OrderedMembers,
    IntegerOnly,
    FixedLengths,
    ShortDates,
    TextDecides,
    TakeAnything,
    ForeignAnswerIsRefusal,
    CoerceMembers,
    LossyUtf8,
    IgnoreTrailing,
    PanicUnreadable,
    WantMediaType,
    InflateAll,
    SkipTag,
    TrustHeader,
    // What is done after an answer.
    RetryEverything,
    RetryNever,
    RetryForever,
    RetryServerErrors,
    RetryOnlyReads,
    RetryOnly429,
    RetryNoAccessToken,
    IgnoreRetryAfter,
    RetryAfterInMilliseconds,
    NoPause,
    EmptyBodyOnRetry,
    NoRefresh,
    StaleBearer,
    NoReplayOfCreations,
    RefreshForever,
    RefreshOnForbidden,
    AccessTokenPerAttempt,
    CallWithoutAccessToken,
    RetryAfterOnlySeconds,
    WaitForEver,
    ForgetDoubt,
    FollowRedirects,
    // What is taken for an answer of D1 at all.
    AnyCertificate,
    NoHostname,
    NoDates,
    AcceptTruncated,
    NoBodyLimit,
    NoTimeout,
    RefusalInDoubt,
    GoawayIsNo,
    GoawayIsEnd,
    WaitOutResets,
}

impl Break {
    /// All of them.
    pub const ALL: [Self; 84] = [
        Self::AlwaysOk,
        Self::AlwaysError,
        Self::PanicAlways,
        Self::DropCorrelationId,
        Self::NoBearer,
        Self::WrongMediaType,
        Self::AccessTokenByForm,
        Self::UnknownRequestMember,
        Self::RenamedMember,
        Self::CardInClear,
        Self::ExpiryYearFirst,
        Self::TrailingSlash,
        Self::StatusOnly,
        Self::Only200,
        Self::SuccessBelow500,
        Self::DropErrorCode,
        Self::CodeFromErrorText,
        Self::CodeFromStatus,
        Self::ErrorIsUnreadable,
        Self::NotAmbiguous,
        Self::AlwaysAmbiguous,
        Self::AmbiguousServerErrors,
        Self::NeverRetryable,
        Self::AlwaysRetryable,
        Self::RetryableServerErrors,
        Self::HidePause,
        Self::IgnoreSealed,
        Self::DigitsAsNumbers,
        Self::WantBodyOfDelete,
        Self::SwallowDelete404,
        Self::HideAccessTokenRefusal,
        Self::StrictMembers,
        Self::WantEveryMember,
        Self::PanicUnknownValue,
        Self::KnownCodesOnly,
        Self::TypedMembers,
        Self::ValidateAnswers,
        Self::OrderedMembers,
        Self::IntegerOnly,
        Self::FixedLengths,
        Self::ShortDates,
        Self::TextDecides,
        Self::TakeAnything,
        Self::ForeignAnswerIsRefusal,
        Self::CoerceMembers,
        Self::LossyUtf8,
        Self::IgnoreTrailing,
        Self::PanicUnreadable,
        Self::WantMediaType,
        Self::InflateAll,
        Self::SkipTag,
        Self::TrustHeader,
        Self::RetryEverything,
        Self::RetryNever,
        Self::RetryForever,
        Self::RetryServerErrors,
        Self::RetryOnlyReads,
        Self::RetryOnly429,
        Self::RetryNoAccessToken,
        Self::IgnoreRetryAfter,
        Self::RetryAfterInMilliseconds,
        Self::NoPause,
        Self::EmptyBodyOnRetry,
        Self::NoRefresh,
        Self::StaleBearer,
        Self::NoReplayOfCreations,
        Self::RefreshForever,
        Self::RefreshOnForbidden,
        Self::AccessTokenPerAttempt,
        Self::CallWithoutAccessToken,
        Self::RetryAfterOnlySeconds,
        Self::WaitForEver,
        Self::ForgetDoubt,
        Self::FollowRedirects,
        Self::AnyCertificate,
        Self::NoHostname,
        Self::NoDates,
        Self::AcceptTruncated,
        Self::NoBodyLimit,
        Self::NoTimeout,
        Self::RefusalInDoubt,
        Self::GoawayIsNo,
        Self::GoawayIsEnd,
        Self::WaitOutResets,
    ];

    /// Whether it turns cases red whatever they answer: a wrong report of everything, or a wrong request. Killing one of
    /// these does not show that a case looks at what it is there for.
    #[must_use]
    pub fn is_blunt(self) -> bool {
        self < Self::StatusOnly
    }

    /// The fault of real clients that it stands for.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a table, so that none is forgotten")]
    pub const fn fault(self) -> &'static str {
        match self {
            Self::AlwaysOk => "an error is caught, logged and forgotten: every call is told as done",
            Self::AlwaysError => "no call is ever told as done",
            Self::PanicAlways => "an error that nobody thought of takes the whole process along",
            Self::DropCorrelationId => "requests go out without x-correlation-id",
            Self::NoBearer => "mutual TLS is taken for all the authentication there is",
            Self::WrongMediaType => "bodies go out with the media type that the HTTP library sets by itself",
            Self::AccessTokenByForm => {
                "the access token is asked for with a form, as most OAuth libraries do"
            }
            Self::UnknownRequestMember => "a field for the client's own use is serialized along",
            Self::RenamedMember => "the serializer renames members after its own fashion",
            Self::CardInClear => "the card is sent as it is instead of sealed toward D1",
            Self::ExpiryYearFirst => "the end of the card is written as YYMM, as on the magnetic stripe",
            Self::TrailingSlash => "paths are joined with one slash too many",
            Self::StatusOnly => "only the status is looked at, never the body",
            Self::Only200 => "a 201 and a 204 are taken for failures",
            Self::SuccessBelow500 => "everything below 500 is taken for a good answer",
            Self::DropErrorCode => "the errorCode is lost on the way to the caller",
            Self::CodeFromErrorText => "the text for people is taken for the errorCode",
            Self::CodeFromStatus => "each status is taken to have one errorCode",
            Self::ErrorIsUnreadable => "the body of a good answer is expected under every status",
            Self::NotAmbiguous => "a call that may have been carried out is told as not done",
            Self::AlwaysAmbiguous => "every failure is told as perhaps carried out",
            Self::AmbiguousServerErrors => {
                "every 5xx is told as perhaps carried out, be it a clear no or the answer to a read"
            }
            Self::NeverRetryable => "the caller is told that nothing can be tried again",
            Self::AlwaysRetryable => "the caller is told that everything can be tried again",
            Self::RetryableServerErrors => "the caller is told that every 5xx can be tried again",
            Self::HidePause => "the caller is not told that D1 asked for a pause",
            Self::IgnoreSealed => "the JWE itself is taken for the DPAN inside it",
            Self::DigitsAsNumbers => "identifiers and dates of digits become numbers and lose their zeros",
            Self::WantBodyOfDelete => "a good answer without a body is taken for a broken one",
            Self::SwallowDelete404 => "a deletion that found nothing is told as done",
            Self::HideAccessTokenRefusal => "why no access token was given is not told",
            Self::StrictMembers => {
                "a member that is not in the client's own model makes the answer unreadable"
            }
            Self::WantEveryMember => {
                "every member of the client's own model is demanded, informational ones too"
            }
            Self::PanicUnknownValue => {
                "a value that is not in the client's own enumeration takes the process along"
            }
            Self::KnownCodesOnly => {
                "an errorCode that is not in the client's own enumeration makes the refusal unreadable"
            }
            Self::TypedMembers => {
                "a member of another type makes the answer unreadable, even one that nobody needs"
            }
            Self::ValidateAnswers => "answers are held against the document, as generated clients do",
            Self::OrderedMembers => "members are taken by their place, as they have always come",
            Self::IntegerOnly => "900.0 is taken for no whole number",
            Self::FixedLengths => "texts have to be as long as those of the examples",
            Self::ShortDates => "a date has to fit 32 bits of seconds",
            Self::TextDecides => "the text for people is searched for words that tell what to do",
            Self::TakeAnything => "an answer without the one thing that was asked for is told as done",
            Self::ForeignAnswerIsRefusal => "a 502, a 504 or a foreign 503 is taken for a clear no",
            Self::CoerceMembers => "the one member that matters becomes a text, whatever it is",
            Self::LossyUtf8 => "bytes that are no text are replaced in silence",
            Self::IgnoreTrailing => "what stands behind the object is not looked at",
            Self::PanicUnreadable => {
                "a body that cannot be read takes the process along instead of being told"
            }
            Self::WantMediaType => "a good answer counts only if its media type is application/json",
            Self::InflateAll => "an answer that comes compressed is inflated however much it becomes",
            Self::SkipTag => "a JWE is decrypted and its tag never checked",
            Self::TrustHeader => "a JWE is opened in whatever way its own header says",
            Self::RetryEverything => "everything that fails is sent again, refusals and creations too",
            Self::RetryNever => "nothing is sent again, not even where D1 asks for it",
            Self::RetryForever => "there is no end to the attempts",
            Self::RetryServerErrors => "every 5xx is sent again, as most HTTP libraries can be told to",
            Self::RetryOnlyReads => "a creation that D1 put off is not sent again",
            Self::RetryOnly429 => "a 503 is taken for a failure instead of a request to come later",
            Self::RetryNoAccessToken => "the endpoint of the access token is called outside the retry logic",
            Self::IgnoreRetryAfter => "Retry-After is not read",
            Self::RetryAfterInMilliseconds => "the seconds of Retry-After are taken for milliseconds",
            Self::NoPause => "without Retry-After the next attempt follows at once",
            Self::EmptyBodyOnRetry => "the body is a stream, and is empty when the request is sent again",
            Self::NoRefresh => "an access token that D1 no longer takes is kept",
            Self::StaleBearer => "the access token is fetched anew, and the old one sent again",
            Self::NoReplayOfCreations => "a creation that met a 401 is not sent again",
            Self::RefreshForever => "every 401 fetches another access token, without end",
            Self::RefreshOnForbidden => "a 403 is taken for the end of the access token",
            Self::AccessTokenPerAttempt => "each attempt fetches an access token of its own",
            Self::CallWithoutAccessToken => "the call goes out although no access token was given",
            Self::RetryAfterOnlySeconds => "a Retry-After that is a date is not understood",
            Self::WaitForEver => "a pause is kept however long it is",
            Self::ForgetDoubt => {
                "a deletion that was carried out though its answer was lost is told as failed"
            }
            Self::FollowRedirects => "redirections are followed, as HTTP libraries do unless told otherwise",
            Self::AnyCertificate => "every certificate is taken for D1's",
            Self::NoHostname => {
                "every certificate of the right authority is taken for D1's, whatever its name"
            }
            Self::NoDates => "the dates of certificates are not looked at",
            Self::AcceptTruncated => {
                "what came before the end of the connection is taken for the whole answer"
            }
            Self::NoBodyLimit => "an answer is read however long it is",
            Self::NoTimeout => "there is no time-out for an attempt",
            Self::RefusalInDoubt => "a request that D1 says it has not begun is told as perhaps carried out",
            Self::GoawayIsNo => "a GOAWAY is taken for a refusal, whatever stream it names",
            Self::GoawayIsEnd => "a GOAWAY is taken for the end, though the answer is still to come",
            Self::WaitOutResets => "the end of a stream is not looked at, and its answer waited for",
        }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}
