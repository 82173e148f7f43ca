//! Writes against a plain map, and the names of stores.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn entry(value: &str, revision: u64, expires_at: Option<Timestamp>) -> Entry {
    Entry { value: Bytes::copy_from_slice(value.as_bytes()), revision: Revision::new(revision), expires_at }
}

fn totals(keys: u64, bytes: u64, revision: u64) -> Totals {
    Totals { keys, bytes, revision }
}

fn set(value: &str) -> Write {
    Write::Set { value: Bytes::copy_from_slice(value.as_bytes()), expires_at: None }
}

#[test]
fn names_read_back_and_others_are_refused() {
    for text in ["own", "shared:carts"] {
        assert_eq!(text.parse::<KvName>().unwrap().to_string(), text);
    }
    for text in ["module:thumb", "shared:carts"] {
        assert_eq!(text.parse::<Owner>().unwrap().to_string(), text);
    }
    for bad in ["", "carts", "shared:", "shared:A", "module:thumb", "own ", "shared:a.b"] {
        assert!(bad.parse::<KvName>().is_err(), "`{bad}` was taken");
    }
    assert!("".parse::<Key>().is_err() && "k".repeat(KEY_BYTES_MAX + 1).parse::<Key>().is_err());
    assert!("k".repeat(KEY_BYTES_MAX).parse::<Key>().is_ok());
}

#[test]
fn a_swap_takes_what_is_expected_and_shows_what_is_not() {
    let (row, limits) = (entry("a", 3, None), KvLimits::default());
    let swap = |expected| Write::Swap { expected, value: Some(Bytes::from_static(b"b")), expires_at: None };
    let at =
        |row: Option<&Entry>, expected| write(&key("k"), row, totals(1, 2, 7), &swap(expected), &limits, NOW).unwrap();
    let fits = at(Some(&row), Expected::Revision(Revision::new(3)));
    assert_eq!((fits.written, fits.totals), (Written::Done(Revision::new(8)), totals(1, 2, 8)));
    let late = at(Some(&row), Expected::Revision(Revision::new(2)));
    assert_eq!((late.change, late.written), (Change::None, Written::Conflict(Some(row.clone()))));
    assert_eq!(at(Some(&row), Expected::Absent).change, Change::None);
    let gone = entry("a", 3, Some(NOW));
    assert!(matches!(at(Some(&gone), Expected::Absent).change, Change::Put(_)), "what has expired is absent");
    assert_eq!(at(Some(&gone), Expected::Revision(Revision::new(3))).written, Written::Conflict(None));
    assert_eq!(at(None, Expected::Revision(Revision::new(3))).written, Written::Conflict(None));
}

#[test]
fn numbers_are_counted_and_keep_their_time() {
    let (limits, later) = (KvLimits::default(), NOW.plus(Duration::from_secs(60)));
    let count = |row: Option<&Entry>, by| {
        let wish = Write::Increment { by, expires_at: Some(later) };
        write(&key("k"), row, totals(1, 2, 7), &wish, &limits, NOW)
    };
    let first = count(None, 5).unwrap();
    assert_eq!(first.change, Change::Put(entry("5", 8, Some(later))));
    let kept = entry("41", 1, None);
    let next = count(Some(&kept), 1).unwrap();
    assert_eq!((next.change, next.written), (Change::Put(entry("42", 8, None)), Written::Number(42)));
    assert_eq!(count(Some(&entry("many", 1, None)), 1), Err(KvFault::NotANumber));
    assert_eq!(count(Some(&entry(&i64::MAX.to_string(), 1, None)), 1), Err(KvFault::Overflow));
    assert_eq!(count(Some(&entry("9", 1, Some(NOW))), 1).unwrap().written, Written::Number(1), "it had expired");
}

#[test]
fn limits_are_kept_and_shrinking_is_always_taken() {
    let limits = KvLimits { value_bytes: 4, store_keys: 2, store_bytes: 10 };
    let at = |row: Option<&Entry>, totals, value| write(&key("k"), row, totals, &set(value), &limits, NOW);
    assert!(matches!(at(None, totals(0, 0, 0), "12345"), Err(KvFault::ValueTooLarge { bytes: 5, max: 4 })));
    assert_eq!(at(None, totals(2, 4, 0), "1"), Err(KvFault::KeysFull(2)));
    assert!(matches!(at(None, totals(1, 8, 0), "12"), Err(KvFault::BytesFull { bytes: 11, max: 10 })));
    let row = entry("1234", 1, None);
    assert!(at(Some(&row), totals(9, 40, 0), "123").is_ok(), "a store that is over its limits may shrink");
    assert!(at(Some(&entry("12", 1, None)), totals(9, 40, 0), "123").is_err());
}

fn arbitrary_write() -> impl Strategy<Value = Write> {
    let bytes = proptest::collection::vec(0_u8..=255, 0..12).prop_map(Bytes::from);
    let expiry = proptest::option::of((900_000_000_i64..1_100_000_000).prop_map(Timestamp::from_micros));
    prop_oneof![
        (bytes.clone(), expiry.clone()).prop_map(|(value, expires_at)| Write::Set { value, expires_at }),
        (proptest::option::of(bytes), expiry.clone(), 0_u64..20, any::<bool>()).prop_map(
            |(value, expires_at, revision, absent)| {
                let expected = if absent { Expected::Absent } else { Expected::Revision(Revision::new(revision)) };
                Write::Swap { expected, value, expires_at }
            }
        ),
        (-5_i64..5, expiry).prop_map(|(by, expires_at)| Write::Increment { by, expires_at }),
        Just(Write::Delete),
    ]
}

proptest! {
    /// Whatever is written, totals are the sum of the rows, limits hold, and a revision is given once.
    #[test]
    fn totals_are_the_sum_of_the_rows(writes in proptest::collection::vec((0_u8..4, arbitrary_write()), 0..60)) {
        let limits = KvLimits { value_bytes: 10, store_keys: 3, store_bytes: 24 };
        let mut rows: BTreeMap<Key, Entry> = BTreeMap::new();
        let mut all = Totals::default();
        let mut seen: Vec<Revision> = Vec::new();
        for (number, wish) in writes {
            let key = key(&format!("k{number}"));
            let Ok(decision) = write(&key, rows.get(&key), all, &wish, &limits, NOW) else { continue };
            match decision.change {
                Change::None => prop_assert_eq!(all, decision.totals),
                Change::Put(entry) => {
                    prop_assert!(!seen.contains(&entry.revision));
                    seen.push(entry.revision);
                    rows.insert(key, entry);
                }
                Change::Remove => drop(rows.remove(&key)),
            }
            all = decision.totals;
            let bytes: u64 = rows.iter().map(|(key, entry)| (key.as_str().len() + entry.value.len()) as u64).sum();
            prop_assert_eq!((all.keys, all.bytes), (rows.len() as u64, bytes));
            prop_assert!(all.keys <= 3 && all.bytes <= 24);
        }
    }
}
