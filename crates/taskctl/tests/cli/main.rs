//! `taskctl` as its users meet it: the built binary, its standard output, standard error and exit code.
//!
//! `help`, `usage`, `contexts` and `man` need no server; the rest start a real `taskctl dev` with a real nats-server, each in a
//! directory of its own, and end it. A missing nats-server is a failure that says how to get one.

#[cfg(test)]
mod blobs;
#[cfg(test)]
mod completions;
#[cfg(test)]
mod contexts;
#[cfg(test)]
mod dev;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod guests;
#[cfg(test)]
mod help;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod life;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod man;
#[cfg(test)]
mod modules;
#[cfg(test)]
mod namespaces;
#[cfg(test)]
mod projects;
#[cfg(test)]
mod prompts;
#[cfg(test)]
mod pty;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod safety;
#[cfg(test)]
mod shown;
#[cfg(test)]
mod support;
#[cfg(test)]
mod top;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod wasm;
#[cfg(test)]
mod webhooks;
