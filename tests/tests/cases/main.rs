//! Every case of the contract as a test of its own, under its id: our client against the inbound ones, our receiver against
//! the outbound ones, over real mutual TLS.
//!
//! `cargo test -p system-tests --test cases -- getToken/404` runs some of them. That the suite can fail is tested in
//! `system`.

use std::sync::Arc;

use d1_contracts::{
    Case, Catalogue, D1Side, ReceiverCase, Stage, receiver_cases, run_case, run_receiver_case,
};
use d1_simulator::cli::{OwnClient, OwnReceiver, contract_stage, own_d1_props};
use libtest_mimic::{Arguments, Completion, Conclusion, Failed, Trial};
use system_tests::Folder;
use tokio::runtime::{Builder, Handle};

/// Many cases wait for what does not come: more of them run at once than there are processors.
const AT_ONCE: usize = 8;

fn main() -> std::process::ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(AT_ONCE));
    // Ended by hand, so that the folder goes with it.
    run(&arguments).exit_code()
}

fn run(arguments: &Arguments) -> Conclusion {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let folder = Folder::shared();
    let stage = contract_stage(folder.root()).expect("a stage");
    let contract = d1_contracts::inbound().expect("the contract");
    let inbound = Catalogue::built_in(&contract).expect("good cases").cases().to_vec();
    let outbound = receiver_cases().expect("good cases");
    let called = inbound.into_iter().map(|case| {
        let (on, folder, stage) = (runtime.handle().clone(), Arc::clone(&folder), stage.clone());
        Trial::test(case.id.clone(), move || on.block_on(client(&folder, &stage, &case)))
    });
    let notified = outbound.into_iter().map(|case| {
        let (on, folder): (Handle, _) = (runtime.handle().clone(), Arc::clone(&folder));
        Trial::ignorable_test(case.id.clone(), move || on.block_on(receiver(&folder, &case)))
    });
    libtest_mimic::run(arguments, called.chain(notified).collect())
}

async fn client(folder: &Folder, stage: &Stage, case: &Case) -> Result<(), Failed> {
    let ran = run_case(stage, case, &OwnClient::new(folder.root())).await?;
    passed(ran.verdict.faults())
}

fn passed<'a>(faults: impl Iterator<Item = (&'static str, &'a str)>) -> Result<(), Failed> {
    let faults: Vec<String> = faults.map(|(witness, fault)| format!("{witness}: {fault}")).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

/// What our receiver cannot be put into is told as ignored, with what it would need.
async fn receiver(folder: &Folder, case: &ReceiverCase) -> Result<Completion, Failed> {
    let receiver = OwnReceiver::start(folder.root()).await?;
    let side = D1Side::new(own_d1_props(folder.root())?, receiver.url().clone());
    let ran = match run_receiver_case(&side, Some(&receiver), case).await {
        Ok(ran) => ran,
        Err(not_run) => return Ok(Completion::ignored_with(format!("needs {}", not_run.needs))),
    };
    passed(ran.verdict.faults()).map(|()| Completion::Completed)
}
