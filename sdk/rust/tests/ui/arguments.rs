use tasklane_sdk::prelude::*;

#[task(retries = 3)]
fn greet(ctx: &Context, input: String) -> Result<String, TaskError> {
    Ok(input)
}

fn main() {}
