//! The settings of webhooks, as the parts that use them take them.

use std::time::Duration;

use anyhow::{Context, ensure};
use tasklane_domain::egress::{Network, Policy, Rule, Target};
use tasklane_domain::webhook::{Links, RetryPlan};
use tasklane_scheduler::WebhookSettings;
use tasklane_webhook::SenderSettings;

use super::{Settings, millis};

/// What `dev` allows beside the usual, so that a receiver on the same machine can be tried.
const DEV_RULES: [&str; 4] = ["https://*:*", "http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];
const DEV_NETWORKS: [&str; 2] = ["127.0.0.0/8", "::1/128"];
/// Bounds of the time that one delivery may take.
const TIMEOUT_ALLOWED: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(120);

fn owned(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

impl Settings {
    /// Where nothing is said, `dev` may call this machine.
    pub(super) fn allow_this_machine(&mut self) {
        self.webhook_allow = self.webhook_allow.take().or_else(|| owned(&DEV_RULES));
        self.webhook_grant_networks = self.webhook_grant_networks.take().or_else(|| owned(&DEV_NETWORKS));
    }

    /// What webhooks may call.
    ///
    /// # Errors
    /// Names the rule or network that cannot be read.
    pub(crate) fn egress(&self) -> anyhow::Result<Policy> {
        let rules = match &self.webhook_allow {
            Some(texts) => texts.iter().map(|text| text.trim().parse()).collect::<Result<Vec<Rule>, _>>(),
            None => Ok(vec![Rule::https_anywhere()]),
        };
        let networks = self.webhook_grant_networks.iter().flatten().map(|text| text.trim().parse());
        let networks: Result<Vec<Network>, _> = networks.collect();
        Ok(Policy::new(rules.context("webhook_allow")?, networks.context("webhook_grant_networks")?))
    }

    /// How webhooks are sent.
    ///
    /// # Errors
    /// Names the setting that is wrong.
    pub(crate) fn webhook_sender(&self) -> anyhow::Result<SenderSettings> {
        let default = SenderSettings::default();
        let timeout = millis(self.webhook_timeout_ms, default.timeout);
        ensure!(TIMEOUT_ALLOWED.contains(&timeout), "webhook_timeout_ms must be from 100 to 120000");
        let connect_timeout = default.connect_timeout.min(timeout);
        Ok(SenderSettings { policy: self.egress()?, timeout, connect_timeout })
    }

    /// When webhooks are sent, and what they link to.
    ///
    /// # Errors
    /// When `public_url` is none.
    pub(crate) fn webhooks(&self) -> anyhow::Result<WebhookSettings> {
        let default = WebhookSettings::default();
        let public_url = self.public_url.as_deref().map(public_url).transpose().context("public_url")?;
        let retry = RetryPlan {
            attempts_max: self.webhook_attempts_max.unwrap_or(default.retry.attempts_max),
            wait_first: millis(self.webhook_retry_ms, default.retry.wait_first),
        };
        Ok(WebhookSettings { retry, links: Links { public_url }, ..default })
    }
}

fn public_url(text: &str) -> anyhow::Result<String> {
    let target = Target::parse(text)?;
    ensure!(!target.url().contains('?'), "a base of URLs has no query");
    Ok(target.url().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use tasklane_domain::egress::Method;

    use super::*;

    fn allows(settings: &Settings, url: &str) -> bool {
        settings.egress().unwrap().check_target(&Target::parse(url).unwrap(), Method::Post).is_ok()
    }

    #[test]
    fn only_dev_calls_this_machine() {
        let usual = Settings::default();
        assert!(allows(&usual, "https://example.com:8443/") && !allows(&usual, "http://example.com/"));
        assert!(!allows(&usual, "https://127.0.0.1/"));
        let dev = Settings::default().for_dev();
        assert!(allows(&dev, "http://127.0.0.1:9/") && allows(&dev, "http://[::1]:9/"));
        assert!(allows(&dev, "https://example.com/") && !allows(&dev, "http://example.com/"));
        assert!(!allows(&dev, "https://10.0.0.1/"));
        let strict = Settings { webhook_allow: Some(vec![]), ..Settings::default() }.for_dev();
        assert!(!allows(&strict, "https://example.com/"), "what is said comes before what dev does");
    }

    #[test]
    fn wrong_settings_are_named() {
        let error = |settings: Settings| {
            let all = settings.webhook_sender().map(drop).and_then(|()| settings.webhooks().map(drop));
            format!("{:#}", all.unwrap_err())
        };
        let text = |text: &str| Some(vec![text.to_owned()]);
        let rule = error(Settings { webhook_allow: text("example.com"), ..Settings::default() });
        assert!(rule.contains("webhook_allow") && rule.contains("scheme://host"), "{rule}");
        let network = error(Settings { webhook_grant_networks: text("10.0.0.1/8"), ..Settings::default() });
        assert!(network.contains("webhook_grant_networks") && network.contains("10.0.0.1/8"), "{network}");
        assert!(error(Settings { webhook_timeout_ms: Some(1), ..Settings::default() }).contains("webhook_timeout_ms"));
        assert!(
            error(Settings { public_url: Some("tasks.test".to_owned()), ..Settings::default() }).contains("public_url")
        );
        let slash = Settings { public_url: Some("https://tasks.test/x/".to_owned()), ..Settings::default() };
        assert_eq!(slash.webhooks().unwrap().links.public_url.as_deref(), Some("https://tasks.test/x"));
    }
}
