//! The way out: what guests may call and what not, over HTTP and TLS, with a name server and certificates of our own.
//!
//! All on loopback. 127.0.0.1 is granted and stands for the public internet; everything else, 127.0.0.2 and ::1 too, stands for what is
//! inside, and servers wait there for whoever comes: nobody may.

mod allowed;
mod bounds;
mod names;
mod refused;
mod servers;
mod world;
