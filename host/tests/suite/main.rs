//! The host's tests: every outcome by a guest that earns it, preemption, isolation, and whole hosts with ports in memory.
//!
//! The guests are built by `cargo xtask plugins`; one that is missing fails its tests.

#[cfg(test)]
mod assets;
#[cfg(test)]
mod blobs;
#[cfg(test)]
mod buckets;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod cancel;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod compiled;
#[cfg(test)]
mod contained;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod dropped;
#[cfg(test)]
mod egress;
#[cfg(test)]
mod guests;
#[cfg(test)]
mod inspector;
#[cfg(test)]
mod intake;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod keeper;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod pieces;
#[cfg(test)]
mod ports;
#[cfg(test)]
mod preemption;
#[cfg(test)]
mod quarantine;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod stains;
#[cfg(test)]
mod values;
#[cfg(test)]
mod variables;
#[cfg(test)]
mod voices;
