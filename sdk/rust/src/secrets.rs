//! Secrets that an operator has set. The manifest must grant each: `[permissions] secrets = ["stripe-key"]`.

use std::fmt;

use crate::HostError;

/// A revealed value. It hides itself from `Debug`, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value as text, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([hidden])")
    }
}

/// The value as it is now. From now on the host masks it in this attempt's log and errors.
///
/// # Errors
/// [`HostError`] says why it cannot be had; `invalid` where nobody has set it.
pub fn get(name: &str) -> Result<Secret, HostError> {
    #[cfg(target_family = "wasm")]
    let found = crate::guest::secret(name)?;
    #[cfg(not(target_family = "wasm"))]
    let found = crate::testing::secret(name);
    let unset = || HostError {
        code: "invalid",
        message: format!("nobody has set the secret `{name}`: taskctl secrets set {name}"),
    };
    found.map(Secret).ok_or_else(unset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_had_and_hides_itself() {
        crate::testing::set_secret("stripe-key", b"hunter2");
        let secret = get("stripe-key").unwrap();
        assert_eq!((secret.text(), secret.bytes()), (Some("hunter2"), &b"hunter2"[..]));
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert!(get("other").unwrap_err().message.contains("taskctl secrets set other"));
    }
}
