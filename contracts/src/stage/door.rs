//! Taking connections: what the system may refuse now and then, and what ends a server.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep;

/// Connections in a row that cannot be taken before a server gives up.
const REFUSALS: u32 = 20;
/// The pause after one: a process without free file descriptors would spin.
const PAUSE: Duration = Duration::from_millis(50);

/// How a server has fared with its connections.
#[derive(Debug, Default)]
pub(super) struct Door {
    /// Refusals since the last connection.
    refusals: u32,
}

impl Door {
    /// What the system said when it was asked for a connection, with a pause behind a refusal.
    ///
    /// # Errors
    /// As [`Door::taken`].
    pub(super) async fn accepted<T>(
        &mut self,
        accepted: io::Result<(T, SocketAddr)>,
    ) -> io::Result<Option<T>> {
        let taken = self.taken(accepted)?;
        if taken.is_none() {
            sleep(PAUSE).await;
        }
        Ok(taken)
    }

    /// Nothing for a connection that is gone before it is taken, which is the client's affair, as long as that does not go on.
    ///
    /// # Errors
    /// The last of many refusals in a row.
    fn taken<T>(&mut self, accepted: io::Result<(T, SocketAddr)>) -> io::Result<Option<T>> {
        match accepted {
            Ok((socket, _)) => {
                self.refusals = 0;
                Ok(Some(socket))
            }
            Err(fault) => {
                self.refusals += 1;
                if self.refusals < REFUSALS { Ok(None) } else { Err(fault) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_server_puts_up_with_some_refusals_and_gives_up_after_many_in_a_row() {
        let refused = || Err(io::Error::other("no free file descriptor"));
        let mut door = Door::default();
        for _ in 0..2 {
            for _ in 1..REFUSALS {
                assert!(door.taken::<()>(refused()).is_ok_and(|taken| taken.is_none()));
            }
            let came = door.taken(Ok(((), (Ipv4Addr::LOCALHOST, 1).into())));
            assert!(came.is_ok_and(|taken| taken.is_some()));
        }
        for _ in 1..REFUSALS {
            assert!(door.taken::<()>(refused()).is_ok());
        }
        assert!(door.taken::<()>(refused()).is_err());
    }
}
