use tasklane_sdk::prelude::*;

#[task]
fn greet<T>(ctx: &Context, input: T) -> Result<T, TaskError> {
    Ok(input)
}

fn main() {}
