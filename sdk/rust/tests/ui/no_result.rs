use tasklane_sdk::prelude::*;

#[task]
fn greet(ctx: &Context, input: String) {}

fn main() {}
