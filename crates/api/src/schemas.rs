//! Payloads against the schemas of their modules, before anything is stored.
//!
//! What is not whole yet (bindings to other tasks' results) or lies elsewhere (blobs, payloads over [`CHECKED_BYTES_MAX`]) is checked by the
//! host before its guest starts.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tasklane_api_types::ErrorCode;
use tasklane_domain::schema::{Compiled, Schema};
use tasklane_domain::{ModuleRef, NewTask};

use crate::error::{ApiError, ApiResult};
use crate::state::State;

/// Largest payload that is checked here, in bytes: 1 MiB.
const CHECKED_BYTES_MAX: usize = 1024 * 1024;
/// Schemas that are kept ready.
const READY_MAX: usize = 1_000;

/// Schemas that were used, ready to check. A version's manifest never changes.
#[derive(Default)]
pub(crate) struct SchemaBook(Mutex<HashMap<ModuleRef, Arc<Compiled>>>);

impl SchemaBook {
    fn ready(&self, module: &ModuleRef, schema: &Schema) -> ApiResult<Arc<Compiled>> {
        if let Some(ready) = self.0.lock().get(module) {
            return Ok(ready.clone());
        }
        let compiled = schema.compile().map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
        let compiled = Arc::new(compiled);
        let mut book = self.0.lock();
        if book.len() >= READY_MAX {
            book.clear();
        }
        book.insert(module.clone(), compiled.clone());
        Ok(compiled)
    }
}

/// Checks the payloads that can be checked now.
pub(crate) async fn check(state: &State, tasks: &[NewTask]) -> ApiResult<()> {
    for (index, task) in tasks.iter().enumerate() {
        let checked = check_one(state, task).await;
        checked.map_err(|error| if tasks.len() > 1 { error.errors(vec![format!("/tasks/{index}")]) } else { error })?;
    }
    Ok(())
}

async fn check_one(state: &State, task: &NewTask) -> ApiResult<()> {
    let payload = &task.payload;
    if payload.blob.is_some() || !task.after.names.is_empty() || payload.bytes.len() > CHECKED_BYTES_MAX {
        return Ok(());
    }
    // A module that is gone is somebody else's error.
    let Ok(record) = state.modules.exact(&state.ports, &task.module).await else { return Ok(()) };
    let Some(schema) = &record.manifest.input else { return Ok(()) };
    let (schema, bytes) = (state.schemas.ready(&task.module, schema)?, payload.bytes.clone());
    // Not on a thread that serves other requests: a stranger's schema may make a small payload cost many steps.
    let checked = tokio::task::spawn_blocking(move || schema.check_bytes(&bytes)).await;
    let checked = checked.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
    checked.map_err(|mismatch| {
        let detail = format!("the payload does not fit `input` of {}: {mismatch}", task.module);
        ApiError::new(ErrorCode::PayloadSchemaMismatch, detail)
    })
}
