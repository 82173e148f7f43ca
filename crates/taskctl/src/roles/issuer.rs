//! Where an OpenID Connect issuer's keys are: its discovery document, or the URL that was set.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use serde::Deserialize;
use tasklane_api::KeySource;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer, in bytes: 1 MiB.
const BYTES_MAX: usize = 1024 * 1024;

/// Keys over HTTP.
pub(crate) struct HttpKeys {
    issuer: String,
    jwks_url: Option<String>,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// HTTPS, or this machine: keys that somebody on the way could replace would let them in.
fn is_safe(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let is_local = url.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
    url.scheme() == "https" || (url.scheme() == "http" && is_local)
}

impl HttpKeys {
    /// For an issuer.
    ///
    /// # Errors
    /// When a URL is none, or not safe.
    pub(crate) fn new(issuer: &str, jwks_url: Option<&str>) -> anyhow::Result<Self> {
        for url in [Some(issuer), jwks_url].into_iter().flatten() {
            anyhow::ensure!(is_safe(url), "`{url}` has to be an https URL, or http on this machine");
        }
        let no_redirects = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().timeout(TIMEOUT).redirect(no_redirects).build()?;
        Ok(Self { issuer: issuer.to_owned(), jwks_url: jwks_url.map(str::to_owned), http })
    }

    async fn text(&self, url: &str) -> anyhow::Result<String> {
        let mut answer = self.http.get(url).send().await?.error_for_status()?;
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            bytes.extend_from_slice(&piece);
            anyhow::ensure!(bytes.len() <= BYTES_MAX, "the answer is over {BYTES_MAX} bytes");
        }
        Ok(String::from_utf8(bytes)?)
    }

    async fn keys(&self) -> anyhow::Result<String> {
        if let Some(url) = &self.jwks_url {
            return self.text(url).await;
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let text = self.text(&url).await.with_context(|| url.clone())?;
        let found: Discovery = serde_json::from_str(&text).with_context(|| url.clone())?;
        anyhow::ensure!(found.issuer == self.issuer, "{url} is of the issuer {}", found.issuer);
        anyhow::ensure!(is_safe(&found.jwks_uri), "`jwks_uri` of {url} is no https URL");
        self.text(&found.jwks_uri).await.context(found.jwks_uri)
    }
}

#[async_trait]
impl KeySource for HttpKeys {
    async fn fetch(&self) -> Result<String, String> {
        self.keys().await.map_err(|error| format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// An issuer on this machine: answers each path with what it has for it.
    async fn issuer(discovery: impl Fn(&str) -> String + Send + 'static) -> String {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let own = url.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = [0; 4096];
                let read = stream.read(&mut bytes).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&bytes[..read]).into_owned();
                let body = match head.split(' ').nth(1) {
                    Some("/.well-known/openid-configuration") => discovery(&own),
                    Some("/keys") => r#"{"keys":[]}"#.to_owned(),
                    Some("/large") => " ".repeat(BYTES_MAX + 1),
                    _ => String::new(),
                };
                let answer =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        url
    }

    fn document(issuer: &str, keys: &str) -> String {
        serde_json::json!({"issuer": issuer, "jwks_uri": keys}).to_string()
    }

    #[tokio::test]
    async fn keys_are_where_the_issuer_says() {
        let url = issuer(|own| document(own, &format!("{own}/keys"))).await;
        assert_eq!(HttpKeys::new(&url, None).unwrap().fetch().await.unwrap(), r#"{"keys":[]}"#);
        let set = format!("{url}/keys");
        assert_eq!(
            HttpKeys::new("https://elsewhere.example", Some(&set)).unwrap().fetch().await.unwrap(),
            r#"{"keys":[]}"#
        );
    }

    #[tokio::test]
    async fn a_document_of_another_issuer_or_without_a_safe_place_is_refused() {
        let other = issuer(|own| document("https://other.example", &format!("{own}/keys"))).await;
        assert!(HttpKeys::new(&other, None).unwrap().fetch().await.unwrap_err().contains("other.example"));
        let open = issuer(|own| document(own, "http://192.0.2.1/keys")).await;
        assert!(HttpKeys::new(&open, None).unwrap().fetch().await.unwrap_err().contains("no https URL"));
        let large = issuer(|own| document(own, &format!("{own}/large"))).await;
        assert!(HttpKeys::new(&large, None).unwrap().fetch().await.unwrap_err().contains("over"));
        for url in ["http://login.example.com", "login.example.com", "file:///etc/passwd"] {
            assert!(HttpKeys::new(url, None).is_err(), "{url}");
        }
    }
}
