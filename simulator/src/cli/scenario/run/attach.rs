//! A scenario on a sandbox that runs already: in gateways of its own, or in those of its configuration where somebody takes part
//! who has their papers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use d1_client::Clock;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::super::exit::{Exit, Failure};
use super::super::super::folder::SandboxFolder;
use super::admin::{Admin, Answer};
use super::attached::{Attached, Stay};
use super::gateway::{Address, Habits, Papers, time_of};
use super::ground::{Ground, Host, Part, jitter, probe_of, too_few, url, url_of};
use super::miss::Broken;
use super::papers::Files;
use super::receiver::{FREE, OwnReceiver, listen};
use crate::scenario::{self, Caller, Receiver, Scenario, Stage};

impl Ground {
    /// Takes part in the sandbox behind an admin port.
    pub(super) async fn attach(
        to: &Arc<Attached>,
        scenario: &Scenario,
        alone: bool,
    ) -> Result<Self, Failure> {
        let mut admin = to.admin()?;
        let info = admin.get("info").await.map_err(harness)?;
        if info["clock"] != "manual" {
            let hint = "its clock is real, and a scenario waits on a manual one for what is due: start it with --clock manual";
            return Err(to.refused(hint));
        }
        if scenario.stage.caller == Caller::Own && info["authClock"] == "system" {
            let hint = "it judges assertions by the system's clock, and our client dates them by the sandbox's: start it \
                        with --auth-clock sandbox";
            return Err(to.refused(hint));
        }
        let mut stay = to.take_part(&mut admin, scenario, alone).await?;
        // Of one gateway alone: the rest of the answer is not wanted.
        let first = info["gateways"][0].as_str().map(|id| format!("?gateway={id}")).unwrap_or_default();
        let state = admin.get(&format!("state{first}")).await.map_err(harness)?;
        let now = state["now"].as_str().and_then(|now| now.parse().ok()).unwrap_or(scenario.stage.clock);
        let began = state["journal"].as_u64().unwrap_or_default();
        let parts = parts(to, (&admin, &mut stay), &info, &scenario.stage, now).await?;
        let text = |member: &str| info[member].as_str().unwrap_or_default().to_owned();
        let at = Address { api: text("api"), base_path: text("basePath") };
        let seed = info["seed"].as_u64().unwrap_or_default();
        let habits = Habits::of(scenario, jitter(seed), to.with.flaw);
        admin.looks_at(parts.iter().map(|part| part.id.as_str()));
        let gateways = parts.into_iter().map(|part| part.played(&at, habits)).collect::<Result<_, _>>()?;
        let (api, host) = (at.api, Host::Other(stay));
        Ok(Self { admin, api, seed, gateways, now, began, authority: None, host })
    }

    /// Sets a fault of the scenario's. Where others play too it befalls the scenario's gateways alone, and has a name that no
    /// other scenario's has.
    pub(super) async fn set_fault(&mut self, mut fault: Map<String, Value>) -> Result<Answer, Broken> {
        let name = fault.get("name").and_then(Value::as_str).map(|name| self.fault_name(name));
        let ids: Vec<Value> = self.gateways.values().map(|gateway| gateway.id.as_str().into()).collect();
        let Host::Other(stay) = &mut self.host else {
            return self.admin.post("faults", &Value::Object(fault)).await;
        };
        fault.extend(name.map(|name| ("name".to_owned(), Value::from(name))));
        // Nobody has said who he is when his handshake fails.
        if !fault.contains_key("gateway") && !fault.contains_key("handshake") {
            fault.insert("gateways".to_owned(), ids.into());
        }
        stay.make(&self.admin, ("faults", "name"), Value::Object(fault)).await
    }

    /// Lifts it.
    pub(super) async fn lift_fault(&mut self, name: &str) -> Result<Answer, Broken> {
        let path = format!("faults/{}", self.fault_name(name));
        let answer = self.admin.delete(&path).await?;
        if let Host::Other(stay) = &mut self.host {
            stay.is_gone(&path);
        }
        Ok(answer)
    }

    /// What the sandbox calls a fault of the scenario's.
    fn fault_name(&self, name: &str) -> String {
        let first = self.gateways.values().next().map(|gateway| gateway.id.as_str());
        match (&self.host, first) {
            (Host::Other(_), Some(id)) => format!("{id}-{name}"),
            _ => name.to_owned(),
        }
    }

    /// Whether entries of the journal that name no gateway are the scenario's.
    pub(super) const fn is_alone(&self) -> bool {
        match &self.host {
            Host::Own(_) => true,
            Host::Other(stay) => stay.alone,
        }
    }

    /// Whether it is somebody else's sandbox.
    pub(super) const fn is_attached(&self) -> bool {
        matches!(self.host, Host::Other(_))
    }
}

/// Who plays the gateways of the stage.
async fn parts(
    to: &Attached,
    (admin, stay): (&Admin, &mut Stay),
    info: &Value,
    stage: &Stage,
    now: Timestamp,
) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    if !stage.any_outside() {
        for gateway in &stage.gateways {
            // As those of one configuration, which a scenario of its own sandbox has, they share their cards.
            let cards_of = parts.first().map(|part: &Part| part.id.clone());
            parts.push(made(to, (admin, &mut *stay), (gateway, stage), cards_of, now).await?);
        }
        return Ok(parts);
    }
    let named = PathBuf::from(info["config"].as_str().unwrap_or_default());
    let folder = to.sandbox.clone().or_else(|| named.parent().map(Path::to_owned)).unwrap_or_default();
    let folder = SandboxFolder::open(&folder)?;
    let known: Vec<&str> = folder.config.gateway_ids().collect();
    if known.len() < stage.gateways.len() {
        return Err(Failure::usage(too_few(stage.gateways.len(), known.len())));
    }
    for (gateway, id) in stage.gateways.iter().zip(known) {
        parts.push(configured(to, &folder, info, (gateway, id), now).await?);
    }
    Ok(parts)
}

/// A gateway that the sandbox has made for the scenario, with our receiver.
async fn made(
    to: &Attached,
    (admin, stay): (&Admin, &mut Stay),
    (gateway, stage): (&scenario::Gateway, &Stage),
    cards_of: Option<String>,
    now: Timestamp,
) -> Result<Part, Failure> {
    let outer = listen(FREE).await?;
    let retry = &stage.retry;
    let millis = |time: std::time::Duration| format!("{}ms", time.as_millis());
    let retry = json!({
        "firstDelay": millis(retry.first_delay),
        "factor": retry.factor,
        "maxDelay": millis(retry.max_delay),
        "attempts": retry.attempts,
        "timeout": millis(retry.timeout),
    });
    let mut order = json!({"receiver": {"url": url_of(&outer)?.as_str(), "retry": retry}});
    if let Some(other) = cards_of {
        order["cardsOf"] = other.into();
    }
    let answer = stay.make(admin, ("gateways", "gateway"), order).await.map_err(harness)?;
    let Some(id) = answer.body["gateway"].as_str().filter(|_| answer.status == 201) else {
        return Err(harness(Broken(format!("--attach {}: no gateway is made: {}", to.url, answer.told()))));
    };
    let files = Files::made(&answer.body["paths"], to.sandbox.as_deref());
    let (papers, clock) = (Papers::of(&files)?, Clock::manual(time_of(now)));
    let own = OwnReceiver::start(&files, id, papers.own_key()?, clock.clone(), outer, to.with.flaw).await?;
    let name = gateway.name.name.clone();
    Ok(Part { name, id: id.to_owned(), papers, clock, receiver: Some(own), probe: None })
}

/// A gateway of the sandbox's configuration, whose papers somebody else has too.
async fn configured(
    to: &Attached,
    folder: &SandboxFolder,
    info: &Value,
    (gateway, id): (&scenario::Gateway, &str),
    now: Timestamp,
) -> Result<Part, Failure> {
    let files = Files::of(folder, id);
    let (papers, clock) = (Papers::of(&files)?, Clock::manual(time_of(now)));
    let known = info["receivers"][id].as_str();
    let known = known.ok_or_else(|| to.refused(&format!("it notifies nobody for {id}")))?;
    let (mut receiver, mut probe) = (None, None);
    match &gateway.receiver {
        Receiver::Own => {
            let known = url(known)?;
            let at =
                (known.host_str().unwrap_or_default(), known.port_or_known_default().unwrap_or_default());
            let outer = listen(at).await?;
            let own = OwnReceiver::start(&files, id, papers.own_key()?, clock.clone(), outer, to.with.flaw);
            receiver = Some(own.await?);
        }
        Receiver::At(at) => {
            let (place, wanted) = (&gateway.name.place, url(&at.url)?);
            if wanted.as_str().trim_end_matches('/') != known {
                let why = format!(
                    "it notifies {known} for {id}, and {place} names {wanted}: start it with --receiver"
                );
                return Err(to.refused(&why));
            }
            probe = probe_of(at, place, to.with.probe.as_ref())?;
        }
    }
    Ok(Part { name: gateway.name.name.clone(), id: id.to_owned(), papers, clock, receiver, probe })
}

fn harness(Broken(why): Broken) -> Failure {
    Failure { exit: Exit::Harness, error: why.into() }
}
