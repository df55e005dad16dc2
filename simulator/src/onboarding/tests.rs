use std::fs;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::clock::ClockMode;
use crate::config::Notifications;

/// A sandbox of the gateways MGW_000001 and MGW_000002, of which nothing but this runs.
struct Stage {
    folder: TempDir,
    onboarding: Arc<Onboarding>,
    identify: crate::tls::Identify,
    _stop: watch::Sender<bool>,
}

impl Stage {
    fn new() -> Self {
        Self::with(str::to_owned)
    }

    fn with(change: impl Fn(&str) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = d1_fixtures::Plan::new(folder::now());
        d1_fixtures::write_sandbox(folder.path(), &plan, false).expect("written");
        let path = folder.path().join("sandbox.yaml");
        fs::write(&path, change(&fs::read_to_string(&path).expect("text"))).expect("written");
        let config = Config::read(&path).expect("a configuration");
        let (clock, journal) = (Clock::new(ClockMode::Real), Arc::new(Journal::new()));
        let faults = crate::simulator::faults(&config, Chance::new(1), &journal).expect("cards");
        let setting = crate::simulator::setting(&config, Chance::new(1), &faults).expect("cards");
        let world = Arc::new(World::new(setting, Arc::clone(&journal)).expect("randomness"));
        let (gateways, (stop, stopped)) = (Arc::new(config.known()), Stop::pair());
        let identify = config.identify(Arc::clone(&gateways));
        let around = Surroundings { gateways, world, journal, clock, chance: Chance::new(1), stop: stopped };
        let onboarding = Onboarding::new(&config, around);
        Self { folder, onboarding, identify, _stop: stop }
    }

    async fn add(&self, id: Option<&str>) -> Result<String, Refused> {
        let id = id.map(|id| GatewayId::parse(id).expect("an id"));
        let listed =
            self.onboarding.add(Order { id, key: KeyKind::Ec, cards_of: None, receiver: None }).await?;
        Ok(listed.gateway)
    }

    async fn receiver(&self, change: impl Fn(&mut Receiver)) -> Result<Listed, Refused> {
        let mut receiver = Receiver {
            url: "https://127.0.0.1:8445/hook/".into(),
            authority: None,
            oauth: None,
            retry: Notifications::default(),
        };
        change(&mut receiver);
        self.onboarding
            .add(Order { id: None, key: KeyKind::Ec, cards_of: None, receiver: Some(receiver) })
            .await
    }

    fn has(&self, id: &str) -> bool {
        self.folder.path().join("gateways").join(id).exists()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

fn id(text: &str) -> GatewayId {
    GatewayId::parse(text).expect("an id")
}

fn told<T: std::fmt::Debug>(refused: Result<T, Refused>) -> String {
    refused.expect_err("it is refused").to_string()
}

#[tokio::test]
async fn who_names_none_gets_the_next_that_is_free_and_none_comes_twice() {
    let stage = Stage::new();
    fs::create_dir_all(stage.path("gateways/MGW_000004")).expect("a folder");
    for wanted in ["MGW_000003", "MGW_000005"] {
        assert_eq!(stage.add(None).await.expect("made"), wanted);
    }
    stage.onboarding.remove(&id("MGW_000003")).await.expect("made here");
    assert!(!stage.has("MGW_000003"), "its keys are gone");
    assert_eq!(stage.add(None).await.expect("made"), "MGW_000006");
    assert_eq!(stage.add(Some("MGW_000003")).await.expect("by its name"), "MGW_000003");
    let all: Vec<String> = stage.onboarding.list().into_iter().map(|listed| listed.gateway).collect();
    assert_eq!(all, ["MGW_000001", "MGW_000002", "MGW_000005", "MGW_000006", "MGW_000003"]);
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_and_a_folder_that_was_left_is_told_of() {
    let stage = Stage::new();
    for taken in ["MGW_000001", "mgw_000001"] {
        let refused = stage.add(Some(taken)).await;
        assert!(matches!(refused, Err(Refused::Taken(_))), "{refused:?}");
    }
    fs::create_dir_all(stage.path("gateways/MGW_000042")).expect("a folder");
    let left = told(stage.add(Some("MGW_000042")).await);
    assert!(left.contains("gateways/MGW_000042") && left.contains("delete it"), "{left}");
    assert!(stage.has("MGW_000042"), "nothing is taken away that was not made here");
    fs::remove_dir(stage.path("gateways/MGW_000042")).expect("empty");
    assert!(stage.add(Some("MGW_000042")).await.is_ok(), "a refusal keeps no name");
}

#[tokio::test]
async fn only_so_many_are_made_and_only_those_that_were_made_are_taken_out() {
    let stage = Stage::new();
    let mut reserved: Vec<_> =
        (0..MOST).map(|_| desk::reserve_next(&stage.onboarding.desk).expect("free")).collect();
    assert!(matches!(stage.add(None).await, Err(Refused::Full)));
    reserved.pop();
    assert!(stage.add(None).await.is_ok());
    assert!(matches!(stage.add(None).await, Err(Refused::Full)), "one that was made counts");
    reserved.clear();
    desk::lock(&stage.onboarding.desk).next = 999_999;
    assert_eq!(stage.add(Some("MGW_000009")).await.expect("by its name"), "MGW_000009");
    assert_eq!(stage.add(None).await.expect("the last one"), "MGW_999999");
    assert!(matches!(stage.add(None).await, Err(Refused::NoName)));
    let configured = stage.onboarding.remove(&id("MGW_000001")).await;
    assert!(matches!(configured, Err(Refused::Configured)), "{configured:?}");
    let unknown = stage.onboarding.remove(&id("MGW_000042")).await;
    assert!(matches!(unknown, Err(Refused::Unknown)), "{unknown:?}");
}

#[tokio::test]
async fn without_the_authority_and_its_key_no_gateway_is_made_and_the_reason_is_told() {
    let stage = Stage::new();
    let key = stage.path("ca/thales-ca.key");
    fs::copy(stage.path("ca/server-ca.key"), &key).expect("another key");
    let other = told(stage.add(None).await);
    assert!(other.contains("ca/thales-ca.key") && other.contains("another certificate"), "{other}");
    fs::remove_file(&key).expect("removed");
    let none = told(stage.add(None).await);
    assert!(none.contains("thales-ca.key") && none.contains("No such file"), "{none}");
    assert!(!stage.path("gateways").exists());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told_of_and_nothing_is_left() {
    let stage = Stage::new();
    fs::write(stage.path("gateways"), "in the way").expect("written");
    let refused = stage.add(None).await;
    assert!(matches!(refused, Err(Refused::Folder(_))), "{refused:?}");
    assert!(told(refused).contains("gateways"));
    assert_eq!(stage.onboarding.list().len(), 2);
}

#[tokio::test]
async fn a_receiver_is_checked_before_anything_is_made() {
    let stage = Stage::new();
    let oauth = |token_url: &str| {
        let (client_id, client_secret) = ("d1".into(), Zeroizing::new("hunter2".into()));
        Some(Oauth { token_url: token_url.into(), client_id, client_secret, scope: None })
    };
    for (refused, named) in [
        (stage.receiver(|to| to.url = "http://a:hunter2@b/".into()).await, "`receiver.url`"),
        (stage.receiver(|to| to.authority = Some("hunter2".into())).await, "`receiver.authority`"),
        (stage.receiver(|to| to.oauth = oauth("https://a/?hunter2")).await, "`receiver.oauth.tokenUrl`"),
        (
            stage.receiver(|to| to.retry.first_delay = Some("soon".into())).await,
            "`receiver.retry.firstDelay`",
        ),
        (stage.receiver(|to| to.retry.attempts = Some(0)).await, "`receiver.retry.attempts`"),
        (stage.receiver(|to| to.retry.timeout = Some("0s".into())).await, "`receiver.retry.timeout`"),
        (stage.receiver(|to| to.retry.timeout = Some("61s".into())).await, "`receiver.retry.timeout`"),
        (stage.receiver(|to| to.retry.max_delay = Some("25h".into())).await, "`receiver.retry.maxDelay`"),
    ] {
        let told = told(refused);
        assert!(told.starts_with(named) && !told.contains("hunter2"), "{told}");
    }
    assert!(!stage.path("gateways").exists());
    let made = stage.receiver(|to| to.oauth = oauth("https://127.0.0.1:8445/token")).await.expect("made");
    assert_eq!(made.receiver.as_deref(), Some("https://127.0.0.1:8445/hook"));
    let shown = format!("{made:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("PRIVATE"), "{shown}");
    fs::remove_file(stage.path("ca/receiver-ca.pem")).expect("removed");
    let none = told(stage.receiver(|_| ()).await);
    assert!(none.contains("ca/receiver-ca.pem") && none.contains("receiver.authority"), "{none}");
}

#[tokio::test]
async fn its_certificate_is_one_that_this_sandbox_takes_whatever_its_pattern() {
    let pattern = |text: &str| text.replace("TLSMA-{key}/{gateway}/{env}", "{env}.{gateway}-{key}");
    let stage = Stage::with(pattern);
    let made = stage
        .onboarding
        .add(Order { id: None, key: KeyKind::Ec, receiver: None, cards_of: None })
        .await
        .expect("made");
    let paths = made.paths.expect("paths");
    for (name, path) in &paths {
        let path = Path::new(path.as_str().expect("text"));
        assert!(path.is_absolute() && path.exists(), "{name}");
    }
    assert_eq!(paths.len(), 12, "{paths:?}");
    let leaf = CertificateDer::from_pem_file(paths["certificate"].as_str().expect("text")).expect("PEM");
    let peer = stage.identify.peer(&leaf);
    assert_eq!((peer.name.as_str(), peer.verdict), ("PPR.MGW_000003-ECDSA", Ok(id("MGW_000003"))));
    stage.onboarding.remove(&id("MGW_000003")).await.expect("made here");
    let deleted = stage.identify.peer(&leaf).verdict.expect_err("it is unknown");
    assert_eq!(deleted.check, "certificate gateway");
}

#[tokio::test]
async fn the_folders_go_with_the_sandbox_and_no_gateway_is_made_any_more() {
    let stage = Stage::new();
    stage.add(None).await.expect("made");
    assert!(stage.has("MGW_000003"));
    stage.onboarding.close();
    assert!(!stage.has("MGW_000003"));
    assert!(matches!(stage.add(None).await, Err(Refused::Stops)));
    assert!(!stage.has("MGW_000004"), "what was begun is taken back");
    assert!(stage.path("gateway/client.pem").exists(), "those of the configuration stay");
}

#[tokio::test]
async fn cards_are_shared_only_with_one_that_was_made_and_is_there() {
    let stage = Stage::new();
    let order = |other| {
        let cards_of = Some(id(other));
        stage.onboarding.add(Order { id: None, key: KeyKind::Ec, cards_of, receiver: None })
    };
    for other in ["MGW_000001", "MGW_000003"] {
        assert!(told(order(other).await).starts_with("cardsOf: expected a gateway that"), "{other}");
    }
    assert!(!stage.has("MGW_000003") && !stage.has("MGW_000004"), "what was made in vain is gone");
    let first = stage.add(None).await.expect("made");
    assert!(order(&first).await.is_ok());
}

#[tokio::test]
async fn who_wants_an_rsa_key_waits_for_those_before_and_holds_up_nobody_else() {
    let stage = Stage::new();
    let rsa = async || {
        stage.onboarding.add(Order { id: None, key: KeyKind::Rsa, cards_of: None, receiver: None }).await
    };
    let making = stage.onboarding.rsa.acquire_many(4).await.expect("never closed");
    let made = tokio::time::timeout(std::time::Duration::from_secs(10), stage.add(None)).await;
    assert_eq!(made.expect("it does not wait for them").expect("made"), "MGW_000003");
    let orders = stage.onboarding.rsa_orders.acquire_many(20).await.expect("never closed");
    let refused = rsa().await;
    assert!(matches!(refused, Err(Refused::Busy)), "{refused:?}");
    drop(orders);
    tokio::select! {
        biased;
        made = rsa() => panic!("all places are taken: {made:?}"),
        () = async { for _ in 0..100 { tokio::task::yield_now().await } } => {}
    }
    drop(making);
}

#[tokio::test]
async fn an_order_that_comes_to_nothing_uses_no_number_up() {
    let stage = Stage::new();
    fs::write(stage.path("gateways"), "in the way").expect("written");
    assert!(matches!(stage.add(None).await, Err(Refused::Folder(_))));
    fs::remove_file(stage.path("gateways")).expect("removed");
    assert_eq!(stage.add(None).await.expect("made"), "MGW_000003");
}
