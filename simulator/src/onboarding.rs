//! Gateways that come and go while the sandbox runs: keys and certificate, their place among those that are known, and
//! the task that notifies them.

mod desk;
mod folder;
mod order;

pub(crate) use desk::Listed;
pub(crate) use order::{Oauth, Order, Receiver};

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use d1_fixtures::{Authority, InitError, KeyKind, NewGateway, write_gateway};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::auth::Gateways;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, ReceiverConfig, gateway_keys};
use crate::domain::GatewayId;
use crate::journal::Journal;
use crate::notify::{Notifier, Receiver as NotifyReceiver, ReceiverError, Schedule};
use crate::stop::Stop;
use crate::tls::{CommonName, Named};
use crate::world::World;
use desk::{Desk, Member, Telling};
use folder::{GatewayFolder, SandboxFolder, with_cause};

/// At most so many gateways that were made at run time are there at once.
const MOST: usize = 256;
/// So many RSA keys are made at once, each of which keeps a core busy for seconds.
const RSA_AT_ONCE: usize = 4;
/// So many more orders of one wait for that.
const RSA_WAITING: usize = 16;

/// What a gateway that comes is connected with.
pub(crate) struct Surroundings {
    pub(crate) gateways: Arc<Gateways>,
    pub(crate) world: Arc<World>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub(crate) stop: Stop,
}

impl Surroundings {
    /// Who delivers to a receiver.
    pub(crate) fn notifier(&self, receiver: NotifyReceiver, schedule: Schedule) -> Notifier {
        Notifier {
            receiver,
            schedule,
            world: Arc::clone(&self.world),
            journal: Arc::clone(&self.journal),
            clock: self.clock.clone(),
            chance: self.chance,
        }
    }
}

/// Where gateways are made and taken out again.
pub(crate) struct Onboarding {
    around: Surroundings,
    folder: SandboxFolder,
    common_name: CommonName,
    environment: &'static str,
    /// D1's client certificate and its key, PEM.
    outbound: Zeroizing<String>,
    schedule: Schedule,
    desk: Arc<Mutex<Desk>>,
    /// RSA keys that are made, and those with the orders that wait for one.
    rsa: Semaphore,
    rsa_orders: Semaphore,
}

/// Why a gateway is not made or not taken out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("gateway: {0} is there already (upper and lower case count as the same); name another, or none")]
    Taken(GatewayId),
    #[error(
        "gateway: its folder `{}` is there already, of an earlier run perhaps; delete it, or name another gateway",
        .0.display()
    )]
    Left(PathBuf),
    #[error("gateway: expected a name, since MGW_000001 to MGW_999999 were all given out")]
    NoName,
    #[error("at most {MOST} gateways may be made at run time; delete one with DELETE /gateways/ID")]
    Full,
    #[error("at most {} orders of an RSA key at once; ask again once one is through, or for an ec key", RSA_AT_ONCE + RSA_WAITING)]
    Busy,
    #[error("the sandbox stops")]
    Stops,
    #[error("gateway: no such gateway")]
    Unknown,
    #[error("cardsOf: expected a gateway that POST /gateways made, and that is there")]
    NoCards,
    #[error("gateway: it is one of sandbox.yaml; only those that POST /gateways made can be deleted")]
    Configured,
    #[error(
        "no gateway can be made here: {0}; the sandbox's folder must hold the authority that `server.clientAuthority` \
         names, with its key beside it, as `d1sim init` writes them"
    )]
    NoAuthority(String),
    #[error("no gateway can be made: {}", with_cause(.0))]
    Folder(InitError),
    #[error("{}", with_cause(.0))]
    Value(#[from] ConfigError),
    #[error("{}", with_cause(.0))]
    Receiver(#[from] ReceiverError),
    #[error("the work was broken off")]
    BrokenOff,
}

impl fmt::Debug for Onboarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Onboarding").finish_non_exhaustive()
    }
}

impl Onboarding {
    pub(crate) fn new(config: &Config, around: Surroundings) -> Arc<Self> {
        let configured = config.gateways.iter().map(Member::configured).collect();
        Arc::new(Self {
            around,
            folder: SandboxFolder::of(config),
            common_name: config.common_name.clone(),
            environment: config.environment,
            outbound: config.outbound.clone(),
            schedule: config.schedule,
            desk: Arc::new(Mutex::new(Desk::new(configured))),
            rsa: Semaphore::new(RSA_AT_ONCE),
            rsa_orders: Semaphore::new(RSA_AT_ONCE + RSA_WAITING),
        })
    }

    /// Makes a gateway. When this returns it may call, and it is notified.
    pub(crate) async fn add(self: &Arc<Self>, order: Order) -> Result<Listed, Refused> {
        let Order { id: given, key, receiver, cards_of } = order;
        let (authority, to) = self
            .aside(move |this| {
                let authority = this.folder.authority();
                let authority = authority.map_err(|fault| Refused::NoAuthority(fault.to_string()))?;
                let to = receiver.map(|receiver| this.receiver(receiver)).transpose()?;
                Ok((Arc::new(authority), to))
            })
            .await?;
        let rsa = key == KeyKind::Rsa;
        let _order = rsa.then(|| self.rsa_orders.try_acquire().map_err(|_| Refused::Busy)).transpose()?;
        // Never closed.
        let _place = if rsa { Some(self.rsa.acquire().await) } else { None };
        loop {
            let reserved = self.reserve(given.clone()).await?;
            match self.write(reserved.id(), key, Arc::clone(&authority)).await {
                Ok(folder) => {
                    return self
                        .aside(move |this| this.register(reserved, folder, to, cards_of.as_ref()))
                        .await;
                }
                // Another process of the same folder was faster; the next number may be free.
                Err(Refused::Folder(InitError::Exists { .. } | InitError::Busy { .. }))
                    if given.is_none() =>
                {
                    reserved.skip();
                }
                Err(Refused::Folder(InitError::Exists { path })) => return Err(Refused::Left(path)),
                Err(refused) => return Err(refused),
            }
        }
    }

    /// Files are not waited for where requests are answered.
    async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let this = Arc::clone(self);
        // An error means that the runtime ends, or a fault of ours.
        tokio::task::spawn_blocking(move || work(&this)).await.map_err(|_| Refused::BrokenOff)?
    }

    /// An identifier: the one that is given, or the next that is free.
    async fn reserve(self: &Arc<Self>, given: Option<GatewayId>) -> Result<desk::Reserved, Refused> {
        if let Some(given) = given {
            return desk::reserve(&self.desk, given);
        }
        self.aside(|this| {
            loop {
                let reserved = desk::reserve_next(&this.desk)?;
                // Looked for without the desk, where others come and go.
                if !this.folder.has(reserved.id()) {
                    return Ok(reserved);
                }
                reserved.skip();
            }
        })
        .await
    }

    /// What a receiver is to be, checked.
    fn receiver(&self, mut wanted: Receiver) -> Result<(ReceiverConfig, Schedule), ConfigError> {
        let schedule = crate::config::schedule("receiver.retry", &wanted.retry, self.schedule)?;
        let authority = match wanted.authority.take() {
            Some(pem) => pem,
            None => self.folder.text("receiver.authority", "ca/receiver-ca.pem")?,
        };
        Ok((wanted.with_authority(&authority)?, schedule))
    }

    async fn write(
        self: &Arc<Self>,
        id: &GatewayId,
        key: KeyKind,
        authority: Arc<Authority>,
    ) -> Result<GatewayFolder, Refused> {
        let named = Named { key: key.cn_prefix(), gateway: id.as_str(), environment: self.environment };
        let new = NewGateway {
            id: id.to_string(),
            common_name: self.common_name.write(&named),
            key,
            now: folder::now(),
        };
        self.aside(move |this| {
            let dir = this.folder.root().map_err(Refused::Folder)?;
            write_gateway(&dir, &new, &authority).map(GatewayFolder::new).map_err(Refused::Folder)
        })
        .await
    }

    fn register(
        &self,
        reserved: desk::Reserved,
        folder: GatewayFolder,
        to: Option<(ReceiverConfig, Schedule)>,
        cards_of: Option<&GatewayId>,
    ) -> Result<Listed, Refused> {
        let (id, around) = (reserved.id(), &self.around);
        let keys = gateway_keys(folder.path())?;
        let paths = self.folder.paths(&folder);
        let url = to.as_ref().map(|(to, _)| to.url.clone());
        let notifier = to.map(|(to, schedule)| {
            let whose = (id.clone(), to.url);
            let encryption = keys.encryption.clone();
            let receiver = NotifyReceiver::new(whose, &self.outbound, &to.authority, encryption, to.oauth);
            receiver.map(|receiver| around.notifier(receiver, schedule))
        });
        let notifier = notifier.transpose()?;
        let mut desk = desk::lock(&self.desk);
        if desk.closed {
            return Err(Refused::Stops);
        }
        if cards_of.is_some_and(|other| !desk.has_made(other)) {
            return Err(Refused::NoCards);
        }
        around.world.admit(id, cards_of, notifier.is_some(), around.clock.now().at);
        around.gateways.add(id.clone(), keys);
        let telling = notifier.map(|notifier| Telling::start(notifier, around.stop.clone()));
        let member =
            Member { id: id.clone(), receiver: url, folder: Some(folder), paths: Some(paths), telling };
        let listed = member.listed();
        desk.members.push(member);
        drop(desk);
        reserved.skip();
        Ok(listed)
    }

    /// Takes a gateway out that was made here, with all that it had, its keys among it.
    pub(crate) async fn remove(self: &Arc<Self>, id: &GatewayId) -> Result<(), Refused> {
        let (member, reserved) = desk::take(&self.desk, id)?;
        self.around.gateways.remove(id);
        if let Some(telling) = member.telling {
            telling.end().await;
        }
        self.around.world.dismiss(id, self.around.clock.now().at);
        let folder = member.folder;
        self.aside(move |_| {
            drop((folder, reserved));
            Ok(())
        })
        .await
    }

    /// All gateways, those of the configuration first, then in the order of their making.
    pub(crate) fn list(&self) -> Vec<Listed> {
        desk::lock(&self.desk).members.iter().map(Member::listed).collect()
    }

    /// Their identifiers, in the same order.
    pub(crate) fn ids(&self) -> Vec<String> {
        desk::lock(&self.desk).members.iter().map(|member| member.id.to_string()).collect()
    }

    /// Takes away all folders that were made here; no more are made.
    pub(crate) fn close(&self) {
        let mut desk = desk::lock(&self.desk);
        desk.closed = true;
        desk.members.clear();
    }
}

#[cfg(test)]
mod tests;
