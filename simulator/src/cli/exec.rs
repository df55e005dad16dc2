//! `d1sim exec`: a sandbox for as long as a command runs.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use d1_fixtures::{Plan, write_sandbox};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::args::{Exec, Serve};
use super::exit::{Exit, Failure};
use super::folder::{CONFIG, read_config};
use super::{init, say, serve};
use crate::simulator::{Running, Simulator};

/// A command that was told to end has so long for it before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// What a shell adds to the number of the signal that ended a command.
const BY_SIGNAL: i32 = 128;

/// Runs the command and passes its exit code on.
pub(super) fn run(args: Exec) -> Result<ExitCode, Failure> {
    // Its own failures must not be taken for the command's.
    within(args).map_err(|failure| match failure.exit {
        Exit::CommandUnusable | Exit::CommandNotFound => failure,
        _ => Failure { exit: Exit::Exec, ..failure },
    })
}

fn within(args: Exec) -> Result<ExitCode, Failure> {
    serve::raise_file_limit();
    let place = Place::of(args.config.as_deref())?;
    // Several may run side by side.
    let free = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let serve = Serve { api: free, admin: free, conduct: args.conduct, ..Serve::default() };
    let config = serve::configure(&serve, read_config(&place.config)?)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::internal)?;
    runtime.block_on(async {
        let gateway = config.gateway_ids().next().unwrap_or_default().to_owned();
        let base_path = config.base_path.clone();
        let running = Simulator::start(config).await.map_err(serve::failure)?;
        let mut command = command(&args.command)?;
        surround(&mut command, &running, &place.folder, &gateway, &base_path);
        let ended = supervise(&mut command, &args.command).await;
        running.stop().await;
        ended
    })
}

/// A sandbox folder: the user's, or one for this run alone.
struct Place {
    config: PathBuf,
    folder: PathBuf,
    _temporary: Option<TempDir>,
}

impl Place {
    fn of(config: Option<&Path>) -> Result<Self, Failure> {
        if let Some(config) = config {
            let config = fs::canonicalize(config).map_err(|fault| Failure::file("read", config, &fault))?;
            let folder = config.parent().unwrap_or(Path::new("/")).to_owned();
            return Ok(Self { config, folder, _temporary: None });
        }
        let temporary = tempfile::Builder::new().prefix("d1-sandbox-").tempdir();
        let temporary =
            temporary.map_err(|fault| Failure::resource(format!("cannot make a sandbox folder: {fault}")))?;
        let folder = temporary.path().join("sandbox");
        write_sandbox(&folder, &Plan::new(init::now()?), false).map_err(init::failure)?;
        Ok(Self { config: folder.join(CONFIG), folder, _temporary: Some(temporary) })
    }
}

fn command(words: &[OsString]) -> Result<Command, Failure> {
    let (program, arguments) = words.split_first().ok_or_else(|| Failure::usage("no command after --"))?;
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    Ok(command)
}

/// What the command finds in its environment.
fn surround(command: &mut Command, running: &Running, folder: &Path, gateway: &str, base_path: &str) {
    command
        .env("D1_API", running.api_url())
        .env("D1_ADMIN", running.admin_url())
        .env("D1_SANDBOX", folder)
        .env("D1_GATEWAY", gateway)
        .env("D1_BASE", format!("{}{base_path}", running.api_url()));
}

/// Runs the command to its end. What would end `d1sim` ends the command first.
async fn supervise(command: &mut Command, words: &[OsString]) -> Result<ExitCode, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::internal)?;
    // The terminal sends it to the command as well: here it must only not end the sandbox before the command.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::internal)?;
    let program = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    let mut child = command.spawn().map_err(|fault| not_run(&program, &fault))?;
    let status = loop {
        tokio::select! {
            ended = child.wait() => break ended.map_err(Failure::internal)?,
            _ = terminate.recv() => break end(&mut child).await?,
            _ = interrupt.recv() => {}
        }
    };
    Ok(code(status))
}

fn not_run(program: &str, fault: &std::io::Error) -> Failure {
    let (exit, hint) = match fault.kind() {
        ErrorKind::NotFound => (Exit::CommandNotFound, "it is not on the PATH"),
        _ => (Exit::CommandUnusable, "it cannot be run"),
    };
    Failure { exit, error: format!("{program}: {hint} ({fault})").into() }
}

/// Asks the command to end, and kills it if it does not.
async fn end(child: &mut Child) -> Result<ExitStatus, Failure> {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        // It may have ended by itself at this moment.
        let _ = kill_process(pid, Signal::TERM);
    }
    if let Ok(ended) = timeout(GRACE, child.wait()).await {
        return ended.map_err(Failure::internal);
    }
    say("d1sim: the command did not end when it was told to, and was killed");
    child.kill().await.map_err(Failure::internal)?;
    child.wait().await.map_err(Failure::internal)
}

/// The command's code; as a shell has it, if a signal ended it.
fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| BY_SIGNAL + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(Exit::Exec as u8))
}
