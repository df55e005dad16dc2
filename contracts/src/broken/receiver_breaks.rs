//! The switches of receivers: each is one fault of real ones.

use std::fmt;

/// What is broken in a receiver. The order is that of the reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "ReceiverBreak::fault says what each stands for, in one place")]
pub enum ReceiverBreak {
    // Blunt: it turns cases red whatever is sent.
    AlwaysOk,
    // What is made of good events.
    KeepsNothing,
    ArrivalOrderEvents,
    DeduplicatesByArrival,
    RemembersLastEvent,
    NoDeduplication,
    LooksThenNotes,
    AcknowledgesBeforeKeeping,
    OkWithError,
    // What is made of changes that come without notice.
    StrictMembers,
    PanicUnknownValue,
    // What is made of bad events.
    AcceptsUnreadable,
    PanicUnreadable,
    SkipTag,
    TrustHeader,
    SkipsUnopened,
    // Who may call.
    AnyCaller,
    NoBearerCheck,
    BearersForEver,
    AnyGateway,
    AnyMethod,
    AnyCredentials,
    AnyGrant,
    StrictForm,
}

impl ReceiverBreak {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::AlwaysOk,
        Self::KeepsNothing,
        Self::ArrivalOrderEvents,
        Self::DeduplicatesByArrival,
        Self::RemembersLastEvent,
        Self::NoDeduplication,
        Self::LooksThenNotes,
        Self::AcknowledgesBeforeKeeping,
        Self::OkWithError,
        Self::StrictMembers,
        Self::PanicUnknownValue,
        Self::AcceptsUnreadable,
        Self::PanicUnreadable,
        Self::SkipTag,
        Self::TrustHeader,
        Self::SkipsUnopened,
        Self::AnyCaller,
        Self::NoBearerCheck,
        Self::BearersForEver,
        Self::AnyGateway,
        Self::AnyMethod,
        Self::AnyCredentials,
        Self::AnyGrant,
        Self::StrictForm,
    ];

    /// The fault in words.
    #[must_use]
    pub const fn fault(self) -> &'static str {
        match self {
            Self::AlwaysOk => "it answers everything with success",
            Self::KeepsNothing => "it acknowledges events and forgets them",
            Self::ArrivalOrderEvents => "it takes what comes last for the newest",
            Self::DeduplicatesByArrival => "it takes every further event of a token for a repetition",
            Self::RemembersLastEvent => "it knows the last event of a token alone for a repetition",
            Self::NoDeduplication => "it hands repetitions on",
            Self::LooksThenNotes => "it hands an event on twice that comes twice at once",
            Self::AcknowledgesBeforeKeeping => "it acknowledges what it could not keep",
            Self::OkWithError => "it tells its own failures with success",
            Self::StrictMembers => "it refuses members that it does not know",
            Self::PanicUnknownValue => "it falls over values that it does not know or misses",
            Self::AcceptsUnreadable => "it acknowledges what it cannot read",
            Self::PanicUnreadable => "it falls over what it cannot read",
            Self::SkipTag => "it opens a JWE without looking at its tag",
            Self::TrustHeader => "it lets a JWE say how it is to be opened",
            Self::SkipsUnopened => "it acknowledges an event whose JWE it cannot open",
            Self::AnyCaller => "it takes any certificate of a caller, and none",
            Self::NoBearerCheck => "it takes any bearer, and none",
            Self::BearersForEver => "it takes bearers whose time is over",
            Self::AnyGateway => "it takes events of other gateways",
            Self::AnyMethod => "it does not look at the method",
            Self::AnyCredentials => "it gives access tokens to anybody",
            Self::AnyGrant => "it gives access tokens for any grant",
            Self::StrictForm => "it refuses a scope in the request for an access token",
        }
    }

    /// It turns cases red whatever they are about, so that this proves nothing of a case.
    #[must_use]
    pub const fn is_blunt(self) -> bool {
        matches!(self, Self::AlwaysOk)
    }
}

impl fmt::Display for ReceiverBreak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
