//! `d1sim exec`: a sandbox for as long as a command runs.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, IsTerminal as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use d1_fixtures::{Plan, write_sandbox};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::signal::unix::SignalKind;
use tokio::time::{interval, sleep};

use super::args::{Exec, Serve};
use super::exit::{Exit, Failure};
use super::folder::{CONFIG, read_config};
use super::signals::{BY_SIGNAL, Signals};
use super::{init, say, serve};
use crate::simulator::{Running, Simulator};

/// A command that was told to end has so long for it before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// So often it is looked whether all that a command started has ended: nobody tells.
const LOOK: Duration = Duration::from_millis(20);

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
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::internal)?;
    runtime.block_on(async {
        // Before there is a folder with keys that a signal could leave behind.
        let mut signals = Signals::listen()?;
        let place = Place::of(args.config.as_deref())?;
        // Several may run side by side.
        let free = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let serve = Serve { api: free, admin: free, conduct: args.conduct, ..Serve::default() };
        let config = serve::configure(&serve, read_config(&place.config)?)?;
        let gateway = config.gateway_ids().next().unwrap_or_default().to_owned();
        let base_path = config.base_path.clone();
        let running = Simulator::start(config).await.map_err(serve::failure)?;
        let mut command = command(&args.command)?;
        surround(&mut command, &running, &place.folder, &gateway, &base_path);
        let ended = supervise(command, &args.command, &mut signals).await;
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
async fn supervise(command: Command, words: &[OsString], signals: &mut Signals) -> Result<ExitCode, Failure> {
    if let Some(kind) = signals.come().await {
        return Ok(as_code(BY_SIGNAL + kind.as_raw_value()));
    }
    let program = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    let mut guest = Guest::start(command).map_err(|fault| not_run(&program, &fault))?;
    let mut interrupted = false;
    loop {
        tokio::select! {
            ended = guest.child.wait() => {
                let ended = ended.map_err(Failure::internal)?;
                return if interrupted { guest.end(signals).await } else { Ok(code(ended)) };
            }
            kind = signals.next() => match kind == SignalKind::interrupt() {
                // The terminal has sent it to the command as well, and the command says what it means.
                true if guest.group.is_none() => {}
                true if !interrupted => {
                    interrupted = true;
                    guest.send(Signal::INT);
                }
                _ => return guest.end(signals).await,
            },
        }
    }
}

/// The command that runs, and all that it starts.
struct Guest {
    child: Child,
    /// Its process group. None at a terminal: there it shares ours, since no other group may read from the terminal.
    group: Option<Pid>,
}

impl Guest {
    fn start(mut command: Command) -> std::io::Result<Self> {
        let at_terminal = std::io::stdin().is_terminal();
        if !at_terminal {
            command.process_group(0);
        }
        let child = command.spawn()?;
        let group = pid(&child).filter(|_| !at_terminal);
        Ok(Self { child, group })
    }

    fn send(&self, signal: Signal) {
        // It may have ended by itself at this moment.
        let _ = match (self.group, pid(&self.child)) {
            (Some(group), _) => kill_process_group(group, signal),
            (None, Some(child)) => kill_process(child, signal),
            (None, None) => Ok(()),
        };
    }

    /// Asks for the end, and kills what does not come to it in time, or before the next interrupt.
    async fn end(&mut self, signals: &mut Signals) -> Result<ExitCode, Failure> {
        self.send(Signal::TERM);
        let again = async { while signals.next().await != SignalKind::interrupt() {} };
        let ended = tokio::select! {
            ended = self.all_ended() => Some(ended.map_err(Failure::internal)?),
            () = sleep(GRACE) => None,
            () = again => None,
        };
        if let Some(status) = ended {
            return Ok(code(status));
        }
        say("d1sim: the command did not end when it was told to, and was killed");
        self.send(Signal::KILL);
        Ok(code(self.child.wait().await.map_err(Failure::internal)?))
    }

    async fn all_ended(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        let mut looks = interval(LOOK);
        while self.group.is_some_and(is_there) {
            looks.tick().await;
        }
        Ok(status)
    }
}

/// Whether anything of the group runs. What has ended and was not waited for, as by the first process of many a
/// container, is told apart where the system has `/proc`.
fn is_there(group: Pid) -> bool {
    if test_kill_process_group(group) == Err(Errno::SRCH) {
        return false;
    }
    let Ok(processes) = fs::read_dir("/proc") else { return true };
    let of = |stat: String| {
        // Its name, in brackets, may hold anything.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let (state, member) = (fields.next()?, fields.nth(1)? == group.as_raw_nonzero().to_string());
        Some(member && !matches!(state, "Z" | "X"))
    };
    let stats = processes.flatten().filter_map(|one| fs::read_to_string(one.path().join("stat")).ok());
    let mut known = stats.filter_map(of).peekable();
    // Nothing that can be read: it is not that of Linux.
    known.peek().is_none() || known.any(|runs| runs)
}

fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}

fn not_run(program: &str, fault: &std::io::Error) -> Failure {
    let (exit, hint) = match fault.kind() {
        ErrorKind::NotFound => (Exit::CommandNotFound, "it is not on the PATH"),
        _ => (Exit::CommandUnusable, "it cannot be run"),
    };
    Failure { exit, error: format!("{program}: {hint} ({fault})").into() }
}

/// The command's code; as a shell has it, if a signal ended it.
fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| BY_SIGNAL + signal));
    as_code(code.unwrap_or(i32::from(Exit::Exec as u8)))
}

fn as_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(Exit::Exec as u8))
}
