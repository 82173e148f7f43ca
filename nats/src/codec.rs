//! Messages as bytes: a format byte, then MessagePack with field names, so that a reader of another version ignores what it
//! does not know and defaults what it misses.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tasklane_domain::error::QueueError;

/// MessagePack with names.
const FORMAT: u8 = 1;

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Bytes, QueueError> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(FORMAT);
    rmp_serde::encode::write_named(&mut bytes, value).map_err(|error| QueueError::Corrupt(error.to_string()))?;
    Ok(bytes.into())
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, QueueError> {
    match bytes.split_first() {
        Some((&FORMAT, body)) => rmp_serde::from_slice(body).map_err(|error| QueueError::Corrupt(error.to_string())),
        Some((other, _)) => Err(QueueError::Corrupt(format!("format {other} is not known here"))),
        None => Err(QueueError::Corrupt("empty".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_formats_and_rubbish_are_refused() {
        assert!(decode::<u32>(&encode(&7_u32).unwrap()).is_ok());
        assert!(decode::<u32>(&[9, 7]).is_err());
        assert!(decode::<u32>(&[]).is_err());
        assert!(decode::<String>(&[FORMAT, 0xC1]).is_err());
    }
}
