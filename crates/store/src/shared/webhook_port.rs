//! What people change of webhooks, inside the writer's transaction. Called by the adapter.

use tasklane_domain::error::StoreError;

use super::adapter::unexpected;
use super::{Db, webhooks};
use crate::writer::{Answer, Answered, Op};

type Conn = <Db as sqlx::Database>::Connection;

/// One change.
pub(super) async fn apply(conn: &mut Conn, op: &Op) -> Result<Answered, StoreError> {
    Ok(match op {
        Op::CreateWebhook(webhook) => webhooks::create(conn, webhook).await?.map(|()| Answer::WebhookChanged(true)),
        Op::RemoveWebhook(name) => Ok(Answer::WebhookChanged(webhooks::remove(conn, name).await?)),
        Op::SetStanding(name, standing) => {
            Ok(Answer::WebhookChanged(webhooks::set_standing(conn, name, standing).await?))
        }
        Op::RotateSecret(name, secret, until) => {
            Ok(Answer::WebhookChanged(webhooks::rotate(conn, name, secret, *until).await?))
        }
        Op::Enqueue(delivery) => {
            webhooks::insert(conn, std::slice::from_ref(delivery.as_ref())).await?;
            Ok(Answer::WebhookChanged(true))
        }
        Op::ReplayDelivery(name, event, now) => Ok(Answer::Replayed(webhooks::replay(conn, name, event, *now).await?)),
        _ => unexpected(),
    })
}
