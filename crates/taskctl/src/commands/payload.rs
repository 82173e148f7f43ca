//! Where a task's payload comes from: a file, standard input, or JSON on the command line.
//!
//! Called by `run`, `submit` and `schedules create`. What is larger than [`INLINE_BYTES_MAX`] is uploaded first, streamed, and the
//! task refers to it: no file is ever held in memory whole.

use std::path::Path;

use base64::Engine as _;
use futures::StreamExt;
use serde_json::value::RawValue;
use tasklane_api_types::SubmitRequest;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::ReaderStream;

use crate::client::Client;
use crate::failure::{Failure, USAGE};

/// Largest input that goes into the request itself, in bytes: 512 KiB.
const INLINE_BYTES_MAX: usize = 512 * 1024;

/// What becomes of a large input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Large {
    /// It is uploaded first.
    Uploaded,
    /// It goes into the request all the same: its bindings or its schedule need it there.
    Inline,
}

/// A file's name, `-`, or JSON.
pub(crate) async fn fill(
    client: &Client,
    request: &mut SubmitRequest,
    input: &str,
    large: Large,
) -> anyhow::Result<()> {
    if input == "-" {
        return read(client, request, tokio::io::stdin(), large).await;
    }
    if Path::new(input).is_file() {
        return read(client, request, open(input).await?, large).await;
    }
    match RawValue::from_string(input.to_owned()) {
        Ok(json) => {
            request.payload = Some(json);
            Ok(())
        }
        Err(_) => Err(Failure::new(USAGE, format!("--input `{input}` is neither an existing file, `-`, nor JSON"))
            .hint("text is JSON with quotes: --input '\"some text\"'")
            .into()),
    }
}

async fn open(path: &str) -> anyhow::Result<tokio::fs::File> {
    let wrong = |error| Failure::new(USAGE, format!("cannot read {path}: {error}"));
    Ok(tokio::fs::File::open(path).await.map_err(wrong)?)
}

async fn read(
    client: &Client,
    request: &mut SubmitRequest,
    mut input: impl AsyncRead + Send + Unpin + 'static,
    large: Large,
) -> anyhow::Result<()> {
    let mut begin = Vec::new();
    let most = u64::try_from(INLINE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    (&mut input).take(most).read_to_end(&mut begin).await?;
    if begin.len() <= INLINE_BYTES_MAX {
        return fill_bytes(request, begin);
    }
    if large == Large::Inline {
        input.read_to_end(&mut begin).await?;
        return fill_bytes(request, begin);
    }
    request.payload_blob = Some(upload(client, begin, input).await?.digest);
    Ok(())
}

/// Uploads what was read already and all that follows.
async fn upload(
    client: &Client,
    begin: Vec<u8>,
    rest: impl AsyncRead + Send + Unpin + 'static,
) -> anyhow::Result<tasklane_api_types::BlobView> {
    let begin = futures::stream::iter([Ok(bytes::Bytes::from(begin))]);
    client.upload_blob(reqwest::Body::wrap_stream(begin.chain(ReaderStream::new(rest)))).await
}

/// Uploads a file, or standard input for `-`.
pub(crate) async fn upload_file(client: &Client, input: &str) -> anyhow::Result<tasklane_api_types::BlobView> {
    if input == "-" {
        upload(client, Vec::new(), tokio::io::stdin()).await
    } else {
        upload(client, Vec::new(), open(input).await?).await
    }
}

/// JSON stays JSON, text stays text, the rest goes as base64.
fn fill_bytes(request: &mut SubmitRequest, bytes: Vec<u8>) -> anyhow::Result<()> {
    match String::from_utf8(bytes) {
        Ok(text) => match RawValue::from_string(text.clone()) {
            Ok(json) => request.payload = Some(json),
            Err(_) => request.payload_text = Some(text),
        },
        Err(error) => {
            let bytes = error.into_bytes();
            request.payload_base64 = Some(base64::engine::general_purpose::STANDARD.encode(bytes));
        }
    }
    Ok(())
}
