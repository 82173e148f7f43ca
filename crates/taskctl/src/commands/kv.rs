//! `taskctl kv …`.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tasklane_api_types::{KvEntryView, KvKeyList, KvRequest, KvStoreList, KvStoreView};

use crate::cli::{Format, Kv, KvArgs};
use crate::client::{Client, segment};
use crate::failure::{FAILED, Failure};
use crate::output::{self, Column, Table, col};

const STORE: &[Column] = &[col("STORE"), col("KEYS"), col("SIZE")];
const PATH: &str = "/api/v1/kv";
/// Keys asked for at once.
const PAGE_KEYS: u32 = 1_000;

fn path(client: &Client, store: &KvArgs, key: &str) -> String {
    client.scoped(&format!("{PATH}/{}/{}", segment(&store.store), segment(key)))
}

/// Carries one out.
pub(crate) async fn run(client: &Client, format: Format, command: Kv) -> anyhow::Result<()> {
    match command {
        Kv::Stores { watch: _ } => stores(format, &client.get(&client.scoped(PATH)).await?),
        Kv::Keys { store, prefix } => keys(client, format, &store, &prefix).await,
        Kv::Get { store, key } => value(format, &key, &client.get(&path(client, &store, &key)).await?),
        Kv::Set { store, key, value, ttl } => {
            let entry: KvEntryView = client.put(&path(client, &store, &key), &request(&value, ttl)?).await?;
            output::told(format, &entry, &key, || {
                output::note(&format!("{key} is set (revision {})", entry.revision));
            })
        }
        Kv::Delete { store, key } => {
            client.delete(&path(client, &store, &key)).await?;
            output::note(&format!("{key} is deleted"));
            Ok(())
        }
    }
}

fn request(value: &str, ttl: Option<String>) -> anyhow::Result<KvRequest> {
    let bytes = if value == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        bytes
    } else {
        value.as_bytes().to_vec()
    };
    Ok(match String::from_utf8(bytes) {
        Ok(text) => KvRequest { value: Some(text), value_base64: None, ttl },
        Err(error) => KvRequest { value: None, value_base64: Some(STANDARD.encode(error.into_bytes())), ttl },
    })
}

fn value(format: Format, key: &str, entry: &KvEntryView) -> anyhow::Result<()> {
    if !output::is_for_people(format) {
        return output::told(format, entry, key, || {});
    }
    let bytes = match (&entry.value, &entry.value_base64) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(text)) => STANDARD.decode(text)?,
        (None, None) => return Err(Failure::new(FAILED, "the server's answer has no value").into()),
    };
    Ok(output::foreign(&bytes)?)
}

fn stores(format: Format, list: &KvStoreList) -> anyhow::Result<()> {
    let row = |one: &KvStoreView| vec![one.store.clone(), one.keys.to_string(), output::size(one.bytes)];
    output::list(format, list, "stores", &Table::new(STORE, list.stores.iter().map(row).collect()))
}

/// All of them, page by page.
async fn keys(client: &Client, format: Format, store: &KvArgs, prefix: &str) -> anyhow::Result<()> {
    let base = client.scoped(&format!("{PATH}/{}?prefix={}&limit={PAGE_KEYS}", segment(&store.store), segment(prefix)));
    let mut all = KvKeyList { keys: Vec::new(), next: None };
    loop {
        let after = all.next.as_deref().map(|key| format!("&after={}", segment(key))).unwrap_or_default();
        let page: KvKeyList = client.get(&format!("{base}{after}")).await?;
        match format {
            Format::Table | Format::Wide | Format::Name => {
                page.keys.iter().for_each(|key| output::data(&output::inert(key)));
            }
            Format::Json | Format::Jsonl | Format::Yaml => all.keys.extend(page.keys),
        }
        all.next = page.next;
        if all.next.is_none() {
            break;
        }
    }
    match format {
        Format::Table | Format::Wide | Format::Name => Ok(()),
        Format::Json | Format::Jsonl | Format::Yaml => {
            output::list(format, &all, "keys", &Table::new(STORE, Vec::new()))
        }
    }
}
