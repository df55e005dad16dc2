//! The words of the language that stand for something of D1.

use d1_fixtures::IssuerEvent;

/// Exchanges, by the names that the contract documents give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    GetAccessToken,
    CreateMerchant,
    CreateToken,
    GetToken,
    CreateTransaction,
    DeleteToken,
}

impl Operation {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::GetAccessToken => "getAccessToken",
            Self::CreateMerchant => "createMerchant",
            Self::CreateToken => "createToken",
            Self::GetToken => "getToken",
            Self::CreateTransaction => "createTransaction",
            Self::DeleteToken => "deleteToken",
        }
    }

    /// The status of an answer when all is well (C16-C20).
    pub(super) const fn status(self) -> u32 {
        match self {
            Self::CreateMerchant | Self::CreateToken | Self::CreateTransaction => 201,
            Self::GetAccessToken | Self::GetToken => 200,
            Self::DeleteToken => 204,
        }
    }
}

/// What a gateway calls.
pub(super) const INBOUND: [(&str, Operation); 6] = [
    ("getAccessToken", Operation::GetAccessToken),
    ("createMerchant", Operation::CreateMerchant),
    ("createToken", Operation::CreateToken),
    ("getToken", Operation::GetToken),
    ("createTransaction", Operation::CreateTransaction),
    ("deleteToken", Operation::DeleteToken),
];

/// What the issuer or the TSP can do (C25).
pub(super) const ISSUER_EVENTS: [(&str, IssuerEvent); 7] = [
    ("token.suspend", IssuerEvent::TokenSuspend),
    ("token.resume", IssuerEvent::TokenResume),
    ("token.delete", IssuerEvent::TokenDelete),
    ("token.extend", IssuerEvent::TokenExtend),
    ("card.renew", IssuerEvent::CardRenew),
    ("card.replace", IssuerEvent::CardReplace),
    ("card.delete", IssuerEvent::CardDelete),
];

/// Events that concern a card and so all its tokens.
pub(super) const fn of_card(event: IssuerEvent) -> bool {
    matches!(event, IssuerEvent::CardRenew | IssuerEvent::CardReplace | IssuerEvent::CardDelete)
}

/// What a notification can tell (C22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventType {
    TokenSuspended,
    TokenResumed,
    TokenDeleted,
    TokenUpdated,
    CardUpdated,
}

pub(super) const EVENT_TYPES: [(&str, EventType); 5] = [
    ("TOKEN_SUSPENDED", EventType::TokenSuspended),
    ("TOKEN_RESUMED", EventType::TokenResumed),
    ("TOKEN_DELETED", EventType::TokenDeleted),
    ("TOKEN_UPDATED", EventType::TokenUpdated),
    ("CARD_UPDATED", EventType::CardUpdated),
];

impl EventType {
    pub(crate) fn as_str(self) -> &'static str {
        EVENT_TYPES.into_iter().find(|(_, event)| *event == self).map_or("", |(word, _)| word)
    }

    /// What the issuer or the TSP did, when this comes of it.
    pub(super) const fn of(event: IssuerEvent) -> Self {
        match event {
            IssuerEvent::TokenSuspend => Self::TokenSuspended,
            IssuerEvent::TokenResume => Self::TokenResumed,
            IssuerEvent::TokenDelete | IssuerEvent::CardDelete => Self::TokenDeleted,
            IssuerEvent::TokenExtend => Self::TokenUpdated,
            IssuerEvent::CardRenew | IssuerEvent::CardReplace => Self::CardUpdated,
        }
    }
}

/// The states of a token (C21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenState {
    Active,
    Suspended,
    Deleted,
}

pub(super) const STATES: [(&str, TokenState); 3] =
    [("ACTIVE", TokenState::Active), ("SUSPENDED", TokenState::Suspended), ("DELETED", TokenState::Deleted)];

impl TokenState {
    pub(crate) fn as_str(self) -> &'static str {
        STATES.into_iter().find(|(_, state)| *state == self).map_or("", |(word, _)| word)
    }
}

/// The codes that the contract names.
pub(super) const ERROR_CODES: [&str; 12] = [
    "INVALID_FIELD",
    "MISSING_FIELD",
    "FORBIDDEN",
    "FORBIDDEN_STATE",
    "TOKENIZATION_DECLINED",
    "RESOURCE_NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "PAYLOAD_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "TOO_MANY_REQUESTS",
    "INTERNAL_ERROR",
    "SERVICE_UNAVAILABLE",
];

/// Kinds of payment (C19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransactionType {
    Single,
    Recurring,
    Split,
}

pub(super) const TRANSACTION_TYPES: [(&str, TransactionType); 3] = [
    ("SINGLE", TransactionType::Single),
    ("RECURRING", TransactionType::Recurring),
    ("SPLIT", TransactionType::Split),
];

impl TransactionType {
    pub(crate) fn as_str(self) -> &'static str {
        TRANSACTION_TYPES.into_iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}

/// Where the merchant has the card from (C17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CardSource {
    Manual,
    OnFile,
}

pub(super) const SOURCES: [(&str, CardSource); 2] =
    [("MANUAL", CardSource::Manual), ("ON_FILE", CardSource::OnFile)];

impl CardSource {
    pub(crate) fn as_str(self) -> &'static str {
        SOURCES.into_iter().find(|(_, source)| *source == self).map_or("", |(word, _)| word)
    }
}

/// What is wrong with a forged notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forgery {
    WrongCertificate,
    WrongKey,
    Tampered,
    OldSequence,
    UnknownType,
    UnknownMembers,
}

pub(super) const FORGERIES: [(&str, Forgery); 6] = [
    ("wrongCertificate", Forgery::WrongCertificate),
    ("wrongKey", Forgery::WrongKey),
    ("tampered", Forgery::Tampered),
    ("oldSequence", Forgery::OldSequence),
    ("unknownType", Forgery::UnknownType),
    ("unknownMembers", Forgery::UnknownMembers),
];

impl Forgery {
    pub(crate) fn as_str(self) -> &'static str {
        FORGERIES.into_iter().find(|(_, forgery)| *forgery == self).map_or("", |(word, _)| word)
    }

    /// What it is, in words.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::WrongCertificate => "over a connection with a certificate of another authority",
            Self::WrongKey => "with a JWE that is sealed to another key",
            Self::Tampered => "with a JWE that was changed on the way",
            Self::OldSequence => "with the sequence number of an event long past",
            Self::UnknownType => "of a type that nobody knows",
            Self::UnknownMembers => "with members that nobody knows",
        }
    }
}

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Delivered,
    Waiting,
    Refused,
    GivenUp,
    Dropped,
}

pub(super) const OUTCOMES: [(&str, Outcome); 5] = [
    ("delivered", Outcome::Delivered),
    ("waiting", Outcome::Waiting),
    ("refused", Outcome::Refused),
    ("givenUp", Outcome::GivenUp),
    ("dropped", Outcome::Dropped),
];

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        OUTCOMES.into_iter().find(|(_, outcome)| *outcome == self).map_or("", |(word, _)| word)
    }

    /// What it is, in words.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Waiting => "still waiting",
            Self::Refused => "refused for good",
            Self::GivenUp => "given up",
            Self::Dropped => "dropped by a fault",
        }
    }
}
