//! `taskctl` as its users meet it: the built binary, its standard output, standard error and exit code.
//!
//! `help` and `usage` need no server; `flow`, `lives` and `failures` start a real `taskctl dev` with a real nats-server, each in a
//! directory of its own, and end it. A missing nats-server is a failure that says how to get one.

#[cfg(test)]
mod blobs;
#[cfg(test)]
mod dev;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod guests;
#[cfg(test)]
mod help;
#[cfg(test)]
mod life;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod namespaces;
#[cfg(test)]
mod projects;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod safety;
#[cfg(test)]
mod support;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod wasm;
#[cfg(test)]
mod webhooks;
