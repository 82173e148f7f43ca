//! The API over its routes: a real SQLite store, the real inspector, and small recorders in place of NATS.
//!
//! Files mirror the routes. Every answer is checked by status and body; what must not be stored is looked for in the store.

#[cfg(test)]
mod access;
#[cfg(test)]
mod access_grpc;
#[cfg(test)]
mod access_jwt;
#[cfg(test)]
mod access_limits;
#[cfg(test)]
mod access_matrix;
#[cfg(test)]
mod assets;
#[cfg(test)]
mod asyncapi;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod batches;
#[cfg(test)]
mod blobs;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod conditional;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod events;
#[cfg(test)]
mod flaky;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod health;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod kv;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod namespaces;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod ports;
#[cfg(test)]
mod quarantine;
#[cfg(test)]
mod releases;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod support;
#[cfg(test)]
mod system;
#[cfg(test)]
mod tasks_change;
#[cfg(test)]
mod tasks_end;
#[cfg(test)]
mod tasks_idempotency;
#[cfg(test)]
mod tasks_list;
#[cfg(test)]
mod tasks_submit;
#[cfg(test)]
mod tasks_unique;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod webhooks;
