//! Roles in namespaces, and the comparison with what is asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Asked, Role};
use crate::name::{NameError, Namespace};

/// Most namespaces that one token names.
pub const GRANTS_MAX: usize = 64;

/// How every namespace is written.
const ALL: &str = "*";

/// Where a role holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// In all namespaces, written `*`.
    Everywhere,
    /// In one.
    Namespace(Namespace),
}

impl FromStr for Scope {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == ALL { Ok(Self::Everywhere) } else { text.parse().map(Self::Namespace) }
    }
}

impl TryFrom<String> for Scope {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => f.pad(ALL),
            Self::Namespace(name) => fmt::Display::fmt(name, f),
        }
    }
}

/// Somebody's roles: at least one, at most [`GRANTS_MAX`]. As JSON `{"acme": "deployer", "*": "viewer"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Scope, Role>", into = "BTreeMap<Scope, Role>")]
pub struct Grants(BTreeMap<Scope, Role>);

/// No such set of roles can be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantsError {
    /// Nothing is granted.
    #[error("a token needs a role in at least one namespace, such as acme=submitter")]
    Empty,
    /// Too much to look through.
    #[error("{0} namespaces are named; {GRANTS_MAX} is the limit, and `*` stands for all")]
    TooMany(usize),
}

/// Somebody may not do what they ask for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The role is less than is needed there.
    #[error("this needs the role {least} in namespace `{namespace}`")]
    InNamespace {
        /// What is needed.
        least: Role,
        /// Where.
        namespace: Namespace,
    },
    /// The role is needed in all namespaces.
    #[error("this needs the role {0} in all namespaces (`*`)")]
    Everywhere(Role),
    /// The role is needed somewhere.
    #[error("this needs the role {0} in a namespace")]
    Anywhere(Role),
}

impl TryFrom<BTreeMap<Scope, Role>> for Grants {
    type Error = GrantsError;

    fn try_from(grants: BTreeMap<Scope, Role>) -> Result<Self, GrantsError> {
        match grants.len() {
            0 => Err(GrantsError::Empty),
            1..=GRANTS_MAX => Ok(Self(grants)),
            many => Err(GrantsError::TooMany(many)),
        }
    }
}

impl From<Grants> for BTreeMap<Scope, Role> {
    fn from(grants: Grants) -> Self {
        grants.0
    }
}

impl Grants {
    /// One role in all namespaces.
    #[must_use]
    pub fn everywhere(role: Role) -> Self {
        Self(BTreeMap::from([(Scope::Everywhere, role)]))
    }

    /// One role in one namespace.
    #[must_use]
    pub fn within(namespace: Namespace, role: Role) -> Self {
        Self(BTreeMap::from([(Scope::Namespace(namespace), role)]))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Scope, Role)> {
        self.0.iter().map(|(scope, role)| (scope, *role))
    }

    /// The role that holds in every namespace.
    #[must_use]
    pub fn in_all(&self) -> Option<Role> {
        self.0.get(&Scope::Everywhere).copied()
    }

    /// The greatest role in a namespace.
    #[must_use]
    pub fn role_in(&self, namespace: &Namespace) -> Option<Role> {
        let own = self.0.iter().find(|(scope, _)| matches!(scope, Scope::Namespace(name) if name == namespace));
        own.map(|(_, role)| *role).max(self.in_all())
    }

    /// The one namespace that a request without any speaks of: where there is no other, and no role in all.
    #[must_use]
    pub fn home(&self) -> Option<&Namespace> {
        let mut all = self.0.keys();
        match (all.next(), all.next()) {
            (Some(Scope::Namespace(only)), None) => Some(only),
            _ => None,
        }
    }

    /// Whether `least` is had where it is asked for.
    ///
    /// # Errors
    /// [`Denied`], which says what would be needed.
    pub fn permit(&self, least: Role, asked: &Asked) -> Result<(), Denied> {
        let (had, denied) = match asked {
            Asked::Anywhere => (self.0.values().copied().max(), Denied::Anywhere(least)),
            Asked::Everywhere => (self.in_all(), Denied::Everywhere(least)),
            Asked::Namespace(name) => (self.role_in(name), Denied::InNamespace { least, namespace: name.clone() }),
        };
        if had.is_some_and(|had| had >= least) { Ok(()) } else { Err(denied) }
    }

    /// Whether who has these may give away `others`: only what an admin has, where they are one.
    ///
    /// # Errors
    /// [`Denied`] for the first that they may not.
    pub fn may_give(&self, others: &Self) -> Result<(), Denied> {
        others.0.keys().try_for_each(|scope| match scope {
            Scope::Everywhere => self.permit(Role::Admin, &Asked::Everywhere),
            Scope::Namespace(name) => self.permit(Role::Admin, &Asked::Namespace(name.clone())),
        })
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(scope, role)| format!("{scope}={role}")).collect();
        f.pad(&pairs.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Namespace {
        text.parse().unwrap()
    }

    fn in_(text: &str) -> Asked {
        Asked::Namespace(name(text))
    }

    fn grants(text: &str) -> Grants {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_role_holds_where_it_was_given() {
        let some = grants(r#"{"acme": "deployer", "beta": "viewer"}"#);
        assert_eq!(some.permit(Role::Deployer, &in_("acme")), Ok(()));
        assert_eq!(
            some.permit(Role::Submitter, &in_("beta")).unwrap_err().to_string(),
            "this needs the role submitter in namespace `beta`"
        );
        assert!(some.permit(Role::Viewer, &in_("other")).is_err());
        assert!(some.permit(Role::Viewer, &Asked::Everywhere).is_err());
        assert_eq!(some.permit(Role::Deployer, &Asked::Anywhere), Ok(()));
        assert!(some.permit(Role::Admin, &Asked::Anywhere).is_err());
        assert_eq!(some.home(), None);
        let all = grants(r#"{"*": "viewer", "acme": "admin"}"#);
        assert_eq!(all.permit(Role::Viewer, &in_("other")), Ok(()));
        assert_eq!(all.permit(Role::Admin, &in_("acme")), Ok(()));
        assert!(all.permit(Role::Operator, &Asked::Everywhere).is_err());
        assert_eq!(all.home(), None);
        assert_eq!(grants(r#"{"acme": "viewer"}"#).home(), Some(&name("acme")));
    }

    #[test]
    fn nobody_gives_away_more_than_an_admin_of_it() {
        let tenant = grants(r#"{"acme": "admin", "beta": "deployer"}"#);
        assert_eq!(tenant.may_give(&grants(r#"{"acme": "admin"}"#)), Ok(()));
        for more in [r#"{"beta": "viewer"}"#, r#"{"*": "viewer"}"#, r#"{"acme": "viewer", "other": "viewer"}"#] {
            assert!(tenant.may_give(&grants(more)).is_err(), "{more}");
        }
        assert_eq!(Grants::everywhere(Role::Admin).may_give(&grants(r#"{"*": "admin", "x": "viewer"}"#)), Ok(()));
    }

    #[test]
    fn what_is_no_set_of_roles_is_refused() {
        for text in ["{}", r#"{"acme": "king"}"#, r#"{"A": "viewer"}"#, "[]", r#"{"": "viewer"}"#] {
            assert!(serde_json::from_str::<Grants>(text).is_err(), "{text}");
        }
        let many: BTreeMap<_, _> =
            (0..=GRANTS_MAX).map(|n| (Scope::Namespace(name(&format!("n{n}"))), Role::Viewer)).collect();
        assert_eq!(Grants::try_from(many), Err(GrantsError::TooMany(GRANTS_MAX + 1)));
    }

    fn any_grants() -> impl Strategy<Value = Grants> {
        let scope = prop_oneof![Just(Scope::Everywhere), "[a-c]".prop_map(|text| Scope::Namespace(name(&text)))];
        prop::collection::btree_map(scope, prop::sample::select(Role::ALL.to_vec()), 1..4)
            .prop_map(|map| Grants::try_from(map).unwrap())
    }

    proptest! {
        /// A greater need is never met where a smaller one is not, and what holds everywhere holds in each.
        #[test]
        fn permission_is_monotonous(grants in any_grants(), least in prop::sample::select(Role::ALL.to_vec()), at in "[a-d]") {
            let here = in_(&at);
            for less in Role::ALL.into_iter().filter(|role| *role <= least) {
                prop_assert!(grants.permit(least, &here).is_err() || grants.permit(less, &here).is_ok());
            }
            if grants.permit(least, &Asked::Everywhere).is_ok() {
                prop_assert!(grants.permit(least, &here).is_ok());
            }
            if grants.permit(least, &here).is_ok() {
                prop_assert!(grants.permit(least, &Asked::Anywhere).is_ok());
            }
        }
    }
}
