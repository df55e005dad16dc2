//! Bodies of the admin port: closed objects, as those of the API. Those that steer the clock are in
//! `passage.rs`.

use crate::domain::{GatewayId, IssuerEvent, Month, Pan, TokenId};
use crate::http::strict_json::{DecodeError, Members, Wire, shown};
use crate::world::{Forgery, Particulars};

/// Body of `POST /events`.
pub(super) struct NewEvent {
    pub(super) gateway: GatewayId,
    /// Nothing if the text names no token that this sandbox could have made.
    pub(super) token: Option<TokenId>,
    pub(super) event: IssuerEvent,
    pub(super) particulars: Particulars,
}

/// Body of `POST /notifications/forged`.
pub(super) struct NewForgery {
    pub(super) gateway: GatewayId,
    /// Nothing if the text names no token that this sandbox could have made.
    pub(super) token: Option<TokenId>,
    pub(super) forgery: Forgery,
}

/// Body of `POST /reset`: nothing.
pub(super) struct Nothing;

/// Whose token, and which: nothing if the text names no token that this sandbox could have made.
fn gateway_and_token(members: &Members) -> Result<(GatewayId, Option<TokenId>), DecodeError> {
    let text = members.text("gateway")?;
    let expected = "10 characters of A-Z, a-z, 0-9, _ and -";
    let gateway = GatewayId::parse(text);
    let gateway = gateway.ok_or_else(|| DecodeError::invalid("gateway", expected, &shown(text)))?;
    Ok((gateway, TokenId::parse(members.text("tokenId")?)))
}

impl Wire for NewEvent {
    const MEMBERS: &'static [(&'static str, bool)] =
        &[("gateway", true), ("tokenId", true), ("event", true), ("exp", false), ("pan", false)];

    fn read(members: &Members) -> Result<Self, DecodeError> {
        let (gateway, token) = gateway_and_token(members)?;
        let text = members.text("event")?;
        let event = IssuerEvent::parse(text).ok_or_else(|| {
            let known: Vec<&str> = IssuerEvent::ALL.into_iter().map(IssuerEvent::as_str).collect();
            DecodeError::invalid("event", &format!("one of {}", known.join(", ")), &shown(text))
        })?;
        // What stands there may be a card, or a part of one.
        let fault = |member, expected: &str| DecodeError::invalid(member, expected, "another text");
        let takes = |member: &'static str, good: bool, events: &str| {
            let unasked = || DecodeError::invalid(member, &format!("only with {events}"), event.as_str());
            good.then_some(()).ok_or_else(unasked)
        };
        let expiry = members.optional_text("exp")?;
        let expiry =
            expiry.map(|text| Month::from_mmyy(text).ok_or_else(|| fault("exp", "MMYY"))).transpose()?;
        let dated =
            matches!(event, IssuerEvent::TokenExtend | IssuerEvent::CardRenew | IssuerEvent::CardReplace);
        takes("exp", expiry.is_none() || dated, "token.extend, card.renew and card.replace")?;
        let pan = members.optional_text("pan")?;
        let pan = pan.map(|text| {
            Pan::parse(text).ok_or_else(|| fault("pan", "12 to 19 digits with a good check digit"))
        });
        let pan = pan.transpose()?;
        takes("pan", pan.is_none() || event == IssuerEvent::CardReplace, "card.replace")?;
        Ok(Self { gateway, token, event, particulars: Particulars { expiry, pan } })
    }
}

impl Wire for NewForgery {
    const MEMBERS: &'static [(&'static str, bool)] = &[("gateway", true), ("tokenId", true), ("as", true)];

    fn read(members: &Members) -> Result<Self, DecodeError> {
        let (gateway, token) = gateway_and_token(members)?;
        let text = members.text("as")?;
        let forgery = Forgery::parse(text).ok_or_else(|| {
            let known: Vec<&str> = Forgery::ALL.into_iter().map(Forgery::as_str).collect();
            DecodeError::invalid("as", &format!("one of {}", known.join(", ")), &shown(text))
        })?;
        Ok(Self { gateway, token, forgery })
    }
}

impl Wire for Nothing {
    const MEMBERS: &'static [(&'static str, bool)] = &[];

    fn read(_: &Members) -> Result<Self, DecodeError> {
        Ok(Self)
    }
}
