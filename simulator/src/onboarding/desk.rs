//! Who is there, in order, and which identifiers are taken.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Url;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::folder::GatewayFolder;
use super::{MOST, Refused};
use crate::config::GatewayConfig;
use crate::domain::GatewayId;
use crate::notify::Notifier;
use crate::stop::Stop;

/// The last identifier that is given to who names none.
const LAST: u32 = 999_999;

/// The gateways that are there and those that are being made or taken out.
pub(super) struct Desk {
    pub(super) members: Vec<Member>,
    /// In lower case: folders that differ in case alone are one folder on some systems.
    reserved: HashSet<String>,
    /// The number of the next identifier to try. It only grows, with each that was given out: none is given out twice by itself.
    pub(super) next: u32,
    pub(super) closed: bool,
}

/// A gateway that is there.
pub(super) struct Member {
    pub(super) id: GatewayId,
    pub(super) receiver: Option<Url>,
    /// None for one of the configuration, whose files are the user's.
    pub(super) folder: Option<GatewayFolder>,
    /// Where its files are and those that it needs, as they were when it was made.
    pub(super) paths: Option<Map<String, Value>>,
    pub(super) telling: Option<Telling>,
}

impl Member {
    pub(super) fn configured(gateway: &GatewayConfig) -> Self {
        let receiver = gateway.receiver.as_ref().map(|receiver| receiver.url.clone());
        Self { id: gateway.id.clone(), receiver, folder: None, paths: None, telling: None }
    }

    pub(super) fn listed(&self) -> Listed {
        Listed {
            gateway: self.id.to_string(),
            origin: if self.folder.is_some() { "admin" } else { "configuration" },
            receiver: self.receiver.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
            paths: self.paths.clone(),
        }
    }
}

/// A gateway as it is shown: nothing secret.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    pub(crate) gateway: String,
    /// `configuration`, or `admin` if it was made at run time.
    pub(crate) origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receiver: Option<String>,
    /// Where its files are, and those of the sandbox that it needs; of one made at run time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paths: Option<Map<String, Value>>,
}

/// The task that notifies a gateway.
pub(super) struct Telling {
    end: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Telling {
    /// Ends with the sandbox, with its gateway, or when this is dropped.
    pub(super) fn start(notifier: Notifier, mut sandbox: Stop) -> Self {
        let (end, told) = Stop::pair();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = notifier.run(told) => {}
                () = sandbox.told() => {}
            }
        });
        Self { end, task }
    }

    /// Drops what is on its way.
    pub(super) async fn end(self) {
        self.end.send_replace(true);
        // A panic in there has ended it too.
        let _ = self.task.await;
    }
}

/// An identifier that nobody else gets until this is dropped.
pub(super) struct Reserved {
    desk: Arc<Mutex<Desk>>,
    id: GatewayId,
    /// Of one that was not asked for by name.
    number: Option<u32>,
}

impl Reserved {
    pub(super) fn id(&self) -> &GatewayId {
        &self.id
    }

    /// Nobody is given it by itself any more: it is there, or somebody else has it.
    pub(super) fn skip(self) {
        let mut desk = lock(&self.desk);
        desk.next = desk.next.max(self.number.map_or(0, |number| number + 1));
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        lock(&self.desk).reserved.remove(&self.id.as_str().to_ascii_lowercase());
    }
}

impl Desk {
    pub(super) fn new(members: Vec<Member>) -> Self {
        Self { members, reserved: HashSet::new(), next: 1, closed: false }
    }

    fn has(&self, id: &GatewayId) -> bool {
        let same = |member: &Member| member.id.as_str().eq_ignore_ascii_case(id.as_str());
        self.members.iter().any(same) || self.reserved.contains(&id.as_str().to_ascii_lowercase())
    }

    /// Whether this one is there and was made at run time.
    pub(super) fn has_made(&self, id: &GatewayId) -> bool {
        self.members.iter().any(|member| member.id == *id && member.folder.is_some())
    }

    fn room(&self) -> Result<(), Refused> {
        let made = self.members.iter().filter(|member| member.folder.is_some()).count();
        if made + self.reserved.len() >= MOST { Err(Refused::Full) } else { Ok(()) }
    }
}

/// Reserves a given identifier.
pub(super) fn reserve(desk: &Arc<Mutex<Desk>>, id: GatewayId) -> Result<Reserved, Refused> {
    let mut state = lock(desk);
    state.room()?;
    if state.has(&id) {
        return Err(Refused::Taken(id));
    }
    state.reserved.insert(id.as_str().to_ascii_lowercase());
    Ok(Reserved { desk: Arc::clone(desk), id, number: None })
}

/// Reserves the next that is not there.
pub(super) fn reserve_next(desk: &Arc<Mutex<Desk>>) -> Result<Reserved, Refused> {
    let mut state = lock(desk);
    state.room()?;
    let ids = (state.next..=LAST).filter_map(|n| Some((n, GatewayId::parse(&format!("MGW_{n:06}"))?)));
    let (number, id) = { ids }.find(|(_, id)| !state.has(id)).ok_or(Refused::NoName)?;
    state.reserved.insert(id.as_str().to_ascii_lowercase());
    Ok(Reserved { desk: Arc::clone(desk), id, number: Some(number) })
}

/// Takes a gateway out that was made at run time. Its identifier stays reserved as long as what is returned.
pub(super) fn take(desk: &Arc<Mutex<Desk>>, id: &GatewayId) -> Result<(Member, Reserved), Refused> {
    let mut state = lock(desk);
    let at = state.members.iter().position(|member| member.id == *id).ok_or(Refused::Unknown)?;
    if state.members[at].folder.is_none() {
        return Err(Refused::Configured);
    }
    state.reserved.insert(id.as_str().to_ascii_lowercase());
    Ok((state.members.remove(at), Reserved { desk: Arc::clone(desk), id: id.clone(), number: None }))
}

pub(super) fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}
