use tasklane_sdk::prelude::*;

struct Greeting(String);

#[task]
fn greet(_: &Context, input: String) -> Result<Greeting, TaskError> {
    Ok(Greeting(input))
}

fn main() {}
