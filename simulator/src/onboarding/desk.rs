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
    /// The number of the next identifier to try. It only grows: none is given out twice by itself.
    next: u32,
    pub(super) closed: bool,
}

/// A gateway that is there.
pub(super) struct Member {
    pub(super) id: GatewayId,
    pub(super) receiver: Option<Url>,
    /// None for one of the configuration, whose files are the user's.
    pub(super) folder: Option<GatewayFolder>,
    pub(super) telling: Option<Telling>,
}

impl Member {
    pub(super) fn configured(gateway: &GatewayConfig) -> Self {
        let receiver = gateway.receiver.as_ref().map(|receiver| receiver.url.clone());
        Self { id: gateway.id.clone(), receiver, folder: None, telling: None }
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
}

impl Reserved {
    pub(super) fn id(&self) -> &GatewayId {
        &self.id
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

    fn made(&self) -> usize {
        self.members.iter().filter(|member| member.folder.is_some()).count()
    }
}

/// Reserves an identifier: the given one, or the next that is neither there nor has a folder.
pub(super) fn reserve(
    desk: &Arc<Mutex<Desk>>,
    given: Option<GatewayId>,
    has_folder: impl Fn(&GatewayId) -> bool,
) -> Result<Reserved, Refused> {
    let mut state = lock(desk);
    if state.made() + state.reserved.len() >= MOST {
        return Err(Refused::Full);
    }
    let id = match given {
        Some(id) if state.has(&id) => return Err(Refused::Taken(id)),
        Some(id) => id,
        None => {
            let ids =
                (state.next..=LAST).filter_map(|n| Some((n, GatewayId::parse(&format!("MGW_{n:06}"))?)));
            let free = { ids }.find(|(_, id)| !state.has(id) && !has_folder(id));
            let (n, id) = free.ok_or(Refused::NoName)?;
            state.next = n + 1;
            id
        }
    };
    state.reserved.insert(id.as_str().to_ascii_lowercase());
    Ok(Reserved { desk: Arc::clone(desk), id })
}

/// Takes a gateway out that was made at run time. Its identifier stays reserved as long as what is returned.
pub(super) fn take(desk: &Arc<Mutex<Desk>>, id: &GatewayId) -> Result<(Member, Reserved), Refused> {
    let mut state = lock(desk);
    let at = state.members.iter().position(|member| member.id == *id).ok_or(Refused::Unknown)?;
    if state.members[at].folder.is_none() {
        return Err(Refused::Configured);
    }
    state.reserved.insert(id.as_str().to_ascii_lowercase());
    Ok((state.members.remove(at), Reserved { desk: Arc::clone(desk), id: id.clone() }))
}

pub(super) fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}
