//! The fourth witness for receivers: which case notices which broken one.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::case::ReceiverCase;
use super::play::run_receiver_case;
use super::side::{D1Props, D1Side};
use crate::broken::{BrokenReceiver, ReceiverBreak, ReceiverProps};
use crate::runner::RunError;
use crate::sabotage::KillMatrix;

/// Who failed what and why; nobody is the baseline.
type Red = (Option<ReceiverBreak>, String, String);

/// Runs every case against the baseline receiver and against every broken one, the receivers side by side. `props` are
/// D1's; it has to have client credentials, which the receivers ask for.
///
/// # Errors
/// [`RunError`] if the suite itself fails.
pub async fn sabotage_receivers(
    props: &D1Props,
    receiver: &ReceiverProps,
    cases: &[ReceiverCase],
) -> Result<KillMatrix<ReceiverBreak>, RunError> {
    let planned: Arc<[ReceiverCase]> = cases.into();
    let mut receivers = JoinSet::new();
    for broken in ReceiverBreak::ALL.into_iter().map(Some).chain([None]) {
        let (props, receiver, cases) = (props.clone(), receiver.clone(), Arc::clone(&planned));
        receivers.spawn(async move { reds(props, receiver, broken, &cases).await });
    }
    let mut red = Vec::new();
    while let Some(ended) = receivers.join_next().await {
        red.extend(ended.map_err(|source| RunError::Task { source })??);
    }
    Ok(KillMatrix::new(&ReceiverBreak::ALL, cases.iter().map(|case| case.id.as_str()), red))
}

/// What one receiver fails. That a case cannot be run against it is a fault of the suite's own receiver.
async fn reds(
    props: D1Props,
    receiver: ReceiverProps,
    broken: Option<ReceiverBreak>,
    cases: &[ReceiverCase],
) -> Result<Vec<Red>, RunError> {
    let name = broken.map_or_else(|| "baseline".to_owned(), |one| one.to_string());
    let started = BrokenReceiver::start(receiver, broken).await;
    let receiver = started.map_err(|source| RunError::Port { case: name, source })?;
    let side = D1Side::new(props, receiver.url().clone());
    let mut red = Vec::new();
    for case in cases {
        let faults: Vec<String> = match run_receiver_case(&side, Some(&receiver), case).await {
            Ok(ran) => ran.verdict.faults().map(|(name, fault)| format!("{name}: {fault}")).collect(),
            Err(not_run) => vec![format!("not run: needs {}", not_run.needs)],
        };
        if !faults.is_empty() {
            red.push((broken, case.id.clone(), faults.join("; ")));
        }
    }
    Ok(red)
}
