//! What is to be called: a URL, read the way browsers read it, in one form.
//!
//! Guarantees: a [`Target`] is what will be connected to. The forms of IPv4 addresses that only some programs read (decimal, octal,
//! hexadecimal, short) have become plain addresses; a name is in lower case ASCII without a dot at its end; there is no user, password
//! or fragment, and no character that one reader drops and another keeps.

use std::fmt;
use std::net::IpAddr;

use url::Url;

/// Longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 2048;
/// Longest host name, in bytes, and longest part of one.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of a URL that names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// To be resolved.
    Name(String),
    /// Not to be resolved.
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// What is wrong with a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is too long.
    #[error("the URL has {0} bytes; at most {URL_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// It has white space, a control character or a backslash, which readers of URLs take in different ways.
    #[error("the URL contains {0:?}: escape it, or leave it out")]
    Character(char),
    /// It cannot be read.
    #[error("the URL cannot be read: {0}")]
    Unreadable(String),
    /// It is neither http nor https.
    #[error("the URL's scheme is `{0}`; http and https can be called")]
    Scheme(String),
    /// It has a user or a password.
    #[error("the URL names a user or password, which would be kept and logged: leave them out")]
    UserInfo,
    /// It has a fragment.
    #[error("the URL has a part after `#`, which is never sent: leave it out")]
    Fragment,
    /// Its host is not a name.
    #[error("the URL's host `{0}` is not a name of the DNS")]
    Host(String),
    /// Nothing listens on port 0.
    #[error("the URL's port is 0, on which nothing listens")]
    Port,
}

/// A place to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    scheme: Scheme,
    host: Host,
    port: u16,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`TargetError`] says what cannot be called.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text.len() > URL_BYTES_MAX {
            return Err(TargetError::TooLong(text.len()));
        }
        if let Some(odd) = text.chars().find(|c| c.is_control() || c.is_whitespace() || *c == '\\') {
            return Err(TargetError::Character(odd));
        }
        let mut url = Url::parse(text).map_err(|why| TargetError::Unreadable(why.to_string()))?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(TargetError::Scheme(other.to_owned())),
        };
        // Also an empty user, which only shows as the sign.
        if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
            return Err(TargetError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        let host = host(&url)?;
        if let Host::Name(name) = &host {
            url.set_host(Some(name)).map_err(|why| TargetError::Unreadable(why.to_string()))?;
        }
        let port = url.port().unwrap_or(scheme.default_port());
        if port == 0 {
            return Err(TargetError::Port);
        }
        Ok(Self { url, scheme, host, port })
    }

    /// What is spoken.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Where.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// On which port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The whole URL, in its one form.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}:{}", self.scheme.as_str(), self.host, self.port)
    }
}

/// What stands between `//` and the path.
fn authority(text: &str) -> &str {
    let rest = text.split_once(':').map_or(text, |(_, rest)| rest).trim_start_matches('/');
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

fn host(url: &Url) -> Result<Host, TargetError> {
    match url.host() {
        Some(url::Host::Ipv4(address)) => Ok(Host::Address(address.into())),
        Some(url::Host::Ipv6(address)) => Ok(Host::Address(address.into())),
        Some(url::Host::Domain(name)) => {
            let bare = name.strip_suffix('.').unwrap_or(name);
            if is_name(bare) { Ok(Host::Name(bare.to_owned())) } else { Err(TargetError::Host(name.to_owned())) }
        }
        None => Err(TargetError::Host(String::new())),
    }
}

fn is_name(name: &str) -> bool {
    let plain = |label: &str| label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let short = |label: &str| (1..=LABEL_BYTES_MAX).contains(&label.len());
    name.len() <= NAME_BYTES_MAX && name.split('.').all(|label| short(label) && plain(label))
}
