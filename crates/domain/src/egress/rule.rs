//! A rule of an allow-list: `[METHODS ]scheme://host[:port]`.
//!
//! `https://api.example.com` allows port 443 and every method, `https://*.example.com:8443` names below that one, `https://*:*` any
//! host on any port, `GET|HEAD http://10.0.0.7:8080` two methods.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::target::{Host, Scheme, Target, TargetError};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// Read.
    Get,
    /// Read the headers.
    Head,
    /// Send.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
    /// Ask what is possible.
    Options,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 7] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options];

    /// The method of that name, as in a request.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// As in a request.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// `*`: every name and address.
    Any,
    /// `*.example.com`: every name below that one, however deep, without itself.
    Below(String),
    /// This one.
    Exactly(Host),
}

impl HostPattern {
    fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Exactly(wanted), host) => wanted == host,
            (Self::Below(parent), Host::Name(name)) => {
                name.strip_suffix(parent.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            (Self::Below(_), Host::Address(_)) => false,
        }
    }
}

/// Which ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortPattern {
    /// `*`.
    Any,
    /// This one.
    Exactly(u16),
}

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    scheme: Scheme,
    host: HostPattern,
    port: PortPattern,
    /// Empty: all.
    methods: BTreeSet<Method>,
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// It has another form.
    #[error(
        "the rule `{0}` is not of the form `[METHOD|METHOD ]scheme://host[:port]`, such as `https://*.example.com:443`"
    )]
    Form(String),
    /// There is no such method.
    #[error("the rule `{rule}` names the method `{method}`; known are GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS")]
    Method {
        /// The rule.
        rule: String,
        /// What it names.
        method: String,
    },
    /// Its host or port cannot be one.
    #[error("in the rule `{rule}`: {why}")]
    Target {
        /// The rule.
        rule: String,
        /// What is wrong.
        #[source]
        why: TargetError,
    },
}

impl Rule {
    /// HTTPS to any host, on any port.
    #[must_use]
    pub const fn https_anywhere() -> Self {
        Self { scheme: Scheme::Https, host: HostPattern::Any, port: PortPattern::Any, methods: BTreeSet::new() }
    }

    /// Any host, any port, any method.
    #[must_use]
    pub const fn anywhere(scheme: Scheme) -> Self {
        Self { scheme, host: HostPattern::Any, port: PortPattern::Any, methods: BTreeSet::new() }
    }

    /// Whether it allows that.
    #[must_use]
    pub fn allows(&self, target: &Target, method: Method) -> bool {
        let port = match self.port {
            PortPattern::Any => true,
            PortPattern::Exactly(port) => port == target.port(),
        };
        let method = self.methods.is_empty() || self.methods.contains(&method);
        self.scheme == target.scheme() && port && method && self.host.matches(target.host())
    }
}

fn methods(rule: &str, text: &str) -> Result<BTreeSet<Method>, RuleError> {
    let find = |name: &str| {
        Method::named(name).ok_or_else(|| RuleError::Method { rule: rule.to_owned(), method: name.to_owned() })
    };
    text.split('|').map(find).collect()
}

/// Host and port, where a colon inside brackets belongs to the address.
fn split_port(place: &str) -> (&str, Option<&str>) {
    match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (place, None),
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let form = || RuleError::Form(text.chars().take(200).collect());
        let (named, place) = text.split_once(' ').map_or((None, text), |(named, place)| (Some(named), place));
        let methods = named.map(|named| methods(text, named)).transpose()?.unwrap_or_default();
        let (scheme, place) = place.split_once("://").ok_or_else(form)?;
        if place.contains(['/', '?', '#', '@']) {
            return Err(form());
        }
        let (host, port) = split_port(place);
        let any_host = host == "*";
        let below = host.strip_prefix("*.");
        let any_port = port == Some("*");
        // Read as a URL would be, so that both are in the same form.
        let host = if any_host { "any" } else { below.unwrap_or(host) };
        let port = port.filter(|_| !any_port).map(|port| format!(":{port}")).unwrap_or_default();
        let read = Target::parse(&format!("{scheme}://{host}{port}/"));
        let target = read.map_err(|why| RuleError::Target { rule: text.to_owned(), why })?;
        let host = match (any_host, below, target.host()) {
            (true, _, _) => HostPattern::Any,
            (false, Some(_), Host::Name(name)) => HostPattern::Below(name.clone()),
            (false, Some(_), Host::Address(_)) => return Err(form()),
            (false, None, host) => HostPattern::Exactly(host.clone()),
        };
        let port = if any_port { PortPattern::Any } else { PortPattern::Exactly(target.port()) };
        Ok(Self { scheme: target.scheme(), host, port, methods })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods: Vec<&str> = self.methods.iter().map(|method| method.as_str()).collect();
        let space = if methods.is_empty() { "" } else { " " };
        write!(f, "{}{space}{}://", methods.join("|"), self.scheme.as_str())?;
        match &self.host {
            HostPattern::Any => f.write_str("*")?,
            HostPattern::Below(parent) => write!(f, "*.{parent}")?,
            HostPattern::Exactly(host) => write!(f, "{host}")?,
        }
        match self.port {
            PortPattern::Any => f.write_str(":*"),
            PortPattern::Exactly(port) => write!(f, ":{port}"),
        }
    }
}
