use tasklane_sdk::prelude::*;

struct Greeter;

impl Greeter {
    #[task]
    fn greet(&self, ctx: &Context) -> Result<String, TaskError> {
        Ok(String::new())
    }
}

fn main() {}
