//! Shims made of a few lines for `sh`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use d1_contracts::{
    Case, GoodAnswers, JweKey, Kind, Limits, Ran, ReportedOutcome, Shim, ShimCommand, ShimFiles, Stage,
    StageTls, built_in_cases, inbound,
};
use rustls::ServerConfig;
use rustls::server::ResolvesServerCertUsingSni;
use tempfile::TempDir;

const OK: &str = r#"ok() { printf '{"told":{"id":%s,"outcome":"ok","retryable":"never","ambiguous":false,"waited_ms":9999}}\n' $id; }"#;

/// The public key of RFC 7518, appendix C.
const RFC7518_BOB: &str = r#"{"kty":"EC","crv":"P-256","kid":"bob","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"}"#;

/// A shim in a folder of its own, where it notes each start and all that it hears.
pub(crate) struct Fake {
    folder: TempDir,
}

impl Fake {
    /// One that does `each` for each call, with the call in `$line` and its id in `$id`.
    pub(crate) fn new(features: &str, each: &str) -> Self {
        let fake = Self { folder: tempfile::tempdir().expect("a folder") };
        let script = format!(
            r#"
echo start >>"$1/starts"
if [ -e "$1/once" ] && [ $(wc -l <"$1/starts") -gt 1 ]; then exit 4; fi
{OK}
hear() {{ read -r line && printf '%s\n' "$line" >>"$1/heard"; }}
hear "$1"
echo '{{"hello":{{"protocol":1,"client":"fake 1","features":[{features}]}}}}'
all=
while hear "$1"; do
    case $line in '{{"bye"'*) if [ -e "$1/stays" ]; then exec tail -f /dev/null; fi; exit 0;; esac
    id=${{line#*'"id":'}}
    id=${{id%%,*}}
    {each}
done
"#
        );
        fs::write(fake.path("shim.sh"), script).expect("written");
        fake
    }

    /// It starts no second time.
    pub(crate) fn only_once(self) -> Self {
        fs::write(self.path("once"), "").expect("written");
        self
    }

    /// It stays when it is told goodbye.
    pub(crate) fn that_stays(self) -> Self {
        fs::write(self.path("stays"), "").expect("written");
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn run(&self, cases: &[Case]) -> Vec<Ran> {
        self.run_within(cases, 20_000).await
    }

    /// The shim, started.
    pub(crate) async fn start(&self, limits: Limits) -> Shim {
        let folder = self.folder.path().display();
        let command = format!("sh '{folder}/shim.sh' '{folder}'").parse().expect("a command");
        start(command, limits).await.expect("it starts")
    }

    /// Runs cases with so many milliseconds for an answer.
    pub(crate) async fn run_within(&self, cases: &[Case], call: u64) -> Vec<Ran> {
        let limits = Limits { call: Duration::from_millis(call), ..Limits::default() };
        self.start(limits).await.run(&stage(), cases, &|_| {}).await.expect("no fault of the suite")
    }

    pub(crate) fn starts(&self) -> usize {
        fs::read_to_string(self.path("starts")).expect("it was started").lines().count()
    }

    /// All lines that the suite wrote.
    pub(crate) fn heard(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("heard")).expect("it heard something");
        text.lines().map(str::to_owned).collect()
    }
}

pub(crate) async fn start(command: ShimCommand, limits: Limits) -> Result<Shim, String> {
    let file = PathBuf::from;
    let files = ShimFiles {
        ca: file("/w/ca.pem"),
        client_certificate: file("/w/client.pem"),
        client_key: file("/w/client.key"),
        assertion_key: file("/w/assertion.key"),
        assertion_kid: "k1".to_owned(),
        d1_jwk: file("/w/d1.jwk"),
        own_jwk: file("/w/own.jwk"),
    };
    Shim::start(command, files, limits).await.map_err(|fault| fault.to_string())
}

/// Why a shim of this script is of no use, with so many milliseconds for its hello.
pub(crate) async fn refusal(script: &str, handshake: u64) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shim.sh");
    fs::write(&path, script).expect("written");
    let command = format!("sh '{}'", path.display()).parse().expect("a command");
    let limits = Limits { handshake: Duration::from_millis(handshake), ..Limits::default() };
    start(command, limits).await.err().unwrap_or_else(|| panic!("it starts: {script}"))
}

/// Six cases in which a success without a result is the right answer.
pub(crate) fn good_cases() -> Vec<Case> {
    let mut cases = built_in_cases().expect("good cases");
    let faulty = |case: &Case| case.answers.iter().any(|turn| turn.fault.is_some());
    cases.retain(|case| {
        case.operation() == "deleteToken"
            && case.expect.outcome == ReportedOutcome::Ok
            && !faulty(case)
            && case.kind() != Kind::Natural
    });
    cases
}

/// A stage that nobody can connect to: these shims make no call.
pub(crate) fn stage() -> Stage {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let no_certificate = Arc::new(ResolvesServerCertUsingSni::new());
    let tls = builder.expect("versions").with_no_client_auth().with_cert_resolver(no_certificate);
    let key = JweKey::from_jwk(RFC7518_BOB).expect("a key");
    let good = GoodAnswers::built_in().expect("good answers");
    Stage::new(
        inbound().expect("the contract"),
        good,
        StageTls { good: Arc::new(tls), bad: BTreeMap::new() },
        key.clone(),
        key,
        Arc::new(|| SystemTime::UNIX_EPOCH),
    )
}

/// What is wrong with the report of a case.
pub(crate) fn fault_of(ran: &Ran) -> Option<String> {
    ran.verdict.reported.clone().err()
}
