//! Orders and reports through bytes and back, from versions before and after, and cut off anywhere.

use std::collections::VecDeque;

use tasklane_domain::blob::BlobDigest;
use tasklane_domain::log::{LogLevel, LogLine, LogSource};
use tasklane_domain::outcome::Retryability;
use tasklane_domain::work::{HandBack, Progress};

use super::*;

fn order() -> WorkOrder {
    WorkOrder {
        task: TaskId::new(),
        attempt: Attempt::FIRST,
        max_attempts: 3,
        dispatch: DeliveryId::FIRST_DISPATCH,
        module: ModuleRef {
            name: "resize".parse().unwrap(),
            version: "1.2.3-rc.1".parse().unwrap(),
            digest: ModuleDigest::from_bytes([200; 32]),
        },
        queue: "default".parse().unwrap(),
        priority: Priority::HIGH,
        limits: Limits::default(),
        payload: Payload::json(Bytes::from_static(b"{}")),
        queued_at: Timestamp::from_micros(1_780_000_000_000_000),
        deadline: None,
        traceparent: None,
        tracestate: None,
        awaited: false,
    }
}

/// An order that says all that one can.
fn full_order() -> WorkOrder {
    WorkOrder {
        payload: Payload::by_reference(PayloadKind::Bytes, blob()),
        limits: Limits { fuel: u64::MAX, timeout_ms: u32::MAX, ..Limits::default() },
        deadline: Some(Timestamp::from_micros(-1)),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        tracestate: Some("vendor=of-mine".to_owned()),
        awaited: true,
        ..order()
    }
}

fn blob() -> BlobRef {
    BlobRef { digest: BlobDigest::from_bytes([255; 32]), size_bytes: u64::MAX }
}

fn report(body: ReportBody) -> Report {
    Report {
        task: TaskId::new(),
        attempt: Attempt::FIRST,
        delivery: DeliveryId::FIRST_DISPATCH.received(2),
        host: HostId::new(),
        body,
    }
}

fn done() -> Ended {
    Ended {
        outcome: Outcome::Ok,
        result: Bytes::from_static(b"{}"),
        result_blob: None,
        usage: Usage { fuel: 7_853, cpu_us: 245, wall_us: 346, peak_memory_bytes: 1_114_112, ..Usage::default() },
        log: LogCapture::default(),
        started_at: Timestamp::from_micros(1_780_000_000_000_000),
        ended_at: Timestamp::from_micros(1_780_000_000_000_346),
        traceparent: None,
        tracestate: None,
    }
}

fn log() -> LogCapture {
    let line =
        LogLine { offset_ms: 3, source: LogSource::Stderr, level: LogLevel::Warn, message: "übel\n\u{0}".to_owned() };
    LogCapture { head: vec![line.clone()], tail: VecDeque::from([line]), dropped_lines: 4, dropped_bytes: u64::MAX }
}

/// One of each kind, plain and with all that it can say.
fn reports() -> Vec<Report> {
    let trace = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    let error = Outcome::TaskError {
        retryability: Retryability::Permanent,
        code: "bad_input".to_owned(),
        message: "no".to_owned(),
        details: Some("{}".to_owned()),
        retry_after_ms: Some(9),
    };
    let usage = Usage { log_bytes: u64::MAX, ..done().usage };
    let endings = [
        done(),
        Ended {
            log: log(),
            usage,
            tracestate: Some("vendor=of-mine".to_owned()),
            traceparent: trace.clone(),
            ..done()
        },
        Ended { result: Bytes::new(), result_blob: Some(blob()), ..done() },
        Ended { log: LogCapture { dropped_lines: 1, ..LogCapture::default() }, ..done() },
        Ended { outcome: error, result: Bytes::new(), log: log(), traceparent: trace, ..done() },
        Ended { outcome: Outcome::OutOfFuel, result: Bytes::new(), ..done() },
    ];
    let others = [
        ReportBody::Started { at: Timestamp::from_micros(0) },
        ReportBody::Progress(Progress { fraction: 0.5, message: "half".to_owned() }),
        ReportBody::HandedBack(HandBack::Saturated),
    ];
    endings.into_iter().map(|one| ReportBody::Ended(Box::new(one))).chain(others).map(report).collect()
}

#[test]
fn orders_come_back_as_they_went() {
    for order in [order(), full_order(), WorkOrder { payload: Payload::empty(), ..order() }] {
        assert_eq!(decode_order(&encode_order(&order).unwrap()).unwrap(), order);
    }
}

/// Orders that are alike and still differ in all that they may.
fn bundle() -> Vec<WorkOrder> {
    let alike = |order: WorkOrder| WorkOrder { task: TaskId::new(), limits: Limits::default(), ..order };
    let empty = WorkOrder { payload: Payload::empty(), ..order() };
    [order(), full_order(), empty, order()].map(alike).into()
}

#[test]
fn orders_that_travel_together_come_back_as_they_went() {
    let orders = bundle();
    assert!(orders.windows(2).all(|pair| are_alike(&pair[0], &pair[1])));
    for count in 1..=orders.len() {
        let bytes = encode_bundle(&orders[..count]).unwrap();
        assert_eq!(decode_orders(&bytes).unwrap(), orders[..count]);
    }
    assert!(encode_bundle(&[]).is_err());
}

#[test]
fn a_message_with_one_order_is_read_as_one() {
    let order = full_order();
    let messages = [encode_order(&order).unwrap(), codec::encode(&order).unwrap()];
    assert!(messages.iter().all(|message| decode_orders(message).unwrap() == std::slice::from_ref(&order)));
}

#[test]
fn what_differs_in_what_is_said_once_is_not_alike() {
    let one = order();
    let mut others = vec![one.clone(); 9];
    others[0].attempt = Attempt::new(2);
    others[1].max_attempts += 1;
    others[2].dispatch = one.dispatch.redispatched();
    others[3].priority = Priority::LOW;
    others[4].limits.http_requests += 1;
    others[5].queue = "other".parse().unwrap();
    others[6].module.name = "other".parse().unwrap();
    others[7].module.version = "1.2.4".parse().unwrap();
    others[8].module.digest = ModuleDigest::from_bytes([0; 32]);
    assert!(others.iter().all(|other| !are_alike(&one, other)));
    assert!(are_alike(&one, &WorkOrder { task: TaskId::new(), ..one.clone() }));
}

#[test]
fn reports_come_back_as_they_went() {
    for count in [0, 1, 9] {
        let some: Vec<Report> = reports().into_iter().take(count).collect();
        assert_eq!(decode_reports(&encode_reports(&some).unwrap()).unwrap(), some);
    }
}

#[test]
fn messages_of_before_are_read() {
    let order = full_order();
    assert_eq!(decode_order(&codec::encode(&order).unwrap()).unwrap(), order);
    let all = reports();
    assert_eq!(decode_reports(&codec::encode(&all).unwrap()).unwrap(), all);
}

#[test]
fn what_a_later_version_says_with_a_name_is_passed_over() {
    let order = order();
    let mut bytes = encode_order(&order).unwrap().to_vec();
    assert_eq!(bytes.pop(), Some(0x80), "an ordinary order says nothing with a name");
    // {"later": 7}
    bytes.extend([0x81, 0xa5, b'l', b'a', b't', b'e', b'r', 7]);
    assert_eq!(decode_order(&bytes).unwrap(), order);
}

/// Bytes with names throughout, and bytes here.
fn bytes_of(named: Result<Bytes, QueueError>, here: Result<Bytes, QueueError>) -> (usize, usize) {
    (named.unwrap().len(), here.unwrap().len())
}

#[test]
fn ordinary_ones_are_short() {
    let order = order();
    let (named, order) = bytes_of(codec::encode(&order), encode_order(&order));
    assert!(order <= 150 && order * 2 < named, "an order has {order} bytes, {named} with names");
    let alike: Vec<WorkOrder> = (0..32).map(|_| self::order()).collect();
    let together = encode_bundle(&alike).unwrap().len();
    assert!(together <= 32 * 45, "32 orders together have {together} bytes");
    let some = vec![report(ReportBody::Ended(Box::new(done()))); 100];
    let (named, some) = bytes_of(codec::encode(&some), encode_reports(&some));
    assert!(some <= 9_000 && some * 2 < named, "100 reports have {some} bytes, {named} with names");
    assert!(some >= 100 * REPORT_BYTES_MIN);
}

#[test]
fn what_is_cut_off_or_no_message_is_refused() {
    let order = encode_order(&full_order()).unwrap();
    assert!((0..order.len()).all(|end| decode_order(&order[..end]).is_err()));
    let bundle = encode_bundle(&bundle()).unwrap();
    assert!((0..bundle.len()).all(|end| decode_orders(&bundle[..end]).is_err()));
    let some = encode_reports(&reports()).unwrap();
    assert!((0..some.len()).all(|end| decode_reports(&some[..end]).is_err()));
    for wrong in [&[][..], &[9, 7], &[FORMAT, 0xc1], &[FORMAT, 0xce, 0xff, 0xff, 0xff, 0xff]] {
        assert!(decode_order(wrong).is_err() && decode_reports(wrong).is_err(), "{wrong:?}");
        assert!(decode_orders(wrong).is_err(), "{wrong:?}");
    }
    // The number of orders comes before the first of them.
    let one = encode_bundle(&[self::order()]).unwrap();
    let place = one.windows(2).position(|two| two[0] == 1 && two[1] == 0x94).unwrap();
    for number in [0, 127] {
        let mut wrong = one.to_vec();
        wrong[place] = number;
        assert!(decode_orders(&wrong).is_err(), "{number} orders were read of one");
    }
}

#[test]
fn a_report_that_says_nothing_is_refused() {
    let Report { task, attempt, delivery, host, .. } = report(ReportBody::HandedBack(HandBack::Draining));
    let mut bytes = vec![FORMAT, 1];
    put(&mut bytes, &ReportHead { task, attempt, delivery, host, done: None }, &ReportRest::default()).unwrap();
    assert!(matches!(decode_reports(&bytes), Err(QueueError::Corrupt(why)) if why == "a report that says nothing"));
}
