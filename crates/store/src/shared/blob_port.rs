//! The port of blobs, over the writer loop and the readers.

use async_trait::async_trait;
use bytes::Bytes;
use tasklane_domain::blob::{BlobDigest, BlobInfo, BlobStore, Finished, SweepPlan, Swept, UploadId};
use tasklane_domain::error::StoreError;
use tasklane_domain::{Term, Timestamp};

use super::adapter::{Store, unexpected};
use super::{Db, blobs};
use crate::writer::{Answer, Answered, Op};

type Conn = <Db as sqlx::Database>::Connection;

/// One step of an upload, inside the writer's transaction.
pub(super) async fn apply(conn: &mut Conn, op: &Op) -> Result<Answered, StoreError> {
    Ok(match op {
        Op::AppendBlob(upload, seq, chunk, now) => {
            blobs::append(conn, *upload, *seq, chunk, *now).await?;
            Ok(Answer::BlobChanged)
        }
        Op::FinishBlob(upload, verified, now) => {
            blobs::finish(conn, *upload, *verified, *now).await?.map(Answer::FinishedBlob)
        }
        Op::AbandonBlob(upload) => {
            blobs::abandon(conn, *upload).await?;
            Ok(Answer::BlobChanged)
        }
        _ => unexpected(),
    })
}

#[async_trait]
impl BlobStore for Store {
    async fn append(&self, upload: UploadId, seq: u32, chunk: Bytes, now: Timestamp) -> Result<(), StoreError> {
        blobs::check_chunk(&chunk)?;
        self.writer.ask(Op::AppendBlob(upload, seq, chunk, now)).await.map(drop)
    }

    async fn finish(
        &self,
        upload: UploadId,
        chunks: u32,
        expected: BlobDigest,
        now: Timestamp,
    ) -> Result<Finished, StoreError> {
        let verified = blobs::verify(&self.readers, upload, chunks, expected).await?;
        if let Answer::FinishedBlob(answer) = self.writer.ask(Op::FinishBlob(upload, verified, now)).await? {
            return Ok(answer);
        }
        unexpected()
    }

    async fn abandon(&self, upload: UploadId) -> Result<(), StoreError> {
        self.writer.ask(Op::AbandonBlob(upload)).await.map(drop)
    }

    async fn blob(&self, digest: BlobDigest) -> Result<Option<BlobInfo>, StoreError> {
        blobs::blob(&self.readers, digest).await
    }

    async fn chunk(&self, digest: BlobDigest, seq: u32) -> Result<Option<Bytes>, StoreError> {
        blobs::chunk(&self.readers, digest, seq).await
    }

    async fn sweep(&self, term: Term, plan: SweepPlan) -> Result<Swept, StoreError> {
        if let Answer::SweptBlobs(answer) = self.writer.ask(Op::SweepBlobs(term, plan)).await? {
            return Ok(answer);
        }
        unexpected()
    }
}
