//! A list in: a task of module `echo` for each item, and one more after them all. The number of tasks out.
//!
//! An example to copy: children with keys, so that a repeated attempt enqueues nothing twice, and a last one that stands for
//! "all are done", since a task never waits for others by blocking.

use serde_json::{Value, json};
use tasklane_sdk::prelude::*;
use tasklane_sdk::tasks::{Child, enqueue};

/// The module that every child runs.
const CHILD: &str = "echo";

/// Enqueues everything, and ends without waiting.
#[task]
pub fn fan_out(_ctx: &Context, items: Vec<Value>) -> Result<usize, TaskError> {
    let mut children = Vec::with_capacity(items.len() + 1);
    let mut keys = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        let key = format!("item-{number}");
        children.push(Child::json(&key, CHILD, item)?);
        keys.push(key);
    }
    let last = Child::json("all", CHILD, &json!({"items": items.len()}))?;
    children.push(last.with(&json!({"after": keys, "on_failure": "continue"})));
    Ok(enqueue(&children)?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_a_child_and_the_last_waits_for_all() {
        let count = fan_out(&testing::context(), vec![json!(1), json!("two")]).unwrap();
        assert_eq!(count, 3);
        let children = testing::take_recorded().children;
        assert_eq!(children.iter().map(|child| child.key.as_str()).collect::<Vec<_>>(), ["item-0", "item-1", "all"]);
        assert!(children[2].options.contains(r#""after":["item-0","item-1"]"#), "{}", children[2].options);
    }
}
