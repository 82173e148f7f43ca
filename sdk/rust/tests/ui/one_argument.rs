use tasklane_sdk::prelude::*;

#[task]
fn greet(input: String) -> Result<String, TaskError> {
    Ok(input)
}

fn main() {}
