//! The two flows of a gateway, checked member by member: what a test, or a renamed member, can spoil.
//!
//! They give their fault back as text instead of panicking, so that a test can also expect one.

use d1_client::receiver::{EventType, Notification, TokenRecord};
use d1_client::{
    Card, CardSource, Client, Error, MerchantId, NewMerchant, NewToken, Payment, Token, TokenDetails,
    TokenId, TokenState, TransactionType,
};
use serde_json::{Value, json};
use system_tests::{Admin, GatewayReceiver};

/// The card that is always approved.
pub(crate) const APPROVED: &str = "9999990000000014";
/// The card that is always declined.
const DECLINED: &str = "9999990000000022";
/// A card outside the table.
const REPLACEMENT: &str = "9999990000001012";

/// Says what is not as it must be.
pub(crate) type Checked<T = ()> = Result<T, String>;

/// Both texts must be the same. Neither is shown: they may be secret.
fn same<T: PartialEq + ?Sized>(what: &str, found: &T, wanted: &T) -> Checked {
    if found == wanted { Ok(()) } else { Err(format!("{what} is not as it must be")) }
}

fn holds(what: &str, condition: bool) -> Checked {
    if condition { Ok(()) } else { Err(format!("{what} is not as it must be")) }
}

fn text(what: &str, value: Option<&String>) -> Checked<String> {
    value.cloned().ok_or_else(|| format!("{what} is missing"))
}

fn failed(what: &str) -> impl Fn(Error) -> String {
    let what = what.to_owned();
    move |error| format!("{what}: {error}")
}

/// The first payment: a merchant, a token, its details, three payments, a declined card, the deletion, and that the
/// deleted token is gone. `now` is the sandbox's time.
pub(crate) async fn first_payment(client: &Client, now: &str) -> Checked {
    let merchant = onboard(client, now).await?;
    let token = tokenize(client, &merchant, now).await?;
    let details = fetch(client, &merchant, &token).await?;
    for kind in [TransactionType::Single, TransactionType::Recurring, TransactionType::Split] {
        let payment = client.create_transaction(&merchant, &token.token_id, kind, None).await;
        check_payment(&payment.map_err(failed("createTransaction"))?, &details, now)?;
    }
    let declined = NewToken::new(Card::new(DECLINED, "1239").map_err(|fault| fault.to_string())?);
    let declined = client.create_token(&merchant, &declined, None).await.err();
    refused("the declined card", declined, 403, "TOKENIZATION_DECLINED")?;
    client.delete_token(&merchant, &token.token_id, None).await.map_err(failed("deleteToken"))?;
    let gone = client.get_token(&merchant, &token.token_id, None).await.err();
    refused("getToken of the deleted token", gone, 404, "RESOURCE_NOT_FOUND")?;
    let gone = client.delete_token(&merchant, &token.token_id, None).await.err();
    refused("deleteToken of the deleted token", gone, 404, "RESOURCE_NOT_FOUND")
}

/// A new merchant.
pub(crate) async fn onboard(client: &Client, now: &str) -> Checked<MerchantId> {
    let new = NewMerchant::new("Corner Bookshop").map_err(|fault| fault.to_string())?;
    let merchant = client.create_merchant(&new, None).await.map_err(failed("createMerchant"))?;
    let id = merchant.merchant_id.as_str();
    holds("merchantId", id.len() == 11 && id.bytes().all(|byte| byte.is_ascii_digit()))?;
    same("merchantName", merchant.merchant_name.as_deref().unwrap_or(""), "Corner Bookshop")?;
    same("creationTimestamp", merchant.creation_timestamp.as_deref().unwrap_or(""), now)?;
    Ok(merchant.merchant_id)
}

/// A new token for the card that is always approved.
pub(crate) async fn tokenize(client: &Client, merchant: &MerchantId, now: &str) -> Checked<Token> {
    let card = Card::new(APPROVED, "1239").map_err(|fault| fault.to_string())?;
    let new = NewToken::new(card).with_source(CardSource::OnFile);
    let token = client.create_token(merchant, &new, None).await.map_err(failed("createToken"))?;
    same("state", &token.state, &Some(TokenState::Active))?;
    same("cardLastDigits", token.card_last_digits.as_deref().unwrap_or(""), "0014")?;
    same("cardExpiryDate", token.card_expiry_date.as_deref().unwrap_or(""), "1239")?;
    same("par", &token.par.as_ref().map(String::len), &Some(29))?;
    same("creationTimestamp", token.creation_timestamp.as_deref().unwrap_or(""), now)?;
    holds("tokenLastDigits", text("tokenLastDigits", token.token_last_digits.as_ref())?.len() == 4)?;
    holds("tokenExpiryDate", text("tokenExpiryDate", token.token_expiry_date.as_ref())?.len() == 4)?;
    Ok(token)
}

async fn fetch(client: &Client, merchant: &MerchantId, created: &Token) -> Checked<TokenDetails> {
    let details = client.get_token(merchant, &created.token_id, None).await.map_err(failed("getToken"))?;
    // A token stands in the answer to getToken as it stood in the one to createToken, member by member.
    same("the token of getToken", &details.token, created)?;
    let dpan = details.network_token.dpan.expose();
    holds("dpan", dpan.len() == 16 && d1_fixtures::luhn_valid(dpan) && dpan != APPROVED)?;
    same("tokenLastDigits", &created.token_last_digits, &Some(dpan[12..].to_owned()))?;
    same("exp", &Some(details.network_token.exp.clone()), &created.token_expiry_date)?;
    Ok(details)
}

fn check_payment(payment: &Payment, details: &TokenDetails, now: &str) -> Checked {
    holds("transactionId", !payment.transaction_id.is_empty())?;
    same("the DPAN of the payment", &payment.network_token, &details.network_token)?;
    let cryptogram = payment.cryptogram.expose();
    // 20 bytes are 28 characters of base64, the last of them padding (C19).
    holds("cryptogram", cryptogram.len() == 28 && cryptogram.ends_with('='))?;
    let eci = text("eci", payment.eci.as_ref())?;
    holds("eci", eci.len() == 2 && eci.bytes().all(|byte| byte.is_ascii_digit()))?;
    let end = text("cryptogramExpiryDate", payment.cryptogram_expiry_date.as_ref())?;
    // Both are RFC 3339 in UTC with milliseconds, so that text order is time order.
    holds("cryptogramExpiryDate", end.as_str() > now)
}

/// An error of D1 with this status and code, and a text beside the code.
pub(crate) fn refused(what: &str, error: Option<Error>, status: u16, code: &str) -> Checked {
    match error {
        Some(Error::Refused { status: found, code: Some(told), error: Some(_), .. })
            if found == status && told.as_str() == code =>
        {
            Ok(())
        }
        Some(other) => Err(format!("{what}: expected {status} {code}, found {other}")),
        None => Err(format!("{what}: expected {status} {code}, found success")),
    }
}

/// The life of tokens as the issuer lives it, and what the gateway makes of it.
pub(crate) struct LifeCycle<'a> {
    pub(crate) client: &'a Client,
    pub(crate) admin: &'a Admin,
    pub(crate) receiver: &'a GatewayReceiver,
    pub(crate) now: &'a str,
}

/// A token that is followed.
struct Followed {
    merchant: MerchantId,
    token: TokenId,
    sequence: u64,
}

impl LifeCycle<'_> {
    /// Every cause of C25 but the deletion of the card on one token, and that one on another.
    pub(crate) async fn whole(&self) -> Checked {
        let merchant = onboard(self.client, self.now).await?;
        let mut one = self.follow(&merchant).await?;
        let renewed = self.happens(&mut one, "card.renew", json!({"exp": "0145"})).await?;
        self.updated(&renewed, &EventType::CardUpdated, &TokenState::Active, ["0014", "0145"])?;
        holds("a renewal's encryptedData", renewed.network_token.is_none())?;
        self.stored(&one, &renewed).await?;

        let before = self.details(&one).await?.network_token;
        let more = json!({"exp": "0245", "pan": REPLACEMENT});
        let replaced = self.happens(&mut one, "card.replace", more).await?;
        self.updated(&replaced, &EventType::CardUpdated, &TokenState::Active, ["1012", "0245"])?;
        let after = self.details(&one).await?.network_token;
        holds("the DPAN after a replacement", before.dpan != after.dpan)?;
        same("a replacement's encryptedData", &replaced.network_token, &Some(after))?;
        self.stored(&one, &replaced).await?;

        self.suspended_and_resumed(&mut one).await?;
        self.extended(&mut one).await?;
        let deleted = self.happens(&mut one, "token.delete", json!({})).await?;
        self.updated(&deleted, &EventType::TokenDeleted, &TokenState::Deleted, ["1012", "0245"])?;
        self.stored(&one, &deleted).await?;

        let mut other = self.follow(&merchant).await?;
        let deleted = self.happens(&mut other, "card.delete", json!({})).await?;
        self.updated(&deleted, &EventType::TokenDeleted, &TokenState::Deleted, ["0014", "1239"])?;
        self.stored(&other, &deleted).await?;
        let gone = self.client.get_token(&other.merchant, &other.token, None).await.err();
        refused("getToken after the card's deletion", gone, 404, "RESOURCE_NOT_FOUND")
    }

    async fn suspended_and_resumed(&self, one: &mut Followed) -> Checked {
        let suspended = self.happens(one, "token.suspend", json!({})).await?;
        self.updated(&suspended, &EventType::TokenSuspended, &TokenState::Suspended, ["1012", "0245"])?;
        self.stored(one, &suspended).await?;
        let kind = TransactionType::Single;
        let payment = self.client.create_transaction(&one.merchant, &one.token, kind, None).await.err();
        refused("a payment with a suspended token", payment, 403, "FORBIDDEN_STATE")?;
        let resumed = self.happens(one, "token.resume", json!({})).await?;
        self.updated(&resumed, &EventType::TokenResumed, &TokenState::Active, ["1012", "0245"])?;
        self.stored(one, &resumed).await
    }

    async fn extended(&self, one: &mut Followed) -> Checked {
        let before = self.details(one).await?;
        let extended = self.happens(one, "token.extend", json!({})).await?;
        self.updated(&extended, &EventType::TokenUpdated, &TokenState::Active, ["1012", "0245"])?;
        let after = self.details(one).await?;
        holds("the token's date after an extension", before.network_token.exp != after.network_token.exp)?;
        same("the DPAN after an extension", &before.network_token.dpan, &after.network_token.dpan)?;
        same("tokenExpiryDate", &extended.token_expiry_date, &after.token.token_expiry_date)?;
        same("an extension's encryptedData", &extended.network_token, &Some(after.network_token))?;
        self.stored(one, &extended).await
    }

    async fn follow(&self, merchant: &MerchantId) -> Checked<Followed> {
        let token = tokenize(self.client, merchant, self.now).await?.token_id;
        Ok(Followed { merchant: merchant.clone(), token, sequence: 0 })
    }

    async fn details(&self, one: &Followed) -> Checked<TokenDetails> {
        self.client.get_token(&one.merchant, &one.token, None).await.map_err(failed("getToken"))
    }

    /// Lets it happen, waits for the delivery, and gives what the handler was told.
    async fn happens(&self, one: &mut Followed, event: &str, more: Value) -> Checked<Notification> {
        one.sequence += 1;
        let token = one.token.as_str();
        let n = self.admin.event(token, event, more).await;
        let transition = self.admin.entry_after(n - 1, event, |entry| entry["n"] == n).await;
        let delivery = self.admin.delivery(token, one.sequence, 1).await;
        same("the delivery's outcome", &delivery["outcome"], &json!("delivered"))?;
        let told = self.receiver.seen.last_of(token);
        let (told, _) = told.ok_or_else(|| format!("{event}: the handler was told nothing"))?;
        same("sequence", &told.sequence, &Some(one.sequence))?;
        let queued = transition["queued"]["eventId"].as_str().map(str::to_owned);
        holds("the eventId in the journal", queued.is_some())?;
        same("eventId", &told.event_id, &queued)?;
        same("lastUpdateTimestamp", told.last_update_timestamp.as_deref().unwrap_or(""), self.now)?;
        Ok(told)
    }

    fn updated(
        &self,
        told: &Notification,
        event: &EventType,
        state: &TokenState,
        [digits, date]: [&str; 2],
    ) -> Checked {
        same("eventType", &told.event_type.as_ref(), &Some(event))?;
        same("state", &told.state.as_ref(), &Some(state))?;
        same("cardLastDigits", told.card_last_digits.as_deref().unwrap_or(""), digits)?;
        same("cardExpiryDate", told.card_expiry_date.as_deref().unwrap_or(""), date)
    }

    /// The store knows what the notification says, and what D1 says of the token where it still says something.
    async fn stored(&self, one: &Followed, told: &Notification) -> Checked {
        let record = self.receiver.record(&one.merchant, &one.token).await;
        let record = record.ok_or("the store does not know the token")?;
        same("the state in the store", &record.state, &told.state)?;
        same("the sequence in the store", &record.position.sequence, &Some(one.sequence))?;
        same("the card in the store", &record.card_expiry_date, &told.card_expiry_date)?;
        if told.state == Some(TokenState::Deleted) {
            return Ok(());
        }
        let asked = TokenRecord::from(&self.details(one).await?);
        same("cardLastDigits in the store", &record.card_last_digits, &asked.card_last_digits)?;
        same("tokenLastDigits in the store", &record.token_last_digits, &asked.token_last_digits)?;
        same("tokenExpiryDate in the store", &record.token_expiry_date, &asked.token_expiry_date)?;
        // A store that was told of no DPAN yet has none; one that was has the present one.
        holds(
            "the DPAN in the store",
            record.network_token.is_none() || record.network_token == asked.network_token,
        )
    }
}
