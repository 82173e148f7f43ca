//! The settings of access: who is let in, how often, under which certificate.

use std::sync::Arc;

use anyhow::{Context, ensure};
use tasklane_api::{
    AccessMode, AccessSettings, ClaimGrant, ClaimGrantError, JwtSettings, ORIGINS_MAX, Origin, Tls, TlsFiles,
};
use tasklane_domain::access::Credential;
use tasklane_domain::egress::{NETWORKS_MAX, Network};

use super::{Settings, read_secret};
use crate::failure::{Failure, USAGE};
use crate::roles::issuer::HttpKeys;

impl Settings {
    /// Whether `--insecure` was said.
    pub(crate) fn is_insecure(&self) -> bool {
        self.insecure.unwrap_or(false)
    }

    /// How access is controlled.
    ///
    /// # Errors
    /// When a rate cannot be read.
    pub(crate) fn access(&self, mode: AccessMode) -> anyhow::Result<AccessSettings> {
        let rate = |name, text: &Option<String>| text.as_deref().map(str::parse).transpose().context(name);
        Ok(AccessSettings {
            mode,
            token_rate: rate("`token_rate`", &self.token_rate)?,
            namespace_rate: rate("`namespace_rate`", &self.namespace_rate)?,
            jwt: self.jwt()?,
            cors_origins: self.origins()?,
            trusted_proxies: self.proxies()?,
        })
    }

    /// Which other sites' pages may use the API.
    fn origins(&self) -> anyhow::Result<Vec<Origin>> {
        let origins = self.cors_origins.iter().flatten().map(|text| text.trim().parse());
        let origins: Vec<Origin> = origins.collect::<Result<_, _>>().context("`cors_origins`")?;
        ensure!(origins.len() <= ORIGINS_MAX, "`cors_origins`: at most {ORIGINS_MAX} origins");
        Ok(origins)
    }

    /// Who is believed where requests come from.
    fn proxies(&self) -> anyhow::Result<Vec<Network>> {
        let networks = self.trusted_proxies.iter().flatten().map(|text| text.trim().parse());
        let networks: Vec<Network> = networks.collect::<Result<_, _>>().context("`trusted_proxies`")?;
        ensure!(networks.len() <= NETWORKS_MAX, "`trusted_proxies`: at most {NETWORKS_MAX} networks");
        Ok(networks)
    }

    /// Whose JWTs are taken, where somebody's are.
    fn jwt(&self) -> anyhow::Result<Option<JwtSettings>> {
        let Some(issuer) = &self.oidc_issuer else { return Ok(None) };
        let grants = self.oidc_grant.iter().flatten().map(|text| text.parse());
        let grants: Vec<ClaimGrant> = grants.collect::<Result<_, ClaimGrantError>>().context("`oidc_grant`")?;
        ensure!(!grants.is_empty(), "`oidc_issuer` without `oidc_grant` lets nobody in: say what a claim gives");
        let keys = HttpKeys::new(issuer, self.oidc_jwks_url.as_deref()).context("`oidc_issuer`")?;
        let audiences = self.oidc_audience.clone().unwrap_or_else(|| vec!["tasklane".to_owned()]);
        Ok(Some(JwtSettings { issuer: issuer.clone(), audiences, grants, keys: Arc::new(keys) }))
    }

    /// The certificate, where one is set.
    ///
    /// # Errors
    /// When a file is missing or cannot be used.
    pub(crate) fn tls(&self) -> anyhow::Result<Option<Arc<Tls>>> {
        let files = match (&self.tls_cert, &self.tls_key, &self.tls_client_ca) {
            (None, None, None) => return Ok(None),
            (Some(cert), Some(key), client_ca) => {
                TlsFiles { cert: cert.clone(), key: key.clone(), client_ca: client_ca.clone() }
            }
            _ => {
                let failure =
                    Failure::new(USAGE, "`tls_cert` and `tls_key` need each other, and `tls_client_ca` needs both");
                return Err(failure.hint("set both files, or none for plain HTTP").into());
            }
        };
        Ok(Some(Arc::new(Tls::load(files).context("TLS")?)))
    }

    /// The first admin's token, where a file has one.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else. The error has no part of it.
    pub(crate) fn bootstrap_token(&self) -> anyhow::Result<Option<Credential>> {
        let Some(file) = &self.bootstrap_token_file else { return Ok(None) };
        let text = read_secret(file)?;
        let wrong = |error| {
            Failure::new(USAGE, format!("bootstrap_token_file {}: {error}", file.display()))
                .hint("make one with `taskctl tokens generate`")
        };
        Ok(Some(text.parse().map_err(wrong)?))
    }
}
