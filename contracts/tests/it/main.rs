//! The contract documents, the lint and the judge, seen from outside.

mod admin;
mod agreement;
mod answers;
mod any_input;
mod case_errors;
mod case_schema;
mod catalogue;
mod documents;
mod exchanges;
mod lint;
mod receiver_schema;
mod renames;
mod reports;
mod requests;
mod sabotage;
mod shim;
mod suite;
mod waivers;
