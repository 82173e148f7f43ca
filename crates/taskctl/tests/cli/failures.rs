//! Server roles that cannot start: no database, no NATS, a database of the future.

use crate::support::{finish, free_address, taskctl};

#[test]
fn a_role_without_nats_says_where_it_looked() {
    let dir = tempfile::tempdir().unwrap();
    let address = free_address();
    for role in ["host", "scheduler", "api"] {
        let mut command = taskctl();
        command.current_dir(dir.path()).args(["serve", role, "--listen", &free_address()]);
        command.args(["--nats-url", &format!("nats://{address}")]);
        let run = finish(command, b"");
        assert_ne!(run.code, 0, "{role}");
        assert!(run.err.contains(&address) && run.err.contains("--nats-url"), "{role}: {run:?}");
    }
}

#[test]
fn an_unknown_database_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = taskctl();
    command.current_dir(dir.path()).args(["serve", "scheduler", "--database-url", "mysql://here/x"]);
    let run = finish(command, b"");
    assert_ne!(run.code, 0);
    assert!(run.err.contains("sqlite://"), "{run:?}");
}

#[test]
fn the_settings_in_force_are_logged_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = taskctl();
    command.current_dir(dir.path()).args(["serve", "host", "--nats-url"]).arg(format!("nats://{}", free_address()));
    command.env("TASKLANE_NATS_PASSWORD", "s3cret").env("TASKLANE_DATABASE_URL", "postgres://me:s3cret@db/x");
    let run = finish(command, b"");
    assert!(run.err.contains("starting Host") && run.err.contains("postgres://me:[redacted]@db/x"), "{run:?}");
    assert!(!run.err.contains("s3cret"), "{run:?}");
}
