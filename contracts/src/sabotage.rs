//! The fourth witness: which case notices which broken client. A case that every broken client passes proves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::broken::{Break, BrokenClient, Props};
use crate::cases::Case;
use crate::matrix::Planned;
use crate::report::DISCLAIMER;
use crate::runner::{RunError, run_case};
use crate::stage::Stage;

/// Cases that are run at once: enough to fill the waits of those that are about waiting, and so few that nobody waits for
/// the machine.
const AT_ONCE: usize = 24;

/// A fault that is put into a client or a receiver on purpose. Its name is what `Display` shows.
pub trait Defect: Copy + Ord + fmt::Display {
    /// What is broken: a client, or something else.
    const WHO: &'static str;

    /// The fault in words.
    fn fault(self) -> &'static str;

    /// It turns cases red whatever they are about, so that this proves nothing of a case.
    fn is_blunt(self) -> bool;
}

impl Defect for Break {
    const WHO: &'static str = "client";

    fn fault(self) -> &'static str {
        Self::fault(self)
    }

    fn is_blunt(self) -> bool {
        Self::is_blunt(self)
    }
}

/// Every broken client, or receiver, against every case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillMatrix<B: Defect = Break> {
    /// For each broken client the cases that turned red.
    pub by_break: BTreeMap<B, BTreeSet<String>>,
    /// For each case the broken clients that turned it red.
    pub by_case: BTreeMap<String, BTreeSet<B>>,
    /// The cases that the baseline fails, each with what is wrong: that a broken client fails them too shows nothing, and
    /// no kill of theirs is counted.
    pub unsound: BTreeMap<String, String>,
}

impl<B: Defect> KillMatrix<B> {
    /// A matrix of these broken clients and cases. `red` holds who failed what and why; `None` is the baseline.
    #[must_use]
    pub fn new<C: Planned>(
        breaks: &[B],
        cases: &[C],
        red: impl IntoIterator<Item = (Option<B>, String, String)>,
    ) -> Self {
        let (baseline, broken): (Vec<_>, Vec<_>) = red.into_iter().partition(|(client, ..)| client.is_none());
        let mut matrix = Self {
            by_break: breaks.iter().map(|one| (*one, BTreeSet::new())).collect(),
            by_case: cases.iter().map(|case| (case.id().to_owned(), BTreeSet::new())).collect(),
            unsound: baseline.into_iter().map(|(_, case, fault)| (case, fault)).collect(),
        };
        for (client, case, _) in broken {
            let Some(client) = client.filter(|_| !matrix.unsound.contains_key(&case)) else { continue };
            matrix.by_break.entry(client).or_default().insert(case.clone());
            matrix.by_case.entry(case).or_default().insert(client);
        }
        matrix
    }

    /// The broken clients that pass every case.
    pub fn survivors(&self) -> impl Iterator<Item = B> {
        self.by_break.iter().filter(|(_, cases)| cases.is_empty()).map(|(one, _)| *one)
    }

    /// Whether a case notices a fault that has to do with what it shows.
    #[must_use]
    pub fn kills(&self, case: &str) -> bool {
        self.by_case.get(case).is_some_and(|killed| killed.iter().any(|one| !one.is_blunt()))
    }

    /// The cases that notice a fault that has to do with what they show.
    pub fn killing(&self) -> impl Iterator<Item = &str> {
        self.by_case.keys().map(String::as_str).filter(|case| self.kills(case))
    }

    /// The cases that notice blunt faults at most.
    pub fn idle(&self) -> impl Iterator<Item = &str> {
        self.by_case.keys().map(String::as_str).filter(|case| !self.kills(case))
    }

    /// For people: who was killed how often, then what is wrong.
    #[must_use]
    pub fn text(&self) -> String {
        let who = format!("broken {}", B::WHO);
        let mut text = format!("{DISCLAIMER}\n\n{who:<25} killed by\n");
        for (one, cases) in &self.by_break {
            let mark = if one.is_blunt() { " (blunt)" } else { "" };
            // Writing to a String does not fail, here and below.
            let _ = writeln!(text, "{one:<25} {:>3} cases  {}{mark}", cases.len(), one.fault());
        }
        for one in self.survivors() {
            let _ = writeln!(text, "\nsurvivor: {one}: no case notices that {}", one.fault());
        }
        for (case, fault) in &self.unsound {
            let _ = writeln!(text, "\nunsound: {case}: the {} without a fault fails it: {fault}", B::WHO);
        }
        for case in self.idle().filter(|case| !self.unsound.contains_key(*case)) {
            let _ = writeln!(text, "\nidle: {case}: kills no broken {} but blunt ones", B::WHO);
        }
        let (survivors, idle) = (self.survivors().count(), self.idle().count());
        let (breaks, cases) = (self.by_break.len(), self.by_case.len());
        let _ = write!(
            text,
            "\n{} of {breaks} broken {}s killed; {} of {cases} cases kill one that is not blunt",
            breaks - survivors,
            B::WHO,
            cases - idle
        );
        text
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let breaks = self.by_break.iter().map(|(one, cases)| {
            (one.to_string(), json!({"fault": one.fault(), "blunt": one.is_blunt(), "killedBy": cases}))
        });
        let cases = self.by_case.iter().map(|(case, killed)| {
            (case.clone(), killed.iter().map(ToString::to_string).collect::<Vec<_>>().into())
        });
        json!({
            "version": 1,
            "catalogue": env!("CARGO_PKG_VERSION"),
            "notice": DISCLAIMER,
            "breaks": breaks.collect::<serde_json::Map<_, _>>(),
            "cases": cases.collect::<serde_json::Map<_, Value>>(),
            "survivors": self.survivors().map(|one| one.to_string()).collect::<Vec<_>>(),
            "idle": self.idle().collect::<Vec<_>>(),
            "unsound": self.unsound,
        })
    }
}

/// Runs every case against the baseline and against every broken client, many side by side.
///
/// # Errors
/// [`RunError`] if the suite itself fails.
pub async fn sabotage(stage: &Stage, props: &Props, cases: &[Case]) -> Result<KillMatrix, RunError> {
    let clients: Vec<_> = Break::ALL
        .into_iter()
        .map(Some)
        .chain([None])
        .map(|broken| (broken, Arc::new(BrokenClient::new(props.clone(), broken))))
        .collect();
    let planned = cases.iter().map(|case| Arc::new(case.clone()));
    let mut planned = planned.flat_map(|case| clients.iter().map(move |client| (Arc::clone(&case), client)));
    let (mut running, mut red) = (JoinSet::new(), Vec::new());
    loop {
        while running.len() < AT_ONCE {
            let Some((case, (broken, client))) = planned.next() else { break };
            let (stage, broken, client) = (stage.clone(), *broken, Arc::clone(client));
            running.spawn(async move {
                let verdict = run_case(&stage, &case, client.as_ref()).await?.verdict;
                let faults: Vec<String> =
                    verdict.faults().map(|(name, fault)| format!("{name}: {fault}")).collect();
                Ok((broken, case.id.clone(), faults.join("; ")))
            });
        }
        let Some(ended) = running.join_next().await else { break };
        // A client that panics fails its case and goes on; a task that did not end is a fault of the suite.
        let (broken, case, faults) = ended.map_err(|fault| RunError::Task { source: fault })??;
        if !faults.is_empty() {
            red.push((broken, case, faults));
        }
    }
    Ok(KillMatrix::new(&Break::ALL, cases, red))
}
