//! What a submit asks of flow control, and what an operator says of a module, read and checked.

use tasklane_api_types::{ErrorCode, ModuleFlowRequest, SubmitRequest};
use tasklane_domain::flow::{Concurrency, Flow, FlowError, FlowKey, KeyedRate, ModuleFlow};

use crate::error::{ApiError, ApiResult};

fn wrong(field: &str, error: &FlowError) -> ApiError {
    ApiError::new(ErrorCode::FlowInvalid, format!("`{field}`: {error}"))
}

/// `module`: what the manifest says.
pub(crate) fn resolve(request: &SubmitRequest, module: ModuleFlow) -> ApiResult<Flow> {
    let concurrency = request.concurrency.as_ref().map(|wish| -> Result<Concurrency, FlowError> {
        let limit = Concurrency { key: wish.key.parse()?, max: wish.max };
        limit.check().map(|()| limit)
    });
    let rate = request.rate.as_ref().map(|wish| -> Result<KeyedRate, FlowError> {
        Ok(KeyedRate { key: wish.key.parse()?, limit: wish.limit.parse()? })
    });
    let share = request.share.as_deref().map(str::parse::<FlowKey>);
    Ok(Flow {
        share: share.transpose().map_err(|error| wrong("share", &error))?,
        concurrency: concurrency.transpose().map_err(|error| wrong("concurrency", &error))?,
        rate: rate.transpose().map_err(|error| wrong("rate", &error))?,
        module,
    })
}

/// A module's rule, which must limit something.
pub(crate) fn module_flow(request: &ModuleFlowRequest) -> ApiResult<ModuleFlow> {
    let rate = request.rate.as_deref().map(str::parse).transpose().map_err(|error| wrong("rate", &error))?;
    let flow = ModuleFlow { max: request.max, rate };
    flow.check().map_err(|error| wrong("max", &error))?;
    if flow.is_empty() {
        return Err(ApiError::new(ErrorCode::FlowInvalid, "neither `max` nor `rate` is given; DELETE removes a rule"));
    }
    Ok(flow)
}
