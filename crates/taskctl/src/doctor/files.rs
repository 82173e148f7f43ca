//! Checks of what lies on this machine's disk: room, whose the data is, and who can read keys and tokens.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Check, Checks};
use crate::config::{DEV_KEY_FILE, Settings};
use crate::context;

/// Room below which nothing can be promised, and below which there is little.
const FREE_BYTES_MIN: u64 = 512 * 1024 * 1024;
const FREE_BYTES_WANTED: u64 = 5 * 1024 * 1024 * 1024;
/// Rights of others that a directory of data, and a file with keys, must not give.
const OTHERS_WRITE: u32 = 0o022;
const OTHERS: u32 = 0o077;

/// All of them.
pub(super) fn checks(settings: &Settings) -> Vec<Check> {
    let data = settings.data_dir();
    let mut checks = vec![disk("disk_data", &data), data_dir(&data)];
    let cache = settings.cache_dir();
    if !cache.starts_with(&data) {
        checks.push(disk("disk_cache", &cache));
    }
    let keys = [
        ("secrets_key_file", settings.secrets_key_file.clone()),
        ("dev_key_file", Some(data.join(DEV_KEY_FILE)).filter(|path| path.exists())),
        ("nats_nkey_file", settings.nats_nkey_file.clone()),
        ("nats_credentials", settings.nats_credentials.clone()),
        ("nats_key", settings.nats_key.clone()),
        ("contexts", context::path().filter(|path| path.exists())),
    ];
    checks.extend(keys.into_iter().filter_map(|(name, path)| Some(secret_file(name, &path?))));
    checks
}

/// The directory, or the nearest one above it that is there.
fn existing(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/")).to_owned()
}

fn disk(name: &str, dir: &Path) -> Check {
    let dir = existing(dir);
    let Ok(stat) = rustix::fs::statvfs(&dir) else {
        return Check::warn(name, format!("{} cannot be looked at", dir.display()), "check that its disk is mounted");
    };
    room(name, &dir, stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn room(name: &str, dir: &Path, free: u64) -> Check {
    let found = format!("{} free at {}", crate::output::size(free), dir.display());
    let advice = "make room, or move it with --data-dir or --cache-dir; `taskctl retention set` keeps less";
    match free {
        0..FREE_BYTES_MIN => Check::fail(name, found, advice),
        FREE_BYTES_MIN..FREE_BYTES_WANTED => Check::warn(name, found, advice),
        _ => Check::ok(name, found),
    }
}

fn data_dir(dir: &Path) -> Check {
    let name = "data_dir";
    let shown = dir.display();
    let Ok(meta) = std::fs::metadata(dir) else {
        let above = existing(dir);
        let can = rustix::fs::access(&above, rustix::fs::Access::WRITE_OK).is_ok();
        let found = format!("{shown} will be made at the first start");
        let advice = format!("let this user write into {}, or choose another --data-dir", above.display());
        return if can { Check::ok(name, found) } else { Check::fail(name, format!("{shown} cannot be made"), advice) };
    };
    if rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_err() {
        let advice = format!("give it to this user: chown -R {} {shown}", rustix::process::geteuid().as_raw());
        return Check::fail(name, format!("{shown} cannot be written, it belongs to user {}", meta.uid()), advice);
    }
    let mode = meta.permissions().mode() & 0o777;
    let advice = format!("chmod go-w {shown}: who writes there can change tasks");
    Check::good(name, mode & OTHERS_WRITE == 0, format!("{shown}, mode {mode:o}"), &advice)
}

fn secret_file(name: &str, path: &Path) -> Check {
    let shown = path.display();
    let Ok(meta) = std::fs::metadata(path) else {
        return Check::fail(name, format!("{shown} is not there"), "correct the setting, or make the file");
    };
    let mode = meta.permissions().mode() & 0o777;
    if std::fs::File::open(path).is_err() {
        return Check::fail(
            name,
            format!("{shown} cannot be read by this user"),
            format!("chown it, mode 600: {shown}"),
        );
    }
    Check::good(name, mode & OTHERS == 0, format!("{shown}, mode {mode:o}"), &format!("chmod 600 {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn little_room_is_told_before_there_is_none() {
        let at = |free| room("disk", Path::new("/x"), free).verdict;
        assert_eq!(at(1024), Verdict::Fail);
        assert_eq!(at(1024 * 1024 * 1024), Verdict::Warn);
        assert_eq!(at(100 * 1024 * 1024 * 1024), Verdict::Ok);
    }
}
