//! Walls by name, how each of them stands, and what is done when one cannot be raised.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What happens when a wall cannot be raised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    /// The process does not start.
    Strict,
    /// It starts, and says which are missing.
    #[default]
    BestEffort,
    /// No wall is raised.
    Off,
}

/// One wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wall {
    /// Resource limits: no core dumps, bounded descriptors; for a compile child memory and CPU time.
    Limits,
    /// No capability, also for root.
    Capabilities,
    /// No program that it starts can gain privileges.
    NoNewPrivileges,
    /// A network namespace of its own, with nothing in it; compile children only.
    Network,
    /// Files, and ports to listen on.
    Landlock,
    /// System calls.
    Seccomp,
}

/// A word that is no sandbox or wall.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is none of {1}")]
pub struct UnknownWord(String, &'static str);

impl Sandbox {
    /// Its name in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::BestEffort => "best_effort",
            Self::Off => "off",
        }
    }
}

impl FromStr for Sandbox {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Strict, Self::BestEffort, Self::Off];
        let found = all.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| UnknownWord(text.to_owned(), "strict, best_effort, off"))
    }
}

impl Wall {
    /// Its name in settings and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limits => "limits",
            Self::Capabilities => "capabilities",
            Self::NoNewPrivileges => "no_new_privileges",
            Self::Network => "network",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Wall {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all =
            [Self::Limits, Self::Capabilities, Self::NoNewPrivileges, Self::Network, Self::Landlock, Self::Seccomp];
        let names = "limits, capabilities, no_new_privileges, network, landlock, seccomp";
        all.into_iter().find(|one| one.as_str() == text).ok_or_else(|| UnknownWord(text.to_owned(), names))
    }
}

/// How a wall stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WallState {
    /// Whole.
    On,
    /// What this kernel has of it.
    Partial,
    /// It could not be raised.
    Missing,
    /// The operator does not want it.
    Off,
}

impl WallState {
    /// Its name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Partial => "partial",
            Self::Missing => "missing",
            Self::Off => "off",
        }
    }
}

/// One wall and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WallStatus {
    /// Which.
    pub wall: Wall,
    /// How it stands.
    pub state: WallState,
    /// Why it is not whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// All walls of one process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walls(pub Vec<WallStatus>);

impl Walls {
    /// Those that are not whole, for a warning. What the operator does not want is not among them.
    pub fn wanting(&self) -> impl Iterator<Item = &WallStatus> {
        self.0.iter().filter(|one| matches!(one.state, WallState::Missing | WallState::Partial))
    }

    /// How a wall stands.
    #[must_use]
    pub fn state(&self, wall: Wall) -> Option<WallState> {
        self.0.iter().find(|one| one.wall == wall).map(|one| one.state)
    }
}

/// Why a process may not go on.
#[derive(Debug, thiserror::Error)]
pub enum JailError {
    /// The sandbox is strict, and a wall could not be raised.
    #[error("the sandbox is strict, and this machine lacks: {0}. Set `sandbox = \"best_effort\"` to go on without")]
    Missing(String),
    /// A resource limit could not be set.
    #[error("a resource limit could not be set: {0}")]
    Limits(String),
}

/// Whole, or what is lacking of it.
pub(crate) type Raised = Result<Option<String>, String>;

/// Raises walls one after the other.
pub(crate) struct Builder<'a> {
    sandbox: Sandbox,
    without: &'a [Wall],
    walls: Walls,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(sandbox: Sandbox, without: &'a [Wall]) -> Self {
        Self { sandbox, without, walls: Walls::default() }
    }

    pub(crate) fn raise(&mut self, wall: Wall, raise: impl FnOnce() -> Raised) {
        let is_unwanted = self.sandbox == Sandbox::Off || self.without.contains(&wall);
        let (state, detail) = match if is_unwanted { None } else { Some(raise()) } {
            None => (WallState::Off, None),
            Some(Ok(None)) => (WallState::On, None),
            Some(Ok(Some(lacking))) => (WallState::Partial, Some(lacking)),
            Some(Err(why)) => (WallState::Missing, Some(why)),
        };
        self.walls.0.push(WallStatus { wall, state, detail });
    }

    pub(crate) fn done(self) -> Result<Walls, JailError> {
        let missing = self.walls.0.iter().filter(|one| one.state == WallState::Missing);
        let missing: Vec<String> =
            missing.map(|one| format!("{} ({})", one.wall, one.detail.as_deref().unwrap_or("?"))).collect();
        if self.sandbox == Sandbox::Strict && !missing.is_empty() {
            return Err(JailError::Missing(missing.join(", ")));
        }
        Ok(self.walls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_sandbox_accepts_part_of_a_wall_but_not_none() {
        for (sandbox, stands) in [(Sandbox::Strict, false), (Sandbox::BestEffort, true), (Sandbox::Off, true)] {
            let mut walls = Builder::new(sandbox, &[]);
            walls.raise(Wall::Seccomp, || Ok(Some("half".to_owned())));
            walls.raise(Wall::Landlock, || Err("not in this kernel".to_owned()));
            assert_eq!(walls.done().is_ok(), stands, "{sandbox:?}");
        }
    }

    #[test]
    fn what_the_operator_leaves_out_is_off_and_not_missing() {
        let mut walls = Builder::new(Sandbox::Strict, &[Wall::Landlock]);
        walls.raise(Wall::Landlock, || Err("not in this kernel".to_owned()));
        let walls = walls.done().unwrap();
        assert_eq!(walls.state(Wall::Landlock), Some(WallState::Off));
        assert_eq!(walls.wanting().count(), 0);
    }

    #[test]
    fn words_are_the_same_in_settings_and_answers() {
        assert_eq!("best_effort".parse::<Sandbox>().unwrap(), Sandbox::BestEffort);
        assert_eq!("no_new_privileges".parse::<Wall>().unwrap().as_str(), "no_new_privileges");
        assert!("moat".parse::<Wall>().unwrap_err().to_string().contains("seccomp"));
    }
}
