//! What the environment says beside settings: where programs and a user's own files are, the token, and whether there may be colour.

#![expect(clippy::disallowed_methods, reason = "this is the place that reads the environment")]

use std::path::PathBuf;

use crate::secret_text::SecretText;

/// Of Tasklane in a directory of settings.
const OWN_DIR: &str = "tasklane";

fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where contexts are kept: `$XDG_CONFIG_HOME/tasklane`, or `~/.config/tasklane`. `None` where there is no home.
pub(crate) fn config_dir() -> Option<PathBuf> {
    // By the XDG specification, a path that is not absolute is to be ignored.
    let xdg = given("XDG_CONFIG_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let home = || given("HOME").map(|home| PathBuf::from(home).join(".config"));
    xdg.or_else(home).map(|dir| dir.join(OWN_DIR))
}

/// `TASKLANE_TOKEN`: no flag, which others could see.
pub(crate) fn token() -> Option<SecretText> {
    given("TASKLANE_TOKEN").map(|text| SecretText::new(text.trim()))
}

/// A variable of the environment that a flag stands for, where no command line has been read.
pub(crate) fn variable(name: &str) -> Option<String> {
    given(name)
}

/// Whether colour is wanted and understood where nothing else is said.
pub(crate) fn may_paint() -> bool {
    given("NO_COLOR").is_none() && given("TERM").is_none_or(|term| term != "dumb")
}

/// The directories of PATH, then those of a checkout.
pub(crate) fn program_dirs() -> Vec<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    dirs.push(".tools/bin".into());
    if let Ok(exe) = std::env::current_exe() {
        // target/release/taskctl of a checkout.
        dirs.extend(exe.ancestors().nth(3).map(|root| root.join(".tools/bin")));
    }
    dirs
}
