//! The reports of a run: the same in every format, for good clients and for hostile ones.

mod formats;
mod made;
mod schema;
mod snapshots;
