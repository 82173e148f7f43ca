//! `taskctl blobs`: large payloads before the tasks that name them.

use crate::cli::{Blobs, Format};
use crate::client::{Client, segment};
use crate::commands::payload;
use crate::output;

/// Carries one out.
pub(crate) async fn run(client: &Client, format: Format, command: Blobs) -> anyhow::Result<()> {
    match command {
        Blobs::Put { file } => put(client, format, &file).await,
        Blobs::Get { digest } => client.print(&format!("/api/v1/blobs/{}", segment(&digest))).await,
    }
}

async fn put(client: &Client, format: Format, file: &str) -> anyhow::Result<()> {
    let blob = payload::upload_file(client, file).await?;
    output::told(format, &blob, &blob.digest, || {
        output::data(&blob.digest);
        let size = output::size(blob.size_bytes);
        output::note(&format!("{size} stored; name them as \"payload_blob\" of a task within the hour"));
    })
}
