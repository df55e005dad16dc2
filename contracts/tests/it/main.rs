//! The contract documents, the lint and the judge, seen from outside.

mod admin;
mod agreement;
mod answers;
mod any_input;
mod case_errors;
mod case_schema;
mod catalogue;
mod catalogue_schemas;
mod changed;
mod documents;
mod exchanges;
mod journal;
mod lint;
mod natural;
mod receiver_schema;
mod renames;
mod reports;
mod requests;
mod sabotage;
mod shim;
mod suite;
mod waivers;
