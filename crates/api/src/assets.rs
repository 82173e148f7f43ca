//! Assets of an upload: the archive is read, held against its limits, and written anew in the one form, so that the same files are the
//! same version whatever program packed them.
//!
//! Called by the route that deploys. Guarantees: a manifest that has `[assets]` has its archive, and the other way round; what a manifest
//! says of its archive is true.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tasklane_api_types::ErrorCode;
use tasklane_domain::assets::{Archive, AssetError};
use tasklane_domain::{BlobDigest, Manifest};

use crate::error::{ApiError, ApiResult};

/// What goes into the record and beside it: fills in the manifest.
pub(crate) async fn take(manifest: &mut Manifest, archive: Option<Bytes>) -> ApiResult<Option<(BlobDigest, Bytes)>> {
    let invalid = |why: &str| ApiError::new(ErrorCode::AssetsInvalid, why);
    let (settings, archive) = match (&mut manifest.assets, archive) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(invalid("the manifest has [assets], and the part `assets` is missing")),
        (None, Some(_)) => return Err(invalid("the part `assets` was sent, and the manifest has no [assets]")),
        (Some(settings), Some(archive)) => (settings, archive),
    };
    let given_up = |_| ApiError::new(ErrorCode::Internal, "the assets could not be read");
    let (stored, bytes) = tokio::task::spawn_blocking(move || canonical(&archive)).await.map_err(given_up)??;
    if settings.stored.is_some_and(|said| said != stored) {
        return Err(invalid("the archive is another than the manifest says: leave `assets.stored` out"));
    }
    settings.stored = Some(stored);
    Ok(Some((stored.digest, bytes)))
}

fn canonical(archive: &Bytes) -> ApiResult<(tasklane_domain::assets::StoredAssets, Bytes)> {
    let archive = Archive::read(archive).map_err(|error| refused(&error))?;
    let bytes = archive.to_bytes();
    let digest = BlobDigest::from_bytes(Sha256::digest(&bytes).into());
    Ok((archive.stored(digest), bytes))
}

fn refused(error: &AssetError) -> ApiError {
    let code = match error {
        AssetError::Limit(_) => ErrorCode::AssetsTooLarge,
        AssetError::Form(_) | AssetError::Path { .. } => ErrorCode::AssetsInvalid,
    };
    ApiError::new(code, error.to_string())
}
