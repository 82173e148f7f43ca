//! Every error code of the API, with its HTTP status and what to do about it. `docs/errors.md` has a section for each.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $status:literal, $hint:literal;)*) => {
        /// A stable, readable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code's name in JSON and documents.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The HTTP status that it comes with.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What to do, where the request itself suggests nothing better.
            #[must_use]
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint,)* }
            }
        }
    };
}

codes! {
    /// The body is not JSON.
    MalformedJson = "malformed_json", 400, "Send one JSON document; the detail names the line and column.";
    /// The body is JSON of the wrong shape.
    InvalidRequest = "invalid_request", 422, "Correct the field that the detail names; unknown fields are errors.";
    /// The body's media type is not taken here.
    UnsupportedMediaType = "unsupported_media_type", 415, "Send `Content-Type: application/json` (modules: multipart/form-data).";
    /// The request's body is over the limit.
    BodyTooLarge = "body_too_large", 413, "Send less in one request; split a batch; upload large payloads to /api/v1/blobs and name them as `payload_blob`.";
    /// A task's payload is over the limit.
    PayloadTooLarge = "payload_too_large", 413, "Send less, split it over several tasks, or have `blob_max` raised.";
    /// No blob has this digest.
    BlobNotFound = "blob_not_found", 404, "Upload it again: what no task names is removed after an hour.";
    /// A blob's digest cannot be read.
    BlobDigestInvalid = "blob_digest_invalid", 422, "Write `sha256:` and 64 hexadecimal digits, as the answer to the upload has it.";
    /// The uploaded bytes have another digest than the path says.
    BlobDigestMismatch = "blob_digest_mismatch", 422, "Send the bytes again, or correct the digest; POST /api/v1/blobs needs none.";
    /// An upload stood still for so long that what was stored of it is gone.
    BlobIncomplete = "blob_incomplete", 409, "Upload the whole again.";
    /// The payload is given twice, or its base64 is wrong.
    InvalidPayload = "invalid_payload", 422, "Give one of `payload`, `payload_text`, `payload_base64` and `payload_blob`.";
    /// The payload does not fit the schema of the module's manifest.
    PayloadSchemaMismatch = "payload_schema_mismatch", 422, "Correct the place that the detail names; GET /api/v1/modules/{name}/{version} shows the schema as `manifest.input`.";
    /// A limit is zero or above the cluster's maximum.
    LimitOutOfBounds = "limit_out_of_bounds", 422, "Ask for less; GET /api/v1/cluster/info shows the maxima.";
    /// A retry setting is out of bounds.
    RetryOutOfBounds = "retry_out_of_bounds", 422, "Correct the setting that the detail names.";
    /// The deadline is past or before the start.
    DeadlinePassed = "deadline_passed", 422, "Give a deadline after now and after `run_at`.";
    /// A batch is empty or too large.
    BatchSize = "batch_size", 422, "Send 1 to 20000 tasks in one batch; later batches can wait for ids of earlier ones.";
    /// A duration cannot be read or is out of bounds.
    DurationInvalid = "duration_invalid", 422, "Write durations such as `90s`, `1h 30m` or `P1DT2H`, at most ten years.";
    /// Tasks of a batch wait for each other.
    DependencyCycle = "dependency_cycle", 422, "Remove one of the named arrows.";
    /// `after` names what is neither in the batch nor an id, or a name twice.
    DependencyInvalid = "dependency_invalid", 422, "Name tasks of the same batch by their `name`, others by their id.";
    /// `after` names a task that does not exist.
    DependencyNotFound = "dependency_not_found", 422, "Submit what is waited for first, or in the same batch.";
    /// A binding of the payload can never resolve.
    BindingInvalid = "binding_invalid", 422, "Write {\"$from\": \"name\", \"path\": \"$.field\"} and list the name in `after`.";
    /// `unique` makes no sense.
    UniqueInvalid = "unique_invalid", 422, "`by` takes module, version, queue, payload, label and label:KEY; `while` takes states.";
    /// A concurrency limit, a rate or a share makes no sense.
    FlowInvalid = "flow_invalid", 422, "Write {\"key\": \"customer-42\", \"max\": 3} for `concurrency`, {\"key\": \"api\", \"limit\": \"10/1s\"} for `rate`.";
    /// The cluster has as many rules of queues and modules as it may have.
    FlowRulesFull = "flow_rules_full", 422, "Remove rules that nobody needs; 1,000 is the limit.";
    /// The module has no rule of its own.
    FlowRuleNotFound = "flow_rule_not_found", 404, "GET /api/v1/flow/modules lists the rules; without one, the manifest's `flow` holds.";
    /// The task does not wait for a time.
    TaskNotWaiting = "task_not_waiting", 409, "Only scheduled and retrying tasks have a time that can be moved.";
    /// The task cannot be submitted anew.
    TaskNotReplayable = "task_not_replayable", 409, "Only tasks that ended as failed, cancelled or expired can be retried.";
    /// No batch has this id.
    BatchNotFound = "batch_not_found", 404, "Check the id; the answer to a batch's submit holds it, and so does each of its tasks.";
    /// The batch has nothing to retry.
    BatchNotReplayable = "batch_not_replayable", 409, "Nothing in it ended as failed, cancelled or expired.";
    /// No schedule has this name.
    ScheduleNotFound = "schedule_not_found", 404, "GET /api/v1/schedules lists them.";
    /// A schedule of this name is there.
    ScheduleExists = "schedule_exists", 409, "Choose another name, or delete the old one first.";
    /// The cluster has as many schedules as it may have.
    SchedulesFull = "schedules_full", 422, "Delete schedules that nobody needs; 10,000 is the limit.";
    /// The expression cannot be read, or never fires.
    CronInvalid = "cron_invalid", 422, "Write five or six cron fields, @daily and friends, or @every 90s; POST /api/v1/schedules/preview explains one.";
    /// No time zone has this name.
    TimezoneUnknown = "timezone_unknown", 422, "Use an IANA name such as Europe/Vienna or UTC.";
    /// A schedule's setting or its task makes no sense.
    ScheduleInvalid = "schedule_invalid", 422, "Correct the field that the detail names.";
    /// A rule of retention makes no sense.
    RetentionInvalid = "retention_invalid", 422, "Give at least one of `tasks`, `payloads`, `results` and `logs`: from `1s` to ten years, or `forever`.";
    /// No rule of retention is set there.
    RetentionRuleNotFound = "retention_rule_not_found", 404, "GET /api/v1/retention lists the rules that are set.";
    /// The task was removed.
    TaskRemoved = "task_removed", 410, "Use a new key for a new task; docs/retention.md tells how long tasks stay.";
    /// The task's payload was removed.
    PayloadRemoved = "payload_removed", 410, "Submit a new task with its payload; `payloads` of a rule of retention tells how long they stay.";
    /// The task's result was removed.
    ResultRemoved = "result_removed", 410, "Fetch results sooner; `results` of a rule of retention tells how long they stay.";
    /// The task's log was removed.
    LogRemoved = "log_removed", 410, "Read logs sooner; `logs` of a rule of retention tells how long they stay.";
    /// No webhook has this name.
    WebhookNotFound = "webhook_not_found", 404, "GET /api/v1/webhooks lists them.";
    /// A webhook of this name is there.
    WebhookExists = "webhook_exists", 409, "Choose another name, or delete the old one first.";
    /// The cluster has as many webhooks as it may have.
    WebhooksFull = "webhooks_full", 422, "Delete webhooks that nobody needs; 64 is the limit.";
    /// A webhook's name, URL, event or filter makes no sense.
    WebhookInvalid = "webhook_invalid", 422, "Correct what the detail names.";
    /// The webhook is paused.
    WebhookPaused = "webhook_paused", 409, "POST /api/v1/webhooks/{name}/resume first.";
    /// The webhook has no such delivery.
    DeliveryNotFound = "delivery_not_found", 404, "GET /api/v1/webhooks/{name}/deliveries lists them; old ones are forgotten.";
    /// The endpoint took the delivery.
    DeliveryDone = "delivery_done", 409, "Only dead letters and deliveries that wait can be sent again.";
    /// The server's policy does not let this URL be called.
    EgressRefused = "egress_refused", 422, "Use an allowed, public URL, or ask for `webhook_allow` and `webhook_grant_networks` on the server.";
    /// A store's name, a key or a value makes no sense.
    KvInvalid = "kv_invalid", 422, "Correct what the detail names; stores are written module:NAME or shared:NAME.";
    /// The store has no such key.
    KvKeyNotFound = "kv_key_not_found", 404, "GET /api/v1/kv/{store} lists its keys; what has expired is gone.";
    /// The store is full, or the value too large.
    KvLimit = "kv_limit", 422, "Delete keys that nobody needs, let them expire, or have `kv_store_bytes_max` and its neighbours raised.";
    /// The namespace has no such secret.
    SecretNotFound = "secret_not_found", 404, "GET /api/v1/secrets lists those of the namespace.";
    /// A secret's name or value makes no sense.
    SecretInvalid = "secret_invalid", 422, "Send {\"value\": \"…\"} or {\"value_base64\": \"…\"}, 1 to 65536 bytes.";
    /// The namespace has as many secrets as it may have.
    SecretsFull = "secrets_full", 422, "Delete secrets that nobody needs; 1,000 for each namespace is the limit.";
    /// The server has no key for secrets.
    SecretsNotConfigured = "secrets_not_configured", 501, "Make a key with `head -c 32 /dev/urandom | base64`, and point `secrets_key_file` of every API process at it.";
    /// A secret is sealed with a key that the server does not have.
    SecretKeyUnknown = "secret_key_unknown", 409, "Put the key with that id back into the key file, or set the secret anew.";
    /// No bulk operation has this id.
    OperationNotFound = "operation_not_found", 404, "Check the id; GET /api/v1/operations lists the newest.";
    /// A bulk operation would be about every task.
    FilterMissing = "filter_missing", 422, "Give at least one filter, or `all: true` if you mean every task.";
    /// A task that has ended enqueues another.
    ParentEnded = "parent_ended", 409, "Enqueue before the task ends.";
    /// A task or a tree of tasks enqueues too much, or it would be more than the namespace may have.
    QuotaExceeded = "quota_exceeded", 429, "Enqueue fewer tasks, or let a task of its own continue.";
    /// Something of another namespace is named.
    NamespaceCrossed = "namespace_crossed", 403, "Name what belongs to the request's namespace, or send the request for the other one: `namespace` in a body, `?namespace=` else.";
    /// Nothing belongs to the namespace, or it has no quota.
    NamespaceNotFound = "namespace_not_found", 404, "GET /api/v1/namespaces lists those that have anything.";
    /// A namespace's name or quota makes no sense, or as many have quotas as may have some.
    NamespaceInvalid = "namespace_invalid", 422, "Correct what the detail names; write {\"tasks_waiting_max\": 10000, \"tasks_running_max\": 20}.";
    /// No host of this id is alive.
    HostNotFound = "host_not_found", 404, "GET /api/v1/hosts lists the living ones; a host that was started again has another id.";
    /// The host cannot have so many slots.
    HostSlots = "host_slots", 422, "Ask for 1 to the host's `slots_max`; start it with a higher `slots_max` where that is too few.";
    /// The host did not say in time that it does as it was told.
    HostSilent = "host_silent", 503, "Look at GET /api/v1/hosts: it may do so later, or be busy or gone.";
    /// The instance cannot forget everything.
    ResetRefused = "reset_refused", 403, "Only `taskctl dev` can; elsewhere, remove the database and NATS's data yourself.";
    /// No module has this name.
    ModuleNotFound = "module_not_found", 404, "GET /api/v1/modules lists the deployed modules.";
    /// The module has no such version.
    ModuleVersionNotFound = "module_version_not_found", 404, "GET /api/v1/modules/{name} lists its versions.";
    /// The module has no such alias.
    AliasNotFound = "alias_not_found", 404, "GET /api/v1/modules/{name}/aliases lists them; a version is written name@1.2.0.";
    /// An alias cannot be set so.
    AliasInvalid = "alias_invalid", 422, "Write {\"routes\": [{\"version\": \"2.0.0\", \"weight\": 95}, {\"version\": \"2.1.0\", \"weight\": 5}]}.";
    /// An alias cannot be rolled back.
    AliasNothingBefore = "alias_nothing_before", 409, "It has led nowhere else; PUT the routes that it should have.";
    /// Hosts died while it ran, so it runs no more until it is released.
    ModuleQuarantined = "module_quarantined", 409, "Look into its hosts' logs; then POST /api/v1/modules/{name}/{version}/release, or name another version.";
    /// No new tasks of the version are taken.
    ModuleDisabled = "module_disabled", 409, "Name another version, or POST /api/v1/modules/{name}/{version}/enable.";
    /// Something needs the version.
    ModuleInUse = "module_in_use", 409, "Wait for or cancel its tasks, move what names it, or disable it; `force=true` removes it all the same.";
    /// The uploaded bytes are not valid WebAssembly.
    ModuleInvalid = "module_invalid", 422, "Upload the .wasm file that your toolchain built, unchanged.";
    /// The module is neither a task component nor a WASI command.
    ModuleWrongWorld = "module_wrong_world", 422, "Build with the SDK for wasm32-wasip2, or a program with main for wasm32-wasip1.";
    /// The module imports what is not offered.
    ModuleImportsUnlisted = "module_imports_unlisted", 422, "Remove what needs the named imports; wit/task.wit and WASI 0.2 are offered.";
    /// The uploaded file is over the limit.
    ModuleTooLarge = "module_too_large", 413, "Strip debug information; build for size.";
    /// The module is over a limit on functions, bodies or nesting.
    ModuleOverLimits = "module_over_limits", 422, "Make the module smaller in the way that the detail names.";
    /// The compiler did not take the module, or was ended by one of its limits.
    ModuleNotCompiled = "module_not_compiled", 422, "Make the function or module that takes so long smaller; where it is not meant to, ask for higher compile limits.";
    /// The manifest is missing or wrong.
    ManifestInvalid = "manifest_invalid", 422, "Send the part `manifest` before `module`; at least name and version.";
    /// The assets are no tar of plain files, or their manifest says something else.
    AssetsInvalid = "assets_invalid", 422, "Pack plain files only (`tar --format=ustar -C assets -cf assets.tar .`), and name them as [assets] in the manifest.";
    /// The assets are over a limit.
    AssetsTooLarge = "assets_too_large", 413, "Ship fewer or smaller files; what is large or changes belongs into payloads.";
    /// Other content is deployed under this name and version.
    ModuleConflict = "module_conflict", 409, "Versions are immutable: deploy under a new version.";
    /// No task has this id.
    TaskNotFound = "task_not_found", 404, "Check the id; GET /api/v1/tasks lists tasks.";
    /// The task has ended, so that cannot be done.
    TaskAlreadyEnded = "task_already_ended", 409, "An ended task never changes; submit a new one.";
    /// The task has no result yet.
    TaskNotEnded = "task_not_ended", 409, "Ask again later, or submit with ?wait=30s.";
    /// The task ended without a result.
    TaskHasNoResult = "task_has_no_result", 409, "GET /api/v1/tasks/{id} tells the outcome, /logs what the guest said.";
    /// The idempotency key was used for another body.
    IdempotencyConflict = "idempotency_conflict", 422, "Use a new key for a new request.";
    /// The idempotency key is empty or too long.
    IdempotencyKeyInvalid = "idempotency_key_invalid", 400, "Use 1 to 255 printable ASCII characters.";
    /// An id is not a UUID.
    InvalidId = "invalid_id", 400, "Ids look like 0198c0de-7a5c-7000-8000-000000000000.";
    /// A query parameter is unknown or wrong.
    InvalidQuery = "invalid_query", 400, "Correct the parameter that the detail names.";
    /// A cursor is not one of ours.
    InvalidCursor = "invalid_cursor", 400, "Use `next_cursor` of the page before, unchanged, or start without one.";
    /// No state has this name.
    UnknownStatus = "unknown_status", 404, "States: scheduled, blocked, queued, running, retrying, succeeded, failed, cancelled, expired.";
    /// Nothing is at this path.
    NotFound = "not_found", 404, "GET /docs shows every path.";
    /// The path does not take this method.
    MethodNotAllowed = "method_not_allowed", 405, "GET /docs shows what each path takes.";
    /// The request took too long to arrive.
    RequestTimeout = "request_timeout", 408, "Send the whole request at once.";
    /// As many live feeds are open on this process as there may be.
    FeedsFull = "feeds_full", 503, "Close feeds that nobody reads, or ask another API process.";
    /// A page of another origin asks.
    OriginRefused = "origin_refused", 403, "Use the dashboard at its own address, or a program that is no browser.";
    /// The path is for WebSockets, and the request asks for none.
    UpgradeRequired = "upgrade_required", 426, "Open it as a WebSocket; /api/v1/events has the same events over plain HTTP.";
    /// The database does not answer.
    DatabaseUnavailable = "database_unavailable", 503, "Try again in a few seconds; use an Idempotency-Key so that a repeat is safe.";
    /// NATS does not answer, and this cannot be done without.
    NatsUnavailable = "nats_unavailable", 503, "Try again in a few seconds; tasks are accepted meanwhile.";
    /// The request shows no credential, or one that opens nothing.
    Unauthenticated = "unauthenticated", 401, "Send `Authorization: Bearer TOKEN`; with taskctl, set TASKLANE_TOKEN. An admin makes tokens with `taskctl tokens create`.";
    /// Who asks has not the role that this needs.
    PermissionDenied = "permission_denied", 403, "Ask an admin for a token with the role that the detail names.";
    /// The request names a host that `taskctl dev` is not.
    HostRefused = "host_refused", 403, "Open it as http://localhost or http://127.0.0.1; for others to reach it, run `taskctl serve`.";
    /// Requests come faster than the caller or the namespace may make them.
    RateLimited = "rate_limited", 429, "Wait as many seconds as the header Retry-After says.";
    /// What was to be changed is not what its sender has seen.
    PreconditionFailed = "precondition_failed", 412, "Read it again, see whether the change still fits, and send it with the ETag that it has now.";
    /// No token has this id.
    TokenNotFound = "token_not_found", 404, "GET /api/v1/tokens lists those that you may see.";
    /// A token cannot be made so.
    TokenInvalid = "token_invalid", 422, "Correct what the detail names; write {\"name\": \"ci\", \"grants\": {\"acme\": \"deployer\"}}.";
    /// The cluster has as many tokens as it may have.
    TokensFull = "tokens_full", 422, "Revoke tokens that nobody needs; 10,000 that open something is the limit.";
    /// Something is wrong on our side.
    Internal = "internal", 500, "Try again; if it stays, report it with the request id.";
}
