use tasklane_sdk::prelude::*;

#[task]
struct Greet;

fn main() {}
