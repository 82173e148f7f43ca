//! Driver errors, classified for the caller.

use tasklane_domain::error::StoreError;

/// Every driver error is "try again": logical failures never come as one, since rows are compared before they are set.
pub(crate) fn unavailable(error: sqlx::Error) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

/// A migration's error: a schema of the future is told apart.
pub(crate) fn migration(error: sqlx::migrate::MigrateError, known: i64) -> StoreError {
    match error {
        sqlx::migrate::MigrateError::VersionMissing(found) => StoreError::SchemaTooNew { found, known },
        other => StoreError::Unavailable(Box::new(other)),
    }
}

/// A value that cannot be what was written.
pub(crate) fn corrupt(what: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{what}: {why}"))
}
