//! Settings of the walls around hosts and compile children, and of the key under which compiled code is signed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tasklane_host::{CompileLimits, CompilerCommand, ModuleKey, UploadSettings};
use tasklane_jail::{HostPlan, Sandbox, Wall};

use super::{Settings, millis};

/// Least address space of a compile child that can compile anything, in bytes.
const COMPILE_MEMORY_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// CPU time that a compile child may be given, in seconds.
const COMPILE_CPU_SECONDS: std::ops::RangeInclusive<u64> = 1..=3_600;
/// Wall time that a compile child may be given.
const COMPILE_TIMEOUT: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// Bytes of compiled modules that are kept on disk: 2 GiB.
const CACHE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// This very program, also after its file was replaced by a newer one.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// How a compile child is started.
pub(crate) fn compiler() -> CompilerCommand {
    CompilerCommand { program: OWN_PROGRAM.into(), args: vec!["compile-module".to_owned()] }
}

impl Settings {
    pub(crate) fn sandbox(&self) -> Sandbox {
        self.sandbox.unwrap_or_default()
    }

    pub(crate) fn without(&self) -> Vec<Wall> {
        self.sandbox_without.clone().unwrap_or_default()
    }

    /// What one compilation may use.
    ///
    /// # Errors
    /// When a limit is out of bounds.
    pub(crate) fn compile_limits(&self) -> anyhow::Result<CompileLimits> {
        let default = CompileLimits::default();
        let limits = CompileLimits {
            memory_bytes: self.compile_memory_bytes.unwrap_or(default.memory_bytes),
            cpu_seconds: self.compile_cpu_seconds.unwrap_or(default.cpu_seconds),
            timeout: millis(self.compile_timeout_ms, default.timeout),
        };
        let is_enough = limits.memory_bytes >= COMPILE_MEMORY_BYTES_MIN;
        anyhow::ensure!(is_enough, "`compile_memory_bytes` must be at least {COMPILE_MEMORY_BYTES_MIN}");
        let is_known = COMPILE_CPU_SECONDS.contains(&limits.cpu_seconds);
        anyhow::ensure!(is_known, "`compile_cpu_seconds` must be from 1 to 3600");
        anyhow::ensure!(COMPILE_TIMEOUT.contains(&limits.timeout), "`compile_timeout_ms` must be from 1000 to 3600000");
        Ok(limits)
    }

    /// The cluster's key for compiled code, if it has one.
    ///
    /// # Errors
    /// When its file cannot be read, or is too short to be a secret.
    pub(crate) fn module_key(&self) -> anyhow::Result<Option<ModuleKey>> {
        let Some(path) = &self.module_key_file else { return Ok(None) };
        let secret = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let key = ModuleKey::from_secret(&secret).map_err(anyhow::Error::msg);
        key.map(Some).with_context(|| format!("in {}: make one with `openssl rand -hex 32`", path.display()))
    }

    pub(crate) fn uploads(&self) -> anyhow::Result<UploadSettings> {
        Ok(UploadSettings {
            cache_dir: self.cache_dir(),
            cache_bytes_max: CACHE_BYTES_MAX,
            module_key: self.module_key()?,
            compiler: compiler(),
            compile: self.compile_limits()?,
            sandbox: self.sandbox(),
        })
    }

    /// What a host needs behind its walls.
    pub(crate) fn host_plan(&self) -> HostPlan {
        let files = [&self.nats_credentials, &self.nats_nkey_file, &self.nats_ca, &self.nats_cert, &self.nats_key];
        let files = files.into_iter().chain([&self.module_key_file]).flatten();
        let port = |address: &String| address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        HostPlan {
            sandbox: self.sandbox(),
            without: self.without(),
            read: files.cloned().collect(),
            write: vec![self.cache_dir()],
            run: vec![PathBuf::from(OWN_PROGRAM)],
            listen: self.ops_listen.as_ref().and_then(port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_a_secret_of_some_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "short\n").unwrap();
        let settings = Settings { module_key_file: Some(path.clone()), ..Settings::default() };
        let error = format!("{:#}", settings.module_key().unwrap_err());
        assert!(error.contains("openssl rand -hex 32"), "{error}");
        std::fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
        assert!(settings.module_key().unwrap().is_some());
        assert!(Settings::default().module_key().unwrap().is_none());
    }

    #[test]
    fn compile_limits_are_bounded() {
        let wrong = |settings: Settings| settings.compile_limits().unwrap_err().to_string();
        assert!(wrong(Settings { compile_memory_bytes: Some(1), ..Settings::default() }).contains("memory"));
        assert!(wrong(Settings { compile_cpu_seconds: Some(0), ..Settings::default() }).contains("cpu"));
        assert!(wrong(Settings { compile_timeout_ms: Some(0), ..Settings::default() }).contains("timeout"));
        assert_eq!(Settings::default().compile_limits().unwrap(), CompileLimits::default());
    }

    #[test]
    fn a_host_reads_its_secrets_and_listens_where_it_is_told() {
        let settings = Settings {
            nats_ca: Some("/etc/ca.pem".into()),
            ops_listen: Some("[::1]:7071".to_owned()),
            sandbox_without: Some(vec![Wall::Seccomp]),
            ..Settings::default()
        };
        let plan = settings.host_plan();
        assert_eq!(
            (plan.read, plan.listen, plan.without),
            (vec!["/etc/ca.pem".into()], Some(7_071), vec![Wall::Seccomp])
        );
    }
}
