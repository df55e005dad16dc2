//! What `serve` says once it is up.

use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::clock::AuthClock;
use crate::config::Config;
use crate::simulator::Running;

/// What is worth saying of a configuration.
pub(super) struct About {
    folder: String,
    gateways: Vec<String>,
    environment: &'static str,
    base_path: String,
    receiver: String,
    auth_clock: AuthClock,
    /// The option that lets a command past the admin port's guard, if it has one.
    admin_token: String,
}

impl About {
    pub(super) fn of(config: &Config, folder: &Path, admin_token_file: Option<&Path>) -> Self {
        let path = |path: &Path| quoted(&path.display().to_string());
        Self {
            admin_token: admin_token_file
                .map(|file| format!(" --admin-token-file {}", path(&absolute(file))))
                .unwrap_or_default(),
            folder: path(folder),
            gateways: config.gateway_ids().map(String::from).collect(),
            environment: config.environment,
            auth_clock: config.auth_clock,
            base_path: config.base_path.clone(),
            receiver: config.receiver_url().unwrap_or_else(|| "none: no notifications are sent".into()),
        }
    }

    /// Addresses, what was loaded, and lines to paste.
    pub(super) fn banner(&self, running: &Running) -> String {
        let (api, admin) = (running.api_url(), running.admin_url());
        let clock = match (running.clock().is_manual(), self.auth_clock) {
            (false, _) => "real",
            (true, AuthClock::System) => {
                "manual, moved by POST /clock/advance; assertions go by the system's"
            }
            (true, AuthClock::Sandbox) => "manual, moved by POST /clock/advance; assertions go by it too",
        };
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {name:<10} {value}");
        };
        line("api", &format!("{api} (mutual TLS; OAuth at /authz/v1, operations at {})", self.base_path));
        line("admin", &admin);
        line("folder", &self.folder);
        line("gateways", &format!("{} ({})", self.gateways.join(", "), self.environment));
        line("receiver", &self.receiver);
        line("seed", &running.seed().to_string());
        line("clock", clock);
        let gateway = self.gateways.first().map_or("", String::as_str);
        format!(
            "d1sim {version}: a D1 sandbox. TEST ONLY: never send a real card here. Not affiliated with Thales.\n\
             {text}\
             State lives in memory: a restart forgets merchants and tokens.\n\n\
             Try it:\n\
             {lines}\n\
             Ready. Ctrl-C stops.",
            version = env!("CARGO_PKG_VERSION"),
            lines = self.curl(running, gateway),
        )
    }

    fn curl(&self, running: &Running, gateway: &str) -> String {
        let (folder, base, api) = (&self.folder, &self.base_path, running.api_url());
        // The keyboard's clock is not the sandbox's.
        let time = if running.clock().is_manual() && self.auth_clock == AuthClock::Sandbox {
            format!(" --admin {}{}", running.admin_url(), self.admin_token)
        } else {
            String::new()
        };
        let program =
            env::current_exe().map_or_else(|_| "d1sim".into(), |path| quoted(&path.display().to_string()));
        format!(
            r#"  d1() {{ curl -sS --cacert {folder}/ca/server-ca.pem --cert {folder}/gateway/client.pem --key {folder}/gateway/client.key -H 'x-correlation-id: first-try' -H 'content-type: application/json' "$@"; }}
  TOKEN=$(d1 {api}/authz/v1/oauth2/token -d "{{\"grant_type\":\"urn:ietf:params:oauth:grant-type:jwt-bearer\",\"assertion\":\"$({program} jose assert --sandbox {folder}{time})\"}}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  d1 {api}{base}/merchant-gateways/{gateway}/merchants -H "authorization: Bearer $TOKEN" -d '{{"merchantName":"Corner Bookshop"}}'
"#
        )
    }
}

/// Where a file is, whatever the folder of whoever asks.
fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
