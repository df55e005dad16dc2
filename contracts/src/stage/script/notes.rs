//! What is noted of a case that is being played, beside the answers.

use super::{EXCHANGES, Passed, Script};
use crate::stage::{Exchange, PlayError};

impl Script {
    pub(super) fn note_given(&self, passed: &mut Passed, fault: String, under_way: usize) {
        let (operation, written) = (self.case.operation().to_owned(), under_way == 0);
        let exchange = Exchange { operation, fault: Some(fault), written, ..Exchange::nothing() };
        self.note(passed, exchange, under_way);
    }

    /// A connection to where nobody has any business.
    pub(in crate::stage) fn note_stray(&self) {
        let fault = "connection: expected none to another address than D1's; a redirection was followed";
        self.note_outside(fault);
    }

    /// A client that does not offer what the case is about.
    pub(in crate::stage) fn note_not_offered(&self, number: usize) {
        let fault = "connection: expected h2 among the protocols that the client offers (ALPN); a client without HTTP/2 says \
                     so, and its cases are put aside";
        self.lock().exchanges[number].request_faults.push(fault.to_owned());
    }

    /// The server ends before its time.
    pub(in crate::stage) fn note_broken(&self, error: PlayError) {
        self.lock().broken.get_or_insert(error);
    }

    pub(in crate::stage) fn broken(&self) -> Option<PlayError> {
        self.lock().broken.take()
    }

    /// What cannot be answered is a fault of the client all the same.
    pub(in crate::stage) fn note_no_request(&self) {
        let fault = "request: expected a whole one of HTTP/1.1, with content-length and not pipelined";
        self.note_outside(fault);
    }

    /// Something of a client that is no part of the script; beyond the bound it is not noted, as requests are not answered.
    fn note_outside(&self, fault: &str) {
        let request_faults = vec![fault.to_owned()];
        let mut passed = self.lock();
        if passed.exchanges.len() < EXCHANGES {
            self.note(&mut passed, Exchange { request_faults, ..Exchange::nothing() }, 0);
        }
    }

    /// `under_way`: answers of it that are still to be written.
    pub(super) fn note(&self, passed: &mut Passed, exchange: Exchange, under_way: usize) {
        passed.exchanges.push(exchange);
        self.traffic.send_modify(|traffic| {
            traffic.exchanges = passed.exchanges.len();
            traffic.under_way += under_way;
        });
    }

    /// A peer that would have waited on a silent connection for ever.
    pub(in crate::stage) fn note_patience(&self) {
        let fault = "connection: expected to be left in time, since nothing is said on it";
        let mut passed = self.lock();
        if let Some(one) = passed.exchanges.iter_mut().find(|one| one.is_connection()) {
            one.request_faults.push(fault.to_owned());
        }
    }

    /// A request on a connection on which nobody can know where an answer begins.
    pub(in crate::stage) fn note_reuse(&self, number: usize) {
        let fault = "request: expected on another connection than that of an answer without a clear end";
        self.lock().exchanges[number].request_faults.push(fault.to_owned());
    }
}
