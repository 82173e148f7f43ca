//! Reports from hosts to schedulers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tasklane_domain::error::QueueError;
use tasklane_domain::outcome::{Retryability, TimeBound};
use tasklane_domain::ports::{ReportBatch, ReportSink, ReportSource};
use tasklane_domain::work::{HandBack, Progress};
use tasklane_domain::{Outcome, ReportBody, Timestamp};
use tasklane_nats::NatsReportSource;

use crate::world::{World, ended, eventually, report, soon};

async fn next(source: &NatsReportSource) -> anyhow::Result<ReportBatch> {
    Ok(soon("reports", source.next(1_000)).await??)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_report_arrives_as_it_was() -> anyhow::Result<()> {
    let world = World::new().await?;
    let error = Outcome::TaskError {
        retryability: Retryability::Retryable,
        code: "busy".to_owned(),
        message: "later".to_owned(),
        details: Some("{}".to_owned()),
        retry_after_ms: Some(9),
    };
    let mut sent = vec![ended((0..=255).collect::<Vec<u8>>().into())];
    let outcomes = [
        error,
        Outcome::OutOfFuel,
        Outcome::TimedOut { bound: TimeBound::Timeout },
        Outcome::OutputTooLarge { bytes: u64::MAX },
        Outcome::ExitCode { code: -1, message: String::new() },
        Outcome::HostLost { deliveries: 5 },
    ];
    for outcome in outcomes {
        let mut report = ended(Bytes::new());
        if let ReportBody::Ended(ended) = &mut report.body {
            ended.outcome = outcome;
        }
        sent.push(report);
    }
    sent.push(report(ReportBody::Started { at: Timestamp::from_micros(5) }));
    sent.push(report(ReportBody::Progress(Progress { fraction: 0.25, message: "a quarter".to_owned() })));
    sent.push(report(ReportBody::HandedBack(HandBack::Draining)));
    world.nats.report_sink(&world.topology).publish(sent.clone()).await?;
    let source = world.nats.report_source(&world.topology).await?;
    let batch = next(&source).await?;
    assert_eq!(batch.reports, sent);
    assert_eq!(batch.tokens.len(), 1, "one message for all");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn urgent_reports_pass_those_that_wait() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (common, urgent) = (vec![ended(Bytes::new()); 3], vec![ended(Bytes::new())]);
    for report in &common {
        world.nats.report_sink(&world.topology).publish(vec![report.clone()]).await?;
    }
    world.nats.urgent_report_sink(&world.topology).publish(urgent.clone()).await?;
    assert_eq!(next(&world.nats.urgent_report_source(&world.topology).await?).await?.reports, urgent);
    let (source, mut others) = (world.nats.report_source(&world.topology).await?, Vec::new());
    while others.len() < common.len() {
        others.extend(next(&source).await?.reports);
    }
    assert_eq!(others, common);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_for_one_message_is_split() -> anyhow::Result<()> {
    let world = World::new().await?;
    let sent: Vec<_> = (0..200_u8).map(|byte| ended(vec![byte; 128 * 1024].into())).collect();
    world.nats.report_sink(&world.topology).publish(sent.clone()).await?;
    let source = world.nats.report_source(&world.topology).await?;
    let mut received = Vec::new();
    while received.len() < sent.len() {
        received.extend(next(&source).await?.reports);
    }
    assert_eq!(received, sent);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_report_over_the_servers_limit_is_refused_by_size() -> anyhow::Result<()> {
    let world = World::new().await?;
    let max = world.nats.max_payload();
    let refused = world.nats.report_sink(&world.topology).publish(vec![ended(vec![0; max].into())]).await;
    assert!(matches!(refused, Err(QueueError::TooLarge { bytes, .. }) if bytes > max), "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn schedulers_compete_and_each_report_goes_to_one() -> anyhow::Result<()> {
    const MESSAGES: usize = 300;
    let world = World::new().await?;
    let sink = world.nats.report_sink(&world.topology);
    let all = Arc::new(parking_lot::Mutex::new(HashSet::new()));
    let mut schedulers = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let source = world.nats.report_source(&world.topology).await?;
        let all = all.clone();
        schedulers.spawn(async move {
            loop {
                let batch = source.next(10).await?;
                for report in batch.reports {
                    assert!(all.lock().insert(report.task), "a report came twice");
                }
                source.ack(batch.tokens).await;
            }
            #[expect(unreachable_code, reason = "names the type of the error")]
            anyhow::Ok(())
        });
    }
    for _ in 0..MESSAGES {
        sink.publish(vec![ended(Bytes::new())]).await?;
    }
    eventually("all reports", async || Ok((all.lock().len() == MESSAGES).then_some(()))).await?;
    assert_eq!(schedulers.len(), 2);
    assert!(schedulers.try_join_next().is_none(), "a scheduler ended");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_next_loses_nothing() -> anyhow::Result<()> {
    const MESSAGES: usize = 300;
    let world = World::new().await?;
    let sink = world.nats.report_sink(&world.topology);
    let publishing = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            sink.publish(vec![ended(Bytes::new())]).await?;
        }
        anyhow::Ok(())
    });
    let source = world.nats.report_source(&world.topology).await?;
    let mut seen = HashSet::new();
    // Far less than the time after which JetStream delivers again.
    tokio::time::timeout(Duration::from_secs(20), async {
        while seen.len() < MESSAGES {
            let patience = Duration::from_micros(40 * (seen.len() as u64 % 5));
            let Ok(batch) = tokio::time::timeout(patience, source.next(3)).await else { continue };
            let batch = batch?;
            seen.extend(batch.reports.iter().map(|report| report.task));
            source.ack(batch.tokens).await;
        }
        anyhow::Ok(())
    })
    .await??;
    publishing.await?
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_cannot_be_read_are_passed_over() -> anyhow::Result<()> {
    let world = World::new().await?;
    world.raw().await?.publish("reports.0", "rubbish".into()).await?.await?;
    let sent = vec![ended(Bytes::new())];
    world.nats.report_sink(&world.topology).publish(sent.clone()).await?;
    let source = world.nats.report_source(&world.topology).await?;
    let (mut received, mut tokens) = (Vec::new(), 0);
    while received.is_empty() {
        let batch = next(&source).await?;
        tokens += batch.tokens.len();
        received.extend(batch.reports);
    }
    assert_eq!((received, tokens), (sent, 2));
    Ok(())
}
