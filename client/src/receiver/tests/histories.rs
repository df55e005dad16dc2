//! Legal histories of a token, delivered in any order, more than once, through failures and restarts: handler and store
//! end where the history does. The model is told here by itself: of each member, the newest event that has it is right.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::model::Token;

/// One event; its number is its place in the history, from 1.
#[derive(Debug, Clone)]
struct Event {
    state: Option<&'static str>,
    /// `cardLastDigits`, `cardExpiryDate`, `tokenLastDigits`, `tokenExpiryDate`: there, or not told of.
    members: [bool; 4],
    dpan: bool,
    /// Whether the body has an `eventId`.
    named: bool,
    /// The hours of the zone that its timestamp is written in.
    zone: i8,
}

/// What places the events of a history (contract C35).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placed {
    Sequence,
    Timestamp,
    Both,
}

/// One delivery.
#[derive(Debug, Clone)]
struct Delivery {
    event: usize,
    /// The handler fails, so that it has to come again.
    fails: bool,
    /// The receiver was started anew before it: what it remembered is gone, the store is not.
    restart: bool,
}

#[derive(Debug, Clone)]
struct History {
    events: Vec<Event>,
    placed: Placed,
    deliveries: Vec<Delivery>,
    /// Before which delivery the gateway writes down the answer to the creation.
    created_at: usize,
}

const MEMBERS: [&str; 4] = ["cardLastDigits", "cardExpiryDate", "tokenLastDigits", "tokenExpiryDate"];

fn history() -> impl Strategy<Value = History> {
    let state = prop_oneof![
        1 => Just(None),
        7 => proptest::sample::select(vec!["ACTIVE", "SUSPENDED", "DELETED", "NEW"]).prop_map(Some),
    ];
    // Most have every member, as the contract has it; the members of the card and of the DPAN are optional.
    let members = prop_oneof![2 => Just([true; 4]), 1 => any::<[bool; 4]>()];
    let event = (state, members, any::<bool>(), any::<bool>(), -11_i8..=11)
        .prop_map(|(state, members, dpan, named, zone)| Event { state, members, dpan, named, zone });
    let placed = prop_oneof![Just(Placed::Sequence), Just(Placed::Timestamp), Just(Placed::Both)];
    (proptest::collection::vec(event, 1..7), placed).prop_flat_map(|(events, placed)| {
        let all: Vec<usize> = (1..=events.len()).collect();
        let again = proptest::collection::vec(1..=events.len(), 0..7);
        let order = again.prop_map(move |again| [all.clone(), again].concat()).prop_shuffle();
        let deliveries = order.prop_flat_map(|order| {
            let rare = || prop_oneof![7 => Just(false), 1 => Just(true)];
            let how = proptest::collection::vec((rare(), rare()), order.len());
            (Just(order), how).prop_map(|(order, how)| {
                let delivery = |(event, (fails, restart))| Delivery { event, fails, restart };
                order.into_iter().zip(how).map(delivery).collect::<Vec<_>>()
            })
        });
        (Just(events), Just(placed), deliveries, 0_usize..8).prop_map(
            |(events, placed, deliveries, created_at)| History { events, placed, deliveries, created_at },
        )
    })
}

/// The value of a member after the `number`-th event; 0 is the creation.
fn value(member: usize, number: usize) -> String {
    format!("{}{:03}", member + 1, number)
}

fn dpan(number: usize) -> String {
    format!("99999900{number:08}")
}

impl History {
    /// The body of each event, the same in each of its deliveries.
    fn bodies(&self, to: &RecipientKey) -> Vec<String> {
        let body = |(event, number): (&Event, usize)| {
            let mut body = format!(r#"{{"eventType":"CARD_UPDATED","number":{number}"#);
            if let Some(state) = event.state {
                write!(body, r#","state":"{state}""#).expect("text");
            }
            for (index, name) in MEMBERS.iter().enumerate().filter(|(index, _)| event.members[*index]) {
                write!(body, r#","{name}":"{}""#, value(index, number)).expect("text");
            }
            if event.dpan {
                let plaintext = format!(r#"{{"dpan":"{}","exp":"1131"}}"#, dpan(number));
                let sealed = jwe::seal(plaintext.as_bytes(), to).expect("sealed");
                write!(body, r#","encryptedData":"{sealed}""#).expect("text");
            }
            if event.named {
                write!(body, r#","eventId":"event-{number}""#).expect("text");
            }
            if self.placed != Placed::Timestamp {
                write!(body, r#","sequence":{number}"#).expect("text");
            }
            if self.placed != Placed::Sequence {
                let (hour, sign) = (12 + event.zone, if event.zone < 0 { '-' } else { '+' });
                let zone = event.zone.abs();
                let at = format!("2026-01-01T{hour:02}:00:{number:02}.5{sign}{zone:02}:00");
                write!(body, r#","lastUpdateTimestamp":"{at}""#).expect("text");
            }
            body + "}"
        };
        self.events.iter().zip(1..).map(body).collect()
    }

    /// The number of the newest event for which this holds; 0, the creation, if there is none.
    fn newest(&self, has: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().rposition(has).map_or(0, |index| index + 1)
    }
}

/// Notes the number of each event, which came as its correlation id, and how fresh it was called.
#[derive(Default)]
struct Noted {
    handled: Mutex<Vec<(usize, Freshness)>>,
    fails: AtomicBool,
}

impl NotificationHandler for Noted {
    fn handle<'a>(
        &'a self,
        notification: &'a Notification,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            if self.fails.load(Ordering::SeqCst) {
                return Err("told to fail".into());
            }
            let number = notification.correlation_id.as_ref().expect("a correlation id");
            let number = number.as_str().parse().expect("a number");
            self.handled.lock().expect("no panic").push((number, freshness));
            Ok(())
        })
    }
}

struct Run {
    store: Arc<MemoryStore>,
    handler: Arc<Noted>,
    own: OwnKey,
    router: Router,
}

impl Run {
    fn new() -> (Self, RecipientKey) {
        let (public, private) = jwk_pair("own");
        let own = OwnKey::from_jwk(private.as_bytes()).expect("a key");
        let (store, handler) = (Arc::new(MemoryStore::new()), Arc::new(Noted::default()));
        let router = Self::router(&own, &handler, &store);
        (Self { store, handler, own, router }, RecipientKey::from_jwk(public.as_bytes()).expect("a key"))
    }

    fn router(own: &OwnKey, handler: &Arc<Noted>, store: &Arc<MemoryStore>) -> Router {
        let gateway = GatewayId::new("MGW_000001").expect("an id");
        let (handler, store) = (Arc::clone(handler), Arc::clone(store));
        Receiver::new(gateway, own.clone(), handler).store(store).router()
    }

    fn restart(&mut self) {
        self.router = Self::router(&self.own, &self.handler, &self.store);
    }

    async fn deliver(&self, number: usize, body: &str, fails: bool) -> StatusCode {
        self.handler.fails.store(fails, Ordering::SeqCst);
        let mut request = post(PATH, body.to_owned());
        request.headers_mut().insert("x-correlation-id", number.to_string().parse().expect("a value"));
        self.router.clone().oneshot(request).await.expect("infallible").status()
    }

    /// The gateway itself writes down what createToken answered.
    async fn create(&self) {
        let token = Token {
            token_id: key().token_id,
            state: Some(TokenState::Active),
            card_last_digits: Some(value(0, 0)),
            card_expiry_date: Some(value(1, 0)),
            token_last_digits: Some(value(2, 0)),
            token_expiry_date: Some(value(3, 0)),
            par: None,
            creation_timestamp: None,
        };
        self.store.apply(&key(), &TokenRecord::from(&token)).await.expect("applied");
    }

    async fn whole(&mut self, history: &History, bodies: &[String]) -> Result<(), TestCaseError> {
        let (mut newest, mut restarts) = (0, 0);
        let mut done = vec![false; bodies.len()];
        // What failed comes again, at the latest after all else.
        let again = (1..=bodies.len()).map(|event| Delivery { event, fails: false, restart: false });
        let mut created = false;
        for (index, delivery) in history.deliveries.iter().cloned().chain(again).enumerate() {
            if !created && index >= history.created_at {
                self.create().await;
                created = true;
            }
            if delivery.restart {
                self.restart();
                restarts += 1;
                done.fill(false);
            }
            let Delivery { event, fails, .. } = delivery;
            let before = self.handler.handled.lock().expect("no panic").len();
            let status = self.deliver(event, &bodies[event - 1], fails).await;
            let known = done[event - 1];
            let wanted =
                if fails && !known { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT };
            prop_assert_eq!(status, wanted);
            let freshness = if event < newest { Freshness::Stale } else { Freshness::Current };
            let handled = self.handler.handled.lock().expect("no panic")[before..].to_vec();
            let told = if known || fails { vec![] } else { vec![(event, freshness)] };
            prop_assert_eq!(handled, told, "delivery {} of event {}", index, event);
            done[event - 1] |= !fails;
            newest = newest.max(event);
        }
        if !created {
            self.create().await;
        }
        let times = self.handler.handled.lock().expect("no panic").len();
        prop_assert!(times >= bodies.len() && times <= bodies.len() * (restarts + 1));
        Ok(())
    }

    async fn check(&self, history: &History) -> Result<(), TestCaseError> {
        let record = self.store.get(&key()).await.expect("the store works").expect("a record");
        let state = match history.newest(|event| event.state.is_some()) {
            0 => "ACTIVE",
            number => history.events[number - 1].state.expect("it has one"),
        };
        prop_assert_eq!(record.state.as_ref().map(TokenState::as_str), Some(state));
        let found = [
            &record.card_last_digits,
            &record.card_expiry_date,
            &record.token_last_digits,
            &record.token_expiry_date,
        ];
        for (index, found) in found.into_iter().enumerate() {
            let wanted = value(index, history.newest(|event| event.members[index]));
            prop_assert_eq!(found.as_deref(), Some(wanted.as_str()), "{}", MEMBERS[index]);
        }
        let wanted = Some(history.newest(|event| event.dpan)).filter(|number| *number > 0).map(dpan);
        let found = record.network_token.as_ref().map(|token| token.dpan.expose().to_owned());
        prop_assert_eq!(found, wanted);
        let newest = u64::try_from(history.events.len()).expect("few");
        let sequence = (history.placed != Placed::Timestamp).then_some(newest);
        prop_assert_eq!(record.position.sequence, sequence);
        Ok(())
    }
}

fn check(history: &History) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (mut run, to) = Run::new();
        let bodies = history.bodies(&to);
        run.whole(history, &bodies).await?;
        run.check(history).await
    })
}

proptest! {
    #[test]
    fn any_order_repetition_and_redelivery_of_a_history_ends_where_the_history_does(history in history()) {
        check(&history)?;
    }
}
