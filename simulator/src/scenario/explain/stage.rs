//! The stage in sentences.

use super::quoted;
use crate::scenario::members::shown;
use crate::scenario::stage::{
    AuthClock, Caller, Card, CardGiven, Gateway, Merchant, Receiver, Retry, Stage, Token,
};

const HOSTILE: &str = "D1 has its bad days, as with `d1sim serve --hostile`: members that nobody knows, slow answers, 503 and 429 where a \
                       call may be sent again, connections that close, events twice and swapped.";

pub(super) fn told(stage: &Stage) -> Vec<String> {
    let mut lines = vec![clocks(stage)];
    lines.push(match stage.caller {
        Caller::Own => "Our own client calls D1.".to_owned(),
        Caller::Outside => {
            format!("The system under test calls D1; {} without an exchange is quiet.", shown(stage.silence))
        }
    });
    lines.extend(stage.gateways.iter().map(gateway));
    lines.push(retry(&stage.retry));
    if stage.hostile {
        lines.push(HOSTILE.to_owned());
    }
    lines.extend(stage.merchants.iter().map(merchant));
    lines.extend(stage.cards.iter().map(card));
    lines.extend(stage.tokens.iter().map(token));
    lines
}

fn clocks(stage: &Stage) -> String {
    let seed = stage.seed.map(|seed| format!(", the seed is {seed}")).unwrap_or_default();
    let dated = match stage.auth_clock {
        AuthClock::Sandbox => "the sandbox clock",
        AuthClock::System => "the system's clock",
    };
    format!("The sandbox clock starts at {}{seed}; assertions are dated by {dated}.", stage.clock)
}

fn gateway(Gateway { name, receiver }: &Gateway) -> String {
    let receiver = match receiver {
        Receiver::Own => "our own receiver".to_owned(),
        Receiver::At(at) => {
            let authority =
                at.authority.as_ref().map(|file| format!(", signed for by {file}")).unwrap_or_default();
            let probe =
                at.probe.as_ref().map(|probe| format!(", asked {}", asked(probe))).unwrap_or_default();
            let oauth = at.oauth.as_ref().map(|oauth| {
                let scope =
                    oauth.scope.as_ref().map(|scope| format!(" and scope {scope}")).unwrap_or_default();
                let (url, id, file) = (&oauth.token_url, &oauth.client_id, &oauth.client_secret_file);
                format!(", with a bearer of {url} for {id} (its secret in {file}){scope}")
            });
            format!("the receiver at {}{authority}{probe}{}", at.url, oauth.unwrap_or_default())
        }
    };
    format!("The gateway {} has {receiver}.", quoted(name))
}

fn asked(probe: &str) -> String {
    if probe.starts_with("http://") { format!("at {probe}") } else { format!("by `{probe}`") }
}

fn retry(retry: &Retry) -> String {
    format!(
        "Notifications are tried {} times, first after {}, then {} times as long each, at most {}; an attempt has {}.",
        retry.attempts,
        shown(retry.first_delay),
        retry.factor,
        shown(retry.max_delay),
        shown(retry.timeout)
    )
}

fn merchant(Merchant { name, gateway, merchant_name }: &Merchant) -> String {
    let gateway = gateway.as_ref().map(|gateway| format!(" of {}", quoted(gateway))).unwrap_or_default();
    format!("The merchant {} ({merchant_name}){gateway} is onboarded.", quoted(name))
}

fn card(Card { name, card }: &Card) -> String {
    match card {
        CardGiven::Test(test) => format!("The card {} is the test card {}.", quoted(name), quoted(test)),
        CardGiven::Number { pan, exp } => {
            format!("The card {} ends in {} and is good until {exp}.", quoted(name), &pan[pan.len() - 4..])
        }
    }
}

fn token(Token { name, merchant, card }: &Token) -> String {
    format!("The merchant {} has tokenized the card {}: {}.", quoted(merchant), quoted(card), quoted(name))
}
