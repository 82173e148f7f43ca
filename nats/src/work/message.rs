//! What a message in the inbox says: deliveries with their metadata, or the end of a pull.

use std::sync::Arc;

use tasklane_domain::WorkOrder;
use tasklane_domain::error::QueueError;
use tasklane_domain::work::{AckToken, Delivery};

use crate::wire::decode_orders;

/// The facts in a delivery's reply subject.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata<'a> {
    /// The consumer that delivered it.
    pub(super) consumer: &'a str,
    /// How often this message has been delivered.
    pub(super) delivered: u64,
    /// Messages left in the lane.
    pub(super) pending: u64,
}

/// `$JS.ACK.[domain.account.]<stream>.<consumer>.<delivered>.<seq>.<seq>.<time>.<pending>[.token]`.
pub(super) fn metadata(reply: &str) -> Option<Metadata<'_>> {
    let tokens: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
    // Seven tokens in the first version; the second puts domain and account before them.
    let skip = if tokens.len() > 7 { 2 } else { 0 };
    let fields = tokens.get(skip..)?;
    Some(Metadata {
        consumer: fields.get(1)?,
        delivered: fields.get(2)?.parse().ok()?,
        pending: fields.get(6)?.parse().ok()?,
    })
}

/// Reads the deliveries of a message: one, or those that travel together.
pub(super) fn deliveries(payload: &[u8], reply: &str, delivered: u64) -> Result<Vec<Delivery>, QueueError> {
    let orders = decode_orders(payload)?;
    let (token, bundled) = (AckToken::of(reply, orders.len()), orders.len() > 1);
    let deliver = |order: WorkOrder| {
        let id = order.dispatch.received(delivered);
        Delivery { order: Arc::new(order), id, token: token.clone(), bundled }
    };
    Ok(orders.into_iter().map(deliver).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_the_reply_subject_are_read() {
        let facts = Metadata { consumer: "lane-5-default", delivered: 3, pending: 17 };
        let first = "$JS.ACK.READY.lane-5-default.3.100.90.1700000000000000000.17";
        assert_eq!(metadata(first).as_ref(), Some(&facts));
        let second = "$JS.ACK.hub.ACCHASH.READY.lane-5-default.3.100.90.1700000000000000000.17.rnd";
        assert_eq!(metadata(second).as_ref(), Some(&facts));
        assert_eq!(metadata("_INBOX.x"), None);
    }
}
