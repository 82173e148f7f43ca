//! Checks of the cluster as its API tells it: whether it answers, its version and those of hosts, and every clock.
//!
//! Where no server was named and none is there, that is only a warning: this machine may be meant for something else.

use std::time::{Duration, Instant};

use tasklane_api_types::{ClusterInfo, HostList};
use tasklane_domain::{Clock, SystemClock, Timestamp};

use super::{Check, Checks};
use crate::cli::Global;
use crate::client::Client;
use crate::connection;

/// Clocks that differ by more than this make schedules and deadlines late or early.
const SKEW_MAX: Duration = Duration::from_secs(2);
/// How often hosts are looked at, and the pause between: longer than one heartbeat in all.
const LOOKS: u32 = 12;
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// All of them.
pub(super) async fn checks(global: &Global) -> Vec<Check> {
    match look(global).await {
        Ok(checks) => checks,
        Err(check) => vec![*check],
    }
}

async fn look(global: &Global) -> Result<Vec<Check>, Box<Check>> {
    let wrong = |error: anyhow::Error| {
        Box::new(Check::fail("api", format!("{error:#}"), "correct the option, variable or context that is named"))
    };
    let connection = connection::resolve(global).map_err(wrong)?;
    let client = Client::new(&connection).map_err(wrong)?;
    let (asked, begun) = (SystemClock.now(), Instant::now());
    let info: ClusterInfo = client.get("/api/v1/cluster/info").await.map_err(|error| {
        let found = format!("{}: {error:#}", connection.server);
        let advice = "start it (`taskctl dev`, `taskctl serve api`), or correct --server, the token or the context";
        let is_named = global.server.is_some() || connection.server != connection::SERVER;
        Box::new(if is_named { Check::fail("api", found, advice) } else { Check::warn("api", found, advice) })
    })?;
    let half = begun.elapsed() / 2;
    let mut checks = vec![
        Check::ok("api", format!("{} answers in {:.0} ms", connection.server, half.as_secs_f64() * 2_000.0)),
        api_version(&info.version),
        nats_of_api(info.nats_connected),
    ];
    if let Some(now) = info.now {
        checks.push(clock("clock_api", "the API's", offset(now, asked.plus(half))));
        checks.extend(leader(&info, now));
    }
    checks.extend(hosts(&client, &info).await);
    Ok(checks)
}

fn api_version(version: &str) -> Check {
    let own = env!("CARGO_PKG_VERSION");
    let advice = format!("use taskctl {version} with it: options and answers may differ");
    Check::good("version_api", version == own, format!("{version}, this taskctl is {own}"), &advice)
}

fn nats_of_api(is_connected: bool) -> Check {
    if is_connected {
        return Check::ok("api_nats", "the API is connected to NATS");
    }
    let advice = "look at NATS and at the API's log: accepted tasks wait until it is back";
    Check::fail("api_nats", "the API is not connected to NATS", advice)
}

/// By how much a clock is ahead of another: seconds, negative where it is behind.
fn offset(one: Timestamp, other: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a difference of two times, shown with one decimal")]
    let micros = (one.as_micros() - other.as_micros()) as f64;
    micros / 1_000_000.0
}

fn clock(name: &str, whose: &str, ahead: f64) -> Check {
    let is_good = ahead.abs() <= SKEW_MAX.as_secs_f64();
    let way = if ahead < 0.0 { "behind" } else { "ahead" };
    let found = format!("{whose} clock is {:.1} s {way}", ahead.abs());
    Check::good(name, is_good, found, "let a time service set the clock of each machine (chrony, systemd-timesyncd)")
}

/// A lease is renewed at least every few seconds: its time lies between then and now.
fn leader(info: &ClusterInfo, now: Timestamp) -> Vec<Check> {
    let Some(leader) = &info.leader else {
        let advice =
            "start a scheduler (`taskctl serve scheduler`): without one nothing is settled, retried or scheduled";
        return vec![Check::fail("leader", "no scheduler leads", advice)];
    };
    let mut checks = vec![Check::ok("leader", format!("{} leads", leader.scheduler))];
    if let Some(renewed) = leader.renewed_at {
        // Renewed up to this long ago it is on time.
        let behind = offset(renewed, now);
        let ahead = if behind < 0.0 { (behind + LEASE_SECONDS).min(0.0) } else { behind };
        checks.push(clock("clock_scheduler", "the scheduler's", ahead));
    }
    checks
}

/// A lease is renewed several times within its time to live, which is 10 s where nothing else is set.
const LEASE_SECONDS: f64 = 10.0;

/// Their versions, and their clocks: the newest heartbeat of several looks is hardly older than a look.
async fn hosts(client: &Client, info: &ClusterInfo) -> Vec<Check> {
    if info.hosts == 0 {
        let advice = "start one (`taskctl serve host`): nothing runs without";
        return vec![Check::warn("hosts", "no host lives", advice)];
    }
    let mut newest: std::collections::BTreeMap<String, (f64, String, String)> = std::collections::BTreeMap::new();
    for _ in 0..LOOKS {
        let (asked, begun) = (SystemClock.now(), Instant::now());
        let Ok(list) = client.get::<HostList>("/api/v1/hosts").await else { break };
        let now = asked.plus(begun.elapsed() / 2);
        for host in list.hosts {
            let ahead = offset(host.beat_at, now);
            let seen = newest.entry(host.id.to_string()).or_insert((ahead, host.name, host.version));
            seen.0 = seen.0.max(ahead);
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    let own = &info.version;
    let others: Vec<String> = newest
        .values()
        .filter(|(_, _, version)| version != own)
        .map(|(_, name, version)| format!("{name} is {version}"))
        .collect();
    let found = if others.is_empty() { format!("all {} are {own}", newest.len()) } else { others.join(", ") };
    let advice =
        format!("bring them to {own}, one after the other: `taskctl serve host` drains when it is asked to end");
    let worst = newest.values().max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
    let mut checks = vec![Check::good("version_hosts", others.is_empty(), found, &advice)];
    checks.extend(worst.map(|(ahead, name, _)| clock("clock_hosts", &format!("of all hosts', {name}'s"), *ahead)));
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn clocks_that_differ_are_warned_about() {
        assert_eq!(clock("c", "its", 0.4).verdict, Verdict::Ok);
        let ahead = clock("c", "its", 61.0);
        assert_eq!((ahead.verdict, ahead.found.as_str()), (Verdict::Warn, "its clock is 61.0 s ahead"));
        assert_eq!(clock("c", "its", -3.0).found, "its clock is 3.0 s behind");
    }

    #[test]
    fn a_lease_that_was_renewed_of_late_is_on_time() {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let info = |renewed| ClusterInfo {
            version: "1".to_owned(),
            now: None,
            nats_connected: true,
            leader: Some(tasklane_domain::cluster::LeaderInfo {
                scheduler: "s".to_owned(),
                term: None,
                since: at(0),
                renewed_at: Some(renewed),
            }),
            hosts: 0,
            slots: 0,
            limits: tasklane_domain::LimitsPolicy::default(),
            payload_bytes_max: 0,
            blob_bytes_max: 0,
        };
        let verdict = |renewed| leader(&info(at(renewed)), at(100))[1].verdict;
        assert_eq!([97, 100, 101].map(verdict), [Verdict::Ok; 3]);
        assert_eq!([40, 160].map(verdict), [Verdict::Warn; 2]);
    }

    #[test]
    fn other_versions_are_named() {
        assert_eq!(api_version(env!("CARGO_PKG_VERSION")).verdict, Verdict::Ok);
        assert_eq!(api_version("0.0.1").verdict, Verdict::Warn);
    }
}
