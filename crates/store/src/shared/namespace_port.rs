//! The port of namespaces, over the writer loop and the readers.

use async_trait::async_trait;
use tasklane_domain::Namespace;
use tasklane_domain::error::StoreError;
use tasklane_domain::namespace::{NamespaceInfo, NamespaceStore, Quotas};

use super::adapter::{Store, unexpected};
use super::namespaces;
use crate::writer::{Answer, Op};

#[async_trait]
impl NamespaceStore for Store {
    async fn namespaces(&self) -> Result<Vec<NamespaceInfo>, StoreError> {
        namespaces::namespaces(&self.readers).await
    }

    async fn set_quotas(&self, namespace: Namespace, quotas: Option<Quotas>) -> Result<bool, StoreError> {
        if let Answer::QuotasSet(before) = self.writer.ask(Op::SetQuotas(namespace, quotas)).await? {
            return Ok(before);
        }
        unexpected()
    }
}
