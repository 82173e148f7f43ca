//! W3C trace contexts as text: the headers `traceparent` and `tracestate`, their fields of the row, the guest's variables `TRACEPARENT` and
//! `TRACESTATE`.

use std::fmt;
use std::str::FromStr as _;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Which span others belong under. Version 00 of the [W3C recommendation](https://www.w3.org/TR/trace-context/); later versions are read as
/// it asks, by their first four parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Parent(SpanContext);

/// Longest text that is looked at, in bytes.
const BYTES_MAX: usize = 256;
/// Longest `tracestate` that is handed on, in bytes: what the recommendation asks for at least. A longer one is left out whole.
const STATE_BYTES_MAX: usize = 512;

fn hex(text: &str, digits: usize) -> Option<&str> {
    let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == digits && text.bytes().all(is_lower_hex)).then_some(text)
}

impl Parent {
    /// Reads one; `None` for what is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let mut parts = text.split('-');
        let version = hex(parts.next()?, 2).filter(|version| *version != "ff")?;
        let trace = TraceId::from_hex(hex(parts.next()?, 32)?).ok()?;
        let span = SpanId::from_hex(hex(parts.next()?, 16)?).ok()?;
        let flags = u8::from_str_radix(hex(parts.next()?, 2)?, 16).ok()?;
        if version == "00" && parts.next().is_some() {
            return None;
        }
        let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
        let context = SpanContext::new(trace, span, flags, true, TraceState::NONE);
        context.is_valid().then_some(Self(context))
    }

    /// Both headers, or both fields of a row. A `tracestate` that is none, is too long or comes alone counts as none, as the recommendation
    /// has it.
    #[must_use]
    pub fn read(traceparent: Option<&str>, tracestate: Option<&str>) -> Option<Self> {
        let Self(context) = Self::parse(traceparent?)?;
        let is_short = |state: &&str| state.len() <= STATE_BYTES_MAX;
        let state = tracestate.filter(is_short).and_then(|state| TraceState::from_str(state).ok());
        let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags());
        Some(Self(SpanContext::new(trace, span, flags, true, state.unwrap_or_default())))
    }

    /// As a `tracestate`: what vendors beside say of the trace.
    #[must_use]
    pub fn state(&self) -> Option<String> {
        let state = self.0.trace_state();
        (*state != TraceState::NONE).then(|| state.header())
    }

    pub(crate) fn of(context: SpanContext) -> Self {
        Self(context)
    }

    pub(crate) fn context(&self) -> &SpanContext {
        &self.0
    }

    /// Whether its trace is recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.0.is_sampled()
    }
}

/// As a `traceparent`.
impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.0.is_sampled() { "01" } else { "00" };
        write!(f, "00-{}-{}-{flags}", self.0.trace_id(), self.0.span_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_is_read_and_written() {
        assert_eq!(Parent::parse(GOOD).unwrap().to_string(), GOOD);
        let unsampled = GOOD.replace("-01", "-00");
        assert!(!Parent::parse(&unsampled).unwrap().is_sampled());
        let later = format!("cc{}-what-comes-later", GOOD.strip_prefix("00").unwrap());
        assert_eq!(Parent::parse(&later).unwrap().to_string(), GOOD);
    }

    #[test]
    fn what_vendors_say_goes_with_it() {
        let state = |text| Parent::read(Some(GOOD), Some(text)).unwrap().state();
        assert_eq!(
            state("rojo=00f067aa0ba902b7, congo=t61rcWkgMzE").unwrap(),
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
        );
        let long = format!("rojo={}", "x".repeat(STATE_BYTES_MAX));
        for none in ["", "no pair", "UPPER=1", "rojo=1,no pair", &long] {
            assert_eq!(state(none), None, "{none}");
        }
        assert_eq!(Parent::read(None, Some("rojo=1")), None);
        assert_eq!(Parent::read(Some(GOOD), None).unwrap().state(), None);
    }

    #[test]
    fn what_is_none_is_not_taken() {
        let long = "0".repeat(300);
        for bad in [
            "",
            "00",
            "00-a-b-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            &long,
        ] {
            assert!(Parent::parse(bad).is_none(), "{bad} was taken");
        }
    }
}
