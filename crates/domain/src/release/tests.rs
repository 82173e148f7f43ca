//! Aliases lead where they say, in the parts that they say.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::module::{Manifest, ModuleKind};

fn record(version: &str, is_disabled: bool) -> ModuleRecord {
    ModuleRecord {
        digest: ModuleDigest::from_bytes([7; 32]),
        kind: ModuleKind::Component,
        size_bytes: 8,
        manifest: Manifest::bare("thumb".parse().unwrap(), version.parse().unwrap()),
        created_at: Timestamp::from_micros(1),
        disabled_at: is_disabled.then_some(Timestamp::from_micros(2)),
    }
}

fn records(versions: &[&str]) -> Vec<ModuleRecord> {
    versions.iter().map(|version| record(version.trim_start_matches('!'), version.starts_with('!'))).collect()
}

fn routes(parts: &[(&str, u16)]) -> Vec<Route> {
    parts.iter().map(|(version, weight)| Route { version: version.parse().unwrap(), weight: *weight }).collect()
}

fn alias(name: &str, parts: &[(&str, u16)]) -> Alias {
    Alias::led_to(name.parse().unwrap(), None, routes(parts), Timestamp::from_micros(1))
}

fn got(spec: &str, versions: &[ModuleRecord], aliases: &[Alias]) -> Result<String, Unresolved> {
    let spec: ModuleSpec = spec.parse().unwrap();
    resolve(&spec.selector, versions, aliases, TaskId::new()).map(|one| one.manifest.version.to_string())
}

#[test]
fn specs_are_names_versions_and_aliases() {
    let spec = |text: &str| text.parse::<ModuleSpec>().map(|spec| spec.selector);
    assert_eq!(spec("thumb"), Ok(Selector::Alias("latest".parse().unwrap())));
    assert_eq!(spec("thumb@stable"), Ok(Selector::Alias("stable".parse().unwrap())));
    assert_eq!(spec("thumb@1.2.0"), Ok(Selector::Version("1.2.0".parse().unwrap())));
    for wrong in ["", "@1.0.0", "thumb@", "thumb@1.2", "thumb@St", "Thumb@1.0.0"] {
        assert!(spec(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_bare_name_is_the_newest_release_that_is_on() {
    assert_eq!(got("thumb", &records(&["2.0.0-rc.1", "1.10.0", "1.9.0"]), &[]), Ok("1.10.0".to_owned()));
    assert_eq!(got("thumb", &records(&["2.0.0-rc.1", "!1.10.0", "1.9.0"]), &[]), Ok("1.9.0".to_owned()));
    assert_eq!(got("thumb", &records(&["2.0.0-rc.1", "!1.10.0"]), &[]), Ok("2.0.0-rc.1".to_owned()));
    assert_eq!(got("thumb", &records(&["!1.0.0"]), &[]), Err(Unresolved::Disabled));
    assert_eq!(got("thumb", &[], &[]), Err(Unresolved::NoModule));
}

#[test]
fn an_alias_leads_where_it_says() {
    let versions = records(&["2.1.0", "2.0.0", "!1.0.0"]);
    let aliases = [alias("stable", &[("2.0.0", 1)]), alias("old", &[("1.0.0", 1)]), alias("gone", &[("0.1.0", 1)])];
    assert_eq!(got("thumb@stable", &versions, &aliases), Ok("2.0.0".to_owned()));
    assert_eq!(got("thumb@old", &versions, &aliases), Err(Unresolved::Disabled));
    assert_eq!(got("thumb@gone", &versions, &aliases), Err(Unresolved::Disabled));
    assert_eq!(got("thumb@beta", &versions, &aliases), Err(Unresolved::NoAlias("beta".parse().unwrap())));
    assert_eq!(got("thumb@9.0.0", &versions, &aliases), Err(Unresolved::NoVersion("9.0.0".parse().unwrap())));
    assert_eq!(got("thumb@1.0.0", &versions, &aliases), Err(Unresolved::Disabled));
    assert_eq!(got("thumb", &versions, &[alias("latest", &[("2.0.0", 1)])]), Ok("2.0.0".to_owned()));
}

#[test]
fn a_canary_gets_its_part_and_none_when_it_is_off() {
    let aliases = [alias("stable", &[("2.0.0", 95), ("2.1.0", 5)])];
    let count = |versions: &[ModuleRecord]| {
        let mut counts: HashMap<String, u32> = HashMap::new();
        for _ in 0..20_000 {
            *counts.entry(got("thumb@stable", versions, &aliases).unwrap()).or_default() += 1;
        }
        counts.get("2.1.0").copied().unwrap_or(0)
    };
    let canary = count(&records(&["2.1.0", "2.0.0"]));
    // 1,000 are expected; six standard deviations of a binomial are 185.
    assert!((815..=1_185).contains(&canary), "{canary} of 20,000");
    assert_eq!(count(&records(&["!2.1.0", "2.0.0"])), 0);
}

#[test]
fn the_way_back_leads_back_and_forth() {
    let (one, two) = (routes(&[("1.0.0", 1)]), routes(&[("2.0.0", 1)]));
    let first = alias("stable", &[("1.0.0", 1)]);
    assert_eq!(first.clone().rolled_back(Timestamp::from_micros(2)), None);
    let second = Alias::led_to(first.name.clone(), Some(first), two.clone(), Timestamp::from_micros(2));
    let same = Alias::led_to(second.name.clone(), Some(second.clone()), two.clone(), Timestamp::from_micros(3));
    assert_eq!(same, second, "setting it again must not lose the way back");
    let back = second.rolled_back(Timestamp::from_micros(4)).unwrap();
    assert_eq!((&back.routes, &back.previous), (&one, &two));
    assert_eq!(back.rolled_back(Timestamp::from_micros(5)).unwrap().routes, two);
}

#[test]
fn routes_have_bounds() {
    assert_eq!(check_routes(&[]), Err(AliasError::Count(0)));
    assert!(matches!(check_routes(&routes(&[("1.0.0", 0)])), Err(AliasError::Weight { .. })));
    assert!(matches!(check_routes(&routes(&[("1.0.0", 10_001)])), Err(AliasError::Weight { .. })));
    assert!(matches!(check_routes(&routes(&[("1.0.0", 1), ("1.0.0", 2)])), Err(AliasError::Twice(_))));
    assert_eq!(check_routes(&routes(&[("1.0.0", 10_000), ("2.0.0", 1)])), Ok(()));
}

proptest! {
    #[test]
    fn whatever_is_picked_is_a_route_that_is_on(weights in prop::collection::vec(1_u16..=10_000, 1..=8), off in any::<u8>()) {
        let version = |at: usize| format!("{}.0.0", weights.len() - at);
        let versions: Vec<ModuleRecord> =
            (0..weights.len()).map(|at| record(&version(at), off & (1 << at) != 0)).collect();
        let parts: Vec<Route> = weights
            .iter()
            .enumerate()
            .map(|(at, weight)| Route { version: version(at).parse().unwrap(), weight: *weight })
            .collect();
        let alias = Alias::led_to("stable".parse().unwrap(), None, parts, Timestamp::from_micros(1));
        let selector = Selector::Alias("stable".parse().unwrap());
        match resolve(&selector, &versions, &[alias], TaskId::new()) {
            Ok(one) => prop_assert!(one.disabled_at.is_none()),
            Err(why) => {
                prop_assert_eq!(why, Unresolved::Disabled);
                prop_assert!(versions.iter().all(|one| one.disabled_at.is_some()));
            }
        }
    }
}

#[test]
fn what_needs_a_version_is_told_in_words() {
    let needs = |open_tasks| References { open_tasks, ..References::default() }.to_string();
    assert_eq!(needs(1), "1 task that has not ended");
    assert_eq!(needs(9_999), "9999 tasks that have not ended");
    assert_eq!(needs(OPEN_TASKS_COUNTED_MAX), "10000 or more tasks that have not ended");
    let all = References {
        open_tasks: 2,
        schedules: vec!["nightly".parse().unwrap(), "hourly".parse().unwrap()],
        aliases: vec!["stable".parse().unwrap()],
    };
    assert_eq!(all.to_string(), "2 tasks that have not ended; schedules nightly, hourly; aliases stable");
    assert!(References::default().is_empty() && !all.is_empty());
}
