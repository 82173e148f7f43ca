//! run: one attempt, in a fresh store and instance, from instantiate to outcome.
//!
//! Called by a slot of [`crate::receive`] and by [`crate::local`]. Guarantees: the wall time bounds instantiate and call together;
//! dropping the future stops the guest; usage is told whatever the outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tasklane_domain::blob::RESULT_INLINE_BYTES_MAX;
use tasklane_domain::children::Enqueuer;
use tasklane_domain::log::LogCapture;
use tasklane_domain::module::PayloadBy;
use tasklane_domain::outcome::TimeBound;
use tasklane_domain::{Outcome, Usage, WorkOrder};
use wasmtime::{Engine, Store};

use crate::egress::Gateway;
use crate::fit::{Side, misfit};
use crate::modules::Loaded;
use crate::modules::prepared::Prepared;
use crate::sandbox::bindings::tasklane::task::types::Context;
use crate::sandbox::blobs::{BlobRoom, Written};
use crate::sandbox::classify::{Classified, classify, exit_outcome, task_error};
use crate::sandbox::engine::YIELD_INTERVAL_FUEL;
use crate::sandbox::env;
use crate::sandbox::guest::{CommandGuest, Guest, Limited, ProgressSink, Setup};
use crate::sandbox::meter::{Metered, PollClock, Watch};
use crate::sandbox::stdio::{SharedVoice, Stdout, Voice};
use crate::sandbox::units::Calls;
use crate::trace::AttemptTrace;
use crate::voices::Voices;

/// Bytes that a guest may hand over in one call of a host function, and beyond its result at its end. Its result may be much larger.
const HOSTCALL_BYTES: usize = 2 * 1024 * 1024 + RESULT_INLINE_BYTES_MAX;
/// Handles that a component may hold.
const HANDLES_MAX: usize = 1_000;

/// What one attempt came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) result: Bytes,
    /// The result, if it was written piece by piece and is too large for a report: then `result` is empty.
    pub(crate) written: Option<Written>,
    pub(crate) usage: Usage,
    pub(crate) log: LogCapture,
}

impl Ran {
    /// No guest ran.
    fn without(outcome: Outcome) -> Self {
        Self { outcome, result: Bytes::new(), written: None, usage: Usage::default(), log: LogCapture::default() }
    }
}

/// Why an attempt did not take place.
#[derive(Debug)]
pub(crate) struct Saturated;

/// The wall time of an attempt and which bound it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wall {
    pub(crate) time: Duration,
    pub(crate) bound: TimeBound,
}

/// What runs an attempt.
pub(crate) struct Attempt {
    pub(crate) loaded: Arc<Loaded>,
    /// Measures it; to be read while it runs.
    pub(crate) clock: Arc<PollClock>,
    pub(crate) order: Arc<WorkOrder>,
    pub(crate) wall: Wall,
    pub(crate) progress: ProgressSink,
    pub(crate) enqueuer: Arc<dyn Enqueuer>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) calls: Calls,
    pub(crate) blobs: BlobRoom,
    /// Where what it says is heard while it runs.
    pub(crate) voices: Arc<Voices>,
    /// See [`Setup::files_max`].
    pub(crate) files_max: usize,
}

impl Attempt {
    /// Runs it, if its payload fits, and takes its result, if that does.
    pub(crate) async fn run(self) -> Result<Ran, Saturated> {
        let loaded = self.loaded.clone();
        if let Some(outcome) = misfit(&loaded, Side::Input, &self.order.payload.bytes).await {
            return Ok(Ran::without(outcome));
        }
        let mut ran = self.run_guest().await?;
        gather(&mut ran, loaded.output.is_some()).await;
        if ran.outcome == Outcome::Ok
            && let Some(outcome) = misfit(&loaded, Side::Output, &ran.result).await
        {
            (ran.outcome, ran.result) = (outcome, Bytes::new());
        }
        Ok(ran)
    }

    async fn run_guest(self) -> Result<Ran, Saturated> {
        let clock = self.clock;
        let limits = &self.order.limits;
        let stdout = match self.loaded.prepared {
            Prepared::Component(_) => Stdout::Log,
            Prepared::CommandP1(_) | Prepared::CommandP2(_) => Stdout::Result { bytes_max: limits.output_bytes },
        };
        let voice = Voice::new(clock.clone(), limits.log_bytes, stdout);
        let _heard = self.voices.hear(self.order.task, self.order.attempt, voice.clone());
        let streams = match self.loaded.prepared {
            Prepared::CommandP1(_) => Streams::AtOnce,
            Prepared::Component(_) | Prepared::CommandP2(_) => Streams::Bounded,
        };
        let (order, manifest) = (&self.order, &self.loaded.manifest);
        let env = match env::reveal(manifest, order.task, &self.calls, &voice).await {
            Ok(env) => env,
            Err(outcome) => return Ok(Ran::without(outcome.map_texts(|text| voice.lock().masked(text)))),
        };
        let (engine, order, wall) = (self.loaded.prepared.engine(), &*self.order, self.wall);
        let trace = self.calls.trace.clone();
        let call = Call { engine, streams, order, wall, clock, voice: voice.clone(), trace };
        let setup = Setup {
            order: self.order.clone(),
            manifest: self.loaded.manifest.clone(),
            voice,
            progress: self.progress,
            enqueuer: self.enqueuer,
            gateway: self.gateway,
            until: Instant::now().checked_add(self.wall.time).unwrap_or_else(Instant::now),
            calls: self.calls,
            blobs: self.blobs,
            env,
            assets: self.loaded.assets.clone(),
            files_max: self.files_max,
        };
        match &self.loaded.prepared {
            Prepared::Component(pre) => {
                let input = match self.loaded.manifest.payload {
                    PayloadBy::Argument => self.order.payload.bytes.clone(),
                    PayloadBy::Blob => Bytes::new(),
                };
                let context = context(&self.order, self.wall.time);
                call.run(Guest::new(setup), async |store| component(store, pre, &context, &input).await).await
            }
            Prepared::CommandP2(pre) => call.run(Guest::new(setup), async |store| command(store, pre).await).await,
            Prepared::CommandP1(pre) => {
                call.run(CommandGuest::new(&setup), async |store| command_p1(store, pre).await).await
            }
        }
    }
}

/// What the guest itself answered.
enum Answer {
    Result(Vec<u8>),
    Failed(Outcome),
    /// A command ended; its result is what it wrote.
    Exit(i32),
}

/// How much a guest's standard streams carry in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Streams {
    /// What the stream says that it can take.
    Bounded,
    /// Everything, as preview 1 has it: its whole payload, its whole result.
    AtOnce,
}

struct Call<'a> {
    engine: &'a Engine,
    streams: Streams,
    order: &'a WorkOrder,
    wall: Wall,
    clock: Arc<PollClock>,
    voice: SharedVoice,
    trace: Option<AttemptTrace>,
}

impl Call<'_> {
    fn watch(&self) -> Watch {
        let output = usize::try_from(self.order.limits.output_bytes).unwrap_or(usize::MAX);
        let result_bytes = output.saturating_add(HOSTCALL_BYTES);
        let argument_bytes = match self.streams {
            Streams::Bounded => HOSTCALL_BYTES,
            Streams::AtOnce => result_bytes.saturating_add(self.order.payload.bytes.len()),
        };
        Watch { clock: self.clock.clone(), argument_bytes, result_bytes, trace: self.trace.clone() }
    }

    fn store<T: Limited + Send + 'static>(&self, data: T) -> wasmtime::Result<Store<T>> {
        let mut store = Store::new(self.engine, data);
        store.limiter(|data| data.limiter());
        store.set_fuel(self.order.limits.fuel)?;
        store.fuel_async_yield_interval(Some(YIELD_INTERVAL_FUEL))?;
        store.set_hostcall_fuel(HOSTCALL_BYTES);
        store.set_max_component_handles(HANDLES_MAX);
        store.call_hook_async(self.watch());
        Ok(store)
    }

    async fn run<T, F>(self, data: wasmtime::Result<T>, guest: F) -> Result<Ran, Saturated>
    where
        T: Limited + Send + 'static,
        F: AsyncFnOnce(&mut Store<T>) -> wasmtime::Result<Answer>,
    {
        let mut store = match data.and_then(|data| self.store(data)) {
            Ok(store) => store,
            Err(error) => return Ok(self.host_error(&error)),
        };
        let answer = {
            let guest = std::pin::pin!(guest(&mut store));
            tokio::time::timeout(self.wall.time, Metered::new(guest, self.clock.clone())).await
        };
        let fuel = self.order.limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let (outcome, result) = match answer {
            Err(_) => (Outcome::TimedOut { bound: self.wall.bound }, Bytes::new()),
            Ok(Ok(answer)) => self.judge(answer),
            Ok(Err(error)) => match classify(&error, store.data_mut(), &self.voice) {
                Classified::Saturated => return Err(Saturated),
                Classified::TooMuchData => {
                    let bytes = u64::try_from(store.hostcall_fuel()).unwrap_or(u64::MAX);
                    (Outcome::OutputTooLarge { bytes }, Bytes::new())
                }
                Classified::Outcome(Outcome::Ok) => self.judge(Answer::Exit(0)),
                Classified::Outcome(outcome) => (outcome, Bytes::new()),
            },
        };
        let peak_memory_bytes = store.data_mut().limiter().peak_bytes();
        let written = store.data_mut().written().filter(|_| outcome == Outcome::Ok);
        drop(store);
        let mut ran = self.ran(outcome, result, fuel, peak_memory_bytes);
        if let Some(written) = written {
            ran.usage.output_bytes = written.blob.size_bytes;
            (ran.result, ran.written) = (Bytes::new(), Some(written));
        }
        Ok(ran)
    }

    fn judge(&self, answer: Answer) -> (Outcome, Bytes) {
        let output_max = u64::from(self.order.limits.output_bytes);
        let (result, bytes) = match answer {
            Answer::Failed(outcome) => return (outcome, Bytes::new()),
            Answer::Result(result) => {
                let bytes = result.len() as u64;
                (Bytes::from(result), bytes)
            }
            Answer::Exit(0) => self.voice.lock().take_result(),
            Answer::Exit(code) => return (exit_outcome(code, &self.voice), Bytes::new()),
        };
        if bytes > output_max { (Outcome::OutputTooLarge { bytes }, Bytes::new()) } else { (Outcome::Ok, result) }
    }

    fn host_error(&self, error: &wasmtime::Error) -> Ran {
        self.ran(Outcome::HostError { message: format!("{error:#}") }, Bytes::new(), 0, 0)
    }

    fn ran(&self, outcome: Outcome, result: Bytes, fuel: u64, peak_memory_bytes: u64) -> Ran {
        let outcome = outcome.map_texts(|text| self.voice.lock().masked(text));
        let (log, log_bytes) = self.voice.lock().take_log();
        let usage = Usage {
            fuel,
            cpu_us: self.clock.cpu_us(),
            wall_us: u64::try_from(self.clock.elapsed().as_micros()).unwrap_or(u64::MAX),
            peak_memory_bytes,
            input_bytes: self.order.payload.bytes.len() as u64,
            output_bytes: result.len() as u64,
            log_bytes,
        };
        Ran { outcome, result, written: None, usage, log }
    }
}

/// A result that was written and fits into a report goes as any other; so does one that a schema has to be checked against.
async fn gather(ran: &mut Ran, has_schema: bool) {
    let is_small = |written: &Written| written.blob.size_bytes <= RESULT_INLINE_BYTES_MAX as u64;
    let Some(written) = ran.written.take_if(|written| has_schema || is_small(written)) else { return };
    match written.file.whole().await {
        Ok(bytes) => ran.result = bytes,
        Err(error) => ran.outcome = Outcome::HostError { message: format!("the result could not be read: {error}") },
    }
}

fn context(order: &WorkOrder, time_left: Duration) -> Context {
    Context {
        task_id: order.task.to_string(),
        attempt: u32::from(order.attempt.get()),
        max_attempts: u32::from(order.max_attempts),
        // What its author calls it: guests do not depend on who deployed them.
        module: order.module.name.bare().to_owned(),
        version: order.module.version.to_string(),
        queue: order.queue.to_string(),
        priority: order.priority.get(),
        time_left_ms: u32::try_from(time_left.as_millis()).unwrap_or(u32::MAX),
    }
}

async fn component(
    store: &mut Store<Guest>,
    pre: &crate::sandbox::bindings::TaskPre<Guest>,
    context: &Context,
    input: &[u8],
) -> wasmtime::Result<Answer> {
    let task = pre.instantiate_async(&mut *store).await?;
    let answer = task.tasklane_task_handler().call_run(&mut *store, context, input).await?;
    Ok(match answer {
        Ok(result) => Answer::Result(result),
        Err(error) => Answer::Failed(task_error(error)),
    })
}

async fn command(
    store: &mut Store<Guest>,
    pre: &wasmtime_wasi::p2::bindings::CommandPre<Guest>,
) -> wasmtime::Result<Answer> {
    let command = pre.instantiate_async(&mut *store).await?;
    let status = command.wasi_cli_run().call_run(&mut *store).await?;
    Ok(Answer::Exit(i32::from(status.is_err())))
}

async fn command_p1(
    store: &mut Store<CommandGuest>,
    pre: &wasmtime::InstancePre<CommandGuest>,
) -> wasmtime::Result<Answer> {
    let instance = pre.instantiate_async(&mut *store).await?;
    let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
    start.call_async(&mut *store, ()).await?;
    Ok(Answer::Exit(0))
}
