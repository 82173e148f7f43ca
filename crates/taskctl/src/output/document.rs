//! One answer in each format: for people, or as a document for programs. Every list and every record goes through here.

use serde::Serialize;
use serde_json::Value;

use super::table::Width;
use super::{Column, Table, col, data, inert, is_steering, stdout_is_terminal};
use crate::cli::Format;

/// The columns of a record.
const RECORD: &[Column] = &[col("WHAT"), col("VALUE")];

/// Whether a format is columns and lines, not a document.
pub(crate) const fn is_for_people(format: Format) -> bool {
    matches!(format, Format::Table | Format::Wide)
}

/// A list: the whole answer as a document, or one line for each thing in its `field`, or a table of the same things.
pub(crate) fn list(format: Format, answer: &impl Serialize, field: &str, table: &Table) -> anyhow::Result<()> {
    match format {
        Format::Table => table.show(Width::Normal),
        Format::Wide => table.show(Width::Wide),
        Format::Name => table.names().into_iter().for_each(data),
        Format::Json | Format::Yaml => document(format, answer)?,
        Format::Jsonl => {
            let mut answer = serde_json::to_value(answer)?;
            match answer.get_mut(field).map(Value::take) {
                Some(Value::Array(things)) => things.iter().try_for_each(line)?,
                _ => line(&answer)?,
            }
        }
    }
    Ok(())
}

/// One thing with its name: as a document, its name alone, or what there is to say about it.
pub(crate) fn record(
    format: Format,
    answer: &impl Serialize,
    name: &str,
    pairs: Vec<(&str, String)>,
) -> anyhow::Result<()> {
    told(format, answer, name, || {
        let rows = pairs.into_iter().map(|(what, value)| vec![what.to_owned(), value]).collect();
        Table::new(RECORD, rows).show(Width::Normal);
    })
}

/// One thing with its name, which people are told of in their own way.
pub(crate) fn told(format: Format, answer: &impl Serialize, name: &str, tell: impl FnOnce()) -> anyhow::Result<()> {
    match format {
        Format::Table | Format::Wide => tell(),
        Format::Name => data(name),
        Format::Json | Format::Yaml => document(format, answer)?,
        Format::Jsonl => line(answer)?,
    }
    Ok(())
}

fn line(answer: &impl Serialize) -> anyhow::Result<()> {
    data(&escaped(serde_json::to_string(answer)?));
    Ok(())
}

/// The same JSON, in which no character steers a terminal. Strings alone can have any that serde leaves: C1 controls, directions of text.
fn escaped(json: String) -> String {
    let steers = |c: char| is_steering(c) && c != '\n';
    if !json.contains(steers) {
        return json;
    }
    let mut units = [0; 2];
    json.chars().fold(String::with_capacity(json.len()), |mut safe, c| {
        if steers(c) {
            safe.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            safe.push(c);
        }
        safe
    })
}

fn document(format: Format, answer: &impl Serialize) -> anyhow::Result<()> {
    if format == Format::Yaml {
        // By way of JSON, so that a document says the same in both.
        let text = serde_saphyr::to_string(&serde_json::to_value(answer)?)?;
        data(&if stdout_is_terminal() { inert(text.trim_end()) } else { text.trim_end().to_owned() });
    } else {
        data(&escaped(serde_json::to_string_pretty(answer)?));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_escaped_and_says_the_same() {
        let said = serde_json::json!({"a": "\u{9b}2J\u{202e}x\u{e0001} é"});
        let text = escaped(serde_json::to_string_pretty(&said).unwrap());
        assert!(!text.contains(|c| is_steering(c) && c != '\n'), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), said);
    }
}
