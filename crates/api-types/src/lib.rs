//! What goes over HTTP: requests, answers and error codes, shared by the API and its clients.
//!
//! Times are RFC 3339 in UTC; durations and sizes carry their unit in the name. Requests refuse unknown fields; answers may gain
//! fields within v1.

mod access;
mod code;
mod feed;
mod kv;
mod namespace;
mod release;
mod request;
mod retention;
mod secret;
mod system;
mod view;
mod webhook;

pub use access::{AuditList, AuditView, TokenList, TokenRequest, TokenView, WhoAmI};
pub use code::ErrorCode;
pub use feed::{FeedChange, FeedTask, HistorySecond, HistoryView};
pub use kv::{KvEntryView, KvKeyList, KvRequest, KvStoreList, KvStoreView};
pub use namespace::{NamespaceList, NamespaceView, QuotasBody, UsageView};
pub use release::{
    AliasList, AliasRequest, AliasView, Changes, ModuleDiff, ModuleEventList, ModuleEventView, PromoteRequest,
    RouteBody,
};
pub use request::{
    BatchRequest, BulkRequest, ConcurrencyRequest, ModuleFlowRequest, PreviewRequest, QueueRequest, RateRequest,
    RescheduleRequest, RetryRequest, ScheduleChange, ScheduleRequest, ScheduleTaskChange, SubmitRequest, UniqueRequest,
};
pub use retention::{RetentionRule, RetentionView};
pub use secret::{ResealView, SecretList, SecretRequest, SecretView};
pub use system::{ConfigView, Finding, FindingList, HostRequest, HostView, ResetRequest, Verdict};
pub use view::*;
pub use webhook::{DeliveryList, DeliveryView, WebhookList, WebhookRequest, WebhookView};
