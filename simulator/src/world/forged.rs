//! Notifications that are wrong on purpose, each in one way, or of a later D1.

use crate::chance::Stream;
use crate::domain::{EventType, GatewayId, Moment, Refusal, Token, TokenId, TokenState, Update, uuid_text};
use crate::journal::{Queued, Transition};

use super::{Asker, World};

/// In which way a notification is not what it seems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forgery {
    /// Sent with a client certificate of an authority that nobody knows.
    WrongCertificate,
    /// Its JWE is sealed to another key.
    WrongKey,
    /// The tag of its JWE does not fit.
    Tampered,
    /// A number that the token has passed.
    OldSequence,
    /// A true notification of a kind that nobody knows.
    UnknownType,
    /// A true notification with members that nobody knows.
    UnknownMembers,
}

impl Forgery {
    pub(crate) const ALL: [Self; 6] = [
        Self::WrongCertificate,
        Self::WrongKey,
        Self::Tampered,
        Self::OldSequence,
        Self::UnknownType,
        Self::UnknownMembers,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::WrongCertificate => "wrongCertificate",
            Self::WrongKey => "wrongKey",
            Self::Tampered => "tampered",
            Self::OldSequence => "oldSequence",
            Self::UnknownType => "unknownType",
            Self::UnknownMembers => "unknownMembers",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|forgery| forgery.as_str() == text)
    }

    /// It tells the truth, and takes a number of the token as every true notification does.
    const fn is_true(self) -> bool {
        matches!(self, Self::UnknownType | Self::UnknownMembers)
    }
}

impl World {
    /// Queues a forged notification of a token, to be sent once to the receiver of its gateway. Returns the number of its journal entry.
    pub(crate) fn forge(
        &self,
        gateway: &GatewayId,
        token: TokenId,
        forgery: Forgery,
        now: Moment,
    ) -> Result<u64, Refusal> {
        let mut state = self.lock();
        let limit = self.setting.limits.outbox;
        if state.outbox.len() >= limit {
            return Err(Refusal::Full { what: "notifications", limit });
        }
        let has_receiver = state.outbox.is_told(gateway);
        let known = state.tokens.get_mut(&token).filter(|token| token.gateway == *gateway);
        let known = known.ok_or(Refusal::UnknownToken)?;
        // Nobody would take it, and no clock would get past it.
        if !has_receiver {
            return Err(Refusal::NoReceiver);
        }
        if known.state == TokenState::Deleted {
            return Err(Refusal::ForbiddenState { state: known.state, wanted: "ACTIVE or SUSPENDED" });
        }
        if forgery == Forgery::OldSequence && known.sequence < 2 {
            return Err(Refusal::ForbiddenState {
                state: known.state,
                wanted: "past its second notification",
            });
        }
        if forgery.is_true() {
            known.sequence = known.sequence.saturating_add(1);
        }
        let told = known.clone();
        state.counters.events += 1;
        let id = self.setting.chance.uuid(Stream::Event, state.counters.events);
        let update = forged_update(&told, forgery, (id, now));
        let queued =
            Queued { event_id: uuid_text(id), event_type: update.kind.as_str(), sequence: update.sequence };
        let made = Transition {
            cause: "notification.forged",
            merchant_id: told.merchant.to_string(),
            token_id: Some(token.to_string()),
            queued: Some(queued),
            ..Transition::default()
        };
        let n = self.note(Asker { gateway, correlation: None }, now, made);
        state.outbox.push_forged((gateway.clone(), told.merchant, token), update, (forgery, now));
        self.moved.send_replace(());
        Ok(n)
    }
}

/// What a forgery claims: what is not true of the token claims that its state is the other one.
fn forged_update(token: &Token, forgery: Forgery, (id, at): (u128, Moment)) -> Update {
    let other = match token.state {
        TokenState::Active => TokenState::Suspended,
        TokenState::Suspended | TokenState::Deleted => TokenState::Active,
    };
    let state = if forgery.is_true() { token.state } else { other };
    let sealed = matches!(forgery, Forgery::WrongKey | Forgery::Tampered);
    let kind = match state {
        _ if sealed => EventType::TokenUpdated,
        TokenState::Suspended => EventType::TokenSuspended,
        TokenState::Active | TokenState::Deleted => EventType::TokenResumed,
    };
    let sequence = match forgery {
        Forgery::OldSequence => token.sequence.saturating_sub(1),
        forgery if forgery.is_true() => token.sequence,
        _ => token.sequence.saturating_add(1),
    };
    Update {
        id,
        kind,
        state,
        card_last_four: token.card_last_four,
        card_expiry: token.card_expiry,
        token_last_four: token.token_last_four(),
        token_expiry: token.token_expiry,
        sequence,
        at,
        dpan: sealed.then_some(token.dpan),
    }
}
