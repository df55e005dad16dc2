//! Many idle connections to a sandbox in another process, and whether it still answers.

use std::net::SocketAddr;

use super::super::exit::Failure;
use super::super::folder::SandboxFolder;
use super::super::print;
use super::load::{Target, send};
use super::stage::tls;
use crate::clock::Stopwatch;

/// Handshakes on their way at once.
const AT_ONCE: u32 = 64;

pub(super) async fn run(folder: &SandboxFolder, address: SocketAddr, count: u32) -> Result<(), Failure> {
    let target = Target { address, tls: tls(folder)? };
    let watch = Stopwatch::start();
    let mut open = Vec::new();
    let mut left = count;
    while left > 0 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..left.min(AT_ONCE) {
            let target = target.clone();
            tasks.spawn(async move { target.connect().await });
        }
        left -= left.min(AT_ONCE);
        while let Some(connected) = tasks.join_next().await {
            open.push(connected.map_err(Failure::internal)??);
        }
    }
    print(&format!(
        "{} connections opened in {:.1} s and left idle",
        open.len(),
        watch.elapsed().as_secs_f64()
    ));
    let one = Stopwatch::start();
    let mut sender = target.sender().await?;
    let request =
        http::Request::get("/").header("host", address.to_string()).body(http_body_util::Full::default());
    let (status, _) =
        send(&mut sender, request.map_err(Failure::internal)?).await.map_err(Failure::internal)?;
    print(&format!(
        "a new caller got its answer ({status}) after {:.1} ms",
        one.elapsed().as_secs_f64() * 1000.0
    ));
    Ok(())
}
