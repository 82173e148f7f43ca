//! The settings of guests' way out, as hosts take them.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, ensure};
use tasklane_domain::egress::{NETWORKS_MAX, Network, Policy, RULES_MAX, Rule};
use tasklane_host::{EgressSettings, EgressTimeouts, NameServer};

use super::{Settings, millis};

/// The port of DNS servers.
const DNS_PORT: u16 = 53;
/// Bounds of the times, in milliseconds: an hour, which is the longest that attempts last.
const TIMEOUT_ALLOWED_MS: std::ops::RangeInclusive<u64> = 1..=3_600_000;

impl Settings {
    /// The way out for guests.
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub(crate) fn guest_egress(&self) -> anyhow::Result<EgressSettings> {
        let default = EgressSettings::default();
        let times = EgressTimeouts::default();
        for (name, given) in [
            ("egress_connect_timeout_ms", self.egress_connect_timeout_ms),
            ("egress_answer_timeout_ms", self.egress_answer_timeout_ms),
        ] {
            ensure!(given.is_none_or(|ms| TIMEOUT_ALLOWED_MS.contains(&ms)), "{name} must be from 1 to 3600000");
        }
        Ok(EgressSettings {
            policy: self.guest_policy()?,
            name_server: self.egress_dns.as_deref().map_or(Ok(NameServer::System), name_server)?,
            ca_file: self.egress_ca_file.clone(),
            timeouts: EgressTimeouts {
                connect: millis(self.egress_connect_timeout_ms, times.connect),
                first_byte: millis(self.egress_answer_timeout_ms, times.first_byte),
                between_bytes: millis(self.egress_answer_timeout_ms, times.between_bytes),
            },
            concurrent_max: self.egress_concurrent_max.unwrap_or(default.concurrent_max),
            connections_max: self.egress_connections_max.unwrap_or(default.connections_max),
        })
    }

    fn guest_policy(&self) -> anyhow::Result<Policy> {
        let networks = self.egress_grant_networks.iter().flatten().map(|text| text.trim().parse());
        let networks: Vec<Network> = networks.collect::<Result<_, _>>().context("egress_grant_networks")?;
        ensure!(networks.len() <= NETWORKS_MAX, "egress_grant_networks: at most {NETWORKS_MAX} networks");
        let Some(texts) = &self.egress_allow else { return Ok(Policy::guests(networks)) };
        let rules = texts.iter().map(|text| text.trim().parse());
        let rules: Vec<Rule> = rules.collect::<Result<_, _>>().context("egress_allow")?;
        ensure!(rules.len() <= RULES_MAX, "egress_allow: at most {RULES_MAX} rules");
        Ok(Policy::new(rules, networks))
    }
}

fn name_server(text: &str) -> anyhow::Result<NameServer> {
    let address =
        text.parse::<SocketAddr>().or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT)));
    let address = address.with_context(|| format!("egress_dns: `{text}` is not an address such as 10.0.0.2:53"))?;
    Ok(NameServer::At(address))
}

#[cfg(test)]
mod tests {
    use tasklane_domain::egress::{Method, Target};

    use super::*;

    #[test]
    fn guests_reach_no_inner_network_even_in_dev() {
        let allows = |settings: &Settings, url: &str| {
            let policy = settings.guest_egress().unwrap().policy;
            policy.check_target(&Target::parse(url).unwrap(), Method::Post).is_ok()
        };
        for usual in [Settings::default(), Settings::default().for_dev()] {
            assert!(allows(&usual, "https://example.com/") && allows(&usual, "http://example.com:81/"));
            assert!(!allows(&usual, "http://127.0.0.1/") && !allows(&usual, "https://169.254.169.254/"));
        }
        let given = Settings {
            egress_allow: Some(vec!["https://*.example.com".to_owned()]),
            egress_grant_networks: Some(vec!["10.0.0.0/8".to_owned()]),
            ..Settings::default()
        };
        assert!(allows(&given, "https://a.example.com/") && !allows(&given, "https://example.org/"));
        assert!(given.guest_egress().unwrap().policy.check_address([10, 0, 0, 1].into()).is_ok());
    }

    #[test]
    fn wrong_settings_are_named() {
        let text = |text: &str| Some(vec![text.to_owned()]);
        let table = [
            (Settings { egress_allow: text("example.com"), ..Settings::default() }, "egress_allow"),
            (Settings { egress_grant_networks: text("10.0.0.1/8"), ..Settings::default() }, "egress_grant_networks"),
            (Settings { egress_dns: Some("dns.test".to_owned()), ..Settings::default() }, "egress_dns"),
            (Settings { egress_connect_timeout_ms: Some(0), ..Settings::default() }, "egress_connect_timeout_ms"),
            (Settings { egress_answer_timeout_ms: Some(u64::MAX), ..Settings::default() }, "egress_answer_timeout_ms"),
        ];
        for (settings, name) in table {
            let error = format!("{:#}", settings.guest_egress().unwrap_err());
            assert!(error.contains(name), "{error}");
        }
        let dns = |text: &str| Settings { egress_dns: Some(text.to_owned()), ..Settings::default() }.guest_egress();
        assert_eq!(dns("10.0.0.2").unwrap().name_server, NameServer::At(([10, 0, 0, 2], 53).into()));
        assert_eq!(dns("[::1]:5353").unwrap().name_server, NameServer::At("[::1]:5353".parse().unwrap()));
    }
}
