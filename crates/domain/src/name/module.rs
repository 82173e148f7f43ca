//! What a module is called in the whole cluster: its own name, and the namespace that owns it.
//!
//! Used wherever a module is named: rows, orders, caches, rules, events. Guarantees: two namespaces never have one full name; a full name
//! is safe as a file name's or URL's part once its one slash is escaped, and its two parts are safe as tokens of a NATS subject.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{NameError, Namespace, check_token};

/// Stands between the namespace and the module's own name, which neither of them can hold.
const SEPARATOR: char = '/';
const WHAT: &str = "module name";

/// A module's full name: `resize` in the namespace `default`, `acme/resize` in another. Both parts are 1 to 64 bytes of
/// `a-z 0-9 - _`, starting with a letter; `default/resize` reads as `resize`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModuleName(Arc<str>);

/// A module of one namespace was named where those of another are meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{module}` is a module of another namespace; here those of `{namespace}` can be named")]
pub struct Crossed {
    /// As it was named.
    pub module: String,
    /// Whose modules are meant.
    pub namespace: Namespace,
}

/// Why a text names no module of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// It is no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It names one of another namespace.
    #[error(transparent)]
    Crossed(#[from] Crossed),
}

impl ModuleName {
    fn of(namespace: &Namespace, bare: &str) -> Self {
        if *namespace == Namespace::default() {
            return Self(bare.into());
        }
        Self(format!("{namespace}{SEPARATOR}{bare}").into())
    }

    /// What a request of `namespace` means by `text`: a bare name is its own module, a full name must say the same namespace.
    ///
    /// # Errors
    /// [`PlaceError`], when it is no name, or one of another namespace.
    pub fn within(text: &str, namespace: &Namespace) -> Result<Self, PlaceError> {
        let name: Self = text.parse()?;
        if !text.contains(SEPARATOR) {
            return Ok(Self::of(namespace, name.bare()));
        }
        if name.is_in(namespace) { Ok(name) } else { Err(Self::crossed(text, namespace).into()) }
    }

    /// The module that a manifest with this name is in `namespace`.
    ///
    /// # Errors
    /// [`Crossed`], when it is the full name of another namespace's.
    pub fn placed_in(&self, namespace: &Namespace) -> Result<Self, Crossed> {
        if self.0.contains(SEPARATOR) && !self.is_in(namespace) {
            return Err(Self::crossed(&self.0, namespace));
        }
        Ok(Self::of(namespace, self.bare()))
    }

    fn crossed(module: &str, namespace: &Namespace) -> Crossed {
        Crossed { module: module.to_owned(), namespace: namespace.clone() }
    }

    /// The full name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What its namespace calls it.
    #[must_use]
    pub fn bare(&self) -> &str {
        self.0.split_once(SEPARATOR).map_or(&*self.0, |(_, bare)| bare)
    }

    /// What its namespace calls it, as a name. Only for what is in a room of the namespace's own.
    #[must_use]
    pub fn local(&self) -> Self {
        Self(self.bare().into())
    }

    /// Who owns it.
    #[must_use]
    pub fn namespace(&self) -> Namespace {
        match self.0.split_once(SEPARATOR) {
            // Was checked when the name was read.
            Some((namespace, _)) => Namespace(namespace.into()),
            None => Namespace::default(),
        }
    }

    /// Whether this namespace owns it.
    #[must_use]
    pub fn is_in(&self, namespace: &Namespace) -> bool {
        match self.0.split_once(SEPARATOR) {
            Some((owner, _)) => owner == namespace.as_str(),
            None => namespace.as_str() == Namespace::DEFAULT,
        }
    }
}

/// The module's own name of a name that may be full, whether it can be read or not.
#[must_use]
pub fn bare(name: &str) -> &str {
    name.split_once(SEPARATOR).map_or(name, |(_, bare)| bare)
}

impl FromStr for ModuleName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let Some((namespace, bare)) = text.split_once(SEPARATOR) else {
            check_token(WHAT, text)?;
            return Ok(Self(text.into()));
        };
        let namespace: Namespace = namespace.parse()?;
        check_token(WHAT, bare)?;
        Ok(Self::of(&namespace, bare))
    }
}

impl TryFrom<String> for ModuleName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ModuleName> for String {
    fn from(name: ModuleName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(text: &str) -> Namespace {
        text.parse().unwrap()
    }

    fn name(text: &str) -> ModuleName {
        text.parse().unwrap()
    }

    #[test]
    fn a_full_name_has_two_parts() {
        let full = name("acme/resize");
        assert_eq!(
            (full.bare(), full.namespace(), full.to_string().as_str()),
            ("resize", namespace("acme"), "acme/resize")
        );
        assert!(full.is_in(&namespace("acme")) && !full.is_in(&Namespace::default()) && !full.is_in(&namespace("acm")));
        assert_eq!(full.local(), name("resize"));
        let plain = name("resize");
        assert_eq!((plain.bare(), plain.namespace()), ("resize", Namespace::default()));
        assert!(plain.is_in(&Namespace::default()) && !plain.is_in(&namespace("acme")));
        assert_eq!(name("default/resize"), plain, "one module has one full name");
        assert_ne!(name("a/b").to_string(), name("b").to_string());
    }

    #[test]
    fn what_is_no_full_name_is_refused() {
        for bad in ["/", "a/", "/a", "a/b/c", "A/b", "a/B", "a//b", "a/../b", "default/", "a/b\n", "a\\b", "a%2Fb"] {
            assert!(bad.parse::<ModuleName>().is_err(), "{bad:?} was taken");
        }
        let long = "a".repeat(64);
        assert!(format!("{long}/{long}").parse::<ModuleName>().is_ok());
        assert!(format!("{long}/{long}a").parse::<ModuleName>().is_err());
    }

    #[test]
    fn a_request_names_modules_of_its_own_namespace() {
        let acme = namespace("acme");
        assert_eq!(ModuleName::within("resize", &acme), Ok(name("acme/resize")));
        assert_eq!(ModuleName::within("acme/resize", &acme), Ok(name("acme/resize")));
        assert_eq!(ModuleName::within("default/resize", &Namespace::default()), Ok(name("resize")));
        for other in ["beta/resize", "default/resize"] {
            let refused = ModuleName::within(other, &acme);
            assert!(matches!(refused, Err(PlaceError::Crossed(_))), "{other}: {refused:?}");
        }
        assert!(matches!(ModuleName::within("acme/resize", &Namespace::default()), Err(PlaceError::Crossed(_))));
        assert!(matches!(ModuleName::within("Re size", &acme), Err(PlaceError::Name(_))));
    }

    #[test]
    fn a_manifest_gets_the_namespace_of_its_deployer() {
        let acme = namespace("acme");
        assert_eq!(name("resize").placed_in(&acme), Ok(name("acme/resize")));
        assert_eq!(name("acme/resize").placed_in(&acme), Ok(name("acme/resize")));
        assert_eq!(name("resize").placed_in(&Namespace::default()), Ok(name("resize")));
        assert!(name("beta/resize").placed_in(&acme).is_err());
        assert!(name("acme/resize").placed_in(&Namespace::default()).is_err());
    }
}
