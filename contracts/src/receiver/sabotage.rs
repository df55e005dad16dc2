//! The fourth witness for receivers: which case notices which broken one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::case::ReceiverCase;
use super::play::run_receiver_case;
use super::side::{D1Props, D1Side};
use crate::broken::{BrokenReceiver, ReceiverBreak, ReceiverProps};
use crate::report::DISCLAIMER;
use crate::runner::RunError;

/// Every broken receiver against every case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverKills {
    /// For each broken receiver the cases that turned red.
    pub by_break: BTreeMap<ReceiverBreak, BTreeSet<String>>,
    /// The cases that the baseline fails, each with what is wrong. No kill of theirs is counted.
    pub unsound: BTreeMap<String, String>,
    /// The cases that kill blunt receivers at most.
    pub idle: BTreeSet<String>,
    cases: usize,
}

/// Who failed what and why; nobody is the baseline.
type Red = (Option<ReceiverBreak>, String, String);

impl ReceiverKills {
    /// A matrix of these cases.
    #[must_use]
    pub fn new(cases: &[ReceiverCase], red: Vec<Red>) -> Self {
        let (baseline, broken): (Vec<_>, Vec<_>) = red.into_iter().partition(|(who, ..)| who.is_none());
        let unsound: BTreeMap<_, _> = baseline.into_iter().map(|(_, case, fault)| (case, fault)).collect();
        let mut by_break: BTreeMap<_, BTreeSet<String>> =
            ReceiverBreak::ALL.into_iter().map(|one| (one, BTreeSet::new())).collect();
        let mut idle: BTreeSet<String> = cases.iter().map(|case| case.id.clone()).collect();
        for (who, case, _) in broken {
            let Some(who) = who.filter(|_| !unsound.contains_key(&case)) else { continue };
            if !who.is_blunt() {
                idle.remove(&case);
            }
            by_break.entry(who).or_default().insert(case);
        }
        Self { by_break, unsound, idle, cases: cases.len() }
    }

    /// The broken receivers that pass every case.
    pub fn survivors(&self) -> impl Iterator<Item = ReceiverBreak> {
        self.by_break.iter().filter(|(_, cases)| cases.is_empty()).map(|(one, _)| *one)
    }

    /// For people: who was killed how often, then what is wrong.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{DISCLAIMER}\n\nbroken receiver           killed by\n");
        for (one, cases) in &self.by_break {
            let mark = if one.is_blunt() { " (blunt)" } else { "" };
            // Writing to a String does not fail, here and below.
            let _ = writeln!(text, "{:<25} {:>3} cases  {}{mark}", one.to_string(), cases.len(), one.fault());
        }
        text.push('\n');
        for one in self.survivors() {
            let _ = writeln!(text, "survivor: {one}: no case notices that {}\n", one.fault());
        }
        for (case, fault) in &self.unsound {
            let _ = writeln!(text, "unsound: {case}: the receiver without a fault fails it: {fault}\n");
        }
        for case in self.idle.iter().filter(|case| !self.unsound.contains_key(*case)) {
            let _ = writeln!(text, "idle: {case}: kills no broken receiver but blunt ones\n");
        }
        let (all, survivors) = (self.by_break.len(), self.survivors().count());
        let _ = write!(
            text,
            "{} of {all} broken receivers killed; {} of {} cases kill one that is not blunt",
            all - survivors,
            self.cases - self.idle.len(),
            self.cases
        );
        text
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let breaks = self.by_break.iter().map(|(one, cases)| {
            (one.to_string(), json!({"fault": one.fault(), "blunt": one.is_blunt(), "killedBy": cases}))
        });
        json!({
            "version": 1,
            "catalogue": env!("CARGO_PKG_VERSION"),
            "notice": DISCLAIMER,
            "breaks": breaks.collect::<Map<_, _>>(),
            "survivors": self.survivors().map(|one| one.to_string()).collect::<Vec<_>>(),
            "idle": self.idle,
            "unsound": self.unsound,
        })
    }
}

/// Runs every case against the baseline receiver and against every broken one, the receivers side by side. `props` are
/// D1's; it has to have client credentials, which the receivers ask for.
///
/// # Errors
/// [`RunError`] if the suite itself fails.
pub async fn sabotage_receivers(
    props: &D1Props,
    receiver: &ReceiverProps,
    cases: &[ReceiverCase],
) -> Result<ReceiverKills, RunError> {
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
    Ok(ReceiverKills::new(cases, red))
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
