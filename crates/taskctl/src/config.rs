//! The server's settings: flags before `TASKLANE_*` variables before a TOML file before defaults. Unknown keys are errors.
//!
//! One struct is both the flags and the file, so that they cannot differ. `docs/config.md` documents each key, and a test keeps that
//! complete. This is the only place that reads the environment.

mod access;
mod egress;
mod guests;
mod jail;
pub(crate) mod places;
mod webhooks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tasklane_domain::blob::{BLOB_BYTES_DEFAULT, RESULT_INLINE_BYTES_MAX};
use tasklane_domain::retention::{Keep, KeepTimes};
use tasklane_domain::{LimitsPolicy, QueueName};
use tasklane_jail::{Sandbox, Wall};
use tasklane_nats::{Auth, ConnectOptions, Tls, Topology};
use tasklane_scheduler::SchedulerSettings;

mod time;
mod trace;

pub(crate) use guests::DEV_KEY_FILE;
pub(crate) use jail::compiler;
pub(crate) use places::program_dirs;
pub(crate) use time::Time;

/// Shortest and longest time that an idempotency key can be remembered: 1 s and 365 days.
const IDEMPOTENCY_TTL: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 60 * 60);

/// Everything that can be set about a server, all optional.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// A TOML file with any of these settings. Default: `tasklane.toml` in the data directory, if there is one.
    #[arg(long, env = "TASKLANE_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,
    /// Where everything is kept. Default `.tasklane`.
    #[arg(long, env = "TASKLANE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where the API listens. Default 127.0.0.1:7070.
    #[arg(long, env = "TASKLANE_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Where the API answers gRPC, too. Default: nowhere.
    #[arg(long, env = "TASKLANE_GRPC_LISTEN", value_name = "ADDRESS")]
    pub(crate) grpc_listen: Option<String>,
    /// Where a role without API answers /livez, /readyz and /metrics. Default: nowhere.
    #[arg(long, env = "TASKLANE_OPS_LISTEN", value_name = "ADDRESS")]
    pub(crate) ops_listen: Option<String>,
    /// `sqlite://PATH` or `postgres://…`. Default: SQLite in the data directory.
    #[arg(long, env = "TASKLANE_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: Option<String>,
    /// One or more servers of a NATS cluster. Default nats://127.0.0.1:4222; `dev` starts its own.
    #[arg(long, env = "TASKLANE_NATS_URL", hide_env_values = true, value_delimiter = ',', value_name = "URL")]
    pub(crate) nats_url: Option<Vec<String>>,
    /// A `.creds` file for NATS.
    #[arg(long, env = "TASKLANE_NATS_CREDENTIALS", value_name = "FILE")]
    pub(crate) nats_credentials: Option<PathBuf>,
    /// User for NATS.
    #[arg(long, env = "TASKLANE_NATS_USER", value_name = "NAME")]
    pub(crate) nats_user: Option<String>,
    /// Password for NATS (not as a flag, which others could see).
    #[arg(long, env = "TASKLANE_NATS_PASSWORD", hide = true)]
    pub(crate) nats_password: Option<String>,
    /// Token for NATS (not as a flag, which others could see).
    #[arg(long, env = "TASKLANE_NATS_TOKEN", hide = true)]
    pub(crate) nats_token: Option<String>,
    /// A file with an NKey seed for NATS.
    #[arg(long, env = "TASKLANE_NATS_NKEY_FILE", value_name = "FILE")]
    pub(crate) nats_nkey_file: Option<PathBuf>,
    /// Further root certificates for NATS, PEM.
    #[arg(long, env = "TASKLANE_NATS_CA", value_name = "FILE")]
    pub(crate) nats_ca: Option<PathBuf>,
    /// The client's certificate for NATS, PEM.
    #[arg(long, env = "TASKLANE_NATS_CERT", requires = "nats_key", value_name = "FILE")]
    pub(crate) nats_cert: Option<PathBuf>,
    /// The key of that certificate, PEM.
    #[arg(long, env = "TASKLANE_NATS_KEY", requires = "nats_cert", value_name = "FILE")]
    pub(crate) nats_key: Option<PathBuf>,
    /// Refuse a NATS server without TLS. Default false.
    #[arg(long, env = "TASKLANE_NATS_TLS_REQUIRED", value_name = "BOOL")]
    pub(crate) nats_tls_required: Option<bool>,
    /// The nats-server program that `dev` starts. Default: the first on PATH, then in .tools/bin.
    #[arg(long, env = "TASKLANE_NATS_SERVER", value_name = "FILE")]
    pub(crate) nats_server: Option<PathBuf>,
    /// Copies of each JetStream stream: 1, 3 or 5. Default 1.
    #[arg(long, env = "TASKLANE_REPLICAS", value_name = "N")]
    pub(crate) replicas: Option<u32>,
    /// Name shown to people. Default: machine name and process id.
    #[arg(long, env = "TASKLANE_NAME", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Guests that a host runs at once. Default 16 for each core.
    #[arg(long, env = "TASKLANE_SLOTS", value_name = "N")]
    pub(crate) slots: Option<u32>,
    /// To how many slots an operator can raise them while a host runs. Default: `slots`.
    #[arg(long, env = "TASKLANE_SLOTS_MAX", value_name = "N")]
    pub(crate) slots_max: Option<u32>,
    /// How many of the slots are kept for tasks of priority 8 to 10. Default: an eighth, rounded down.
    #[arg(long, env = "TASKLANE_URGENT_SLOTS", value_name = "N")]
    pub(crate) urgent_slots: Option<u32>,
    /// Queues that a host serves. Default `default`.
    #[arg(long, env = "TASKLANE_QUEUES", value_delimiter = ',', value_name = "NAME")]
    pub(crate) queues: Option<Vec<QueueName>>,
    /// Where a host keeps compiled modules. Default: `cache` in the data directory.
    #[arg(long, env = "TASKLANE_CACHE_DIR", value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// A file with the cluster's secret under which compiled modules are signed and shared. Default: each machine its own.
    #[arg(long, env = "TASKLANE_MODULE_KEY_FILE", value_name = "FILE")]
    pub(crate) module_key_file: Option<PathBuf>,
    /// What happens when a wall around a host cannot be raised: `strict`, `best_effort`, `off`. Default best_effort.
    #[arg(long, env = "TASKLANE_SANDBOX", value_name = "WORD")]
    pub(crate) sandbox: Option<Sandbox>,
    /// Walls that are left out, such as `landlock,seccomp`. Default: none.
    #[arg(long, env = "TASKLANE_SANDBOX_WITHOUT", value_delimiter = ',', value_name = "WALL")]
    pub(crate) sandbox_without: Option<Vec<Wall>>,
    /// Address space of a process that compiles a module, in bytes. Default 2147483648.
    #[arg(long, env = "TASKLANE_COMPILE_MEMORY_BYTES", value_name = "BYTES")]
    pub(crate) compile_memory_bytes: Option<u64>,
    /// CPU time of a process that compiles a module, in seconds. Default 60.
    #[arg(long, env = "TASKLANE_COMPILE_CPU_SECONDS", value_name = "SECONDS")]
    pub(crate) compile_cpu_seconds: Option<u64>,
    /// How long a module may be compiled, in milliseconds. Default 90000.
    #[arg(long, env = "TASKLANE_COMPILE_TIMEOUT_MS", value_name = "MS")]
    pub(crate) compile_timeout_ms: Option<u64>,
    /// How long a host may be silent about a task before it is given to another, in milliseconds. Default 10000.
    #[arg(long, env = "TASKLANE_ACK_WAIT_MS", value_name = "MS")]
    pub(crate) ack_wait_ms: Option<u64>,
    /// How long a silent host is shown, in milliseconds. Default 6000.
    #[arg(long, env = "TASKLANE_HOST_TTL_MS", value_name = "MS")]
    pub(crate) host_ttl_ms: Option<u64>,
    /// Hosts that may be lost with a task before it fails as `host_lost`. Default 5.
    #[arg(long, env = "TASKLANE_DELIVERIES_MAX", value_name = "N")]
    pub(crate) deliveries_max: Option<u32>,
    /// How long running guests may go on after a stop was asked for, in milliseconds. Default 20000; `dev`: 5000.
    #[arg(long, env = "TASKLANE_DRAIN_TIMEOUT_MS", value_name = "MS")]
    pub(crate) drain_timeout_ms: Option<u64>,
    /// How long leadership lasts without renewal, in milliseconds. Default 10000; `dev`: 3000.
    #[arg(long, env = "TASKLANE_LEASE_TTL_MS", value_name = "MS")]
    pub(crate) lease_ttl_ms: Option<u64>,
    /// How often the leader looks for lost tasks, in milliseconds. Default 5000; `dev`: 2000.
    #[arg(long, env = "TASKLANE_RESCUE_INTERVAL_MS", value_name = "MS")]
    pub(crate) rescue_interval_ms: Option<u64>,
    /// How long a task may be on its way before it can count as lost, in milliseconds. Default 5000; `dev`: 2000.
    #[arg(long, env = "TASKLANE_RESCUE_MARGIN_MS", value_name = "MS")]
    pub(crate) rescue_margin_ms: Option<u64>,
    /// Largest payload that travels with its task, in bytes; larger ones go by reference. Default 786432.
    #[arg(long, env = "TASKLANE_PAYLOAD_BYTES_MAX", value_name = "BYTES")]
    pub(crate) payload_bytes_max: Option<usize>,
    /// Largest payload and result of all, kept by reference, in bytes; 0: none. Default 67108864.
    #[arg(long, env = "TASKLANE_BLOB_MAX", value_name = "BYTES")]
    pub(crate) blob_max: Option<u32>,
    /// How long a blob stays that no task refers to, in milliseconds. Default 3600000.
    #[arg(long, env = "TASKLANE_BLOB_GRACE_MS", value_name = "MS")]
    pub(crate) blob_grace_ms: Option<u64>,
    /// Largest module, in bytes. Default 33554432.
    #[arg(long, env = "TASKLANE_MODULE_BYTES_MAX", value_name = "BYTES")]
    pub(crate) module_bytes_max: Option<usize>,
    /// How long ended tasks stay where no rule says otherwise, such as `14d`; `forever` for no end. Default 14d.
    #[arg(long, env = "TASKLANE_KEEP_TASKS", value_name = "TIME")]
    pub(crate) keep_tasks: Option<Keep>,
    /// How long their payloads stay. Default `forever`: as long as the task.
    #[arg(long, env = "TASKLANE_KEEP_PAYLOADS", value_name = "TIME")]
    pub(crate) keep_payloads: Option<Keep>,
    /// How long their results stay. Default 7d.
    #[arg(long, env = "TASKLANE_KEEP_RESULTS", value_name = "TIME")]
    pub(crate) keep_results: Option<Keep>,
    /// How long their logs stay. Default 7d.
    #[arg(long, env = "TASKLANE_KEEP_LOGS", value_name = "TIME")]
    pub(crate) keep_logs: Option<Keep>,
    /// How long entries of the audit log stay. Default `forever`.
    #[arg(long, env = "TASKLANE_KEEP_AUDIT", value_name = "TIME")]
    pub(crate) keep_audit: Option<Keep>,
    /// How often the leader looks for what has stayed long enough. Default 30s, for `dev` 2s.
    #[arg(long, env = "TASKLANE_RETENTION_INTERVAL", value_name = "TIME")]
    pub(crate) retention_interval: Option<Time>,
    /// How long an idempotency key is remembered. Default 24h.
    #[arg(long, env = "TASKLANE_IDEMPOTENCY_TTL", value_name = "TIME")]
    pub(crate) idempotency_ttl: Option<Time>,
    /// How people reach the API, for links in events, such as https://tasks.example.com. Default: links are paths.
    #[arg(long, env = "TASKLANE_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// What webhooks may call, such as `https://*.example.com:443`. Default: https to any public place.
    #[arg(long, env = "TASKLANE_WEBHOOK_ALLOW", value_delimiter = ',', value_name = "RULE")]
    pub(crate) webhook_allow: Option<Vec<String>>,
    /// Networks that webhooks may call although they are not public, such as 10.0.0.0/8. Default: none.
    #[arg(long, env = "TASKLANE_WEBHOOK_GRANT_NETWORKS", value_delimiter = ',', value_name = "CIDR")]
    pub(crate) webhook_grant_networks: Option<Vec<String>>,
    /// How long one delivery to a webhook may take, in milliseconds. Default 15000.
    #[arg(long, env = "TASKLANE_WEBHOOK_TIMEOUT_MS", value_name = "MS")]
    pub(crate) webhook_timeout_ms: Option<u64>,
    /// Attempts of a delivery before it is a dead letter. Default 12, within about a day.
    #[arg(long, env = "TASKLANE_WEBHOOK_ATTEMPTS_MAX", value_name = "N")]
    pub(crate) webhook_attempts_max: Option<u32>,
    /// Wait after a delivery's first attempt, in milliseconds; each further one is three times as long. Default 5000.
    #[arg(long, env = "TASKLANE_WEBHOOK_RETRY_MS", value_name = "MS")]
    pub(crate) webhook_retry_ms: Option<u64>,
    /// What guests may call at most, such as `https://*.example.com:443`. Default: every public place that manifests ask for.
    #[arg(long, env = "TASKLANE_EGRESS_ALLOW", value_delimiter = ',', value_name = "RULE")]
    pub(crate) egress_allow: Option<Vec<String>>,
    /// Networks that guests may call although they are not public, such as 10.1.0.0/16. Default: none.
    #[arg(long, env = "TASKLANE_EGRESS_GRANT_NETWORKS", value_delimiter = ',', value_name = "CIDR")]
    pub(crate) egress_grant_networks: Option<Vec<String>>,
    /// DNS server for guests' requests, such as 10.0.0.2:53. Default: what the machine uses.
    #[arg(long, env = "TASKLANE_EGRESS_DNS", value_name = "ADDRESS")]
    pub(crate) egress_dns: Option<String>,
    /// Root certificates for guests' requests, PEM, instead of those of Mozilla.
    #[arg(long, env = "TASKLANE_EGRESS_CA_FILE", value_name = "FILE")]
    pub(crate) egress_ca_file: Option<PathBuf>,
    /// Requests that one attempt may have open at once. Default 8.
    #[arg(long, env = "TASKLANE_EGRESS_CONCURRENT_MAX", value_name = "N")]
    pub(crate) egress_concurrent_max: Option<u32>,
    /// Connections of guests that a host may have open at once. Default 1024.
    #[arg(long, env = "TASKLANE_EGRESS_CONNECTIONS_MAX", value_name = "N")]
    pub(crate) egress_connections_max: Option<u32>,
    /// How long a guest's request waits for its connection, in milliseconds. Default 10000.
    #[arg(long, env = "TASKLANE_EGRESS_CONNECT_TIMEOUT_MS", value_name = "MS")]
    pub(crate) egress_connect_timeout_ms: Option<u64>,
    /// How long it waits for the head of an answer, and for each next piece, in milliseconds. Default 60000.
    #[arg(long, env = "TASKLANE_EGRESS_ANSWER_TIMEOUT_MS", value_name = "MS")]
    pub(crate) egress_answer_timeout_ms: Option<u64>,
    /// Largest value that a guest may keep, in bytes; at most 1048576, and what NATS takes. Default 524288.
    #[arg(long, env = "TASKLANE_KV_VALUE_BYTES_MAX", value_name = "BYTES")]
    pub(crate) kv_value_bytes_max: Option<usize>,
    /// Most keys of one store of keys and values. Default 100000.
    #[arg(long, env = "TASKLANE_KV_STORE_KEYS_MAX", value_name = "N")]
    pub(crate) kv_store_keys_max: Option<u64>,
    /// Most bytes of one store of keys and values. Default 67108864.
    #[arg(long, env = "TASKLANE_KV_STORE_BYTES_MAX", value_name = "BYTES")]
    pub(crate) kv_store_bytes_max: Option<u64>,
    /// The file with the keys that seal secrets, the newest first. Default: none; `dev` makes one.
    #[arg(long, env = "TASKLANE_SECRETS_KEY_FILE", value_name = "FILE")]
    pub(crate) secrets_key_file: Option<PathBuf>,
    /// The keys themselves, with commas (not as a flag, which others could see).
    #[arg(long, env = "TASKLANE_SECRETS_KEY", hide = true)]
    pub(crate) secrets_key: Option<String>,
    /// What one attempt may ask of the control plane, in host units: a call costs 10, each KiB 1. Default 100000.
    #[arg(long, env = "TASKLANE_HOST_UNITS_MAX", value_name = "N")]
    pub(crate) host_units_max: Option<u64>,
    /// Most bytes of results that guests write and read piece by piece, on a host's disk at once. Default 4294967296.
    #[arg(long, env = "TASKLANE_SPOOL_BYTES_MAX", value_name = "BYTES")]
    pub(crate) spool_bytes_max: Option<u64>,
    /// Most bytes of modules' assets on a host's disk that nothing needs. Default 1073741824.
    #[arg(long, env = "TASKLANE_ASSETS_BYTES_MAX", value_name = "BYTES")]
    pub(crate) assets_bytes_max: Option<u64>,
    /// Serve whoever connects, without asking for a token: only where something else keeps strangers out. Default false.
    #[arg(long, env = "TASKLANE_INSECURE", num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub(crate) insecure: Option<bool>,
    /// A file with a token that is an admin of everything from the first start on.
    #[arg(long, env = "TASKLANE_BOOTSTRAP_TOKEN_FILE", value_name = "FILE")]
    pub(crate) bootstrap_token_file: Option<PathBuf>,
    /// Requests of one token, such as `100/1s` or `600/1m burst 50`, in each API process. Default: no limit.
    #[arg(long, env = "TASKLANE_TOKEN_RATE", value_name = "RATE")]
    pub(crate) token_rate: Option<String>,
    /// Requests about one namespace, of all together, in each API process. Default: no limit.
    #[arg(long, env = "TASKLANE_NAMESPACE_RATE", value_name = "RATE")]
    pub(crate) namespace_rate: Option<String>,
    /// Origins of pages of other sites that may use the API, such as https://app.example.com. Default: none.
    #[arg(long, env = "TASKLANE_CORS_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub(crate) cors_origins: Option<Vec<String>>,
    /// Proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8. Default: none.
    #[arg(long, env = "TASKLANE_TRUSTED_PROXIES", value_delimiter = ',', value_name = "CIDR")]
    pub(crate) trusted_proxies: Option<Vec<String>>,
    /// The certificate of API and gRPC, PEM, read anew when it changes. Default: none, plain HTTP.
    #[arg(long, env = "TASKLANE_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of that certificate, PEM.
    #[arg(long, env = "TASKLANE_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Who signs clients' certificates, PEM: then each client has to show one, besides its token. Default: none is asked for.
    #[arg(long, env = "TASKLANE_TLS_CLIENT_CA", value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,
    /// Whose JWTs are taken besides tokens: an OpenID Connect issuer, such as https://login.example.com. Default: nobody's.
    #[arg(long, env = "TASKLANE_OIDC_ISSUER", value_name = "URL")]
    pub(crate) oidc_issuer: Option<String>,
    /// Whom they have to be for: one of these in `aud`. Default `tasklane`.
    #[arg(long, env = "TASKLANE_OIDC_AUDIENCE", value_delimiter = ',', value_name = "NAME")]
    pub(crate) oidc_audience: Option<Vec<String>>,
    /// Where the issuer's keys are. Default: where its discovery document says.
    #[arg(long, env = "TASKLANE_OIDC_JWKS_URL", value_name = "URL")]
    pub(crate) oidc_jwks_url: Option<String>,
    /// What a claim gives, such as `groups=devs:acme=deployer`.
    #[arg(long, env = "TASKLANE_OIDC_GRANT", value_delimiter = ',', value_name = "CLAIM=VALUE:NAMESPACE=ROLE")]
    pub(crate) oidc_grant: Option<Vec<String>>,
    /// What is logged, such as `info` or `tasklane_host=debug`. Default `info`.
    #[arg(long, env = "TASKLANE_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// `text` or `json`. Default `text`.
    #[arg(long, env = "TASKLANE_LOG_FORMAT", value_parser = ["text", "json"], value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// A collector of traces, by OTLP over HTTP, such as http://127.0.0.1:4318. Default: no traces.
    #[arg(long, env = "TASKLANE_OTLP_ENDPOINT", value_name = "URL")]
    pub(crate) otlp_endpoint: Option<String>,
    /// Share of traces that are kept where the caller has not decided, 0 to 1. Default 1.
    #[arg(long, env = "TASKLANE_OTLP_SAMPLE_RATIO", value_name = "SHARE")]
    pub(crate) otlp_sample_ratio: Option<f64>,
    /// Defaults and maxima of task limits; in the file only.
    #[arg(skip)]
    pub(crate) limits: Option<LimitsPolicy>,
}

/// Where everything is kept unless told otherwise.
const DATA_DIR: &str = ".tasklane";

macro_rules! fill {
    ($into:ident, $from:ident: $($field:ident)*) => { $( $into.$field = $into.$field.take().or($from.$field); )* };
}

impl Settings {
    /// These, completed by the file.
    ///
    /// # Errors
    /// When a file that was named is missing, or one holds something unknown.
    pub(crate) fn with_file(mut self) -> anyhow::Result<Self> {
        let default = self.data_dir().join("tasklane.toml");
        let path = match &self.config {
            Some(path) => path.clone(),
            None if default.exists() => default,
            None => return Ok(self),
        };
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let file: Self = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        fill!(self, file: data_dir listen grpc_listen ops_listen database_url nats_url nats_credentials nats_user nats_password
            nats_token nats_nkey_file nats_ca nats_cert nats_key nats_tls_required nats_server replicas name slots slots_max urgent_slots
            queues cache_dir ack_wait_ms host_ttl_ms deliveries_max drain_timeout_ms lease_ttl_ms rescue_interval_ms
            rescue_margin_ms payload_bytes_max blob_max blob_grace_ms module_bytes_max keep_tasks keep_payloads keep_results keep_logs keep_audit
            retention_interval idempotency_ttl log log_format limits public_url webhook_allow webhook_grant_networks
            webhook_timeout_ms webhook_attempts_max webhook_retry_ms module_key_file sandbox sandbox_without
            compile_memory_bytes compile_cpu_seconds compile_timeout_ms egress_allow
            egress_grant_networks egress_dns egress_ca_file egress_concurrent_max egress_connections_max
            egress_connect_timeout_ms egress_answer_timeout_ms kv_value_bytes_max kv_store_keys_max
            kv_store_bytes_max secrets_key_file secrets_key host_units_max spool_bytes_max
            assets_bytes_max insecure bootstrap_token_file token_rate namespace_rate cors_origins trusted_proxies tls_cert tls_key tls_client_ca
            oidc_issuer oidc_audience oidc_jwks_url oidc_grant otlp_endpoint otlp_sample_ratio);
        Ok(self)
    }

    /// `dev` is for one machine and quick restarts: shorter times.
    pub(crate) fn for_dev(mut self) -> Self {
        self.lease_ttl_ms = self.lease_ttl_ms.or(Some(3_000));
        self.rescue_interval_ms = self.rescue_interval_ms.or(Some(2_000));
        self.rescue_margin_ms = self.rescue_margin_ms.or(Some(2_000));
        self.drain_timeout_ms = self.drain_timeout_ms.or(Some(5_000));
        self.retention_interval = self.retention_interval.or(Some(Time::from_secs(2)));
        self.allow_this_machine();
        self
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| DATA_DIR.into())
    }

    pub(crate) fn listen(&self) -> String {
        self.listen.clone().unwrap_or_else(|| "127.0.0.1:7070".to_owned())
    }

    pub(crate) fn database_url(&self) -> String {
        let default = || format!("sqlite://{}", self.data_dir().join("tasklane.db").display());
        self.database_url.clone().unwrap_or_else(default)
    }

    pub(crate) fn cache_dir(&self) -> PathBuf {
        self.cache_dir.clone().unwrap_or_else(|| self.data_dir().join("cache"))
    }

    pub(crate) fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("{}-{}", machine(), std::process::id()))
    }

    pub(crate) fn queues(&self) -> Vec<QueueName> {
        self.queues.clone().unwrap_or_else(|| vec![QueueName::default()])
    }

    pub(crate) fn topology(&self) -> Topology {
        let default = Topology::default();
        Topology {
            replicas: self.replicas.unwrap_or(default.replicas),
            ack_wait: millis(self.ack_wait_ms, default.ack_wait),
            host_ttl: millis(self.host_ttl_ms, default.host_ttl),
        }
    }

    pub(crate) fn scheduler(&self) -> anyhow::Result<SchedulerSettings> {
        let default = SchedulerSettings::default();
        Ok(SchedulerSettings {
            name: self.name(),
            lease_ttl: millis(self.lease_ttl_ms, default.lease_ttl),
            rescue_interval: millis(self.rescue_interval_ms, default.rescue_interval),
            rescue_margin: millis(self.rescue_margin_ms, default.rescue_margin),
            blob_grace: millis(self.blob_grace_ms, default.blob_grace),
            retention: self.keep(),
            retention_interval: self.retention_interval.map_or(default.retention_interval, Time::duration),
            webhooks: self.webhooks()?,
            ..default
        })
    }

    /// How long ended tasks stay where no rule says otherwise.
    pub(crate) fn keep(&self) -> KeepTimes {
        let default = KeepTimes::default();
        KeepTimes {
            tasks: self.keep_tasks.unwrap_or(default.tasks),
            payloads: self.keep_payloads.unwrap_or(default.payloads),
            results: self.keep_results.unwrap_or(default.results),
            logs: self.keep_logs.unwrap_or(default.logs),
            audit: self.keep_audit.unwrap_or(default.audit),
        }
    }

    pub(crate) fn blob_max(&self) -> u64 {
        self.blob_max.map_or(BLOB_BYTES_DEFAULT, u64::from)
    }

    /// What tasks may use: results are never larger than a blob may be, or than a report can carry.
    pub(crate) fn limits(&self) -> LimitsPolicy {
        let mut limits = self.limits.unwrap_or_default();
        let inline = u32::try_from(RESULT_INLINE_BYTES_MAX).unwrap_or(u32::MAX);
        let most = u32::try_from(self.blob_max()).unwrap_or(u32::MAX).max(inline);
        limits.max.output_bytes = limits.max.output_bytes.min(most);
        limits.default.output_bytes = limits.default.output_bytes.min(limits.max.output_bytes);
        limits
    }

    /// How long an idempotency key is remembered.
    ///
    /// # Errors
    /// When it is out of bounds.
    pub(crate) fn idempotency_ttl(&self, default: Duration) -> anyhow::Result<Duration> {
        let ttl = self.idempotency_ttl.map_or(default, Time::duration);
        anyhow::ensure!(IDEMPOTENCY_TTL.contains(&ttl), "`idempotency_ttl` must be from 1s to 365d");
        Ok(ttl)
    }

    pub(crate) fn drain_timeout(&self) -> Duration {
        millis(self.drain_timeout_ms, Duration::from_secs(20))
    }

    pub(crate) fn nats(&self) -> anyhow::Result<ConnectOptions> {
        let nkey = self.nats_nkey_file.as_deref().map(read_secret).transpose()?;
        let auth = match (&self.nats_credentials, nkey, &self.nats_token, &self.nats_user) {
            (Some(file), ..) => Auth::CredentialsFile(file.clone()),
            (None, Some(seed), ..) => Auth::NKeySeed(seed),
            (None, None, Some(token), _) => Auth::Token(token.clone()),
            (None, None, None, Some(user)) => {
                Auth::UserPassword(user.clone(), self.nats_password.clone().unwrap_or_default())
            }
            (None, None, None, None) => Auth::None,
        };
        let tls = Tls {
            ca_file: self.nats_ca.clone(),
            client: self.nats_cert.clone().zip(self.nats_key.clone()),
            required: self.nats_tls_required.unwrap_or(false),
        };
        let urls = self.nats_url.clone().unwrap_or_else(|| vec!["nats://127.0.0.1:4222".to_owned()]);
        Ok(ConnectOptions { urls, name: self.name(), auth, tls })
    }

    /// Every setting that is given, as variables for a child process: flags and files of the parent are not the child's.
    pub(crate) fn to_environment(&self) -> Vec<(String, String)> {
        let Ok(serde_json::Value::Object(given)) = serde_json::to_value(self) else { return Vec::new() };
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pair = |(key, value): (String, serde_json::Value)| {
            let value = match &value {
                serde_json::Value::Null | serde_json::Value::Object(_) => return None,
                serde_json::Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().join(","),
                other => text(other),
            };
            Some((format!("TASKLANE_{}", key.to_uppercase()), value))
        };
        given.into_iter().filter_map(pair).collect()
    }

    /// What is in force, without secrets, for the log.
    pub(crate) fn redacted(&self) -> String {
        toml::to_string(&self.without_secrets()).unwrap_or_default().lines().collect::<Vec<_>>().join("; ")
    }

    fn without_secrets(&self) -> Self {
        let mut shown = self.clone();
        let hide = |secret: &mut Option<String>| {
            if secret.is_some() {
                *secret = Some("[redacted]".to_owned());
            }
        };
        hide(&mut shown.nats_password);
        hide(&mut shown.nats_token);
        hide(&mut shown.secrets_key);
        shown.database_url = Some(without_password(&self.database_url()));
        shown.nats_url = shown.nats_url.map(|urls| urls.iter().map(|url| without_password(url)).collect());
        shown
    }
}

impl Settings {
    /// What is in force, by key, without secrets, for people who look over HTTP.
    pub(crate) fn shown(&self) -> BTreeMap<String, Value> {
        let Ok(Value::Object(all)) = serde_json::to_value(self.without_secrets()) else { return BTreeMap::new() };
        all.into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), veiled(&key, value)))
            .collect()
    }
}

/// A second look: whatever a key that sounds like a secret holds, and passwords in any URL, are left out, also where somebody adds a
/// setting and forgets the list above.
fn veiled(key: &str, value: Value) -> Value {
    let sounds_secret = ["password", "token", "secret", "credential"].iter().any(|word| key.contains(word));
    match value {
        Value::String(_) if sounds_secret && !key.ends_with("_file") && key != "nats_credentials" => {
            Value::String("[redacted]".to_owned())
        }
        Value::String(text) => Value::String(without_password(&text)),
        Value::Array(all) => all.into_iter().map(|one| veiled(key, one)).collect(),
        Value::Object(all) => all.into_iter().map(|(name, one)| (name.clone(), veiled(&name, one))).collect(),
        other => other,
    }
}

fn millis(given: Option<u64>, default: Duration) -> Duration {
    given.map_or(default, Duration::from_millis)
}

fn read_secret(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// `scheme://user:[redacted]@rest`; a lone name before the `@` is a token for NATS, and passwords may stand in the query too.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let rest = match rest.rsplit_once('@') {
        Some((userinfo, rest)) => match userinfo.split_once(':') {
            Some((user, _)) => format!("{user}:[redacted]@{rest}"),
            None => format!("[redacted]@{rest}"),
        },
        None => rest.to_owned(),
    };
    let Some((path, query)) = rest.split_once('?') else { return format!("{scheme}://{rest}") };
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if name.to_lowercase().contains("password") => format!("{name}=[redacted]"),
        Some(_) | None => pair.to_owned(),
    };
    format!("{scheme}://{path}?{}", query.split('&').map(hide).collect::<Vec<_>>().join("&"))
}

fn machine() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_in_the_file_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tasklane.toml");
        std::fs::write(&file, "slotts = 3\n").unwrap();
        let settings = Settings { config: Some(file.clone()), ..Settings::default() };
        let error = format!("{:#}", settings.with_file().unwrap_err());
        assert!(error.contains("slotts"), "{error}");
        std::fs::write(&file, "slots = 3\nlisten = \"x\"\n").unwrap();
        let flags = Settings { config: Some(file), slots: Some(4), ..Settings::default() };
        let merged = flags.with_file().unwrap();
        assert_eq!((merged.slots, merged.listen.as_deref()), (Some(4), Some("x")), "flags come before the file");
    }

    #[test]
    fn times_are_words_in_every_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tasklane.toml");
        std::fs::write(&file, "keep_tasks = \"2 days\"\nkeep_logs = \"forever\"\nretention_interval = \"5s\"\n")
            .unwrap();
        let settings = Settings { config: Some(file.clone()), ..Settings::default() }.with_file().unwrap();
        let keep = settings.keep();
        assert_eq!((keep.tasks.to_string(), keep.logs), ("2d".to_owned(), Keep::FOREVER));
        assert_eq!(keep.results, KeepTimes::default().results);
        assert_eq!(settings.scheduler().unwrap().retention_interval, Duration::from_secs(5));
        assert!(settings.to_environment().contains(&("TASKLANE_KEEP_TASKS".to_owned(), "2d".to_owned())));
        std::fs::write(&file, "keep_tasks = \"soon\"\n").unwrap();
        let error = Settings { config: Some(file), ..Settings::default() }.with_file().unwrap_err();
        assert!(format!("{error:#}").contains("soon"), "{error:#}");
        let hasty = Settings { idempotency_ttl: Some("10ms".parse().unwrap()), ..Settings::default() };
        assert!(hasty.idempotency_ttl(Duration::from_secs(1)).is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = Settings {
            nats_password: Some("p4ss".to_owned()),
            nats_token: Some("t0ken".to_owned()),
            database_url: Some("postgres://me:s3cret@db/x".to_owned()),
            nats_url: Some(vec!["nats://u:pw@n:4222".to_owned(), "nats://tok3n@n?password=qu3ry".to_owned()]),
            ..Settings::default()
        };
        let shown = settings.redacted();
        for secret in ["p4ss", "t0ken", "s3cret", ":pw@", "tok3n", "qu3ry"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("postgres://me:[redacted]@db/x"), "{shown}");
        let by_key = serde_json::to_string(&settings.shown()).unwrap();
        for secret in ["p4ss", "t0ken", "s3cret", ":pw@", "tok3n", "qu3ry"] {
            assert!(!by_key.contains(secret), "{by_key}");
        }
        assert!(!by_key.contains("null"), "{by_key}");
        assert_eq!(veiled("otlp_token", Value::from("abc")), "[redacted]");
        assert_eq!(veiled("any_url", Value::from("https://u:pw@x/")), "https://u:[redacted]@x/");
        assert_eq!(veiled("secrets_key_file", Value::from("/k")), "/k");
    }

    #[test]
    fn every_key_is_documented() {
        use clap::CommandFactory as _;
        let document = include_str!("../../../docs/config.md");
        let cli = crate::cli::Cli::command();
        let serve = cli.find_subcommand("serve").unwrap();
        for arg in serve.get_arguments().filter(|arg| arg.get_env().is_some() && arg.get_id() != "server") {
            let (key, env) = (arg.get_id().as_str(), arg.get_env().unwrap().to_str().unwrap());
            assert!(document.contains(&format!("`{key}`")), "docs/config.md lacks `{key}`");
            assert!(document.contains(&format!("`{env}`")), "docs/config.md lacks `{env}`");
        }
    }
}
