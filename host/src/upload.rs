//! What is done with uploaded bytes before they are stored: inspected, compiled in a jailed child, linked once, signed and shared.
//!
//! Used by API processes as their `ModuleInspector`. Guarantees: no byte of a module runs in this process. A machine that cannot
//! compile does not keep modules out: hosts compile what is missing.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::Digest as _;
use tasklane_domain::compiled::CompiledStore;
use tasklane_domain::ports::{InspectError, ModuleInspector, Surface};
use tasklane_domain::{ModuleDigest, ModuleKind};
use tasklane_jail::Sandbox;

use crate::host::HostError;
use crate::inspect::Inspector;
use crate::modules::aot::{AotCache, private_dir};
use crate::modules::compile::{CompileError, Compiler};
use crate::modules::shared::Shared;
use crate::modules::sign::{ModuleKey, Signer};
use crate::sandbox::engine;
use crate::settings::{CompileLimits, CompilerCommand};

/// `(module (func (export "_start")))`, as bytes.
const SMALLEST_COMMAND: &[u8] =
    b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x0a\x01\x06_start\0\0\x0a\x04\x01\x02\0\x0b";

/// How modules are compiled when they are uploaded.
#[derive(Debug, Clone)]
pub struct UploadSettings {
    /// Where compiled modules lie; private to this user. Hosts of this machine may have the same.
    pub cache_dir: PathBuf,
    /// Most bytes of compiled modules on disk.
    pub cache_bytes_max: u64,
    /// The key of the cluster. Default: one of the cache directory's own.
    pub module_key: Option<ModuleKey>,
    /// How modules are compiled.
    pub compiler: CompilerCommand,
    /// What one compilation may use.
    pub compile: CompileLimits,
    /// What happens when a wall around the compiler cannot be raised.
    pub sandbox: Sandbox,
}

/// Inspects, and compiles what passes.
pub struct Uploads {
    signer: Arc<Signer>,
    disk: Arc<AotCache>,
    shared: Shared,
    compiler: Compiler,
}

impl Uploads {
    /// `store` is where compiled code is shared, if it is.
    ///
    /// # Errors
    /// [`HostError`] says what cannot be used.
    pub fn new(settings: UploadSettings, store: Option<Arc<dyn CompiledStore>>) -> Result<Self, HostError> {
        let dir = settings.cache_dir;
        let cached = |source| HostError::Cache { dir: dir.display().to_string(), source };
        private_dir(&dir).map_err(cached)?;
        let key = settings.module_key.map_or_else(|| ModuleKey::of_dir(&dir), Ok).map_err(cached)?;
        let [copied, mapped] = engine::compilers().map_err(|error| HostError::Engine(format!("{error:#}")))?;
        let signer = Signer::new(key, [&copied, &mapped]).map_err(|error| HostError::Metrics(error.to_string()))?;
        let signer = Arc::new(signer);
        Ok(Self {
            disk: Arc::new(AotCache::new(&dir, signer.clone(), settings.cache_bytes_max)),
            shared: Shared::new(store, signer.clone()),
            compiler: Compiler::new(settings.compiler, settings.compile, settings.sandbox, &dir),
            signer,
        })
    }

    /// Compiles the smallest command that there is, and keeps nothing: whether this machine can compile behind its walls.
    ///
    /// # Errors
    /// Says what failed.
    pub async fn try_compiler(&self) -> Result<(), String> {
        let compiled = self.compiler.compile(ModuleKind::CommandP1, SMALLEST_COMMAND).await;
        compiled.map(drop).map_err(|error| error.to_string())
    }

    async fn keep(&self, digest: ModuleDigest, compiled: Vec<u8>) {
        let (disk, signer) = (self.disk.clone(), self.signer.clone());
        let signed = tokio::task::spawn_blocking(move || {
            let signed = signer.sign(&digest, &compiled);
            disk.put(&digest, &signed);
            signed
        });
        if let Ok(signed) = signed.await {
            self.shared.put(&digest, signed).await;
        }
    }

    async fn has(&self, digest: ModuleDigest) -> bool {
        let disk = self.disk.clone();
        tokio::task::spawn_blocking(move || disk.get(&digest).is_some()).await.unwrap_or(false)
    }
}

#[async_trait]
impl ModuleInspector for Uploads {
    async fn inspect(&self, wasm: Bytes) -> Result<ModuleKind, InspectError> {
        let kind = Inspector.inspect(wasm.clone()).await?;
        let digest = ModuleDigest::from_bytes(sha2::Sha256::digest(&wasm).into());
        if self.has(digest).await {
            return Ok(kind);
        }
        match self.compiler.compile(kind, &wasm).await {
            Ok(compiled) => self.keep(digest, compiled).await,
            Err(CompileError::Refused(why)) => return Err(InspectError::NotCompiled(why)),
            Err(CompileError::Broken(error)) => {
                tracing::warn!(%error, "an uploaded module was not compiled here; hosts will do it");
            }
        }
        Ok(kind)
    }

    async fn embedded_manifest(&self, wasm: Bytes) -> Result<Option<Bytes>, InspectError> {
        Inspector.embedded_manifest(wasm).await
    }

    async fn surface(&self, wasm: Bytes) -> Result<Surface, InspectError> {
        Inspector.surface(wasm).await
    }
}
