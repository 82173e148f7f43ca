use tasklane_sdk::prelude::*;

#[task]
fn greet(_: &Context, input: String) -> Result<String, std::fmt::Error> {
    Ok(input)
}

fn main() {}
