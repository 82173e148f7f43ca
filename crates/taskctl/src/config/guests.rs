//! The settings of what guests ask for while they run: keys and values, secrets.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context, ensure};
use tasklane_domain::kv::{KvLimits, VALUE_BYTES_MAX};
use tasklane_seal::KeyRing;

use super::Settings;

/// Name of the key file that `dev` makes in its data directory.
pub(crate) const DEV_KEY_FILE: &str = "secrets.key";

impl Settings {
    /// What a store of keys and values may hold.
    ///
    /// # Errors
    /// Names the setting that is out of bounds.
    pub(crate) fn kv(&self) -> anyhow::Result<KvLimits> {
        let default = KvLimits::default();
        let limits = KvLimits {
            value_bytes: self.kv_value_bytes_max.unwrap_or(default.value_bytes),
            store_keys: self.kv_store_keys_max.unwrap_or(default.store_keys),
            store_bytes: self.kv_store_bytes_max.unwrap_or(default.store_bytes),
        };
        let value_fits = (1..=VALUE_BYTES_MAX).contains(&limits.value_bytes);
        ensure!(value_fits, "`kv_value_bytes_max` must be from 1 to {VALUE_BYTES_MAX}");
        Ok(limits)
    }

    /// What seals secrets; nothing where nothing is configured.
    ///
    /// # Errors
    /// When the key file cannot be read, or holds what is no key. The error never has a part of a key.
    pub(crate) fn secret_keys(&self) -> anyhow::Result<KeyRing> {
        let (name, text) = match (&self.secrets_key, &self.secrets_key_file) {
            (Some(text), _) => ("secrets_key".to_owned(), text.replace(',', "\n")),
            (None, Some(file)) => (format!("secrets_key_file {}", file.display()), read(file)?),
            (None, None) => return Ok(KeyRing::default()),
        };
        KeyRing::parse(&text).context(name)
    }

    /// `dev` makes itself a key where none is configured: kept in its data directory, readable for its user only.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn make_dev_key(&mut self, dir: &Path) -> anyhow::Result<()> {
        if self.secrets_key.is_some() || self.secrets_key_file.is_some() {
            return Ok(());
        }
        let path = dir.join(DEV_KEY_FILE);
        if !path.exists() {
            let line = KeyRing::generate_line()?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(format!("{line}\n").as_bytes())?;
        }
        self.secrets_key_file = Some(path);
        Ok(())
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read secrets_key_file {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_a_file_or_a_variable_and_mistakes_are_named_without_them() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Settings::default().secret_keys().unwrap().current().is_none());
        let file = dir.path().join("keys");
        let with = |file: &Path| Settings { secrets_key_file: Some(file.to_owned()), ..Settings::default() };
        assert!(format!("{:#}", with(&file).secret_keys().unwrap_err()).contains("secrets_key_file"));
        std::fs::write(&file, "c2hvcnQ=\n").unwrap();
        let error = format!("{:#}", with(&file).secret_keys().unwrap_err());
        assert!(error.contains("line 1") && !error.contains("c2hvcnQ"), "{error}");
        let line = KeyRing::generate_line().unwrap();
        let both = format!("{line},{}", KeyRing::generate_line().unwrap());
        let variable = Settings { secrets_key: Some(both), ..Settings::default() };
        assert!(variable.secret_keys().unwrap().current().is_some());
        assert!(!variable.redacted().contains(&line), "a key is shown");
    }

    #[test]
    fn dev_makes_one_key_and_keeps_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let id = || {
            let mut settings = Settings::default();
            settings.make_dev_key(dir.path()).unwrap();
            settings.secret_keys().unwrap().current().cloned()
        };
        assert!(id().is_some());
        assert_eq!(id(), id());
        let mode = std::fs::metadata(dir.path().join(DEV_KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn limits_of_stores_have_bounds() {
        let with = |bytes| Settings { kv_value_bytes_max: Some(bytes), ..Settings::default() }.kv();
        assert!(with(1024).is_ok() && with(0).is_err() && with(VALUE_BYTES_MAX + 1).is_err());
    }
}
