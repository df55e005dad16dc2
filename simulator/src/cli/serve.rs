//! `d1sim serve`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use d1_fixtures::{InitError, Plan, write_sandbox};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;

use super::args::Serve;
use super::exit::Failure;
use super::folder::{CONFIG, read_config, read_text};
use super::signals::Signals;
use super::{admin_port, banner, init, say};
use crate::config::Config;
use crate::simulator::{Running, Simulator, StartError};

/// The folder that is made on the first run.
const FOLDER: &str = "d1-sandbox";
/// So often a folder that another process is making is looked at again.
const LOOKS: u32 = 50;

pub(super) fn run(args: Serve) -> Result<(), Failure> {
    raise_file_limit();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::internal)?;
    // Before there is a folder that a signal could leave half made.
    let signals = runtime.block_on(async { Signals::listen() })?;
    let path = match &args.config {
        Some(path) => path.clone(),
        None => first_run(Path::new(FOLDER))?,
    };
    let config = configure(&args, read_config(&path)?)?;
    // Absolute, so that what is printed can be pasted anywhere.
    let folder = fs::canonicalize(&path).map_err(|fault| Failure::file("read", &path, &fault))?;
    let folder = folder.parent().unwrap_or(Path::new("/")).to_owned();
    let about = banner::About::of(&config, &folder, args.admin_token_file.as_deref());
    runtime.block_on(serve(config, &about, args.ready_file, signals))
}

async fn serve(
    config: Config,
    about: &banner::About,
    ready_file: Option<PathBuf>,
    mut signals: Signals,
) -> Result<(), Failure> {
    let hostile = config.hostile;
    let running = Simulator::start(config).await.map_err(failure)?;
    if let Some(path) = ready_file {
        write_ready(&path, &running)?;
    }
    say(&about.banner(&running));
    if hostile {
        let admin = running.admin_url();
        say(&format!("d1sim: hostile (seed {}): {admin}/faults lists what may befall you", running.seed()));
    }
    signals.next().await;
    say("d1sim: stopping");
    running.stop().await;
    Ok(())
}

/// Which exit code an error stands for.
pub(super) fn failure(error: StartError) -> Failure {
    match error {
        StartError::Listen { what, ref source, .. } if source.kind() == ErrorKind::AddrInUse => {
            let option = what.replace("listen.", "--");
            let hint = format!(
                "stop it, or change {what} in sandbox.yaml (serve: {option} 127.0.0.1:0 takes a free one)"
            );
            Failure::resource(format!("{error}: {source}; another d1sim? {hint}"))
        }
        StartError::Listen { .. } => Failure::resource(error),
        StartError::Randomness(_) | StartError::Cards(_) => Failure::internal(error),
        _ => Failure::usage(error),
    }
}

/// The configuration with what the command line says.
pub(super) fn configure(args: &Serve, mut config: Config) -> Result<Config, Failure> {
    config.api = args.api.unwrap_or(config.api);
    config.admin = args.admin.unwrap_or(config.admin);
    config.seed = args.conduct.seed.or(config.seed);
    config.clock = args.conduct.clock.unwrap_or(config.clock);
    config.auth_clock = args.conduct.auth_clock.unwrap_or(config.auth_clock);
    config.hostile = args.conduct.hostile;
    if let Some(path) = &args.admin_token_file {
        config.admin_token = Some(admin_port::token(path)?);
    }
    let authority = args.conduct.receiver_ca.as_deref();
    let authority = authority.map(|path| read_text("--receiver-ca", path).map(|text| text.to_string()));
    let authority = authority.transpose()?;
    match &args.conduct.receiver {
        Some(url) => config.set_receiver(url, authority).map_err(Failure::usage)?,
        None if authority.is_some() => {
            let url = config.receiver_url().unwrap_or_else(|| "https://127.0.0.1:8445".into());
            config.set_receiver(&url, authority).map_err(Failure::usage)?;
        }
        None => {}
    }
    Ok(config)
}

/// The configuration in the default folder, which is made if it is not there.
fn first_run(folder: &Path) -> Result<PathBuf, Failure> {
    let config = folder.join(CONFIG);
    for _ in 0..LOOKS {
        if config.exists() {
            return Ok(config);
        }
        match write_sandbox(folder, &Plan::new(init::now()?), false) {
            Ok(_) => {
                say(&format!("d1sim: first run, made {}", folder.display()));
                return Ok(config);
            }
            // Another process makes it at this moment, or has just made it.
            Err(InitError::Busy { .. }) => wait(),
            Err(InitError::Exists { .. }) if config.exists() => {}
            Err(error) => return Err(init::failure(error)),
        }
    }
    Err(Failure::resource(format!(
        "{} is being made by another process that does not finish",
        folder.display()
    )))
}

#[expect(clippy::disallowed_methods, reason = "the file system tells nobody when a file appears")]
fn wait() {
    std::thread::sleep(Duration::from_millis(100));
}

/// One connection is one file: the soft limit is raised to the hard one.
pub(super) fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without it fewer connections fit, which is no reason not to start.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Written beside and renamed, so that whoever waits for the file never sees a part of it.
fn write_ready(path: &Path, running: &Running) -> Result<(), Failure> {
    let ready = json!({"api": running.api_url(), "admin": running.admin_url(), "pid": std::process::id()});
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let written = fs::write(&beside, format!("{ready}\n")).and_then(|()| fs::rename(&beside, path));
    written.map_err(|fault| Failure::file("write", path, &fault))
}
