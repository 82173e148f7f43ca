//! The command line of blobs.

use clap::Subcommand;

/// `taskctl blobs`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Blobs {
    /// Store a file, and print the digest by which tasks name it.
    Put {
        /// The file, or `-` for standard input.
        file: String,
    },
    /// Print the bytes of one.
    Get {
        /// Its digest, `sha256:…`.
        digest: String,
    },
}
