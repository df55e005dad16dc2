//! One function an operation.

mod access;
mod merchants;
mod tokens;

pub(crate) use access::get_access_token;
pub(crate) use merchants::create_merchant;
pub(crate) use tokens::{create_token, create_transaction, delete_token, get_token};

use crate::auth::Caller;
use crate::world::Asker;

impl Caller {
    fn asker(&self) -> Asker<'_> {
        Asker { gateway: &self.gateway, correlation: Some(&self.correlation) }
    }
}
