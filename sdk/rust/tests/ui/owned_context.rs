use tasklane_sdk::prelude::*;

#[task]
fn greet(ctx: Context, input: String) -> Result<String, TaskError> {
    Ok(input)
}

fn main() {}
