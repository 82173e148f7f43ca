use tasklane_sdk::prelude::*;

struct Person {
    name: String,
}

#[task]
fn greet(_: &Context, input: Person) -> Result<String, TaskError> {
    Ok(input.name)
}

fn main() {}
