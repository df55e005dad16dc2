//! The fourth witness: which case notices which broken client or receiver. A case that every broken one passes proves
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write as _};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::broken::{Break, BrokenClient, Props, ReceiverBreak};
use crate::cases::Case;
use crate::report::{CATALOGUE, DISCLAIMER};
use crate::runner::{RunError, run_case};
use crate::stage::Stage;

/// Cases that are run at once: enough to fill the waits of those that are about waiting, and so few that nobody waits for
/// the machine.
const AT_ONCE: usize = 24;

/// What can be broken on purpose in a program under test.
pub trait Flaw: Copy + Ord + Display {
    /// What has it: `client` or `receiver`.
    const OF: &'static str;

    /// The fault in words.
    fn fault(self) -> &'static str;

    /// It turns cases red whatever they are about, so that this proves nothing of a case.
    fn is_blunt(self) -> bool;
}

impl Flaw for Break {
    const OF: &'static str = "client";

    fn fault(self) -> &'static str {
        Self::fault(self)
    }

    fn is_blunt(self) -> bool {
        Self::is_blunt(self)
    }
}

impl Flaw for ReceiverBreak {
    const OF: &'static str = "receiver";

    fn fault(self) -> &'static str {
        Self::fault(self)
    }

    fn is_blunt(self) -> bool {
        Self::is_blunt(self)
    }
}

/// Every broken client, or receiver, against every case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillMatrix<F = Break> {
    /// For each broken one the cases that turned red.
    pub by_break: BTreeMap<F, BTreeSet<String>>,
    /// For each case the broken ones that turned it red.
    pub by_case: BTreeMap<String, BTreeSet<F>>,
    /// The cases that the baseline fails, each with what is wrong: that a broken one fails them too shows nothing, and
    /// no kill of theirs is counted.
    pub unsound: BTreeMap<String, String>,
}

impl<F: Flaw> KillMatrix<F> {
    /// A matrix of these flaws and the cases with these ids. `red` holds who failed what and why; `None` is the baseline.
    #[must_use]
    pub fn new<'a>(
        breaks: &[F],
        cases: impl IntoIterator<Item = &'a str>,
        red: impl IntoIterator<Item = (Option<F>, String, String)>,
    ) -> Self {
        let (baseline, broken): (Vec<_>, Vec<_>) = red.into_iter().partition(|(client, ..)| client.is_none());
        let mut matrix = Self {
            by_break: breaks.iter().map(|one| (*one, BTreeSet::new())).collect(),
            by_case: cases.into_iter().map(|case| (case.to_owned(), BTreeSet::new())).collect(),
            unsound: baseline.into_iter().map(|(_, case, fault)| (case, fault)).collect(),
        };
        for (one, case, _) in broken {
            let Some(one) = one.filter(|_| !matrix.unsound.contains_key(&case)) else { continue };
            matrix.by_break.entry(one).or_default().insert(case.clone());
            matrix.by_case.entry(case).or_default().insert(one);
        }
        matrix
    }

    /// The broken ones that pass every case.
    pub fn survivors(&self) -> impl Iterator<Item = F> {
        self.by_break.iter().filter(|(_, cases)| cases.is_empty()).map(|(one, _)| *one)
    }

    /// Whether a case notices a fault that has to do with what it shows.
    #[must_use]
    pub fn kills(&self, case: &str) -> bool {
        self.by_case.get(case).is_some_and(|killed| killed.iter().any(|one| !one.is_blunt()))
    }

    /// The cases that notice blunt faults at most.
    pub fn idle(&self) -> impl Iterator<Item = &str> {
        self.by_case.keys().map(String::as_str).filter(|case| !self.kills(case))
    }

    /// For people: who was killed how often, then what is wrong.
    #[must_use]
    pub fn text(&self) -> String {
        let broken = format!("broken {}", F::OF);
        let mut text = format!("D1 contract catalogue {CATALOGUE}\n{DISCLAIMER}\n\n{broken:<25} killed by\n");
        for (one, cases) in &self.by_break {
            let mark = if one.is_blunt() { " (blunt)" } else { "" };
            // Writing to a String does not fail, here and below.
            let _ = writeln!(text, "{:<25} {:>3} cases  {}{mark}", one.to_string(), cases.len(), one.fault());
        }
        text.push('\n');
        text.push_str(&self.summary());
        text
    }

    /// For people: what is wrong, and the totals.
    #[must_use]
    pub fn summary(&self) -> String {
        let (mut text, of) = (String::new(), F::OF);
        for one in self.survivors() {
            let _ = writeln!(text, "survivor: {one}: no case notices that {}\n", one.fault());
        }
        for (case, fault) in &self.unsound {
            let _ = writeln!(text, "unsound: {case}: the {of} without a fault fails it: {fault}\n");
        }
        for case in self.idle().filter(|case| !self.unsound.contains_key(*case)) {
            let _ = writeln!(text, "idle: {case}: kills no broken {of} but blunt ones\n");
        }
        let (survivors, idle) = (self.survivors().count(), self.idle().count());
        let (breaks, cases) = (self.by_break.len(), self.by_case.len());
        let _ = write!(
            text,
            "{} of {breaks} broken {of}s killed; {} of {cases} cases kill one that is not blunt",
            breaks - survivors,
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
            "catalogue": CATALOGUE,
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
    let rows = cases.iter().map(|case| row(&[case], &Break::ALL)).collect();
    run(stage, props, cases, rows, |_| false).await
}

/// As [`sabotage`], but with each case only until it has killed one that is not blunt, and with each broken client only
/// until a case has killed it: whether there are survivors and idle cases, in a fraction of the time.
///
/// # Errors
/// [`RunError`] if the suite itself fails.
pub async fn first_kills(stage: &Stage, props: &Props, cases: &[Case]) -> Result<KillMatrix, RunError> {
    // The order is that in which a kill is likely, since there is one try after the other until the first kill.
    let others = Break::ALL.into_iter().filter(|broken| !Break::NOTICED_MOST.contains(broken));
    let sharp: Vec<Break> =
        Break::NOTICED_MOST.into_iter().chain(others).filter(|broken| !broken.is_blunt()).collect();
    let rows = cases.iter().map(|case| row(&[case], &sharp)).collect();
    let mut kills = run(stage, props, cases, rows, |_| true).await?;
    let sound: Vec<&Case> = cases.iter().filter(|case| !kills.unsound.contains_key(&case.id)).collect();
    let rows = kills.survivors().map(|broken| {
        let likely = |case: &&Case| broken.likely_in().is_some_and(|part| case.id.contains(part));
        let (mut first, then): (Vec<&Case>, Vec<&Case>) = sound.iter().partition(|case| likely(case));
        first.extend(then);
        row(&first, &[broken])
    });
    let rows = rows.collect();
    let more = run(stage, props, &[], rows, |_| true).await?;
    for (broken, killed_by) in more.by_break {
        for case in &killed_by {
            kills.by_case.entry(case.clone()).or_default().insert(broken);
        }
        kills.by_break.entry(broken).or_default().extend(killed_by);
    }
    Ok(kills)
}

/// Broken clients to be tried with cases, one after the other.
type Row = Vec<(Arc<Case>, Break)>;

fn row(cases: &[&Case], breaks: &[Break]) -> Row {
    let cases = cases.iter().map(|&case| Arc::new(case.clone()));
    cases.flat_map(|case| breaks.iter().map(move |broken| (Arc::clone(&case), *broken))).collect()
}

/// The baseline with all these cases, and each row of tries until a kill is enough.
async fn run(
    stage: &Stage,
    props: &Props,
    cases: &[Case],
    rows: Vec<Row>,
    enough: fn(Break) -> bool,
) -> Result<KillMatrix, RunError> {
    let clients: BTreeMap<Option<Break>, Arc<BrokenClient>> = Break::ALL
        .into_iter()
        .map(Some)
        .chain([None])
        .map(|broken| (broken, Arc::new(BrokenClient::new(props.clone(), broken))))
        .collect();
    let clients = Arc::new(clients);
    let whole = cases.iter().map(|case| (Some(Arc::new(case.clone())), None));
    let mut planned = whole.chain(rows.into_iter().map(|row| (None, Some(row))));
    let (mut running, mut red) = (JoinSet::new(), Vec::new());
    loop {
        while running.len() < AT_ONCE {
            let Some((case, row)) = planned.next() else { break };
            let (stage, clients) = (stage.clone(), Arc::clone(&clients));
            running.spawn(async move {
                let whole = case.into_iter().map(|case| (case, None));
                let broken = row.into_iter().flatten().map(|(case, broken)| (case, Some(broken)));
                let mut red = Vec::new();
                for (case, broken) in whole.chain(broken) {
                    let verdict = run_case(&stage, &case, clients[&broken].as_ref()).await?.verdict;
                    if verdict.passed() {
                        continue;
                    }
                    let faults: Vec<String> =
                        verdict.faults().map(|(name, fault)| format!("{name}: {fault}")).collect();
                    red.push((broken, case.id.clone(), faults.join("; ")));
                    if broken.is_some_and(enough) {
                        break;
                    }
                }
                Ok(red)
            });
        }
        let Some(ended) = running.join_next().await else { break };
        // A client that panics fails its case and goes on; a task that did not end is a fault of the suite.
        red.extend(ended.map_err(|fault| RunError::Task { source: fault })??);
    }
    Ok(KillMatrix::new(&Break::ALL, cases.iter().map(|case| case.id.as_str()), red))
}
