//! `d1sim bench`: requests per second over kept-alive mutual TLS, each operation beside a bare
//! server behind the same listener in the same run, so that the ratio means something on any
//! machine.

mod idle;
mod load;
mod stage;

use std::time::Duration;

use super::args::Bench;
use super::exit::Failure;
use super::folder::SandboxFolder;
use super::{print, serve};

use load::{Call, Measured};
use stage::Stage;

/// Each measurement is preceded by this, which is not counted.
const WARM_UP: Duration = Duration::from_secs(1);

pub(super) fn run(args: &Bench) -> Result<(), Failure> {
    serve::raise_file_limit();
    let folder = SandboxFolder::open(&args.sandbox)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::internal)?;
    match (args.idle, args.api) {
        (Some(count), Some(api)) => runtime.block_on(idle::run(&folder, api, count)),
        _ => runtime.block_on(measure(folder, args)),
    }
}

async fn measure(folder: SandboxFolder, args: &Bench) -> Result<(), Failure> {
    let stage = Stage::set(folder, args.tokens).await?;
    let length = Duration::from_secs(args.seconds);
    print(&format!(
        "{} connections, {} s each, HTTP/1.1, TLS 1.3, {} tokens held; server and load share this machine",
        args.connections, args.seconds, args.tokens
    ));
    print("call             requests/s    hello/s    ratio    p50 ms    p99 ms    failed");
    for (name, call) in stage.calls() {
        // Beside each call, before and after it: the machine's speed changes while it runs.
        let before = rate(&stage.hello, args.connections, length).await?.per_second();
        let measured = rate(call, args.connections, length).await?;
        let after = rate(&stage.hello, args.connections, length).await?.per_second();
        row(name, &measured, f64::midpoint(before, after));
    }
    let handshakes = load::handshakes(&stage.hello.target, args.connections.min(8), length).await?;
    print(&format!("handshakes       {:>10.0}    full, mutual, no resumption", handshakes.per_second()));
    stage.strike().await;
    Ok(())
}

async fn rate(call: &Call, connections: u32, length: Duration) -> Result<Measured, Failure> {
    load::drive(call, connections, WARM_UP).await?;
    load::drive(call, connections, length).await
}

fn row(name: &str, measured: &Measured, hello: f64) {
    print(&format!(
        "{name:<16} {:>10.0} {hello:>10.0}    {:>5.2}    {:>6.2}    {:>6.2}    {:>6}",
        measured.per_second(),
        measured.per_second() / hello,
        measured.quantile_ms(0.5),
        measured.quantile_ms(0.99),
        measured.failed
    ));
}
